"""The scorer: a text in, the scores of all themes out, by the compiled engine or by NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from tagger.cleaning import lead_end
from tagger.engine import compiled_engine
from tagger.scorer import numeric
from tagger.scorer.arrays import Float64, Int64, ScorerArrays

WORD_WEIGHT, LEAD_WEIGHT, PAIR_WEIGHT = 1.0, 0.5, 0.5
"""What each block of a text's features, of length 1 by itself, counts beside the others."""

Active = tuple[Int64, Float64]


class Activations(NamedTuple):
    """The features of one text that are not zero, block by block, as they are met: rows of the weights and values."""

    words: Active
    lead: Active
    pairs: Active
    card: Active


class Reading(NamedTuple):
    """A text as the scorer read it: the number of its words and of different ones, and what adds up to its scores.

    The score of each theme is bias + `learned` + `card`: what the words learned from seeds add, and the card's terms.
    """

    n_words: int
    n_different: int
    active: Activations
    learned: Float64  # (n_themes,)
    card: Float64  # (n_themes,)


class Occurrences(NamedTuple):
    """Where the features of a text stand, for n tokens, of which the first `lead` are in the lead.

    `words` holds the row of each token's word, -1 where it is unknown; pairs and card terms have the row, the first
    token, and terms the number of tokens.
    """

    spans: Int64  # (n, 2)
    lead: int
    words: Int64  # (n,)
    pairs: list[tuple[int, int]]
    terms: list[tuple[int, int, int]]


class Scorer:
    """Scores texts with the arrays of one version; safe to share between threads.

    `engine` reads them: a module with a class `Reader`, the compiled one where there is one.
    """

    def __init__(self, arrays: ScorerArrays, engine: ModuleType | None = None) -> None:
        self.arrays = arrays
        self._reader: Any = (engine or compiled_engine() or numeric).Reader(arrays)

    def scores(self, text: str) -> Float64:
        """Return the score of each theme, (n_themes,)."""
        return self.sum(self.read(text))

    def sum(self, reading: Reading) -> Float64:
        """Return the score of each theme, (n_themes,), for a text that was read."""
        return np.asarray(self.arrays.bias + reading.learned + reading.card)

    def read(self, text: str) -> Reading:
        """Return a text's features and what they add to the scores."""
        return _reading(*self._reader.read(text))

    def read_many(self, texts: Iterable[str]) -> Iterator[Reading]:
        """Yield the same of each text; the NumPy engine reads many together in a fraction of the time."""
        return starmap(_reading, self._reader.read_many(texts))

    def occurrences(self, text: str) -> Occurrences:
        """Return where the features of a text stand."""
        spans, words, terms = self._reader.occurrences(text)
        rows, firsts = self.arrays.pairs_of(words)
        lead = int(np.searchsorted(spans[:, 0], lead_end(text)))
        return Occurrences(spans, lead, words, list(zip(rows.tolist(), firsts.tolist(), strict=True)), terms)


def _reading(n_words: int, n_different: int, active: Sequence[Active], learned: Float64, card: Float64) -> Reading:
    return Reading(n_words, n_different, Activations._make(active), learned, card)
