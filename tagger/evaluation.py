"""How good decisions are against what people said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ThemeSets = NDArray[np.bool_]
Float64 = NDArray[np.float64]

DRAWS = 1000
"""How often the texts are drawn anew for an interval."""

_DRAWS_AT_ONCE = 50
_SEED = 0

AVERAGES = {
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "samples_f1": "samples F1",
    "precision": "precision",
    "recall": "recall",
    "precision_at_1": "P@1",
    "ndcg": "nDCG",
    "auto_share": "auto share",
    "auto_precision": "auto precision",
}
"""The averages that `measure` gives, in the order people want them, and what they call them."""

Figure = dict[str, float]
"""A `value` and the ends of its 95% interval, `low` and `high`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What n texts were given and what is true of them, (n_texts, n_themes) each.

    A pair that is not `counted` neither helps nor hurts: it is neither given nor true, and in no ranking.
    """

    probabilities: Float64
    given: ThemeSets
    auto: ThemeSets
    theme_sets: ThemeSets
    counted: ThemeSets

    def of(self, columns: NDArray[np.intp]) -> Judged:
        """Return the same for some of the themes."""
        return Judged(*(getattr(self, name)[:, columns] for name in Judged.__slots__))


def evaluate(given: ThemeSets, theme_sets: ThemeSets, themes: Sequence[str]) -> dict[str, Any]:
    """Return precision, recall and F1 of each theme, and micro, macro and samples F1; all between 0 and 1.

    Both arrays are (n_texts, n_themes). Macro F1 is the mean over the themes that are given or true anywhere;
    samples F1 is the mean over texts, 1 for a text that rightly has no theme.
    """
    hits = (given & theme_sets).sum(axis=0)
    per_theme = {
        theme: {
            "examples": int(true),
            "given": int(said),
            "precision": _ratio(hit, said),
            "recall": _ratio(hit, true),
            "f1": _ratio(2 * hit, said + true),
        }
        for theme, hit, said, true in zip(themes, hits, given.sum(axis=0), theme_sets.sum(axis=0), strict=True)
    }
    met = [row["f1"] for row in per_theme.values() if row["examples"] or row["given"]]
    return {
        "micro_f1": micro_f1(given, theme_sets),
        "macro_f1": _digits(np.mean(met)) if met else 0.0,
        "samples_f1": samples_f1(given, theme_sets),
        "precision": _ratio(hits.sum(), given.sum()),
        "recall": _ratio(hits.sum(), theme_sets.sum()),
        "themes": per_theme,
    }


def micro_f1(given: ThemeSets, theme_sets: ThemeSets) -> float:
    """Return the F1 over all pairs of a text and a theme."""
    return _ratio(2 * (given & theme_sets).sum(), given.sum() + theme_sets.sum())


def samples_f1(given: ThemeSets, theme_sets: ThemeSets) -> float:
    """Return the mean over texts of each text's F1."""
    return _digits(_f1_of_texts(given, theme_sets).mean())


def _f1_of_texts(given: ThemeSets, theme_sets: ThemeSets) -> Float64:
    sizes = given.sum(axis=1) + theme_sets.sum(axis=1)
    return np.where(sizes, 2 * (given & theme_sets).sum(axis=1) / np.maximum(sizes, 1), 1.0)


def _ratio(part: Any, whole: Any) -> float:
    return _digits(part / whole) if whole else 0.0


def _digits(value: Any) -> float:
    return round(float(value), 6)


def measure(
    judged: Judged,
    views: Mapping[str, NDArray[np.intp]],
    progress: Callable[[float], None] = lambda _done: None,
) -> tuple[dict[str, dict[str, Figure | None]], list[dict[str, Figure | None]]]:
    """Return the averages over the themes (columns) of each view, and the figures of each theme; None without ground.

    Intervals are those of the percentile bootstrap (Efron 1979): texts are drawn anew with replacement. The
    averages are micro, macro and samples F1, precision and recall as `evaluate` has them; of the texts that have
    a theme, the mean `precision_at_1` (is the most probable theme true?) and the mean `ndcg` of the whole ranking,
    sum of 1 / log2(1 + rank) over the true themes by the same sum were they ranked first (Järvelin and Kekäläinen
    2002); and of what was given, the share that is `auto` and how much of that is true.
    """
    n_texts, n_themes = judged.given.shape
    counts = np.concatenate(
        [judged.given & judged.theme_sets, judged.given, judged.theme_sets], axis=1, dtype=np.float32
    )
    fractions = {view: _fractions(judged.of(columns)) for view, columns in views.items()}
    sums = np.array([part for view in fractions.values() for fraction in view.values() for part in fraction]).T
    of_themes = np.empty((1 + DRAWS, counts.shape[1]), dtype=np.float32)
    of_texts = np.empty((1 + DRAWS, sums.shape[1]))
    done = 0
    for weights in _drawn(n_texts):
        rows = slice(done, done + len(weights))
        of_themes[rows], of_texts[rows] = weights @ counts, weights @ sums
        done += len(weights)
        progress(done / (1 + DRAWS))
    hits, given, true = np.split(of_themes.astype(np.float64), 3, axis=1)
    f1 = _ratios(2 * hits, given + true)
    per_theme = {"precision": _ratios(hits, given), "recall": _ratios(hits, true), "f1": f1}
    parts = iter(of_texts.T)
    averages = {}
    for view, columns in views.items():
        found = {name: _ratios(next(parts), next(parts)) for name in fractions[view]}
        found["macro_f1"] = _known_mean(f1[:, columns])
        averages[view] = {name: _figure(found[name]) for name in AVERAGES}
    return averages, [
        {name: _figure(columns[:, theme]) for name, columns in per_theme.items()} for theme in range(n_themes)
    ]


def confusions(judged: Judged) -> NDArray[np.int64]:
    """Return in how many texts a theme was missed (row) while another was given wrongly (column)."""
    missed = judged.theme_sets & ~judged.given
    wrong = judged.given & ~judged.theme_sets
    return (missed.T.astype(np.float32) @ wrong.astype(np.float32)).astype(np.int64)


def _fractions(judged: Judged) -> dict[str, tuple[Float64, Float64]]:
    """Return what the averages are made of: of each text, what the sum above the line has and the one below it."""
    hits = (judged.given & judged.theme_sets).sum(axis=1)
    given, true = judged.given.sum(axis=1), judged.theme_sets.sum(axis=1)
    auto, right = judged.auto.sum(axis=1), (judged.auto & judged.theme_sets).sum(axis=1)
    first, ndcg = _rankings(judged)
    whole = {
        "micro_f1": (2 * hits, given + true),
        "samples_f1": (_f1_of_texts(judged.given, judged.theme_sets), np.ones(len(hits))),
        "precision": (hits, given),
        "recall": (hits, true),
        "precision_at_1": (first, true > 0),
        "ndcg": (ndcg, true > 0),
        "auto_share": (auto, given),
        "auto_precision": (right, auto),
    }
    return {name: (above.astype(np.float64), below.astype(np.float64)) for name, (above, below) in whole.items()}


def _rankings(judged: Judged) -> tuple[NDArray[np.bool_], Float64]:
    """Return of each text whether its most probable theme is true, and its nDCG; 0 for a text without a theme."""
    order = np.argsort(np.where(judged.counted, -judged.probabilities, np.inf), axis=1, kind="stable")
    gains = np.take_along_axis(judged.theme_sets, order, axis=1)
    discounts = 1 / np.log2(np.arange(2, gains.shape[1] + 2))
    best = np.concatenate([[np.inf], np.cumsum(discounts)])[gains.sum(axis=1)]
    first: NDArray[np.bool_] = gains[:, :1].sum(axis=1) > 0
    ndcg: Float64 = gains @ discounts / best
    return first, ndcg


def _drawn(n_texts: int) -> Iterator[NDArray[np.float32]]:
    """Yield how often each text counts: once, as they are; then as often as it was drawn, some draws at a time."""
    yield np.ones((1, n_texts), dtype=np.float32)
    random = np.random.default_rng(_SEED)
    for _ in range(DRAWS // _DRAWS_AT_ONCE):
        texts = random.integers(n_texts, size=(_DRAWS_AT_ONCE, n_texts))
        cells = texts + n_texts * np.arange(_DRAWS_AT_ONCE)[:, None]
        counts = np.bincount(cells.ravel(), minlength=cells.size)
        yield counts.reshape(cells.shape).astype(np.float32)


def _ratios(above: Float64, below: Float64) -> Float64:
    """Return the ratios, not a number where there is nothing below the line."""
    ratios = np.full(below.shape, np.nan)
    np.divide(above, below, out=ratios, where=below > 0)
    return ratios


def _known_mean(rows: Float64) -> Float64:
    known = ~np.isnan(rows)
    return _ratios(np.where(known, rows, 0.0).sum(axis=1), known.sum(axis=1))


def _figure(values: Float64) -> Figure | None:
    """Return the first value with the interval that the others, of the draws, span around it.

    Draws of rare themes miss them now and then, so that their F1 lies beside the value by and large; the interval is
    moved by as much.
    """
    if np.isnan(values[0]):
        return None
    low, middle, high = np.percentile(values[1:][~np.isnan(values[1:])], [2.5, 50, 97.5])
    shift = values[0] - middle
    ends = np.clip([low + shift, high + shift], 0, 1)
    return {"value": _digits(values[0]), "low": _digits(ends[0]), "high": _digits(ends[1])}
