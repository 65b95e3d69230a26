"""Seed files rewritten in place: other themes for some of their records, every other byte as it was."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tagger.corpus import NO_THEME, stated_themes
from tagger.documents import Document
from tagger.errors import InputError
from tagger.readers import read_path
from tagger.readers.jsonl import json_object
from tagger.readers.pages import FRONT_MATTER
from tagger.readers.records import document
from tagger.readers.streams import BOM

Themes: TypeAlias = Mapping[str, Sequence[str]]
"""For the ids of some records their new themes."""

Rewriter: TypeAlias = Callable[[str, str, Themes], str]
"""Takes the content of a file, the name that ids are made of, and new themes; returns the new content."""

_FIELD_LIMIT = 2**31 - 1
"""The csv module's own limit would refuse long texts, which were read."""

_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def with_themes(path: Path, name: str, themes: Themes) -> bytes:
    """Return the content of a file with these themes for its records of these ids; `name` is as readers got it."""
    content = path.read_bytes()
    plain = gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    mark = BOM if plain.startswith(BOM) else b""
    # A byte that is no UTF-8 in another record stays as it is.
    text = plain.removeprefix(BOM).decode("utf-8", "surrogateescape")
    rewritten = mark + _rewriter(path, text)(text, name, themes).encode("utf-8", "surrogateescape")
    return gzip.compress(rewritten, mtime=0) if path.suffix.lower() == ".gz" else rewritten


def check_rewritten(old: Path, new: Path, name: str, themes: Themes) -> None:
    """Raise InputError unless a rewritten file reads as the old one does, but for these themes."""
    before, after = (list(read_path(path, name=name)) for path in (old, new))
    if [_expected(item, themes) for item in before] != [_expected(item, {}) for item in after]:
        wanted = "; ".join(f"{identifier}: [{', '.join(ids)}]" for identifier, ids in themes.items())
        raise InputError(
            f"{old} is written in a way that cannot be changed safely, and was left as it is. "
            f"Edit its themes by hand: {wanted}"
        )


def _expected(item: object, themes: Themes) -> object:
    """Return what tells one record from another; its themes as they are to be."""
    if not isinstance(item, Document):
        return item
    rest = {field: value for field, value in item.metadata.items() if field != "themes"}
    stated = list(themes[item.id]) if item.id in themes else stated_themes(item)
    return item.id, item.text, item.title, rest, item.where, stated


def _rewriter(path: Path, text: str) -> Rewriter:
    suffix = next((end for end in path.suffixes[::-1] if end.lower() != ".gz"), "").lower()
    # What has another ending is read as JSON lines if it begins like them, else as a page.
    return _REWRITERS.get(suffix) or (_json_lines if text.lstrip().startswith("{") else _page)


# ---- JSON lines


def _json_lines(text: str, name: str, themes: Themes) -> str:
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        try:
            identifier = document(json_object(line.strip().encode("utf-8", "surrogateescape")), name, number).id
        except ValueError:
            continue
        if identifier in themes:
            lines[number - 1] = _with_member(line, "themes", themes[identifier])
    return "\n".join(lines)


def _with_member(line: str, name: str, value: Sequence[str]) -> str:
    # Of a name written twice, readers take the last.
    start, end = [span for member, *span in _members(line) if member == name][-1]
    comma = ", " if line[start - 1].isspace() else ","
    return line[:start] + json.dumps(list(value), ensure_ascii=False, separators=(comma, ":")) + line[end:]


def _members(line: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of each value of the object that a line holds."""
    decoder = json.JSONDecoder()
    at = line.index("{")
    while line[at] != "}":
        name, at = decoder.raw_decode(line, _after_space(line, at + 1))
        start = _after_space(line, _after_space(line, at) + 1)
        _, end = decoder.raw_decode(line, start)
        yield name, start, end
        at = _after_space(line, end)


def _after_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


# ---- Tables


def _table(delimiter: str, text: str, name: str, themes: Themes) -> str:
    records = list(_records(text, delimiter))
    columns = [column.strip() for column in records[0][1]] if records else []
    for index, (number, row, raw) in enumerate(records[1:], 1):
        if any(row) and len(row) == len(columns):
            identifier = document(dict(zip(columns, row, strict=True)), name, number).id
            if identifier in themes:
                cell = ";".join(themes[identifier]) or NO_THEME
                records[index] = number, row, _with_cell(raw, columns.index("themes"), cell, delimiter)
    return "".join(raw for _, _, raw in records)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Yield the first line's number, the cells and the raw text of each record of a table."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    csv.field_size_limit(_FIELD_LIMIT)
    number = 1
    try:
        for row in csv.reader(lines(), delimiter=delimiter, strict=True):
            yield number, row, "".join(taken)
            number += len(taken)
            taken.clear()
    except csv.Error as error:
        raise InputError(
            f"The table has a row that is no valid CSV, from line {number} on ({error}). Mend that row first; "
            "tagger seeds check names its file."
        ) from error


def _with_cell(raw: str, column: int, value: str, delimiter: str) -> str:
    """Return a record with another value in one of its cells, in quotes if the old one was."""
    start = 0
    for _ in range(column):
        start = _cell_end(raw, start, delimiter) + len(delimiter)
    end = _cell_end(raw, start, delimiter)
    quoted = raw.startswith('"', start)
    return raw[:start] + (f'"{value}"' if quoted else value) + raw[end:]


def _cell_end(raw: str, start: int, delimiter: str) -> int:
    quoted = _QUOTED.match(raw, start)
    if quoted:
        return quoted.end()
    return next((at for at in range(start, len(raw)) if raw[at] in (delimiter, "\r", "\n")), len(raw))


# ---- Pages


def _page(text: str, _name: str, themes: Themes) -> str:
    import yaml

    front_matter = FRONT_MATTER.match(text)
    fields = yaml.compose(front_matter[1], yaml.SafeLoader) if front_matter else None
    if not front_matter or not isinstance(fields, yaml.MappingNode):
        return text
    key, value = [pair for pair in fields.value if pair[0].value == "themes"][-1]
    start, end = value.start_mark.index, value.end_mark.index
    if isinstance(value, yaml.SequenceNode) and not value.flow_style and value.value:
        # Lines beginning with a hyphen become one list on the line of the field.
        start, end = front_matter[1].index(":", key.end_mark.index) + 1, value.value[-1].end_mark.index
    (ids,) = themes.values()
    # As YAML, for a theme may be called `no` or `2030`.
    written = yaml.safe_dump(list(ids), default_flow_style=True, width=math.inf).strip()
    space = "" if front_matter[1][start - 1].isspace() else " "
    offset = front_matter.start(1)
    return f"{text[: offset + start]}{space}{written}{text[offset + end :]}"


_REWRITERS: Mapping[str, Rewriter] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": partial(_table, ","),
    ".tsv": partial(_table, "\t"),
    ".txt": _page,
    ".md": _page,
    ".markdown": _page,
}
