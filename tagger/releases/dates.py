"""The dates a page states, as ISO 8601; a date that is not certain is none."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from tagger.documents import DatePrecision

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"

DATE_PATTERNS = tuple(
    re.compile(rf"(?<![\w/.-])(?:{pattern})(?![\w/]|[-.]\d)", re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d\d)(?P=mark)(?P<day>\d\d)",  # 2017-11-09
        rf"{_DAY}(?: of)? {_MONTH},? {_YEAR}",  # 9 November 2017
        rf"{_MONTH} {_DAY},? {_YEAR}",  # November 9, 2017
        rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second>\d{{1,2}})(?P=mark){_YEAR}",  # 29/11/2017 or 11/29/2017
        rf"{_DAY}(?: of)? {_MONTH}(?!,? ?\d{{4}})",  # 3 Dec
        rf"{_MONTH} {_DAY}(?!,? ?\d{{4}})",  # Dec 3
    )
)


class FoundDate(NamedTuple):
    """A date in a text: where it stands and what it is; None where day and month cannot be told apart."""

    start: int
    end: int
    date: str | None
    precision: DatePrecision


def find_date(text: str) -> FoundDate | None:
    """Return the first date of the most telling form in a short text.

    >>> find_date("Brussels, 3 December 2021").date, find_date("3 Dec").date
    ('2021-12-03', '--12-03')
    >>> find_date("31 February 2021") is None, find_date("09/11/2017").date is None
    (True, True)
    """
    for pattern in DATE_PATTERNS:
        for match in pattern.finditer(text):
            found = _found(match)
            if found:
                return found
    return None


def _found(match: re.Match[str]) -> FoundDate | None:
    parts = match.groupdict()
    if parts.get("first"):
        first, second = int(parts["first"]), int(parts["second"])
        if first != second and max(first, second) <= 12:
            return FoundDate(*match.span(), None, "none") if min(first, second) else None
        day, month = max(first, second), min(first, second)
    else:
        day = int(parts["day"])
        month = int(parts["month"]) if parts.get("month") else _MONTH_NAMES.index(parts["name"][:3].lower()) + 1
    year = parts.get("year")
    try:
        date = datetime.date(int(year or 2000), month, day)
    except ValueError:
        return None
    if year:
        return FoundDate(*match.span(), date.isoformat(), "day")
    return FoundDate(*match.span(), f"-{date:-%m-%d}", "month-day")
