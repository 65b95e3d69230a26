"""Parts: slices of the input with the position of their first document, and the one function that tags them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol

from tagger.archive.formats import FORMATS
from tagger.archive.records import records_of
from tagger.documents import Document, Unreadable
from tagger.errors import DamagedVersion
from tagger.readers.slices import HeldSlice, Sized, Slice, input_slices
from tagger.registry import Registry
from tagger.tagging import Tagger

PART_BYTES = 1 << 20
"""About how much text is tagged at a time; what it costs to hand it to another process is nothing beside that."""


class Part(NamedTuple):
    """Documents in a row, the first of which is the `position`th of the input, counted from 0."""

    position: int
    slices: tuple[Slice, ...]

    @property
    def documents(self) -> int:
        """How many there are."""
        return sum(piece.documents for piece in self.slices)

    def read(self) -> Iterator[Document | Unreadable]:
        """Yield the documents."""
        return chain.from_iterable(piece.read() for piece in self.slices)

    def within(self, begin: int, end: int) -> Part:
        """Return what lies between two positions."""
        position, kept = self.position, []
        for piece in self.slices:
            first, last = max(begin - position, 0), min(end - position, piece.documents)
            if first < last:
                kept.append(piece if last - first == piece.documents else piece.cut(first, last))
            position += piece.documents
        return Part(max(begin, self.position), tuple(kept))


class Job(NamedTuple):
    """What is to be done with a part, said so that another process can do it.

    `themes` is a digest of the version's themes, as a version of that name may be another one elsewhere.
    """

    version: str
    themes: str
    split: bool | None
    suffix: str


def themes_digest(tagger: Tagger) -> str:
    """Return what tells a version from another one of the same name."""
    return blake2b(json.dumps(tagger.themes).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=1)
def job_tagger(models: str, job: Job) -> Tagger:
    """Return the tagger of a job, from a folder of versions.

    Raises ModelError where it cannot be had, or is another one of that name.
    """
    tagger = Tagger.load(Registry(Path(models)).get(job.version))
    if themes_digest(tagger) != job.themes:
        raise DamagedVersion(f"Version {job.version} in {models} is another one than the run was begun with.")
    return tagger


class Finished(NamedTuple):
    """The lines of some documents, how many documents these are, and how many of them failed."""

    content: bytes
    documents: int
    failed: int


def tag_part(part: Part, tagger: Tagger, job: Job) -> Iterator[Finished]:
    """Yield the finished lines of each document of a part."""
    line = FORMATS[job.suffix].line
    for records in records_of(part.read(), part.position, tagger, job.split):
        yield Finished(b"".join(map(line, records)), 1, "error" in records[0])


def finished_part(models: str, job: Job, part: Part) -> Finished:
    """Return the lines of a part in one, tagged with the version of a job from a folder of versions."""
    contents, documents, failed = zip(*tag_part(part, job_tagger(models, job), job), strict=True)
    return Finished(b"".join(contents), sum(documents), sum(failed))


class Source(Protocol):
    """Where documents come from."""

    def parts(self) -> Iterator[Part]:
        """Yield the input in parts, in order."""
        ...


class Documents:
    """Documents that can be had once."""

    def __init__(self, documents: Iterable[Document | Unreadable]) -> None:
        self._documents = documents

    def parts(self) -> Iterator[Part]:
        """Yield each document as a part of its own, as soon as it is there."""
        return (Part(position, (HeldSlice((item,)),)) for position, item in enumerate(self._documents))


class Inputs:
    """Files, folders and the standard input, by name."""

    def __init__(self, names: Iterable[str], part_bytes: int = PART_BYTES) -> None:
        self.names = tuple(names)
        self._part_bytes = part_bytes

    def parts(self) -> Iterator[Part]:
        """Yield parts of about a megabyte of text."""
        return parts_of(input_slices(self.names, self._part_bytes), self._part_bytes)


def parts_of(slices: Iterable[Sized], size: int) -> Iterator[Part]:
    """Yield slices together in parts of about so many bytes."""
    position, length = 0, 0
    group: list[Slice] = []
    for piece, piece_length in slices:
        group.append(piece)
        length += piece_length
        if length >= size:
            part = Part(position, tuple(group))
            yield part
            position, length, group = position + part.documents, 0, []
    if group:
        yield Part(position, tuple(group))


def parts_within(parts: Iterable[Part], begin: int, end: int) -> Iterator[Part]:
    """Yield what lies between two positions."""
    for part in parts:
        if part.position >= end:
            return
        if part.position + part.documents > begin:
            yield part.within(begin, end)
