"""From out-of-fold scores: the score from which a theme is given, and the probability a score means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_F1 = 0.3
"""A theme whose best F1 stays below this is given only above the highest score seen (SCutFBR.1)."""

LEAST_EXAMPLES = 3
"""A theme with fewer examples has no threshold of its own."""

FAR = 4
"""The best threshold is looked for first among this many times as many scores as there are examples."""

PRIOR_EXAMPLES = 3
"""A theme's own threshold weighs its examples against this many of the global threshold."""

RIDGE = 0.1
"""How strongly a theme's probability curve is held to the pooled one, in log-likelihood per squared unit."""

LEAST_SLOPE = 0.05
"""A curve must rise with the score, or the decision would turn around."""

MOST_STEPS, LEAST_GAIN = 100, 1e-10
"""When fitting a curve ends: after so many steps, or when one gains so little log-likelihood."""

Scores = NDArray[np.float64]
ThemeSets = NDArray[np.bool_]


def best_f1_threshold(scores: Scores, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the threshold with the best F1 and that F1, for one theme: (n_texts,) scores and truths.

    The threshold lies midway between two neighbouring scores.
    """
    examples = max(1, int(positive.sum()))
    far = FAR * examples
    if far < len(scores):
        floor = np.partition(scores, -far)[-far]
        top = scores > floor
        if top.any():
            best, f1 = _best_f1_threshold(scores[top], positive[top], examples, floor)
            # So far down at the best all examples are among those that are given.
            if f1 >= 2 * examples / (int(top.sum()) + 1 + examples):
                return best, f1
    return _best_f1_threshold(scores, positive, examples, scores.min() - 1.0)


def _best_f1_threshold(scores: Scores, positive: NDArray[np.bool_], examples: int, floor: float) -> tuple[float, float]:
    """Return the best of the thresholds between these scores or above `floor`, the next score, and its F1."""
    order = np.argsort(-scores)  # ties in any order: only the last of them counts
    ranked = np.append(scores[order], floor)
    f1 = 2 * np.cumsum(positive[order]) / (np.arange(1, len(scores) + 1) + examples)
    best = int(np.argmax(np.where(ranked[1:] < ranked[:-1], f1, -1)))
    return float((ranked[best] + ranked[best + 1]) / 2), float(f1[best])


def theme_thresholds(scores: Scores, theme_sets: ThemeSets) -> Scores:
    """Return each theme's threshold, (n_themes,), from (n_texts, n_themes) out-of-fold scores and truths.

    The best-F1 threshold of the theme; the highest score seen where that F1 is below .3 (Yang 2001, SCutFBR.1);
    then shrunk to the global best-F1 threshold with weight n / (n + 3), n being the theme's examples. A theme with
    fewer than three has the global one: where one of two is held out, a single example speaks for it.
    """
    scores, theme_sets = np.asfortranarray(scores), np.asfortranarray(theme_sets)  # read theme by theme
    everywhere, _ = best_f1_threshold(scores.ravel("F"), theme_sets.ravel("F"))
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
    """Return slope and intercept of the least log loss and ridge, by Newton's method."""
    loss = _LogLoss(np.array([scores, np.ones_like(scores)]), positive, prior, ridge)
    curve = _newton(loss, prior, slice(0, 2))
    if curve[0] < LEAST_SLOPE:
        curve = _newton(loss, np.array([LEAST_SLOPE, curve[1]]), slice(1, 2))
    return curve


class _LogLoss(NamedTuple):
    """The log loss of a sigmoid with a ridge; `inputs`, (2, n_texts), are the scores and ones."""

    inputs: Scores
    positive: NDArray[np.bool_]
    prior: Scores
    ridge: float

    def at(self, curve: Scores) -> tuple[float, Scores]:
        """Return the loss of a curve, and its probabilities."""
        logits = curve @ self.inputs
        small = np.exp(-np.abs(logits))
        pull = curve - self.prior
        losses = np.log(1 + small) + np.maximum(np.where(self.positive, -logits, logits), 0)
        return float(losses.sum() + self.ridge * pull @ pull), np.where(logits > 0, 1.0, small) / (1 + small)

    def step(self, curve: Scores, probabilities: Scores, free: slice) -> tuple[Scores, float]:
        """Return Newton's step for the free part of a curve, and how much it promises to gain."""
        gradient = self.inputs @ (probabilities - self.positive) + 2 * self.ridge * (curve - self.prior)
        bent = (self.inputs * (probabilities * (1 - probabilities))) @ self.inputs.T + 2 * self.ridge * np.eye(2)
        step = np.zeros(2)
        step[free] = np.linalg.solve(bent[free, free], gradient[free])
        return step, float(step @ gradient)


def _newton(loss: _LogLoss, start: Scores, free: slice) -> Scores:
    curve, (value, probabilities) = start, loss.at(start)
    for _ in range(MOST_STEPS):
        step, gain = loss.step(curve, probabilities, free)
        further = loss.at(curve - step)
        while further[0] > value and gain > LEAST_GAIN:
            step, gain = step / 2, gain / 2
            further = loss.at(curve - step)
        curve, (value, probabilities) = curve - step, further
        if gain <= LEAST_GAIN:
            break
    return curve
