"""The one rule from scores to decisions, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Decision = Literal["none", "review", "auto"]
Caution = Literal["too_short", "out_of_domain", "language"]
"""Why a document as a whole is none that the rule was set on: no theme of it is given without a look."""

Reason = Literal[
    "below_threshold", "best_below_threshold", "near_threshold", "above_threshold", "conflict",
    "too_short", "out_of_domain", "language",
]  # fmt: skip

DIGITS = 6
"""Probabilities are rounded to this many digits before anything is decided, so that the last bits decide nothing."""

NOT_GIVEN: tuple[Decision, Reason] = ("none", "below_threshold")

NOTHING, REVIEW, AUTO = range(3)
DECISIONS: tuple[Decision, ...] = get_args(Decision)

Probabilities = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """What turns the scores of T themes into decisions.

    A theme's probability is 1 / (1 + exp(-(slope * score + intercept))). From its threshold on it is given, and from
    `auto_thresholds` on (infinite where its promise cannot be kept) without a look; between the two for `review`.
    Where no theme is given, the one nearest to its threshold is, for `review`, if its probability is at least
    `nearness` times the threshold. A theme that its card speaks for and the words learned from its seeds against is
    in conflict: given for `review` at most.
    """

    slope: NDArray[np.float64]  # (T,)
    intercept: NDArray[np.float64]  # (T,)
    thresholds: Probabilities  # (T,)
    auto_thresholds: Probabilities  # (T,)
    nearness: float

    def probabilities(self, scores: NDArray[np.float64]) -> Probabilities:
        """Return the probability of each score, (..., T)."""
        return (0.5 * (1 + np.tanh(0.5 * (self.slope * scores + self.intercept)))).round(DIGITS)

    def score_thresholds(self) -> NDArray[np.float64]:
        """Return the score from which each theme's probability is its threshold, (T,)."""
        least = self.thresholds - 0.5 * 10**-DIGITS  # what is rounded to the threshold; of 1, too, the score is finite
        return np.asarray((np.log(least / (1 - least)) - self.intercept) / self.slope)

    def settle(
        self, probabilities: Probabilities, opposed: Callable[[int], bool], caution: Caution | None = None
    ) -> dict[int, tuple[Decision, Reason]]:
        """Return what is decided on one text, (T,), and why: of the themes that are given, by column.

        `opposed` tells where the learned words speak against a theme; `caution` is about the text.
        """
        given: dict[int, tuple[Decision, Reason]] = {}
        for theme in (probabilities >= self.thresholds).nonzero()[0].tolist():
            if caution:
                given[theme] = "review", caution
            elif opposed(theme):
                given[theme] = "review", "conflict"
            elif probabilities[theme] >= self.auto_thresholds[theme]:
                given[theme] = "auto", "above_threshold"
            else:
                given[theme] = "review", "near_threshold"
        if not given and not caution:
            share = probabilities / self.thresholds
            best = int(share.argmax())
            if share[best] >= self.nearness:
                given[best] = "review", "best_below_threshold"
        return given

    def decide(self, probabilities: Probabilities, opposed: Mask) -> Codes:
        """Return what `settle` decides on each of many texts, as places in DECISIONS; all are (n_texts, T)."""
        passing = probabilities >= self.thresholds
        auto = passing & (probabilities >= self.auto_thresholds) & ~opposed
        decisions = np.where(auto, AUTO, np.where(passing, REVIEW, NOTHING)).astype(np.int8)
        share = probabilities / self.thresholds
        best = share.argmax(axis=1)
        rows = np.flatnonzero(~passing.any(axis=1) & (share.max(axis=1) >= self.nearness))
        decisions[rows, best[rows]] = REVIEW
        return decisions
