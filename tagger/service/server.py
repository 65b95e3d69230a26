"""The server that runs the application, in one process or in several."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator

import uvicorn

from tagger.errors import ServiceError
from tagger.keys import Keys
from tagger.service import logs
from tagger.settings import Settings

APPLICATION = "tagger.service.app:app_from_environment"
PROTOCOL = "tagger.service.protocol:Protocol"
"""By their names, for workers import them; the process that only starts those would spend half a second on it."""

METRICS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus_client: the folder through which workers count together."""

GRACEFUL_SECONDS = 15
"""How long running requests may go on once the server is told to stop."""


def run(settings: Settings, *, without_keys: bool = False) -> None:
    """Serve until told to stop. Raises ServiceError where the address cannot be listened on, or should not be."""
    _check_open(settings, without_keys)
    _check_address(settings.host, settings.port)
    _raise_file_limit()
    # Workers are processes of their own, and read the settings from the environment.
    os.environ.update(settings.as_environment())
    with _shared_counts(settings.workers):
        uvicorn.run(
            APPLICATION,
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            loop="uvloop",
            http=PROTOCOL,
            ws="none",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            log_config=logs.configuration(),
        )


def _check_open(settings: Settings, without_keys: bool) -> None:
    """Refuse to serve other machines without keys, unless told to on the command line and in the settings."""
    if _is_loopback(settings.host) or Keys(settings.state / "keys.json").any():
        return
    if not (without_keys and settings.without_keys):
        raise ServiceError(
            f"The address {settings.host} can be reached from other machines, and there are no keys: anybody there "
            "could tag, train and promote. Make a key: tagger keys create NAME --scopes tag,admin. Or, if that is what "
            "you want, say so twice: the option --without-keys and the setting TAGGER_WITHOUT_KEYS=true."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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


def _raise_file_limit() -> None:
    """Let each worker have as many connections as the system allows; the usual 1,024 is no measure of memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _shared_counts(workers: int) -> Iterator[None]:
    """Have several workers count together; one counts by itself."""
    if workers == 1:
        os.environ.pop(METRICS_FOLDER_VARIABLE, None)
        yield
        return
    folder = tempfile.mkdtemp(prefix="tagger-metrics-")
    os.environ[METRICS_FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
