"""Sentences: where each begins and ends."""

from __future__ import annotations

import re

# A mark that ends a sentence, what may close after it, and white space before what may open one; or an empty line.
# Runs are taken whole and from their beginnings, so that a page of dots takes no longer than one of words.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s++[\"'“‘(\[]*+[A-Z0-9À-ÖØ-Þ])|\n\s*\n|[。！？]")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"“])(?:[A-Z]|(?:[A-Z]\.)+[A-Z]?|Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Maj|Capt|Sgt|Adm|Gov|Sen|Rep|Hon|Amb|"
    r"No|Nos|Art|Sec|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|vs|etc|approx|Inc|Ltd|Co|Corp)\.\Z"
)
LONGEST_ABBREVIATION = 12


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end of each sentence, white space around it left out.

    An empty line ends a sentence too, so that a title is one. Nothing but white space lies between two.

    >>> [text[a:b] for text in ["A title\\n\\nMr. Ode met Ms. Ray. They left!"] for a, b in sentence_spans(text)]
    ['A title', 'Mr. Ode met Ms. Ray.', 'They left!']
    """
    spans = []
    start = 0
    for match in _END.finditer(text):
        if match[0] == "." and _ABBREVIATION.search(text, max(0, match.end() - LONGEST_ABBREVIATION), match.end()):
            continue
        spans.append((start, match.end()))
        start = match.end()
    spans.append((start, len(text)))
    return [span for span in (_stripped(text, *span) for span in spans) if span[0] < span[1]]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
