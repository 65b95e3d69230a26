"""Keys to the service: who may ask for what, kept as digests in one file.

A token is `tagger_ID_SECRET`. Only its SHA-256 is kept. A password would need a slow, salted hash, for people choose
passwords that can be guessed; a secret of 256 random bits cannot be guessed however fast the hash is, two of them are
never the same, and a slow hash would be paid by every request.

No scope implies another: a key with `admin` alone tags nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from hmac import compare_digest
from pathlib import Path
from typing import Any, NamedTuple

from tagger.errors import InputError, KeysError, OptionError, OutputError
from tagger.files import locked, make_folder, read_plain, replace_file

FILE = "keys.json"
"""Its name in the folder of what an installation keeps."""

EXPECTED = "TAGGER_KEYS_EXPECTED"
"""Tells a worker, in its environment, that its server has seen keys: no file is then one that is gone."""

SCOPES = ("tag", "review", "admin")

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
"""The seconds of what a rate counts by."""

CHECK_SECONDS = 0.5
"""How long what is known of the file is taken to be so."""

LONGEST_NAME = 60

_RATE = re.compile(r"([1-9][0-9]{0,8})/(\w+)", re.ASCII)
_IDS = re.compile(r"[0-9a-f]{8}")
_PREFIX = "tagger_"
_ID = slice(len(_PREFIX), len(_PREFIX) + 8)
_NO_DIGEST = secrets.token_bytes(32)
"""What tokens of no known key are compared with, so that they take as long as others."""

_log = logging.getLogger(__name__)


class Rate(NamedTuple):
    """How many requests are allowed in how many seconds."""

    amount: int
    unit: str

    @property
    def seconds(self) -> int:
        """The time in which the amount is allowed."""
        return UNITS[self.unit]


@lru_cache(maxsize=1024)
def check_rate(text: str) -> Rate:
    """Read a rate. Raises OptionError where it is none.

    >>> check_rate("100/second")
    Rate(amount=100, unit='second')
    """
    found = _RATE.fullmatch(text)
    if not found or found[2] not in UNITS:
        raise OptionError(
            f"The rate is {text!r}; expected a number from 1 to 999999999, a slash and one of {', '.join(UNITS)}: "
            "100/second."
        )
    return Rate(int(found[1]), found[2])


@dataclass(frozen=True, slots=True)
class Key:
    """Somebody's key, without its secret; `name` is what histories and logs call them by."""

    id: str
    name: str
    scopes: frozenset[str]
    rate: str | None
    """How often it may ask, where that is not the rate of the service."""
    created: str
    revoked: str | None = None

    def as_record(self) -> dict[str, Any]:
        """Return what may be shown of it, as JSON has it; the scopes in the order of SCOPES."""
        return asdict(self) | {"scopes": [scope for scope in SCOPES if scope in self.scopes]}


class _Stored(NamedTuple):
    key: Key
    digest: bytes


_NOBODY = _Stored(Key("", "", frozenset(), None, ""), _NO_DIGEST)


class Keys:
    """The keys in a file, which may change at any time: `find` and `any` follow within a second.

    A file that is damaged, cannot be read, or is gone though it was there, lets nobody in; `problem` then says why.
    Where keys are `expected`, it was there before.
    """

    def __init__(self, path: Path, *, expected: bool = False) -> None:
        self._path = path
        self._stored: Mapping[str, _Stored] = {}
        self._problem: str | None = None
        self._signature: tuple[int, ...] | None = () if expected else None
        """What the file was when it was read, None before there was one."""
        self._check_at = 0.0

    def create(self, name: str, scopes: Collection[str], rate: str | None = None) -> tuple[Key, str]:
        """Make a key and return it with its token, which is kept nowhere.

        Raises OptionError for a name, scope or rate that cannot be, KeysError for a damaged file.
        """
        _check(name, scopes, rate)
        with self._changing() as stored:
            if taken := [key.id for key, _ in stored.values() if key.name == name and key.revoked is None]:
                raise OptionError(
                    f"There is a key named {name!r} already, {taken[0]}. Choose another name, or revoke it."
                )
            identifier = next(new for new in iter(lambda: secrets.token_hex(4), None) if new not in stored)
            token = f"{_PREFIX}{identifier}_{secrets.token_urlsafe(32)}"
            key = Key(identifier, name, frozenset(scopes), rate, _now())
            stored[identifier] = _Stored(key, _digest(token))
        return key, token

    def revoke(self, identifier: str) -> Key:
        """Let a key in no more; its record stays, with the date. Raises InputError where there is no such key."""
        with self._changing() as stored:
            if identifier not in stored:
                raise InputError(f"There is no key {identifier!r}; known are: {', '.join(stored) or 'none'}.")
            key, digest = stored[identifier]
            if key.revoked is None:
                key = replace(key, revoked=_now())
            stored[identifier] = _Stored(key, digest)
        return key

    def all(self) -> list[Key]:
        """Return the keys of the file as it is now, revoked ones too, the oldest first. Raises KeysError."""
        return [key for key, _ in self._read().values()]

    def any(self) -> bool:
        """Tell whether there are keys, so that nobody is let in without; revoked ones count, and a damaged file."""
        self._follow()
        return bool(self._stored) or self._problem is not None

    def find(self, token: str) -> Key | None:
        """Return the key of a token, None where there is none or it is revoked; known ids take as long as others."""
        self._follow()
        key, digest = self._stored.get(token[_ID], _NOBODY)
        return key if compare_digest(_digest(token), digest) and key.revoked is None else None

    @property
    def problem(self) -> str | None:
        """Why nobody is let in, for the log and the doctor; it names the file. None where all is well."""
        self._follow()
        return self._problem

    def _follow(self) -> None:
        """Read the file again where it has changed, looking now and then."""
        now = time.monotonic()
        if now < self._check_at:
            return
        self._check_at = now + CHECK_SECONDS
        try:
            signature = self._sign()
            if signature != self._signature:
                self._stored, self._problem, self._signature = self._load(), None, signature
        except FileNotFoundError:
            if self._signature is not None:
                self._refuse(
                    f"The file of keys {self._path} is gone. Bring it back; or start the service anew without."
                )
        except KeysError as error:
            self._refuse(str(error))

    def _refuse(self, problem: str) -> None:
        """Know no key for a reason, which is logged once."""
        if problem != self._problem:
            _log.warning("No key is let in. %s", problem)
        # No signature: what cannot be read now may be readable in a moment without having changed.
        self._stored, self._problem, self._signature = {}, problem, ()

    def _sign(self) -> tuple[int, ...]:
        """Return what tells the file from the one it was."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self) -> dict[str, _Stored]:
        """Return what the file holds, nothing where there is none yet. Raises KeysError."""
        try:
            return self._load()
        except FileNotFoundError:
            return {}

    def _load(self) -> dict[str, _Stored]:
        """Return what the file holds. Raises KeysError for a damaged one, FileNotFoundError where there is none."""
        try:
            records = json.loads(read_plain(Path(os.path.realpath(self._path))))["keys"]
            stored = [_from_record(record) for record in records]
            by_id = {one.key.id: one for one in stored}
            if len(by_id) < len(stored):
                raise ValueError
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OptionError) as error:
            raise KeysError(
                f"The file of keys {self._path} is damaged. Bring back a copy; or move it away and create keys anew."
            ) from error
        return by_id

    def _unreadable(self, error: OSError) -> KeysError:
        return KeysError(f"The file of keys {self._path} cannot be read: {error.strerror}. Put that right.")

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Stored]]:
        """Give out what the file holds to be changed, by one process at a time, and write it where that succeeds."""
        folder = self._path.absolute().parent
        try:
            make_folder(folder)
        except OSError as error:
            raise OutputError(f"Cannot make the folder {folder}: {error.strerror}. Choose another.") from error
        with locked(folder):
            stored = self._read()
            yield stored
            records = [key.as_record() | {"sha256": digest.hex()} for key, digest in stored.values()]
            with _private_files():
                replace_file(self._path, json.dumps({"keys": records}, indent=1).encode() + b"\n")
        self._check_at = 0.0


def _check(name: str, scopes: Collection[str], rate: str | None) -> None:
    """Raise OptionError for what no key can be made of."""
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise OptionError(
            f"The name of a key is {name!r}; expected 1 to {LONGEST_NAME} printable characters with no space around."
        )
    if not scopes or not frozenset(scopes) <= frozenset(SCOPES):
        given = ", ".join(map(repr, scopes)) or "none"
        raise OptionError(f"The scopes of a key are {given}; expected one or more of: {', '.join(SCOPES)}.")
    if rate is not None:
        check_rate(rate)


def _from_record(record: Mapping[str, Any]) -> _Stored:
    """Return a stored key. Raises an error, of one of several kinds, for what `create` would not have written."""
    given = {field.name: record[field.name] for field in fields(Key)}
    key = Key(**given | {"scopes": frozenset(record["scopes"])})
    digest = bytes.fromhex(record["sha256"])
    if not _IDS.fullmatch(key.id) or len(digest) != len(_NO_DIGEST):
        raise ValueError
    for date in (key.created, key.revoked or key.created):
        datetime.fromisoformat(date)
    _check(key.name, key.scopes, key.rate)
    return _Stored(key, digest)


@contextmanager
def _private_files() -> Iterator[None]:
    """Let the files that are made meanwhile be closed to others from their first moment on."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
