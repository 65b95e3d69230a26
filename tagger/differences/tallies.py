"""Tallies: flips counted, and of each theme the most consequential ones kept, whatever the size of the archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappush, heappushpop
from typing import Any, NamedTuple

import msgspec

from tagger.differences.flips import Compared

MOST_KEPT = 1_000
"""Flips kept of each theme; all are counted."""

MOST_UNREADABLE = 100
"""Unreadable documents that are named; all are counted."""


class Kept(NamedTuple):
    """A flip's record as JSON, which takes a fraction of the memory, after what it is ranked by, the least first."""

    consequence: int
    position: int  # below zero, so that of two alike the later one is the less
    number: int  # the same
    record: bytes


class Tally:
    """What was found in some documents.

    A flip whose consequence is no more than its theme's of `floors` is counted only: so many greater ones are kept.
    """

    def __init__(self, floors: Sequence[int]) -> None:
        self.counts: Counter[str] = Counter()
        self.of_themes: Counter[tuple[int, str]] = Counter()
        self.causes: Counter[tuple[int, str]] = Counter()
        self.unreadable: list[dict[str, Any]] = []
        self.kept: list[list[Kept]] = [[] for _ in floors]
        self._floors = floors

    @property
    def floors(self) -> list[int]:
        """What a flip of each theme must be above to be kept now."""
        return [
            max(floor, kept[0].consequence) if len(kept) == MOST_KEPT else floor
            for floor, kept in zip(self._floors, self.kept, strict=True)
        ]

    def add_unreadable(self, position: int, identifier: str, message: str) -> None:
        """Count a document of which nothing could be read."""
        self.counts["unreadable"] += 1
        if len(self.unreadable) < MOST_UNREADABLE:
            self.unreadable.append({"kind": "unreadable", "position": position, "id": identifier, "error": message})

    def add(self, compared: Compared) -> None:
        """Count a text and its flips; explain and keep those that may be among the most consequential."""
        self.counts["texts"] += 1
        before, after = compared.given(0), compared.given(1)
        for name, given in (("before", before), ("after", after)):
            for theme, decision in given.items():
                self.of_themes[theme, f"{decision}_{name}"] += 1
        if before == after:
            return
        self.counts["texts_changed"] += 1
        for flip in compared.flips(before, after):
            self.of_themes[flip.theme, flip.change] += 1
            self.of_themes[flip.theme, "consequence"] += flip.consequence
            self.causes[flip.theme, flip.cause] += 1
            kept = self.kept[flip.theme]
            least = kept[0].consequence if len(kept) == MOST_KEPT else 0
            if flip.consequence > max(self._floors[flip.theme], least):
                record = msgspec.json.encode(compared.record(flip))
                _keep(kept, Kept(flip.consequence, -compared.text.position, -compared.text.number, record))

    def merge(self, later: Tally) -> None:
        """Add what was found in later documents."""
        self.counts.update(later.counts)
        self.of_themes.update(later.of_themes)
        self.causes.update(later.causes)
        self.unreadable += later.unreadable[: MOST_UNREADABLE - len(self.unreadable)]
        for kept, more in zip(self.kept, later.kept, strict=True):
            for flip in more:
                _keep(kept, flip)


def _keep(kept: list[Kept], flip: Kept) -> None:
    if len(kept) < MOST_KEPT:
        heappush(kept, flip)
    else:
        heappushpop(kept, flip)
