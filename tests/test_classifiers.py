"""The classifiers: the compiled fits find the optimum that LIBLINEAR finds, whatever the themes beside them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from tagger.classifiers import POSITIVE_WEIGHT, OneTheme, fit_linear, fit_themes
from tagger.engine import compiled_engine

STRENGTH = 0.35

needs_compiler = pytest.mark.skipif(
    compiled_engine() is None, reason="no compiled engine here: a C compiler was missing at installation"
)


def world(
    n_texts: int, n_features: int, n_themes: int, seed: int
) -> tuple[sp.csr_matrix, NDArray[np.float64], NDArray[np.bool_]]:
    """Return features of length 1, card scores and theme sets that the features tell in part."""
    random = np.random.default_rng(seed)
    features = sp.random(n_texts, n_features, density=0.3, format="csr", random_state=random)
    lengths = np.maximum(np.sqrt(features.multiply(features).sum(axis=1)).A1, 1e-9)
    features = sp.csr_matrix(features.multiply(1 / lengths[:, None]))
    card = np.maximum(random.normal(size=(n_texts, n_themes)), 0)
    told = features @ random.normal(size=(n_features, n_themes)) + card + random.normal(size=(n_texts, n_themes)) / 2
    return features, card, told > np.quantile(told, 0.8, axis=0)


def by_liblinear(
    features: sp.csr_matrix, card: NDArray[np.float64], theme_sets: NDArray[np.bool_], theme: int, c: float
) -> OneTheme:
    """Return what LIBLINEAR learns of a theme, as exactly as it can."""
    both = sp.hstack([features, STRENGTH * card[:, [theme]]], format="csr")
    svm = LinearSVC(C=c, class_weight={True: POSITIVE_WEIGHT}, tol=1e-8, max_iter=1_000_000, random_state=0)
    weights = svm.fit(both, theme_sets[:, theme]).coef_[0]
    return OneTheme(theme, weights[:-1], STRENGTH * weights[-1], float(svm.intercept_[0]))


def scores(found: OneTheme, features: sp.csr_matrix, card: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores of the texts by one theme's classifier."""
    return np.asarray(features @ found.coef + found.card_coef * card[:, found.theme] + found.intercept)


@needs_compiler
@settings(max_examples=25, deadline=None)
@given(
    st.integers(20, 150), st.integers(2, 60), st.sampled_from([1, 3, 16, 17, 35]), st.sampled_from([0.5, 1.0, 4.0]),
    st.integers(0, 1000),
)  # fmt: skip
def test_fits_are_those_of_liblinear(n_texts: int, n_features: int, n_themes: int, c: float, seed: int) -> None:
    """Weights, scores and decisions of compiled fits are those that LIBLINEAR comes to when it goes on to the end."""
    features, card, theme_sets = world(n_texts, n_features, n_themes, seed)
    for found in fit_themes(features, card, theme_sets, card_strength=STRENGTH, c=c):
        exact = by_liblinear(features, card, theme_sets, found.theme, c)
        np.testing.assert_allclose(found.coef, exact.coef, atol=0.005)
        ours, theirs = scores(found, features, card), scores(exact, features, card)
        np.testing.assert_allclose(ours, theirs, atol=0.005)
        sure = np.abs(theirs) > 0.005
        assert ((ours > 0) == (theirs > 0))[sure].all()


@needs_compiler
def test_engines_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """LIBLINEAR, which fits where there is no compiled engine, gives the same themes the same weights within .01."""
    features, card, theme_sets = world(400, 50, 20, 1)
    compiled = fit_linear(features, card, theme_sets, card_strength=STRENGTH, c=1.0)
    monkeypatch.setenv("TAGGER_ENGINE", "numpy")
    fallback = fit_linear(features, card, theme_sets, card_strength=STRENGTH, c=1.0)
    assert not np.array_equal(compiled.coef, fallback.coef)
    for name in ("coef", "card_coef", "intercept"):
        np.testing.assert_allclose(getattr(compiled, name), getattr(fallback, name), atol=0.01)


def test_themes_do_not_touch_each_other() -> None:
    """A theme learned beside others gets, within the tolerance, the weights it gets alone."""
    features, card, theme_sets = world(200, 40, 20, 2)
    together = {one.theme: one for one in fit_themes(features, card, theme_sets, card_strength=STRENGTH, c=1.0)}
    for theme in (0, 15, 16, 19):
        (alone,) = fit_themes(features, card[:, [theme]], theme_sets[:, [theme]], card_strength=STRENGTH, c=1.0)
        np.testing.assert_allclose(together[theme].coef, alone.coef, atol=2e-3)


def test_fitting_twice_gives_the_same_bytes() -> None:
    """The same texts give the same weights to the last bit."""
    features, card, theme_sets = world(300, 60, 18, 3)
    first, second = (fit_linear(features, card, theme_sets, card_strength=STRENGTH, c=1.0) for _ in range(2))
    assert first.coef.tobytes() == second.coef.tobytes()
    assert first.intercept.tobytes() == second.intercept.tobytes()


def test_a_theme_of_no_text_or_of_all_is_not_fitted() -> None:
    """What no text tells apart is left out, and the others keep their columns."""
    features, card, theme_sets = world(60, 20, 18, 4)
    theme_sets[:, 3], theme_sets[:, 17] = False, True
    found = [one.theme for one in fit_themes(features, card, theme_sets, card_strength=STRENGTH, c=1.0)]
    assert sorted(found) == [theme for theme in range(18) if theme not in (3, 17)]


def test_nothing_to_learn_is_nothing_fitted() -> None:
    """Where no theme can be told apart, there is no classifier."""
    features, card, theme_sets = world(30, 10, 3, 6)
    assert list(fit_themes(features, card, np.zeros_like(theme_sets), card_strength=STRENGTH, c=1.0)) == []


def test_texts_without_a_known_word_are_learned_from() -> None:
    """A row without features counts for the card and the intercept."""
    features, card, theme_sets = world(80, 20, 2, 5)
    empty = sp.vstack([features, sp.csr_matrix((40, 20))], format="csr")
    cards, sets = np.vstack([card, np.ones((40, 2))]), np.vstack([theme_sets, np.ones((40, 2), dtype=bool)])
    for found in fit_themes(empty, cards, sets, card_strength=STRENGTH, c=1.0):
        exact = by_liblinear(empty, cards, sets, found.theme, 1.0)
        assert found.intercept == pytest.approx(exact.intercept, abs=0.01)
        assert found.card_coef == pytest.approx(exact.card_coef, abs=0.01)
