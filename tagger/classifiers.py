"""One linear classifier per theme, over word features and the theme's own card score."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from tagger.engine import compiled_engine

POSITIVE_WEIGHT = 2.0
"""Positives are few: an error on one counts this many times an error on a negative."""

TOLERANCE, MOST_PASSES = 1e-3, 10_000
LANES = 16
"""Themes that the compiled engine fits side by side."""
THEMES_AT_A_TIME = 64
SEED = 20170705


class LinearThemes(NamedTuple):
    """What the classifiers learned: score = features @ coef + card_scores * card_coef + intercept.

    `coef` is (n_features, n_themes); `card_coef` and `intercept` are (n_themes,). `learned` tells which
    themes had examples; the others live from their card alone.
    """

    coef: NDArray[np.float32]
    card_coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    learned: NDArray[np.bool_]

    def scores(self, features: sp.csr_matrix, card_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores, (n_texts, n_themes)."""
        scores = card_scores * self.card_coef + self.intercept
        # Some themes at a time: the product takes a copy of the weights as wide as the features' numbers.
        for start in range(0, len(self.intercept), THEMES_AT_A_TIME):
            some = slice(start, start + THEMES_AT_A_TIME)
            scores[:, some] += features @ self.coef[:, some]
        return np.asarray(scores)

    def card_only_scores(self, card_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores each theme would get if it had no examples, (n_texts, n_themes)."""
        card_coef, intercept = typical_card(self.card_coef[self.learned], self.intercept[self.learned])
        return np.asarray(card_scores * card_coef + intercept)


class OneTheme(NamedTuple):
    """What was learned of one theme, given by its column."""

    theme: int
    coef: NDArray[np.floating]  # (n_features,)
    card_coef: float
    intercept: float


def fit_linear(
    features: sp.csr_matrix,
    card_scores: NDArray[np.float64],
    theme_sets: NDArray[np.bool_],
    *,
    card_strength: float,
    c: float,
) -> LinearThemes:
    """Fit a classifier per theme, see `fit_themes`.

    A theme in no text or in all cannot be learned; it gets no words, and the median card coefficient and
    intercept of the learned themes.
    """
    n_themes = theme_sets.shape[1]
    learned = np.zeros(n_themes, dtype=bool)
    # 32 bits hold what the scorer keeps; for a thousand themes every bit more is a gigabyte.
    coef = np.zeros((features.shape[1], n_themes), dtype=np.float32)
    card_coef, intercept = np.zeros(n_themes), np.zeros(n_themes)
    for fitted in fit_themes(features, card_scores, theme_sets, card_strength=card_strength, c=c):
        learned[fitted.theme] = True
        coef[:, fitted.theme] = fitted.coef
        card_coef[fitted.theme], intercept[fitted.theme] = fitted.card_coef, fitted.intercept
    if not learned.all():
        card_coef[~learned], intercept[~learned] = typical_card(card_coef[learned], intercept[learned])
    return LinearThemes(coef, card_coef, intercept, learned)


def fit_themes(
    features: sp.csr_matrix,
    card_scores: NDArray[np.float64],
    theme_sets: NDArray[np.bool_],
    *,
    card_strength: float,
    c: float,
) -> Iterator[OneTheme]:
    """Yield a squared-hinge linear SVM (Fan et al. 2008, LIBLINEAR) for each theme that some but not all texts have.

    `features` is (n_texts, n_features), `card_scores` and `theme_sets` are (n_texts, n_themes), `c` is the
    cost of errors. A theme's card score enters times `card_strength`: the stronger, the less it costs to rely on it.
    """
    themes = np.flatnonzero(np.logical_xor(theme_sets.any(axis=0), theme_sets.all(axis=0)))
    if not len(themes):
        return
    engine = compiled_engine()
    fit = partial(_fit_side_by_side, engine) if engine else _fit_one_by_one
    for fitted in fit(features, card_strength * card_scores, theme_sets, themes, c):
        yield fitted._replace(card_coef=card_strength * fitted.card_coef)


def _fit_side_by_side(
    engine: ModuleType,
    features: sp.csr_matrix,
    card: NDArray[np.float64],
    theme_sets: NDArray[np.bool_],
    themes: NDArray[np.intp],
    c: float,
) -> Iterator[OneTheme]:
    rows = features.data.astype(np.float32), features.indices.astype(np.int32), features.indptr.astype(np.int64)
    # Themes as frequent as each other are done after about as many passes, and leave out about as many texts.
    themes = themes[np.argsort(theme_sets[:, themes].sum(axis=0), kind="stable")]
    for some in np.split(themes, range(LANES, len(themes), LANES)):
        of_card, signs = np.zeros((len(card), LANES), np.float32), np.zeros((len(card), LANES), np.int8)
        of_card[:, : len(some)] = card[:, some]
        signs[:, : len(some)] = np.where(theme_sets[:, some], 1, -1)
        weights, rest = _zero_rows(features.shape[1]), np.zeros((2, LANES), np.float32)
        engine.fit_lanes(*rows, of_card, signs, POSITIVE_WEIGHT * c, c, TOLERANCE, MOST_PASSES, weights, rest)
        for lane, theme in enumerate(some.tolist()):
            yield OneTheme(theme, weights[:, lane], float(rest[0, lane]), float(rest[1, lane]))


def _zero_rows(n: int) -> NDArray[np.float32]:
    """Return (n, LANES) zeros, each row one line of the processor's cache: the fits are as fast as they are read."""
    room = np.zeros((n + 1) * LANES, np.float32)
    start = -room.ctypes.data // room.itemsize % LANES
    return room[start : start + n * LANES].reshape(n, LANES)


def _fit_one_by_one(
    features: sp.csr_matrix,
    card: NDArray[np.float64],
    theme_sets: NDArray[np.bool_],
    themes: NDArray[np.intp],
    c: float,
) -> Iterator[OneTheme]:
    # The last column, full in every row, takes one theme's card scores after the other.
    with_card = sp.hstack([features, np.ones((features.shape[0], 1))], format="csr")
    with_card.sort_indices()
    last = with_card.indptr[1:] - 1
    for theme in themes.tolist():
        with_card.data[last] = card[:, theme]
        svm = LinearSVC(
            C=c, class_weight={True: POSITIVE_WEIGHT}, tol=TOLERANCE, max_iter=MOST_PASSES, random_state=SEED
        )
        svm.fit(with_card, theme_sets[:, theme])
        weights = svm.coef_[0]
        yield OneTheme(theme, weights[:-1], float(weights[-1]), float(svm.intercept_[0]))


def typical_card(card_coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> tuple[float, float]:
    """Return the card coefficient and intercept of a theme without examples: the medians of the learned themes'."""
    usual = float(np.median(card_coef)) if len(card_coef) else 0.0
    # Where learning made nothing of the cards, a theme that has only its card still goes by it.
    return usual if usual > 0 else 1.0, float(np.median(intercept)) if len(intercept) else 0.0
