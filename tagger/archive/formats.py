"""How records are written, one line each, and what a line read back tells; by the end of the output's name."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

CSV_COLUMNS = (
    "position", "id", "title", "themes", "review", "probabilities", "caution", "version",
    "start", "end", "date", "office", "kind", "content_hash", "metadata", "error",
)  # fmt: skip

_CELLS_OF_RECORDS = ("date", "office", "kind")
"""Columns that a page's header fills, or else the field of that name of a record."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


class Written(msgspec.Struct):
    """What a line of an output tells of the document it belongs to."""

    position: int
    content_hash: str = ""
    error: str = ""


DAMAGES = (ValueError, csv.Error, msgspec.DecodeError)
"""What reading a line back may raise."""


class Format(NamedTuple):
    """A way to write records: `head`, then a `line` for each; `written` reads a line back or raises of `DAMAGES`."""

    head: bytes
    line: Callable[[Mapping[str, Any]], bytes]
    written: Callable[[bytes], Written]


def _json_line(record: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def _csv_line(record: Mapping[str, Any]) -> bytes:
    tags, metadata = record["tags"], record.get("metadata", {})
    cells = {
        **{column: metadata[column] for column in _CELLS_OF_RECORDS if column in metadata},
        **record,
        "themes": ";".join(tag["theme"] for tag in tags if tag["decision"] == "auto"),
        "review": ";".join(tag["theme"] for tag in tags if tag["decision"] == "review"),
        "probabilities": ";".join(f"{tag['theme']}={tag['probability']:.6f}" for tag in tags),
        "metadata": msgspec.json.encode(metadata).decode() if metadata else "",
    }
    return _csv_row(_cell(cells.get(column)) for column in CSV_COLUMNS)


def _csv_row(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode(errors="replace")


def _cell(value: object) -> str:
    """Return a cell of one line that no spreadsheet takes for a formula.

    >>> _cell("=HYPERLINK(...)"), _cell("two\\r\\nlines"), _cell(None)
    ("'=HYPERLINK(...)", 'two lines', '')
    """
    text = _CONTROLS.sub(" ", "" if value is None else str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def _csv_written(line: bytes) -> Written:
    csv.field_size_limit(sys.maxsize)  # what was written can be read, whatever its length
    row = dict(zip(CSV_COLUMNS, next(csv.reader([line.decode()])), strict=True))
    return Written(int(row["position"]), row["content_hash"], row["error"])


_JSON_LINES = Format(b"", _json_line, msgspec.json.Decoder(Written).decode)

FORMATS: Mapping[str, Format] = {
    ".jsonl": _JSON_LINES,
    ".ndjson": _JSON_LINES,
    ".csv": Format(_csv_row(CSV_COLUMNS), _csv_line, _csv_written),
    ".parquet": _JSON_LINES,  # a table cannot be gone on with: it is made of the finished lines
}
