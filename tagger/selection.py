"""Model selection: the recipe that does best on texts held out, within a budget of fits, and what was tried for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tagger.errors import SeedsError
from tagger.folds import Fold, source_folds, stratified_folds
from tagger.model import Recipe
from tagger.thresholds import RULES, Rule, theme_thresholds
from tagger.validation import (
    HeldOut,
    Labelled,
    Scores,
    Themes,
    ThemeSets,
    Thresholds,
    cross_fitted,
    fold_f1,
    hold_out,
)

Effort = Literal["quick", "full"]

BUDGETS: dict[Effort, int] = {"quick": 2_000, "full": 40_000}
"""Classifiers (one theme on one fold) that may be fitted, beside those no training goes without. Fits, not seconds:
the same seeds then give the same model on every machine."""

CARD_STRENGTHS = (0.0, 0.25, 0.35, 0.5, 0.7)
COSTS = (0.5, 1.0, 2.0, 4.0)
REPEATS = 3
"""How often the stratified folds are drawn anew for the thresholds."""

CURVE = (0.25, 0.5)
"""The parts of the texts that the learning curve is measured at, beside all of them."""

MOST_THEMES = 50
"""Of more themes than this, a recipe is chosen on some: frequent ones, rare ones and those between."""

LEAST_EXAMPLES = 5
"""Themes with fewer examples tell too little about a recipe to choose by."""

Step = Literal["card strength", "more draws", "learning curve", "c", "pairs"]
STEPS: tuple[Step, ...] = ("card strength", "more draws", "learning curve", "c", "pairs")
"""What a budget is spent on, the most useful first."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The recipe and the rule of thresholds that were chosen, and the held-out scores to set thresholds by.

    `held_out` holds them by kind of folds: stratified, and by source where there are enough sources. `tried` has
    a row for each candidate with its score (mean of micro and macro F1 on held-out texts), `left_out` the
    steps that the budget did not reach. `curve` is the learning curve, `fits` the number of classifiers fitted.
    """

    recipe: Recipe
    rule: Rule
    held_out: dict[str, HeldOut]
    tried: list[dict[str, Any]]
    left_out: Sequence[str]
    curve: Curve | None
    fits: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Held-out decisions of models that learned from a part of the texts, for some of the themes.

    `texts` says how many texts a model learned from on average, `examples`, (n_sizes, n_themes), how many of each
    theme; `given` holds the decisions at each size.
    """

    themes: Themes
    folds: Sequence[Fold]
    texts: list[int]
    examples: Scores
    given: list[ThemeSets]


def select(labelled: Labelled, effort: Effort, tick: Callable[[float], None] = lambda _done: None) -> Selection:
    """Choose a recipe and collect held-out scores with it; `tick` is told the part that is done, 0 to 1.

    Random folds flatter, since an archive comes from other offices than the seeds; so where seeds name their
    sources, each source is held out too. Raises SeedsError where there are not two groups to part.
    """
    if labelled.groups.max() < 1:
        raise SeedsError(
            ["All seeds are alike or from one page. Add seeds of other texts, so that some can be held out."]
        )
    return _Search(labelled, effort, tick).run()


class _Search:
    def __init__(self, labelled: Labelled, effort: Effort, tick: Callable[[float], None]) -> None:
        self.labelled = labelled
        by_kind = {"stratified": self._draw(0), "by_source": source_folds(labelled.sources, labelled.groups)}
        self.kinds = {kind: folds for kind, folds in by_kind.items() if folds}
        self.themes = telling_themes(labelled.theme_sets)
        self.all_themes = np.arange(labelled.theme_sets.shape[1])
        self.tried: list[dict[str, Any]] = []
        self.fits = 0
        self._known: dict[tuple[Recipe, str], HeldOut] = {}
        self._tick = tick
        self.steps, self._total = self._plan(BUDGETS[effort])

    def _plan(self, budget: int) -> tuple[list[Step], int]:
        """Return the steps that the budget reaches, and the number of fits that there will be."""
        folds = sum(map(len, self.kinds.values()))
        drawn = len(self.kinds["stratified"])
        some, every = len(self.themes), len(self.all_themes)
        costs: dict[Step, int] = {
            "card strength": len(CARD_STRENGTHS) * folds * some,
            "more draws": (REPEATS - 1) * drawn * every,
            "learning curve": len(CURVE) * drawn * some,
            "c": (len(COSTS) - 1) * folds * some,
            # A fit with pairs takes about as long as three without.
            "pairs": 3 * folds * some,
        }
        steps: list[Step] = []
        total = 0
        for step in STEPS:
            if total + costs[step] <= budget:
                steps.append(step)
                total += costs[step]
        return steps, total + folds * every

    def run(self) -> Selection:
        recipe = self._choose_recipe()
        every = [self._hold_out(kind, folds, [recipe], self.all_themes)[0] for kind, folds in self.kinds.items()]
        held_out = dict(zip(self.kinds, every, strict=True))
        curve = self._curve(recipe, held_out["stratified"]) if "learning curve" in self.steps else None
        if "more draws" in self.steps:
            held_out["stratified"] = self._with_more_draws(recipe, held_out["stratified"])
        rule = self._choose_rule(held_out)
        left_out = [step for step in STEPS if step not in self.steps]
        return Selection(recipe, rule, held_out, self.tried, left_out, curve, self.fits)

    def _choose_recipe(self) -> Recipe:
        recipe = Recipe.usual(len(self.labelled.read))
        if "card strength" in self.steps:
            tried = [replace(recipe, card_strength=strength) for strength in CARD_STRENGTHS]
            scores = self._try("card strength", tried, CARD_STRENGTHS)
            recipe = tried[strongest_within_error(scores)]
        if "c" in self.steps:
            recipe = self._choose_if_better("c", recipe, [replace(recipe, c=c) for c in COSTS], COSTS)
        if "pairs" in self.steps:
            both = (recipe.pairs, not recipe.pairs)
            recipe = self._choose_if_better("pairs", recipe, [replace(recipe, pairs=pairs) for pairs in both], both)
        return recipe

    def _choose_if_better(self, what: str, usual: Recipe, recipes: Sequence[Recipe], values: Sequence[Any]) -> Recipe:
        scores = self._try(what, recipes, values)
        return recipes[best_beyond_error(scores, recipes.index(usual))]

    def _try(self, what: str, recipes: Sequence[Recipe], values: Sequence[Any]) -> list[list[Scores]]:
        """Return the F1 of each recipe on each fold of each kind."""
        truth = self.labelled.theme_sets[:, self.themes]
        by_kind = [self._hold_out(kind, folds, recipes, self.themes) for kind, folds in self.kinds.items()]
        scores = [_fold_scores(parts, truth) for parts in zip(*by_kind, strict=True)]
        self._note(what, values, scores)
        return scores

    def _note(self, what: str, values: Iterable[Any], scores: Sequence[list[Scores]]) -> None:
        """Keep what was tried: its score, how far it is behind the best, and the standard error of that distance."""
        best = max(scores, key=_mean)
        for value, of_value in zip(values, scores, strict=True):
            behind = _gains(best, of_value)
            figures = {"score": _mean(of_value), "behind": _mean(behind), "standard_error": _error(behind)}
            rounded = {name: round(figure, 6) for name, figure in figures.items()}
            self.tried.append({"what": what, "value": value, **rounded})

    def _hold_out(self, kind: str, folds: Sequence[Fold], recipes: Sequence[Recipe], themes: Themes) -> list[HeldOut]:
        """Return what models of recipes give held-out texts; what was computed for all themes is kept."""
        new = [recipe for recipe in recipes if (recipe, kind) not in self._known]
        found = dict(zip(new, hold_out(self.labelled, folds, new, themes, self._count), strict=True))
        if len(themes) == len(self.all_themes):
            self._known |= {(recipe, kind): part for recipe, part in found.items()}
        else:
            return [found[recipe] for recipe in recipes]
        return [self._known[recipe, kind] for recipe in recipes]

    def _with_more_draws(self, recipe: Recipe, first: HeldOut) -> HeldOut:
        """Return the scores of the first draw of the stratified folds with those of the others."""
        others = [self._draw(seed) for seed in range(1, REPEATS)]
        draws = [hold_out(self.labelled, folds, [recipe], self.all_themes, self._count) for folds in others]
        return replace(first, more=tuple(part.scores for (part,) in draws))

    def _draw(self, seed: int) -> list[Fold]:
        return stratified_folds(self.labelled.theme_sets, self.labelled.groups, seed)

    def _choose_rule(self, held_out: dict[str, HeldOut]) -> Rule:
        truth = self.labelled.theme_sets
        seeded = np.flatnonzero(truth.any(axis=0))
        scores = [_fold_scores(list(held_out.values()), truth, seeded, thresholds) for thresholds in RULES.values()]
        self._note("thresholds", RULES, scores)
        return list(RULES)[best_beyond_error(scores, 0)]

    def _curve(self, recipe: Recipe, at_full: HeldOut) -> Curve:
        """Measure models that learned from parts of the texts on the same held-out texts."""
        truth = self.labelled.theme_sets[:, self.themes]
        sizes = [[_fewer(fold, part, self.labelled.groups) for fold in self.kinds["stratified"]] for part in CURVE]
        parts = [hold_out(self.labelled, folds, [recipe], self.themes, self._count)[0] for folds in sizes]
        parts.append(replace(at_full, scores=at_full.scores[:, self.themes]))
        trained = [[train for train, _ in part.folds] for part in parts]
        return Curve(
            self.themes,
            self.kinds["stratified"],
            [round(np.mean([len(train) for train in trains])) for trains in trained],
            np.array([np.mean([truth[train].sum(axis=0) for train in trains], axis=0) for trains in trained]),
            [cross_fitted([part], truth)[0] for part in parts],
        )

    def _count(self, fits: int) -> None:
        self.fits += fits
        self._tick(min(1.0, self.fits / self._total))


def telling_themes(theme_sets: ThemeSets) -> Themes:
    """Return the themes that recipes are compared on: all that have seeds, or some from the frequent to the rare."""
    counts = theme_sets.sum(axis=0)
    seeded = np.flatnonzero(counts)
    if len(seeded) <= MOST_THEMES:
        return seeded
    ranked = np.argsort(-counts, kind="stable")[: max(1, int((counts >= LEAST_EXAMPLES).sum()))]
    return np.sort(ranked[np.linspace(0, len(ranked) - 1, min(MOST_THEMES, len(ranked))).astype(int)])


def strongest_within_error(scores: Sequence[list[Scores]]) -> int:
    """Return the place of the last candidate that is not clearly worse than the best.

    In the manner of the one-standard-error rule (Breiman et al. 1984), but with two errors of the differences fold by
    fold. For card strengths, the weakest first: seeds are always easier than an archive, and trust cards too little.
    """
    best = max(scores, key=_mean)
    return max(place for place, of_candidate in enumerate(scores) if not _clearly_better(best, of_candidate))


def best_beyond_error(scores: Sequence[list[Scores]], usual: int) -> int:
    """Return the best candidate's place where it is clearly better than the usual one, else that of the usual one."""
    best = max(range(len(scores)), key=lambda place: _mean(scores[place]))
    return best if _clearly_better(scores[best], scores[usual]) else usual


def _clearly_better(ours: Sequence[Scores], theirs: Sequence[Scores]) -> bool:
    """Tell whether the gain is over two standard errors of the differences fold by fold."""
    gains = _gains(ours, theirs)
    return _mean(gains) > 2 * _error(gains)


def _gains(ours: Sequence[Scores], theirs: Sequence[Scores]) -> list[Scores]:
    return [one - other for one, other in zip(ours, theirs, strict=True)]


def _fold_scores(
    parts: Sequence[HeldOut],
    theme_sets: ThemeSets,
    themes: Themes | slice = slice(None),
    thresholds: Thresholds = theme_thresholds,
) -> list[Scores]:
    """Return the F1 on each fold of each part, over some of the themes, with cross-fitted thresholds."""
    given = cross_fitted(parts, theme_sets, thresholds)
    return [
        fold_f1(of_part[:, themes], theme_sets[:, themes], part.folds)
        for of_part, part in zip(given, parts, strict=True)
    ]


def _mean(scores: Sequence[Scores]) -> float:
    return float(np.mean([of_kind.mean() for of_kind in scores]))


def _error(scores: Sequence[Scores]) -> float:
    """Return the standard error of the mean over kinds of the means over folds."""
    return float(np.sqrt(sum(of_kind.var(ddof=1) / len(of_kind) for of_kind in scores))) / len(scores)


def _fewer(fold: Fold, part: float, groups: Any) -> Fold:
    """Return the fold with fewer groups to learn from, the same ones on every machine."""
    train, test = fold
    of_train = np.unique(groups[train])
    kept = np.random.default_rng(0).permutation(of_train)[: max(1, round(part * len(of_train)))]
    return train[np.isin(groups[train], kept)], test
