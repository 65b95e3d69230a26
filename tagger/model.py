"""The model: one scikit-learn estimator from texts to theme scores, and its compiled form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tagger.classifiers import POSITIVE_WEIGHT, LinearThemes, fit_linear
from tagger.features import FEW_TEXTS, PAIRS_FROM, CardCounts, CardTerms, Texts, WordBlocks, read
from tagger.scorer import ScorerArrays
from tagger.teachers import Teachers
from tagger.themes import ThemeCard


@dataclass(frozen=True)
class Recipe:
    """What a model can be made with, chosen by how well it does on texts held out.

    `card_strength` is how much a unit of card score weighs beside the words (0 ignores the cards); `c` is the
    cost of errors of the linear SVMs; `pairs` adds pairs of words to the words.
    """

    card_strength: float = 0.35
    c: float = 1.0
    pairs: bool = False

    @classmethod
    def usual(cls, n_texts: int) -> Self:
        """Return what suits a corpus of so many texts, as far as that is known before trying."""
        return cls(pairs=n_texts >= PAIRS_FROM)


class ThemeModel(BaseEstimator):
    """Multi-label linear classifier over tf-idf blocks and theme cards.

    Parameters: `cards`, one per theme, give the order of the themes; the others are those of `Recipe` and
    `WordBlocks`.

    After `fit`: `blocks_` and `card_terms_` turn texts into features, `linear_` holds the weights,
    `classes_` the theme ids.
    """

    def __init__(
        self,
        cards: Sequence[ThemeCard],
        *,
        card_strength: float = Recipe.card_strength,
        c: float = Recipe.c,
        pairs: bool = Recipe.pairs,
        rare_words: bool = False,
    ) -> None:
        self.cards = cards
        self.card_strength = card_strength
        self.c = c
        self.pairs = pairs
        self.rare_words = rare_words

    @classmethod
    def for_corpus(cls, cards: Sequence[ThemeCard], n_texts: int, recipe: Recipe) -> Self:
        """Return an unfitted model of a recipe for a corpus of so many texts, also for parts of it."""
        return cls(cards, rare_words=n_texts < FEW_TEXTS, **asdict(recipe))

    def fit(self, texts: Texts, theme_sets: NDArray[np.bool_]) -> Self:
        """Learn from texts and their themes, (n_texts, n_themes). Raises ValueError where no word repeats."""
        texts = [read(text) for text in texts]
        features, card_scores = self.fit_features(texts, CardTerms(self.cards).count(texts))
        return self.fit_weights(features, card_scores, theme_sets)

    def fit_features(self, texts: Texts, counts: CardCounts) -> tuple[sp.csr_matrix, NDArray[np.float64]]:
        """Learn vocabularies and idf from texts and their card counts.

        Returns the features, (n_texts, n_features), and the card scores, (n_texts, n_themes).
        """
        self.classes_ = np.array([card.id for card in self.cards])
        self.blocks_ = WordBlocks(pairs=self.pairs, rare_words=self.rare_words)
        features = self.blocks_.fit_transform(texts)
        self.card_terms_ = CardTerms(self.cards).fit(counts)
        return features, self.card_terms_.scores(counts, self.blocks_.word_norms(texts))

    def fit_weights(
        self, features: sp.csr_matrix, card_scores: NDArray[np.float64], theme_sets: NDArray[np.bool_]
    ) -> Self:
        """Learn the weights from what `fit_features` returned."""
        self.linear_: LinearThemes = fit_linear(
            features, card_scores, theme_sets, card_strength=self.card_strength, c=self.c
        )
        return self

    def features(self, texts: Texts, counts: CardCounts) -> tuple[sp.csr_matrix, NDArray[np.float64]]:
        """Return features and card scores of texts and their card counts."""
        return self.blocks_.transform(texts), self.card_terms_.scores(counts, self.blocks_.word_norms(texts))

    def decision_function(self, texts: Texts) -> NDArray[np.float64]:
        """Return the score of each theme for each text, (n_texts, n_themes)."""
        check_is_fitted(self)
        texts = [read(text) for text in texts]
        return self.linear_.scores(*self.features(texts, self.card_terms_.count(texts)))

    def compile(self) -> ScorerArrays:
        """Return the fitted model as plain arrays."""
        check_is_fitted(self)
        rows = self.blocks_.vectorizers_["words"].vocabulary_
        weights = self._block_weights()
        return ScorerArrays.of(
            sorted(rows, key=rows.__getitem__),
            card_terms=self.card_terms_.terms,
            word_idf=self.blocks_.vectorizers_["words"].idf_,
            word_weights=weights["words"],
            lead_rows=self._lead_rows(rows),
            lead_idf=self.blocks_.vectorizers_["lead"].idf_,
            lead_weights=weights["lead"],
            **self._pair_arrays(weights.get("pairs")),
            card_idf=self.card_terms_.idf_,
            card_weights=(self.card_terms_.weights * self.linear_.card_coef).astype(np.float32),
            bias=self.linear_.intercept,
        )

    def scorer_columns(self) -> NDArray[np.intp]:
        """Return which feature stands in each place of the scorer's rows of [words | lead | pairs], (n_features,)."""
        sizes = [len(vectorizer.idf_) for vectorizer in self.blocks_.vectorizers_.values()]
        columns = np.arange(sum(sizes))
        if self.pairs:
            start = sum(sizes[:-1])
            columns[start:] = start + np.argsort(self._pair_keys())
        return columns

    def _block_weights(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights of each block's features, (n_features, n_themes), times the weight of the block."""
        vectorizers, weights = self.blocks_.vectorizers_, self.blocks_.weights_
        ends = np.cumsum([len(vectorizer.idf_) for vectorizer in vectorizers.values()])
        parts = np.split(self.linear_.coef, ends[:-1])
        return {name: (weights[name] * part).astype(np.float32) for name, part in zip(vectorizers, parts, strict=True)}

    def _lead_rows(self, rows: Mapping[str, int]) -> NDArray[np.int32]:
        lead_rows = np.full(len(rows), -1, dtype=np.int32)
        for word, lead_row in self.blocks_.vectorizers_["lead"].vocabulary_.items():
            lead_rows[rows[word]] = lead_row
        return lead_rows

    def _pair_arrays(self, weights: NDArray[np.float32] | None) -> dict[str, Any]:
        if weights is None:
            empty = np.zeros((0, len(self.cards)), np.float32)
            return {"pair_keys": np.zeros(0, np.int64), "pair_idf": np.zeros(0), "pair_weights": empty}
        keys = self._pair_keys()
        order = np.argsort(keys)
        idf = self.blocks_.vectorizers_["pairs"].idf_
        return {"pair_keys": keys[order], "pair_idf": idf[order], "pair_weights": weights[order]}

    def _pair_keys(self) -> NDArray[np.int64]:
        """Return the scorer's key of each pair, in the order of the features."""
        rows = self.blocks_.vectorizers_["words"].vocabulary_
        both = [pair.split(" ") for pair in self.blocks_.vectorizers_["pairs"].get_feature_names_out()]
        return np.array([rows[first] * len(rows) + rows[second] for first, second in both], dtype=np.int64)


def teachers_of(
    model: ThemeModel,
    features: sp.csr_matrix,
    card_scores: NDArray[np.float64],
    theme_sets: NDArray[np.bool_],
    names: Sequence[tuple[str, str | None]],
) -> Teachers:
    """Return the seeds that a fitted model goes back to, given what it was fitted on.

    The dual of a seed follows from its slack at the optimum of the squared hinge: 2 C_i max(0, 1 - y_i f(x_i)).
    """
    linear = model.linear_
    sign = np.where(theme_sets, 1.0, -1.0)
    cost = 2 * model.c * np.where(theme_sets, POSITIVE_WEIGHT, 1.0)
    duals = sp.csc_matrix(sign * cost * np.maximum(0, 1 - sign * linear.scores(features, card_scores)) * linear.learned)
    themes = np.repeat(np.arange(theme_sets.shape[1]), np.diff(duals.indptr))
    per_card = np.zeros(len(linear.card_coef))
    np.divide(model.card_strength**2, linear.card_coef, out=per_card, where=linear.card_coef != 0)
    columns = features[:, model.scorer_columns()].sorted_indices()
    return Teachers(
        names,
        seed_starts=columns.indptr.astype(np.int64),
        features=columns.indices.astype(np.int32),
        values=columns.data.astype(np.float32),
        theme_starts=duals.indptr.astype(np.int64),
        seeds=duals.indices.astype(np.int32),
        duals=duals.data.astype(np.float32),
        card=(card_scores[duals.indices, themes] * per_card[themes]).astype(np.float32),
    )
