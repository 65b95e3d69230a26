"""Documents, and the releases a page holds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

DatePrecision = Literal["day", "month-day", "none"]


APART = {"nav": ("\ue000", "\ue001"), "aside": ("\ue002", "\ue003"), "footer": ("\ue004", "\ue005")}
"""What stands before and after the parts that an HTML page itself calls by these names, in the text extracted from
it: private-use characters, each a line of its own, which are no words to the model."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text with an id, and what is known of it.

    `where` is the place it was read at, such as `starter.jsonl, line 17`, for messages.
    `raw_page` says that the text is a page as it was found (a file, a folder's file), which may hold
    several releases and site furniture; a record of a table or a stream is not.
    """

    id: str
    text: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    raw_page: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An input document that could not be read: where it stood, and what was wrong with it."""

    id: str
    message: str


@dataclass(frozen=True, slots=True)
class Removal:
    """A stretch of a page that is no part of a release's text; offsets into the page, end exclusive."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Release:
    """One document cut from a page.

    `start` and `end` are code point offsets of the whole release in the page, header and contact line
    included. `text` is the cleaned body. `date` is ISO 8601: `2017-11-09`, `--12-03` where the page
    states no year, or None. `removed` lists what inside `start..end` is not in `text`.
    `anchors` maps `text` back to the page: pairs (offset in text, offset in page), ascending; from one
    anchor to the next both run in step. `title_start` is where the title stands in the page.
    """

    start: int
    end: int
    title: str | None
    date: str | None
    date_precision: DatePrecision
    office: str | None
    kind: str | None
    text: str
    removed: tuple[Removal, ...] = ()
    anchors: tuple[tuple[int, int], ...] = ((0, 0),)
    title_start: int | None = None

    def page_span(self, start: int, end: int) -> tuple[int, int]:
        """Return where the characters `start..end` of `text` stand in the page (end exclusive)."""
        return self._page_offset(start), self._page_offset(end - 1) + 1

    def _page_offset(self, offset: int) -> int:
        text_offset, page_offset = self.anchors[max(0, bisect_right(self.anchors, (offset, float("inf"))) - 1)]
        return page_offset + offset - text_offset
