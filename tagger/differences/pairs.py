"""Two versions side by side: their themes under common numbers, and what each makes of a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.decisions import NOT_GIVEN, Decision, Reason
from tagger.differences.margins import Margins
from tagger.registry import Version
from tagger.scorer import Reading
from tagger.tagging import BOILERPLATE, Decided, Tagger


class Theme(NamedTuple):
    """A theme of either version and its column in each, None in one that does not have it."""

    id: str
    label: str
    columns: tuple[int | None, int | None]


class Side(NamedTuple):
    """A text as one version reads it, and what that decides on it."""

    tagger: Tagger
    reading: Reading
    probabilities: NDArray[np.float64]
    decided: Decided

    def decision(self, column: int) -> tuple[Decision, Reason]:
        """Return what is decided on a theme, and why."""
        return self.decided.themes.get(column, NOT_GIVEN)

    def passes(self, column: int) -> bool:
        """Tell whether a theme's probability reaches its threshold."""
        return bool(self.probabilities[column] >= self.tagger.rule.thresholds[column])

    def state(self, column: int) -> dict[str, Any]:
        """Return what is said of a theme, as JSON-able values."""
        decision, reason = self.decision(column)
        return {
            "probability": float(self.probabilities[column]),
            "threshold": float(self.tagger.rule.thresholds[column]),
            "auto_threshold": self.tagger.themes[column]["auto_threshold"],
            "decision": decision,
            "reason": reason,
        }


class Pair:
    """The version before and the one after; their themes are those of the one after, then those the other has alone."""

    def __init__(self, before: Version, after: Version) -> None:
        self.versions = before, after
        self.taggers = Tagger.load(before), Tagger.load(after)
        columns = [{card["id"]: column for column, card in enumerate(of.themes)} for of in self.taggers]
        labels = {card["id"]: card["label"] for of in self.taggers for card in of.themes}
        ids = {**columns[1], **columns[0]}
        self.themes = [Theme(theme, labels[theme], (columns[0].get(theme), columns[1].get(theme))) for theme in ids]
        self.numbers = [_numbers(theme.columns[side] for theme in self.themes) for side in (0, 1)]

    @property
    def cuts_alike(self) -> bool:
        """Whether both have learned the same boilerplate."""
        before, after = (version.manifest["files"][BOILERPLATE] for version in self.versions)
        return bool(before == after)

    @cached_property
    def margins(self) -> Margins:
        """What moved the margins."""
        return Margins(self.taggers)

    def read(self, side: int, texts: Sequence[str | None]) -> Iterator[Side | None]:
        """Yield what one of the versions makes of texts; nothing of what it does not have."""
        tagger = self.taggers[side]
        readings = iter(tagger.scorer.read_many([text for text in texts if text is not None]))
        for text in texts:
            yield None if text is None else _side(tagger, text, next(readings))


def _numbers(columns: Iterator[int | None]) -> Mapping[int, int]:
    """Return the number of each column's theme."""
    return {column: number for number, column in enumerate(columns) if column is not None}


def _side(tagger: Tagger, text: str, reading: Reading) -> Side:
    probabilities = tagger.rule.probabilities(tagger.scorer.sum(reading))
    return Side(tagger, reading, probabilities, tagger.decide(text, reading, probabilities))
