"""Promises of precision: where they are kept, and how many more checked examples would keep them."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagger.promises import MOST_NEEDED, ONE_SIDED_95, keep, needed

precisions = st.sampled_from([0.5, 0.7, 0.8, 0.9, 0.95, 0.99])
tags = st.lists(st.tuples(st.integers(0, 20), st.sampled_from([True, True, True, False])), max_size=60)


def lower_end(right: float, n: float) -> float:
    """Return the lower end of the one-sided 95% Wilson interval, written down once more from the paper."""
    z, p = ONE_SIDED_95, right / n
    return (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


@given(precisions, tags, st.integers(0, 20))
@example(0.7, [(10, True)] * 20, 10)
@example(0.7, [(10, True)] * 20 + [(9, False)] * 20, 5)
@example(0.7, [(10, True)] * 20 + [(9, True)] * 5 + [(8, False)] * 30, 5)
@example(0.9, [(10, True)] * 24, 5)
@example(0.9, [(10, True)] * 25, 10)
@example(0.7, [(10, True)] * 20 + [(9, False)] * 9 + [(8, True)] * 20, 5)
def test_a_promise_is_kept_from_its_threshold_on_and_not_from_a_lower_one(
    precision: float, drawn: list[tuple[int, bool]], twentieths: int
) -> None:
    """The interval of what is given from the threshold on lies above the promise; from any lower place it does not."""
    probabilities = np.array([p / 20 for p, _ in drawn])
    truth = np.array([right for _, right in drawn], dtype=bool)
    floor = twentieths / 20
    promise = keep(precision, probabilities, truth, floor)

    def keeps(threshold: float) -> bool:
        given_ = probabilities >= threshold
        return bool(given_.any()) and lower_end(truth[given_].sum(), given_.sum()) >= precision

    places = sorted(p for p in {*probabilities.tolist(), floor} if p >= floor)
    assert promise.precision == precision
    assert promise.threshold == min((place for place in places if keeps(place)), default=inf)
    if promise.threshold < inf:
        assert promise.needed is None


@given(precisions, st.integers(0, 300), st.integers(0, 300))
@example(0.9, 19, 1)
@example(0.99, 0, 0)
def test_as_many_more_right_tags_as_needed_keep_a_promise(precision: float, right: int, wrong: int) -> None:
    """With so many more tags, as right as before or all right, the promise is kept; with one less it is not."""
    given_ = right + wrong
    share = right / given_ if given_ else 1.0
    more = needed(precision, right, given_)
    if more is None:
        assert share <= precision or lower_end(share * MOST_NEEDED, MOST_NEEDED) < precision
        return
    assert more >= 1
    assert lower_end(right + share * more, given_ + more) >= precision - 1e-9
    assert lower_end(right + more, given_ + more) >= precision - 1e-9
    if more > 1:
        assert lower_end(right + share * (more - 1), given_ + more - 1) < precision


def test_a_promise_that_cannot_be_kept_has_no_threshold() -> None:
    """Where too few tags are right the threshold is infinite, with the number that would do, if any would."""
    few = keep(0.9, np.full(12, 0.8), np.ones(12, dtype=bool), 0.5)
    assert (few.threshold, few.needed) == (inf, 13)
    wrong = keep(0.9, np.full(20, 0.8), np.arange(20) < 17, 0.5)
    assert (wrong.threshold, wrong.needed) == (inf, None)
    nothing = keep(0.9, np.full(20, 0.4), np.ones(20, dtype=bool), 0.5)
    assert (nothing.threshold, nothing.needed) == (inf, 25)


def test_only_tags_that_are_given_count() -> None:
    """What lies below the floor, where the theme is not given at all, neither keeps a promise nor breaks it."""
    probabilities, truth = np.array([0.9] * 30 + [0.4] * 70), np.array([True] * 30 + [False] * 70)
    assert keep(0.9, probabilities, truth, 0.5).threshold == 0.5
    assert keep(0.9, probabilities, truth, 0.3).threshold == 0.9


@pytest.mark.parametrize("precision", [0.5, 0.9, 0.99])
def test_a_share_like_the_promise_is_never_enough(precision: float) -> None:
    """Tags that are right exactly as often as promised keep no promise, however many there are."""
    assert needed(precision, round(100 * precision), 100) is None
