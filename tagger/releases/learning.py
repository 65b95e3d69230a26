"""Boilerplate learned from many pages: the paragraphs that stand word for word in many of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from tagger.cleaning import tokens

SHINGLE_WORDS = 8
KNOWN_SHARE = 0.8
"""A paragraph is boilerplate when this share of its shingles was learned."""

MIN_GROUPS = 5
MIN_SHARE = 0.01
"""A paragraph is learned when it stands in this many groups and in this share of all."""

_PARAGRAPH_BREAK = re.compile(r"(?:\r\n|[\n\r])[^\S\n\r]*(?:\r\n|[\n\r])\s*")


@dataclass(frozen=True, slots=True)
class Boilerplate:
    """Hashed runs of eight words that belong to boilerplate paragraphs."""

    hashes: frozenset[int] = frozenset()

    def knows(self, paragraph: str) -> bool:
        """Return whether a paragraph (also a half of one) is boilerplate.

        A paragraph of fewer than eight words never is: a dateline, an office or "Thank you." stand in
        many releases as well.
        """
        words = tokens(paragraph).words
        allowed = int((len(words) - SHINGLE_WORDS + 1) * (1 - KNOWN_SHARE))
        unknown = 0
        for shingle in shingles(words):
            unknown += shingle not in self.hashes
            if unknown > allowed:
                return False
        return len(words) >= SHINGLE_WORDS


NOTHING_LEARNED = Boilerplate()


def learn(pages: Iterable[tuple[str, str]]) -> Boilerplate:
    """Return the boilerplate of (group, text) pairs; copies within one group (a site, a file) count once.

    Only paragraphs that stand as a whole in many groups are learned: formulas within sentences, such as
    those of a greeting, are not.
    """
    first_group: dict[int, str] = {}
    repeated: dict[int, tuple[set[str], list[str]]] = {}
    groups: set[str] = set()
    for group, text in pages:
        groups.add(group)
        for paragraph in _PARAGRAPH_BREAK.split(text):
            words = tokens(paragraph).words
            if len(words) < SHINGLE_WORDS:
                continue
            key = _hash(words)
            if first_group.setdefault(key, group) != group:
                repeated.setdefault(key, ({first_group[key]}, words))[0].add(group)
    needed = max(MIN_GROUPS, MIN_SHARE * len(groups))
    return Boilerplate(
        frozenset(
            shingle for stood_in, words in repeated.values() if len(stood_in) >= needed for shingle in shingles(words)
        )
    )


def shingles(words: list[str]) -> Iterator[int]:
    """Yield the hash of each run of eight words."""
    for position in range(len(words) - SHINGLE_WORDS + 1):
        yield _hash(words[position : position + SHINGLE_WORDS])


def _hash(words: list[str]) -> int:
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "big")
