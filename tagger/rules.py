"""What held-out scores settle: the decision rule, what it promises, and the domain it holds for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import Tokens
from tagger.decisions import NOTHING, Codes, DecisionRule
from tagger.domain import Domain, Limits
from tagger.evaluation import micro_f1
from tagger.features import WordBlocks
from tagger.folds import Fold
from tagger.model import ThemeModel
from tagger.promises import Promise, keep
from tagger.thresholds import RULES, Rule, card_only_threshold, pooled_curve, probability_curves
from tagger.validation import HeldOut, Labelled, Scores, ThemeSets

NEARNESS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
LEAST_CARD_SCORE = 0.25
"""The least card score at which a theme without seeds is given: about the median best threshold on the cards of the
26 shipped themes over the starter seeds. With few themes to learn from, the median of theirs says little."""

LEAST_PROBABILITY = 1e-6
"""The lowest threshold: a probability of nothing gives no theme."""

ODD_SEEDS = 0.01
"""The part of held-out seeds that may fall outside the domain by each measure."""

BEGINNINGS = (20, 40)
"""Words after which held-out seeds are cut to see what shorter texts may be like."""

FEW_WORDS = 20
"""Fewer words than this say too little, unless seeds are as short: of tags over .9 on the beginnings of held-out
starter seeds, .91 are right at 20 words, .88 at 10, .81 at 6, and .99 on whole seeds."""

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a rule set on other folds makes of held-out texts, each (n_rows, n_themes)."""

    rows: Rows
    probabilities: Scores
    decisions: Codes


def decision_rule(
    model: ThemeModel, labelled: Labelled, parts: Sequence[HeldOut], rule: Rule, precision: Sequence[float | None]
) -> tuple[DecisionRule, list[Promise | None]]:
    """Set thresholds and probability curves from held-out scores; for themes without seeds, from the others' cards.

    `precision` holds what is promised of each theme; the answer says how each promise is kept.
    """
    learned = model.linear_.learned
    promised = [precision[theme] for theme in np.flatnonzero(learned).tolist()]
    of_learned, kept = _seeded_rule([_Some(part, part.rows, learned) for part in parts], labelled, rule, promised)
    promises: list[Promise | None] = [None if wanted is None else _unproved(wanted) for wanted in precision]
    for theme, promise in zip(np.flatnonzero(learned).tolist(), kept, strict=True):
        promises[theme] = promise
    if learned.all():
        return of_learned, promises
    return _with_bare_themes(of_learned, model, labelled, np.array([wanted is None for wanted in precision])), promises


def _with_bare_themes(
    of_learned: DecisionRule, model: ThemeModel, labelled: Labelled, unpromised: NDArray[np.bool_]
) -> DecisionRule:
    """Return the rule with themes that have no seeds among the others; they keep no promise, for nothing was seen."""
    linear, learned = model.linear_, model.linear_.learned
    truth = labelled.theme_sets[:, learned]
    alone = linear.card_only_scores(model.features(labelled.read, labelled.counts)[1])[:, learned]
    slope, intercept, thresholds, auto = np.zeros((4, len(learned)))
    slope[~learned], intercept[~learned] = pooled_curve(alone, truth)
    bare = DecisionRule(slope, intercept, thresholds, auto, of_learned.nearness)
    least = linear.intercept + LEAST_CARD_SCORE * linear.card_coef
    limits = bare.probabilities(np.maximum(card_only_threshold(alone, truth), least))
    thresholds[:] = np.maximum(limits, LEAST_PROBABILITY)
    auto[:] = np.where(unpromised, thresholds, np.inf)
    slope[learned], intercept[learned] = of_learned.slope, of_learned.intercept
    thresholds[learned], auto[learned] = of_learned.thresholds, of_learned.auto_thresholds
    return bare


def cross_fitted_decisions(
    labelled: Labelled, parts: Sequence[HeldOut], rule: Rule, precision: Sequence[float | None], themes: Rows
) -> list[Decided]:
    """Return for each part what is decided on each held-out text by a rule that was set without its fold."""
    chosen = np.zeros(labelled.theme_sets.shape[1], dtype=bool)
    chosen[themes] = True
    promised = [precision[theme] for theme in themes.tolist()]
    found = []
    for part in parts:
        probabilities = np.zeros((len(labelled.read), len(themes)))
        decisions = np.zeros(probabilities.shape, dtype=np.int8)
        for _, test in part.folds:
            others = [_Some(other, other.apart(test), chosen) for other in parts]
            of_others, _ = _seeded_rule([some for some in others if len(some.rows)], labelled, rule, promised)
            probabilities[test] = of_others.probabilities(part.scores[np.ix_(test, themes)])
            decisions[test] = of_others.decide(probabilities[test], part.opposed[np.ix_(test, themes)])[0]
        found.append(Decided(part.rows, probabilities[part.rows], decisions[part.rows]))
    return found


@dataclass(frozen=True, slots=True)
class _Some:
    """Some rows and themes of a part."""

    part: HeldOut
    rows: Rows
    themes: ThemeSets  # (n_themes,)

    @property
    def scores(self) -> Scores:
        return self.part.scores[self.rows][:, self.themes]

    def thresholds(self, theme_sets: ThemeSets, rule: Rule) -> Scores:
        draws = [scores[:, self.themes] for scores in (self.part.scores, *self.part.more)]
        some = replace(self.part, scores=draws[0], more=tuple(draws[1:]))
        return some.thresholds(self.rows, theme_sets[:, self.themes], RULES[rule])

    @property
    def opposed(self) -> ThemeSets:
        return self.part.opposed[self.rows][:, self.themes]


def _seeded_rule(
    some: Sequence[_Some], labelled: Labelled, rule: Rule, precision: Sequence[float | None]
) -> tuple[DecisionRule, list[Promise | None]]:
    """Return the rule for themes with seeds, and how their promises are kept: on every part."""
    scores = [of_part.scores for of_part in some]
    truths = [labelled.theme_sets[of_part.rows][:, of_part.themes] for of_part in some]
    opposed = np.concatenate([of_part.opposed for of_part in some])
    slope, intercept = probability_curves(np.concatenate(scores), np.concatenate(truths))
    limits = np.mean([of_part.thresholds(labelled.theme_sets, rule) for of_part in some], axis=0)
    found = DecisionRule(slope, intercept, np.ones_like(slope), np.ones_like(slope), 1.0)
    found = replace(found, thresholds=np.maximum(found.probabilities(limits), LEAST_PROBABILITY))
    probabilities = [found.probabilities(of_part) for of_part in scores]
    promises = [
        None
        if wanted is None
        else _kept_everywhere(
            [
                keep(wanted, p[~of_part.opposed[:, theme], theme], truth[~of_part.opposed[:, theme], theme], threshold)
                for p, truth, of_part in zip(probabilities, truths, some, strict=True)
            ]
        )
        for theme, (wanted, threshold) in enumerate(zip(precision, found.thresholds.tolist(), strict=True))
    ]
    auto = [
        threshold if promise is None else promise.threshold
        for promise, threshold in zip(promises, found.thresholds.tolist(), strict=True)
    ]
    found = replace(found, auto_thresholds=np.array(auto))
    everything = np.concatenate(probabilities), opposed, np.concatenate(truths)
    return replace(found, nearness=_nearness(found, *everything)), promises


def _kept_everywhere(promises: Sequence[Promise]) -> Promise:
    """Return the promise that needs the highest threshold, or that is kept nowhere."""
    return max(promises, key=lambda promise: (promise.threshold, promise.needed is None, promise.needed or 0))


def _unproved(precision: float) -> Promise:
    return keep(precision, np.zeros(0), np.zeros(0, dtype=bool), 0.0)


def _nearness(rule: DecisionRule, probabilities: Scores, opposed: ThemeSets, theme_sets: ThemeSets) -> float:
    """Return how near to its threshold the best theme must be to be given for review: what gives the best F1."""
    f1 = {
        nearness: micro_f1(replace(rule, nearness=nearness).decide(probabilities, opposed)[0] != NOTHING, theme_sets)
        for nearness in NEARNESS
    }
    return max(NEARNESS, key=lambda nearness: (f1[nearness], nearness))


def domain_of(model: ThemeModel, labelled: Labelled, folds: Sequence[Fold]) -> Domain:
    """Return what texts are like that the rule holds for, by how unlike the others held-out seeds are.

    Texts that are shorter than seeds are judged by the beginnings of seeds.
    """
    sizes = [len(read.words) for read in labelled.read]
    shortest = int(np.quantile(sizes, ODD_SEEDS))
    least = min(FEW_WORDS, shortest)
    beginnings = [length for length in BEGINNINGS if least <= length < shortest]
    measured = [_strangeness(model, labelled.read, *fold, [*beginnings, max(sizes)]) for fold in folds]
    unseen, likeness = np.concatenate(measured, axis=2)
    limits = [
        Limits(length, float(np.quantile(more, 1 - ODD_SEEDS)), float(np.quantile(less, ODD_SEEDS)))
        for length, more, less in zip([*beginnings, shortest], unseen, likeness, strict=True)
    ]
    words = model.blocks_.transform(labelled.read)[:, : len(model.blocks_.vectorizers_["words"].idf_)]
    return Domain(_direction(np.asarray(words.mean(axis=0)).ravel()), least, limits)


def _strangeness(model: ThemeModel, read: Sequence[Tokens], train: Rows, test: Rows, lengths: Sequence[int]) -> Scores:
    """Return how strange held-out texts are, cut after so many words, (2, n_lengths, n_test).

    That is the share of unseen words, and the likeness to the mean of the seen texts.
    """
    blocks = WordBlocks(rare_words=model.rare_words)
    seen = blocks.fit_transform([read[row] for row in train])
    vocabulary = blocks.vectorizers_["words"].vocabulary_
    mean = _direction(np.asarray(seen[:, : len(vocabulary)].mean(axis=0)).ravel())
    found = []
    for length in lengths:
        texts = [_beginning(read[row], length) for row in test]
        different = [set(text.words) for text in texts]
        unseen = [sum(word not in vocabulary for word in words) / max(1, len(words)) for words in different]
        found.append([unseen, blocks.transform(texts)[:, : len(vocabulary)] @ mean])
    return np.swapaxes(np.array(found), 0, 1)


def _beginning(read: Tokens, length: int) -> Tokens:
    return Tokens(read.raw[:length], read.words[:length], min(length, read.lead))


def _direction(vector: Scores) -> Scores:
    return vector / (np.sqrt(np.add.reduce(vector * vector)) or 1.0)
