"""The versions in `models/` and which one is live.

A version is a folder `vNNNN` that appears whole by one rename and is never written again. `live` is one
small file, replaced atomically, that names the live version and keeps the history of promotions.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tagger.errors import DamagedVersion, ModelError, NoLiveVersion, OutputError, UnknownVersion
from tagger.files import locked, replace_file, sync

Action = Literal["promote", "rollback"]

MANIFEST = "manifest.json"
CREATED = "created.json"
LIVE = "live"
_VERSION = re.compile(r"v\d{4,}")
_DRAFT_PREFIX = ".draft-"


@dataclass(frozen=True, slots=True)
class Version:
    """One model on disk. `manifest` describes it; its `files` are the digests of everything but the time stamp."""

    name: str
    folder: Path
    manifest: dict[str, Any]
    created: dict[str, Any]

    def check(self) -> None:
        """Raise DamagedVersion unless every file is a regular file with the digest of the manifest."""
        for name, expected in self.manifest["files"].items():
            path = self.folder / name
            if path.is_symlink() or not path.is_file():
                raise _damaged(self.name, f"{name} is missing or no regular file")
            try:
                found = _digest(path)
            except OSError as error:
                raise _damaged(self.name, f"{name} cannot be read ({error.strerror})") from error
            if found != expected:
                raise _damaged(self.name, f"{name} is not what was saved")


class Registry:
    """The versions below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all versions, oldest first."""
        try:
            found = [path.name for path in self.folder.iterdir() if _VERSION.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelError(f"The folder of versions {self.folder} cannot be read: {error.strerror}.") from error
        return sorted(found, key=_number)

    def get(self, name: str) -> Version:
        """Return a version by name. Raises UnknownVersion or DamagedVersion."""
        known = self.names()
        if name not in known:
            raise UnknownVersion(f"There is no version {name!r}; known are: {', '.join(known) or 'none'}.")
        folder = self.folder / name
        created = _read_json(name, folder / CREATED)
        if not isinstance(created.get("at"), str):
            raise _damaged(name, f"{CREATED} does not say when it was made")
        return Version(name, folder, _read_manifest(name, folder), created)

    def live_name(self) -> str | None:
        """Return the name of the live version, None before the first promotion."""
        history = self.history()
        return history[-1]["version"] if history else None

    def live(self) -> Version:
        """Return the live version. Raises NoLiveVersion where nothing was promoted yet."""
        name = self.live_name()
        if name is None:
            raise NoLiveVersion(f"There is no live model in {self.folder}. Train one: tagger train")
        return self.get(name)

    def history(self) -> list[dict[str, str]]:
        """Return the promotions, oldest first: version, action, time."""
        try:
            content = (self.folder / LIVE).read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelError(f"The pointer {self.folder / LIVE} cannot be read: {error.strerror}.") from error
        try:
            return [{name: str(entry[name]) for name in ("version", "action", "at")} for entry in _history(content)]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedVersion(
                f"{self.folder / LIVE} is not readable as the pointer to the live version. "
                "Remove it and promote a version: tagger models promote VERSION"
            ) from error

    def promote(self, name: str, action: Action = "promote") -> Version:
        """Make a version the live one, after checking its files. Raises UnknownVersion, DamagedVersion, OutputError."""
        version = self.get(name)
        version.check()
        entry = {"version": name, "action": action, "at": _now()}
        with locked(self.folder):
            if self.live_name() != name:
                pointer = {"version": name, "history": [*self.history(), entry]}
                replace_file(self.folder / LIVE, _json(pointer).encode())
        return version

    def before(self) -> Version:
        """Return the version that a rollback goes back to. Raises NoLiveVersion where there is none."""
        name = _before(self.history())
        if name is None:
            raise NoLiveVersion(
                "There is no earlier live version to go back to. Promote one by name: tagger models list"
            )
        return self.get(name)

    def rollback(self) -> Version:
        """Make the version that was live before the live one live again. Raises NoLiveVersion where there is none."""
        return self.promote(self.before().name, "rollback")

    def save(self, write: Callable[[Path], dict[str, Any]], created: dict[str, Any] | None = None) -> Version:
        """Save a new version and return it; it is not live yet.

        `write` fills a hidden folder and returns the manifest's content. What it wrote is digested, synced to
        disk and renamed to the next free number in one step. Raises OutputError where the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _draft(self.folder) as draft:
                manifest = write(draft)
                files = {path.relative_to(draft).as_posix(): _digest(path) for path in _files(draft)}
                _write_manifest(draft, {**manifest, "files": files})
                (draft / CREATED).write_text(_json({"at": _now(), **(created or {})}), encoding="utf-8")
                for path in [*_files(draft), *_folders(draft)]:
                    sync(path)
                return self.get(self._publish(draft))
        except OSError as error:
            raise OutputError(f"Cannot save a version in {self.folder}: {error.strerror or error}.") from error

    def check_writable(self) -> None:
        """Raise OutputError where a version could not be saved, before the work of making one."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _draft(self.folder):
                pass
        except OSError as error:
            raise OutputError(f"Cannot save a version in {self.folder}: {error.strerror or error}.") from error

    def _publish(self, draft: Path) -> str:
        """Rename the draft to the next number; when another trainer was faster, to the one after."""
        while True:
            number = max((_number(name) for name in self.names()), default=0) + 1
            target = self.folder / f"v{number:04d}"
            try:
                draft.rename(target)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    continue
                raise
            sync(self.folder)
            return target.name


def _history(content: bytes) -> list[dict[str, str]]:
    history = json.loads(content)["history"]
    if not isinstance(history, list):
        raise TypeError("the history is no list")
    return history


def _before(history: list[dict[str, str]]) -> str | None:
    """Return what a rollback goes back to: promotions stack up, each rollback takes one off."""
    stack: list[str] = []
    for entry in history:
        if entry["action"] == "rollback":
            stack = stack[:-1]
        else:
            stack.append(entry["version"])
    return stack[-2] if len(stack) > 1 else None


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=folder))
    draft.chmod(0o755)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = _json(manifest)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / f"{MANIFEST}.sha256").write_text(f"{digest}\n", encoding="utf-8")


def _read_manifest(name: str, folder: Path) -> dict[str, Any]:
    try:
        stated = (folder / f"{MANIFEST}.sha256").read_text(encoding="utf-8").strip()
        if _digest(folder / MANIFEST) != stated:
            raise _damaged(name, f"{MANIFEST} is not what was saved")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(name, f"{MANIFEST} or its digest cannot be read") from error
    return _read_json(name, folder / MANIFEST)


def _read_json(name: str, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(name, f"{path.name} cannot be read") from error
    if not isinstance(content, dict):
        raise _damaged(name, f"{path.name} holds no object")
    return content


def _damaged(name: str, what: str) -> DamagedVersion:
    return DamagedVersion(f"Version {name} is damaged: {what}. Promote another version or train again.")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _folders(folder: Path) -> list[Path]:
    return [*(path for path in folder.rglob("*") if path.is_dir()), folder]


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _number(name: str) -> int:
    return int(name[1:])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
