"""The one rule from scores to decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Decision = Literal["auto", "review"]

DIGITS = 6
"""Probabilities are rounded to this many digits before anything is decided, so that the last bits decide nothing."""

NOTHING, REVIEW, AUTO = 0, 1, 2
_NAMES: dict[int, Decision] = {REVIEW: "review", AUTO: "auto"}


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """What turns the scores of T themes into decisions.

    A theme's probability is 1 / (1 + exp(-(slope * score + intercept))); it is given (`auto`) from its
    threshold on. Where no theme is, the one nearest to its threshold is given for `review`, if its probability
    is at least `nearness` times the threshold.
    """

    slope: NDArray[np.float64]  # (T,)
    intercept: NDArray[np.float64]  # (T,)
    thresholds: NDArray[np.float64]  # (T,), probabilities
    nearness: float

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each score, (..., T)."""
        return np.round(0.5 * (1 + np.tanh(0.5 * (self.slope * scores + self.intercept))), DIGITS)

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return NOTHING, REVIEW or AUTO for each probability, (n_texts, T)."""
        decisions = np.where(probabilities >= self.thresholds, AUTO, NOTHING).astype(np.int8)
        share = probabilities / self.thresholds
        best = share.argmax(axis=1)
        rows = np.flatnonzero(~decisions.any(axis=1) & (share.max(axis=1) >= self.nearness))
        decisions[rows, best[rows]] = REVIEW
        return decisions


def decision_name(code: int) -> Decision:
    """Return the name of REVIEW or AUTO."""
    return _NAMES[code]
