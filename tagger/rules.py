"""What held-out scores settle: the decision rule, what it promises, and the domain it holds for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.counts import Rows, Seen
from tagger.decisions import NOTHING, Codes, DecisionRule
from tagger.domain import Domain, Limits
from tagger.folds import Fold
from tagger.model import ThemeModel
from tagger.promises import Promise, keep
from tagger.thresholds import RULES, Rule, card_only_threshold, pooled_curve, probability_curves
from tagger.validation import HeldOut, Labelled, Scores, ThemeSets, others

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
    alone = linear.card_only_scores(model.features(labelled.read, labelled.card_counts)[1])[:, learned]
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
    shape = len(labelled.theme_sets), len(themes)
    found = [Decided(part.rows, np.zeros(shape), np.zeros(shape, dtype=np.int8)) for part in parts]
    for place, test, left in others(parts):
        some = [_Some(other, rows, chosen) for rows, other in left]
        of_others, _ = _seeded_rule(some, labelled, rule, promised)
        given, part = found[place], parts[place]
        given.probabilities[test] = of_others.probabilities(part.scores[np.ix_(test, themes)])
        given.decisions[test] = of_others.decide(given.probabilities[test], part.opposed[np.ix_(test, themes)])
    return [Decided(given.rows, given.probabilities[given.rows], given.decisions[given.rows]) for given in found]


@dataclass(frozen=True)
class _Some:
    """Some rows and themes of a part."""

    part: HeldOut
    rows: Rows
    themes: ThemeSets  # (n_themes,)

    @cached_property
    def scores(self) -> Scores:
        return self.of(self.part.scores)

    @cached_property
    def opposed(self) -> ThemeSets:
        return self.of(self.part.opposed)

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return these rows and themes of something, (n_rows, n_themes), theme by theme in memory, as it is read."""
        return np.asfortranarray(values[np.ix_(self.rows, self.themes)])

    def thresholds(self, theme_sets: ThemeSets, rule: Rule) -> Scores:
        draws = [scores[:, self.themes] for scores in (self.part.scores, *self.part.more)]
        some = replace(self.part, scores=draws[0], more=tuple(draws[1:]))
        return some.thresholds(self.rows, theme_sets[:, self.themes], RULES[rule])


def _seeded_rule(
    some: Sequence[_Some], labelled: Labelled, rule: Rule, precision: Sequence[float | None]
) -> tuple[DecisionRule, list[Promise | None]]:
    """Return the rule for themes with seeds, and how their promises are kept: on every part."""
    scores = [of_part.scores for of_part in some]
    truths = [of_part.of(labelled.theme_sets) for of_part in some]
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
                keep(wanted, p[clear, theme], truth[clear, theme], threshold)
                for p, truth, clear in zip(
                    probabilities, truths, (~of_part.opposed[:, theme] for of_part in some), strict=True
                )
            ]
        )
        for theme, (wanted, threshold) in enumerate(zip(precision, found.thresholds.tolist(), strict=True))
    ]
    auto = [
        threshold if promise is None else promise.threshold
        for promise, threshold in zip(promises, found.thresholds.tolist(), strict=True)
    ]
    found = replace(found, auto_thresholds=np.array(auto))
    return replace(found, nearness=_nearness(found, np.concatenate(probabilities), np.concatenate(truths))), promises


def _kept_everywhere(promises: Sequence[Promise]) -> Promise:
    """Return the promise that needs the highest threshold, or that is kept nowhere."""
    return max(promises, key=lambda promise: (promise.threshold, promise.needed is None, promise.needed or 0))


def _unproved(precision: float) -> Promise:
    return keep(precision, np.zeros(0), np.zeros(0, dtype=bool), 0.0)


def _nearness(rule: DecisionRule, probabilities: Scores, theme_sets: ThemeSets) -> float:
    """Return how near to its threshold the best theme must be to be given for review: what gives the best F1."""
    never, always = (
        replace(rule, nearness=nearness).decide(probabilities, np.zeros(theme_sets.shape, dtype=bool)) != NOTHING
        for nearness in (np.inf, 0.0)
    )
    texts, themes = np.nonzero(always & ~never)
    share, right = probabilities[texts, themes] / rule.thresholds[themes], theme_sets[texts, themes]
    hits, size = (never & theme_sets).sum(), max(1, never.sum() + theme_sets.sum())
    f1 = {
        nearness: round(2 * (hits + right[share >= nearness].sum()) / (size + (share >= nearness).sum()), 6)
        for nearness in NEARNESS
    }
    return max(NEARNESS, key=lambda nearness: (f1[nearness], nearness))


def domain_of(labelled: Labelled, folds: Sequence[Fold]) -> Domain:
    """Return what texts are like that the rule holds for, by how unlike the others held-out seeds are.

    Texts that are shorter than seeds are judged by the beginnings of seeds.
    """
    sizes = [len(read.words) for read in labelled.read]
    shortest = int(np.quantile(sizes, ODD_SEEDS))
    least = min(FEW_WORDS, shortest)
    beginnings = [length for length in BEGINNINGS if least <= length < shortest]
    seen = [labelled.words.words, *map(labelled.words.beginnings, beginnings)]
    measured = [_strangeness(seen, labelled.words.least["words"], *fold) for fold in folds]
    unseen, likeness = np.concatenate(measured, axis=2)
    limits = [
        Limits(length, float(np.quantile(more, 1 - ODD_SEEDS)), float(np.quantile(less, ODD_SEEDS)))
        for length, more, less in zip([shortest, *beginnings], unseen, likeness, strict=True)
    ]
    values, _ = Seen.of(seen[0], labelled.words.least["words"]).tf_idf(seen[0])
    return Domain(_direction(values), least, sorted(limits))


def _strangeness(texts: Sequence[sp.csr_matrix], least: int, train: Rows, test: Rows) -> Scores:
    """Return how strange held-out texts are, whole (the first counts) and cut, (2, n_lengths, n_test).

    That is the share of unseen words, and the likeness to the mean of the seen texts.
    """
    whole = texts[0][train]
    seen = Seen.of(whole, least)
    mean = _direction(seen.tf_idf(whole)[0])
    found = []
    for counts in texts:
        values, _ = seen.tf_idf(counts[test])
        different = counts.getnnz(axis=1)[test]
        unseen = (different - values.getnnz(axis=1)) / np.maximum(1, different)
        found.append([unseen, values @ mean])
    return np.swapaxes(np.array(found), 0, 1)


def _direction(values: sp.csr_matrix) -> Scores:
    """Return the mean of texts, of length 1, (n_terms,)."""
    mean = np.asarray(values.mean(axis=0)).ravel()
    return np.asarray(mean / (np.sqrt(np.add.reduce(mean * mean)) or 1.0))
