"""Whether probabilities mean what they say: of the tags said to be right seven times in ten, how many are?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tagger.intervals import wilson

BINS = 15
"""Bins of equal width, as Naeini et al. (2015) and most who followed them use."""

LIKELY = 0.05
"""The probability from which on a pair of text and theme matters: the mass of those near zero flatters any model."""


def calibration(probabilities: ArrayLike, truth: ArrayLike, counted: ArrayLike | None = None) -> dict[str, Any]:
    """Return how well probabilities agree with what is true: over all pairs, and over the `likely` ones alone.

    The arrays are of one shape, (n_texts, n_themes) say; pairs where `counted` is false are left out. Each
    part has the number of pairs, the Brier score (mean squared difference), the expected calibration error (mean
    over bins of |mean probability - share true|, by the pairs in each) and the curve: the bins that have any pair,
    with the Wilson interval of the share that is true.
    """
    kept = np.asarray(probabilities, dtype=np.float64), np.asarray(truth, dtype=bool)
    if counted is not None:
        chosen = np.asarray(counted, dtype=bool)
        kept = kept[0][chosen], kept[1][chosen]
    said, true = kept[0].ravel(), kept[1].ravel()
    likely = said >= LIKELY
    return {
        "bins": BINS,
        "likely_from": LIKELY,
        "all": _agreement(said, true),
        "likely": _agreement(said[likely], true[likely]),
    }


def _agreement(said: NDArray[np.float64], true: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the measures over pairs; over none there is nothing to measure."""
    if not len(said):
        return {"pairs": 0, "brier": None, "expected_calibration_error": None, "curve": []}
    counts, _ = np.histogram(said, BINS, (0, 1))
    trues, _ = np.histogram(said[true], BINS, (0, 1))
    sums, _ = np.histogram(said, BINS, (0, 1), weights=said)
    return {
        "pairs": len(said),
        "brier": _digits(np.mean((said - true) ** 2)),
        "expected_calibration_error": _digits(np.abs(sums - trues).sum() / len(said)),
        "curve": _curve(counts, trues, sums),
    }


def _curve(counts: NDArray[Any], trues: NDArray[Any], sums: NDArray[Any]) -> list[dict[str, Any]]:
    low, high = wilson(trues, counts)
    return [
        {
            "from": _digits(number / BINS),
            "to": _digits((number + 1) / BINS),
            "pairs": int(counts[number]),
            "mean_probability": _digits(sums[number] / counts[number]),
            "share_true": _digits(trues[number] / counts[number]),
            "low": _digits(low[number]),
            "high": _digits(high[number]),
        }
        for number in np.flatnonzero(counts)
    ]


def _digits(value: Any) -> float:
    return round(float(value), 6)
