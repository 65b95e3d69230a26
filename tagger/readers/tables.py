"""Tables with a header: CSV and TSV; the column `text` is needed, columns beside `id` and `title` are metadata."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from tagger.documents import Document, Unreadable
from tagger.readers.records import document, unreadable
from tagger.readers.streams import READ_FAILURES, OverLimit

READ_AGAIN = 5
"""How many times the limit of a record is read again in a file, of what broken records swallowed; bounds the work."""

_FIELD_LIMIT = 2**31 - 1
"""The csv module's own limit is one for the whole process; the bound on a record is kept by `_Lines`."""


def read_csv(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
    """Yield the document of each row of a table with commas."""
    return _read(stream, name, limit, ",")


def read_tsv(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
    """Yield the document of each row of a table with tabs."""
    return _read(stream, name, limit, "\t")


class _Lines:
    """The lines of a table, for csv.reader: bounds a record, and can go back to the line after its first."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._readline = self._text.readline
        self._limit = limit
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._size = 0
        self._left_to_read_again = READ_AGAIN * limit
        self.first_line = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._readline(self._limit + 2)
        if not line:
            raise StopIteration
        self._record.append(line)
        self._size += _size(line)
        if self._size > self._limit:
            if len(line) > self._limit and not line.endswith(("\n", "\r")):
                self._skip_line()
            raise OverLimit(f"{self._size:,}", self._limit)
        return line

    def start_record(self) -> None:
        """Note that the next line begins a record."""
        self.first_line += len(self._record)
        self._record, self._size = [], 0

    def go_back(self) -> None:
        """Make the line after the record's first the next line, unless too much has been read again."""
        if self._size <= self._left_to_read_again:
            self._left_to_read_again -= self._size
            self._again.extendleft(reversed(self._record[1:]))
            del self._record[1:]

    def detach(self) -> None:
        """Leave the stream open when this is dropped."""
        self._text.detach()

    def _skip_line(self) -> None:
        """Drop the rest of the last line; a blank one stands for it should the record be read again."""
        self._record[-1] = "\n"
        while line := self._text.readline(self._limit + 2):
            self._size += _size(line)
            if line.endswith(("\n", "\r")):
                return


def _size(line: str) -> int:
    content = line.rstrip("\r\n")
    return len(content) if content.isascii() else len(content.encode("utf-8", "surrogateescape"))


def _read(stream: BinaryIO, name: str, limit: int, delimiter: str) -> Iterator[Document | Unreadable]:
    csv.field_size_limit(_FIELD_LIMIT)
    lines = _Lines(stream, limit)
    try:
        rows = _rows(lines, delimiter)
        columns = _columns(next(rows, []))
        for row in rows:
            if isinstance(row, str):
                yield unreadable(name, lines.first_line, row)
            elif any(row):
                yield _document(columns, row, name, lines.first_line)
    except _NoTable as error:
        yield Unreadable(name, f"{name}: {error}")
    except READ_FAILURES as error:
        yield unreadable(name, lines.first_line, f"the file cannot be read from here on ({error}).")
    finally:
        lines.detach()


def _rows(lines: _Lines, delimiter: str) -> Iterator[list[str] | str]:
    """Yield each row, or what is wrong with it; `lines.first_line` is where it begins."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.start_record()
        try:
            yield next(reader)
        except StopIteration:
            return
        except OverLimit as error:
            problem = f"the row {error}"
        except csv.Error as error:
            problem = f"the row is no valid CSV ({error})"
        else:
            continue
        lines.go_back()
        yield f"{problem}; a quote that opens a cell must be closed, and one inside it doubled."


class _NoTable(Exception):
    """The header is not that of a table of documents."""


def _columns(header: list[str] | str) -> list[str]:
    if isinstance(header, str):
        raise _NoTable(header)
    if problem := _characters_problem(header):
        raise _NoTable(f"the header {problem}")
    columns = [column.strip() or f"column {number}" for number, column in enumerate(header, start=1)]
    if "text" not in columns:
        raise _NoTable(f"no column `text` in the header; the columns found are {_listed(columns)}.")
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise _NoTable(f"two columns have the name {twice[0]!r}; rename one.")
    return columns


def _listed(columns: list[str]) -> str:
    shown = ", ".join(repr(column) for column in columns) or "none"
    return shown if len(shown) <= 300 else f"{shown[:300]}..."


def _document(columns: list[str], row: list[str], name: str, line: int) -> Document | Unreadable:
    if problem := _characters_problem(row):
        return unreadable(name, line, f"the row {problem}")
    if len(row) != len(columns):
        expected = f"the header has {len(columns)}; put a cell in quotes if it holds the separator"
        return unreadable(name, line, f"the row has {len(row)} cells, {expected}.")
    fields = dict(zip(columns, row, strict=True))
    return document({**fields, "title": fields.get("title") or None}, name, line)


def _characters_problem(row: list[str]) -> str | None:
    joined = "".join(row)
    if "\0" in joined:
        return "has a NUL byte; save the table as UTF-8 text."
    try:
        joined.encode()
    except UnicodeEncodeError:
        return "is not UTF-8; save the table as UTF-8."
    return None
