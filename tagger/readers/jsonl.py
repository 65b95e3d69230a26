"""JSON lines: one object a line, with `text`, and `id` and `title` if known; all else is metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from tagger.documents import Document, Unreadable
from tagger.readers.records import document, unreadable
from tagger.readers.streams import BOM, READ_FAILURES, OverLimit, lines

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def read(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
    """Yield the document of each line; what cannot be read is yielded as such, and the next line follows."""
    number = 0
    try:
        for number, line in enumerate(lines(stream, limit), start=1):
            if isinstance(line, OverLimit):
                yield unreadable(name, number, f"the line {line}.")
            elif content := _content(line, number):
                yield _document(content, name, number)
    except READ_FAILURES as error:
        yield unreadable(name, number + 1, f"the file cannot be read from here on ({error}).")


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


def _document(content: bytes, name: str, number: int) -> Document | Unreadable:
    try:
        return document(json_object(content), name, number)
    except ValueError as error:
        return unreadable(name, number, f"the line {error}.")
