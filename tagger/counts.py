"""Words counted once: texts as numbers, and the features of any part of the texts made from the counts.

Cross-validation fits features anew for every fold. What it counts is the same each time, so it is counted once; a
fold keeps the columns its training texts know and gives them their idf. The outcome is that of `WordBlocks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.features import BLOCKS, FEW_TEXTS, PAIRS, Texts, read

Rows = NDArray[np.intp]


class Numbered(NamedTuple):
    """Texts as numbers: those of all their words, one text after the other, each the place in the sorted vocabulary.

    `rows`, (n_words,), says which text a word stands in, `starts`, (n_texts + 1,), where each text starts.
    """

    vocabulary: list[str]
    words: NDArray[np.int64]
    rows: Rows
    starts: Rows

    @classmethod
    def of(cls, texts: Sequence[list[str]]) -> Numbered:
        """Number texts given as their words."""
        vocabulary = sorted(set(chain.from_iterable(texts)))
        place = {word: number for number, word in enumerate(vocabulary)}
        sizes = [len(words) for words in texts]
        words = np.fromiter(map(place.__getitem__, chain.from_iterable(texts)), np.int64, sum(sizes))
        return cls(vocabulary, words, np.repeat(np.arange(len(sizes)), sizes), np.cumsum([0, *sizes]))


class WordCounts:
    """How often each word, word of the lead and pair stands in each text: 1 + log of it, in the order of the words.

    Each block is counted when it is first asked for.
    """

    def __init__(self, texts: Texts) -> None:
        found = [read(text) for text in texts]
        self._texts = Numbered.of([text.words for text in found])
        self._leads = np.array([text.lead for text in found], dtype=np.intp)
        self.least = {name: 1 if len(texts) < FEW_TEXTS else block.min_df for name, block in BLOCKS.items()}
        """In how many texts a term must stand, by block."""

    def blocks(self, *, pairs: bool) -> dict[str, sp.csr_matrix]:
        """Return the blocks of a model with or without pairs, each (n_texts, n_terms)."""
        blocks = {"words": self.words, "lead": self._lead}
        return blocks | ({PAIRS: self._pairs} if pairs else {})

    @cached_property
    def words(self) -> sp.csr_matrix:
        """The words of each text."""
        return self._counted(self._texts.words, self._texts.rows, len(self._texts.vocabulary))

    def beginnings(self, lengths: int | Rows) -> sp.csr_matrix:
        """Return the words of the beginnings of texts, so many words long."""
        vocabulary, words, rows, starts = self._texts
        position = np.arange(len(words)) - starts[rows]
        kept = position < np.broadcast_to(lengths, len(self._leads))[rows]
        return self._counted(words[kept], rows[kept], len(vocabulary))

    @cached_property
    def _lead(self) -> sp.csr_matrix:
        return self.beginnings(self._leads)

    @cached_property
    def _pairs(self) -> sp.csr_matrix:
        vocabulary, words, rows, _ = self._texts
        within = rows[:-1] == rows[1:]
        # A space sorts before what words are made of: pairs stand by their words as they would by their names.
        keys = (words[:-1] * len(vocabulary) + words[1:])[within]
        different, numbers = np.unique(keys, return_inverse=True)
        counted = self._counted(numbers, rows[:-1][within], len(different))
        # What is rare among all texts is so in every part of them.
        return counted[:, frequencies(counted) >= self.least[PAIRS]]

    def _counted(self, terms: NDArray[np.int64], rows: Rows, n_terms: int) -> sp.csr_matrix:
        n_texts = len(self._leads)
        starts = np.searchsorted(rows, np.arange(n_texts + 1))
        counts = sp.csr_matrix((np.ones(len(terms)), terms, starts), shape=(n_texts, n_terms))
        counts.sum_duplicates()
        np.log(counts.data, out=counts.data)
        counts.data += 1
        return counts


class Seen(NamedTuple):
    """What the training texts of a fold say of a block's terms: which are kept, and the idf of those."""

    kept: Rows
    idf: NDArray[np.float64]

    @classmethod
    def of(cls, counts: sp.csr_matrix, least: int) -> Seen:
        """Learn from counts; terms in fewer than `least` texts are not kept."""
        frequency = frequencies(counts)
        kept = np.flatnonzero(frequency >= least)
        return cls(kept, np.log((1 + counts.shape[0]) / (1 + frequency[kept])) + 1)

    def tf_idf(self, counts: sp.csr_matrix) -> tuple[sp.csr_matrix, NDArray[np.float64]]:
        """Return tf-idf of L2 norm 1, (n_texts, n_kept), and the norms before, (n_texts,); 1 where nothing is known."""
        values = counts[:, self.kept]
        values.data *= self.idf[values.indices]
        squares = sp.csr_matrix((values.data**2, values.indices, values.indptr), shape=values.shape)
        norms = np.sqrt(squares @ np.ones(len(self.idf)))
        norms[norms == 0] = 1.0
        values.data /= np.repeat(norms, np.diff(values.indptr))
        return values, norms


class FoldFeatures(NamedTuple):
    """Features of texts, (n_texts, n_features), and the norm of each text's word block, (n_texts,)."""

    features: sp.csr_matrix
    word_norms: NDArray[np.float64]


def fold_features(
    blocks: Mapping[str, sp.csr_matrix], least: Mapping[str, int], train: Rows, test: Rows
) -> tuple[FoldFeatures, FoldFeatures]:
    """Return the features of training and of held-out texts, as `WordBlocks` fitted on the former gives them.

    Raises ValueError where the training texts share no word, or no pair.
    """
    found: tuple[list[sp.csr_matrix], list[sp.csr_matrix]] = [], []
    norms = []
    for name, counts in blocks.items():
        of_train = counts[train]
        seen = Seen.of(of_train, least[name])
        if not len(seen.kept):
            raise ValueError(f"no term of the block {name!r} stands in {least[name]} texts")
        for side, of_side in zip(found, (of_train, counts[test]), strict=True):
            values, norm = seen.tf_idf(of_side)
            values.data *= BLOCKS[name].weight
            side.append(values)
            norms.append(norm)
    # The block of words is the first.
    train_side, test_side = (FoldFeatures(sp.hstack(side, format="csr"), norms[n]) for n, side in enumerate(found))
    return train_side, test_side


def frequencies(counts: sp.csr_matrix) -> NDArray[np.intp]:
    """Return in how many texts each term stands, (n_terms,)."""
    return np.bincount(counts.indices, minlength=counts.shape[1])
