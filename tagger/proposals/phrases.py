"""Phrases that tell a cluster: its texts hold them, and the archive's others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from tagger.cleaning import LONGEST_TERM, tokens
from tagger.proposals.clusters import Cluster
from tagger.proposals.words import NAME_LOSS, ArchiveWords

CORE = 200
"""Texts nearest to the centre that the phrases of a cluster are looked for in."""

TELLING, LEAST_REPEATS = 0.15, 3
"""A phrase stands in at least this part of them, and in so many."""

PRIOR = 50.0
"""Releases that the odds of each phrase are drawn towards the whole archive by."""

SAME_TEXTS = 0.75
"""Of two phrases that share words, and this part of their texts (Jaccard), one is enough."""

MOST_PHRASES = 24

Counts = NDArray[np.intp]


def telling_phrases(texts: Sequence[str], clusters: Sequence[Cluster], archive: ArchiveWords) -> list[list[str]]:
    """Return for each cluster the phrases that its texts hold and the archive's others do not, the most telling first.

    The measure is the log-odds ratio with the archive as its prior, in standard errors (Monroe et al. 2008), of how
    many texts hold a phrase; names count less.
    """
    candidates = [_candidates([texts[row] for row in cluster.rows[:CORE]], archive) for cluster in clusters]
    vocabulary = sorted(set().union(*candidates))
    if not vocabulary:
        return [[] for _ in clusters]
    holds = CountVectorizer(analyzer=_runs, vocabulary=vocabulary, binary=True).transform(texts).tocsc()
    names = np.array([np.mean([archive.names.get(word, 0.0) for word in phrase.split()]) for phrase in vocabulary])
    columns = {phrase: column for column, phrase in enumerate(vocabulary)}
    telling = []
    for cluster, of_cluster in zip(clusters, candidates, strict=True):
        own = np.array(sorted(columns[phrase] for phrase in of_cluster), dtype=np.intp)
        inside = holds[:, own].tocsr()[cluster.rows]
        scores = _log_odds(inside.getnnz(axis=0), len(cluster.rows), holds[:, own].getnnz(axis=0), len(texts))
        scores *= 1 - NAME_LOSS * names[own]
        order = [place for place in np.argsort(-scores, kind="stable").tolist() if scores[place] > 0]
        telling.append(_without_repeats([vocabulary[own[place]] for place in order], inside[:, order].tocsc()))
    return telling


def _candidates(texts: Sequence[str], archive: ArchiveWords) -> Collection[str]:
    """Return the phrases without numbers that enough of the texts hold, and that are not made of what is common."""
    counts = Counter(phrase for text in texts for phrase in set(_runs(text)))
    least = max(LEAST_REPEATS, TELLING * len(texts))
    return {phrase for phrase, count in counts.items() if count >= least and _may_tell(phrase.split(), archive)}


def _may_tell(phrase: Sequence[str], archive: ArchiveWords) -> bool:
    return (
        not archive.common & {phrase[0], phrase[-1]}
        and not archive.known.issuperset(phrase)
        and all(word.isalpha() for word in phrase)
    )


def _runs(text: str) -> list[str]:
    """Analyzer: every run of one to three words."""
    raw = tokens(text).raw
    return [
        " ".join(raw[start : start + length])
        for length in range(1, LONGEST_TERM + 1)
        for start in range(len(raw) - length + 1)
    ]


def _log_odds(inside: Counts, n_inside: int, everywhere: Counts, n_everywhere: int) -> NDArray[np.float64]:
    prior = PRIOR * everywhere / n_everywhere
    outside = everywhere - inside
    with_it, without_it = inside + prior, n_inside - inside + PRIOR - prior
    elsewhere, not_elsewhere = outside + prior, n_everywhere - n_inside - outside + PRIOR - prior
    ratio = np.log(with_it / without_it) - np.log(elsewhere / not_elsewhere)
    return np.asarray(ratio / np.sqrt(1 / with_it + 1 / elsewhere))


def _without_repeats(phrases: Sequence[str], holds: sp.csc_matrix) -> list[str]:
    """Return the first phrases, but for those that say what one before says: they share words and nearly all texts."""
    chosen: list[tuple[set[str], set[int]]] = []
    kept = []
    for column, phrase in enumerate(phrases):
        words, rows = set(phrase.split()), set(holds[:, column].indices.tolist())
        said = any(words & others and len(rows & held) >= SAME_TEXTS * len(rows | held) for others, held in chosen)
        if not said:
            chosen.append((words, rows))
            kept.append(phrase)
        if len(kept) == MOST_PHRASES:
            break
    return kept
