"""The releases of an archive, and the themes that fit each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappush, heappushpop
from itertools import permutations
from operator import itemgetter
from typing import NamedTuple

from tagger.cleaning import content
from tagger.documents import Document, Unreadable
from tagger.tagging import Tagged, Tagger

MOST_DOCUMENTS = 20_000
"""Of a larger archive a sample of so many documents is looked at."""

UNJUDGED = ("too_short", "language")
"""Cautions about texts that tell nothing about themes."""

SAY_EVERY = 64
"""Documents between two reports of progress."""

BESIDE, MOST_OTHERS, LEAST_GIVEN, LEAST_OTHERS = 0.2, 0.75, 10, 5
"""A theme that stands beside at least a fifth of the releases of three quarters of the other themes tells the occasion
of a release, not its subject; themes with fewer than ten releases do not count, and there must be five that do."""

Progress = Callable[[str, float], None]
"""Called with the phase and how much of it is done, 0 to 1."""


class Sample(NamedTuple):
    """The documents that are looked at, of how many that were read, and those that could not be."""

    documents: list[Document]
    read: int
    unreadable: list[Unreadable]


@dataclass(frozen=True, slots=True)
class Example:
    """A release, and where it was read."""

    id: str
    title: str | None
    place: str


class Release(NamedTuple):
    """What the model reads of a release, and the themes that fit it."""

    source: Example
    text: str
    themes: frozenset[str]


def sample(documents: Iterable[Document | Unreadable], progress: Progress) -> Sample:
    """Return the documents of the smallest digests, in their order: any run draws the same."""
    drawn: list[tuple[int, int, Document]] = []
    unreadable = []
    position = -1
    for position, item in enumerate(documents):
        if isinstance(item, Unreadable):
            unreadable.append(item)
            continue
        # The heap gives up its smallest entry, which so is the largest digest.
        entry = (-_digest(item), -position, item)
        if len(drawn) < MOST_DOCUMENTS:
            heappush(drawn, entry)
        else:
            heappushpop(drawn, entry)
        if position % SAY_EVERY == 0:
            progress(f"reading, {position:,} documents", 0)
    return Sample([item for _, _, item in sorted(drawn, key=itemgetter(1), reverse=True)], position + 1, unreadable)


def _digest(document: Document) -> int:
    given = f"{document.id}\0{document.text}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(given, digest_size=8).digest())


def judged(documents: Sequence[Document], tagger: Tagger, split: bool | None, progress: Progress) -> Iterator[Release]:
    """Yield the releases that can be judged: a text that is very short or in another language than the seeds cannot."""
    for number, document in enumerate(documents):
        cuts = document.raw_page if split is None else split
        for tagged in tagger.tag_page(document) if cuts else [tagger.tag(document)]:
            if tagged.caution not in UNJUDGED:
                yield _release(tagged, document)
        if number % SAY_EVERY == 0:
            progress("tagging", number / len(documents))


def _release(tagged: Tagged, document: Document) -> Release:
    # A theme given below its threshold is the best of a bad lot; in a text unlike all seeds, none can be relied on.
    fitting = (tag.theme for tag in tagged.tags if tag.probability >= tag.threshold and not tagged.caution)
    text, place = document.text, document.where
    if tagged.release:
        text, place = tagged.release.text, f"{place}, character {tagged.release.start}"
    return Release(Example(tagged.id, tagged.title, place), content(tagged.title, text), frozenset(fitting))


def companions(theme_sets: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return the themes that stand beside most others: they tell the occasion of a release, not what it is about."""
    given = Counter(theme for themes in theme_sets for theme in themes)
    beside = Counter(pair for themes in theme_sets for pair in permutations(themes, 2))

    def accompanies(theme: str) -> bool:
        others = [other for other in given if other != theme and given[other] >= LEAST_GIVEN]
        near = sum(beside[theme, other] >= BESIDE * given[other] for other in others)
        return len(others) >= LEAST_OTHERS and near >= MOST_OTHERS * len(others)

    return frozenset(filter(accompanies, given))
