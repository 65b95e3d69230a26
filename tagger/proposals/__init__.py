"""Themes that are missing: clusters of an archive's releases that no theme fits, as drafts of theme cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from tagger.documents import Document, Unreadable
from tagger.folds import group_texts
from tagger.proposals.clusters import LEAST_TEXTS, Cluster, find_clusters
from tagger.proposals.drafts import SHOWN_PHRASES, Proposal, card_file, check_new, draft_card, write_cards
from tagger.proposals.phrases import telling_phrases
from tagger.proposals.releases import Example, Progress, Release, companions, judged, sample
from tagger.proposals.words import weigh_words
from tagger.tagging import Tagger
from tagger.themes import ThemeCard

__all__ = ["Example", "Proposal", "Survey", "card_file", "check_new", "propose", "write_cards"]

OPENING = 1000
"""Near-duplicates are told by so many characters; whole texts of a large archive would not fit into memory."""

OCCASION = 0.25
"""What a release counts, in the order of clusters, that has a companion theme: that may be all there is to it."""

SHOWN_EXAMPLES, SHOWN_FAILURES = 3, 5


@dataclass(frozen=True, slots=True)
class Survey:
    """What an archive's releases say about themes that are missing.

    Of `documents` read, `unreadable` could not be, and `sampled` were looked at; they held `releases`, of which no
    theme fits `unfitted`. `companions` are themes that stand beside most others, and so fit nothing by themselves.
    """

    version: str
    documents: int
    unreadable: tuple[Unreadable, ...]
    sampled: int
    releases: int
    unfitted: int
    companions: tuple[str, ...]
    proposals: tuple[Proposal, ...]

    def notes(self) -> Iterator[str]:
        """Yield in sentences what was looked at, and what could not be."""
        if self.sampled + len(self.unreadable) < self.documents:
            yield f"A sample of {self.sampled:,} of the {self.documents:,} documents was looked at."
        yield f"No theme fits {self.unfitted:,} of {self.releases:,} releases; clusters found: {len(self.proposals)}."
        if self.companions:
            yield f"Not counted as fitting, for standing beside most other themes: {', '.join(self.companions)}."
        for failure in self.unreadable[:SHOWN_FAILURES]:
            yield failure.message
        if len(self.unreadable) > SHOWN_FAILURES:
            yield f"{len(self.unreadable) - SHOWN_FAILURES:,} more documents could not be read."


def propose(
    documents: Iterable[Document | Unreadable],
    tagger: Tagger,
    *,
    most: int = 10,
    split: bool | None = None,
    progress: Progress = lambda _phase, _done: None,
) -> Survey:
    """Return at most `most` clusters of releases that no theme fits, large and coherent ones first.

    With `split` documents are cut into their releases; None cuts raw pages only. Of a large archive, a sample is
    looked at that depends on the documents alone.
    """
    found = sample(documents, progress)
    releases = list(judged(found.documents, tagger, split, progress))
    archive = _Archive(releases, tagger, companions([release.themes for release in releases]))
    # One BLAS thread: a sum split over threads rounds otherwise than the same sum on one.
    with threadpool_limits(limits=1):
        proposals = tuple(_proposals(archive, most, progress))
    return Survey(
        tagger.version,
        found.read,
        tuple(found.unreadable),
        len(found.documents),
        len(releases),
        len(archive.unfitted()),
        tuple(sorted(archive.companions)),
        proposals,
    )


class _Archive(NamedTuple):
    """Releases, what tagged them, and the themes that fit none of them by themselves."""

    releases: Sequence[Release]
    tagger: Tagger
    companions: frozenset[str]

    def unfitted(self) -> list[int]:
        """Return the rows of releases that no theme fits."""
        return [row for row, release in enumerate(self.releases) if not release.themes - self.companions]


def _proposals(archive: _Archive, most: int, progress: Progress) -> Iterator[Proposal]:
    unfitted = archive.unfitted()
    if len(unfitted) < 2 * LEAST_TEXTS:
        return
    texts = [release.text for release in archive.releases]
    progress("grouping near-duplicates", 0)
    copies = _copies(texts, unfitted)
    progress("weighing words", 0)
    words = weigh_words(texts, np.setdiff1d(np.arange(len(texts)), unfitted), copies)
    progress("clustering", 0)
    weights = {row: OCCASION if archive.releases[row].themes else 1.0 for row in copies}
    clusters = find_clusters(words.vectors, weights)[:most]
    progress("finding phrases", 0)
    cards = [_theme_card(theme) for theme in archive.tagger.themes]
    for cluster, phrases in zip(clusters, telling_phrases(texts, clusters, words), strict=True):
        if phrases:
            cards.append(draft_card(phrases, cards))
            yield _proposal(archive, cluster, sum(copies[row] for row in cluster.rows), phrases, cards[-1])


def _copies(texts: Sequence[str], rows: Sequence[int]) -> dict[int, int]:
    """Return the rows of distinct texts, and how many near-duplicates there are of each, itself among them."""
    groups = group_texts([texts[row][:OPENING] for row in rows], [None] * len(rows))
    _, firsts, counts = np.unique(groups, return_index=True, return_counts=True)
    return {rows[first]: count for first, count in zip(firsts.tolist(), counts.tolist(), strict=True)}


def _theme_card(theme: Mapping[str, Any]) -> ThemeCard:
    """Return what counts of a card that was trained with."""
    return ThemeCard(theme["id"], theme["label"], tuple(theme["alt_labels"]), tuple(theme["keywords"]))


def _proposal(archive: _Archive, cluster: Cluster, size: int, phrases: Sequence[str], card: ThemeCard) -> Proposal:
    members = [archive.releases[row] for row in cluster.rows]
    nearest, reach = _nearest(archive, [release.text for release in members])
    return Proposal(
        card,
        releases=size,
        texts=len(members),
        untagged=sum(not release.themes for release in members),
        share=size / len(archive.releases),
        coherence=cluster.coherence,
        phrases=tuple(phrases[:SHOWN_PHRASES]),
        examples=tuple(release.source for release in members[:SHOWN_EXAMPLES]),
        nearest=nearest,
        reach=reach,
    )


def _nearest(archive: _Archive, texts: Sequence[str]) -> tuple[str, float]:
    """Return the theme, no companion, whose threshold the texts come nearest to, and how near: 1 where all reach it."""
    themes = archive.tagger.themes
    thresholds = np.array([theme["threshold"] for theme in themes])
    reached = [np.minimum(archive.tagger.probabilities(text) / thresholds, 1) for text in texts]
    means = np.where([theme["id"] in archive.companions for theme in themes], -1, np.mean(reached, axis=0))
    return themes[int(means.argmax())]["id"], float(means.max())
