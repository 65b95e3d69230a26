"""One linear classifier per theme, over word features and the theme's own card score."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

POSITIVE_WEIGHT = 2.0
"""Positives are few: an error on one counts this many times an error on a negative."""

TOLERANCE = 1e-3
SEED = 20170705


class LinearThemes(NamedTuple):
    """What the classifiers learned: score = features @ coef + card_scores * card_coef + intercept.

    `coef` is (n_features, n_themes); `card_coef` and `intercept` are (n_themes,). `learned` tells which
    themes had examples; the others live from their card alone.
    """

    coef: NDArray[np.float64]
    card_coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    learned: NDArray[np.bool_]

    def scores(self, features: sp.csr_matrix, card_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores, (n_texts, n_themes)."""
        return np.asarray(features @ self.coef + card_scores * self.card_coef + self.intercept)

    def card_only_scores(self, card_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores each theme would get if it had no examples, (n_texts, n_themes)."""
        card_coef, intercept = typical_card(self.card_coef[self.learned], self.intercept[self.learned])
        return np.asarray(card_scores * card_coef + intercept)


def fit_linear(
    features: sp.csr_matrix,
    card_scores: NDArray[np.float64],
    theme_sets: NDArray[np.bool_],
    *,
    card_strength: float,
    c: float,
) -> LinearThemes:
    """Fit a squared-hinge linear SVM per theme (Fan et al. 2008, LIBLINEAR) on features and the theme's card score.

    `features` is (n_texts, n_features), `card_scores` and `theme_sets` are (n_texts, n_themes), `c` is the
    cost of errors. The card score enters times `card_strength`: the stronger, the less it costs to rely on it.
    A theme in no text or in all cannot be learned; it gets no words, and the median card coefficient and
    intercept of the learned themes.
    """
    n_themes = theme_sets.shape[1]
    learned = np.logical_xor(theme_sets.any(axis=0), theme_sets.all(axis=0))
    coef = np.zeros((features.shape[1], n_themes))
    card_coef, intercept = np.zeros(n_themes), np.zeros(n_themes)
    for theme in np.flatnonzero(learned):
        own_card = sp.csr_matrix(card_strength * card_scores[:, [theme]])
        svm = LinearSVC(C=c, class_weight={True: POSITIVE_WEIGHT}, tol=TOLERANCE, max_iter=10_000, random_state=SEED)
        svm.fit(sp.hstack([features, own_card], format="csr"), theme_sets[:, theme])
        coef[:, theme], card_coef[theme] = svm.coef_[0, :-1], card_strength * svm.coef_[0, -1]
        intercept[theme] = svm.intercept_[0]
    if not learned.all():
        card_coef[~learned], intercept[~learned] = typical_card(card_coef[learned], intercept[learned])
    return LinearThemes(coef, card_coef, intercept, learned)


def typical_card(card_coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> tuple[float, float]:
    """Return the card coefficient and intercept of a theme without examples: the medians of the learned themes'."""
    usual = float(np.median(card_coef)) if len(card_coef) else 0.0
    # Where learning made nothing of the cards, a theme that has only its card still goes by it.
    return usual if usual > 0 else 1.0, float(np.median(intercept)) if len(intercept) else 0.0
