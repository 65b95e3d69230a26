"""Files and folders named by a URI, such as `s3://bucket/releases`, by way of pyarrow (extra `parquet`)."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, TypeAlias
from urllib.parse import quote

from tagger.errors import InputError
from tagger.readers.streams import BUFFER

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs", "file")
"""The kinds of store that pyarrow knows."""

NO_EXTRA = "needs pyarrow, which is not installed; install the extra `parquet`: scripts/setup parquet"


class Status(NamedTuple):
    """What a store says of a file, under the names of `os.stat_result`."""

    st_mode: int
    st_size: int
    st_mtime_ns: int
    st_dev: str
    st_ino: str


class StorePath:
    """A file or folder in a store, with those methods of `pathlib.Path` that readers need."""

    def __init__(self, system: Any, path: str, scheme: str, options: str) -> None:
        self._system = system
        self._path = PurePosixPath(path)
        self._scheme = scheme
        self._options = options
        self.name, self.suffix, self.suffixes = self._path.name, self._path.suffix, self._path.suffixes

    def __str__(self) -> str:
        return f"{self._scheme}://{quote(str(self._path))}{self._options}"

    def stat(self) -> Status:
        """Return size and time. Raises FileNotFoundError."""
        from pyarrow.fs import FileType

        info = self._system.get_file_info(str(self._path))
        if info.type == FileType.NotFound:
            raise FileNotFoundError(2, "No such file or folder", str(self))
        mode = stat.S_IFDIR if info.type == FileType.Directory else stat.S_IFREG
        return Status(mode, info.size or 0, info.mtime_ns or 0, self._scheme, str(self._path))

    def exists(self) -> bool:
        """Tell whether there is such a file or folder."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Tell whether this is a folder."""
        return self.exists() and stat.S_ISDIR(self.stat().st_mode)

    def is_file(self) -> bool:
        """Tell whether this is a file."""
        return self.exists() and stat.S_ISREG(self.stat().st_mode)

    def iterdir(self) -> Iterator[StorePath]:
        """Yield what is in a folder."""
        from pyarrow.fs import FileSelector

        for info in self._system.get_file_info(FileSelector(str(self._path))):
            yield StorePath(self._system, info.path, self._scheme, self._options)

    def relative_to(self, folder: StorePath) -> PurePosixPath:
        """Return the path in a folder."""
        return self._path.relative_to(folder._path)

    def open(self, _mode: str = "rb", buffering: int = BUFFER) -> BinaryIO:
        """Open a file to read it."""
        return io.BufferedReader(self._system.open_input_file(str(self._path)), buffering)

    def replace_by(self, file: Path) -> None:
        """Upload a file to this place; object stores show it when it is whole."""
        try:
            with file.open("rb") as source, self._system.open_output_stream(str(self._path)) as target:
                while block := source.read(BUFFER):
                    target.write(block)
        except OSError:
            with suppress(OSError):
                self._system.delete_file(str(self._path))  # closing the stream has made what there was a file
            raise


Place: TypeAlias = Path | StorePath
"""Where a file or folder is."""


def place(name: str | Path) -> Place:
    """Return the place a path or a URI names. Raises InputError where a store is not known, or the extra missing."""
    if not is_uri(name):
        return Path(name)
    name = str(name)
    try:
        from pyarrow.fs import FileSystem
    except ImportError:
        raise InputError(f"{name} {NO_EXTRA}") from None
    try:
        system, path = FileSystem.from_uri(name)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name} is in a store that cannot be reached ({error}); check the URI, and what you may see of it."
        ) from None
    address, question_mark, options = name.partition("?")
    return StorePath(system, path, address.partition("://")[0], question_mark + options)


def is_uri(name: str | Path) -> bool:
    """Tell whether a name is the URI of a store; a Path never is.

    >>> is_uri("s3://bucket/releases.jsonl"), is_uri("releases.jsonl"), is_uri("https://example.org/page")
    (True, False, False)
    """
    return isinstance(name, str) and name.partition("://")[0] in SCHEMES and "://" in name
