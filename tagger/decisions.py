"""The one rule from scores to decisions, each with its reason."""

from __future__ import annotations

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

NOTHING, REVIEW, AUTO = range(3)
DECISIONS: tuple[Decision, ...] = get_args(Decision)
REASONS: tuple[Reason, ...] = get_args(Reason)
_BELOW, _BEST, _NEAR, _ABOVE, _CONFLICT = range(5)

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
        return np.round(0.5 * (1 + np.tanh(0.5 * (self.slope * scores + self.intercept))), DIGITS)

    def score_thresholds(self) -> NDArray[np.float64]:
        """Return the score from which each theme's probability is its threshold, (T,)."""
        least = self.thresholds - 0.5 * 10**-DIGITS  # what is rounded to the threshold; of 1, too, the score is finite
        return np.asarray((np.log(least / (1 - least)) - self.intercept) / self.slope)

    def decide(
        self, probabilities: Probabilities, opposed: Mask | None = None, caution: Caution | None = None
    ) -> tuple[Codes, Codes]:
        """Return what is decided and why, as places in DECISIONS and REASONS, each (n_texts, T).

        `opposed` tells where the learned words speak against a theme; `caution` is about all of the texts.
        """
        passing = probabilities >= self.thresholds
        conflict = passing & opposed if opposed is not None else np.zeros_like(passing)
        auto = passing & (probabilities >= self.auto_thresholds) & ~conflict
        decisions = np.where(auto, AUTO, np.where(passing, REVIEW, NOTHING)).astype(np.int8)
        reasons = np.where(auto, _ABOVE, np.where(passing, _NEAR, _BELOW)).astype(np.int8)
        reasons[conflict] = _CONFLICT
        if caution:
            given = decisions != NOTHING
            decisions[given], reasons[given] = REVIEW, REASONS.index(caution)
            return decisions, reasons
        share = probabilities / self.thresholds
        best = share.argmax(axis=1)
        rows = np.flatnonzero(~decisions.any(axis=1) & (share.max(axis=1) >= self.nearness))
        decisions[rows, best[rows]], reasons[rows, best[rows]] = REVIEW, _BEST
        return decisions, reasons
