"""Why a theme got its score: the exact share of each term and of each sentence, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import CARD_LEAD_WEIGHT
from tagger.scorer import Occurrences, Reading, Scorer
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
        found = scorer.occurrences(text)
        self._blocks = _blocks(scorer, reading or scorer.read(text), found)
        self._tokens = found.spans
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


def _blocks(scorer: Scorer, reading: Reading, found: Occurrences) -> list[_Block]:
    arrays, active = scorer.arrays, reading.active
    known = np.flatnonzero(found.words >= 0)
    in_lead = known[known < found.lead]
    in_lead = in_lead[arrays.lead_rows[found.words[in_lead]] >= 0]
    lead_rows = arrays.lead_rows[found.words[in_lead]].astype(np.intp)
    word_of = dict(zip(lead_rows.tolist(), found.words[in_lead].tolist(), strict=True))
    words = [arrays.words[row] for row in active.words[0].tolist()]
    lead = [arrays.words[word_of[row]] for row in active.lead[0].tolist()]
    pairs = [arrays.pair(row) for row in active.pairs[0].tolist()]
    return [
        _block(words, arrays.word_weights, active.words, found.words[known], known),
        _block(lead, arrays.lead_weights, active.lead, lead_rows, in_lead),
        _block(pairs, arrays.pair_weights, active.pairs, *np.array(found.pairs, np.int64).reshape(-1, 2).T),
        *_card_blocks(scorer, reading, found),
    ]


def _card_blocks(scorer: Scorer, reading: Reading, found: Occurrences) -> list[_Block]:
    """Return the card's terms twice: what they add for standing in the text, and once more for standing in the lead."""
    arrays, (rows, values) = scorer.arrays, reading.active.card
    terms = [arrays.card_terms[row] for row in rows.tolist()]
    term_rows, starts, lengths = np.array(found.terms, np.int64).reshape(-1, 3).T
    led = starts + lengths <= found.lead
    whole = _block(terms, arrays.card_weights, (rows, values), term_rows, starts, of_card=True)
    lead = _block(terms, arrays.card_weights, (rows, values), term_rows[led], starts[led], of_card=True)
    of_lead = CARD_LEAD_WEIGHT * _log_tf(lead)
    part = of_lead / (_log_tf(whole) + of_lead)
    return [whole._replace(values=values * (1 - part)), lead._replace(values=values * part)]


def _log_tf(block: _Block) -> Float64:
    counts = np.bincount(block.feature_of, minlength=len(block.rows))
    return np.where(counts, 1 + np.log(np.maximum(counts, 1)), 0.0)


def _block(
    terms: list[str], weights: NDArray[np.float32], active: tuple[Ints, Float64], rows: Ints, starts: Ints,
    *, of_card: bool = False,
) -> _Block:  # fmt: skip
    """Return a block, given the row of each occurrence and the token it begins at."""
    order = np.argsort(active[0])
    return _Block(of_card, terms, weights, *active, order[np.searchsorted(active[0], rows, sorter=order)], starts)
