"""Validation: scores of texts by models that did not see them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from threading import Event
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.classifiers import fit_themes, typical_card
from tagger.cleaning import Tokens, tokens
from tagger.corpus import Corpus
from tagger.counts import Rows, WordCounts, fold_features
from tagger.engine import engine_name
from tagger.errors import SeedsError
from tagger.evaluation import micro_f1
from tagger.features import CardCounts, CardTerms
from tagger.folds import Fold, Groups, group_texts
from tagger.model import Recipe
from tagger.themes import ThemeCard
from tagger.thresholds import theme_thresholds

Scores = NDArray[np.float64]
ThemeSets = NDArray[np.bool_]
Themes = NDArray[np.intp]
"""Columns of some of the themes."""

THEMES_TOGETHER = 16
"""Of so many themes the weights are kept until the held-out texts have their scores."""

FOLDS_AT_A_TIME = 8
"""At most so many folds have their features in memory."""

Thresholds = Callable[[Scores, ThemeSets], Scores]
"""Sets a threshold for each theme, (n_themes,), from scores and truths, (n_texts, n_themes)."""

Tick = Callable[[int], None]
"""Told the number of classifiers that were fitted since it was told last."""


@dataclass(frozen=True)
class Labelled:
    """Texts read once, their themes (n_texts, n_themes), the cards, groups and sources; what is counted is kept."""

    read: Sequence[Tokens]
    theme_sets: ThemeSets
    cards: Sequence[ThemeCard]
    groups: Groups
    sources: Sequence[str | None]

    @classmethod
    def of(cls, corpus: Corpus) -> Self:
        """Read and group the texts of a corpus."""
        read = [tokens(text) for text in corpus.texts]
        groups = group_texts(read, [seed.page for seed in corpus.seeds])
        return cls(read, corpus.theme_sets, corpus.cards, groups, [seed.source for seed in corpus.seeds])

    @cached_property
    def words(self) -> WordCounts:
        """The words of the texts, counted."""
        return WordCounts(self.read)

    @cached_property
    def card_terms(self) -> CardTerms:
        """The terms of the cards, not fitted."""
        return CardTerms(self.cards)

    @cached_property
    def card_counts(self) -> CardCounts:
        """The terms of the cards, counted in the texts."""
        return self.card_terms.count(self.read)


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
    def rows(self) -> Rows:
        """The texts that were held out, in order."""
        return np.sort(np.concatenate([test for _, test in self.folds]))

    def apart(self, test: Rows) -> Rows:
        """Return the texts that were held out, but for some and their near-duplicates."""
        rows = self.rows
        return rows[~np.isin(self.groups[rows], self.groups[test])]

    def thresholds(self, rows: Rows, theme_sets: ThemeSets, rule: Thresholds) -> Scores:
        """Return each theme's threshold by some of the texts, (n_themes,), the mean over the draws."""
        return np.asarray(
            np.mean([rule(scores[rows], theme_sets[rows]) for scores in (self.scores, *self.more)], axis=0)
        )


def hold_out(
    labelled: Labelled, folds: Sequence[Fold], recipes: Sequence[Recipe], themes: Themes, tick: Tick
) -> list[HeldOut]:
    """Return what models of each recipe give the texts they did not see, for some of the themes.

    Folds are fitted beside one another in threads, and `tick` is told of each as it is done; the outcome does not
    depend on either. Raises SeedsError where no word is shared by the texts of a fold.
    """
    shape = (len(labelled.read), len(themes))
    found = [HeldOut(folds, np.zeros(shape), np.zeros(shape, dtype=bool), labelled.groups) for _ in recipes]
    fold_fits = _FoldFits(labelled, recipes, themes)
    with ThreadPoolExecutor(_threads()) as pool:
        tasks = {pool.submit(fold_fits.scores, *fold): fold for fold in folds}
        try:
            for done in as_completed(tasks):
                _, test = tasks.pop(done)
                for part, (scores, opposed) in zip(found, done.result(), strict=True):
                    part.scores[test], part.opposed[test] = scores, opposed
                tick(len(themes) * len(recipes))
        except BaseException:
            # Who stops, or gets an error, need not wait for what nobody will look at.
            fold_fits.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _threads() -> int:
    """Return how many folds are in work at a time: one for each processor given, up to what memory must hold."""
    if engine_name() != "compiled":
        return 1  # LIBLINEAR draws from one source of random numbers for the whole process
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors, FOLDS_AT_A_TIME)


class _FoldFits:
    """The fits of a fold, for all recipes; what is counted of the texts is shared by the folds."""

    def __init__(self, labelled: Labelled, recipes: Sequence[Recipe], themes: Themes) -> None:
        self.recipes = recipes
        self.themes = themes
        self.theme_sets = labelled.theme_sets
        self.stopped = Event()
        self._words = {pairs: labelled.words.blocks(pairs=pairs) for pairs in {recipe.pairs for recipe in recipes}}
        self._least = labelled.words.least
        self._card_terms, self._card_counts = copy(labelled.card_terms), labelled.card_counts
        self._card_terms.weights = labelled.card_terms.weights[:, themes]

    def scores(self, train: Rows, test: Rows) -> list[tuple[Scores, ThemeSets]]:
        """Return for each recipe the scores of held-out texts, and where learned words oppose a theme's card."""
        truth = self.theme_sets[np.ix_(train, self.themes)]
        features = {pairs: self._features(pairs, train, test) for pairs in self._words}
        return [self._scores(*features[recipe.pairs], truth, recipe) for recipe in self.recipes]

    def _features(self, pairs: bool, train: Rows, test: Rows) -> tuple[_Features, _Features]:
        try:
            seen, unseen = fold_features(self._words[pairs], self._least, train, test)
        except ValueError as error:
            raise SeedsError(["The seeds share no words to learn from. Add more of them, or longer ones."]) from error
        counts = self._card_counts.of(train)
        terms = copy(self._card_terms).fit(counts)
        return (
            _Features(seen.features, terms.scores(counts, seen.word_norms)),
            _Features(unseen.features, terms.scores(self._card_counts.of(test), unseen.word_norms)),
        )

    def _scores(self, seen: _Features, unseen: _Features, truth: ThemeSets, recipe: Recipe) -> tuple[Scores, ThemeSets]:
        """Return scores of unseen texts, and where learned words oppose; weights are forgotten as soon as used."""
        learned, card_coef, intercept = np.zeros(unseen.card.shape), *np.full((2, truth.shape[1]), np.nan)
        fits = fit_themes(seen.words, seen.card, truth, card_strength=recipe.card_strength, c=recipe.c)
        while (some := list(islice(fits, THEMES_TOGETHER))) and not self.stopped.is_set():
            themes = [fitted.theme for fitted in some]
            learned[:, themes] = unseen.words @ np.column_stack([fitted.coef for fitted in some])
            card_coef[themes] = [fitted.card_coef for fitted in some]
            intercept[themes] = [fitted.intercept for fitted in some]
        bare = np.isnan(card_coef)
        card_coef[bare], intercept[bare] = typical_card(card_coef[~bare], intercept[~bare])
        card = unseen.card * card_coef
        return learned + card + intercept, (learned < 0) & (card > 0)


@dataclass(frozen=True, slots=True)
class _Features:
    words: sp.csr_matrix
    card: Scores


def others(
    parts: Sequence[HeldOut],
) -> Iterator[tuple[int, Rows, list[tuple[Rows, HeldOut]]]]:
    """Yield for each fold of each part: the part's place, the fold's texts, and every part with the texts left to it.

    A part may be left none, and is not named then: all its sources in one group of near-duplicates, say.
    """
    for place, part in enumerate(parts):
        for _, test in part.folds:
            left = [(other.apart(test), other) for other in parts]
            yield place, test, [(rows, other) for rows, other in left if len(rows)]


def cross_fitted(
    parts: Sequence[HeldOut], theme_sets: ThemeSets, thresholds: Thresholds = theme_thresholds
) -> list[ThemeSets]:
    """Return for each part which themes are given, (n_texts, n_themes), by thresholds from the other folds' texts.

    As in use, a threshold is the mean over the parts.
    """
    given = [np.zeros(theme_sets.shape, dtype=bool) for _ in parts]
    for place, test, left in others(parts):
        given[place][test] = parts[place].scores[test] >= mean_thresholds(left, theme_sets, thresholds)
    return given


def mean_thresholds(parts: Iterable[tuple[Rows, HeldOut]], theme_sets: ThemeSets, thresholds: Thresholds) -> Scores:
    """Return the mean over parts, each with some of its rows, of each theme's threshold, (n_themes,)."""
    return np.asarray(np.mean([part.thresholds(rows, theme_sets, thresholds) for rows, part in parts], axis=0))


def fold_f1(given: ThemeSets, theme_sets: ThemeSets, folds: Sequence[Fold]) -> Scores:
    """Return the mean of micro and macro F1 on each fold, (n_folds,)."""
    return np.array(
        [(micro_f1(given[test], theme_sets[test]) + _macro(given[test], theme_sets[test])) / 2 for _, test in folds]
    )


def _macro(given: ThemeSets, theme_sets: ThemeSets) -> float:
    sizes = given.sum(axis=0) + theme_sets.sum(axis=0)
    f1 = 2 * (given & theme_sets).sum(axis=0) / np.maximum(sizes, 1)
    return float(f1[sizes > 0].mean()) if sizes.any() else 0.0
