"""The documents of a part, compared: what a worker process does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from tagger.archive.parts import Part
from tagger.differences.flips import Compared
from tagger.differences.pairs import Pair
from tagger.differences.tallies import Tally
from tagger.differences.texts import Text, cut, parts_of, whole
from tagger.documents import Document, Unreadable
from tagger.registry import Registry

TOGETHER = 100
"""Texts that are read together."""

Task = tuple[str, str, str, Part, Sequence[int]]
"""The arguments of `compare_part`."""


@lru_cache(maxsize=1)
def pair_of(models: str, before: str, after: str) -> Pair:
    """Return two versions of a folder of versions. Raises UnknownVersion, DamagedVersion."""
    registry = Registry(Path(models))
    return Pair(registry.get(before), registry.get(after))


def compare_part(models: str, before: str, after: str, part: Part, floors: Sequence[int]) -> Tally:
    """Return what differs in the documents of a part; flips of no more consequence than the floors are counted only."""
    pair, tally = pair_of(models, before, after), Tally(floors)
    texts = _texts(part, pair, tally)
    while some := list(islice(texts, TOGETHER)):
        sides = [pair.read(side, [text.reads[side] for text in some]) for side in (0, 1)]
        for text, *both in zip(some, *sides, strict=True):
            tally.add(Compared(pair, text, both))
    return tally


def _texts(part: Part, pair: Pair, tally: Tally) -> Iterator[Text]:
    """Yield what the versions read of the documents; count these, and those of which there is nothing to read."""
    for position, item in enumerate(part.read(), part.position):
        tally.counts["documents"] += 1
        if isinstance(item, Unreadable):
            tally.add_unreadable(position, item.id, item.message)
        elif item.raw_page:
            yield from _page_texts(item, position, pair, tally)
        else:
            yield whole(item, position)


def _page_texts(page: Document, position: int, pair: Pair, tally: Tally) -> Iterator[Text]:
    before = parts_of(page, pair.taggers[0])
    after = before if pair.cuts_alike else parts_of(page, pair.taggers[1])
    if not before and not after:
        tally.add_unreadable(position, page.id, f"{page.id} holds site furniture only, no release.")
    tally.counts["pages"] += before != after
    for text in cut(position, before, after):
        tally.counts["only_before"] += text.reads[1] is None
        tally.counts["only_after"] += text.reads[0] is None
        yield text
