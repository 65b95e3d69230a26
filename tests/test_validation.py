"""Validation: held-out scores, and thresholds that no text set for itself."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from tagger.classifiers import OneTheme
from tagger.cleaning import tokens
from tagger.errors import SeedsError
from tagger.folds import stratified_folds
from tagger.model import Recipe
from tagger.thresholds import RULES, best_f1_threshold, theme_thresholds
from tagger.validation import HeldOut, Labelled, Scores, ThemeSets, cross_fitted, fold_f1, hold_out, mean_thresholds

CLOSE = 5e-3
"""How far scores may be apart that came to the same optimum by other ways."""


def noise(labelled: Labelled, draw: int) -> HeldOut:
    """Return scores that tell the themes more or less, on folds drawn anew."""
    folds = stratified_folds(labelled.theme_sets, labelled.groups, draw)
    scores = labelled.theme_sets + np.random.default_rng(draw).normal(size=labelled.theme_sets.shape)
    return HeldOut(folds, scores, np.zeros(scores.shape, dtype=bool), labelled.groups)


def test_no_text_is_scored_by_a_model_that_saw_it(labelled: Labelled) -> None:
    """With themes dealt out at random, held-out scores tell next to nothing of them, however well the model fits."""
    dealt = np.random.default_rng(7).permutation(labelled.theme_sets)
    shuffled = replace(labelled, theme_sets=dealt)
    folds = stratified_folds(dealt, labelled.groups, 0)
    (part,) = hold_out(shuffled, folds, [Recipe()], np.arange(4), lambda _fits: None)
    assert best_f1_threshold(part.scores[:, 1], dealt[:, 1])[1] < 0.6


def test_recipes_and_themes_are_held_out_beside_one_another_as_alone(labelled: Labelled) -> None:
    """Several recipes give the scores that each gives alone, some themes those that all give; every fit is told."""
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0)
    recipes, themes = [Recipe(), Recipe(pairs=True), Recipe(card_strength=0.0, c=4.0)], np.array([0, 2])
    fits: list[int] = []
    together = hold_out(labelled, folds, recipes, themes, fits.append)
    assert sum(fits) == len(folds) * len(recipes) * len(themes)
    for recipe, part in zip(recipes, together, strict=True):
        (alone,) = hold_out(labelled, folds, [recipe], themes, lambda _fits: None)
        np.testing.assert_array_equal(part.scores, alone.scores)
        np.testing.assert_array_equal(part.opposed, alone.opposed)
        # Themes that are fitted side by side end when all are done, within the tolerance each would be content with.
        (of_all,) = hold_out(labelled, folds, [recipe], np.arange(4), lambda _fits: None)
        np.testing.assert_allclose(part.scores, of_all.scores[:, themes], atol=CLOSE)
    assert len({part.scores.tobytes() for part in together}) == len(recipes)


def test_words_that_speak_against_a_theme_are_told_from_its_card(labelled: Labelled) -> None:
    """A railway text in the words of the fisheries' card is opposed there, and nowhere where the card is silent."""
    rail = [row for row, themes in enumerate(labelled.theme_sets[:, 1]) if themes]
    text = tokens("Trawler, herring: passengers with delayed trains will be refunded; the timetable of the operator.")
    read = [*labelled.read[: rail[0]], text, *labelled.read[rail[0] + 1 :]]
    told = replace(labelled, read=read)
    everything_else = np.setdiff1d(np.arange(len(read)), rail[:1])
    (part,) = hold_out(told, [(everything_else, np.array(rail[:1]))], [Recipe()], np.arange(4), lambda _fits: None)
    assert part.opposed[rail[0], :3].tolist() == [True, False, False]


def test_a_fold_does_not_set_its_own_thresholds(labelled: Labelled) -> None:
    """With the truths of one fold turned around, what is given there stays as it was, and changes elsewhere."""
    parts = [noise(labelled, draw) for draw in range(2)]
    before = cross_fitted(parts, labelled.theme_sets)
    for number, part in enumerate(parts):
        for _, test in part.folds:
            turned = labelled.theme_sets.copy()
            turned[test] = ~turned[test]
            after = cross_fitted(parts, turned)
            np.testing.assert_array_equal(after[number][test], before[number][test])
            assert (after[number] != before[number]).any()


@pytest.mark.parametrize("rule", RULES)
def test_a_threshold_is_the_mean_over_the_parts(labelled: Labelled, rule: str) -> None:
    """Each part of the validation, such as the folds by source, counts as much as the others."""
    parts = [noise(labelled, draw) for draw in range(3)]
    thresholds = RULES[rule]  # type: ignore[index]
    found = mean_thresholds([(part.rows, part) for part in parts], labelled.theme_sets, thresholds)
    expected = sum(thresholds(part.scores, labelled.theme_sets) for part in parts) / 3
    np.testing.assert_allclose(found, expected)


def test_a_part_whose_texts_are_all_held_out_says_nothing(labelled: Labelled) -> None:
    """Where a fold holds out all texts of another part at once, the texts of the first part decide alone."""
    whole = noise(labelled, 0)
    (_, test), *_ = whole.folds
    rest = np.setdiff1d(np.arange(len(labelled.read)), test)
    by_source = replace(whole, folds=[(rest, test[:1]), (rest, test[1:])])
    given, _ = cross_fitted([whole, by_source], labelled.theme_sets)
    limits = theme_thresholds(whole.scores[rest], labelled.theme_sets[rest])
    np.testing.assert_array_equal(given[test], whole.scores[test] >= limits)


def test_the_score_of_a_fold_is_the_mean_of_micro_and_macro_f1() -> None:
    """The mean is taken fold by fold; a theme that a fold has not, and is not given there, does not count."""
    truth = np.array([[True, False], [True, False], [True, True], [False, True]])
    given = np.array([[True, False], [False, False], [True, False], [False, True]])
    folds = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    assert fold_f1(given, truth, folds) == pytest.approx([2 / 3, (4 / 5 + (1 + 2 / 3) / 2) / 2])


def by_means(
    features: sp.csr_matrix, card_scores: Scores, theme_sets: ThemeSets, *, card_strength: float, c: float
) -> Iterator[OneTheme]:
    """Yield the difference of the means of texts with a theme and without: weights that are the same at every run."""
    time.sleep(random.uniform(0, 0.01))
    for theme in np.flatnonzero(theme_sets.any(axis=0)).tolist():
        with_it, without = (
            np.asarray(features[rows].mean(axis=0))[0] for rows in (theme_sets[:, theme], ~theme_sets[:, theme])
        )
        yield OneTheme(theme, c * (with_it - without), card_strength, float(card_scores[:, theme].mean()))


def test_folds_beside_one_another_give_what_each_gives_alone(
    labelled: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of threads, and which fold is done first, change nothing; every fit is told."""
    monkeypatch.setattr("tagger.validation.fit_themes", by_means)
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0)
    recipes, found = [Recipe(), Recipe(pairs=True)], []
    for threads in (1, 4):
        monkeypatch.setattr("tagger.validation._threads", partial(int, threads))
        fits: list[int] = []
        found.append(hold_out(labelled, folds, recipes, np.arange(4), fits.append))
        assert sum(fits) == len(folds) * len(recipes) * 4
    for alone, beside in zip(*found, strict=True):
        np.testing.assert_array_equal(alone.scores, beside.scores)
        np.testing.assert_array_equal(alone.opposed, beside.opposed)


def test_who_stops_does_not_wait_for_all_folds(labelled: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first fold that is done meets a stop, folds that were not begun are left alone."""
    begun: list[int] = []

    def counted(*given: Any, **recipe: Any) -> Iterator[OneTheme]:
        begun.append(1)
        return by_means(*given, **recipe)

    def stop(_fits: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tagger.validation.fit_themes", counted)
    monkeypatch.setattr("tagger.validation._threads", partial(int, 1))
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0) * 10
    with pytest.raises(KeyboardInterrupt):
        hold_out(labelled, folds, [Recipe()], np.arange(4), stop)
    assert len(begun) < len(folds) / 2


def test_texts_that_share_no_words_are_refused(labelled: Labelled) -> None:
    """Where there is nothing to learn from, the remedy is told."""
    read = [tokens(f"word{chr(97 + row // 26)}{chr(97 + row % 26)}") for row in range(len(labelled.read))]
    read = [read[row]._replace(words=[]) for row in range(len(read))]
    alone = replace(labelled, read=read)
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0)
    with pytest.raises(SeedsError, match="share no words"):
        hold_out(alone, folds, [Recipe()], np.arange(4), lambda _fits: None)
