"""Texts as vectors: words, words of the lead, pairs of words, and the card score.

Each block is a scikit-learn transformer over texts (or over `Tokens` read before, so that a text is
read once for many fits). The analyzers below are all the `TfidfVectorizer`s know of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, pairwise, repeat
from typing import NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from tagger.cleaning import CARD_LEAD_WEIGHT, LONGEST_TERM, Tokens, tokens
from tagger.scorer import LEAD_WEIGHT, PAIR_WEIGHT, WORD_WEIGHT
from tagger.themes import ThemeCard

Texts = Sequence[str | Tokens]

PAIRS_FROM = 3000
"""Pairs of words pay from about this many texts on; below, they only cost."""

FEW_TEXTS = 100
"""With fewer texts than this, a word that stands in one of them is kept too."""

LABEL_WEIGHT, LABEL_WORD_WEIGHT, KEYWORD_WEIGHT = 1.0, 0.7, 1.0
MOST_CARDS = 2
"""A term on more cards than this tells themes apart too little to count."""

FUNCTION_WORDS = frozenset({
    "a", "against", "an", "and", "as", "at", "before", "between", "by", "for", "from", "in", "into", "its", "of", "on",
    "or", "our", "over", "the", "their", "through", "to", "under", "with", "without",
})  # fmt: skip


def read(text: str | Tokens) -> Tokens:
    """Return the tokens of a text, or the tokens themselves."""
    return tokens(text) if isinstance(text, str) else text


def words(text: str | Tokens) -> list[str]:
    """Analyzer: every word, numbers folded."""
    return read(text).words


def lead_words(text: str | Tokens) -> list[str]:
    """Analyzer: the words of the title and the opening."""
    found = read(text)
    return found.words[: found.lead]


def pairs(text: str | Tokens) -> list[str]:
    """Analyzer: each word with the next."""
    found = read(text).words
    return [f"{first} {second}" for first, second in pairwise(found)]


PAIRS = "pairs"


class Block(NamedTuple):
    """What is counted, in how many texts a term must stand, and what the block weighs."""

    analyzer: Callable[[str | Tokens], list[str]]
    min_df: int
    weight: float


BLOCKS = {
    "words": Block(words, 2, WORD_WEIGHT),
    "lead": Block(lead_words, 2, LEAD_WEIGHT),
    PAIRS: Block(pairs, 3, PAIR_WEIGHT),
}
"""The blocks of features, in column order."""


class WordBlocks(TransformerMixin, BaseEstimator):
    """Sublinear tf-idf of words, lead words and (with `pairs`) word pairs; with `rare_words`, also of those met once.

    Each block is L2-normalised by itself and then weighted. After `fit`, `vectorizers_` holds one
    `TfidfVectorizer` per block under the names of `weights_`, in column order.
    """

    def __init__(self, *, pairs: bool = False, rare_words: bool = False) -> None:
        self.pairs = pairs
        self.rare_words = rare_words

    def fit(self, texts: Texts, y: object = None) -> Self:  # noqa: ARG002
        """Learn vocabularies and idf. Raises ValueError where no word stands in enough texts."""
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Texts, y: object = None) -> sp.csr_matrix:  # noqa: ARG002
        """Learn from texts and return their vectors, (n_texts, n_features)."""
        blocks = {name: block for name, block in BLOCKS.items() if self.pairs or name != PAIRS}
        self.vectorizers_ = {
            name: TfidfVectorizer(
                analyzer=block.analyzer, min_df=1 if self.rare_words else block.min_df, sublinear_tf=True
            )
            for name, block in blocks.items()
        }
        self.weights_ = {name: block.weight for name, block in blocks.items()}
        return self._stack({name: v.fit_transform(texts) for name, v in self.vectorizers_.items()})

    def transform(self, texts: Texts) -> sp.csr_matrix:
        """Return the vectors of texts, (n_texts, n_features)."""
        return self._stack({name: v.transform(texts) for name, v in self.vectorizers_.items()})

    def word_norms(self, texts: Texts) -> NDArray[np.float64]:
        """Return the L2 norm of each text's word block before normalisation, (n_texts,); 1 where it is empty."""
        vectorizer = self.vectorizers_["words"]
        counts = CountVectorizer.transform(vectorizer, texts)
        np.log(counts.data, out=counts.data)
        counts.data += 1
        norms = np.sqrt(np.asarray(counts.multiply(vectorizer.idf_).power(2).sum(axis=1))).ravel()
        return np.where(norms > 0, norms, 1.0)

    def _stack(self, blocks: dict[str, sp.csr_matrix]) -> sp.csr_matrix:
        return sp.hstack([self.weights_[name] * block for name, block in blocks.items()], format="csr")


class CardCounts(NamedTuple):
    """How often each card term stands in each text, and in its lead: two (n_texts, n_terms)."""

    whole: sp.csr_matrix
    lead: sp.csr_matrix

    def of(self, rows: NDArray[np.intp]) -> CardCounts:
        """Return the counts of some of the texts."""
        return CardCounts(self.whole[rows], self.lead[rows])


class CardTerms:
    """How much a text speaks in the words of each theme's card.

    Terms are runs of one to three tokens, digits as they stand (5G, Section 301). `terms` lists them, and
    `weights`, (n_terms, n_themes), says what each counts for each theme. After `fit`, `idf_` holds their idf
    over the labelled texts (also of terms no text holds).
    """

    def __init__(self, cards: Sequence[ThemeCard]) -> None:
        self.cards = cards
        weights = card_term_weights(cards)
        self.terms = sorted({term for of_theme in weights for term in of_theme})
        self.weights = np.array([[of_theme.get(term, 0.0) for of_theme in weights] for term in self.terms])
        self.weights = self.weights.reshape(len(self.terms), len(cards))

    def count(self, texts: Texts) -> CardCounts:
        """Count the terms in texts; this needs no fit."""
        found = [read(text) for text in texts]
        sizes = [len(text.raw) for text in found]
        number = {token: n for n, token in enumerate(dict.fromkeys(" ".join(self.terms).split()))}
        numbers = map(number.get, chain.from_iterable(text.raw for text in found), repeat(-1))
        of_tokens = np.fromiter(numbers, np.int64, sum(sizes))
        rows, starts = np.repeat(np.arange(len(found)), sizes), np.cumsum([0, *sizes[:-1]])
        matches = [self._matches(length, number, of_tokens, rows) for length in range(1, LONGEST_TERM + 1)]
        # A term belongs to the lead as a whole.
        lead_ends = starts + [text.lead for text in found]
        first, last, columns = np.concatenate(matches, axis=1)
        in_lead = last < lead_ends[rows[first]]
        return CardCounts(
            *(self._counts(rows[first[kept]], columns[kept], len(found)) for kept in (slice(None), in_lead))
        )

    def fit(self, counts: CardCounts) -> Self:
        """Learn idf from the counts of the labelled texts."""
        n_texts = counts.whole.shape[0]
        self.idf_ = np.log((1 + n_texts) / (1 + counts.whole.getnnz(axis=0))) + 1
        return self

    def scores(self, counts: CardCounts, word_norms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the card scores, (n_texts, n_themes): weighted term values over the norm of each text's word block."""
        values = self._values(counts.whole) + CARD_LEAD_WEIGHT * self._values(counts.lead)
        return np.asarray((values @ self.weights) / word_norms[:, None])

    def _values(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        values = counts.astype(np.float64)
        values.data = 1 + np.log(values.data)
        return sp.csr_matrix(values.multiply(self.idf_))

    def _matches(
        self, length: int, number: Mapping[str, int], of_tokens: NDArray[np.int64], rows: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Return the first token, the last and the term of each run of tokens that is a term, (3, n_matches).

        `number` are those of the terms' tokens, `of_tokens` those of all tokens of texts, -1 for one in no term.
        """
        terms = {column: term.split(" ") for column, term in enumerate(self.terms)}
        terms = {column: of_term for column, of_term in terms.items() if len(of_term) == length}
        places = np.flatnonzero(of_tokens[: len(of_tokens) - length + 1] >= 0)
        places = places[rows[places] == rows[places + length - 1]]
        if not terms or not len(places):
            return np.zeros((3, 0), dtype=np.intp)
        base = len(number) + 1  # the number after the last is that of all other tokens
        powers = base ** np.arange(length)
        keys = np.array([[number[token] for token in of_term] for of_term in terms.values()]) @ powers
        found = (of_tokens[places[:, None] + np.arange(length)] % base) @ powers
        order = np.argsort(keys)
        at = np.minimum(np.searchsorted(keys, found, sorter=order), len(keys) - 1)
        is_term = keys[order[at]] == found
        places = places[is_term]
        return np.array([places, places + length - 1, np.array([*terms])[order[at[is_term]]]])

    def _counts(self, rows: NDArray[np.intp], columns: NDArray[np.intp], n_texts: int) -> sp.csr_matrix:
        return sp.csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), shape=(n_texts, len(self.terms)))


def card_term_weights(cards: Sequence[ThemeCard]) -> list[dict[str, float]]:
    """Return for each card its terms and their weights.

    A label or alternative label counts 1 as a whole (if it has at most three words) and .7 by each of its
    words; a keyword counts 1, one of four words and more 1 by each of them. A term that stands on more than two
    cards counts for none, nor does a function word or a number by itself.
    """
    weights = [_terms_of(card) for card in cards]
    uses: dict[str, int] = {}
    for of_theme in weights:
        for term in of_theme:
            uses[term] = uses.get(term, 0) + 1
    return [{term: weight for term, weight in w.items() if uses[term] <= MOST_CARDS} for w in weights]


def _terms_of(card: ThemeCard) -> dict[str, float]:
    terms: dict[str, float] = {}
    for label in (card.label, *card.alt_labels):
        raw = tokens(label).raw
        _raise_to(terms, raw, LABEL_WEIGHT)
        for word in raw:
            _raise_to(terms, [word], LABEL_WORD_WEIGHT)
    for keyword in card.keywords:
        raw = tokens(keyword).raw
        for part in [raw] if len(raw) <= LONGEST_TERM else [[word] for word in raw]:
            _raise_to(terms, part, KEYWORD_WEIGHT)
    return terms


def _raise_to(terms: dict[str, float], raw: Sequence[str], weight: float) -> None:
    # A number by itself, such as the 19 of COVID-19, tells nothing either.
    bare = len(raw) == 1 and (raw[0] in FUNCTION_WORDS or raw[0].isdecimal())
    if 0 < len(raw) <= LONGEST_TERM and not bare:
        term = " ".join(raw)
        terms[term] = max(terms.get(term, 0.0), weight)
