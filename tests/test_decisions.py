"""The rule from scores to decisions: what is given, how sure, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray

from tagger.decisions import DECISIONS, NOT_GIVEN, Caution, Decision, DecisionRule, Reason
from tagger.documents import Document
from tagger.tagging import Tagger
from tests.conftest import SENTENCES

CAUTIONS: tuple[Caution, ...] = ("too_short", "out_of_domain", "language")
NEVER = np.inf

some_probabilities = arrays(float, (6, 3), elements=st.floats(0, 1))
some_masks = arrays(bool, (6, 3), elements=st.booleans())
one_text = arrays(float, 3, elements=st.floats(0, 1))
one_mask = arrays(bool, 3, elements=st.booleans())
some_cautions = st.sampled_from([None, *CAUTIONS])


def rule(nearness: float = 0.5) -> DecisionRule:
    """Return a rule over three themes, given from .2, .5 and .8 on; without a look from .2, from .9, and never."""
    return DecisionRule(np.ones(3), np.zeros(3), np.array([0.2, 0.5, 0.8]), np.array([0.2, 0.9, NEVER]), nearness)


def decided(
    probabilities: ArrayLike, opposed: ArrayLike | None = None, caution: Caution | None = None, **changes: Any
) -> tuple[list[Decision], list[Reason]]:
    """Return decisions and reasons for one text."""
    mask = np.zeros(3, dtype=bool) if opposed is None else np.array(opposed)
    found = replace(rule(), **changes).settle(np.array(probabilities), mask.__getitem__, caution)
    decisions, reasons = zip(*[found.get(theme, NOT_GIVEN) for theme in range(3)], strict=True)
    return list(decisions), list(reasons)


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
    assert {reason for case in CASES for reason in case[4]} == set(get_args(Reason))
    assert {decision for case in CASES for decision in case[3]} == set(DECISIONS)


@given(one_text, one_mask, some_cautions)
def test_what_is_given_without_a_look_is_sure(
    probabilities: NDArray[np.float64], opposed: NDArray[np.bool_], caution: Caution | None
) -> None:
    """`auto` is at or above both thresholds, never in conflict and never in a text that calls for caution."""
    decisions, reasons = decided(probabilities, opposed, caution)
    sure = (probabilities >= np.maximum(rule().thresholds, rule().auto_thresholds)) & ~opposed & (caution is None)
    assert [decision == "auto" for decision in decisions] == sure.tolist()
    assert [reason == "above_threshold" for reason in reasons] == sure.tolist()


@given(one_text, arrays(float, 3, elements=st.floats(0.01, 1)))
def test_no_threshold_undercuts_the_other(probabilities: NDArray[np.float64], auto: NDArray[np.float64]) -> None:
    """Wherever the threshold for `auto` stands, nothing below the theme's own is given without a look."""
    decisions, _ = decided(probabilities, auto_thresholds=auto)
    sure = probabilities >= np.maximum(rule().thresholds, auto)
    assert [decision == "auto" for decision in decisions] == sure.tolist()


@given(one_text, one_mask, some_cautions)
def test_what_passes_its_threshold_is_given(
    probabilities: NDArray[np.float64], opposed: NDArray[np.bool_], caution: Caution | None
) -> None:
    """Each theme from its threshold on is given; below it at most one for review, where nothing else is given."""
    decisions, reasons = decided(probabilities, opposed, caution)
    passing = (probabilities >= rule().thresholds).tolist()
    below = [place for place in range(3) if decisions[place] != "none" and not passing[place]]
    assert all(decisions[place] != "none" for place in range(3) if passing[place])
    assert all((decisions[place], reasons[place]) == ("review", BEST) for place in below)
    assert len(below) <= (not any(passing) and caution is None)


@given(some_probabilities, some_masks)
def test_many_texts_are_decided_as_each_by_itself(
    probabilities: NDArray[np.float64], opposed: NDArray[np.bool_]
) -> None:
    """The rule for many texts at once, which training goes by, is the rule for one, which tags it."""
    together = rule().decide(probabilities, opposed)
    alone = [decided(*text)[0] for text in zip(probabilities, opposed, strict=True)]
    assert [[DECISIONS[code] for code in row] for row in together.tolist()] == alone


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
    assert decided_.caution is None
    assert decided_.themes[0] == ("auto", "above_threshold")
