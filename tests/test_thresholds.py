"""Thresholds and probability curves from out-of-fold scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tagger.decisions import DecisionRule
from tagger.thresholds import (
    LEAST_SLOPE,
    RIDGE,
    RULES,
    best_f1_threshold,
    card_only_threshold,
    pooled_curve,
    probability_curves,
    theme_thresholds,
)


def f1(scores: NDArray[np.float64], positive: NDArray[np.bool_], threshold: float) -> float:
    """Return the F1 of giving the theme from the threshold on."""
    given_ = scores >= threshold
    return float(2 * (given_ & positive).sum() / max(1, given_.sum() + positive.sum()))


@given(
    st.integers(2, 30).flatmap(
        lambda n: st.tuples(
            arrays(float, n, elements=st.integers(-5, 5).map(float)), arrays(bool, n, elements=st.booleans())
        )
    )
)
def test_no_threshold_beats_the_best(drawn: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    """The best-F1 threshold reaches the F1 it states, and no other threshold reaches more; ties are no trap."""
    scores, positive = drawn
    threshold, stated = best_f1_threshold(scores, positive)
    assert f1(scores, positive, threshold) == pytest.approx(stated)
    assert all(f1(scores, positive, other) <= stated + 1e-12 for other in np.unique(scores))


def test_threshold_lies_between_two_scores() -> None:
    """The threshold is midway between the last text that gets the theme and the first that does not."""
    assert best_f1_threshold(np.array([2.0, 1.0, -1.0]), np.array([True, True, False])) == (0.0, 1.0)


def test_themes_that_cannot_be_told_are_given_above_the_highest_score_only() -> None:
    """A theme whose best F1 is below .3 gets the highest score seen, drawn towards the global threshold."""
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(200, 2))
    truth = np.zeros((200, 2), dtype=bool)
    truth[:100, 0] = True
    scores[:100, 0] += 4
    truth[np.argsort(scores[:, 1])[:3], 1] = True
    thresholds = theme_thresholds(scores, truth)
    everywhere, _ = best_f1_threshold(scores.ravel(), truth.ravel())
    assert thresholds[1] == pytest.approx((3 * scores[:, 1].max() + 3 * everywhere) / 6)


def test_a_theme_without_examples_gets_the_global_threshold() -> None:
    """With no example of its own a theme's threshold is the global one."""
    scores = np.array([[3.0, -1.0], [2.0, -1.5], [-1.0, -2.0]])
    truth = np.array([[True, False], [True, False], [False, False]])
    assert theme_thresholds(scores, truth)[1] == best_f1_threshold(scores.ravel(), truth.ravel())[0]


def test_card_only_threshold_is_the_median_of_the_others() -> None:
    """A theme that has only its card gets the median of what suits the other themes' cards."""
    scores = np.array([[1.0, 2.0, 9.0], [0.0, 0.0, 0.0]])
    truth = np.array([[True] * 3, [False] * 3])
    assert card_only_threshold(scores, truth) == 1.0


def test_probabilities_rise_with_the_score_and_match_the_share_of_truths() -> None:
    """The curve rises, and over the scores it was fitted on its mean is the share of positives."""
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(2000, 1)) * 2
    truth = rng.random((2000, 1)) < 1 / (1 + np.exp(-(1.5 * scores - 1)))
    slope, intercept = probability_curves(scores, truth)
    probabilities = DecisionRule(slope, intercept, np.array([0.5]), np.array([0.5]), 1.0).probabilities(scores)
    assert slope[0] == pytest.approx(1.5, abs=0.2)
    assert probabilities.mean() == pytest.approx(truth.mean(), abs=0.01)


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=30), st.integers(0, 2**32))
def test_no_rising_curve_fits_the_scores_better(drawn: list[tuple[float, bool]], seed: int) -> None:
    """No sigmoid near by or far off has less log loss and ridge, be the theme told well, badly or the wrong way."""
    scores, truth = np.array([[score] for score, _ in drawn]), np.array([[positive] for _, positive in drawn])
    pooled = pooled_curve(scores, truth)
    fitted = probability_curves(scores, truth)[:, 0]

    def loss(curve: NDArray[np.float64]) -> float:
        margins = np.where(truth, 1.0, -1.0) * (curve[0] * scores + curve[1])
        return float(np.logaddexp(0, -margins).sum() + RIDGE * ((curve - pooled) ** 2).sum())

    rng = np.random.default_rng(seed)
    for size in (1e-3, 0.1, 10.0):
        slope, intercept = fitted + size * rng.normal(size=2)
        assert loss(fitted) <= loss(np.array([max(slope, LEAST_SLOPE), intercept])) + 1e-9


@pytest.mark.parametrize("examples", [1, 2])
def test_a_theme_of_one_or_two_examples_gets_the_global_threshold(examples: int) -> None:
    """So few examples set no threshold; three do."""
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(200, 2))
    truth = np.zeros((200, 2), dtype=bool)
    truth[:50, 0] = True
    scores[:50, 0] += 5
    scores[:3, 1] = 9.0
    truth[:examples, 1] = True
    everywhere, _ = best_f1_threshold(scores.ravel(), truth.ravel())
    assert theme_thresholds(scores, truth)[1] == everywhere
    truth[:3, 1] = True
    assert theme_thresholds(scores, truth)[1] > everywhere


def test_the_global_rule_is_one_threshold_for_all_themes() -> None:
    """One threshold, the best over all scores, where the other rule has one for each theme."""
    rng = np.random.default_rng(7)
    truth = rng.random((100, 3)) < 0.3
    scores = np.where(truth, 1.0, -1.0) + np.array([0.0, 1.0, 2.0])
    everywhere, _ = best_f1_threshold(scores.ravel(), truth.ravel())
    assert RULES["global"](scores, truth).tolist() == [everywhere] * 3
    assert len(set(RULES["per_theme"](scores, truth).tolist())) == 3
    assert next(iter(RULES)) == "per_theme"
