"""Tables of patterns that people can read and extend: one pattern a line."""

from __future__ import annotations

import re


def one_of(table: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return a pattern for any line of a table; spaces at the ends of a line mean nothing.

    >>> bool(one_of('''
    ...     back to (the )?top
    ...     page [0-9]+
    ... ''').fullmatch("page 3"))
    True
    """
    lines = (line.strip() for line in table.strip().splitlines())
    return re.compile("|".join(f"(?:{line})" for line in lines), re.IGNORECASE if ignore_case else 0)
