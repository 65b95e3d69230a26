"""What two versions read of a document: the same text, or of a page the releases that each of them cuts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tagger.cleaning import content
from tagger.documents import Document
from tagger.tagging import Tagger


class Part(NamedTuple):
    """A release as one version cuts it: where it stands in its page, what it is called, what is read of it."""

    start: int
    end: int
    id: str
    title: str | None
    read: str


class Text(NamedTuple):
    """A document or a release: the `number`th of its document, and what the versions before and after read of it.

    One that does not cut such a release reads None.
    """

    position: int
    number: int
    id: str
    title: str | None
    span: tuple[int, int] | None
    reads: tuple[str | None, str | None]


def whole(document: Document, position: int) -> Text:
    """Return a document that is taken as it is."""
    read = content(document.title, document.text)
    return Text(position, 1, document.id, document.title, None, (read, read))


def parts_of(document: Document, tagger: Tagger) -> list[Part]:
    """Return the releases that a version cuts of a page, under the ids and titles that it tags them with."""
    releases = tagger.cut(document.text).releases
    if len(releases) == 1:
        only = releases[0]
        title = document.title or only.title
        return [Part(only.start, only.end, document.id, title, content(title, only.text))]
    return [
        Part(part.start, part.end, f"{document.id}#{number}", part.title, content(part.title, part.text))
        for number, part in enumerate(releases, 1)
    ]


def cut(position: int, before: Sequence[Part], after: Sequence[Part]) -> Iterator[Text]:
    """Yield the releases of a page, in order; one that both versions cut is one text, whatever they take away of it.

    It is called as the version after calls it, or the one before where only that has it.
    """
    for number, (left, right) in enumerate(_matched(before, after), 1):
        named = right or left
        assert named
        reads = (left and left.read, right and right.read)
        yield Text(position, number, named.id, named.title, (named.start, named.end), reads)


def _matched(before: Sequence[Part], after: Sequence[Part]) -> Iterator[tuple[Part | None, Part | None]]:
    """Yield the releases of both, in order: together where they share more than half of the longer one."""
    left, right = deque(before), deque(after)
    while left and right:
        first, second = left[0], right[0]
        common = min(first.end, second.end) - max(first.start, second.start)
        if 2 * common > max(first.end - first.start, second.end - second.start):
            yield left.popleft(), right.popleft()
        elif first.end <= second.end:
            yield left.popleft(), None
        else:
            yield None, right.popleft()
    yield from ((part, None) for part in left)
    yield from ((None, part) for part in right)
