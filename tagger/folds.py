"""Which texts are held out together: groups of near-duplicates, stratified folds, and folds by source."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import scipy.sparse as sp
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from tagger.counts import Numbered
from tagger.features import Texts, read

SHINGLE = 5
"""Words in a shingle."""

NEAR_DUPLICATE = 0.5
"""Texts that share this part of all their shingles (Jaccard) are near-duplicates."""

COMMON_SHINGLE = 100
"""A shingle in more texts than this is a formula; it says nothing about duplicates."""

PAIRS_AT_A_TIME = 1000
"""Of so many pairs of texts the shingles are held in memory at a time."""

FOLDS = 5
LEAST_SOURCE = 0.05
"""A source with a smaller part of the documents is no fold of its own."""

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
Groups = NDArray[np.intp]
"""The group of each text, (n_texts,)."""


def group_texts(texts: Texts, pages: Sequence[Hashable | None]) -> Groups:
    """Return the group of each text, (n_texts,): near-duplicates and texts of one page are grouped, transitively.

    Near-duplicates share half of their word 5-grams (Broder 1997, resemblance of shingles).
    """
    edges = _near_duplicates(texts) + _same(pages)
    _, groups = connected_components(edges, directed=False)
    return np.asarray(groups, dtype=np.intp)


def stratified_folds(theme_sets: NDArray[np.bool_], groups: Groups, seed: int) -> list[Fold]:
    """Return folds (train, test) that keep groups whole and themes even (Sechidis et al. 2011)."""
    of_group = np.zeros((groups.max() + 1, theme_sets.shape[1]), dtype=int)
    np.maximum.at(of_group, groups, theme_sets.astype(int))
    n_folds = min(FOLDS, len(of_group))
    splitter = MultilabelStratifiedKFold(n_folds, shuffle=True, random_state=seed)
    # Documents with no theme are stratified too: as one more label.
    labels = np.column_stack([of_group, ~of_group.any(axis=1)])
    return [_fold(np.isin(groups, test)) for _, test in splitter.split(labels, labels)]


def source_folds(sources: Sequence[str | None], groups: Groups) -> list[Fold]:
    """Return one fold per source that holds out all its texts; none where fewer than two sources are large enough.

    Texts that share a group with a held-out one are not trained on either.
    """
    names = np.array([source or "" for source in sources])
    large = [name for name in sorted(set(names.tolist()) - {""}) if (names == name).mean() >= LEAST_SOURCE]
    if len(large) < 2:
        return []
    folds = [_fold(names == name, ~np.isin(groups, groups[names == name])) for name in large]
    # A source that shares all its groups with the others leaves nothing to train on.
    folds = [(train, test) for train, test in folds if len(train)]
    return folds if len(folds) > 1 else []


def _fold(test: NDArray[np.bool_], train: NDArray[np.bool_] | None = None) -> Fold:
    return np.flatnonzero(~test if train is None else train), np.flatnonzero(test)


def _near_duplicates(texts: Texts) -> sp.csr_matrix:
    shingles = _shingles(texts)
    sizes = np.maximum(shingles.getnnz(axis=1), 1)
    frequency = shingles.getnnz(axis=0)
    telling = shingles[:, (frequency > 1) & (frequency <= COMMON_SHINGLE)]
    shared = sp.coo_matrix(telling @ telling.T)
    first, second = _with_first(shingles[:, frequency > COMMON_SHINGLE])
    # Of two sizes too different no share is large enough.
    close = np.minimum(sizes[first], sizes[second]) >= NEAR_DUPLICATE * np.maximum(sizes[first], sizes[second])
    first, second = first[close], second[close]
    rows, columns = np.concatenate([shared.row, first]), np.concatenate([shared.col, second])
    # Of a pair that shares common shingles only, the telling ones say nothing: count all.
    in_common = np.concatenate([shared.data, np.zeros(len(first))])
    for start in range(0, len(first), PAIRS_AT_A_TIME):
        some = slice(start, start + PAIRS_AT_A_TIME)
        both = shingles[first[some]].multiply(shingles[second[some]])
        in_common[len(shared.data) :][some] = np.asarray(both.sum(axis=1)).ravel()
    near = in_common / (sizes[rows] + sizes[columns] - in_common) >= NEAR_DUPLICATE
    return sp.csr_matrix((np.ones(near.sum()), (rows[near], columns[near])), shape=shared.shape)


def _with_first(common: sp.csr_matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return pairs of each text with the first that has one of its common shingles: rows, and rows of the firsts."""
    by_column = common.tocsc()
    firsts = np.array([column[0] for column in np.split(by_column.indices, by_column.indptr[1:-1]) if len(column)])
    cells = common.tocoo()
    pairs = np.unique(np.column_stack([cells.row, firsts[cells.col]]), axis=0) if len(firsts) else np.zeros((0, 2), int)
    return pairs[:, 0], pairs[:, 1]


def _shingles(texts: Texts) -> sp.csr_matrix:
    """Return which word 5-grams stand in each text, (n_texts, n_shingles); of a shorter text, the whole."""
    found = [read(text).words for text in texts]
    vocabulary, words, rows, _ = Numbered.of([of_text + [""] * (SHINGLE - len(of_text)) for of_text in found])
    # Tabulation hashing: a random number for each word at each place; two runs have one sum once in 2**64 times.
    table = np.random.default_rng(0).integers(2**64, size=(SHINGLE, len(vocabulary)), dtype=np.uint64)
    last = len(words) - SHINGLE + 1
    hashes = sum(of_place[words[place : place + last]] for place, of_place in enumerate(table))
    _, runs = np.unique(hashes, return_inverse=True)
    within = rows[: len(runs)] == rows[SHINGLE - 1 :]
    runs, rows = runs[within], rows[: len(within)][within]
    shingles = sp.csr_matrix((np.ones(len(runs), dtype=np.int32), (rows, runs)), shape=(len(texts), runs.max() + 1))
    shingles.data[:] = 1
    return shingles


def _same(keys: Sequence[Hashable | None]) -> sp.csr_matrix:
    """Link each text to the first with the same key; None is never the same."""
    first: dict[Hashable, int] = {}
    links = [(row, first.setdefault(key, row)) for row, key in enumerate(keys) if key is not None]
    rows, columns = np.array(links, dtype=int).reshape(-1, 2).T
    return sp.csr_matrix((np.ones(len(links)), (rows, columns)), shape=(len(keys), len(keys)))
