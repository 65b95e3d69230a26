"""The application, and the server that runs it."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from tagger.errors import ServiceError
from tagger.registry import Registry
from tagger.service import problems
from tagger.service.live import LiveModel
from tagger.service.routes import router
from tagger.settings import Settings, load_settings

GRACEFUL_SECONDS = 15
"""How long running requests may go on once the server is told to stop."""

DESCRIPTION = (
    "Themes for government press releases, with probabilities and the evidence for each. "
    "Every refusal is a problem (RFC 9457); paths that do not exist answer 404, methods 405."
)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        description = super().openapi()
        problems.declare_media_type(description)
        return description


def create_app(models: Path, *, max_body_bytes: int = 10_000_000) -> FastAPI:
    """Return the application that tags with the live version below `models`, also one promoted later."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with LiveModel(Registry(models)) as app.state.live_model:
            yield

    app = _Application(
        title="tagger",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        # The pages at docs_url and redoc_url load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.max_body_bytes = max_body_bytes
    problems.install(app)
    app.include_router(router)
    return app


def app_from_environment() -> FastAPI:
    """Return the application by the settings of this process; each worker of the server calls this."""
    settings = load_settings()
    return create_app(settings.models, max_body_bytes=settings.max_body_bytes)


def run(settings: Settings) -> None:
    """Serve until told to stop. Raises ServiceError where the address cannot be listened on."""
    _check_address(settings.host, settings.port)
    # Workers are processes of their own, and read the settings from the environment.
    os.environ["TAGGER_MODELS"] = str(settings.models)
    os.environ["TAGGER_MAX_BODY_BYTES"] = str(settings.max_body_bytes)
    uvicorn.run(
        f"{app_from_environment.__module__}:{app_from_environment.__name__}",
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
