"""The clean text of a release, and where each of its characters stands in the page."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from tagger.documents import Removal
from tagger.releases.blocks import Line, heading_marks, inline_marks

MARKUP = "markup"

SHORT_LINE = 30
"""A shorter line of its own is an item or a heading, never the first part of a broken sentence."""

LONG_LINE = 50
"""A line of a paragraph this long was broken to fit the page's width, not to end an item."""

_RUN = re.compile(r"\S+(?: \S+)*")


class Body(NamedTuple):
    """A text, its anchors (see `Release`) and the Markdown marks left out of it."""

    text: str
    anchors: tuple[tuple[int, int], ...]
    marks: list[Removal]


def body_text(page: str, lines: Sequence[Line], kept: Sequence[int]) -> Body:
    """Return the text of the kept lines: single spaces, broken sentences whole, an empty line between paragraphs."""
    pieces: list[str] = []
    anchors: list[tuple[int, int]] = []
    marks: list[Removal] = []
    length, above = 0, None
    for line, holes in _with_marks(page, lines, kept):
        marks += [Removal(*hole, MARKUP) for hole in holes]
        joint, run_end = _joint(above, line), None
        for match in _runs(page, line, holes):
            if run_end is not None:
                joint = " " if any(map(str.isspace, page[run_end : match.start()])) else ""
            length += len(joint)
            if not anchors or match.start() - anchors[-1][1] != length - anchors[-1][0]:
                anchors.append((length, match.start()))
            pieces += (joint, match[0])
            length += len(match[0])
            run_end, above = match.end(), line
    return Body("".join(pieces), tuple(anchors) or ((0, 0),), marks)


def _with_marks(page: str, lines: Sequence[Line], kept: Sequence[int]) -> Iterator[tuple[Line, list[tuple[int, int]]]]:
    """Yield each kept line with the Markdown marks in it; emphasis may run over the lines of a paragraph."""
    for _, group in groupby(enumerate(kept), lambda item: (item[1] - item[0], lines[item[1]].paragraph)):
        paragraph = [lines[position] for _, position in group]
        inline = deque(inline_marks(page, paragraph[0].start, paragraph[-1].end))
        for line in paragraph:
            holes = heading_marks(page, line.start, line.end)
            while inline and inline[0][0] < line.end:
                holes.append(inline.popleft())
            yield line, sorted(holes)


def _runs(page: str, line: Line, holes: Sequence[tuple[int, int]]) -> Iterator[re.Match[str]]:
    start = line.start
    for hole_start, hole_end in holes:
        yield from _RUN.finditer(page, start, hole_start)
        start = max(start, hole_end)
    yield from _RUN.finditer(page, start, line.end)


def _joint(above: Line | None, line: Line) -> str:
    """Return what stands between two lines of a text; a sentence broken by the end of a line or page is made whole."""
    if not above:
        return ""
    together = above.paragraph == line.paragraph
    ended = above.is_ended or above.level or line.level or line.is_list_item
    lower = line.words[:1].islower()
    length = above.end - above.start
    if not ended and ((lower and (together or length >= SHORT_LINE)) or (together and length >= LONG_LINE)):
        return " "
    return "\n" if together else "\n\n"
