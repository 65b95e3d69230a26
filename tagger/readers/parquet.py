"""Parquet: a row is a document, as in other tables; read row group by row group (extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tagger.documents import Document, Unreadable
from tagger.errors import InputError
from tagger.readers.records import document, unreadable
from tagger.readers.stores import NO_EXTRA
from tagger.readers.streams import START, Mark, OverLimit

_ROWS = 256
"""Rows that become Python objects at a time."""

_ROWS_PER_BYTE = 64
"""A file that claims more is damaged; each of its rows would become an error record."""


class _NoTable(Exception):
    """The file is no table of documents."""


def read(stream: BinaryIO, name: str, limit: int, mark: Mark = START) -> Iterator[Document | Unreadable]:
    """Yield the document of each row from the row group that is the mark's offset on.

    Raises InputError where the extra is missing: that is not the file's fault.
    """
    try:
        file = _opened(stream, name)
    except _NoTable as error:
        yield Unreadable(name, f"{name} {error}.")
        return
    row = mark.before
    for group in range(mark.offset, file.num_row_groups):
        end = row + file.metadata.row_group(group).num_rows
        try:
            for fields in _rows(file, group):
                row += 1
                yield _document(fields, name, row, limit)
        except _failures() as error:
            # One for each row, as many as the file's index says there are.
            for lost in range(row + 1, end + 1):
                yield unreadable(name, lost, f"its row group {group} cannot be read ({_first_line(error)}).")
        row = end


def marks(stream: BinaryIO) -> Iterator[tuple[Mark, int]]:
    """Yield where each row group begins, and how many documents `read` gives for it."""
    try:
        file = _opened(stream, "A Parquet file")
    except _NoTable:
        yield START, 1
        return
    before = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        yield Mark(group, before), rows
        before += rows


def _opened(stream: BinaryIO, name: str) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise InputError(f"{name} {NO_EXTRA}.") from None
    try:
        file = pyarrow.parquet.ParquetFile(stream, pre_buffer=False)
        size = stream.seek(0, 2)
    except _failures() as error:
        raise _NoTable(f"cannot be read as Parquet ({_first_line(error)})") from None
    columns = file.schema_arrow.names
    if "text" not in columns:
        raise _NoTable(f"has no column `text`; the columns found are {', '.join(map(repr, columns))[:300] or 'none'}")
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise _NoTable(f"has two columns of the name {twice[0]!r}; rename one")
    if not 0 <= file.metadata.num_rows <= _ROWS_PER_BYTE * size:
        raise _NoTable(f"is damaged: {size:,} bytes cannot hold {file.metadata.num_rows:,} rows")
    return file


def _rows(file: Any, group: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a group without their nulls, each value one that JSON can hold."""
    import msgspec

    for batch in file.iter_batches(_ROWS, row_groups=[group], use_threads=False):
        for row in batch.to_pylist():
            text = row.pop("text", None)
            plain = msgspec.json.decode(msgspec.json.encode(row))
            yield {name: value for name, value in plain.items() if value is not None} | {"text": text}


def _document(fields: dict[str, Any], name: str, row: int, limit: int) -> Document | Unreadable:
    text = fields["text"]
    if isinstance(text, str) and (size := len(text.encode())) > limit:
        return unreadable(name, row, f"the row {OverLimit(f'{size:,}', limit)}.")
    return document(fields, name, row)


def _failures() -> tuple[type[Exception], ...]:
    from pyarrow import ArrowException

    return OSError, ValueError, OverflowError, ArrowException


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
