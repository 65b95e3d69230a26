"""The NumPy engine: what the compiled engine does, where there is none, for many texts at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import CARD_LEAD_WEIGHT, LONGEST_TERM, lead_end
from tagger.scorer.arrays import CARD_BITS, NO_WORD, Float32, Float64, Int64, ScorerArrays
from tagger.scorer.tokens import spaced_tokens
from tagger.tables import UInt64, find

BATCH = 1 << 17
"""Characters of texts that are read together."""

BLOCKS = 4
"""Words, words of the lead, pairs and card terms."""

Active = tuple[Int64, Float64]
Read = tuple[int, int, list[Active], Float64, Float64]

_LOG_TF = np.array([0.0, *(1 + math.log(count) for count in range(1, 256))])


class Found(NamedTuple):
    """The tokens of texts, which stand one after the other with a space before each, looked up."""

    texts: Int64  # the number of each token's text
    starts: Int64
    ends: Int64
    in_lead: NDArray[np.bool_]
    keys: UInt64
    words: Int64  # rows, -1 where it is unknown
    cards: Int64  # numbers among the tokens of card terms, 0 where it is none


class Reader:
    """Reads texts with the arrays of one version; safe to share between threads.

    The four blocks' features are counted and weighed together, each known by its row after those of the blocks before.
    """

    def __init__(self, arrays: ScorerArrays) -> None:
        self.arrays = arrays
        idf = [block.idf for block in arrays.blocks()]
        self._idf = np.concatenate(idf)
        self._before = np.cumsum([0, *map(len, idf[:-1])])

    def read(self, text: str) -> Read:
        """Return the number of words and of different ones, active features by block, and what they add to scores.

        Active features are (rows, values), in the order they are met; what was learned and the card add (n_themes,).
        """
        return next(self._read([text]))

    def read_many(self, texts: Iterable[str]) -> Iterator[Read]:
        """Yield the same of each text, in less time than one by one."""
        return chain.from_iterable(map(self._read, _batches(texts)))

    def occurrences(self, text: str) -> tuple[Int64, Int64, list[tuple[int, int, int]]]:
        """Return where tokens stand (n, 2), their word rows (n,), and (row, first token, length) of card terms."""
        found = self._find([text])
        spans = np.stack([found.starts, found.ends], axis=1) - 1
        return spans, found.words, list(zip(*(part.tolist() for part in self._terms(found)), strict=True))

    def _read(self, texts: Sequence[str]) -> Iterator[Read]:
        n_texts, blocks = len(texts), self.arrays.blocks()
        found = self._find(texts)
        sizes = np.bincount(found.texts, minlength=n_texts).tolist()
        different, rows, values, bounds = self._active(found, n_texts)
        words, lead, pairs, card = (
            weighted_sums(block.weights, rows, values, bounds[number * n_texts :][: n_texts + 1])
            for number, block in enumerate(blocks)
        )
        active = [(rows[start:end], values[start:end]) for start, end in pairwise(bounds)]
        by_text = (active[text::n_texts] for text in range(n_texts))
        return zip(sizes, different, by_text, words + lead + pairs, card, strict=True)

    def _find(self, texts: Sequence[str]) -> Found:
        # With spaces around each, no token reaches from a text into the next.
        starts, ends, folded, raw = spaced_tokens(f" {' '.join(texts)} ")
        offsets = np.cumsum([1, *(len(text) + 1 for text in texts)])
        bounds = starts.searchsorted(offsets)
        sizes = bounds[1:] - bounds[:-1]
        lead_ends = offsets[:-1] + [lead_end(text) for text in texts]
        other = (raw != folded).nonzero()[0]
        entries = find(self.arrays.token_table, np.concatenate([folded, raw[other]]))
        words, cards = entries[: len(folded)] & NO_WORD, np.maximum(entries, 0) >> 32
        words[words == NO_WORD] = -1
        cards[other] = cards[len(folded) :]
        return Found(
            texts=np.arange(len(texts)).repeat(sizes),
            starts=starts,
            ends=ends,
            in_lead=starts < lead_ends.repeat(sizes),
            keys=folded,
            words=words,
            cards=cards[: len(folded)],
        )

    def _active(self, found: Found, n_texts: int) -> tuple[list[int], Int64, Float64, list[int]]:
        """Return the number of each text's different words, and rows and values of all groups with their bounds."""
        groups, features, in_lead = self._met(found, n_texts)
        places = _first_places(groups, features)
        counts, lead_counts = (np.bincount(each, minlength=len(places)) for each in (places, places[in_lead]))
        first = counts.nonzero()[0]
        different = np.bincount(groups[first], minlength=n_texts)[:n_texts]
        first = first[features[first] < len(self._idf)]
        groups, features = groups[first], features[first]
        values = _log_tf(counts[first]) + CARD_LEAD_WEIGHT * _log_tf(lead_counts[first])
        values *= self._idf.take(features)
        squares = np.bincount(groups, values * values, BLOCKS * n_texts)  # adds one after the other
        lengths = np.sqrt(squares).reshape(BLOCKS, n_texts)
        lengths[-1] = lengths[0]  # card terms go by the length of the words
        lengths[lengths == 0] = 1
        values /= lengths.ravel()[groups]
        rows = features - self._before[groups // n_texts]
        bounds = groups.searchsorted(np.arange(BLOCKS * n_texts + 1)).tolist()
        return different.tolist(), rows, values, bounds

    def _met(self, found: Found, n_texts: int) -> tuple[Int64, Int64, Int64]:
        """Return the features of all blocks as they are met, each with its group, and which are card terms in the lead.

        A group is a block of a text: they are numbered block by block, and text by text.
        """
        words, unknown = found.words.copy(), (found.words < 0).nonzero()[0]
        words[unknown] = len(self._idf) + np.unique(found.keys[unknown], return_inverse=True)[1]
        lead, of_lead = self._lead(found)
        pairs, of_pairs = self._pairs(found)
        terms, of_terms, n_tokens = self._terms(found)
        rows, tokens = (words, lead, pairs, terms), (np.arange(len(words)), of_lead, of_pairs, of_terms)
        groups = np.concatenate([found.texts[each] + block * n_texts for block, each in enumerate(tokens)])
        features = np.concatenate([each + before for each, before in zip(rows, self._before, strict=True)])
        in_lead = found.in_lead[of_terms + n_tokens - 1].nonzero()[0]  # a term belongs to the lead as a whole
        return groups, features, in_lead + (len(groups) - len(terms))

    def _lead(self, found: Found) -> tuple[Int64, Int64]:
        """Return the rows of words in the lead and their tokens."""
        tokens = (found.in_lead & (found.words >= 0)).nonzero()[0]
        rows = self.arrays.lead_rows.take(found.words[tokens]).astype(np.int64)
        known = (rows >= 0).nonzero()[0]
        return rows[known], tokens[known]

    def _pairs(self, found: Found) -> tuple[Int64, Int64]:
        """Return the rows of pairs and their first tokens."""
        rows, first = self.arrays.pairs_of(found.words)
        within = (found.texts[first] == found.texts[first + 1]).nonzero()[0]
        return rows[within], first[within]

    def _terms(self, found: Found) -> tuple[Int64, Int64, Int64]:
        """Return the rows of card terms, their first tokens and the numbers of their tokens, in order."""
        after = np.zeros(len(found.cards) + LONGEST_TERM, np.int64)  # the number of the text's next token
        after[: max(len(found.cards) - 1, 0)] = found.cards[1:] * (found.texts[1:] == found.texts[:-1])
        first = found.cards.nonzero()[0]
        keys = [found.cards[first]]
        for place in range(1, LONGEST_TERM):
            following = after[first + place - 1]
            keys.append((keys[-1] | following << CARD_BITS * place) * (following > 0))  # 0 is no term's key
        rows = find(self.arrays.card_table, np.concatenate(keys).view(np.uint64)).reshape(LONGEST_TERM, -1).T
        which, places = (rows >= 0).nonzero()
        return rows[which, places], first[which], places + 1


def weighted_sums(weights: Float32, rows: Int64, values: Float64, bounds: Sequence[int]) -> Float64:
    """Return the sums of weight rows times values between each two bounds, (n_sums, n_themes).

    Each is added up in the order of its rows. No BLAS: its order, and so the last bits, would depend on the machine.
    """
    n_themes = weights.shape[1]
    sums = np.empty((len(bounds) - 1, n_themes))
    together = max(1, 512 // max(1, n_themes))  # more would not stay in the cache
    for first in range(0, len(sums), together):
        edges = bounds[first : first + together + 1]
        part = slice(edges[0], edges[-1])
        products = weights.take(rows[part], axis=0) * values[part, None]
        for number, (start, end) in enumerate(pairwise(edges), first):
            sums[number] = _sum(products[start - edges[0] : end - edges[0]])
    return sums


def _sum(products: Float64) -> Float64:
    if products.shape[1] == 1:  # NumPy would add a single column up in pairs
        return np.asarray(np.bincount(np.zeros(len(products), np.int64), products[:, 0], 1))
    return np.asarray(np.add.reduce(products, axis=0))


def _first_places(groups: Int64, features: Int64) -> Int64:
    """Return, for each feature met, the place where it is met first in its group."""
    bits, n = len(groups).bit_length(), len(groups)
    met = (groups * (features.max(initial=0) + 1) + features) << bits | np.arange(n)
    met.sort()
    places, met = met & (1 << bits) - 1, met >> bits
    new = np.ones(n, bool)
    new[1:] = met[1:] != met[:-1]
    first = np.empty(n, np.int64)
    first[places] = places[new].take(new.cumsum() - 1)
    return first


def _log_tf(counts: Int64) -> Float64:
    values = _LOG_TF.take(counts, mode="clip")
    for at in (counts >= len(_LOG_TF)).nonzero()[0].tolist():
        values[at] = 1 + math.log(counts[at])
    return values


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield texts together, many short ones or a long one."""
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text) + 1
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
