"""The headers of a page: where a release starts, and what its header states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from tagger.releases.blocks import MAX_TITLE, Line
from tagger.releases.fields import Field, is_post, is_signature, read_field, read_line
from tagger.releases.furniture import BANNER, SHARING, is_agency_name
from tagger.releases.markers import below_kind, is_contact, is_text_marker

MAX_FIELDS = 15
"""A longer run of header-like lines is a list, not a header."""

MAX_OFFICE_SPACES = 8
"""A longer line that opens with an office is a headline, rather: `Deputy Minister of State for ... Travels to ...`."""

MIN_ITEM = 80
"""A shorter text below a title and a date is an entry in a list of events, not a release."""

MAX_TITLE_LINES = 3
MAX_SUMMARY = 500

_PREFIX = re.compile(r"(?:press|news|media) (?:release|note|statement)s?\s*[:|–—]\s+(?!https?:|www\.)", re.IGNORECASE)
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

    @property
    def date(self) -> Field | None:
        """The first line that states a date."""
        return next((found for found in self.fields.values() if found.date), None)


class HeaderReader:
    """Reads headers from the lines of one page.

    Every run of header fields (`read_field`) gives a candidate, with the title above, below or within it. The page
    is cut at the candidates that are certain, each by itself, and at those that repeat as the items of a list.
    """

    def __init__(self, lines: Sequence[Line], furniture: Sequence[str | None]) -> None:
        self.lines = lines
        self.furniture = furniture
        prose = (not kind and line.is_prose for line, kind in zip(lines, furniture, strict=True))
        self._prose_before = [0, *accumulate(prose)]

    def all(self) -> list[Header]:
        """Return the headers at which the page is cut; the first is that of the page's first release."""
        candidates = list(self._candidates())
        listed = self._listed(candidates)
        found = [header for header in candidates if header.first in listed or self._is_certain(header)]
        found = [header for header, end in self._with_ends(found) if self._has_prose(header.body, end)]
        if not found or self._has_prose(0, found[0].first):
            opening = self._opening(found[0].first if found else len(self.lines))
            found = [opening, *found] if opening else found
        return [*map(self._with_letterhead, found[:1]), *found[1:]]

    def _candidates(self) -> Iterator[Header]:
        position = 0
        while position < len(self.lines):
            # Within a longer run of fields, which is a list, no header starts.
            inside = position and not self.furniture[position - 1] and read_field(self.lines[position - 1].words)
            header = self._prefixed(position) or (None if inside else self._around_fields(position))
            if header:
                yield header
            position = max(position + 1, header.body if header else 0)

    def _with_ends(self, headers: Sequence[Header]) -> Iterator[tuple[Header, int]]:
        return zip(headers, [*(header.first for header in headers), len(self.lines)][1:], strict=True)

    def _has_prose(self, first: int, end: int) -> bool:
        return self._prose_before[end] > self._prose_before[min(first, end)]

    def _opening(self, end: int) -> Header | None:
        """The header of what the page opens with, however little it states."""
        first = next((position for position in range(end) if not self.furniture[position]), None)
        if first is None:
            return None
        header = self._around_fields(first) or self._titled(first)
        return header if header and header.body < end else Header(first, first)

    def _with_letterhead(self, header: Header) -> Header:
        """The page's first header, with the office of a letterhead that stands apart above it."""
        above = [line for line, kind in zip(self.lines[: header.first], self.furniture, strict=False) if not kind]
        offices = {
            -number: read_field(line.words) for number, line in enumerate(above, 1) if is_agency_name(line.words)
        }
        stated = {at: found for at, found in offices.items() if found}
        return header if "office" in header.states else replace(header, fields=stated | header.fields)

    # Evidence

    def _is_certain(self, header: Header) -> bool:
        """Whether a header by itself shows that a release starts."""
        states = header.states
        dated = "date" in states
        separated = header.first == 0 or bool(self.furniture[header.first - 1])
        if not header.title:
            return dated and separated and bool(states & _ISSUER)
        if (dated and states & _ISSUER) or {"kind", "office"} <= states or self._is_signed(header):
            return True
        prefixed = _PREFIX.match(self.lines[header.title[0]].words)
        return bool(
            prefixed
            or (separated and states & {"date", *_ISSUER})
            or (dated and self.lines[header.title[0]].level == 1)
        )

    def _is_signed(self, header: Header) -> bool:
        """Whether a title has nothing but an office or a speaker below it, each in its paragraph, after a full stop."""
        signed = header.title[-1] + 1
        if signed not in header.fields or header.body >= len(self.lines):
            return False
        above, title, signature, body = (
            self.lines[at] for at in (header.first - 1, header.title[0], signed, header.body)
        )
        return (
            (above.is_ended or is_text_marker(above.words))
            and is_signature(signature.words)
            and len({above.paragraph, title.paragraph, signature.paragraph, body.paragraph}) == 4
            and self._has_prose(header.body, min(header.body + 3, len(self.lines)))
        )

    def _listed(self, candidates: Sequence[Header]) -> set[int]:
        """Return where the items of a list of releases start: title, line of date and prose, repeated in one shape.

        The list opens the page, and its dates run one way, unless headings of one level say that the items are
        equals: what has a title or a text above it, or goes back and forth in time, is one release's sections.
        """
        items: list[Header] = []
        for header, end in self._with_ends(candidates):
            length = self.lines[end - 1].end - self.lines[min(header.body, end - 1)].start
            shape = self._item_shape(header) if length >= MIN_ITEM and self._has_prose(header.body, end) else None
            if shape and (not items or shape == self._item_shape(items[0])):
                items.append(header)
        if len(items) < 2 or not self._opens_page(items[0].first):
            return set()
        dates = [header.date.date or "" for header in items if header.date]
        if dates in (sorted(dates), sorted(dates, reverse=True)) or self.lines[items[0].title[0]].level:
            return {header.first for header in items}
        return set()

    def _item_shape(self, header: Header) -> tuple[int, bool, str] | None:
        """The level of a title that stands alone with a date, whether the date is above it, and its precision."""
        if not header.title or header.summary is not None or self.lines[header.title[-1]].is_ended:
            return None
        above, below = header.fields.get(header.title[0] - 1), header.fields.get(header.title[-1] + 1)
        dated_above = bool(above and above.date)
        date = above if dated_above else below
        alone = header.body == header.title[-1] + (1 if dated_above else 2)
        if not (date and date.date and date.what <= {"date", "label", "place"} and alone):
            return None
        if self._is_joined(header.first) or self._is_joined(header.body):
            return None
        return self.lines[header.title[0]].level, dated_above, date.precision

    def _is_joined(self, position: int) -> bool:
        """Whether a line stands in one paragraph with that above it."""
        return 0 < position < len(self.lines) and self.lines[position - 1].paragraph == self.lines[position].paragraph

    def _opens_page(self, first: int) -> bool:
        """Whether nothing stands above a line but furniture, a letterhead and headings such as `Latest news`."""
        return all(
            self.furniture[at] or read_field(self.lines[at].words) or below_kind(self.lines[at].words) == "related"
            for at in range(first)
        )

    # Shapes of headers

    def _prefixed(self, position: int) -> Header | None:
        """A header whose title says what it is: `Press Releases: Title`."""
        if not _PREFIX.match(self.lines[position].words) or not self._may_be_title(position):
            return None
        title = self._title_from(position)
        fields, end = self._fields_from(title.stop)
        return Header(position, end, title, fields)

    def _titled(self, position: int) -> Header | None:
        """A title that stands by itself at the top of a page, with or without fields below it."""
        line = self.lines[position]
        named_place = line.is_titlelike and (read := read_field(line.words)) and read.what == {"place"}
        title = self._title_from(position) or range(position, position + bool(named_place))
        if not title or title.stop == len(self.lines):
            return None
        summary, fields, end = self._below_title(title.stop)
        if fields or line.level or not self._is_joined(title.stop):
            return Header(position, end, title, fields, summary)
        return None

    def _around_fields(self, position: int) -> Header | None:
        """The header of the fields that start at a line: with the title above them, below them or one of them."""
        fields, end = self._fields_from(position)
        if not fields or len(fields) > MAX_FIELDS or all(found.what <= {"place"} for found in fields.values()):
            return None
        below = self._title_below(position, fields, end)
        if below and below.summary is not None:
            return below
        if fields[position].what == {"kind", "date"} and str(fields[position].kind).endswith(("Briefing", "Schedule")):
            # Such a line is a title: `Department Press Briefing – May 4, 2022`.
            return self._title_first(position, fields, end)
        above = self._title_above(position)
        opens = any(found.what & {"marker", "reference"} for found in fields.values())
        if above and not (opens and below):
            return Header(above[0], end, above, fields)
        last = None if below else self._title_last(position, fields, end)
        long = self.lines[position].words.count(" ") > MAX_OFFICE_SPACES
        if self._may_be_headline(position) and not last and (not below or long):
            return self._title_first(position, fields, end)
        return below or last or Header(position, end, fields=fields)

    def _title_first(self, position: int, fields: dict[int, Field], end: int) -> Header:
        """The header whose first line reads as a field and is the title: it states no office or kind."""
        first = replace(fields[position], what=fields[position].what & {"date"}, office=None, kind=None)
        return Header(position, end, range(position, position + 1), fields | {position: first})

    def _title_last(self, position: int, fields: dict[int, Field], end: int) -> Header | None:
        """The header of a letterhead whose last line is a headline that opens with an office."""
        last = max(fields)
        above = {at: found for at, found in fields.items() if at != last}
        if (
            self._may_be_headline(last)
            and {"office", "date"} <= {what for found in above.values() for what in found.what}
            and "office" not in above[max(above)].what
            and self.lines[last].words.count(" ") > 2
            and not is_post(self.lines[last].words)
            and not (self._is_joined(last) or self._is_joined(end))
        ):
            return Header(position, end, range(last, last + 1), above)
        return None

    def _may_be_headline(self, position: int) -> bool:
        """Whether a line reads as an office and may all the same be a headline that opens with one."""
        words = self.lines[position].words
        read = read_field(words)
        return bool(read and read.what == {"office"} and not is_signature(words) and not is_agency_name(words))

    def _title_above(self, position: int) -> range:
        last = position - 1
        while last >= 0 and self.furniture[last] == SHARING:
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
        title = self._title_from(end) if end < len(self.lines) else range(0)
        if not title:
            return None
        summary, more, body = self._below_title(title.stop)
        return Header(position, body, title, fields | more, summary) if body < len(self.lines) else None

    def _below_title(self, position: int) -> tuple[int | None, dict[int, Field], int]:
        """The summary, the fields and where the body starts, below a title."""
        fields, end = self._fields_from(position)
        line = self.lines[position] if position < len(self.lines) and not self.furniture[position] else None
        if line and not fields and line.is_prose and line.end - line.start <= MAX_SUMMARY:
            labelled, labelled_end = self._fields_from(position + 1)
            if labelled and "label" in labelled[min(labelled)].what:
                return position, labelled, labelled_end
        return None, fields, end

    def _title_from(self, first: int) -> range:
        """The title that starts at a line, which may go on over the next ones; empty if none does."""
        if not self._may_be_title(first):
            return range(0)
        end = first + 1
        while (
            end - first < MAX_TITLE_LINES
            and end < len(self.lines)
            and self._goes_on(end - 1)
            and self._may_be_title(end)
        ):
            end += 1
        return range(first, end)

    def _may_be_title(self, position: int) -> bool:
        line = self.lines[position]
        if self.furniture[position] or not line.is_titlelike or read_field(line.words):
            return False
        return not (is_text_marker(line.words) or below_kind(line.words) or is_contact(line.words))

    def _goes_on(self, position: int) -> bool:
        """Whether the next line may belong to the same title."""
        line, below = self.lines[position : position + 2]
        return self._is_joined(position + 1) and not line.level and below.end - line.start <= MAX_TITLE

    def _fields_from(self, position: int) -> tuple[dict[int, Field], int]:
        """The header fields that stand together from a line on, and the line after them."""
        fields: dict[int, Field] = {}
        end, above = position, None
        for at in range(position, len(self.lines)):
            if self.furniture[at] in (SHARING, BANNER) and at > position:
                continue
            below = self.lines[at + 1].words if at + 1 < len(self.lines) and not self.furniture[at + 1] else ""
            found = None if self.furniture[at] else read_line(self.lines[at].words, above, below)
            if not found or not self.lines[at].is_short or len(fields) > MAX_FIELDS:
                break
            fields[at], end, above = found, at + 1, found
        return fields, end


def title_text(words: str) -> str:
    """Return a title without `Press Releases:` before it.

    >>> title_text("Press Releases: Sanctions on Three Banks")
    'Sanctions on Three Banks'
    """
    return _PREFIX.sub("", words, count=1) if _PREFIX.match(words) else words
