"""Model selection: what is tried within a budget, and what is chosen by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.errors import SeedsError
from tagger.folds import Fold, stratified_folds
from tagger.model import Recipe
from tagger.selection import (
    BUDGETS,
    CARD_STRENGTHS,
    COSTS,
    CURVE,
    LEAST_EXAMPLES,
    MOST_THEMES,
    REPEATS,
    STEPS,
    Selection,
    best_beyond_error,
    select,
    strongest_within_error,
    telling_themes,
)
from tagger.thresholds import theme_thresholds
from tagger.validation import HeldOut, Labelled, cross_fitted, hold_out

THEMES, SEEDED = 4, 3


def with_budget(labelled: Labelled, monkeypatch: pytest.MonkeyPatch, fits: int) -> Selection:
    """Select within a budget of so many fits."""
    monkeypatch.setitem(BUDGETS, "quick", fits)
    return select(labelled, "quick")


def tried(found: Selection) -> list[tuple[str, object]]:
    """Return what was tried for each choice, in order."""
    return [(row["what"], row["value"]) for row in found.tried]


STRENGTHS = [("card strength", strength) for strength in CARD_STRENGTHS]
RULES = [("thresholds", "per_theme"), ("thresholds", "global")]


def test_without_a_budget_the_usual_recipe_is_taken(labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no training goes without is fitted: held-out scores of the usual recipe, and the rule chosen by them."""
    done: list[float] = []
    monkeypatch.setitem(BUDGETS, "quick", 0)
    found = select(labelled, "quick", done.append)
    assert found.recipe == Recipe.usual(len(labelled.read))
    assert found.left_out == list(STEPS)
    assert found.curve is None
    assert tried(found) == RULES
    folds = sum(len(part.folds) for part in found.held_out.values())
    assert found.fits == folds * THEMES
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_a_larger_budget_reaches_what_a_smaller_leaves_out(labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small budget goes to the strength of the cards, a large one to all steps; what is spent stays within it."""
    folds = sum(len(part.folds) for part in with_budget(labelled, monkeypatch, 0).held_out.values())
    least, strengths = folds * THEMES, len(CARD_STRENGTHS) * folds * SEEDED
    small = with_budget(labelled, monkeypatch, strengths)
    assert small.left_out == [step for step in STEPS if step != "card strength"]
    assert tried(small) == [*STRENGTHS, *RULES]
    assert least < small.fits <= least + strengths
    large = select(labelled, "full")
    assert large.left_out == []
    costs = [("c", cost) for cost in COSTS]
    assert tried(large) == [*STRENGTHS, *costs, ("pairs", False), ("pairs", True), *RULES]
    assert small.fits < large.fits <= BUDGETS["full"] + least


def test_the_budgets_of_two_efforts_differ() -> None:
    """Full effort may try many times what a quick one may."""
    assert list(BUDGETS) == ["quick", "full"]
    assert BUDGETS["full"] > 10 * BUDGETS["quick"]


def test_the_same_seeds_are_selected_for_alike(labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run gives the same recipe, figures and scores to the last bit."""
    first, second = (with_budget(labelled, monkeypatch, 180) for _ in range(2))
    assert (first.recipe, first.rule, first.tried, first.fits) == (
        second.recipe, second.rule, second.tried, second.fits,
    )  # fmt: skip
    assert first.held_out.keys() == second.held_out.keys() == {"stratified", "by_source"}
    for kind, part in first.held_out.items():
        np.testing.assert_array_equal(part.scores, second.held_out[kind].scores)


def test_the_curve_measures_models_of_fewer_texts(labelled: Labelled) -> None:
    """A quarter, a half and all of the texts are learned from; on the same held-out texts, which none of them saw."""
    curve = select(labelled, "quick").curve
    assert curve
    n = len(labelled.read)
    assert curve.texts == sorted(curve.texts)
    assert curve.texts[-1] == pytest.approx(0.8 * n, rel=0.1)
    assert curve.texts[0] < 0.5 * curve.texts[-1]
    assert (np.diff(curve.examples, axis=0) >= 0).all()
    assert len(curve.given) == len(curve.texts) == len(curve.examples)
    right = [(given_ & labelled.theme_sets[:, curve.themes]).sum() for given_ in curve.given]
    assert right[-1] == max(right)


def test_the_curve_is_learned_from_fewer_groups(labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the texts is a part of their groups, each whole: near-duplicates go together, as in all training."""
    rough = replace(labelled, groups=np.arange(len(labelled.read)) // 3)
    asked: list[list[Fold]] = []

    def noted(labelled_: Labelled, folds: Sequence[Fold], *rest: Any) -> list[HeldOut]:
        asked.append(list(folds))
        return hold_out(labelled_, folds, *rest)

    monkeypatch.setattr("tagger.selection.hold_out", noted)
    found = select(rough, "quick")
    assert found.curve
    whole = found.curve.folds
    some = [folds for folds in asked if len(folds) == len(whole) and len(folds[0][0]) < 0.8 * len(whole[0][0])]
    some = [folds for folds in some if all((f[1] == w[1]).all() for f, w in zip(folds, whole, strict=True))]
    assert len(some) == len(CURVE)
    for part, folds in zip(CURVE, some, strict=True):
        for (train, _), (everything, test) in zip(folds, whole, strict=True):
            of_train, of_all = set(rough.groups[train]), set(rough.groups[everything])
            assert len(of_train) == round(part * len(of_all))
            assert train.tolist() == [row for row in everything if rough.groups[row] in of_train]
            assert not of_train & set(rough.groups[test])


def test_further_draws_stand_beside_the_scores_of_the_first(labelled: Labelled) -> None:
    """Held-out scores are those of the first draw of folds; those of the others move thresholds, not what they meet."""
    found = select(labelled, "quick")
    part = found.held_out["stratified"]
    drawn = [stratified_folds(labelled.theme_sets, labelled.groups, draw) for draw in range(REPEATS)]
    alone = [hold_out(labelled, folds, [found.recipe], np.arange(THEMES), lambda _fits: None)[0] for folds in drawn]
    np.testing.assert_array_equal(part.scores, alone[0].scores)
    np.testing.assert_array_equal(part.opposed, alone[0].opposed)
    assert [test.tolist() for _, test in part.folds] == [test.tolist() for _, test in drawn[0]]
    for scores, other in zip(part.more, alone[1:], strict=True):
        np.testing.assert_array_equal(scores, other.scores)
        assert (scores != part.scores).any()
    assert found.held_out["by_source"].more == ()
    truth = labelled.theme_sets
    expected = np.mean([theme_thresholds(one.scores, truth) for one in alone], axis=0)
    np.testing.assert_allclose(part.thresholds(part.rows, truth, theme_thresholds), expected)
    given_ = cross_fitted([part], truth)[0]
    for _, test in part.folds:
        limits = part.thresholds(part.apart(test), truth, theme_thresholds)
        np.testing.assert_array_equal(given_[test], part.scores[test] >= limits)


def test_what_was_tried_is_told_with_its_distance(labelled: Labelled) -> None:
    """Of each choice the best is behind by nothing, and the others by what their score lacks."""
    rows = [row for row in select(labelled, "quick").tried if row["what"] == "card strength"]
    best = max(row["score"] for row in rows)
    for row in rows:
        assert row["behind"] == pytest.approx(best - row["score"], abs=2e-6)
        assert (row["standard_error"] == 0) == (row["behind"] == 0) or row["behind"] == 0


def test_seeds_that_are_all_alike_are_refused(labelled: Labelled) -> None:
    """Where nothing can be held out, training is refused with the remedy."""
    with pytest.raises(SeedsError, match="Add seeds of other texts"):
        select(replace(labelled, groups=np.zeros_like(labelled.groups)), "quick")


def test_sources_that_are_copies_of_one_another_are_no_failure(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the only texts with a source are two near-duplicates, their folds hold out the same: training goes on."""
    groups = labelled.groups.copy()
    groups[:6] = groups[0]
    _, groups = np.unique(groups, return_inverse=True)
    sources = ["north"] * 3 + ["south"] * 3 + [None] * (len(groups) - 6)
    found = with_budget(replace(labelled, groups=groups, sources=sources), monkeypatch, 0)
    assert set(found.held_out) == {"stratified", "by_source"}


def folds_of(*means: float, spread: float = 0.02) -> list[list[np.ndarray]]:
    """Return F1 on ten folds of one kind for candidates of given means, each with a spread of its own."""
    random = np.random.default_rng(7)
    return [[mean + spread * random.permutation(np.linspace(-1, 1, 10))] for mean in means]


def test_of_strengths_as_good_as_the_best_the_strongest_is_taken() -> None:
    """The last one that is not clearly worse than the best is chosen; a clearly worse one is not."""
    assert strongest_within_error(folds_of(0.906, 0.91, 0.908, 0.907, 0.60)) == 3
    assert strongest_within_error(folds_of(0.90, 0.91, 0.70, 0.60)) == 1
    assert strongest_within_error(folds_of(0.90, 0.50)) == 0


def test_the_usual_is_left_for_what_is_clearly_better_only() -> None:
    """A candidate whose gain lies within the error of the folds does not replace the usual one."""
    assert best_beyond_error(folds_of(0.90, 0.905, 0.80), usual=0) == 0
    assert best_beyond_error(folds_of(0.70, 0.90, 0.80), usual=0) == 1
    assert best_beyond_error(folds_of(0.70, 0.90, 0.80), usual=1) == 1


def test_gains_are_compared_fold_by_fold() -> None:
    """A small gain on every fold counts, however much the folds differ among themselves."""
    usual = np.linspace(0.3, 0.9, 10)
    assert best_beyond_error([[usual], [usual + np.linspace(0.01, 0.011, 10)]], usual=0) == 1


@given(st.lists(st.integers(0, 40), min_size=1, max_size=300))
def test_recipes_are_compared_on_frequent_and_rare_themes(counts: list[int]) -> None:
    """All that have seeds, or fifty of those with enough: from the most frequent to the rarest, spread evenly."""
    theme_sets = np.arange(40)[:, None] < np.array(counts)[None, :]
    chosen = telling_themes(theme_sets).tolist()
    assert chosen == sorted(set(chosen))
    seeded = [theme for theme, count in enumerate(counts) if count]
    if len(seeded) <= MOST_THEMES:
        assert chosen == seeded
        return
    telling = sorted((count for count in counts if count >= LEAST_EXAMPLES), reverse=True)
    of_chosen = sorted((counts[theme] for theme in chosen), reverse=True)
    assert len(chosen) == max(1, min(MOST_THEMES, len(telling)))
    assert of_chosen[0] == max(counts)
    if telling:
        assert of_chosen[-1] == telling[-1]
        assert of_chosen[len(of_chosen) // 2] == pytest.approx(telling[len(telling) // 2], abs=2)
