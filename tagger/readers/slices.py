"""Slices: documents in a row of one input, named so that another process can read them, or held as they were read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import BinaryIO, NamedTuple, TypeAlias, TypeVar

from tagger.documents import Document, Unreadable
from tagger.errors import InputError
from tagger.readers import PAGE_READERS, READERS, STDIN, File, files, jsonl, parquet, read_file, sniffed, suffix_of
from tagger.readers.jsonl import RawLine
from tagger.readers.stores import place
from tagger.readers.streams import BUFFER, DEFAULT_LIMIT, READ_FAILURES, START, Mark, unzipped

Item = TypeVar("Item")

_FROM_A_MARK = {".jsonl": jsonl.read, ".ndjson": jsonl.read, ".parquet": parquet.read}
"""The readers that can begin in the middle of a file."""


class FileSlice(NamedTuple):
    """Documents of a file: so many, after `skip` others, from `mark` on."""

    path: str
    name: str
    documents: int
    mark: Mark = START
    skip: int = 0

    def read(self) -> Iterator[Document | Unreadable]:
        """Yield the documents. Raises InputError where the file no longer holds so many."""
        left = self.documents
        with closing(_read_from(self.path, self.name, self.mark)) as items:
            for item in islice(items, self.skip, self.skip + self.documents):
                left -= 1
                yield item
        if left:
            raise InputError(
                f"{self.path} changed while it was read: {left:,} of {self.documents:,} documents are no longer there. "
                "Leave it as it is until the run has ended, and start anew with --overwrite."
            )

    def cut(self, begin: int, end: int) -> FileSlice:
        """Return the documents from the `begin`th up to the `end`th, counted from 0."""
        return self._replace(skip=self.skip + begin, documents=end - begin)


class LineSlice(NamedTuple):
    """JSON lines of a stream that is read only once, not yet parsed."""

    name: str
    lines: Sequence[RawLine]

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.lines)

    def read(self) -> Iterator[Document | Unreadable]:
        """Yield the documents."""
        return (jsonl.parsed(line, self.name) for line in self.lines)

    def cut(self, begin: int, end: int) -> LineSlice:
        """Return the documents from the `begin`th up to the `end`th, counted from 0."""
        return self._replace(lines=self.lines[begin:end])


class HeldSlice(NamedTuple):
    """Documents that were read already."""

    items: Sequence[Document | Unreadable]

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.items)

    def read(self) -> Iterator[Document | Unreadable]:
        """Yield the documents."""
        return iter(self.items)

    def cut(self, begin: int, end: int) -> HeldSlice:
        """Return the documents from the `begin`th up to the `end`th, counted from 0."""
        return HeldSlice(self.items[begin:end])


Slice: TypeAlias = FileSlice | LineSlice | HeldSlice
Sized: TypeAlias = tuple[Slice, int]
"""A slice, and about how many bytes its documents have."""


def input_slices(inputs: Iterable[str], size: int) -> Iterator[Sized]:
    """Yield slices of files, folders and the standard input, each input after the other, for readers on this machine.

    Files that cannot be read from the middle are read here, and their documents held; others are only named.
    """
    for name in inputs:
        if name == STDIN:
            yield from _stream_slices(sys.stdin.buffer, size)
            continue
        for found in files(name):
            yield from [(HeldSlice([found]), 0)] if isinstance(found, Unreadable) else _file_slices(found, size)


def named_slices(path: str, name: str, size: int) -> list[Sized]:
    """Return slices of a file that say only where its documents are, for readers on other machines."""
    file = File(place(path), name)
    suffix = suffix_of(file.path)
    if suffix in _FROM_A_MARK or READERS.get(suffix) in PAGE_READERS:
        return list(_file_slices(file, size))
    documents = sum(1 for _ in read_file(file.path, file.name))
    return [(FileSlice(str(file.path), file.name, documents), file.path.stat().st_size)] if documents else []


def _file_slices(file: File, size: int) -> Iterator[Sized]:
    suffix = suffix_of(file.path)
    if READERS.get(suffix) in PAGE_READERS:
        return _page_slice(file)
    return _SLICERS.get(suffix, _held_slices)(file, size)


def _page_slice(file: File) -> Iterator[Sized]:
    try:
        size = file.path.stat().st_size
    except OSError:
        size = 0
    yield FileSlice(str(file.path), file.name, 1), size


def _line_slices(file: File, size: int) -> Iterator[Sized]:
    try:
        with file.path.open("rb", BUFFER) as stream:
            mark = START
            for lines, length in _groups(jsonl.raw_lines(stream, file.name, DEFAULT_LIMIT), _line_size, size):
                yield FileSlice(str(file.path), file.name, len(lines), mark), length
                mark = Mark(stream.tell(), lines[-1].number)
    except OSError as error:
        yield HeldSlice([_cannot_be_read(file, error)]), 0


def _zipped_line_slices(file: File, size: int) -> Iterator[Sized]:
    try:
        with file.path.open("rb", BUFFER) as stream, unzipped(stream) as lines:
            yield from _raw_line_slices(lines, file.name, size)
    except OSError as error:
        yield HeldSlice([_cannot_be_read(file, error)]), 0


def _raw_line_slices(stream: BinaryIO, name: str, size: int) -> Iterator[Sized]:
    for lines, length in _groups(jsonl.raw_lines(stream, name, DEFAULT_LIMIT), _line_size, size):
        yield LineSlice(name, lines), length


def _row_group_slices(file: File, size: int) -> Iterator[Sized]:
    try:
        with file.path.open("rb", BUFFER) as stream:
            for mark, rows in parquet.marks(stream):
                if rows:
                    yield FileSlice(str(file.path), file.name, rows, mark), size
    except OSError as error:
        yield HeldSlice([_cannot_be_read(file, error)]), 0


def _held_slices(file: File, size: int) -> Iterator[Sized]:
    for items, length in _groups(read_file(file.path, file.name), _item_size, size):
        yield HeldSlice(items), length


def _stream_slices(stream: BinaryIO, size: int) -> Iterator[Sized]:
    reader, stream = sniffed(stream)
    if reader is jsonl.read:
        yield from _raw_line_slices(stream, "stdin", size)
    else:
        for items, length in _groups(reader(stream, "stdin", DEFAULT_LIMIT), _item_size, size):
            yield HeldSlice(items), length


_SLICERS: Mapping[str, Callable[[File, int], Iterator[Sized]]] = {
    ".jsonl": _line_slices,
    ".ndjson": _line_slices,
    ".jsonl.gz": _zipped_line_slices,
    ".ndjson.gz": _zipped_line_slices,
    ".parquet": _row_group_slices,
}


def _groups(items: Iterable[Item], size_of: Callable[[Item], int], size: int) -> Iterator[tuple[list[Item], int]]:
    """Yield items in groups of about `size`, each with its size."""
    group: list[Item] = []
    length = 0
    for item in items:
        group.append(item)
        length += size_of(item)
        if length >= size:
            yield group, length
            group, length = [], 0
    if group:
        yield group, length


def _line_size(line: RawLine) -> int:
    return len(line.content) if isinstance(line.content, bytes) else 0


def _item_size(item: Document | Unreadable) -> int:
    return len(item.text) if isinstance(item, Document) else 0


def _cannot_be_read(file: File, error: OSError) -> Unreadable:
    return Unreadable(file.name, f"{file.name} cannot be read ({error.strerror}).")


def _read_from(path: str, name: str, mark: Mark) -> Generator[Document | Unreadable, None, None]:
    file = place(path)
    if mark == START:
        yield from read_file(file, name)
        return
    try:
        with file.open("rb", BUFFER) as stream:
            yield from _FROM_A_MARK[suffix_of(file)](stream, name, DEFAULT_LIMIT, mark)
    except READ_FAILURES as error:
        yield Unreadable(name, f"{name} cannot be read ({error}).")
