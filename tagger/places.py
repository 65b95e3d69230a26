"""Places: where what the model reads of a document stands in the title and text as they were given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from tagger.documents import Document, Release

Span = tuple[int, int]


class Place(NamedTuple):
    """Where a term stands: offsets into the title or the text as they were given, end exclusive."""

    start: int
    end: int
    part: Literal["title", "text"]


class DocumentPlaces:
    """Offsets of what the model reads, told as offsets into a document's title and text."""

    def __init__(self, document: Document, read: str) -> None:
        title = document.title or ""
        has_title = read is not document.text
        self._title_shift = len(title) - len(title.lstrip())
        self._title_end = len(title.strip()) if has_title else 0
        self._text_start = self._title_end + 2 if has_title else 0

    def of(self, spans: Sequence[Span]) -> tuple[Place, ...]:
        """Return where spans of what the model reads stand; one over the end of the title stands in two places."""
        places: list[Place] = []
        for start, end in spans:
            if start >= self._text_start:
                places.append(self._in_text(start - self._text_start, end - self._text_start))
            else:
                places += self._around_title(start, end)
        return tuple(places)

    def _around_title(self, start: int, end: int) -> Iterator[Place]:
        if start < self._title_end:
            yield self._in_title(start, min(end, self._title_end))
        if end > self._text_start:
            yield self._in_text(max(start, self._text_start) - self._text_start, end - self._text_start)

    def _in_title(self, start: int, end: int) -> Place:
        return Place(start + self._title_shift, end + self._title_shift, "title")

    def _in_text(self, start: int, end: int) -> Place:
        return Place(start, end, "text")


class ReleasePlaces(DocumentPlaces):
    """The same for a release: offsets into the page it was cut from."""

    def __init__(self, release: Release, read: str, page: str) -> None:
        super().__init__(Document("", release.text, release.title), read)
        self._release = release
        self._title = _places_of((release.title or "").strip(), page, release.title_start)

    def _in_title(self, start: int, end: int) -> Place:
        if not self._title:  # the title was given beside the page
            return super()._in_title(start, end)
        return Place(self._title[start], self._title[end - 1] + 1, "text")

    def _in_text(self, start: int, end: int) -> Place:
        return Place(*self._release.page_span(start, end), "text")


def _places_of(title: str, page: str, start: int | None) -> list[int]:
    """Return where each character of a title stands in its page, which may hold marks and odd spaces between them."""
    places: list[int] = []
    at = -1 if start is None else start
    for character in title if start is not None else "":
        # What is no character of the page is a space that stands for other white space.
        found = at if character.isspace() else page.find(character, at)
        places.append(at if found < 0 else found)
        at = places[-1] + (not character.isspace())
    return places
