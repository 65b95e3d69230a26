"""Probabilities against what is true, and the intervals of shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.calibration import BINS, LIKELY, calibration
from tagger.intervals import wilson

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(9, 10, 0.596, 0.982), (0, 10, 0.0, 0.278), (50, 100, 0.404, 0.596)]
)
def test_wilson_intervals_are_those_of_the_books(successes: int, n: int, low: float, high: float) -> None:
    """The intervals of well-known examples come out to three digits."""
    assert [float(end) for end in wilson(successes, n)] == pytest.approx([low, high], abs=5e-4)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_wilson_interval_holds_its_share(one: int, other: int) -> None:
    """The interval lies between 0 and 1 with the share inside, and mirrors that of the opposite share."""
    successes, n = min(one, other), max(one, other)
    low, high = wilson(successes, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= successes / n <= high
    mirrored_low, mirrored_high = wilson(n - successes, n)
    assert (low, high) == (pytest.approx(1 - mirrored_high), pytest.approx(1 - mirrored_low))


def test_of_no_trial_nothing_is_known() -> None:
    """The interval of no trial is everything, also among others."""
    low, high = wilson([0, 5], [0, 5])
    assert (low[0], high[0], high[1]) == (0, 1, 1)
    assert low[1] > 0.5


def test_calibration_of_four_pairs_by_hand() -> None:
    """Brier score, calibration error and curve are those computed by hand."""
    found = calibration([[0.9, 0.95], [0.2, 0.0]], [[True, False], [False, False]])["all"]
    assert found["pairs"] == 4
    assert found["brier"] == pytest.approx((0.01 + 0.9025 + 0.04 + 0) / 4)
    # One bin each: 0 and 0.2 are off by themselves; 0.9 (in the bin before the last) by 0.1, 0.95 by 0.95.
    assert found["expected_calibration_error"] == pytest.approx((0.0 + 0.2 + 0.1 + 0.95) / 4)
    assert [row["pairs"] for row in found["curve"]] == [1, 1, 1, 1]
    assert [row["share_true"] for row in found["curve"]] == [0, 0, 1, 0]


@given(PAIRS)
def test_every_counted_pair_is_in_one_bin(pairs: list[tuple[float, bool, bool]]) -> None:
    """The bins share out the pairs; their means rebuild the calibration error, and all lies between 0 and 1."""
    probabilities, truth, counted = map(np.array, zip(*pairs, strict=True))
    found = calibration(probabilities, truth, counted)
    assert found["all"]["pairs"] == counted.sum()
    assert found["likely"]["pairs"] == (counted & (probabilities >= LIKELY)).sum()
    for part in (found["all"], found["likely"]):
        if part["pairs"]:
            off = sum(row["pairs"] * abs(row["mean_probability"] - row["share_true"]) for row in part["curve"])
            assert part["expected_calibration_error"] == pytest.approx(off / part["pairs"], abs=3e-6)
            assert 0 <= part["brier"] <= 1
        assert sum(row["pairs"] for row in part["curve"]) == part["pairs"]
        for row in part["curve"]:
            assert row["from"] - 1e-6 <= row["mean_probability"] <= row["to"] + 1e-6
            assert 0 <= row["low"] <= row["share_true"] <= row["high"] <= 1


@given(PAIRS)
def test_what_is_not_counted_changes_nothing(pairs: list[tuple[float, bool, bool]]) -> None:
    """Leaving pairs out is the same as never having had them."""
    probabilities, truth, counted = map(np.array, zip(*pairs, strict=True))
    kept = calibration(probabilities[counted], truth[counted])
    assert calibration(probabilities, truth, counted) == kept


def test_sure_and_right_is_perfect() -> None:
    """Probabilities of 0 and 1 that are right have no error, in the outermost of the bins."""
    truth = np.eye(3, dtype=bool)
    found = calibration(truth.astype(float), truth)
    assert found["all"]["brier"] == found["all"]["expected_calibration_error"] == 0
    assert [row["to"] for row in found["all"]["curve"]] == [pytest.approx(1 / BINS, abs=1e-6), 1]


def test_of_no_pair_there_is_no_figure() -> None:
    """Where nothing is counted there are no measures instead of good ones."""
    found = calibration([[0.5]], [[True]], [[False]])
    assert found["all"] == {"pairs": 0, "brier": None, "expected_calibration_error": None, "curve": []}
