"""Two samples of texts compared: what has changed by more than chance, and by enough to matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, fisher_exact, norm

from tagger.drift.samples import Int64, Sample
from tagger.intervals import holm, wilson

SURE = 0.05
"""How often anything at all may be told to have moved where nothing has."""

LEAST_ODDS_RATIO = 1.25
"""Rates whose odds changed by less are as good as the same, however many texts prove that they are not."""

SOME_SHIFT, MUCH_SHIFT = 0.1, 0.25
"""How a population stability index is usually read: below the one as little, from the other on as much."""

LEAST_EXPECTED = 10
"""Texts to be expected by chance in each bin of either sample, for the chi-square test to hold."""

RARE, DOUBLED, POWER = 0.05, 0.1, 0.8
"""Texts are enough where a theme that goes from the one rate to the other is found so often."""

MOST_TEXTS = 1_000_000

Kind = Literal["theme", "share"]


class Rate(NamedTuple):
    """A share and its 95% interval, None where the parts are not independent and there is no telling."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """How a theme, or another share, is now and was then.

    `shift` is how far the histogram moved, upwards or not. The chances `rate_p` and `shift_p`, of so much where
    nothing has changed, are those of all comparisons together.
    """

    name: str
    kind: Kind
    now: Rate
    then: Rate
    rate_p: float | None = None
    shift: float | None = None
    shift_p: float | None = None
    upwards: bool = False

    @property
    def ps(self) -> list[float]:
        """The chances there are."""
        return [p for p in (self.rate_p, self.shift_p) if p is not None]

    @property
    def rate_moved(self) -> bool:
        """Whether the rate changed surely, and by enough."""
        return self.rate_p is not None and self.rate_p < SURE and self._odds_ratio >= LEAST_ODDS_RATIO

    @property
    def shift_moved(self) -> bool:
        """Whether the histogram moved surely, and by enough."""
        return self.shift_p is not None and self.shift_p < SURE and (self.shift or 0.0) >= SOME_SHIFT

    @property
    def moved(self) -> bool:
        """Whether there is any change worth telling."""
        return self.rate_moved or self.shift_moved

    @property
    def _odds_ratio(self) -> float:
        now, then = (min(max(rate.value, 1e-6), 1 - 1e-6) for rate in (self.now, self.then))
        ratio = now / (1 - now) * (1 - then) / then
        return max(ratio, 1 / ratio)


def compare(now: Sample, then: Sample, clumping: float) -> list[Change]:
    """Return how two samples differ; where nothing has changed, any change is told in at most one of twenty times.

    So many texts as `clumping` says count as one.
    """
    changes = list(_changes(now, then, clumping))
    together = iter(holm([p for change in changes for p in change.ps]))
    return [
        replace(
            change,
            rate_p=None if change.rate_p is None else next(together),
            shift_p=None if change.shift_p is None else next(together),
        )
        for change in changes
    ]


def clumping_of(samples: Sequence[Sample]) -> float:
    """Return how much more the days of each sample differ than chance would have it (Pearson's X² / df), at least 1.

    What happens is told in several texts of a day, so that these are not as many independent ones.
    """
    statistic, freedom = 0.0, 0
    for sample in samples:
        if len(sample.days) < 2:
            continue
        sizes = np.array([size for size, _ in sample.days], dtype=np.float64)[:, None]
        given = np.array([given for _, given in sample.days], dtype=np.float64)
        rate = given.sum(axis=0) / sizes.sum()
        mixed = (rate > 0) & (rate < 1)
        expected = sizes * rate[mixed]
        statistic += float(((given[:, mixed] - expected) ** 2 / (expected * (1 - rate[mixed]))).sum())
        freedom += int(mixed.sum()) * (len(sizes) - 1)
    return max(1.0, statistic / freedom) if freedom else 1.0


def shift_of(now: Int64, then: Int64, clumping: float = 1.0) -> tuple[float, float]:
    """Return how far two histograms are apart, (bins,) each, and the chance of so much where they are of one kind.

    The distance is the population stability index less what chance alone makes of it; the test is that of chi-square,
    with neighbouring bins put together until they hold enough.

    >>> shift_of(np.array([80, 20]), np.array([800, 200]))
    (0.0, 1.0)
    """
    counts = _put_together(np.stack([now, then]))
    totals, freedom = counts.sum(axis=1, keepdims=True), counts.shape[1] - 1
    if not freedom:
        return 0.0, 1.0
    expected = totals * counts.sum(axis=0) / counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum() / clumping
    shares = (counts + 0.5) / (totals + 0.5 * counts.shape[1])
    index = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum()
    by_chance = freedom * clumping * (1 / totals).sum()
    return round(float(max(0.0, index - by_chance)), 6), float(chi2.sf(statistic, freedom))


def texts_needed(reference_texts: int, tests: int, clumping: float = 1.0) -> int | None:
    """Return from how many texts on a rare theme that doubles is found four times in five; None where never.

    >>> texts_needed(2040, 55), texts_needed(100_000, 55), texts_needed(150, 55)
    (536, 383, None)
    """
    sure, often, reference = norm.isf(SURE / tests / 2), norm.ppf(POWER), reference_texts / clumping

    def found(texts: float) -> bool:
        pooled = (RARE * reference + DOUBLED * texts) / (reference + texts)
        by_chance = np.sqrt(pooled * (1 - pooled) * (1 / reference + 1 / texts))
        spread = np.sqrt(RARE * (1 - RARE) / reference + DOUBLED * (1 - DOUBLED) / texts)
        return bool(sure * by_chance + often * spread <= DOUBLED - RARE)

    low, high = 0, MOST_TEXTS
    if not found(high / clumping):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle / clumping) else (middle, high)
    return high


def _changes(now: Sample, then: Sample, clumping: float) -> Iterator[Change]:
    here = {theme: column for column, theme in enumerate(now.themes)}
    for there, theme in enumerate(then.themes):
        rate = _rate_change(theme, "theme", now, then, (now.given[here[theme]], then.given[there]), clumping)
        yield _shifted(rate, now.scores[here[theme]], then.scores[there], clumping)
    for share in now.shares:
        if share in then.shares:
            yield _rate_change(share, "share", now, then, (now.shares[share], then.shares[share]), clumping)
    if now.unseen is not None and then.unseen is not None:
        # Words of one text are not independent; so texts are compared, by how many of their words are unknown.
        unknown = Change("unknown_words", "share", Rate(now.unknown, None, None), Rate(then.unknown, None, None))
        yield _shifted(unknown, now.unseen, then.unseen, clumping)


def _rate_change(name: str, kind: Kind, now: Sample, then: Sample, hits: tuple[int, int], clumping: float) -> Change:
    counts = np.array([hits, (now.texts, then.texts)]) / clumping
    lows, highs = wilson(*counts)
    rates = [
        Rate(float(value), float(low), float(high))
        for value, low, high in zip(counts[0] / counts[1], lows, highs, strict=True)
    ]
    successes, texts = np.rint(counts).astype(int)
    p = float(fisher_exact([successes, texts - successes]).pvalue)
    return Change(name, kind, rates[0], rates[1], rate_p=p)


def _shifted(change: Change, now: Int64, then: Int64, clumping: float) -> Change:
    shift, p = shift_of(now, then, clumping)
    return replace(change, shift=shift, shift_p=p, upwards=_mean_bin(now) > _mean_bin(then))


def _put_together(counts: Int64) -> Int64:
    """Return two histograms, (2, bins), with neighbouring bins put together until enough is expected in each."""
    expected = counts.sum(axis=0) * (counts.sum(axis=1).min() / max(1, counts.sum()))
    starts, held = [0], 0.0
    for place, more in enumerate(expected.tolist()):
        if held >= LEAST_EXPECTED:
            starts.append(place)
            held = 0.0
        held += more
    if held < LEAST_EXPECTED and len(starts) > 1:
        starts.pop()
    return np.asarray(np.add.reduceat(counts, starts, axis=1))


def _mean_bin(histogram: NDArray[np.int64]) -> float:
    return float(histogram @ np.arange(len(histogram))) / max(1, int(histogram.sum()))
