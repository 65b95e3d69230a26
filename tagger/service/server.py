"""The server that runs the application, in one process or in several."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import resource
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from tagger.engine import available_cores
from tagger.errors import OptionError, ServiceError
from tagger.keys import CHECK_SECONDS, EXPECTED, FILE, Keys
from tagger.service import logs
from tagger.settings import Settings

APPLICATION = "tagger.service.app:app_from_environment"
PROTOCOL = "tagger.service.protocol:Protocol"
"""By their names, for workers import them; the process that only starts those would spend half a second on it."""

METRICS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus_client: the folder through which workers count together."""

METRICS_PREFIX = "tagger-metrics-"
SHARED_MEMORY = Path("/dev/shm")

MOST_PER_CORE = 4
"""Workers for each core."""

GRACEFUL_SECONDS = 15
"""How long running requests may go on once the server is told to stop."""


def run(settings: Settings, *, without_keys: bool = False) -> None:
    """Serve until told to stop. Raises ServiceError where the address cannot be listened on, or should not be."""
    keys = Keys(settings.state / FILE)
    _check_open(settings, keys, without_keys)
    _check_workers(settings.workers)
    _check_address(settings.host, settings.port)
    _raise_file_limit()
    # Workers are processes of their own, and read the settings from the environment.
    os.environ.update(settings.as_environment())
    with _shared_counts(settings.workers), _remembered(keys):
        uvicorn.run(
            APPLICATION,
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            # libuv (uvloop) takes up one new connection in each turn of the loop: in a busy moment hardly any.
            loop="asyncio",
            http=PROTOCOL,
            ws="none",
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            log_config=logs.configuration(),
        )


def _check_open(settings: Settings, keys: Keys, without_keys: bool) -> None:
    """Refuse to serve other machines without keys, unless told to on the command line and in the settings."""
    if (_is_loopback(settings.host) and not settings.allowed_hosts) or keys.any():
        return
    if not (without_keys and settings.without_keys):
        raise ServiceError(
            f"Others can reach this service at {', '.join((settings.host, *settings.allowed_hosts))}, and there are no "
            "keys: anybody could tag, train and promote. Make one: tagger keys create NAME --scopes tag,admin. Or, if "
            "that is what you want, say so twice: the option --without-keys and the setting TAGGER_WITHOUT_KEYS=true."
        )


def _check_workers(workers: int) -> None:
    cores = available_cores()
    if workers > MOST_PER_CORE * cores:
        raise OptionError(
            f"The number of workers is {workers}; expected at most {MOST_PER_CORE * cores} on {cores} cores. "
            "More than one for each core answer no faster."
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
def _remembered(keys: Keys) -> Iterator[None]:
    """Tell all workers that are started once there are keys, so that those in place of dead ones know it too."""
    os.environ.pop(EXPECTED, None)
    stopped = threading.Event()

    def note() -> bool:
        if there := keys.any():
            os.environ[EXPECTED] = "true"
        return there

    def watch() -> None:
        while not note() and not stopped.wait(CHECK_SECONDS):
            pass

    note()  # before the first worker starts
    watcher = threading.Thread(target=watch, name="keys", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stopped.set()
        watcher.join()


@contextlib.contextmanager
def _shared_counts(workers: int) -> Iterator[None]:
    """Have several workers count together; one counts by itself."""
    if workers == 1:
        os.environ.pop(METRICS_FOLDER_VARIABLE, None)
        yield
        return
    # In memory where that is to be had: workers die of a full disk under what they have mapped.
    place = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    for left in place.glob(f"{METRICS_PREFIX}*"):
        if not Path(f"/proc/{left.name.removeprefix(METRICS_PREFIX).partition('-')[0]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{METRICS_PREFIX}{os.getpid()}-", dir=place)
    os.environ[METRICS_FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
