"""The signing key of an installation: with one, only versions that were signed with it are used."""

from __future__ import annotations

import hmac
import os
import re
from pathlib import Path

from tagger.errors import ModelError

ENVIRONMENT = "TAGGER_SIGNING_KEY_FILE"
LEAST_BYTES = 32

_MAC = re.compile(rb"[0-9a-f]{64}\n")


def key_file() -> Path | None:
    """Return the file of the key; None where versions are not signed."""
    name = os.environ.get(ENVIRONMENT)
    return Path(name) if name else None


def signing_key(models: Path) -> bytes | None:
    """Return the key, None where there is none. Raises ModelError for one that proves nothing of a folder of versions.

    Whoever can write versions could write a key beside them, and short ones can be guessed.
    """
    path = key_file()
    if path is None:
        return None
    remedy = f"Make one: head -c {LEAST_BYTES} /dev/urandom > FILE, and name it in {ENVIRONMENT}."
    if path.resolve().is_relative_to(models.resolve()):
        raise ModelError(f"The signing key {path.name} lies within the folder of versions.", "Keep it elsewhere.")
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The signing key {path.name} cannot be read: {error.strerror}.", remedy) from error
    if len(key) < LEAST_BYTES:
        raise ModelError(f"The signing key {path.name} has {len(key)} bytes; expected {LEAST_BYTES} or more.", remedy)
    return key


def sign(key: bytes, name: str, root: bytes) -> bytes:
    """Return the signature of a version: of its name and of what all its digests hang on.

    It is written twice, so that damage to it is noticed without the key too.
    """
    return 2 * f"{hmac.digest(key, name.encode() + bytes(1) + root, 'sha256').hex()}\n".encode()


def is_signature(content: bytes) -> bool:
    """Tell whether this could be a signature, of whatever key."""
    return content == 2 * content[: len(content) // 2] and bool(_MAC.fullmatch(content[: len(content) // 2]))


def is_signed(signature: bytes, key: bytes, name: str, root: bytes) -> bool:
    """Tell whether a signature is that of a key for a version."""
    return hmac.compare_digest(signature, sign(key, name, root))
