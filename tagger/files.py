"""Files written whole or not at all, read only where they are what they seem, and folders changed by one process."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tagger.errors import OutputError

_SAFELY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""No link is followed, and no pipe waited for."""


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
    written: dict[Path, Path] = {}
    try:
        with ExitStack() as writing:
            for path, content in contents.items():
                written[path] = writing.enter_context(_written(path, content))
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
    with ExitStack() as closing:
        try:
            handle = os.open(folder, os.O_RDONLY)
            closing.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            raise _cannot_write(folder, error) from error
        yield


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and bring its name, and those of new folders above it, to the disk."""
    new = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in new:
        sync(each.parent)


def sync(path: Path) -> None:
    """Bring what was written to a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- What killed processes leave


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Show others, until this ends or the process dies, that a file or folder is no leftover."""
    handle = os.open(path, _SAFELY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def unheld(path: Path) -> Iterator[bool]:
    """Give whether a file or folder is there and held by nobody; if so, nobody else can hold it before this ends."""
    try:
        handle = os.open(path, _SAFELY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = _is_at(handle, path)
    except OSError:
        free = False
    try:
        yield free
    finally:
        os.close(handle)


def is_left(path: Path) -> bool:
    """Tell whether a file or folder is there and held by nobody."""
    with unheld(path) as free:
        return free


def leftovers(path: Path) -> list[Path]:
    """Return what killed processes left beside a file that they were about to replace."""
    if not path.parent.is_dir():
        return []
    hidden = re.compile(rf"\.[0-9]+\.{re.escape(path.name)}")
    return [beside for beside in path.parent.iterdir() if hidden.fullmatch(beside.name) and is_left(beside)]


def remove_leftovers(path: Path) -> None:
    """Remove them, where this is allowed."""
    for beside in leftovers(path):
        with unheld(beside) as free, suppress(OSError):
            if free:
                beside.unlink()


# ---- Files that may be anything


def read_plain(path: Path) -> bytes:
    """Return what a regular file holds. Raises OSError, also for a link, a pipe or a device."""
    with _plain(path) as handle, os.fdopen(handle, "rb", closefd=False) as stream:
        return stream.read()


def open_plain(path: Path) -> BinaryIO:
    """Return a stream of what a regular file holds. Raises OSError, also for a link, a pipe or a device."""
    with _plain(path) as handle:
        return os.fdopen(os.dup(handle), "rb")


def folder_problem(folder: Path, digests: Mapping[str, str], besides: Collection[str] = ()) -> str | None:
    """Return what of a folder is not as the SHA-256 of its files say, None where nothing is.

    Each must be a regular file below real folders. Nothing else may be there but `besides`, which are not looked at.
    """
    found: set[str] = set()
    try:
        with _folder(folder) as handle:
            problem = next(_problems(handle, "", digests, besides, found), None)
    except (OSError, RecursionError) as error:
        return f"its folder cannot be read ({getattr(error, 'strerror', 'it is too deep')})"
    missing = sorted(digests.keys() - found)
    return problem or (f"{missing[0]} is missing" if missing else None)


def _problems(
    folder: int, within: str, digests: Mapping[str, str], besides: Collection[str], found: set[str]
) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        inner = within + name
        if inner in digests:
            found.add(inner)
            yield from _file_problem(folder, name, inner, digests[inner])
        elif any(each.startswith(f"{inner}/") for each in digests):
            with _folder(name, folder) as handle:
                yield from _problems(handle, f"{inner}/", digests, besides, found)
        elif inner not in besides:
            yield f"{inner!r} is no part of it"  # quoted, for it may hold whatever a name may


def _file_problem(folder: int, name: str, inner: str, digest: str) -> Iterator[str]:
    try:
        with _plain(name, folder) as handle, os.fdopen(handle, "rb", closefd=False) as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                yield f"{inner} is not what was saved"
    except OSError as error:
        yield f"{inner} cannot be read ({error.strerror})"


@contextmanager
def _plain(path: Path | str, folder: int | None = None) -> Iterator[int]:
    try:
        handle = os.open(path, _SAFELY, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _folder(path: Path | str, folder: int | None = None) -> Iterator[int]:
    handle = os.open(path, _SAFELY | os.O_DIRECTORY, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """Write what is to take the place of a file, or of what it links to, beside it; gone again if it does not."""
    place = Path(os.path.realpath(path))
    make_folder(place.parent)
    remove_leftovers(place)
    beside = place.with_name(f".{os.getpid()}.{place.name}")
    handle = _new(beside)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
        if path.exists():
            shutil.copymode(path, beside)
        yield beside
    finally:
        try:
            if _is_at(handle, beside):
                beside.unlink()
        finally:
            os.close(handle)


def _new(beside: Path) -> int:
    """Open an empty file and hold it; one that was removed as a leftover before it was held is made again."""
    while True:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, beside):
                os.ftruncate(handle, 0)
                return handle
        except OSError:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Tell whether what is open still stands at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error of a path, of which only the name is told where it is one of this machine."""
    shown = path.name if path.is_absolute() else path
    return OutputError(f"Cannot write {shown}: {error.strerror or error}. Put that right, and try again.")
