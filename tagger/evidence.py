"""Why a theme got its score: the exact share of each term and of each sentence, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import token_spans
from tagger.scorer import CARD_LEAD_WEIGHT, Reading, Scorer
from tagger.sentences import sentence_spans

Float64 = NDArray[np.float64]
Ints = NDArray[np.intp]
Span = tuple[int, int]


class TermShare(NamedTuple):
    """What one term adds to a theme's score: what its seeds taught (`learned`) plus what its card says (`card`)."""

    term: str
    learned: float
    card: float
    spans: tuple[Span, ...]

    @property
    def share(self) -> float:
        """What the term adds in all."""
        return self.learned + self.card


class SentenceShare(NamedTuple):
    """What the terms that begin in one sentence add to a theme's score."""

    start: int
    end: int
    share: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A theme's score taken apart: score = bias + the shares of all terms, the largest first.

    The same shares by sentences, in order: a term's share is divided evenly among the places where it stands.
    """

    score: float
    bias: float
    terms: tuple[TermShare, ...]
    sentences: tuple[SentenceShare, ...]

    @property
    def learned(self) -> float:
        """What the seeds contributed, the bias aside."""
        return float(sum(term.learned for term in self.terms))

    @property
    def card(self) -> float:
        """What the card contributed."""
        return float(sum(term.card for term in self.terms))


class BareShare(NamedTuple):
    """A term and what it adds to a theme's score."""

    term: str
    share: float


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a theme is not given: its score, the `gap` to the one it would be given at, and the strongest terms."""

    score: float
    gap: float
    spoke_for: tuple[BareShare, ...]
    against: tuple[BareShare, ...]


class Explainer:
    """Takes the scores of one text apart; made once per text, asked once per theme."""

    def __init__(self, scorer: Scorer, text: str, reading: Reading | None = None) -> None:
        self._bias = scorer.arrays.bias
        self._blocks = _blocks(scorer, reading or scorer.read(text))
        self._tokens = np.array(list(token_spans(text)), dtype=np.intp).reshape(-1, 2)
        self._sentences = sentence_spans(text)
        starts = np.array([start for start, _ in self._sentences], dtype=np.intp)
        # A token always stands in a sentence; text before the first is white space.
        self._sentence_of = np.searchsorted(starts, self._tokens[:, 0], side="right") - 1
        numbers: dict[str, int] = {}
        self._term_of = [np.array([numbers.setdefault(t, len(numbers)) for t in b.terms], int) for b in self._blocks]
        self._terms = list(numbers)
        self._spans = self._places()

    def explain(self, theme: int) -> Evidence:
        """Return the evidence for (and against) a theme, given by its column."""
        shares = self._shares(theme)
        learned, card = self._by_term(shares, of_card=False), self._by_term(shares, of_card=True)
        total = learned + card
        order = np.lexsort((np.arange(len(total)), -np.abs(total)))
        terms = [
            TermShare(self._terms[term], float(learned[term]), float(card[term]), self._spans[term])
            for term in order.tolist()
            if total[term]
        ]
        bias = float(self._bias[theme])
        return Evidence(bias + float(total.sum()), bias, tuple(terms), self._by_sentence(shares))

    def why_not(self, theme: int, needed: float, most: int) -> WhyNot:
        """Return why a theme, given by its column, lacks the `needed` score; so many terms of a kind at most."""
        shares = self._shares(theme)
        total = self._by_term(shares, of_card=False) + self._by_term(shares, of_card=True)
        order = np.argsort(total, kind="stable")
        score = float(self._bias[theme] + total.sum())
        strongest = [
            tuple(BareShare(self._terms[term], float(total[term])) for term in ranked[:most] if sign * total[term] > 0)
            for sign, ranked in ((1, order[::-1].tolist()), (-1, order.tolist()))
        ]
        return WhyNot(score, max(0.0, needed - score), *strongest)

    def _shares(self, theme: int) -> list[Float64]:
        return [block.weights[block.rows, theme] * block.values for block in self._blocks]

    def _by_term(self, shares: Sequence[Float64], *, of_card: bool) -> Float64:
        total = np.zeros(len(self._terms))
        for block, terms, share in zip(self._blocks, self._term_of, shares, strict=True):
            if block.of_card == of_card:
                total += np.bincount(terms, share, len(total))
        return total

    def _by_sentence(self, shares: Sequence[Float64]) -> tuple[SentenceShare, ...]:
        at_token = np.zeros(len(self._tokens))
        for block, share in zip(self._blocks, shares, strict=True):
            each = share / np.maximum(np.bincount(block.feature_of, minlength=len(share)), 1)
            at_token += np.bincount(block.starts, each[block.feature_of], len(at_token))
        total = np.bincount(self._sentence_of, at_token, len(self._sentences)).tolist()
        return tuple(SentenceShare(*span, share) for span, share in zip(self._sentences, total, strict=True))

    def _places(self) -> list[tuple[Span, ...]]:
        """Return where each term stands, in order."""
        starts: list[set[int]] = [set() for _ in self._terms]
        for block, terms in zip(self._blocks, self._term_of, strict=True):
            for term, start in zip(terms[block.feature_of].tolist(), block.starts.tolist(), strict=True):
                starts[term].add(start)
        spans = self._tokens.tolist()
        lengths = [term.count(" ") for term in self._terms]
        return [
            tuple((spans[first][0], spans[first + length][1]) for first in sorted(found))
            for found, length in zip(starts, lengths, strict=True)
        ]


class _Block(NamedTuple):
    """The features of one kind in a text: their terms, weights, values, and the tokens they begin at.

    The occurrence k is of the feature `feature_of[k]` (a place in `terms`) and begins at the token `starts[k]`.
    """

    of_card: bool
    terms: list[str]
    weights: NDArray[np.float32]
    rows: Ints
    values: Float64
    feature_of: Ints
    starts: Ints


def _blocks(scorer: Scorer, reading: Reading) -> list[_Block]:
    arrays, active = scorer.arrays, reading.active
    word_rows = np.array(reading.word_rows, dtype=np.intp)
    known = np.flatnonzero(word_rows >= 0)
    in_lead = known[known < reading.tokens.lead]
    lead_rows = arrays.lead_rows[word_rows[in_lead]]
    words = {int(row): arrays.words[row] for row in active.words[0]}
    lead = dict(zip(lead_rows.tolist(), word_rows[in_lead].tolist(), strict=True))
    pairs = scorer.pair_occurrences(reading.word_rows)
    card = scorer.card_occurrences(reading.tokens.raw)
    return [
        _block(list(words.values()), arrays.word_weights, active.words, zip(word_rows[known], known, strict=True)),
        _block(
            [words[lead[row]] for row in active.lead[0].tolist()], arrays.lead_weights, active.lead,
            ((row, start) for row, start in zip(lead_rows, in_lead, strict=True) if row >= 0),
        ),
        _block([_pair(scorer, row) for row in active.pairs[0].tolist()], arrays.pair_weights, active.pairs, pairs),
        *_card_blocks(scorer, reading, card),
    ]  # fmt: skip


def _card_blocks(scorer: Scorer, reading: Reading, found: Sequence[tuple[int, int, int]]) -> list[_Block]:
    """Return the card's terms twice: what they add for standing in the text, and once more for standing in the lead."""
    arrays, (rows, values) = scorer.arrays, reading.active.card
    terms = [arrays.card_terms[row] for row in rows.tolist()]
    places = [(row, start) for row, start, _ in found]
    in_lead = [(row, start) for row, start, length in found if start + length <= reading.tokens.lead]
    whole = _block(terms, arrays.card_weights, (rows, values), places, of_card=True)
    lead = _block(terms, arrays.card_weights, (rows, values), in_lead, of_card=True)
    of_lead = CARD_LEAD_WEIGHT * _log_tf(lead)
    part = of_lead / (_log_tf(whole) + of_lead)
    return [whole._replace(values=values * (1 - part)), lead._replace(values=values * part)]


def _log_tf(block: _Block) -> Float64:
    counts = np.bincount(block.feature_of, minlength=len(block.rows))
    return np.where(counts, 1 + np.log(np.maximum(counts, 1)), 0.0)


def _block(
    terms: list[str],
    weights: NDArray[np.float32],
    active: tuple[Ints, Float64],
    occurrences: Iterable[tuple[int, int]],
    *,
    of_card: bool = False,
) -> _Block:
    rows, starts = np.array(list(occurrences), dtype=np.intp).reshape(-1, 2).T
    return _Block(of_card, terms, weights, *active, np.searchsorted(active[0], rows), starts)


def _pair(scorer: Scorer, row: int) -> str:
    words = scorer.arrays.words
    first, second = divmod(int(scorer.arrays.pair_keys[row]), len(words))
    return f"{words[first]} {words[second]}"
