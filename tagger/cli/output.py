"""What commands print: JSON lines in a pipe, tables on a terminal, progress on standard error."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LINES = 10.0
"""How often progress says a line where it cannot redraw one."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor, changes colours, or turns the direction of what follows."""


def as_json(asked: bool | None) -> bool:
    """Tell whether to print JSON lines: as asked, else unless a person reads standard output."""
    return not sys.stdout.isatty() if asked is None else asked


def write_json_lines(records: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON object per line."""
    import msgspec

    for record in records:
        sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.flush()


def write(text: str, style: str | None = None) -> None:
    """Print a line for people."""
    _console().print(printable(text), style=style)


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; columns named in `right` are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


def say(text: str) -> None:
    """Print a line for people, away from the data."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    r"""Return a text that moves no cursor and changes no colour: documents may hold anything.

    >>> printable("\x1b[31mred")
    '�[31mred'
    """
    return _CONTROL.sub("�", text)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class ProgressLine:
    """One line on standard error that is redrawn on a terminal, and said anew now and then elsewhere."""

    def __init__(self) -> None:
        self.redraws = sys.stderr.isatty()
        self._started = time.monotonic()
        self._said_at = self._started
        self._width = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self._started

    def show(self, text: str, *, always: bool = False) -> None:
        """Show a state; where lines cannot be redrawn, only now and then unless `always`."""
        now = time.monotonic()
        if self.redraws:
            sys.stderr.write(f"\r{text.ljust(self._width)}")
            self._width = len(text)
        elif always or now - self._said_at >= SECONDS_BETWEEN_LINES:
            sys.stderr.write(f"{text}\n")
            self._said_at = now
        sys.stderr.flush()


class DocumentProgress:
    """Tells how many of about `total` documents are done, how fast it goes, and how long it may last."""

    def __init__(self, line: ProgressLine, total: int) -> None:
        self._line = line
        self._total = total
        self._before: int | None = None

    def __call__(self, done: int, failed: int) -> None:
        """Show the state; the first call says what an earlier run had done."""
        if self._before is None:
            self._before = done
            if done:
                self._line.show(f"{done:,} documents were done before; going on.", always=True)
            return
        rate = max(done - self._before, 1) / max(self._line.seconds, 1e-6)
        left = f", about {duration((self._total - done) / rate)} left" if self._total > done else ""
        self._line.show(f"{done:,} documents, {rate:,.0f}/s{left}{f', {failed:,} failed' if failed else ''}")


def counted(number: int, noun: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
