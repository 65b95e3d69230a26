"""Scoring with NumPy: tokens, counts, tf-idf, block norms, and one weighted sum of weight rows per block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import Tokens, candidate_terms, tokens
from tagger.scorer.arrays import Float32, Float64, ScorerArrays

WORD_WEIGHT, LEAD_WEIGHT, PAIR_WEIGHT = 1.0, 0.5, 0.5
"""What each block of a text's features, of length 1 by itself, counts beside the others."""

CARD_LEAD_WEIGHT = 0.5
"""What a card term in the lead counts beside one in the whole text."""

Rows = NDArray[np.intp]


class Activations(NamedTuple):
    """The features of one text that are not zero, block by block: rows of the weight arrays and values."""

    words: tuple[Rows, Float64]
    lead: tuple[Rows, Float64]
    pairs: tuple[Rows, Float64]
    card: tuple[Rows, Float64]


class Reading(NamedTuple):
    """A text as the scorer read it: its tokens, the word row of each (-1 for unknown), and what adds up to its scores.

    The score of each theme is bias + `learned` + `card`: what the words learned from seeds add, and the card's terms.
    """

    tokens: Tokens
    word_rows: list[int]
    active: Activations
    learned: Float64  # (n_themes,)
    card: Float64  # (n_themes,)


class Scorer:
    """Scores texts with the arrays of one version; safe to share between threads."""

    def __init__(self, arrays: ScorerArrays) -> None:
        self.arrays = arrays
        self._word_rows = {word: row for row, word in enumerate(arrays.words)}
        self._card_rows = {term: row for row, term in enumerate(arrays.card_terms)}
        self._card_starts = frozenset(term.partition(" ")[0] for term in arrays.card_terms)

    def scores(self, text: str) -> Float64:
        """Return the score of each theme, (n_themes,)."""
        return self.sum(self.read(text))

    def sum(self, reading: Reading) -> Float64:
        """Return the score of each theme, (n_themes,), for a text that was read."""
        return np.asarray(self.arrays.bias + reading.learned + reading.card)

    def read(self, text: str) -> Reading:
        """Return a text's features and what they add to the scores."""
        found, arrays = tokens(text), self.arrays
        word_rows = self.word_occurrences(found.words)
        active = self._activations(found, word_rows)
        learned = np.zeros(len(arrays.bias))
        for (rows, values), weights in (
            (active.words, arrays.word_weights),
            (active.lead, arrays.lead_weights),
            (active.pairs, arrays.pair_weights),
        ):
            learned = learned + weighted_sum(weights, rows, values)
        return Reading(found, word_rows, active, learned, weighted_sum(arrays.card_weights, *active.card))

    def _activations(self, read: Tokens, found: list[int]) -> Activations:
        arrays = self.arrays
        words, values = _tf_idf([row for row in found if row >= 0], arrays.word_idf)
        norm = _norm(values)
        lead = arrays.lead_rows[[row for row in found[: read.lead] if row >= 0]] if read.lead else ()
        lead_rows, lead_values = _tf_idf([row for row in lead if row >= 0], arrays.lead_idf)
        pairs, pair_values = _tf_idf((row for row, _ in self.pair_occurrences(found)), arrays.pair_idf)
        return Activations(
            (words, values / norm),
            (lead_rows, lead_values / _norm(lead_values)),
            (pairs, pair_values / _norm(pair_values)),
            self._card(read, norm),
        )

    def card_occurrences(self, raw: Sequence[str]) -> list[tuple[int, int, int]]:
        """Return each card term met in the tokens: (row, first token, number of tokens)."""
        candidates = candidate_terms(raw, self._card_starts)
        return [(self._card_rows[term], start, n) for term, start, n in candidates if term in self._card_rows]

    def word_occurrences(self, words: Sequence[str]) -> list[int]:
        """Return the word row of each folded token, -1 where the word is unknown."""
        return [self._word_rows.get(word, -1) for word in words]

    def pair_occurrences(self, word_rows: Sequence[int]) -> list[tuple[int, int]]:
        """Return each known pair met: (row, first token), given the word row of each token."""
        keys = self.arrays.pair_keys
        if not len(keys):
            return []
        rows = np.array(word_rows, dtype=np.int64)
        first = np.flatnonzero((rows[:-1] >= 0) & (rows[1:] >= 0))
        wanted = rows[first] * len(self.arrays.words) + rows[first + 1]
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        hits = keys[at] == wanted
        return list(zip(at[hits].tolist(), first[hits].tolist(), strict=True))

    def _card(self, read: Tokens, norm: float) -> tuple[Rows, Float64]:
        occurrences = self.card_occurrences(read.raw)
        counts = Counter(row for row, _, _ in occurrences)
        in_lead = Counter(row for row, start, length in occurrences if start + length <= read.lead)
        rows = np.array(sorted(counts), dtype=np.intp)
        values = np.array([_log_tf(counts[row]) + CARD_LEAD_WEIGHT * _log_tf(in_lead[row]) for row in rows.tolist()])
        return rows, values * self.arrays.card_idf[rows] / norm


def weighted_sum(weights: Float32, rows: Rows, values: Float64) -> Float64:
    """Return the sum of weight rows times values, (n_themes,), added up in the order of the rows.

    No BLAS: its order of summation, and so the last bits, would depend on the machine.
    """
    return np.asarray(np.add.reduce(weights[rows] * values[:, None], axis=0))


def _tf_idf(found: Iterable[int], idf: Float64) -> tuple[Rows, Float64]:
    rows, counts = np.unique(np.fromiter(found, dtype=np.intp), return_counts=True)
    return rows, (1 + np.log(counts)) * idf[rows]


def _norm(values: Float64) -> float:
    return float(np.sqrt(np.add.reduce(values * values))) or 1.0


def _log_tf(count: int) -> float:
    return 1 + float(np.log(count)) if count else 0.0
