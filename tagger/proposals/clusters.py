"""Clusters: texts of an archive that are about the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

LEAST_TEXTS, LEAST_COHERENCE = 5, 0.25
"""A cluster has so many distinct texts. Those that are less alike than this on average are what is left over."""

STRAY = 0.4
"""A text less like its cluster's centre than this (cosine) is left out of it."""

CLUSTERS = 1.5
"""Clusters looked for, times the root of half the number of texts."""

DIMENSIONS = 100
SEED = 0
"""Of the random starts of decomposition and clustering."""


class Cluster(NamedTuple):
    """Rows of distinct texts, the nearest to the centre first, and how alike two of them are on average."""

    rows: list[int]
    coherence: float


def find_clusters(vectors: sp.csr_matrix, weights: Mapping[int, float]) -> list[Cluster]:
    """Return the clusters of the texts of these rows, large and coherent ones first; stray texts belong to none.

    `weights` says what each text counts for how large a cluster is. What goes with what is learned from all texts.
    """
    dimensions = min(DIMENSIONS, *(size - 1 for size in vectors.shape))
    if dimensions < 1 or not vectors.nnz:
        return []
    rows = np.array(list(weights), dtype=np.intp)
    latent = normalize(TruncatedSVD(dimensions, random_state=SEED).fit(vectors).transform(vectors[rows]))
    n_clusters = round(CLUSTERS * (len(rows) / 2) ** 0.5)
    labels = KMeans(n_clusters, n_init=10, random_state=SEED).fit_predict(latent)
    found = [_cluster(rows[labels == label], latent[labels == label]) for label in range(n_clusters)]
    whole = [cluster for cluster in found if len(cluster.rows) >= LEAST_TEXTS and cluster.coherence >= LEAST_COHERENCE]
    return sorted(whole, key=lambda cluster: -sum(weights[row] for row in cluster.rows) * cluster.coherence)


def _cluster(rows: NDArray[np.intp], latent: NDArray[np.float64]) -> Cluster:
    likeness = latent @ normalize(latent.mean(axis=0, keepdims=True))[0]
    order = np.argsort(-likeness, kind="stable")
    near = order[likeness[order] >= STRAY]
    total = float(np.square(latent[near].sum(axis=0)).sum())
    pairs = len(near) * (len(near) - 1)
    return Cluster(rows[near].tolist(), (total - len(near)) / pairs if pairs else 0.0)
