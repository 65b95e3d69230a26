"""What held-out scores settle: by hand-made scores, where the right answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tagger.cleaning import Tokens
from tagger.decisions import AUTO, NOTHING, REVIEW, DecisionRule
from tagger.folds import source_folds, stratified_folds
from tagger.model import Recipe, ThemeModel
from tagger.promises import Promise, keep
from tagger.rules import cross_fitted_decisions, decision_rule, domain_of
from tagger.tagging import Tagger
from tagger.thresholds import RULES, Rule, theme_thresholds
from tagger.validation import HeldOut, Labelled, cross_fitted

NO_PROMISE = [None] * 4


@pytest.fixture(scope="module")
def model(labelled: Labelled) -> ThemeModel:
    """A model fitted on all of them."""
    model = ThemeModel.for_corpus(labelled.cards, len(labelled.read), Recipe())
    return model.fit(labelled.read, labelled.theme_sets)


def decided(rule: DecisionRule, scores: NDArray[np.float64]) -> list[int]:
    """Return what is decided on one text without conflict."""
    return rule.decide(rule.probabilities(scores)[None, :], np.zeros((1, len(scores)), dtype=bool))[0].tolist()


def held_out(labelled: Labelled, shift: float) -> HeldOut:
    """Return scores that are right for every text, and higher by `shift` throughout."""
    everything = np.arange(len(labelled.read))
    scores = np.where(labelled.theme_sets, 1.0, -1.0) + shift
    return HeldOut([(everything, everything)], scores, np.zeros(scores.shape, dtype=bool), everything)


def synthetic(n: int, sharpness: float, draw: int = 0) -> tuple[Labelled, list[HeldOut]]:
    """Return truths of `n` texts and three themes, with two parts of scores that tell them more or less."""
    random = np.random.default_rng(draw)
    truth = random.random((n, 3)) < 0.4
    labelled = Labelled([Tokens([], [], 0)] * n, truth, [], np.arange(n), [None] * n)
    parts = []
    for _ in range(2):
        scores = sharpness * np.where(truth, 1.0, -1.0) + random.normal(size=truth.shape)
        tests = np.array_split(random.permutation(n), 3)
        folds = [(np.setdiff1d(np.arange(n), test), test) for test in tests]
        parts.append(HeldOut(folds, scores, random.random(truth.shape) < 0.1, labelled.groups))
    return labelled, parts


@pytest.mark.parametrize("rule", RULES)
def test_thresholds_are_the_mean_over_kinds_of_folds(labelled: Labelled, model: ThemeModel, rule: Rule) -> None:
    """A theme's threshold lies midway between that of stratified folds and that of folds by source."""
    low, high = held_out(labelled, 0), held_out(labelled, 1)
    found, _ = decision_rule(model, labelled, [low, high], rule, NO_PROMISE)
    seeded = labelled.theme_sets.any(axis=0)
    truth = labelled.theme_sets[:, seeded]
    expected = np.zeros(4)
    expected[seeded] = np.mean([RULES[rule](part.scores[:, seeded], truth) for part in (low, high)], axis=0)
    assert found.thresholds[seeded] == pytest.approx(found.probabilities(expected)[seeded])
    assert found.thresholds[seeded][0] == pytest.approx(found.probabilities(np.full(4, 0.5))[0])
    np.testing.assert_array_equal(found.auto_thresholds, found.thresholds)


def test_a_theme_without_seeds_is_not_given_to_texts_without_its_words(labelled: Labelled, model: ThemeModel) -> None:
    """The threshold of a theme that has only its card lies above the score of a text that has none of its terms."""
    rule, _ = decision_rule(model, labelled, [held_out(labelled, 0)], "per_theme", NO_PROMISE)
    column = [card.id for card in labelled.cards].index("lighthouses")
    (scores,) = model.decision_function(["The canteen serves soup on Thursdays."])
    assert decided(rule, scores)[column] == NOTHING
    (scores,) = model.decision_function(["The keeper of the light sounded the foghorn of the light station."])
    assert decided(rule, scores)[column] == AUTO


def test_a_theme_without_seeds_keeps_no_promise(labelled: Labelled, model: ThemeModel) -> None:
    """Where a precision is promised of a theme that has only its card, nothing shows that it is kept."""
    column = [card.id for card in labelled.cards].index("lighthouses")
    precision = [None] * column + [0.9]
    rule, promises = decision_rule(model, labelled, [held_out(labelled, 0)], "per_theme", precision)
    assert rule.auto_thresholds[column] == np.inf
    assert promises[:column] == [None] * column
    assert promises[column] == keep(0.9, np.zeros(0), np.zeros(0, dtype=bool), 0.0) == Promise(0.9, np.inf, 25)


def test_nothing_is_near_where_reviews_would_be_wrong(labelled: Labelled, model: ThemeModel) -> None:
    """When texts without a theme score just below the threshold, no theme is given for review."""
    part = held_out(labelled, 0)
    none = ~labelled.theme_sets.any(axis=1)
    part.scores[none] = -0.01
    assert decision_rule(model, labelled, [part], "per_theme", NO_PROMISE)[0].nearness == 1.0


def test_the_best_is_given_where_it_is_mostly_right(labelled: Labelled, model: ThemeModel) -> None:
    """When texts with a theme score just below the threshold, the theme nearest to its own is given for review."""
    part = held_out(labelled, 0)
    some, others = np.flatnonzero(labelled.theme_sets[:, 1])[:4], np.flatnonzero(labelled.theme_sets[:, 2])[:8]
    part.scores[some, 1] = -0.5
    part.scores[others, 1] = -0.5  # no reason for a lower threshold: these would be wrong, but have another theme
    rule, _ = decision_rule(model, labelled, [part], "global", NO_PROMISE)
    assert rule.nearness < 1
    assert (rule.probabilities(part.scores[some])[:, 1] < rule.thresholds[1]).all()
    decisions = rule.decide(rule.probabilities(part.scores[some]), part.opposed[some])
    assert (decisions[:, 1] != NOTHING).all()


def test_a_promise_is_kept_on_every_part_by_tags_without_conflict() -> None:
    """The threshold for `auto` is the highest that a part needs; texts where the learned words oppose do not count."""
    labelled, parts = synthetic(600, 1.0)
    for part in parts:
        wrong = ~labelled.theme_sets & part.opposed
        part.scores[wrong] = 9.0  # sure and wrong, but in conflict: never given without a look
    model = _Fitted(3)
    rule, promises = decision_rule(model, labelled, parts, "per_theme", [0.9, 0.9, None])  # type: ignore[arg-type]
    for theme in (0, 1):
        each = []
        for part in parts:
            rows = ~part.opposed[:, theme]
            probabilities = rule.probabilities(part.scores)[rows, theme]
            each.append(keep(0.9, probabilities, labelled.theme_sets[rows, theme], rule.thresholds[theme]))
        assert all(promise.threshold < np.inf for promise in each)
        assert rule.auto_thresholds[theme] == max(promise.threshold for promise in each)
        assert promises[theme] == Promise(0.9, rule.auto_thresholds[theme], None)
        assert rule.auto_thresholds[theme] > rule.thresholds[theme]
        for part in parts:
            auto = rule.decide(rule.probabilities(part.scores), part.opposed)[:, theme] == AUTO
            assert labelled.theme_sets[auto, theme].mean() >= 0.9
    assert promises[2] is None
    assert rule.auto_thresholds[2] == rule.thresholds[2]


class _Fitted:
    """All that is asked of a model whose themes all have seeds."""

    def __init__(self, n_themes: int) -> None:
        self.linear_ = self
        self.learned: NDArray[np.bool_] = np.ones(n_themes, dtype=bool)


def test_no_fold_decides_on_itself() -> None:
    """With the truths of one fold turned around, its own decisions and probabilities stay; those of others do not."""
    labelled, parts = synthetic(120, 0.8)
    themes, promised = np.array([0, 2]), [0.7, 0.7, None]
    before = cross_fitted_decisions(labelled, parts, "per_theme", promised, themes)
    for number, part in enumerate(parts):
        for _, test in part.folds[:1]:
            truth = labelled.theme_sets.copy()
            truth[test] = ~truth[test]
            turned = replace(labelled, theme_sets=truth)
            after = cross_fitted_decisions(turned, parts, "per_theme", promised, themes)
            np.testing.assert_array_equal(after[number].probabilities[test], before[number].probabilities[test])
            np.testing.assert_array_equal(after[number].decisions[test], before[number].decisions[test])
            assert (after[number].probabilities != before[number].probabilities).any()


def mirrored(n: int) -> tuple[Labelled, list[HeldOut], NDArray[np.intp]]:
    """Return texts of two sources, two in three of which have a near-duplicate in the other, and those groups."""
    labelled, parts = synthetic(3 * n, 0.8)
    groups = np.concatenate([np.arange(n), np.arange(n), np.arange(n, 2 * n)])
    north = np.concatenate([np.arange(n), np.arange(2 * n, 2 * n + n // 2)])
    south = np.setdiff1d(np.arange(3 * n), north)
    by_source = [(np.setdiff1d(rest, np.flatnonzero(np.isin(groups, groups[test]))), test)
                 for test, rest in ((north, south), (south, north))]  # fmt: skip
    tests = [np.flatnonzero(groups % 3 == fold) for fold in range(3)]
    stratified = [(np.setdiff1d(np.arange(3 * n), test), test) for test in tests]
    both = zip(parts, (stratified, by_source), strict=True)
    return labelled, [replace(part, folds=folds, groups=groups) for part, folds in both], groups


@pytest.mark.parametrize("rule", RULES)
def test_no_fold_is_decided_by_near_duplicates_of_its_texts(rule: Rule) -> None:
    """With the truths of a source's copies in the other source turned around, all that is decided on it stays."""
    labelled, parts, groups = mirrored(60)
    promised = [0.7, None, None]
    before = cross_fitted_decisions(labelled, parts, rule, promised, np.arange(3))
    given = cross_fitted(parts, labelled.theme_sets, RULES[rule])
    for number, part in enumerate(parts):
        for _, test in part.folds:
            copies = np.isin(groups, groups[test])
            truth = labelled.theme_sets.copy()
            truth[copies] = ~truth[copies]
            turned = replace(labelled, theme_sets=truth)
            after = cross_fitted_decisions(turned, parts, rule, promised, np.arange(3))
            np.testing.assert_array_equal(after[number].probabilities[test], before[number].probabilities[test])
            np.testing.assert_array_equal(after[number].decisions[test], before[number].decisions[test])
            np.testing.assert_array_equal(cross_fitted(parts, truth, RULES[rule])[number][test], given[number][test])
            assert (after[number].probabilities != before[number].probabilities).any()


def test_decisions_on_held_out_texts_see_conflicts() -> None:
    """Where the learned words oppose a theme, it is given for review at most on held-out texts too, as in use."""
    labelled, parts = synthetic(200, 3.0)
    for number, found in enumerate(cross_fitted_decisions(labelled, parts, "global", [None] * 3, np.arange(3))):
        opposed = parts[number].opposed[found.rows]
        assert (found.decisions[opposed] == REVIEW).any()
        assert not (found.decisions[opposed] == AUTO).any()
        assert (found.decisions[~opposed] == AUTO).any()


def test_further_draws_move_thresholds_and_nothing_else(labelled: Labelled, model: ThemeModel) -> None:
    """A threshold is the mean over the draws; probabilities rest on the scores of the first alone."""
    part = held_out(labelled, 0)
    further = replace(part, more=(part.scores + 0.1, part.scores + 0.2))
    (alone, _), (found, _) = (decision_rule(model, labelled, [one], "per_theme", NO_PROMISE) for one in (part, further))
    seeded = labelled.theme_sets.any(axis=0)
    np.testing.assert_array_equal(found.slope, alone.slope)
    np.testing.assert_array_equal(found.intercept, alone.intercept)
    limits = found.score_thresholds()[seeded] - alone.score_thresholds()[seeded]
    assert limits == pytest.approx(0.1, abs=1e-3)


def test_only_texts_of_folds_are_decided() -> None:
    """A part that holds out some of the texts gives decisions for those, in their order."""
    labelled, parts = synthetic(100, 2.0)
    (_, first), (_, second), *_ = parts[1].folds
    some = replace(parts[1], folds=[(second, first), (first, second)])
    _, found = cross_fitted_decisions(labelled, [parts[0], some], "global", [None] * 3, np.arange(3))
    assert found.rows.tolist() == sorted([*first.tolist(), *second.tolist()])
    right = (found.decisions != NOTHING) == labelled.theme_sets[found.rows]
    assert right.mean() > 0.9


def test_a_part_whose_texts_are_all_held_out_says_nothing() -> None:
    """Where a fold holds out all texts of another part at once, the texts of the first part decide alone."""
    labelled, parts = synthetic(100, 2.0)
    (rest, test), *_ = parts[0].folds
    by_source = replace(parts[0], folds=[(rest, test[:5]), (rest, test[5:])])
    alone, _ = cross_fitted_decisions(labelled, [parts[0], by_source], "per_theme", [None] * 3, np.arange(3))
    expected = theme_thresholds(parts[0].scores[rest], labelled.theme_sets[rest])
    given = alone.decisions[test] != NOTHING
    assert given[(parts[0].scores[test] >= expected + 1e-3)].all()


def test_the_domain_holds_all_seeds_but_the_odd(labelled: Labelled) -> None:
    """Limits are set by held-out seeds: nearly all lie within, and few words are asked for where seeds are short."""
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0)
    domain = domain_of(labelled, folds)
    assert domain.least_words == domain.limits[0].words == 20 < min(len(read.words) for read in labelled.read)
    assert np.sqrt((domain.mean**2).sum()) == pytest.approx(1)
    assert [limits.words for limits in domain.limits] == sorted({limits.words for limits in domain.limits})
    assert all(0 < limits.least_likeness < 1 and 0 <= limits.most_unseen < 1 for limits in domain.limits)
    short = [Tokens(read.raw[:9], read.words[:9], 9) for read in labelled.read]
    cut = replace(labelled, read=short)
    assert domain_of(cut, folds).least_words == 9


def test_the_domain_is_learned_from_texts_that_were_held_out(labelled: Labelled) -> None:
    """Words of its own make a held-out seed strange; a limit by models that saw the seed would not know them."""
    own = [[f"own{chr(97 + row // 26)}{chr(97 + row % 26)}{letter}" for letter in "abcde"] for row in range(46)]
    read = [
        Tokens([*words, *text.raw], [*words, *text.words], text.lead)
        for words, text in zip(own, labelled.read, strict=True)
    ]
    told = replace(labelled, read=read)
    everything = np.arange(len(read))
    held, seen = (
        domain_of(told, folds)
        for folds in (stratified_folds(told.theme_sets, told.groups, 0), [(everything, everything)])
    )
    for limits, flattering in zip(held.limits, seen.limits, strict=True):
        assert limits.most_unseen >= 5 / max(len(set(text.words)) for text in read)
        assert flattering.most_unseen == 0
        assert limits.least_likeness < flattering.least_likeness


def test_the_domain_of_a_version_is_that_of_its_held_out_texts(labelled: Labelled, tiny_tagger: Tagger) -> None:
    """Training sets the limits by the folds it measures on, of both kinds, and not by texts its models saw."""
    folds = [
        *stratified_folds(labelled.theme_sets, labelled.groups, 0),
        *source_folds(labelled.sources, labelled.groups),
    ]
    assert domain_of(labelled, folds).as_record() == tiny_tagger.domain.as_record()
    everything = np.arange(len(labelled.read))
    assert domain_of(labelled, [(everything, everything)]).as_record() != tiny_tagger.domain.as_record()
