"""The registry: versions appear whole, the pointer is replaced whole, and nothing is lost between two writers."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tagger.errors import DamagedVersion, NoLiveVersion, OutdatedVersion, OutputError, UnknownVersion
from tagger.registry import Registry

MEASURED = {"stratified": {"texts": 1, "micro_f1": 1.0, "macro_f1": 1.0}}


def write(folder: Path) -> dict[str, Any]:
    """Write a version of two files; return its manifest."""
    (folder / "part").mkdir()
    (folder / "part" / "weights").write_bytes(b"\0\1\2")
    (folder / "note.txt").write_text("tiny", encoding="utf-8")
    return {"scores": MEASURED, "settings": {}, "canaries": [{"text": "Herring.", "probabilities": [0.5]}]}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry."""
    return Registry(tmp_path / "models")


def test_versions_count_up(registry: Registry) -> None:
    """Each saved version gets the next number; saving makes nothing live."""
    assert [registry.save(write).name for _ in range(3)] == ["v0001", "v0002", "v0003"]
    assert registry.names() == ["v0001", "v0002", "v0003"]
    assert registry.live_name() is None


def test_no_live_version_says_what_to_do(registry: Registry) -> None:
    """Without a promotion the live version is a NoLiveVersion that tells how to train one."""
    with pytest.raises(NoLiveVersion, match="tagger train"):
        registry.live()


def test_promotions_stack_and_rollbacks_take_one_off(registry: Registry) -> None:
    """A rollback returns to what was live before, further rollbacks to what was before that, and then stop."""
    for _ in range(3):
        registry.promote(registry.save(write).name)
    assert [registry.rollback().name, registry.rollback().name] == ["v0002", "v0001"]
    with pytest.raises(NoLiveVersion, match="no earlier"):
        registry.rollback()
    registry.promote("v0003")
    assert registry.rollback().name == "v0001"
    assert [entry["action"] for entry in registry.history()] == ["promote"] * 3 + ["rollback"] * 2 + [
        "promote",
        "rollback",
    ]


@pytest.mark.parametrize(
    "name", ["v0009", "", "../models/v0001", "v0001/../v0001", "live", ".draft-x", "v0001\0", "v00001", "v٠٠٠١"]
)
def test_only_known_names_are_versions(registry: Registry, name: str) -> None:
    """A name is matched against the versions there are, never joined to a path."""
    registry.save(write)
    with pytest.raises(UnknownVersion, match="v0001"):
        registry.get(name)


@pytest.mark.parametrize("file", ["part/weights", "note.txt", "manifest.json", "created.json", "SHA256SUMS"])
def test_a_flipped_bit_is_noticed(registry: Registry, file: str) -> None:
    """A version with one bit changed in any file is refused, and cannot be promoted."""
    version = registry.save(write)
    path = version.folder / file
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedVersion, match="v0001"):
        registry.promote("v0001")
    assert registry.live_name() is None


def test_links_are_no_files_of_a_version(registry: Registry, tmp_path: Path) -> None:
    """A file replaced by a link to the same content is refused."""
    path = registry.save(write).folder / "note.txt"
    (tmp_path / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedVersion, match=r"note\.txt"):
        registry.promote("v0001")


def test_a_failed_save_leaves_nothing(registry: Registry) -> None:
    """When writing a version fails, no version and no debris is left, and the next save succeeds."""

    def fail(folder: Path) -> dict[str, Any]:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        registry.save(fail)
    assert list(registry.folder.iterdir()) == []
    assert registry.save(write).name == "v0001"


def test_savers_at_once_all_succeed(registry: Registry) -> None:
    """Eight savers and promoters at once get eight numbers, and the history holds eight promotions."""
    failures: list[BaseException] = []

    def save() -> None:
        try:
            registry.promote(registry.save(write).name)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert registry.names() == [f"v{number:04d}" for number in range(1, 9)]
    assert sorted(entry["version"] for entry in registry.history()) == registry.names()


def test_drafts_are_no_versions(registry: Registry) -> None:
    """What a killed trainer left behind is never taken for a version."""
    registry.save(write)
    (registry.folder / ".draft-killed").mkdir()
    (registry.folder / "v0002.tmp").mkdir()
    assert registry.names() == ["v0001"]
    assert registry.save(write).name == "v0002"


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"caf\xe9", b"[]", b'{"history": 5}', b'{"history": [{"action": "promote"}]}', b"[" * 100_000],
)
def test_a_broken_pointer_is_reported(registry: Registry, content: bytes) -> None:
    """A pointer that is damaged in any way is reported with the remedy."""
    registry.promote(registry.save(write).name)
    (registry.folder / "live").write_bytes(content)
    with pytest.raises(DamagedVersion, match="promote"):
        registry.live()


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"at": 5}', b"[" * 100_000, b"\xe9"])
def test_a_broken_time_stamp_is_reported(registry: Registry, content: bytes) -> None:
    """A version whose time stamp cannot be read is refused by name."""
    version = registry.save(write)
    (version.folder / "created.json").write_bytes(content)
    with pytest.raises(DamagedVersion, match="v0001"):
        registry.get("v0001")


def test_promoting_the_live_version_changes_nothing(registry: Registry) -> None:
    """A second promotion of the live version adds no history, so that a rollback still goes to the one before."""
    for _ in range(2):
        registry.promote(registry.save(write).name)
    registry.promote("v0002")
    assert registry.rollback().name == "v0001"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder_is_reported(registry: Registry) -> None:
    """A folder that cannot be written gives a message that names it."""
    registry.folder.mkdir()
    registry.folder.chmod(0o500)
    with pytest.raises(OutputError, match="models: Permission denied"):
        registry.save(write)


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    """A file where the folder of versions should be gives a message that names it."""
    (tmp_path / "models").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="the folder of versions: File exists"):
        Registry(tmp_path / "models").save(write)


def test_the_manifest_lists_every_file_but_the_time_stamp(registry: Registry) -> None:
    """The manifest holds a digest of each file that is the same at every run of the same training."""
    version = registry.save(write)
    assert sorted(version.manifest["files"]) == ["note.txt", "part/weights"]
    assert set(json.loads((version.folder / "created.json").read_text(encoding="utf-8"))) == {"at"}


def test_a_version_of_an_earlier_tagger_is_named_as_such(registry: Registry) -> None:
    """A version whose manifest has a digest of the earlier kind is refused with the remedy."""
    version = registry.save(write)
    (version.folder / "SHA256SUMS").rename(version.folder / "manifest.json.sha256")
    with pytest.raises(OutdatedVersion, match=r"saved by an earlier tagger\. Train again: tagger train"):
        registry.get("v0001")


def test_sha256sum_understands_the_sums(registry: Registry) -> None:
    """The root of a version's digests is in the format that `sha256sum --check` reads."""
    version = registry.save(write)
    for line in (version.folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((version.folder / name).read_bytes()).hexdigest() == digest
