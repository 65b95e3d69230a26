"""JSON lines: one object a line, with `text`, and `id` and `title` if known; all else is metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from tagger.documents import Document, Unreadable
from tagger.readers.records import document, unreadable
from tagger.readers.streams import BOM, READ_FAILURES, START, Mark, OverLimit, lines

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class RawLine(NamedTuple):
    """A line with its number in the file: its bytes, or why there are none."""

    number: int
    content: bytes | Unreadable


def read(stream: BinaryIO, name: str, limit: int, mark: Mark = START) -> Iterator[Document | Unreadable]:
    """Yield the document of each line, from the mark on; what cannot be read is yielded in its place."""
    return (parsed(line, name) for line in raw_lines(stream, name, limit, mark))


def raw_lines(stream: BinaryIO, name: str, limit: int, mark: Mark = START) -> Iterator[RawLine]:
    """Yield the lines that hold a document, not yet parsed, so that others can do that."""
    number = mark.before
    try:
        if mark.offset:
            stream.seek(mark.offset)
        for number, line in enumerate(lines(stream, limit), start=mark.before + 1):
            if isinstance(line, OverLimit):
                yield RawLine(number, unreadable(name, number, f"the line {line}."))
            elif content := _content(line, number):
                yield RawLine(number, content)
    except READ_FAILURES as error:
        yield RawLine(number + 1, unreadable(name, number + 1, f"the file cannot be read from here on ({error})."))


def parsed(line: RawLine, name: str) -> Document | Unreadable:
    """Return the document of a line."""
    if isinstance(line.content, Unreadable):
        return line.content
    try:
        return document(json_object(line.content), name, line.number)
    except ValueError as error:
        return unreadable(name, line.number, f"the line {error}.")


def json_object(line: bytes) -> dict[str, Any]:
    """Return the object a line holds; raise ValueError saying what is wrong with it."""
    import msgspec

    try:
        value = msgspec.json.decode(line)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8; convert the file to UTF-8") from None
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except msgspec.DecodeError as error:
        # msgspec calls half a pair truncated data, which would send a person looking in the wrong place.
        reason = "half a surrogate pair" if _HALF_PAIR.search(line) else str(error)
        raise ValueError(f"is not valid JSON ({reason})") from None
    if not isinstance(value, dict):
        raise ValueError(f"is no JSON object but a {type(value).__name__}; each line should be {{...}}")
    return value


def _content(line: bytes, number: int) -> bytes:
    return (line.removeprefix(BOM) if number == 1 else line).strip()
