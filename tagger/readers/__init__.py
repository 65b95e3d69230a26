"""Readers: files, folders and streams become documents, one module per format.

A reader is a generator that takes a binary stream, its name and the limit of one record in bytes. It yields
documents and, in their place, what could not be read; it never raises in the middle of a file. To add a
format, write a module with such a generator and enter it in `READERS`. `readers.slices` cuts inputs for those who
share the work.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tagger.documents import Document, Unreadable
from tagger.errors import InputError
from tagger.readers import html, jsonl, pages, parquet, tables
from tagger.readers.html import html_to_text
from tagger.readers.stores import Place, place
from tagger.readers.streams import BOM, BUFFER, DEFAULT_LIMIT, READ_FAILURES, Reader, gzipped

__all__ = [
    "DEFAULT_LIMIT",
    "PAGE_READERS",
    "READERS",
    "STDIN",
    "File",
    "Place",
    "Reader",
    "count_documents",
    "documents",
    "files",
    "html_to_text",
    "place",
    "read_file",
    "read_path",
    "read_stdin",
    "sniffed",
    "suffix_of",
    "walk",
]

READERS: Mapping[str, Reader] = {
    ".jsonl": jsonl.read,
    ".jsonl.gz": gzipped(jsonl.read),
    ".ndjson": jsonl.read,
    ".ndjson.gz": gzipped(jsonl.read),
    ".csv": tables.read_csv,
    ".csv.gz": gzipped(tables.read_csv),
    ".tsv": tables.read_tsv,
    ".parquet": parquet.read,
    ".txt": pages.read,
    ".md": pages.read,
    ".markdown": pages.read,
    ".html": html.read,
    ".htm": html.read,
}
"""The reader of each kind of file, by the end of its name."""

PAGE_READERS = (pages.read, html.read)
"""Those that give one document for a file, whatever it holds."""

_BLOCK = 1 << 20

STDIN = "-"
"""The input that means the standard input."""


def documents(inputs: Sequence[str | Path], limit: int = DEFAULT_LIMIT) -> Iterator[Document | Unreadable]:
    """Return the documents of files, folders and the standard input (`-`), one input after the other.

    An input that does not exist, or a folder without a document, is an InputError at once.
    """
    return chain.from_iterable(
        [read_stdin(sys.stdin.buffer, limit) if str(item) == STDIN else read_path(item, limit) for item in inputs]
    )


def read_path(path: str | Path, limit: int = DEFAULT_LIMIT, name: str | None = None) -> Iterator[Document | Unreadable]:
    """Return the documents of a file, by the end of its name, or of all files in a folder, in sorted order.

    Ids of pages in a folder are their paths in it, with `/`. Hidden files are passed over. `name` is what
    a single file is called in ids and messages, if not by its own name.
    """
    return chain.from_iterable(
        [found] if isinstance(found, Unreadable) else read_file(found.path, found.name, limit)
        for found in files(path, name)
    )


class File(NamedTuple):
    """A file of an input, and what it is called in ids and messages."""

    path: Place
    name: str


def files(path: str | Path, name: str | None = None) -> Iterator[File | Unreadable]:
    """Return the file, or the files of a folder in sorted order, and in their place those that cannot be read.

    An input that does not exist, or a folder without a document, is an InputError at once.
    """
    root = place(path)
    try:
        status = root.stat()
    except (OSError, ValueError) as error:
        shown = _printable(str(path))
        raise InputError(f"There is no file or folder {shown!r} to read ({error}); check the path.") from None
    if stat.S_ISDIR(status.st_mode):
        return _folder_files(root)
    return iter([File(root, _printable(name or root.name))])


def read_file(path: Place, name: str, limit: int = DEFAULT_LIMIT) -> Iterator[Document | Unreadable]:
    """Yield the documents of a file, by the end of its name; of another kind, what it holds as text or records."""
    reader = READERS.get(suffix_of(path), _read_unknown)
    try:
        with path.open("rb", BUFFER) as stream:
            yield from reader(stream, name, limit)
    except OSError as error:
        yield Unreadable(name, f"{name} cannot be read ({error.strerror}).")


def count_documents(path: str | Path) -> int:
    """Return about how many documents a file or folder holds: its lines, or its files."""
    root = place(path)
    if root.is_dir():
        return sum(_count(found) for found, failure in walk(root) if not failure)
    return _count(root)


def _count(path: Place) -> int:
    suffix = suffix_of(path)
    if READERS.get(suffix) in PAGE_READERS or suffix not in READERS:
        return 1
    try:
        with path.open("rb") as stream:
            if suffix == ".parquet":
                return sum(rows for _, rows in parquet.marks(stream))
            unpacked = gzip.GzipFile(fileobj=stream) if suffix.endswith(".gz") else stream
            return sum(block.count(b"\n") for block in iter(lambda: unpacked.read(_BLOCK), b""))
    except READ_FAILURES:
        return 0


def read_stdin(stream: BinaryIO, limit: int = DEFAULT_LIMIT) -> Iterator[Document | Unreadable]:
    """Yield the documents of a stream: JSON lines if its first line is an object, else one page of text."""
    reader, stream = sniffed(stream, limit)
    return reader(stream, "stdin", limit)


def _folder_files(folder: Place) -> Iterator[File | Unreadable]:
    found = _known_files(folder)
    first = next(found, None)
    if first is None:
        known = ", ".join(READERS)
        raise InputError(f"The folder {_printable(str(folder))!r} holds no document; known kinds are {known}.")
    return chain([first], found)


def _known_files(folder: Place) -> Iterator[File | Unreadable]:
    for path, failure in walk(folder):
        name = _printable(path.relative_to(folder).as_posix())  # type: ignore[arg-type]
        if failure:
            yield Unreadable(name, f"{name} cannot be read ({failure}).")
        elif suffix_of(path) in READERS:
            yield File(path, name)
        else:
            yield Unreadable(name, f"{name}: no reader for {_kind(path)}; known are {', '.join(READERS)}.")


def walk(folder: Place) -> Iterator[tuple[Place, str | None]]:
    """Yield every file below a folder, sorted by path, and why one that should not be opened is not."""
    visited = set()
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if not path.is_dir():
                yield path, None if path.is_file() else "it is no file, or a link to none"
                continue
            status = path.stat()
            # A link may lead back to a folder above it.
            if (status.st_dev, status.st_ino) not in visited:
                visited.add((status.st_dev, status.st_ino))
                waiting += sorted(_visible(path), key=_sort_key, reverse=True)
        except OSError as error:
            yield path, error.strerror


def _visible(folder: Place) -> list[Place]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _sort_key(path: Place) -> str:
    return path.name + "/" * path.is_dir()


def _read_unknown(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
    reader, stream = sniffed(stream, limit)
    for item in reader(stream, name, limit):
        if isinstance(item, Unreadable):
            yield Unreadable(item.id, f"{item.message} (No reader for {_kind(Path(name))}; it was read as text.)")
        else:
            yield item


def sniffed(stream: BinaryIO, limit: int = DEFAULT_LIMIT) -> tuple[Reader, BinaryIO]:
    """Return the reader of a stream of unknown kind, and the stream as it was before the look at its first line."""
    try:
        head = _first_line(stream, limit)
    except READ_FAILURES as error:
        return pages.read, io.BufferedReader(_Broken(error))
    reader = jsonl.read if _is_object(head, limit) else pages.read
    return reader, io.BufferedReader(_Rejoined(head, stream))


def _first_line(stream: BinaryIO, limit: int) -> bytes:
    """Return the bytes up to the end of the first line that is not blank, or up to the limit."""
    head = bytearray()
    while len(head) <= limit and (line := stream.readline(limit + 1)):
        head += line
        if line.removeprefix(BOM).strip():
            break
    return bytes(head)


def _is_object(line: bytes, limit: int) -> bool:
    """Return whether a line holds an object, or begins as one and is too long to be sure."""
    line = line.removeprefix(BOM).strip()
    if not line.startswith(b"{") or len(line) > limit:
        return line.startswith(b"{")
    try:
        jsonl.json_object(line)
    except ValueError:
        return False
    return True


class _Broken(io.RawIOBase):
    """A stream that failed at its first line."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: memoryview) -> int:  # type: ignore[override]
        raise self._error


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes have been read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = io.BytesIO(head)
        # read1 hands on what a pipe holds now, where read would wait for more.
        self._read_rest = getattr(rest, "read1", rest.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._head.read(len(buffer)) or self._read_rest(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def suffix_of(path: Place) -> str:
    """Return the end of a file's name that tells its kind, in lower case."""
    double = "".join(path.suffixes[-2:]).lower()
    return double if double in READERS else path.suffix.lower()


def _kind(path: Place) -> str:
    return path.suffix.lower() or "a file whose name has no ending"


def _printable(name: str) -> str:
    """Return a file's name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode(errors="replace")
