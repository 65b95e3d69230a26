"""From out-of-fold scores: the score from which a theme is given, and the probability a score means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

LEAST_F1 = 0.3
"""A theme whose best F1 stays below this is given only above the highest score seen (SCutFBR.1)."""

LEAST_EXAMPLES = 3
"""A theme with fewer examples has no threshold of its own."""

PRIOR_EXAMPLES = 3
"""A theme's own threshold weighs its examples against this many of the global threshold."""

RIDGE = 0.1
"""How strongly a theme's probability curve is held to the pooled one, in log-likelihood per squared unit."""

Scores = NDArray[np.float64]
ThemeSets = NDArray[np.bool_]


def best_f1_threshold(scores: Scores, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the threshold with the best F1 and that F1, for one theme: (n_texts,) scores and truths.

    The threshold lies midway between two neighbouring scores.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(positive[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + max(1, positive.sum()))
    last_of_ties = np.append(ranked[1:] < ranked[:-1], True)
    best = int(np.argmax(np.where(last_of_ties, f1, -1)))
    below = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1.0
    return float((ranked[best] + below) / 2), float(f1[best])


def theme_thresholds(scores: Scores, theme_sets: ThemeSets) -> Scores:
    """Return each theme's threshold, (n_themes,), from (n_texts, n_themes) out-of-fold scores and truths.

    The best-F1 threshold of the theme; the highest score seen where that F1 is below .3 (Yang 2001, SCutFBR.1);
    then shrunk to the global best-F1 threshold with weight n / (n + 3), n being the theme's examples. A theme with
    fewer than three has the global one: where one of two is held out, a single example speaks for it.
    """
    everywhere, _ = best_f1_threshold(scores.ravel(), theme_sets.ravel())
    thresholds = np.full(scores.shape[1], everywhere)
    examples = theme_sets.sum(axis=0)
    for theme in np.flatnonzero(examples >= LEAST_EXAMPLES):
        own, f1 = best_f1_threshold(scores[:, theme], theme_sets[:, theme])
        if f1 < LEAST_F1:
            own = scores[:, theme].max()
        n = examples[theme]
        thresholds[theme] = (n * own + PRIOR_EXAMPLES * everywhere) / (n + PRIOR_EXAMPLES)
    return thresholds


def global_thresholds(scores: Scores, theme_sets: ThemeSets) -> Scores:
    """Return the global best-F1 threshold for every theme, (n_themes,)."""
    return np.full(scores.shape[1], best_f1_threshold(scores.ravel(), theme_sets.ravel())[0])


Rule = Literal["per_theme", "global"]
RULES: dict[Rule, Callable[[Scores, ThemeSets], Scores]] = {"per_theme": theme_thresholds, "global": global_thresholds}
"""The ways to set thresholds, the usual one first."""


def card_only_threshold(scores: Scores, theme_sets: ThemeSets) -> float:
    """Return the threshold of a theme that has only its card: the median of the others' best on their cards alone.

    `scores` are what the cards alone give, (n_texts, n_themes), for themes that have examples.
    """
    return float(np.median([best_f1_threshold(s, y)[0] for s, y in zip(scores.T, theme_sets.T, strict=True)]))


def probability_curves(scores: Scores, theme_sets: ThemeSets) -> Scores:
    """Return slope and intercept of each theme's sigmoid, (2, n_themes): p = 1 / (1 + exp(-(slope * s + intercept))).

    Platt's sigmoid on out-of-fold scores, (n_texts, n_themes), each theme held to the pooled curve by a ridge.
    """
    pooled = pooled_curve(scores, theme_sets)
    curves = [_fit_sigmoid(s, y, pooled, RIDGE) for s, y in zip(scores.T, theme_sets.T, strict=True)]
    return np.array(curves).T


def pooled_curve(scores: Scores, theme_sets: ThemeSets) -> Scores:
    """Return slope and intercept, (2,), of the one sigmoid over all themes."""
    return _fit_sigmoid(scores.ravel(), theme_sets.ravel(), np.array([1.0, 0.0]), ridge=1e-6)


def _fit_sigmoid(scores: Scores, positive: NDArray[np.bool_], prior: Scores, ridge: float) -> Scores:
    sign = np.where(positive, 1.0, -1.0)

    def loss(curve: Scores) -> tuple[float, Scores]:
        margin = sign * (curve[0] * scores + curve[1])
        pull = curve - prior
        slope = -sign * _sigmoid(-margin)
        gradient = np.array([slope @ scores, slope.sum()]) + 2 * ridge * pull
        return float(np.logaddexp(0, -margin).sum() + ridge * pull @ pull), gradient

    # A curve must rise with the score, or the decision would turn around.
    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=[(0.05, None), (None, None)])
    return np.asarray(found.x)


def _sigmoid(x: Scores) -> Scores:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))
