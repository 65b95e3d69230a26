"""Flips: tags that one version gives and another does not, or not without a look; each with consequence and cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from tagger.decisions import Decision
from tagger.differences.margins import Goal, TextMargins
from tagger.differences.pairs import Pair, Side
from tagger.differences.texts import Text

Change = Literal["gained", "lost", "to_auto", "to_review"]

CHANGES: Mapping[tuple[Decision, Decision], Change] = {
    ("none", "auto"): "gained",
    ("none", "review"): "gained",
    ("auto", "none"): "lost",
    ("review", "none"): "lost",
    ("review", "auto"): "to_auto",
    ("auto", "review"): "to_review",
}

LEVELS: Mapping[frozenset[Decision], int] = {
    frozenset(("none", "auto")): 3,
    frozenset(("review", "auto")): 2,
    frozenset(("none", "review")): 1,
}
"""What weighs most in a flip: a tag that nobody looks at comes or goes; a look becomes needed or not; a tag to be
looked at comes or goes."""

MILLIONTHS = 1_000_000
"""Consequences are counted in these, as probabilities have six digits: whole numbers sum up alike in any order."""

Cause = Literal[
    "margin", "never_auto", "nearest", "conflict", "too_short", "out_of_domain", "language", "no_known_word",
    "theme_added", "theme_removed", "cut_otherwise",
]  # fmt: skip
"""What changed a decision.

`margin`: the probability is on the other side of a threshold. `never_auto`: one version gives the theme to nobody
without a look. `nearest`: no theme reaches its threshold, and this one is, or was, the nearest. A conflict or a caution
that one version sees; no word that one version knows; a theme, or a release, that only one version has.
"""

_CAUSES: Mapping[str, Cause] = {
    "conflict": "conflict",
    "too_short": "too_short",
    "out_of_domain": "out_of_domain",
    "language": "language",
}
"""The reasons for a look that are causes."""


class Flip(NamedTuple):
    """A theme, by its number, that is decided on otherwise; the consequence is the level plus how far the probability
    moved, in millionths.
    """

    theme: int
    change: Change
    cause: Cause
    consequence: int


class Compared:
    """A text, and what two versions make of it."""

    def __init__(self, pair: Pair, text: Text, sides: Sequence[Side | None]) -> None:
        self._pair = pair
        self.text = text
        self._sides = sides

    def given(self, side: int) -> dict[int, Decision]:
        """Return the decision on each theme, by number, that one of the versions gives."""
        found = self._sides[side]
        if found is None:
            return {}
        numbers = self._pair.numbers[side]
        return {
            numbers[column]: decision for column, (decision, _) in found.decided.themes.items() if decision != "none"
        }

    def flips(self, before: Mapping[int, Decision], after: Mapping[int, Decision]) -> Iterator[Flip]:
        """Yield what differs between what is given before and after."""
        for theme in sorted(before.keys() | after.keys()):
            decisions = before.get(theme, "none"), after.get(theme, "none")
            if decisions[0] != decisions[1]:
                moved = abs(self._probability(1, theme) - self._probability(0, theme))
                level = LEVELS[frozenset(decisions)]
                consequence = MILLIONTHS * level + round(MILLIONTHS * moved)
                yield Flip(theme, CHANGES[decisions], self._cause(theme), consequence)

    def record(self, flip: Flip) -> dict[str, Any]:
        """Return what is said of a flip, as JSON-able values."""
        theme, text = self._pair.themes[flip.theme], self.text
        record = {
            "kind": "flip",
            "theme": theme.id,
            "label": theme.label,
            "change": flip.change,
            "cause": flip.cause,
            "consequence": flip.consequence / MILLIONTHS,
            "position": text.position,
            "id": text.id,
            "title": text.title,
        }
        if text.span:
            record |= {"start": text.span[0], "end": text.span[1], "same_text": text.reads[0] == text.reads[1]}
        for side, name in enumerate(("before", "after")):
            found, column = self._sides[side], theme.columns[side]
            record[name] = found.state(column) if found and column is not None else None
        both = self._both(flip.theme)
        record["margin"] = self._margins.change(both[1], _goal(flip, both)).as_record() if both else None
        return record

    def _probability(self, side: int, theme: int) -> float:
        found, column = self._sides[side], self._pair.themes[theme].columns[side]
        return float(found.probabilities[column]) if found and column is not None else 0.0

    def _both(self, theme: int) -> _Both | None:
        """Return both sides with the theme's columns, where both have the text and the theme."""
        before, after = self._sides
        columns = self._pair.themes[theme].columns
        if before is None or after is None or columns[0] is None or columns[1] is None:
            return None
        return (before, after), (columns[0], columns[1])

    def _cause(self, theme: int) -> Cause:
        before, after = self._pair.themes[theme].columns
        if (both := self._both(theme)) is not None:
            return _cause(both)
        return "theme_added" if before is None else "theme_removed" if after is None else "cut_otherwise"

    @cached_property
    def _margins(self) -> TextMargins:
        before, after = self._sides
        assert before
        assert after
        return self._pair.margins.of_text((before.reading, after.reading))


_Both = tuple[tuple[Side, Side], tuple[int, int]]


def _cause(both: _Both) -> Cause:
    pairs = list(zip(*both, strict=True))
    decided = [side.decision(column) for side, column in pairs]
    passes = [side.passes(column) for side, column in pairs]
    reasons = [reason for _, reason in decided]
    if passes[0] != passes[1]:
        return "margin"
    if any(decision == "none" and reason != "below_threshold" for decision, reason in decided):
        return "no_known_word"
    if not passes[0]:
        return "nearest"
    of_look = next((_CAUSES[reason] for reason in reasons if reason in _CAUSES), None)
    never = any(side.tagger.themes[column]["auto_threshold"] is None for side, column in pairs)
    return of_look or ("never_auto" if never else "margin")


def _goal(flip: Flip, both: _Both) -> Goal:
    """Return the threshold that a flip is about."""
    return "auto_threshold" if flip.cause == "margin" and all(map(Side.passes, *both)) else "threshold"
