"""Boilerplate learned from many pages: the paragraphs that stand word for word in many of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import islice

from tagger.cleaning import fold, token_spans, tokens

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
    pages = list(pages)
    needed = max(MIN_GROUPS, MIN_SHARE * len({group for group, _ in pages}))
    # Few paragraphs open like many others; only those are read to their ends.
    openings = _Frequencies()
    for group, opening, _ in _paragraphs(pages):
        openings.add(opening, group)
    frequent = openings.frequent(needed)
    wholes = _Frequencies()
    texts: dict[int, str] = {}
    key_of = cache(lambda paragraph: _hash(tokens(paragraph).words))
    for group, opening, paragraph in _paragraphs(pages):
        if opening in frequent:
            key = key_of(paragraph)
            texts[key] = paragraph
            wholes.add(key, group)
    learned = (tokens(texts[key]).words for key in wholes.frequent(needed))
    return Boilerplate(frozenset(shingle for words in learned for shingle in shingles(words)))


class _Frequencies:
    """In how many groups each key stands. Most stand in one, so only the others have a set of their groups."""

    def __init__(self) -> None:
        self._first: dict[int, str] = {}
        self._repeated: dict[int, set[str]] = {}

    def add(self, key: int, group: str) -> None:
        """Note a group that a key stands in."""
        first = self._first.setdefault(key, group)
        if first != group:
            self._repeated.setdefault(key, {first}).add(group)

    def frequent(self, needed: float) -> set[int]:
        """Return the keys that stand in so many groups."""
        return {key for key, groups in self._repeated.items() if len(groups) >= needed}


def _paragraphs(pages: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int, str]]:
    """Yield the group, the hash of the first eight words and the text of each paragraph that has so many."""
    for group, text in pages:
        for paragraph in _PARAGRAPH_BREAK.split(text):
            spans = islice(token_spans(paragraph), SHINGLE_WORDS)
            opening = [fold(paragraph[start:end].lower()) for start, end in spans]
            if len(opening) == SHINGLE_WORDS:
                yield group, _hash(opening), paragraph


def shingles(words: list[str]) -> Iterator[int]:
    """Yield the hash of each run of eight words."""
    for position in range(len(words) - SHINGLE_WORDS + 1):
        yield _hash(words[position : position + SHINGLE_WORDS])


def _hash(words: list[str]) -> int:
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "big")
