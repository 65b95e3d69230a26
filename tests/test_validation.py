"""What cross-validation decides: by hand-made scores, where the right answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tagger import validation
from tagger.cleaning import tokens
from tagger.corpus import read_corpus
from tagger.decisions import AUTO
from tagger.errors import SeedsError
from tagger.features import CardTerms
from tagger.folds import group_texts, stratified_folds
from tagger.model import ThemeModel
from tagger.thresholds import best_f1_threshold, theme_thresholds
from tagger.validation import CARD_STRENGTHS, HeldOut, Labelled, cross_validate, decision_rule


@pytest.fixture(scope="module")
def labelled(tiny_seeds: Path) -> Labelled:
    """The tiny seeds, read and grouped."""
    corpus = read_corpus(tiny_seeds)
    read = [tokens(text) for text in corpus.texts]
    counts = CardTerms(corpus.cards).count(read)
    sources = [seed.source for seed in corpus.seeds]
    return Labelled(read, counts, corpus.theme_sets, corpus.cards, group_texts(read, [None] * len(read)), sources)


@pytest.fixture(scope="module")
def model(labelled: Labelled) -> ThemeModel:
    """A model fitted on all of them."""
    return ThemeModel.for_corpus(labelled.cards, len(labelled.read)).fit(labelled.read, labelled.theme_sets)


def held_out(labelled: Labelled, shift: float) -> HeldOut:
    """Return scores that are right for every text, and higher by `shift` throughout."""
    return HeldOut(np.arange(len(labelled.read)), np.where(labelled.theme_sets, 1.0, -1.0) + shift)


def test_thresholds_are_the_mean_over_kinds_of_folds(labelled: Labelled, model: ThemeModel) -> None:
    """A theme's threshold lies midway between that of stratified folds and that of folds by source."""
    low, high = held_out(labelled, 0), held_out(labelled, 1)
    rule = decision_rule(model, labelled, [low, high])
    seeded = labelled.theme_sets.any(axis=0)
    expected = np.mean([theme_thresholds(part.scores, labelled.theme_sets) for part in (low, high)], axis=0)
    assert rule.thresholds[seeded] == pytest.approx(rule.probabilities(expected)[seeded])
    assert rule.thresholds[seeded][0] == pytest.approx(rule.probabilities(np.full(4, 0.5))[0])


def test_a_theme_without_seeds_is_not_given_to_texts_without_its_words(labelled: Labelled, model: ThemeModel) -> None:
    """The threshold of a theme that has only its card lies above the score of a text that has none of its terms."""
    rule = decision_rule(model, labelled, [held_out(labelled, 0)])
    column = [card.id for card in labelled.cards].index("lighthouses")
    (scores,) = model.decision_function(["The canteen serves soup on Thursdays."])
    assert rule.decide(rule.probabilities(scores)[None, :])[0, column] != AUTO
    (scores,) = model.decision_function(["The keeper of the light sounded the foghorn of the light station."])
    assert rule.decide(rule.probabilities(scores)[None, :])[0, column] == AUTO


def test_nothing_is_near_where_reviews_would_be_wrong(labelled: Labelled, model: ThemeModel) -> None:
    """When texts without a theme score just below the threshold, no theme is given for review."""
    part = held_out(labelled, 0)
    none = ~labelled.theme_sets.any(axis=1)
    part.scores[none] = -0.01
    assert decision_rule(model, labelled, [part]).nearness == 1.0


def test_the_strongest_cards_within_one_standard_error_are_chosen(labelled: Labelled) -> None:
    """Of strengths that do as well as the best the largest is taken; one that does clearly worse is not."""
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0)
    good = np.where(labelled.theme_sets, 1.0, -1.0)
    bad = np.random.default_rng(7).normal(size=good.shape)
    scores = {strength: bad if strength > 0.35 else good for strength in CARD_STRENGTHS}
    chosen, tried = validation._choose_strength(labelled.theme_sets, {"stratified": folds}, {"stratified": scores})
    assert chosen == 0.35
    assert tried[0.35] == 1.0 > tried[0.7]


def test_no_text_is_scored_by_a_model_that_saw_it(labelled: Labelled) -> None:
    """With themes dealt out at random, held-out scores tell next to nothing of them, however well the model fits."""
    dealt = np.random.default_rng(7).permutation(labelled.theme_sets)
    found = cross_validate(replace(labelled, theme_sets=dealt))
    scores = found.held_out["stratified"].scores
    assert set(found.held_out) == {"stratified", "by_source"}
    assert best_f1_threshold(scores[:, 1], dealt[:, 1])[1] < 0.6


def test_seeds_that_are_all_alike_are_refused(labelled: Labelled) -> None:
    """Where nothing can be held out, training is refused with the remedy."""
    with pytest.raises(SeedsError, match="Add seeds of other texts"):
        cross_validate(replace(labelled, groups=np.zeros_like(labelled.groups)))
