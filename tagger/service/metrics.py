"""What the service counts, for Prometheus: requests, the queue, tags, and the model they come from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from tagger.service.server import METRICS_FOLDER_VARIABLE

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds."""

SEEN = {
    "texts": ("Texts: with themes to review, with others only, with none", ["decision"]),
    "tags": ("Themes given", ["theme", "decision"]),
    "words": ("Different words of texts, by whether seeds have them", ["known"]),
}
"""What is counted of texts, and by what."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter began is of no use here, and doubles what is scraped

_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})


class Metrics:
    """The counters of one worker; what is scraped holds those of all."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter("tagger_requests", "Requests answered", ["method", "route", "status"], registry=own)
        self._seconds = Histogram(
            "tagger_request_seconds", "Time to the answer", ["route"], buckets=BUCKETS, registry=own
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._seen = {
            name: Counter(f"tagger_{name}", what, labels, registry=own) for name, (what, labels) in SEEN.items()
        }
        self.shed = Counter("tagger_shed", "Requests refused because there was too much to do", registry=own)
        self.waiting = self._gauge("waiting", "Requests that wait for their turn", "livesum")
        self.refused = self._gauge("model_refused", "1 where the version promoted last cannot be loaded", "livemax")
        self._created = self._gauge("model_created_seconds", "When the live version was trained", "livemax")
        self._live = self._gauge("model_live", "1 for the version that answers", "livemax", ["version"])
        self._version: str | None = None

    def _gauge(self, name: str, what: str, of_all: Literal["livesum", "livemax"], labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"tagger_{name}", what, labels, registry=self._registry, multiprocess_mode=of_all)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; status 0 where nobody waited for that."""
        key = (method, route, status)
        if key not in self._children:
            known = method if method in _METHODS else "other"
            self._children[key] = (self._requests.labels(known, route, str(status)), self._seconds.labels(route))
        requests, times = self._children[key]
        requests.inc()
        times.observe(seconds)

    def saw(self, name: tuple[str, ...], number: int) -> None:
        """Count what was seen of texts, under a metric and its labels."""
        if number:
            self._seen[name[0]].labels(*name[1:]).inc(number)

    def serving(self, version: str, created: str) -> None:
        """Note which version answers, and when it was made (ISO 8601)."""
        if self._version not in (None, version):
            self._live.labels(self._version).set(0)
        self._version = version
        self._live.labels(version).set(1)
        self._created.set(datetime.fromisoformat(created).timestamp())

    def scrape(self) -> bytes:
        """Return the counters of all workers in Prometheus' text format."""
        folder = os.environ.get(METRICS_FOLDER_VARIABLE)
        if folder is None:
            return generate_latest(self._registry)
        _forget_ended(Path(folder))
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_ended(folder: Path) -> None:
    """Drop what workers say of now that have ended; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        number = path.stem.rpartition("_")[2]
        if number.isdecimal() and not Path(f"/proc/{number}").exists():
            mark_process_dead(int(number), str(folder))  # type: ignore[no-untyped-call]
