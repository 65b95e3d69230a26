"""The tokens of a text by NumPy: where they stand and what they are known by, many characters at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import NUMBER, fold
from tagger.tables import BASE, KEY_BITS, UInt64, token_key

Int64 = NDArray[np.int64]

PIECE = 1 << 15
"""Characters looked at together: so many that NumPy's calls cost little, so few that arrays stay in the cache."""

UNSEEN, OUTSIDE, LETTER, DIGIT, ODD, JOINT, POINT = range(7)
"""What a character is to a token: a POINT, or comma, is a JOINT between two digits and OUTSIDE elsewhere.

Python lowers a token with an ODD one: İ becomes two characters, Σ another one at the end of a word.
"""

# By code point, as they are met: both are zeros, which take no memory until then.
_KINDS = np.zeros(0x110000, np.uint8)
_LOWER = np.zeros(0x110000, np.uint64)

_SPACE = re.compile(r"\s")
_IN_NUMBER = np.isin(range(7), [DIGIT, JOINT])
_ZERO, _KEY_BITS = np.uint64(ord(NUMBER[0])), np.uint64(KEY_BITS)


class Tokens(NamedTuple):
    """Where tokens stand, and their keys (`tables.token_key`) with numbers folded and as they are."""

    starts: Int64
    ends: Int64
    folded: UInt64
    raw: UInt64


def spaced_tokens(text: str) -> Tokens:
    """Return the tokens of a text that begins and ends with a space; see `tagger.cleaning.tokens`."""
    return Tokens(*map(np.concatenate, zip(*(_piece_tokens(*piece) for piece in _pieces(text)), strict=True)))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a text, each from a space to a space, and where they start."""
    start = end = 0
    while end < len(text):
        space = _SPACE.search(text, start + PIECE)
        end = space.end() if space else len(text)
        yield start, text[start:end]
        start = end - 1


def _piece_tokens(offset: int, text: str) -> Tokens:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.intp)
    kinds, special = _kinds(codes)
    inside = kinds > OUTSIDE
    edges = (inside[1:] != inside[:-1]).nonzero()[0] + 1
    starts, ends = edges[::2], edges[1::2]
    kept = ((ends - starts > 1) | (kinds[starts] == DIGIT)).nonzero()[0]
    starts, ends = starts[kept], ends[kept]
    chars = _LOWER.take(codes)
    raw = _keys(chars, starts, ends)
    folded = raw.copy()
    with_number = _holders(special[kinds[special] == DIGIT], starts, ends)
    folded[with_number] = _folded_keys(chars, kinds, starts[with_number], ends[with_number])
    for odd in _holders(special[kinds[special] == ODD], starts, ends).tolist():
        token = text[starts[odd] : ends[odd]].lower()
        folded[odd], raw[odd] = token_key(fold(token)), token_key(token)
    return Tokens(starts + offset, ends + offset, folded, raw)


def _kinds(codes: NDArray[np.intp]) -> tuple[NDArray[np.uint8], Int64]:
    """Return what each character is, and the places of those that are neither letters nor outside."""
    kinds = _KINDS.take(codes)
    if not kinds.all():
        unseen = np.unique(codes[kinds == UNSEEN]).tolist()
        _LOWER[unseen] = [ord(chr(code).lower()[0]) for code in unseen]
        _KINDS[unseen] = [_kind(chr(code)) for code in unseen]  # last, for other threads
        kinds = _KINDS.take(codes)
    special = (kinds > LETTER).nonzero()[0]
    points = special[kinds[special] == POINT]
    between = (kinds[points - 1] == DIGIT) & (kinds[points + 1] == DIGIT)
    kinds[points] = np.where(between, JOINT, OUTSIDE)
    return kinds, special


def _kind(char: str) -> int:
    if char in ".,":
        return POINT
    if char in "İΣ":
        return ODD
    return DIGIT if char.isdecimal() else LETTER if char.isalnum() or char == "_" else OUTSIDE


def _holders(places: Int64, starts: Int64, ends: Int64) -> Int64:
    """Return the tokens that hold the characters at some places."""
    begun, ended = starts.searchsorted(places, "right"), ends.searchsorted(places, "right")
    held = np.zeros(len(starts), bool)
    held[ended[begun > ended]] = True
    return held.nonzero()[0]


def _folded_keys(chars: UInt64, kinds: NDArray[np.uint8], starts: Int64, ends: Int64) -> UInt64:
    """Return the keys of tokens with 00 for each number in them."""
    lengths = ends - starts
    last = lengths.cumsum()
    at = (ends - last).repeat(lengths) + np.arange(lengths.sum())
    number, begun = _IN_NUMBER[kinds[at]], _IN_NUMBER[kinds[at - 1]]
    copies = np.where(number, np.where(begun, 0, len(NUMBER)), 1)
    folded = np.where(number, _ZERO, chars[at]).repeat(copies)
    edges = np.concatenate([[1], copies.cumsum()[last - 1] + 1])
    return _keys(np.concatenate([[_ZERO], folded]), edges[:-1], edges[1:])


def _keys(chars: UInt64, starts: Int64, ends: Int64) -> UInt64:
    """Return the `token_key` of each token, none of which is at the very start, from sums over all characters."""
    rising, falling = _POWERS if len(chars) <= len(_POWERS[0]) else _powers(len(chars))
    last = ends - 1
    sums = (chars * falling[: len(chars)]).cumsum()
    return np.asarray((sums[last] - sums[starts - 1]) * rising[last] & _KEY_BITS)


def _powers(n: int) -> tuple[UInt64, UInt64]:
    """Return the powers of BASE from 0 on, and those of its inverse, modulo 2**64."""
    bases = np.array([[BASE], [pow(BASE, -1, 2**64)]], np.uint64).repeat(n, axis=1)
    bases[:, 0] = 1
    rising, falling = np.multiply.accumulate(bases, axis=1)
    return rising, falling


_POWERS = _powers(2 * PIECE)
