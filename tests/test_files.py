"""Files: written whole or not at all, whatever fails, and folders changed by one process at a time."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.errors import InputError, OutputError
from tagger.files import check_writable, leftovers, locked, make_folder, replace_file, replace_files
from tagger.keys import Keys
from tagger.registry import Registry


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def full_disk(_descriptor: int) -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, "No space left on device")


@given(st.dictionaries(st.from_regex(r"([a-z]{1,3}/)?[a-z]{1,3}\.txt", fullmatch=True), st.binary(), max_size=5))
@settings(max_examples=30, deadline=None)
def test_files_hold_what_was_written(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """Any content comes back from any of the files, in folders made for them, and nothing else is there."""
    folder = tmp_path_factory.mktemp("files")
    replace_files({folder / name: b"before" for name in files})
    replace_files({folder / name: content for name, content in files.items()})
    assert contents(folder) == files


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full, what was there stays, nothing stands beside it, and the message names the file."""
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match=r"Cannot write .*seeds\.jsonl: No space left on device\. .*try again"):
        replace_file(path, b"after")
    assert contents(tmp_path) == {"seeds.jsonl": b"before"}


def test_of_several_files_none_is_written_where_one_cannot_be(tmp_path: Path) -> None:
    """A file in the place of a folder stops all of them, and is the one that is named."""
    (tmp_path / "file").write_bytes(b"before")
    with pytest.raises(OutputError, match=r"b\.txt"):
        replace_files({tmp_path / "a.txt": b"after", tmp_path / "file" / "b.txt": b"after"})
    assert contents(tmp_path) == {"file": b"before"}


def test_what_is_refused_is_not_written(tmp_path: Path) -> None:
    """The check sees each file as it would be, under a name of the same ending that readers pass over."""
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(b"before")

    def refuse(old: Path, new: Path) -> None:
        assert (old.read_bytes(), new.read_bytes()) == (b"before", b"after")
        assert (new.suffix, new.name[0]) == (".jsonl", ".")
        raise InputError("No.")

    with pytest.raises(InputError, match="No"):
        replace_files({path: b"after"}, refuse)
    assert contents(tmp_path) == {"seeds.jsonl": b"before"}


def test_links_are_followed_and_modes_stay(tmp_path: Path) -> None:
    """A link stays a link to the file that is written, and who may read the file may read it afterwards."""
    target, link = tmp_path / "there" / "target.txt", tmp_path / "link.txt"
    target.parent.mkdir()
    target.write_bytes(b"before")
    target.chmod(0o640)
    link.symlink_to(target)
    replace_file(link, b"after")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_place_that_cannot_be_written_is_told_before(tmp_path: Path) -> None:
    """A folder, a device and a name in a folder that is not there are refused; a file, there or not, is fine."""
    for path, message in (
        (tmp_path, "folder or a device"),
        (Path(os.devnull), "folder or a device"),
        (tmp_path / "nowhere" / "report.html", r"there is no folder .*nowhere\. Make it"),
    ):
        with pytest.raises(OutputError, match=message):
            check_writable(path)
    check_writable(tmp_path / "report.html")
    (tmp_path / "report.html").write_bytes(b"before")
    check_writable(tmp_path / "report.html")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_closed_folder_is_told_before(tmp_path: Path) -> None:
    """A folder that one may not write into is named."""
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="closed to you"):
        check_writable(tmp_path / "closed" / "report.html")


MAKERS: dict[str, Callable[[Path], object]] = {
    "a folder": lambda place: make_folder(place),
    "a file": lambda place: replace_file(place / "file", b"new"),
    "a key": lambda place: Keys(place / "keys.json").create("newsroom", ["tag"]),
    "a version": lambda place: Registry(place).check_writable(),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_new_folders_outlive_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    """Whatever needs folders that are not there brings the name of each of them to the disk."""
    synced, fsync = set(), os.fsync

    def note(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    make(tmp_path / "a" / "b" / "c")
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        assert folder.stat().st_ino in synced, folder


COUNT = """\
import sys
from pathlib import Path
from tagger.files import locked, replace_file
folder = Path(sys.argv[1])
for _ in range(20):
    with locked(folder):
        replace_file(folder / "count", str(int((folder / "count").read_bytes()) + 1).encode())
"""


def test_a_folder_is_changed_by_one_process_at_a_time(tmp_path: Path) -> None:
    """Processes that add to the same number under the lock lose nothing."""
    (tmp_path / "count").write_bytes(b"0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert contents(tmp_path) == {"count": b"60"}


def test_writers_of_one_file_at_once_all_succeed(tmp_path: Path) -> None:
    """Threads that write the same file without a lock lose no write to each other, and leave nothing beside it."""
    written = [f"{number}".encode() * 1_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda content: [replace_file(tmp_path / "one", content) for _ in range(20)], written))
    assert list(contents(tmp_path)) == ["one"]
    assert contents(tmp_path)["one"] in written


WRITE = """\
import sys
from pathlib import Path
from tagger.files import replace_files
def wait(*_):
    print("written", flush=True)
    sys.stdin.read()
replace_files({Path(sys.argv[1]): b"new"}, wait)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """What a living process writes beside a file is no leftover; once it is killed, the next writer removes it."""
    path = tmp_path / "seeds.jsonl"
    command = [sys.executable, "-c", WRITE, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert leftovers(path) == []
        replace_file(path, b"meanwhile")
        assert len(contents(tmp_path)) == 2
        process.kill()
    (left,) = leftovers(path)
    assert left.read_bytes() == b"new"
    replace_file(path, b"after")
    assert contents(tmp_path) == {"seeds.jsonl": b"after"}


def test_where_there_is_no_folder_nothing_is_locked(tmp_path: Path) -> None:
    """A folder that is not there yet is not made by locking it."""
    with locked(tmp_path / "nowhere"):
        assert not (tmp_path / "nowhere").exists()
