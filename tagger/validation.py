"""Validation: scores of texts by models that did not see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.classifiers import fit_themes, typical_card
from tagger.cleaning import Tokens
from tagger.errors import SeedsError
from tagger.evaluation import micro_f1
from tagger.features import CardCounts
from tagger.folds import Fold, Groups
from tagger.model import Recipe, ThemeModel
from tagger.themes import ThemeCard
from tagger.thresholds import theme_thresholds

Scores = NDArray[np.float64]
ThemeSets = NDArray[np.bool_]
Themes = NDArray[np.intp]
"""Columns of some of the themes."""

Thresholds = Callable[[Scores, ThemeSets], Scores]
"""Sets a threshold for each theme, (n_themes,), from scores and truths, (n_texts, n_themes)."""

Tick = Callable[[int], None]
"""Told the number of classifiers that were fitted since it was told last."""


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
    """Scores of texts by models that did not see them, (n_texts, n_themes); in rows of no fold they mean nothing.

    `opposed` tells where a theme's card speaks for it and the learned words, all in all, against. `groups` keeps
    near-duplicates together. `more` holds the scores of further draws of the folds, which make thresholds steadier.
    """

    folds: Sequence[Fold]
    scores: Scores
    opposed: ThemeSets
    groups: Groups
    more: tuple[Scores, ...] = ()

    @property
    def rows(self) -> NDArray[np.intp]:
        """The texts that were held out, in order."""
        return np.sort(np.concatenate([test for _, test in self.folds]))

    def apart(self, test: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the texts that were held out, but for some and their near-duplicates."""
        rows = self.rows
        return rows[~np.isin(self.groups[rows], self.groups[test])]

    def thresholds(self, rows: NDArray[np.intp], theme_sets: ThemeSets, rule: Thresholds) -> Scores:
        """Return each theme's threshold by some of the texts, (n_themes,), the mean over the draws."""
        return np.asarray(
            np.mean([rule(scores[rows], theme_sets[rows]) for scores in (self.scores, *self.more)], axis=0)
        )


def hold_out(
    labelled: Labelled, folds: Sequence[Fold], recipes: Sequence[Recipe], themes: Themes, tick: Tick
) -> list[HeldOut]:
    """Return what models of each recipe give the texts they did not see, for some of the themes.

    Raises SeedsError where no word is shared by the texts of a fold.
    """
    shape = (len(labelled.read), len(themes))
    found = [HeldOut(folds, np.zeros(shape), np.zeros(shape, dtype=bool), labelled.groups) for _ in recipes]
    for train, test in folds:
        truth = labelled.theme_sets[np.ix_(train, themes)]
        for pairs in sorted({recipe.pairs for recipe in recipes}):
            seen, unseen = _features(labelled, pairs, train, test)
            for recipe, part in zip(recipes, found, strict=True):
                if recipe.pairs == pairs:
                    part.scores[test], part.opposed[test] = _scores(seen.of(themes), unseen.of(themes), truth, recipe)
                    tick(len(themes))
    return found


@dataclass(frozen=True, slots=True)
class _Features:
    words: sp.csr_matrix
    card: Scores

    def of(self, themes: Themes) -> _Features:
        return _Features(self.words, self.card[:, themes])


def _features(
    labelled: Labelled, pairs: bool, train: NDArray[np.intp], test: NDArray[np.intp]
) -> tuple[_Features, _Features]:
    model = ThemeModel.for_corpus(labelled.cards, len(labelled.read), Recipe(pairs=pairs))
    try:
        seen = model.fit_features([labelled.read[row] for row in train], labelled.counts.of(train))
    except ValueError as error:  # scikit-learn's word for an empty vocabulary
        raise SeedsError(["The seeds share no words to learn from. Add more of them, or longer ones."]) from error
    return _Features(*seen), _Features(*model.features([labelled.read[row] for row in test], labelled.counts.of(test)))


def _scores(seen: _Features, unseen: _Features, truth: ThemeSets, recipe: Recipe) -> tuple[Scores, ThemeSets]:
    """Return scores of unseen texts, and where learned words oppose; weights are used and forgotten theme by theme."""
    learned, card_coef, intercept = np.zeros(unseen.card.shape), *np.full((2, truth.shape[1]), np.nan)
    for theme, coef, *rest in fit_themes(seen.words, seen.card, truth, card_strength=recipe.card_strength, c=recipe.c):
        learned[:, theme] = unseen.words @ coef
        card_coef[theme], intercept[theme] = rest
    bare = np.isnan(card_coef)
    card_coef[bare], intercept[bare] = typical_card(card_coef[~bare], intercept[~bare])
    card = unseen.card * card_coef
    return learned + card + intercept, (learned < 0) & (card > 0)


def cross_fitted(
    parts: Sequence[HeldOut], theme_sets: ThemeSets, thresholds: Thresholds = theme_thresholds
) -> list[ThemeSets]:
    """Return for each part which themes are given, (n_texts, n_themes), by thresholds from the other folds' texts.

    As in use, a threshold is the mean over the parts.
    """
    given = [np.zeros(theme_sets.shape, dtype=bool) for _ in parts]
    for of_part, part in zip(given, parts, strict=True):
        for _, test in part.folds:
            limits = mean_thresholds([(other.apart(test), other) for other in parts], theme_sets, thresholds)
            of_part[test] = part.scores[test] >= limits
    return given


def mean_thresholds(
    parts: Iterable[tuple[NDArray[np.intp], HeldOut]], theme_sets: ThemeSets, thresholds: Thresholds
) -> Scores:
    """Return the mean over parts, each with some of its rows, of each theme's threshold, (n_themes,)."""
    # A part may have no other row: all its sources in one group of near-duplicates, say.
    of_parts = [part.thresholds(rows, theme_sets, thresholds) for rows, part in parts if len(rows)]
    return np.asarray(np.mean(of_parts, axis=0))


def fold_f1(given: ThemeSets, theme_sets: ThemeSets, folds: Sequence[Fold]) -> Scores:
    """Return the mean of micro and macro F1 on each fold, (n_folds,)."""
    return np.array(
        [(micro_f1(given[test], theme_sets[test]) + _macro(given[test], theme_sets[test])) / 2 for _, test in folds]
    )


def _macro(given: ThemeSets, theme_sets: ThemeSets) -> float:
    sizes = given.sum(axis=0) + theme_sets.sum(axis=0)
    f1 = 2 * (given & theme_sets).sum(axis=0) / np.maximum(sizes, 1)
    return float(f1[sizes > 0].mean()) if sizes.any() else 0.0
