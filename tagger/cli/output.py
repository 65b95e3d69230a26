"""What commands print: JSON lines in a pipe, tables on a terminal, progress on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0
"""How often progress says a line where it cannot redraw one."""


def console() -> Console:
    """Return the console of standard output."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def on_terminal() -> bool:
    """Tell whether a person reads standard output."""
    return sys.stdout.isatty()


def write_json_lines(records: Iterable[dict[str, Any]]) -> None:
    """Print one JSON object per line."""
    import msgspec

    for record in records:
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.flush()


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; columns named in `right` are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def say(text: str) -> None:
    """Print a line for people, away from the data."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class ProgressLine:
    """One line on standard error that is redrawn on a terminal, and said anew now and then elsewhere."""

    def __init__(self) -> None:
        self._redraws = sys.stderr.isatty()
        self._started = time.monotonic()
        self._said_at = self._started
        self._width = 0

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self._started

    def show(self, text: str, *, always: bool = False) -> None:
        """Show a state; where lines cannot be redrawn, only now and then unless `always`."""
        now = time.monotonic()
        if self._redraws:
            sys.stderr.write(f"\r{text.ljust(self._width)}")
            self._width = len(text)
        elif always or now - self._said_at >= SECONDS_BETWEEN_LINES:
            sys.stderr.write(f"{text}\n")
            self._said_at = now
        sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self._redraws and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()


def duration(seconds: float) -> str:
    """Return a time in words of at most two units.

    >>> duration(8.2), duration(94), duration(4000)
    ('8 s', '1 min 34 s', '1 h 6 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
