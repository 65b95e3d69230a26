"""The live model: what requests are answered with, and the thread that follows `models/live`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tagger.errors import NoLiveVersion
from tagger.registry import LIVE, Registry, Version
from tagger.tagging import Tagger

CHECK_SECONDS = 0.5
"""How often the pointer to the live version is looked at."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Live:
    """A version that is loaded; `since` says when it was promoted."""

    tagger: Tagger
    version: Version
    since: str


class LiveModel:
    """Holds the live version and exchanges it, whole, when another is promoted.

    A version that cannot be loaded is never served: the one before it stays, and `warning` says why. `prepare` is
    given each version before it answers.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.prepare: Callable[[Live], None] = lambda _live: None
        self.warning: str | None = None
        self._live: Live | None = None
        self._pointer: tuple[int, int, int] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="live-model", daemon=True)

    def __enter__(self) -> Self:
        self._load()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def current(self) -> Live:
        """Return the loaded version; a request asks once. Raises NoLiveVersion where there is none."""
        live = self._live
        if live is None:
            raise NoLiveVersion(self.warning or "No model is loaded yet. Try again in a moment.")
        return live

    def _follow(self) -> None:
        self._warm_up()
        while not self._stopped.wait(CHECK_SECONDS):
            if self._stat() != self._pointer:
                self._load()
                self._warm_up()

    def _warm_up(self) -> None:
        try:
            if self._live:
                self._live.tagger.warm_up()
        except Exception:  # a page that asks for it is told; the thread goes on
            logger.exception("A part of %s cannot be loaded", self._live and self._live.version.name)

    def _load(self) -> None:
        # Before reading: a promotion while this one loads is then seen at the next look.
        self._pointer = self._stat()
        try:
            live = self._read()
            self.prepare(live)
            self._live = live
        except Exception as error:  # whatever is wrong with the new version, the thread and the old one go on
            self._pointer = None  # look again: what is wrong may pass, such as a folder that is away
            warning = " ".join(str(error).split()) or type(error).__name__
            if warning != self.warning:
                serving = self._live.version.name if self._live else "no version"
                logger.warning("Still serving %s: %s", serving, warning)
            self.warning = warning
        else:
            self.warning = None
            logger.info("Serving %s", self._live.version.name)

    def _read(self) -> Live:
        version = self.registry.live()
        promotions = [entry["at"] for entry in self.registry.history() if entry["version"] == version.name]
        return Live(Tagger.load(version), version, promotions[-1])

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = (self.registry.folder / LIVE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size
