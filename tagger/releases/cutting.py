"""A page cut into its releases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tagger.documents import DatePrecision, Release, Removal
from tagger.releases.blocks import Line, lines
from tagger.releases.bodies import body_text
from tagger.releases.dates import find_date
from tagger.releases.furniture import BANNER, FOOTER, SHARING, furniture, is_agency_name, line_kind
from tagger.releases.headers import Header, HeaderReader, title_text
from tagger.releases.learning import NOTHING_LEARNED, Boilerplate
from tagger.releases.markers import attributed_to, below_kind, is_contact, is_text_marker

HEADER = "header"
CONTACT = "contact"
ATTRIBUTION = "attribution"
TEXT_MARKER = "text_marker"

MAX_CONTACT_LINES = 30

MAX_PROMOTED = 3
"""How many headlines of other releases a page may promote below its agency's name."""

_DATELINE = 120


@dataclass(frozen=True, slots=True)
class Cut:
    """The releases of a page in order, and what stands outside them; together they hold every character."""

    releases: tuple[Release, ...]
    removed: tuple[Removal, ...]


def cut(page: str, learned: Boilerplate = NOTHING_LEARNED) -> Cut:
    """Return the releases of a page; where nothing says that there are several, there is one.

    >>> cut("Trade Talks Open\\n\\n3 Dec\\n\\nOffice of the Spokesperson\\n\\nTalks opened today.").releases[0].date
    '--12-03'
    """
    return _cut(page, learned, several=True)


def clean(page: str, learned: Boilerplate = NOTHING_LEARNED) -> Release | None:
    """Return a page that holds one release as that release; None when there is nothing but furniture."""
    return next(iter(_cut(page, learned, several=False).releases), None)


def _cut(page: str, learned: Boilerplate, *, several: bool) -> Cut:
    found = lines(page)
    kinds = furniture(page, found, learned)
    headers = HeaderReader(found, kinds).all()[: None if several else 1]
    firsts = [header.first for header in headers] + [len(found)]
    outside = list(range(firsts[0]))
    for position in outside:
        kinds[position] = kinds[position] or BANNER
    releases = []
    for header, (_, end) in zip(headers, pairwise(firsts), strict=True):
        section = _Section(page, found, kinds, header, end)
        releases.append(section.release())
        outside += range(section.end, end)
    return Cut(tuple(releases), tuple(_removals(found, outside, kinds)))


class _Section:
    """The lines from one header to the next: a release and what stands after it."""

    def __init__(self, page: str, lines: Sequence[Line], kinds: list[str | None], header: Header, end: int) -> None:
        self.page, self.lines, self.kinds, self.header = page, lines, kinds, header
        for position in range(header.first, header.body):
            kinds[position] = None if position == header.summary else HEADER
        self._mark_footer(end)
        while end > header.body and kinds[end - 1]:
            end -= 1
        self.end = end
        self.attribution = self._mark_markers()
        self._mark_contacts()

    def release(self) -> Release:
        """Return the release of this section."""
        header = self.header
        inside = range(header.first, self.end)
        kept = [position for position in inside if not self.kinds[position]]
        body = body_text(self.page, self.lines, kept)
        gone = [position for position in inside if self.kinds[position]]
        removed = sorted(_removals(self.lines, gone, self.kinds) + body.marks, key=lambda removal: removal.start)
        date, precision = self._date(kept)
        title, title_start = self._title()
        return Release(
            start=self.lines[header.first].start,
            end=self.lines[self.end - 1].end,
            title=title,
            date=date,
            date_precision=precision,
            office=self._office(),
            kind=next((field.kind for field in header.fields.values() if field.kind), None),
            text=body.text,
            removed=tuple(removed),
            anchors=body.anchors,
            title_start=title_start,
        )

    def _title(self) -> tuple[str | None, int | None]:
        if not self.header.title:
            return None, None
        words = " ".join(self.lines[position].words for position in self.header.title)
        title, line = title_text(words), self.lines[self.header.title[0]]
        found = self.page.find(title.split()[0], line.start + words.index(title), line.end)
        return title, max(found, line.start)

    def _date(self, kept: Sequence[int]) -> tuple[str | None, DatePrecision]:
        stated = self.header.date
        if stated:
            return stated.date, stated.precision
        return _dateline(self.lines[kept[0]].words) if kept else (None, "none")

    def _office(self) -> str | None:
        stated = dict.fromkeys(field.office for field in self.header.fields.values() if field.office)
        office = ", ".join(stated)
        if office and self.attribution:
            return f"{office} (attributable to {self.attribution})"
        return office or self.attribution

    # What is not the text

    def _mark_footer(self, end: int) -> None:
        """Mark what follows the last running text, from the first line on that only stands below a text."""
        while end > self.header.body and self.kinds[end - 1]:
            end -= 1
        first = end
        while first > self.header.body + 1 and (self.kinds[first - 1] or not self.lines[first - 1].is_prose):
            first -= 1
        is_below = False
        for position in range(first, end):
            kind = self.kinds[position]
            is_below = is_below or kind in (FOOTER, SHARING) or self._is_below_text(position, first, end)
            self.kinds[position] = kind or (FOOTER if is_below else None)

    def _is_below_text(self, position: int, first: int, end: int) -> bool:
        """Whether a line after the last running text heads links, says who issued it, or is furniture in a list.

        So does the agency's name with a few headlines of other releases, right below the running text.
        """
        line = self.lines[position]
        if below_kind(line.words) in ("related", "imprint"):
            return True
        if line.is_list_item:
            return not self.lines[first - 1].words.endswith(":") and bool(line_kind(line.words.lstrip("-*•· ")))
        return is_agency_name(line.words) and end - position - 1 <= MAX_PROMOTED and all(self.kinds[first:position])

    def _mark_markers(self) -> str | None:
        """Mark text markers, and the attribution near the top; return to whom the text is attributed."""
        attribution = None
        for position in range(self.header.body, self.end):
            words = self.lines[position].words
            if is_text_marker(words):
                self.kinds[position] = TEXT_MARKER
            elif not attribution and position < self.header.body + 3 and (who := attributed_to(words)):
                self.kinds[position], attribution = ATTRIBUTION, who
        return attribution

    def _mark_contacts(self) -> None:
        """Mark the contacts that end the release: paragraphs that say whom to ask, or a list below its heading."""
        first_contact = paragraph_end = self.end
        words = ""
        for position in range(self.end - 1, max(self.header.body, self.end - MAX_CONTACT_LINES) - 1, -1):
            line = self.lines[position]
            if self.kinds[position]:
                first_contact = position if first_contact == position + 1 else first_contact
                continue
            if paragraph_end == self.end or line.paragraph != self.lines[position + 1].paragraph:
                words, paragraph_end = "", position + 1
            words = f"{line.words} {words}".strip()
            if below_kind(line.words) == "contact" or (first_contact <= paragraph_end and is_contact(words)):
                first_contact = position
            elif line.is_prose and (not position or self.lines[position - 1].paragraph != line.paragraph):
                break
        for position in range(first_contact, self.end):
            self.kinds[position] = self.kinds[position] or CONTACT


def _dateline(words: str) -> tuple[str | None, DatePrecision]:
    """Return the full date of a dateline that opens a text: `OTTAWA, 3 December 2021 – The government ...`."""
    found = find_date(words[:_DATELINE])
    if found and found.precision == "day":
        before, after = words[: found.start], words[found.end :].lstrip(" )]")
        if after.startswith(("–", "—", "-", ":", "|")) and not any(word.islower() for word in before.split()):
            return found.date, found.precision
    return None, "none"


def _removals(lines: Sequence[Line], positions: Sequence[int], kinds: Sequence[str | None]) -> list[Removal]:
    """Return lines as removals, one for each stretch of one kind; a line of no kind is a footer."""
    removals: list[Removal] = []
    above = -2
    for position in positions:
        kind = kinds[position] or FOOTER
        if position == above + 1 and removals[-1].kind == kind:
            removals[-1] = Removal(removals[-1].start, lines[position].end, kind)
        else:
            removals.append(Removal(lines[position].start, lines[position].end, kind))
        above = position
    return removals
