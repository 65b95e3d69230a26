"""Why a theme got its score: the exact share of each term, and where the term stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import Tokens, token_spans, tokens
from tagger.scorer import Scorer

Float64 = NDArray[np.float64]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TermShare:
    """What one term adds to a theme's score: what its seeds taught (`learned`) plus what its card says (`card`)."""

    term: str
    learned: float
    card: float
    spans: tuple[Span, ...]

    @property
    def share(self) -> float:
        """What the term adds in all."""
        return self.learned + self.card


@dataclass(frozen=True, slots=True)
class Evidence:
    """A theme's score taken apart: score = bias + the shares of all terms, the largest first."""

    score: float
    bias: float
    terms: tuple[TermShare, ...]

    @property
    def learned(self) -> float:
        """What the seeds contributed, the bias aside."""
        return float(sum(term.learned for term in self.terms))

    @property
    def card(self) -> float:
        """What the card contributed."""
        return float(sum(term.card for term in self.terms))


class Explainer:
    """Takes the scores of one text apart; made once per text, asked once per theme."""

    def __init__(self, scorer: Scorer, text: str) -> None:
        self._bias = scorer.arrays.bias
        self._terms, self._learned, self._card = _shares(scorer, tokens(text))
        self._spans = list(token_spans(text))

    def explain(self, theme: int) -> Evidence:
        """Return the evidence for (and against) a theme, given by its column."""
        learned, card = self._learned[:, theme], self._card[:, theme]
        shares = learned + card
        order = sorted(range(len(shares)), key=lambda row: (-abs(shares[row]), self._terms[row].text))
        terms = [
            TermShare(self._terms[row].text, float(learned[row]), float(card[row]), self._places(self._terms[row]))
            for row in order
            if shares[row]
        ]
        bias = float(self._bias[theme])
        return Evidence(bias + float(shares.sum()), bias, tuple(terms))

    def _places(self, term: _Term) -> tuple[Span, ...]:
        return tuple((self._spans[first][0], self._spans[first + term.length - 1][1]) for first in term.starts)


@dataclass(slots=True)
class _Term:
    text: str
    length: int
    starts: list[int]


def _shares(scorer: Scorer, read: Tokens) -> tuple[list[_Term], Float64, Float64]:
    """Return the terms met and what each adds to each theme, (n_terms, n_themes): learned, and from the cards."""
    terms: dict[str, _Term] = {}
    nothing = np.zeros(len(scorer.arrays.bias))
    learned: dict[str, Float64] = {}
    carded: dict[str, Float64] = {}
    for text, starts, share, of_card in _contributions(scorer, read):
        known = terms.setdefault(text, _Term(text, text.count(" ") + 1, []))
        known.starts = sorted({*known.starts, *starts})
        kind = carded if of_card else learned
        kind[text] = kind.get(text, nothing) + share
    stacked = [[kind.get(text, nothing) for text in terms] for kind in (learned, carded)]
    return list(terms.values()), *np.array(stacked).reshape(2, len(terms), len(nothing))


def _contributions(scorer: Scorer, read: Tokens) -> Iterator[tuple[str, Sequence[int], Float64, bool]]:
    """Yield of each feature of a text that is not zero: term, first tokens, share of each theme, from a card or not."""
    arrays, active = scorer.arrays, scorer.activations(read)
    word_rows = scorer.word_occurrences(read.words)
    words = _starts((row, start) for start, row in enumerate(word_rows) if row >= 0)
    word_of_lead = {int(arrays.lead_rows[row]): row for row in words}
    for row, value in _rows_and_values(active.words):
        yield arrays.words[row], words[row], arrays.word_weights[row] * value, False
    for row, value in _rows_and_values(active.lead):
        word = word_of_lead[row]
        yield arrays.words[word], words[word], arrays.lead_weights[row] * value, False
    pairs = _starts(scorer.pair_occurrences(word_rows))
    for row, value in _rows_and_values(active.pairs):
        first, second = divmod(int(arrays.pair_keys[row]), len(arrays.words))
        yield f"{arrays.words[first]} {arrays.words[second]}", pairs[row], arrays.pair_weights[row] * value, False
    card = _starts((row, start) for row, start, _ in scorer.card_occurrences(read.raw))
    for row, value in _rows_and_values(active.card):
        yield arrays.card_terms[row], card[row], arrays.card_weights[row] * value, True


def _starts(occurrences: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    starts: dict[int, list[int]] = {}
    for row, start in occurrences:
        starts.setdefault(row, []).append(start)
    return starts


def _rows_and_values(block: tuple[NDArray[np.intp], Float64]) -> Iterator[tuple[int, np.float64]]:
    # NumPy's own float64 values: a weight of 32 bits times a Python float would stay at 32 bits.
    return zip(block[0].tolist(), block[1], strict=True)
