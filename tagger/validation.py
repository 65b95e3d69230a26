"""Cross-validation: scores of texts by models that did not see them, and what is chosen by them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagger.classifiers import fit_linear
from tagger.cleaning import Tokens
from tagger.decisions import NOTHING, DecisionRule
from tagger.errors import SeedsError
from tagger.evaluation import micro_f1
from tagger.features import CardCounts
from tagger.folds import Fold, Groups, source_folds, stratified_folds
from tagger.model import ThemeModel
from tagger.themes import ThemeCard
from tagger.thresholds import card_only_threshold, pooled_curve, probability_curves, theme_thresholds

CARD_STRENGTHS = (0.0, 0.25, 0.35, 0.5, 0.7)
REPEATS = 3
"""How often the stratified folds are drawn anew for the thresholds."""

NEARNESS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
LEAST_CARD_SCORE = 0.25
"""The least card score at which a theme without seeds is given: about the median best threshold on the cards of the
26 shipped themes over the starter seeds. With few themes to learn from, the median of theirs says little."""

LEAST_PROBABILITY = 1e-6
"""The lowest threshold: a probability of nothing gives no theme."""

Scores = NDArray[np.float64]
ThemeSets = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts and card terms read once, the texts' themes (n_texts, n_themes), the cards, groups and sources."""

    read: Sequence[Tokens]
    counts: CardCounts
    theme_sets: ThemeSets
    cards: Sequence[ThemeCard]
    groups: Groups
    sources: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of texts by models that did not see them: (n_rows, n_themes), for these rows of the texts."""

    rows: NDArray[np.intp]
    scores: Scores


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """The card strength that was chosen, the mean F1 of each that was tried, and held-out scores with the chosen one.

    `held_out` holds them from stratified folds, and from folds by source where there are enough sources.
    """

    card_strength: float
    tried: dict[float, float]
    held_out: dict[str, HeldOut]


def cross_validate(labelled: Labelled, tick: Callable[[float], None] = lambda _done: None) -> CrossValidation:
    """Choose the card strength and collect held-out scores; `tick` is told the part that is done, 0 to 1.

    Random folds flatter, since an archive comes from other offices than the seeds; so where seeds name their
    sources, each source is held out too. Raises SeedsError where there are not two groups to part.
    """
    if labelled.groups.max() < 1:
        raise SeedsError(
            ["All seeds are alike or from one page. Add seeds of other texts, so that some can be held out."]
        )
    drawn = [stratified_folds(labelled.theme_sets, labelled.groups, seed) for seed in range(REPEATS)]
    kinds = {"stratified": drawn[0], "by_source": source_folds(labelled.sources, labelled.groups)}
    kinds = {kind: folds for kind, folds in kinds.items() if folds}
    counter = _Counter(sum(map(len, [*kinds.values(), *drawn[1:]])), tick)
    scores = {kind: _held_out_scores(labelled, folds, CARD_STRENGTHS, counter) for kind, folds in kinds.items()}
    strength, tried = _choose_strength(labelled.theme_sets, kinds, scores)
    again = [_held_out_scores(labelled, folds, [strength], counter)[strength] for folds in drawn[1:]]
    stratified = np.mean([scores["stratified"][strength], *again], axis=0)
    held_out = {"stratified": HeldOut(np.arange(len(labelled.read)), stratified)}
    if "by_source" in kinds:
        rows = np.sort(np.concatenate([test for _, test in kinds["by_source"]]))
        held_out["by_source"] = HeldOut(rows, scores["by_source"][strength][rows])
    return CrossValidation(strength, tried, held_out)


class _Counter:
    def __init__(self, total: int, tick: Callable[[float], None]) -> None:
        self._done, self._total, self._tick = 0, total, tick

    def count(self) -> None:
        self._done += 1
        self._tick(self._done / self._total)


def _held_out_scores(
    labelled: Labelled, folds: Sequence[Fold], strengths: Sequence[float], counter: _Counter
) -> dict[float, Scores]:
    """Return for each card strength the scores of all held-out texts; rows that no fold holds out stay 0."""
    scores = {strength: np.zeros(labelled.theme_sets.shape) for strength in strengths}
    for train, test in folds:
        model = ThemeModel.for_corpus(labelled.cards, len(labelled.read))
        try:
            features, card_scores = model.fit_features([labelled.read[row] for row in train], labelled.counts.of(train))
        except ValueError as error:  # scikit-learn's word for an empty vocabulary
            raise SeedsError(["The seeds share no words to learn from. Add more of them, or longer ones."]) from error
        test_features = model.features([labelled.read[row] for row in test], labelled.counts.of(test))
        for strength in strengths:
            theme_sets = labelled.theme_sets[train]
            linear = fit_linear(features, card_scores, theme_sets, card_strength=strength, c=model.c)
            scores[strength][test] = linear.scores(*test_features)
        counter.count()
    return scores


def _choose_strength(
    theme_sets: ThemeSets, kinds: dict[str, list[Fold]], scores: dict[str, dict[float, Scores]]
) -> tuple[float, dict[float, float]]:
    """Return the largest card strength within one standard error of the best (Breiman et al. 1984), and the F1 of each.

    The largest, because seeds are always easier than an archive, and trust the cards too little.
    """
    means: dict[float, float] = {}
    errors: dict[float, float] = {}
    for strength in CARD_STRENGTHS:
        f1 = [_fold_f1(theme_sets, folds, scores[kind][strength]) for kind, folds in kinds.items()]
        means[strength] = float(np.mean([np.mean(of_kind) for of_kind in f1]))
        variance = sum(np.var(of_kind, ddof=1) / len(of_kind) for of_kind in f1)
        errors[strength] = float(np.sqrt(variance)) / len(f1)
    best = max(means, key=lambda strength: means[strength])
    within = [strength for strength in CARD_STRENGTHS if means[strength] >= means[best] - errors[best]]
    return max(within), {strength: round(mean, 6) for strength, mean in means.items()}


def _fold_f1(theme_sets: ThemeSets, folds: list[Fold], scores: Scores) -> list[float]:
    rows = np.concatenate([test for _, test in folds])
    seeded = theme_sets.any(axis=0)
    scores, theme_sets = scores[:, seeded], theme_sets[:, seeded]
    given = scores >= theme_thresholds(scores[rows], theme_sets[rows])
    return [micro_f1(given[test], theme_sets[test]) for _, test in folds]


def decision_rule(model: ThemeModel, labelled: Labelled, held_out: Collection[HeldOut]) -> DecisionRule:
    """Set thresholds and probability curves from held-out scores; for themes without seeds, from the others' cards."""
    linear, learned = model.linear_, model.linear_.learned
    truth = labelled.theme_sets[:, learned]
    thresholds, slope, intercept = np.zeros((3, len(learned)))
    own = [theme_thresholds(part.scores[:, learned], truth[part.rows]) for part in held_out]
    thresholds[learned] = np.mean(own, axis=0)
    rows = np.concatenate([part.rows for part in held_out])
    scores = np.concatenate([part.scores for part in held_out])
    slope[learned], intercept[learned] = probability_curves(scores[:, learned], truth[rows])
    if not learned.all():
        alone = linear.card_only_scores(model.features(labelled.read, labelled.counts)[1])[:, learned]
        least = linear.intercept[~learned] + LEAST_CARD_SCORE * linear.card_coef[~learned]
        thresholds[~learned] = np.maximum(card_only_threshold(alone, truth), least)
        slope[~learned], intercept[~learned] = pooled_curve(alone, truth)
    rule = DecisionRule(slope, intercept, np.zeros_like(slope), 1.0)
    rule = replace(rule, thresholds=np.maximum(rule.probabilities(thresholds), LEAST_PROBABILITY))
    of_seeded = DecisionRule(slope[learned], intercept[learned], rule.thresholds[learned], 1.0)
    return replace(rule, nearness=_nearness(of_seeded, of_seeded.probabilities(scores[:, learned]), truth[rows]))


def _nearness(rule: DecisionRule, probabilities: Scores, theme_sets: ThemeSets) -> float:
    """Return how near to its threshold the best theme must be to be given for review: what gives the best F1."""
    f1 = {
        nearness: micro_f1(replace(rule, nearness=nearness).decide(probabilities) != NOTHING, theme_sets)
        for nearness in NEARNESS
    }
    return max(NEARNESS, key=lambda nearness: (f1[nearness], nearness))
