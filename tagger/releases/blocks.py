"""The lines of a page, each with its place in the page and its words without Markdown marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAX_SHORT = 600
"""A longer line is running text: nobody asks whether it is a title, a header field or furniture."""

MAX_TITLE = 400

_LINE = re.compile("[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_ONE_BREAK = {"\n", "\r\n", "\r"}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_MARKED = re.compile("[*_#\\\\\\[\\]\u00ad\u200b-\u200f\u2060\ufeff]|\\s\\s|[^\\S ]|^\\s|\\s$")
_HEADING = re.compile(r"\s*(#{1,6})[ \t\u00a0\u202f]+(?=[^\s#])")
_CLOSING_HASHES = re.compile(r"[ \t]+#{1,6}\s*$")
_INLINE = re.compile(
    r"(?<![*\w])(?P<stars>\*{1,3})(?=[^\s*])(?P<starred>[^*]+)(?<=\S)(?P=stars)(?![*])"
    r"|(?<![_\w])(?P<bars>_{1,2})(?=[^\s_])(?P<barred>[^_]+)(?<=\S)(?P=bars)(?![_\w])"
    r"|!?\[(?P<link>[^\[\]\n]{1,300})\]\((?:[^()\s]|\([^()\s]{0,200}\)){1,500}\)"
)
_LIST_ITEM = re.compile(r"[-+*•·▪◦‣●○■–—]\s|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]\s|>|\|")
_SENTENCE_END = re.compile(r"[.!?…。！？؟।:;](?:[\"'”’»)\]*_]|\[\d{1,3}\])*$")
_TWO_SENTENCES = re.compile(r"[a-z)”’][.!?…] ")
_ABBREVIATION = re.compile(r"(?:\b[A-Z]\.)+$|\b(?:Jr|Sr|Inc|Ltd|Corp|Co|St|No)\.$")


class Line(NamedTuple):
    """One line that holds more than spaces; `start..end` are page offsets without the spaces around it.

    `words` is what a reader sees: no Markdown marks, single spaces; of a very long line only the opening.
    `level` is that of a Markdown heading, or 0. Lines of one `paragraph` have no empty line between them.
    `is_ended` tells that the line ends as a sentence does.
    """

    start: int
    end: int
    words: str
    level: int
    paragraph: int
    is_ended: bool

    @property
    def is_short(self) -> bool:
        """Whether the line may be a title, a header field or furniture."""
        return self.end - self.start <= MAX_SHORT

    @property
    def is_prose(self) -> bool:
        """Whether the line is running text: a sentence, or long enough to be one."""
        words = self.words.count(" ") + 1
        return words > 20 or self.end - self.start > MAX_TITLE or (words > 4 and self.is_ended)

    @property
    def is_list_item(self) -> bool:
        """Whether the line is an item of a list, a quotation or a row of a table."""
        return bool(_LIST_ITEM.match(self.words))

    @property
    def is_titlelike(self) -> bool:
        """Whether the line could be a headline: short, and no sentence, list item, quotation or speech."""
        words = self.words
        return (
            1 < len(words) <= MAX_TITLE
            and (not self.is_ended or (words.endswith(("?", "!")) and not _TWO_SENTENCES.search(words)))
            and not words.endswith((",", "–", "—"))
            and not words[0].islower()
            and not self.is_list_item
            and any(character.isalpha() for character in words)
        )


def lines(page: str) -> list[Line]:
    """Return the lines of a page that hold more than spaces."""
    found: list[Line] = []
    paragraph, previous_end = 0, 0
    for match in _LINE.finditer(page):
        text = match[0]
        stripped = text.strip()
        if not stripped:
            previous_end = -1
            continue
        if previous_end < 0 or page[previous_end : match.start()] not in _ONE_BREAK:
            paragraph += 1
        previous_end = match.end()
        start = match.start() + len(text) - len(text.lstrip())
        found.append(_line(page, start, start + len(stripped), paragraph))
    return found


def paragraphs(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Yield for each paragraph the number of its first line and that after its last."""
    first = 0
    for position in range(1, len(lines) + 1):
        if position == len(lines) or lines[position].paragraph != lines[first].paragraph:
            yield first, position
            first = position


def heading_marks(page: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return where the marks of a Markdown heading stand in a line."""
    heading = _HEADING.match(page, start, end)
    if not heading:
        return []
    closing = _CLOSING_HASHES.search(page, max(heading.end(), end - 20), end)
    return [heading.span(), closing.span()] if closing else [heading.span()]


def inline_marks(page: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return where the Markdown marks of emphasis and links stand, in order."""
    if all(page.find(mark, start, end) < 0 for mark in ("*", "_", "](")):
        return []
    found = []
    for match in _INLINE.finditer(page, start, end):
        inner_start, inner_end = next(match.span(name) for name in ("link", "starred", "barred") if match[name])
        found += [(match.start(), inner_start), (inner_end, match.end())]
    return found


def readable(text: str) -> str:
    """Return a short text as a reader sees it: no Markdown marks, no invisible characters, single spaces."""
    if not _MARKED.search(text):
        return text
    for start, end in sorted(heading_marks(text, 0, len(text)) + inline_marks(text, 0, len(text)), reverse=True):
        text = text[:start] + text[end:]
    text = " ".join(_INVISIBLE.sub("", text).replace("\\", "").split())
    return text.strip("*_ ") or text


def _line(page: str, start: int, end: int, paragraph: int) -> Line:
    text = page[start : min(end, start + MAX_SHORT)]
    heading = _HEADING.match(text)
    is_ended = _ends_sentence(page[max(start, end - 60) : end])
    return Line(start, end, readable(text), len(heading[1]) if heading else 0, paragraph, is_ended)


def _ends_sentence(text: str) -> bool:
    """Whether a text ends with the punctuation of a sentence (the stop of an abbreviation is none)."""
    return bool(_SENTENCE_END.search(text)) and not _ABBREVIATION.search(text)
