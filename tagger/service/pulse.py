"""The pulse: a thread that, now and then, counts for the metrics what the worker saw and keeps it on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tagger.errors import OutputError
from tagger.files import make_folder
from tagger.observations import SEEN, Observer
from tagger.service.admission import Admission
from tagger.service.live import Live, LiveModel
from tagger.service.metrics import Metrics

SECONDS = 1.0
KEEP_SECONDS = 30.0
"""How often what was seen is brought to the disk: what a worker that is killed forgets at most."""

Numbers = dict[tuple[str, ...], int]

logger = logging.getLogger(__name__)


class Pulse:
    """Watches the taggers it is shown; counts what they tag and what is refused."""

    def __init__(self, metrics: Metrics, admission: Admission, live_model: LiveModel, state: Path) -> None:
        self._metrics = metrics
        self._admission = admission
        self._live_model = live_model
        self._folder = state / SEEN
        self._observers: list[tuple[Observer, Numbers]] = []
        self._leaving: list[tuple[Observer, Numbers]] = []
        self._shed = 0
        self._trouble: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self.count()
        self._keep()

    def watch(self, live: Live) -> None:
        """Count what a version tags from now on."""
        observer = Observer(live.version.name, [theme["id"] for theme in live.tagger.themes])
        live.tagger.watch = observer
        self._observers.append((observer, {}))
        self._metrics.serving(live.version.name, live.version.created["at"])

    def count(self) -> None:
        """Bring the metrics up to date."""
        shed = self._admission.shed - self._shed
        if shed:
            self._metrics.shed.inc(shed)
            self._shed += shed
            logger.warning("%d requests were refused: there was too much to do", shed)
        self._metrics.waiting.set(self._admission.waiting)
        self._metrics.refused.set(self._live_model.warning is not None)
        for observer, counted in list(self._observers):
            for name, number in _numbers(observer.totals()):
                self._metrics.saw(name, number - counted.get(name, 0))
                counted[name] = number

    def _beat(self) -> None:
        kept = time.monotonic()
        while not self._stopped.wait(SECONDS):
            self.count()
            if time.monotonic() - kept >= KEEP_SECONDS:
                self._keep()
                kept = time.monotonic()

    def _keep(self) -> None:
        """Bring what was seen to the disk; those of versions replaced before the last time are then forgotten."""
        observers = list(self._observers)
        try:
            make_folder(self._folder)
            for observer, _ in observers:
                observer.keep(self._folder)
        except (OSError, OutputError) as error:
            if str(error) != self._trouble:
                logger.warning("What was seen of texts cannot be kept for `tagger models drift`: %s", error)
            self._trouble = str(error)
        else:
            self._trouble = None
            for old in self._leaving:
                self._observers.remove(old)
            self._leaving = self._observers[:-1]


def _numbers(totals: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the numbers that metrics hold, each under its metric and labels."""
    yield ("words", "yes"), totals["words"] - totals["unknown_words"]
    yield ("words", "no"), totals["unknown_words"]
    yield ("texts", "none"), totals["none"]
    yield ("texts", "review"), totals["review_texts"]
    yield ("texts", "auto"), totals["texts"] - totals["none"] - totals["review_texts"]
    for decision in ("auto", "review"):
        for theme, number in totals[decision].items():
            yield ("tags", theme, decision), number
