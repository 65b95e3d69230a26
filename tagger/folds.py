"""Which texts are held out together: groups of near-duplicates, stratified folds, and folds by source."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import scipy.sparse as sp
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

from tagger.cleaning import Tokens
from tagger.features import Texts, read

SHINGLE = 5
"""Words in a shingle."""

NEAR_DUPLICATE = 0.5
"""Texts that share this part of all their shingles (Jaccard) are near-duplicates."""

COMMON_SHINGLE = 100
"""A shingle in more texts than this is a formula; it says nothing about duplicates."""

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
    return [_fold(names == name, ~np.isin(groups, groups[names == name])) for name in large]


def _fold(test: NDArray[np.bool_], train: NDArray[np.bool_] | None = None) -> Fold:
    return np.flatnonzero(~test if train is None else train), np.flatnonzero(test)


def _near_duplicates(texts: Texts) -> sp.csr_matrix:
    shingles = CountVectorizer(analyzer=_shingles, binary=True, dtype=np.int32).fit_transform(texts)
    sizes = np.maximum(shingles.getnnz(axis=1), 1)
    frequency = shingles.getnnz(axis=0)
    telling = shingles[:, (frequency > 1) & (frequency <= COMMON_SHINGLE)]
    shared = sp.coo_matrix(telling @ telling.T)
    resemblance = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    near = resemblance >= NEAR_DUPLICATE
    return sp.csr_matrix((np.ones(near.sum()), (shared.row[near], shared.col[near])), shape=shared.shape)


def _shingles(text: str | Tokens) -> list[str]:
    """Return a text's word 5-grams; of a shorter text, the whole."""
    words = read(text).words
    return [" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1))]


def _same(keys: Sequence[Hashable | None]) -> sp.csr_matrix:
    """Link each text to the first with the same key; None is never the same."""
    first: dict[Hashable, int] = {}
    links = [(row, first.setdefault(key, row)) for row, key in enumerate(keys) if key is not None]
    rows, columns = np.array(links, dtype=int).reshape(-1, 2).T
    return sp.csr_matrix((np.ones(len(links)), (rows, columns)), shape=(len(keys), len(keys)))
