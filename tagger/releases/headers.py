"""The headers of a page: where a release starts, and what its header states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from tagger.releases.blocks import MAX_TITLE, Line
from tagger.releases.fields import (
    Field,
    is_further_speaker,
    is_name,
    is_role,
    is_signature,
    is_town,
    is_venue,
    read_field,
    read_value,
)
from tagger.releases.furniture import BANNER, SHARING, is_agency_name
from tagger.releases.markers import attributed_to, follows_text, is_end_marker, is_text_marker

MAX_FIELDS = 15
"""A longer run of header-like lines is a list, not a header."""

MAX_OFFICE_SPACES = 8
"""A longer line that opens with an office is a headline, rather: `Deputy Minister of State for ... Travels to ...`."""

MAX_TITLE_LINES = 3
MAX_SUMMARY = 500

_PREFIX = re.compile(r"(?:press|news|media) (release|note|statement)(s?)\s*[:|–—]\s+(?!https?:|www\.)", re.IGNORECASE)
_SITE_SUFFIX = re.compile(r"\s+[-–—|]\s+([^|–—]{3,60})$")
_ISSUER = {"office", "kind", "marker", "reference", "label"}


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one release, by line numbers: it runs from `first` to before `body`.

    `summary` is a sentence between title and date, which stands in the header and is text all the same.
    """

    first: int
    body: int
    title: range = range(0)
    fields: dict[int, Field] = field(default_factory=dict)
    summary: int | None = None

    @property
    def states(self) -> set[str]:
        """What the lines of the header state."""
        return {what for found in self.fields.values() for what in found.what}


class HeaderReader:
    """Reads headers from the lines of one page."""

    def __init__(self, lines: Sequence[Line], furniture: Sequence[str | None]) -> None:
        self.lines = lines
        self.furniture = furniture
        prose = (not kind and line.is_prose for line, kind in zip(lines, furniture, strict=True))
        self._prose_before = [0, *accumulate(prose)]

    def all(self) -> list[Header]:
        """Return the headers at which the page is cut; the first is that of the page's first release."""
        found = list(self._certain())
        ends = [*(header.first for header in found), len(self.lines)][1:]
        found = [header for header, end in zip(found, ends, strict=True) if self._has_prose(header.body, end)]
        if found and not self._has_prose(0, found[0].first):
            return found
        opening = self._opening(found[0].first if found else len(self.lines))
        return [opening, *found] if opening else found

    def _has_prose(self, first: int, end: int) -> bool:
        return self._prose_before[end] > self._prose_before[min(first, end)]

    def _opening(self, end: int) -> Header | None:
        """The header of what the page opens with, however little it states."""
        first = next((position for position in range(end) if not self.furniture[position]), None)
        if first is None:
            return None
        header = self._prefixed(first) or self._around_fields(first) or self._titled(first)
        return header if header and header.body < end else Header(first, first)

    # Evidence

    def _certain(self) -> Iterator[Header]:
        position = 0
        while position < len(self.lines):
            header = self._prefixed(position) or (None if self._is_inside(position) else self._around_fields(position))
            if header and self._is_certain(header):
                yield header
            position = max(position + 1, header.body if header else 0)

    def _is_inside(self, position: int) -> bool:
        """Whether the line is furniture, or inside a longer run of fields, where no header starts."""
        if self.furniture[position]:
            return True
        return (
            position > 0 and not self.furniture[position - 1] and read_field(self.lines[position - 1].words) is not None
        )

    def _is_certain(self, header: Header) -> bool:
        states, separated = header.states, self._is_separated(header.first)
        dated = "date" in states
        if not header.title:
            return dated and separated and bool(states & _ISSUER)
        if (dated and states & _ISSUER) or {"kind", "office"} <= states:
            return True
        if self._is_signed(header):
            return True
        prefix = _PREFIX.match(self.lines[header.title[0]].words)
        if separated:
            return bool(prefix or states & {"date", *_ISSUER})
        return bool(prefix and (prefix[2] or states)) or (dated and self.lines[header.title[0]].level == 1)

    def _is_separated(self, first: int) -> bool:
        """Whether furniture, a rule or the end of a quoted text stands right before the line."""
        return first == 0 or bool(self.furniture[first - 1]) or is_end_marker(self.lines[first - 1].words)

    def _is_signed(self, header: Header) -> bool:
        """Whether a title has nothing but an office or a speaker below it, each in its paragraph, after a full stop."""
        signed = header.title[-1] + 1
        if signed not in header.fields or header.body >= len(self.lines):
            return False
        title, above, signature = self.lines[header.title[0]], self.lines[header.first - 1], self.lines[signed]
        return (
            title.words.count(" ") > 0
            and above.is_ended
            and not above.words.endswith((":", ";"))
            and title.paragraph not in (above.paragraph, signature.paragraph)
            and is_signature(signature.words)
            and self.lines[header.body].paragraph != signature.paragraph
            and self._has_prose(header.body, min(header.body + 3, len(self.lines)))
        )

    # Shapes of headers

    def _prefixed(self, position: int) -> Header | None:
        """A header whose title says what it is: `Press Releases: Title`."""
        words = self.lines[position].words
        prefix = _PREFIX.match(words)
        if not prefix or self.furniture[position] or not self.lines[position].is_titlelike or read_field(words):
            return None
        title = self._title_from(position) or range(position, position + 1)
        fields, end = self._fields_from(title.stop)
        return Header(position, end, title, fields)

    def _titled(self, position: int) -> Header | None:
        """A title that stands by itself at the top of a page, with or without fields below it."""
        title = self._title_from(position) or range(position, position + self._is_place(position))
        if not title or title.stop == len(self.lines):
            return None
        summary, fields, end = self._below_title(title.stop)
        apart = self.lines[title.stop].paragraph != self.lines[position].paragraph
        return Header(position, end, title, fields, summary) if fields or apart or self.lines[position].level else None

    def _around_fields(self, position: int) -> Header | None:
        """The header of the fields that start at a line: with the title above them, below them or first of them."""
        fields, end = self._fields_from(position)
        if not fields or len(fields) > MAX_FIELDS or all(found.what <= {"place"} for found in fields.values()):
            return None
        below = self._title_below(position, fields, end)
        if below and below.summary is not None:
            return below
        itself = Header(
            position, end, range(position, position + 1), fields | {position: _without_issuer(fields[position])}
        )
        if _is_briefing(fields[position]):
            return itself
        above = self._title_above(position, fields)
        opens = any(found.what & {"marker", "reference"} for found in fields.values())
        if above and not (opens and below):
            summary = position - 1 if above.stop < position and not self.furniture[position - 1] else None
            return Header(above[0], end, above, fields, summary)
        words = self.lines[position].words
        read = read_field(words)
        reads_as_office = (
            read is not None and read.what == {"office"} and not is_signature(words) and not is_agency_name(words)
        )
        if reads_as_office and (not below or words.count(" ") > MAX_OFFICE_SPACES):
            return itself
        return below or Header(position, end, fields=fields)

    def _title_above(self, position: int, fields: dict[int, Field]) -> range:
        last = position - 1
        while last >= 0 and self.furniture[last] == SHARING:
            last -= 1
        if last > 0 and not self._may_be_title(last) and "label" in fields[position].what and self._is_summary(last):
            last -= 1
        if last < 0 or not self._may_be_title(last):
            return range(0)
        first = last
        while (
            last - first + 1 < MAX_TITLE_LINES and first and self._goes_on(first - 1) and self._may_be_title(first - 1)
        ):
            first -= 1
        return range(first, last + 1)

    def _title_below(self, position: int, fields: dict[int, Field], end: int) -> Header | None:
        if end >= len(self.lines) or not self._may_be_title(end):
            return None
        title = self._title_from(end)
        summary, more, body = self._below_title(title.stop)
        if body >= len(self.lines):
            return None
        return Header(position, body, title, fields | more, summary)

    def _below_title(self, position: int) -> tuple[int | None, dict[int, Field], int]:
        """The summary, the fields and where the body starts, below a title."""
        fields, end = self._fields_from(position)
        if not fields and position < len(self.lines) and self._is_summary(position):
            labelled, labelled_end = self._fields_from(position + 1)
            if labelled and "label" in labelled[min(labelled)].what:
                return position, labelled, labelled_end
        return None, fields, end

    def _title_from(self, first: int) -> range:
        last = first
        while last - first + 1 < MAX_TITLE_LINES and last + 1 < len(self.lines) and self._goes_on(last):
            if not self._may_be_title(last + 1):
                break
            last += 1
        wrapped = last + 1 < len(self.lines) and self._goes_on(last) and not read_field(self.lines[last + 1].words)
        return range(first, last + 1) if self._may_be_title(first) and not (wrapped and last > first) else range(0)

    def _is_place(self, position: int) -> bool:
        found = read_field(self.lines[position].words)
        return found is not None and found.what == {"place"} and self.lines[position].is_titlelike

    def _may_be_title(self, position: int) -> bool:
        line = self.lines[position]
        if self.furniture[position] or not line.is_titlelike or read_field(line.words):
            return False
        return not (attributed_to(line.words) or is_text_marker(line.words) or follows_text(line.words))

    def _is_summary(self, position: int) -> bool:
        line = self.lines[position]
        return not self.furniture[position] and line.is_prose and line.end - line.start <= MAX_SUMMARY

    def _goes_on(self, position: int) -> bool:
        """Whether the next line may belong to the same title."""
        line, below = self.lines[position : position + 2]
        return line.paragraph == below.paragraph and not line.level and below.end - line.start <= MAX_TITLE

    def _fields_from(self, position: int) -> tuple[dict[int, Field], int]:
        """The header fields that stand together from a line on, and the line after them."""
        fields: dict[int, Field] = {}
        end, above = position, None
        for at in range(position, len(self.lines)):
            if self.furniture[at] in (SHARING, BANNER) and at > position:
                continue
            found = None if self.furniture[at] else self._field_at(at, above)
            if not found or len(fields) > MAX_FIELDS:
                break
            fields[at], end, above = found, at + 1, found
        return fields, end

    def _field_at(self, position: int, above: Field | None) -> Field | None:
        words = self.lines[position].words
        if not self.lines[position].is_short:
            return None
        found = read_value(above.awaits, words) if above and above.awaits is not None else None
        found = found or read_field(words)
        if found or position + 1 >= len(self.lines):
            return found
        words_below = self.lines[position + 1].words
        below = None if self.furniture[position + 1] else read_field(words_below)
        if below and below.what == {"office"} and is_name(words) and is_role(words_below):
            return Field(frozenset({"office"}), office=words)
        if above and "office" in above.what and is_further_speaker(words):
            return Field(frozenset({"office"}), office=words)
        if above and "@" in words and " " not in words:
            return Field(frozenset({"place"}))
        if above and below and below.what == {"date"} and is_town(words):
            return Field(frozenset({"place"}))
        if is_venue(words) and ((above and above.what == {"place"}) or (above and below and below.what == {"place"})):
            return Field(frozenset({"place"}))
        return None


def title_text(words: str) -> str:
    """Return a title without `Press Releases:` before it and without the name of the site after it.

    >>> title_text("Press Releases: Sanctions on Three Banks | GOV.UK")
    'Sanctions on Three Banks'
    """
    suffix = _SITE_SUFFIX.search(words)
    if suffix and is_agency_name(suffix[1]):
        words = words[: suffix.start()]
    return words[prefix.end() :] if (prefix := _PREFIX.match(words)) else words


def _is_briefing(first: Field) -> bool:
    """Whether a line that reads as kind and date is a title: `Department Press Briefing – May 4, 2022`."""
    return first.what == {"kind", "date"} and str(first.kind).endswith(("Briefing", "Schedule"))


def _without_issuer(first: Field) -> Field:
    """A title that reads as a field, without the office or kind it seemed to state."""
    return replace(first, what=first.what & {"date"}, office=None, kind=None)
