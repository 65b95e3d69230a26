"""The server that runs the application, in one process or in several."""

from __future__ import annotations

import os
import socket
from copy import deepcopy
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from tagger.errors import ServiceError
from tagger.settings import Settings

APPLICATION = "tagger.service.app:app_from_environment"
"""By its name, for each worker imports it; the process that only starts them would spend half a second on it."""

GRACEFUL_SECONDS = 15
"""How long running requests may go on once the server is told to stop."""


def run(settings: Settings) -> None:
    """Serve until told to stop. Raises ServiceError where the address cannot be listened on."""
    _check_address(settings.host, settings.port)
    # Workers are processes of their own, and read the settings from the environment.
    os.environ["TAGGER_MODELS"] = str(settings.models)
    os.environ["TAGGER_MAX_BODY_BYTES"] = str(settings.max_body_bytes)
    uvicorn.run(
        APPLICATION,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        log_config=_logging(),
    )


def _check_address(host: str, port: int) -> None:
    """Try the address before the server does, which would only log what is wrong."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ServiceError(
            f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another: tagger serve --port {port + 1}"
        ) from error


def _logging() -> dict[str, Any]:
    """Return uvicorn's logging, with the messages of this program among its own."""
    config = deepcopy(LOGGING_CONFIG)
    config["loggers"]["tagger"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config
