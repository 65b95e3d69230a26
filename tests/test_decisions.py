"""The rule from scores to decisions: what is given, how sure, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tagger.decisions import AUTO, DECISIONS, NOTHING, REASONS, REVIEW, Caution, DecisionRule
from tagger.documents import Document
from tagger.tagging import Tagger
from tests.conftest import SENTENCES

CAUTIONS: tuple[Caution, ...] = ("too_short", "out_of_domain", "language")
NEVER = np.inf

some_probabilities = arrays(float, (6, 3), elements=st.floats(0, 1))
some_masks = arrays(bool, (6, 3), elements=st.booleans())
some_cautions = st.sampled_from([None, *CAUTIONS])


def rule(nearness: float = 0.5) -> DecisionRule:
    """Return a rule over three themes, given from .2, .5 and .8 on; without a look from .2, from .9, and never."""
    return DecisionRule(np.ones(3), np.zeros(3), np.array([0.2, 0.5, 0.8]), np.array([0.2, 0.9, NEVER]), nearness)


def decided(
    probabilities: list[float], opposed: list[bool] | None = None, caution: Caution | None = None
) -> tuple[list[str], list[str]]:
    """Return the names of decisions and reasons for one text."""
    mask = None if opposed is None else np.array([opposed])
    decisions, reasons = rule().decide(np.array([probabilities]), mask, caution)
    return [DECISIONS[code] for code in decisions[0]], [REASONS[code] for code in reasons[0]]


B, N, A, BEST = "below_threshold", "near_threshold", "above_threshold", "best_below_threshold"
CASES: list[tuple[list[float], list[bool] | None, Caution | None, list[str], list[str]]] = [
    ([0.2, 0.5, 0.79], None, None, ["auto", "review", "none"], [A, N, B]),
    ([0.1, 0.9, 1.0], None, None, ["none", "auto", "review"], [B, A, N]),
    ([0.15, 0.3, 0.7], None, None, ["none", "none", "review"], [B, B, BEST]),
    ([0.05, 0.2, 0.3], None, None, ["none", "none", "none"], [B, B, B]),
    ([0.9, 0.6, 0.1], [True, True, True], None, ["review", "review", "none"], ["conflict", "conflict", B]),
    ([0.1, 0.3, 0.7], [True, True, True], None, ["none", "none", "review"], [B, B, BEST]),
    *(([0.9, 0.6, 0.1], [True, False, False], why, ["review", "review", "none"], [why, why, B]) for why in CAUTIONS),
    *(([0.19, 0.49, 0.79], None, why, ["none", "none", "none"], [B, B, B]) for why in CAUTIONS),
]


@pytest.mark.parametrize(("probabilities", "opposed", "caution", "decisions", "reasons"), CASES)
def test_each_theme_is_decided_with_its_reason(
    probabilities: list[float],
    opposed: list[bool] | None,
    caution: Caution | None,
    decisions: list[str],
    reasons: list[str],
) -> None:
    """Given from the threshold on, without a look from the other one on; else the best for review, if it is near."""
    assert decided(probabilities, opposed, caution) == (decisions, reasons)


def test_every_reason_is_reached() -> None:
    """No reason, and no decision, is a word that never comes up."""
    assert {reason for case in CASES for reason in case[4]} == set(REASONS)
    assert {decision for case in CASES for decision in case[3]} == set(DECISIONS)


@given(some_probabilities, some_masks, some_cautions)
def test_what_is_given_without_a_look_is_sure(
    probabilities: NDArray[np.float64], opposed: NDArray[np.bool_], caution: Caution | None
) -> None:
    """`auto` is at or above both thresholds, never in conflict and never in a text that calls for caution."""
    decisions, reasons = rule().decide(probabilities, opposed, caution)
    auto = decisions == AUTO
    assert (probabilities >= np.maximum(rule().thresholds, rule().auto_thresholds))[auto].all()
    assert not (auto & opposed).any()
    assert not (caution and auto.any())
    assert ((reasons == REASONS.index("above_threshold")) == auto).all()


@given(some_probabilities, arrays(float, 3, elements=st.floats(0.01, 1)))
def test_no_threshold_undercuts_the_other(probabilities: NDArray[np.float64], auto: NDArray[np.float64]) -> None:
    """Wherever the threshold for `auto` stands, nothing below the theme's own is given without a look."""
    decisions, _ = replace(rule(), auto_thresholds=auto).decide(probabilities)
    assert ((decisions == AUTO) == (probabilities >= np.maximum(rule().thresholds, auto))).all()


@given(some_probabilities, some_masks, some_cautions)
def test_what_passes_its_threshold_is_given(
    probabilities: NDArray[np.float64], opposed: NDArray[np.bool_], caution: Caution | None
) -> None:
    """Each theme from its threshold on is given; below it at most one for review, where nothing else is given."""
    decisions, reasons = rule().decide(probabilities, opposed, caution)
    passing = probabilities >= rule().thresholds
    assert (decisions[passing] != NOTHING).all()
    below = (decisions != NOTHING) & ~passing
    assert not (caution and below.any())
    assert (decisions[below] == REVIEW).all()
    assert (reasons[below] == REASONS.index("best_below_threshold")).all()
    assert (below.sum(axis=1) <= ~passing.any(axis=1)).all()


@given(some_probabilities, some_masks, some_cautions)
def test_decisions_do_not_depend_on_other_texts(
    probabilities: NDArray[np.float64], opposed: NDArray[np.bool_], caution: Caution | None
) -> None:
    """Decided together or one by one, a text gets the same decisions for the same reasons."""
    together = np.array(rule().decide(probabilities, opposed, caution))
    rows = zip(probabilities, opposed, strict=True)
    alone = [rule().decide(row[None, :], mask[None, :], caution) for row, mask in rows]
    assert together.tolist() == np.concatenate(alone, axis=1).tolist()


@given(arrays(float, 3, elements=st.floats(-1e6, 1e6)))
def test_probabilities_have_six_digits(scores: NDArray[np.float64]) -> None:
    """Probabilities lie between 0 and 1 and have six digits, for scores of any size."""
    found = rule().probabilities(scores)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.tolist() == [round(value, 6) for value in found.tolist()]


@given(
    st.floats(0.05, 2000), st.floats(-30, 30), st.integers(1, 1_000_000), st.floats(-40, 40), st.sampled_from([-1, 1])
)
def test_a_score_passes_where_its_probability_does(
    slope: float, intercept: float, millionths: int, away: float, side: int
) -> None:
    """The score threshold is finite for every threshold, 1 included; above it a theme is given, below it is not."""
    threshold = np.array([millionths / 1_000_000])
    of_theme = DecisionRule(np.array([slope]), np.array([intercept]), threshold, threshold, 1.0)
    (limit,) = of_theme.score_thresholds()
    assert np.isfinite(limit)
    score = np.array([limit + side * (1e-6 + abs(away)) / min(slope, 1.0)])
    assert (of_theme.probabilities(score) >= threshold).tolist() == [side > 0]


CARD_WORDS = "The trawler, the herring and the catch quota."


def test_a_text_of_card_words_in_other_words_is_a_conflict(tiny_tagger: Tagger) -> None:
    """Card words of a theme, in a text whose learned words speak against it, give it for review, however probable."""
    text = " ".join([CARD_WORDS, *SENTENCES["none"][:3]])
    reading = tiny_tagger.scorer.read(text)
    assert reading.learned[0] < 0 < reading.card[0]
    found = tiny_tagger.tag(Document("x", text))
    assert found.caution is None
    assert [(tag.theme, tag.decision, tag.reason) for tag in found.tags] == [("fisheries", "review", "conflict")]
    (tag,) = found.tags
    assert tag.auto_threshold is not None
    assert tag.probability >= tag.auto_threshold
    within = tiny_tagger.tag(Document("x", " ".join([CARD_WORDS, *SENTENCES["fisheries"][:3]])))
    assert [(tag.theme, tag.decision, tag.reason) for tag in within.tags] == [("fisheries", "auto", "above_threshold")]


def test_learned_words_alone_make_no_conflict(tiny_tagger: Tagger) -> None:
    """Where a theme's card does not speak for it, learned words against it are no conflict of two sides."""
    reading = tiny_tagger.scorer.read(" ".join(SENTENCES["none"][:3]))
    assert reading.learned[0] < 0 == reading.card[0]
    sure = np.ones(len(tiny_tagger.themes))
    decided_ = tiny_tagger.decide("", reading, sure)
    assert (decided_.caution, REASONS[decided_.reasons[0]]) == (None, "above_threshold")
