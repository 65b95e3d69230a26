"""How often `tagger models drift` cries wolf, how often it finds what it should, and what watching costs a text.

Run it with the environment's python:
    .venv/bin/python scripts/bench/drift.py [--rounds 400] [--models models] [--watch RELEASES.jsonl[.gz]]
Texts are drawn, with replacement, from what models that had not seen them made of the live version's seeds, so that
themes go together as they do. Without drift both samples are drawn alike; in days of clumps, each text is followed by
copies of it, two in all on average, as several offices tell of one event. Where a theme doubles, texts that were given
it are drawn twice as often, for the theme nearest to 5% of the texts. With --watch, documents are tagged with and
without a watcher in turns, and the ratio of the best times of each is printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tagger.documents import Document
from tagger.drift import Drift, drift_between
from tagger.drift.samples import Sample
from tagger.heldout import HeldOutSeeds
from tagger.observations import Observer, histograms
from tagger.readers import documents
from tagger.registry import Registry
from tagger.tagging import Tagger

SIZES = (20, 100, 500, 2000)
EARLIER_DAYS, LAST_DAYS = 30, 7
WATCHED = 1024
DRAWS = 15

Rows = NDArray[np.intp]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parents[2] / "models")
    parser.add_argument("--watch", help="documents to tag with and without a watcher")
    options = parser.parse_args()
    version = Registry(options.models).live()
    world = World(HeldOutSeeds.load(version.folder))
    seeds = len(world.given)
    theme = world.nearest(0.05)
    print(f"{version.name}: {seeds:,} seeds, {world.given.shape[1]} themes; {options.rounds} rounds each")
    for size in SIZES:
        report(f"no drift, {size} texts against {seeds:,}", options.rounds, lambda n=size: world.drift(n, seeds))
    for size in SIZES:
        found = lambda n=size: world.drift(n, seeds, theme)  # noqa: E731
        report(f"{world.rate(theme):.1%} doubled, {size} texts against {seeds:,}", options.rounds, found, theme)
    days = f"{LAST_DAYS} days against {EARLIER_DAYS}"
    for copies, kind in ((1, ""), (2, ", in clumps")):
        found = lambda c=copies: world.days(theme, copies=c)  # noqa: E731
        report(f"no drift{kind}, {days}", options.rounds, lambda c=copies: world.days(copies=c))
        report(f"{world.rate(theme):.1%} doubled{kind}, {days}", options.rounds, found, theme)
    blind = lambda: world.days(copies=2, by_day=False)  # noqa: E731
    report(f"no drift, in clumps, {days}, were days not looked at", options.rounds, blind)
    if options.watch:
        watch(Tagger.load(version), options.watch)


class World:
    """Texts to draw from."""

    def __init__(self, held_out: HeldOutSeeds) -> None:
        self.given = held_out.given
        self.probabilities = held_out.probabilities
        self.themes = tuple(map(str, range(self.given.shape[1])))
        self.random = np.random.default_rng(7)

    def nearest(self, rate: float) -> int:
        """Return the theme of which the rate is nearest to one."""
        return int(np.abs(self.given.mean(axis=0) - rate).argmin())

    def rate(self, theme: int) -> float:
        """Return the rate of a theme."""
        return float(self.given[:, theme].mean())

    def drift(self, now: int, then: int, doubled: int | None = None) -> Drift:
        """Return what is told of samples of two sizes."""
        return drift_between("-", self.sample([self.draw(now, doubled)]), self.sample([self.draw(then)]))

    def days(self, doubled: int | None = None, copies: int = 1, by_day: bool = True) -> Drift:
        """Return what is told of days of about 70 texts against earlier ones."""
        now, then = (
            self.sample([self.draw(int(self.random.integers(50, 90)) // copies, theme, copies) for _ in range(days)])
            for days, theme in ((LAST_DAYS, doubled), (EARLIER_DAYS, None))
        )
        if not by_day:
            now, then = replace(now, days=()), replace(then, days=())
        return drift_between("-", now, then)

    def draw(self, texts: int, doubled: int | None = None, copies: int = 1) -> Rows:
        """Return the rows of some texts."""
        weights = np.ones(len(self.given))
        if doubled is not None:
            rate = self.rate(doubled)
            weights = np.where(self.given[:, doubled], 2.0, (1 - 2 * rate) / (1 - rate))
        rows = self.random.choice(len(self.given), texts, p=weights / weights.sum())
        return rows if copies == 1 else np.repeat(rows, self.random.integers(1, 2 * copies, texts))

    def sample(self, days: Sequence[Rows]) -> Sample:
        """Return the numbers of the texts of some days."""
        rows = np.concatenate(days)
        given = self.given[rows]
        return Sample(
            "drawn",
            self.themes,
            len(rows),
            given.sum(axis=0),
            histograms(self.probabilities[rows]),
            {"none": int((~given.any(axis=1)).sum())},
            days=[(len(of_day), self.given[of_day].sum(axis=0)) for of_day in days],
        )


def report(what: str, rounds: int, found: Callable[[], Drift], theme: int | None = None) -> None:
    """Print in how many rounds anything is told to have moved, or a theme is, and how far days clump."""
    told = [found() for _ in range(rounds)]
    hits = sum(any(theme is None or change.name == str(theme) for change in drift.moved) for drift in told)
    clumping = statistics.median(drift.clumping for drift in told)
    kind = "told" if theme is None else "found"
    print(f"  {what}: {kind} in {hits / rounds:.1%}" + (f", clumping {clumping:.2f}" if told[0].clumping > 1 else ""))


def watch(tagger: Tagger, source: str) -> None:
    """Print what watching costs a text."""
    texts = [item for item in islice(documents([source]), WATCHED) if isinstance(item, Document)]
    observer = Observer(tagger.version, [theme["id"] for theme in tagger.themes])
    told: list[tuple[float, float]] = []
    for _ in range(DRAWS):
        told.append((tagged(tagger, texts, None), tagged(tagger, texts, observer)))
    bare, watched = (min(times) for times in zip(*told, strict=True))
    heard: list[object] = []
    tagger.watch = heard.append
    for text in texts:
        tagger.tag(text)
    alone = min(told_alone(observer, heard) for _ in range(DRAWS))
    print(f"  a text tagged in {bare * 1e6:.0f} µs, watched in {watched * 1e6:.0f}: {watched / bare:.3f}")
    print(f"  the observer alone takes {alone * 1e6:.2f} µs a text, {alone / bare:.1%} of that")


def tagged(tagger: Tagger, texts: Sequence[Document], observer: Observer | None) -> float:
    """Return the time to tag a text."""
    tagger.watch = observer
    started = time.perf_counter()
    for text in texts:
        tagger.tag(text)
    return (time.perf_counter() - started) / len(texts)


def told_alone(observer: Observer, heard: Sequence[object]) -> float:
    """Return the time an observer takes for what it is told of a text."""
    started = time.perf_counter()
    for one in heard:
        observer(one)
    return (time.perf_counter() - started) / len(heard)


if __name__ == "__main__":
    main()
