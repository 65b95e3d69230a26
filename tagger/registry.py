"""The versions in `models/` and which one is live.

A version is a folder `vNNNN` that appears whole by one rename and is never written again, but for its signature. Its
`SHA256SUMS` are the digests of the manifest and of the time stamp; the manifest holds those of all other files. `live`
is one small file, replaced atomically, that names the live version and keeps the history of promotions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import EllipsisType
from typing import Any, Literal

from tagger.errors import (
    DamagedVersion,
    ModelError,
    NoLiveVersion,
    OtherLive,
    OutdatedVersion,
    OutputError,
    UnknownVersion,
)
from tagger.files import (
    folder_problem,
    held,
    is_left,
    leftovers,
    locked,
    make_folder,
    read_plain,
    remove_leftovers,
    replace_file,
    sync,
    unheld,
)
from tagger.saved import Created, Manifest, decoded
from tagger.signing import ENVIRONMENT, is_signature, is_signed, sign, signing_key

Action = Literal["promote", "rollback"]

MANIFEST = "manifest.json"
CREATED = "created.json"
SUMS = "SHA256SUMS"
SIGNATURE = "signature"

LIVE = "live"
SHOWN_NAME = 100
"""Characters of a name from outside."""

_VERSION = re.compile(r"v(?:[0-9]{4}|[1-9][0-9]{4,8})")
_DRAFT_PREFIX = ".draft-"
_EARLIER = "manifest.json.sha256"
"""What stood in the place of the sums before they covered the time stamp."""

ANOTHER = "Promote another version or train again."
"""The remedy of a damaged version, where nobody has looked whether there is another."""


@dataclass(frozen=True, slots=True)
class Version:
    """One model on disk. `manifest` describes it; its `files` are the digests of everything but the records.

    All that it holds hangs on `root`, the content of its SHA256SUMS.
    """

    name: str
    folder: Path
    manifest: dict[str, Any]
    created: dict[str, Any]
    root: bytes

    def check(self) -> None:
        """Raise DamagedVersion unless the folder holds exactly the files that were saved, and a key's signature.

        The signature is asked for where this installation has a key; see `signing`.
        """
        self.check_files()
        key = signing_key(self.folder.parent)
        if key is None:
            return
        found = self._signature()
        if found is None:
            remedy = f"If you know where it is from, sign it: tagger models sign {self.name}"
            raise DamagedVersion(f"Version {self.name} is not signed.", remedy)
        if not is_signed(found, key, self.name, self.root):
            raise _damaged(self.name, "its signature is of another key, or of another version")

    def check_files(self) -> None:
        """Raise DamagedVersion unless the folder holds exactly the files that were saved."""
        digests = {**self.manifest["files"], **_stated(self.root), SUMS: hashlib.sha256(self.root).hexdigest()}
        if problem := folder_problem(self.folder, digests, (SIGNATURE,)):
            raise _damaged(self.name, problem)
        signature = self._signature()
        if signature is not None and not is_signature(signature):
            raise _damaged(self.name, f"{SIGNATURE} is not what was saved")

    def _signature(self) -> bytes | None:
        try:
            return _read(self.name, self.folder / SIGNATURE)
        except FileNotFoundError:
            return None


class Registry:
    """The versions below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all versions, oldest first."""
        return [path.name for path in self._numbered() if _is_real_folder(path)]

    def impostors(self) -> list[str]:
        """Return the names of what is called like a version and is no folder; none of them is ever opened."""
        return [path.name for path in self._numbered() if not _is_real_folder(path)]

    def _numbered(self) -> list[Path]:
        try:
            found = [path for path in self.folder.iterdir() if _VERSION.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelError(f"The versions in {self._shown()} cannot be read: {error.strerror}.") from error
        return sorted(found, key=lambda path: _number(path.name))

    def get(self, name: str) -> Version:
        """Return a version by name. Raises UnknownVersion or DamagedVersion."""
        known = self.names()
        if name not in known:
            raise UnknownVersion(f"There is no version {name[:SHOWN_NAME]!r}; known are: {', '.join(known) or 'none'}.")
        folder = self.folder / name
        try:
            if not (folder / SUMS).exists() and (folder / _EARLIER).exists():
                raise OutdatedVersion(f"Version {name} was saved by an earlier tagger.", "Train again: tagger train")
            root, created, manifest = (_read(name, folder / record) for record in (SUMS, CREATED, MANIFEST))
        except FileNotFoundError as error:
            raise _damaged(name, f"{Path(error.filename).name} is missing") from error
        except PermissionError as error:
            raise _damaged(name, "its folder is closed to the user of this process") from error
        if root != _sums({CREATED: created, MANIFEST: manifest}):
            raise _damaged(name, f"{CREATED}, {MANIFEST} or {SUMS} is not what was saved")
        try:
            return Version(name, folder, decoded(manifest, Manifest), decoded(created, Created), root)
        except ValueError as error:
            found = f"Version {name} was saved by another tagger ({error})."
            raise OutdatedVersion(found, "Train again: tagger train") from error

    def live_name(self) -> str | None:
        """Return the name of the live version, None before the first promotion."""
        history = self.history()
        return history[-1]["version"] if history else None

    def live(self) -> Version:
        """Return the live version. Raises NoLiveVersion where nothing was promoted yet."""
        name = self.live_name()
        if name is None:
            raise NoLiveVersion(f"There is no live model in {self._shown()}.", "Train one: tagger train")
        return self.get(name)

    def history(self) -> list[dict[str, Any]]:
        """Return the promotions, oldest first: version, action and time; and where it is known by whom, where it was
        forced the reason and the objections.
        """
        try:
            content = read_plain(self.folder / LIVE)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelError(f"The pointer {LIVE!r} in {self._shown()} cannot be read: {error.strerror}.") from error
        try:
            return [_promotion(entry) for entry in _history(content)]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedVersion(
                f"{LIVE!r} in {self._shown()} is not readable as the pointer to the live version.",
                "Remove it and promote a version: tagger models promote VERSION",
            ) from error

    def promote(
        self,
        name: str,
        action: Action = "promote",
        *,
        by: str | None = None,
        reason: str | None = None,
        objections: Sequence[str] = (),
        instead_of: str | EllipsisType | None = ...,
    ) -> Version:
        """Make a version the live one, after checking its files. Raises UnknownVersion, DamagedVersion, OutputError.

        The history keeps by whom it was, and the reason and the objections of one that was forced. Raises
        OtherLive where another version is live than the one that is to be replaced, if that is named.
        """
        version = self.get(name)
        version.check()
        entry: dict[str, Any] = {"version": name, "action": action, "at": _now()}
        entry |= {"by": by} if by else {}
        entry |= {"reason": reason, "objections": list(objections)} if reason else {}
        with locked(self.folder):
            if instead_of is not ... and self.live_name() != instead_of:
                raise OtherLive(
                    f"{self.live_name() or 'No version'} is live, no longer {instead_of or 'none'}: another promotion "
                    "was faster.",
                    "See who made it, and try again: tagger models history",
                )
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

    def rollback(
        self, *, by: str | None = None, check: Callable[[Version], object] = lambda version: version.check()
    ) -> Version:
        """Make the version that was live before the live one live again, unless `check` raises an error for it.

        Raises NoLiveVersion where there is none.
        """
        live, version = self.live_name(), self.before()
        check(version)
        return self.promote(version.name, "rollback", by=by, instead_of=live)

    def save(self, write: Callable[[Path], dict[str, Any]], created: dict[str, Any] | None = None) -> Version:
        """Save a new version and return it; it is not live yet.

        `write` fills a hidden folder and returns the manifest's content. What it wrote is digested, synced to
        disk and renamed to the next free number in one step. Raises OutputError where the folder cannot be written.
        """
        with self._writing("save a version"), self._draft() as draft:
            manifest = write(draft)
            files = {path.relative_to(draft).as_posix(): _digest(path) for path in _files(draft)}
            records = {CREATED: {"at": _now(), **(created or {})}, MANIFEST: {**manifest, "files": files}}
            contents = {name: _json(record).encode() for name, record in records.items()}
            for name, content in {**contents, SUMS: _sums(contents)}.items():
                (draft / name).write_bytes(content)
            for path in [*_files(draft), *_folders(draft)]:
                sync(path)
            return self.get(self._publish(draft, root=_sums(contents)))

    def check_writable(self) -> None:
        """Raise OutputError where a version could not be saved, before the work of making one.

        What killed processes left in the folder is removed. Raises ModelError where the signing key cannot be used.
        """
        signing_key(self.folder)
        with self._writing("save a version"), self._draft():
            pass

    def sign(self, name: str) -> Version:
        """Sign a version that was saved without the signing key, after checking its files; another's is replaced.

        Raises ModelError where there is no key.
        """
        version = self.get(name)
        version.check_files()
        with self._writing("sign a version"), self._draft() as draft:
            if not self._sign(draft, name, version.root):
                raise ModelError("There is no signing key.", f"Name its file in {ENVIRONMENT}.")
            (draft / SIGNATURE).replace(version.folder / SIGNATURE)
            sync(version.folder)
        return version

    def debris(self) -> list[str]:
        """Return the names of what killed processes left in the folder; the next that saves a version removes it."""
        with locked(self.folder):
            drafts = [draft for draft in self.folder.glob(f"{_DRAFT_PREFIX}*") if is_left(draft)]
            return sorted(path.name for path in [*drafts, *leftovers(self.folder / LIVE)])

    @contextlib.contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        try:
            make_folder(self.folder)
            yield
        except OSError as error:
            # A write of NumPy's that fell short has no reason of its own.
            reason = error.strerror or f"{error}; is the disk full?"
            raise OutputError(f"Cannot {what} in {self._shown()}: {reason}. Put that right, and try again.") from error

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """Give a hidden folder that is held while it is filled, and gone at the end unless it was renamed."""
        with contextlib.ExitStack() as filling:
            with locked(self.folder):  # between being made and being held nobody takes it for a leftover
                self._remove_debris()
                draft = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=self.folder))
                filling.callback(shutil.rmtree, draft, ignore_errors=True)
                draft.chmod(0o755)
                filling.enter_context(held(draft))
            yield draft

    def _remove_debris(self) -> None:
        remove_leftovers(self.folder / LIVE)
        for draft in self.folder.glob(f"{_DRAFT_PREFIX}*"):
            with unheld(draft) as free:
                if free:
                    shutil.rmtree(draft, ignore_errors=True)

    def _publish(self, draft: Path, root: bytes) -> str:
        """Sign the draft if there is a key, and rename it to the next number."""
        with locked(self.folder):
            numbered = self._numbered()
            name = f"v{_number(numbered[-1].name) + 1 if numbered else 1:04d}"
            self._sign(draft, name, root)
            draft.rename(self.folder / name)
            try:
                sync(self.folder)
            except OSError:
                (self.folder / name).rename(draft)  # what is not said to be saved is not there
                raise
        return name

    def _sign(self, draft: Path, name: str, root: bytes) -> bool:
        """Write the signature for a version, if there is a key."""
        key = signing_key(self.folder)
        if key is not None:
            (draft / SIGNATURE).write_bytes(sign(key, name, root))
            sync(draft / SIGNATURE)
            sync(draft)
        return key is not None

    def _shown(self) -> str:
        """Return what to call the folder: messages also go where the machine's paths are nobody's business."""
        return "the folder of versions" if self.folder.is_absolute() else str(self.folder)


def _promotion(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a promotion; an entry of an earlier tagger does not say by whom it was."""
    kept: dict[str, Any] = {name: str(entry[name]) for name in ("version", "action", "at")}
    kept |= {name: str(entry[name]) for name in ("by", "reason") if name in entry}
    return kept | ({"objections": [str(one) for one in entry["objections"]]} if "objections" in entry else {})


def _history(content: bytes) -> list[dict[str, Any]]:
    history = json.loads(content)["history"]
    if not isinstance(history, list):
        raise TypeError("the history is no list")
    return history


def _before(history: list[dict[str, Any]]) -> str | None:
    """Return what a rollback goes back to: promotions stack up, each rollback takes one off."""
    stack: list[str] = []
    for entry in history:
        if entry["action"] == "rollback":
            stack = stack[:-1]
        else:
            stack.append(entry["version"])
    return stack[-2] if len(stack) > 1 else None


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _sums(contents: Mapping[str, bytes]) -> bytes:
    """Return the digests of files as sha256sum writes and checks them."""
    return "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents)).encode()


def _stated(sums: bytes) -> dict[str, str]:
    return {name: digest for digest, name in (line.split("  ") for line in sums.decode().splitlines())}


def _read(name: str, path: Path) -> bytes:
    """Return what a file of a version holds. Raises FileNotFoundError, and DamagedVersion where it cannot be read."""
    try:
        return read_plain(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _damaged(name, f"{path.name} cannot be read ({error.strerror})") from error


def _damaged(name: str, what: str) -> DamagedVersion:
    return DamagedVersion(f"Version {name} is damaged: {what}.", ANOTHER)


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
