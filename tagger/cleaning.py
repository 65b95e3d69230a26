"""Text as the model reads it: one definition of characters, tokens and the lead."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

LEAD_CHARACTERS = 300
"""How much of the body belongs to the lead, beside the title."""

TITLE_CHARACTERS = 250
"""A first paragraph of one line up to this long is read as a title."""

NUMBER = "00"
"""What every number becomes, as a token or as a part of one."""

LONGEST_TERM = 3
"""Tokens in the longest card term that is matched as a whole."""

CARD_LEAD_WEIGHT = 0.5
"""What a card term in the lead counts beside one in the whole text."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TOKEN = re.compile(r"(?:\w\w+|\d)(?:(?<=\d)[.,](?=\d)\w+)*")
_SPACE = re.compile(r"\s")


class Tokens(NamedTuple):
    """The tokens of one text, in order.

    `raw` are lower-cased, `words` are the same with every number folded to `NUMBER`; the first
    `lead` tokens stand in the title or the opening of the body.
    """

    raw: list[str]
    words: list[str]
    lead: int


def fold(token: str) -> str:
    """Return the token with each number in it folded to `NUMBER`.

    >>> fold("5g"), fold("1,000.50"), fold("trade")
    ('00g', '00', 'trade')
    """
    return _NUMBER.sub(NUMBER, token)


def tokens(text: str) -> Tokens:
    """Return the tokens of a text: runs of letters and numbers, of at least two letters or a digit.

    This is the one place where text becomes tokens; training, scoring and evidence share it.

    >>> tokens("A 5G network, 1,000 km").words
    ['00g', 'network', '00', 'km']
    """
    raw = _raw(text)
    return Tokens(raw, [token if token.isalpha() else fold(token) for token in raw], len(_raw(text[: lead_end(text)])))


def token_spans(text: str) -> Iterator[tuple[int, int]]:
    """Return start and end of each token of `tokens(text)`, in the same order."""
    return (match.span() for match in _TOKEN.finditer(text))


def candidate_terms(raw: Sequence[str], starts: Container[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the runs of one to three tokens whose first is in `starts`: (term, first token, number of tokens).

    >>> list(candidate_terms(["new", "export", "controls"], {"export"}))
    [('export', 1, 1), ('export controls', 1, 2)]
    """
    for start, token in enumerate(raw):
        if token in starts:
            for length in range(1, min(LONGEST_TERM, len(raw) - start) + 1):
                yield " ".join(raw[start : start + length]), start, length


def lead_end(text: str) -> int:
    """Return where the lead ends: after the title, if there is one, and the first 300 characters of the body.

    A title is a first line of at most `TITLE_CHARACTERS` with an empty line after it. The lead never
    ends inside a word.
    """
    title, separator, _ = text[: TITLE_CHARACTERS + 2].partition("\n\n")
    body_start = len(title) + 2 if separator and "\n" not in title.strip() else 0
    space = _SPACE.search(text, body_start + LEAD_CHARACTERS)
    return space.start() if space else len(text)


def content(title: str | None, text: str) -> str:
    """Return what the model reads of a document: the title, an empty line and the text, the title once."""
    title = (title or "").strip()
    start = text.lstrip()
    if start.startswith(title) and not start[len(title) :][:1].strip():
        return text
    return f"{title}\n\n{text}" if title else text


def _raw(text: str) -> list[str]:
    if text.isascii():
        return _TOKEN.findall(text.lower())
    # A text in lower case may have other tokens: İ becomes an i and a mark that ends the token.
    return [token.lower() for token in _TOKEN.findall(text)]
