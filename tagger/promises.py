"""Promises of precision: the probability from which a theme is given without a look, and what keeping one takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.intervals import wilson

ONE_SIDED_95 = 1.645
MOST_NEEDED = 1_000_000
"""Where more checked examples than this would be needed, more of them are no remedy."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A promised precision, and the threshold from which it is kept: infinite where none does.

    `needed` says how many more checked examples of the theme's surest tags would keep it, were they right as often
    as those seen; None where it is kept, or where the surest tags are not right often enough.
    """

    precision: float
    threshold: float
    needed: int | None


def keep(precision: float, probabilities: NDArray[np.float64], truth: NDArray[np.bool_], floor: float) -> Promise:
    """Return the least threshold from `floor` on at which held-out tags of a theme keep a promise, (n_texts,) each.

    Kept means: the lower end of the one-sided 95% interval (Wilson 1927) of the share that is right is at
    least the promised precision.
    """
    order = np.argsort(-probabilities, kind="stable")
    order = order[probabilities[order] >= floor]
    ranked = probabilities[order]
    last_of_ties = np.append(ranked[1:] < ranked[:-1], True)[: len(ranked)]
    right = np.cumsum(truth[order])[last_of_ties]
    given = np.arange(1, len(order) + 1)[last_of_ties]
    low, _ = wilson(right, given, ONE_SIDED_95)
    kept = np.flatnonzero(low >= precision)
    if len(kept):
        # The last of them, if it is the last of all: nothing above the floor is left out.
        at_floor = kept[-1] == len(low) - 1
        return Promise(precision, floor if at_floor else float(ranked[last_of_ties][kept[-1]]), None)
    surest = int(low.argmax()) if len(low) else None
    return Promise(
        precision,
        np.inf,
        needed(precision, 0, 0) if surest is None else needed(precision, int(right[surest]), int(given[surest])),
    )


def needed(precision: float, right: int, given: int) -> int | None:
    """Return how many more tags, right as often as `right` of `given`, would keep a promise; None where none would.

    >>> needed(0.9, 0, 0), needed(0.9, 12, 12), needed(0.9, 19, 20), needed(0.9, 17, 20)
    (25, 13, 78, None)
    """
    share = right / given if given else 1.0
    if share <= precision:
        return None
    # The lower end of the interval rises with the number; solved for the number it is this.
    z, p = ONE_SIDED_95, precision
    enough = z**2 * p * (1 - p) / (share - p) ** 2
    total = int(np.ceil(round(enough, 9)))
    return max(1, total - given) if total <= MOST_NEEDED else None
