"""Files written whole or not at all, and folders changed by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tagger.errors import OutputError


def check_writable(path: Path) -> None:
    """Raise OutputError where no file can be written at a path, so that this is known before the work is done."""
    if path.exists() and not path.is_file():
        raise OutputError(f"Cannot write {path}: it is a folder or a device. Choose the name of a file.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"Cannot write {path}: there is no folder {folder}. Make it, or choose another name.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"Cannot write {path}: {folder} is closed to you. Choose a name in another folder.")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises OutputError where it cannot be written."""
    replace_files({path: content})


def replace_files(
    contents: Mapping[Path, bytes], check: Callable[[Path, Path], None] = lambda _path, _written: None
) -> None:
    """Write files, each whole, and the folders they need; links are followed, and modes stay.

    What is written stands beside its place first, under a hidden name with the same ending, where `check(path,
    written)` may still refuse it by raising an error: until all are written and checked, none takes its place. Raises
    OutputError where a file cannot be written.
    """
    written = {path: _beside(path) for path in contents}
    try:
        with ExitStack() as leftovers:
            for path, beside in written.items():
                leftovers.callback(beside.unlink, missing_ok=True)
                _write(beside, contents[path], like=path)
            for path, beside in written.items():
                check(path, beside)
            for path, beside in written.items():
                beside.replace(os.path.realpath(path))
                sync(beside.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time read and change what is in a folder; where there is no folder yet, none can."""
    if not folder.is_dir():
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Bring what was written to a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    """Return a hidden name in the folder of a file, or of what it links to, with the ending that tells its kind."""
    place = Path(os.path.realpath(path))
    return place.with_name(f".{os.getpid()}.{place.name}")


def _write(beside: Path, content: bytes, like: Path) -> None:
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(content)
    sync(beside)
    if like.exists():
        shutil.copymode(like, beside)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"Cannot write {path}: {error.strerror or error}. Put that right, and try again.")
