"""Confidence intervals of shares, and what several tests say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

TWO_SIDED_95 = 1.96


def wilson(
    successes: ArrayLike, n: ArrayLike, z: float = TWO_SIDED_95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and the upper end of the score interval of each share `successes / n` (Wilson 1927).

    Where n is 0 nothing is known, and the interval is 0 to 1.

    >>> low, high = wilson([9, 0], [10, 0])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.596, 0.0], [0.982, 1.0])
    """
    count = np.asarray(n, dtype=np.float64)
    tried = np.maximum(count, 1.0)
    share = np.asarray(successes, dtype=np.float64) / tried
    scale = 1 + z**2 / tried
    middle = (share + z**2 / (2 * tried)) / scale
    half = z / scale * np.sqrt(share * (1 - share) / tried + z**2 / (4 * tried**2))
    known = count > 0
    # At shares of 0 and 1 the ends are these themselves; sums of roundings may miss them by a hair.
    low = np.where(known & (share > 0), np.maximum(middle - half, 0.0), 0.0)
    high = np.where(known & (share < 1), np.minimum(middle + half, 1.0), 1.0)
    return low, high


def holm(ps: Sequence[float]) -> list[float]:
    """Return for the chances of several tests those of all of them together (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    together, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        together[place] = least
    return together
