"""Reading byte streams within bounds: one line or one whole page at a time, never more than a limit."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, TypeAlias

from tagger.documents import Document, Unreadable

Reader: TypeAlias = Callable[[BinaryIO, str, int], Iterator[Document | Unreadable]]
"""Reads a stream of the given name, no record of it longer than so many bytes."""

DEFAULT_LIMIT = 10_000_000
"""The longest record or page that is read, in bytes."""

READ_FAILURES = (OSError, EOFError, zlib.error)
"""What reading a stream may raise: the disk, the network or the compression fails."""

BOM = b"\xef\xbb\xbf"

BUFFER = 1 << 18
"""How much of a file is read at a time; with Python's 8 KB a release would take a system call or two."""

_CHUNK = 1 << 16


class Mark(NamedTuple):
    """A place in a file where reading can begin.

    `offset` is that of a byte or the number of a row group, `before` how many lines or rows stand before it.
    """

    offset: int = 0
    before: int = 0


START = Mark()


class OverLimit(Exception):
    """A line or a page is over the limit."""

    def __init__(self, size: str, limit: int) -> None:
        """Say by how much, and what to do."""
        super().__init__(f"has {size} bytes, over the limit of {limit:,}; split it")


def lines(stream: BinaryIO, limit: int) -> Iterator[bytes | OverLimit]:
    """Yield each line with its line end, and for one over the limit what is wrong with it."""
    while line := stream.readline(limit + 2):
        if len(line) <= limit or len(content := line.rstrip(b"\r\n")) <= limit:
            yield line
        else:
            yield OverLimit(f"{len(content) + _skip_line(stream, line):,}", limit)


def _skip_line(stream: BinaryIO, line: bytes) -> int:
    skipped = 0
    while line and not line.endswith(b"\n"):
        line = stream.readline(_CHUNK)
        skipped += len(line.rstrip(b"\r\n"))
    return skipped


def page(stream: BinaryIO, limit: int) -> bytes:
    """Return all the bytes of a stream, or raise OverLimit."""
    content = stream.read(limit + 1)
    if len(content) > limit:
        size = f"{stream.seek(0, io.SEEK_END):,}" if stream.seekable() else f"more than {limit:,}"
        raise OverLimit(size, limit)
    return content


def decoded(content: bytes) -> str:
    """Return the text of UTF-8 bytes, a byte order mark dropped; raise ValueError saying which byte is wrong."""
    nul = content.find(b"\0")
    if nul >= 0:
        raise ValueError(f"has a NUL byte at byte {nul:,}, so it is no UTF-8 text; convert it to UTF-8")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start:,}; convert it to UTF-8") from None


def gzipped(read: Reader) -> Reader:
    """Return a reader of the compressed form of what `read` reads."""

    def read_gzipped(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
        with unzipped(stream) as content:
            yield from read(content, name, limit)

    return read_gzipped


def unzipped(stream: BinaryIO) -> BinaryIO:
    """Return the content of a compressed stream; closing it leaves the stream open."""
    return io.BufferedReader(gzip.GzipFile(fileobj=stream), BUFFER)
