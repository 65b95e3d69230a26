"""Pins: documents that must have a theme, or must not have it, whichever version is live."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tagger.cleaning import content, token_spans
from tagger.documents import Document, Unreadable
from tagger.errors import SeedsError
from tagger.readers import read_file
from tagger.themes import did_you_mean

PINS_FILE = "pins.jsonl"
"""The file beside the theme cards that holds the pins, one JSON object a line; none of them is a seed."""

CLAIMS = ("must", "must_not")
"""What a pin says of themes, as the file names it."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A document, tagged as it is, with the themes it must have and those it must not have."""

    document: Document
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()


def read_pins(seeds: Path, themes: Collection[str]) -> list[Pin]:
    """Return the pins among the seeds, none where there is no such file; where no theme is known, none is unknown.

    Raises SeedsError that lists everything wrong with them.
    """
    path = seeds / PINS_FILE
    if not path.exists():
        return []
    if not path.is_file():
        raise SeedsError([f"{path} is no file; expected pins, one JSON object a line."])
    pins, problems, first = [], [], dict[str, str]()
    for item in read_file(path, PINS_FILE):
        if isinstance(item, Unreadable):
            problems.append(f"{seeds}/{item.message}")
            continue
        document = replace(item, where=f"{seeds}/{item.where}")
        found = [*_used_before(document, first), *_problems(document, themes)]
        if not found:
            pins.append(Pin(document, *(tuple(dict.fromkeys(_stated(document, claim))) for claim in CLAIMS)))
        problems += found
    if problems:
        raise SeedsError(problems)
    return pins


def _stated(document: Document, claim: str) -> list[str]:
    return document.metadata.get(claim) or []


def _used_before(document: Document, first: dict[str, str]) -> Iterator[str]:
    if document.id in first:
        place = first[document.id]
        yield f"{document.where}: the id {document.id!r} was used before at {place}. Give one of them another id."
    first.setdefault(document.id, document.where)


def _problems(document: Document, themes: Collection[str]) -> Iterator[str]:
    pin = f"{document.where}: the pin {document.id!r}"
    if not any(token_spans(content(document.title, document.text))):
        yield f"{pin} has no word in it. Remove it or add its text."
    for name in document.metadata:
        if name not in CLAIMS and (question := did_you_mean(name, CLAIMS)):
            yield f"{pin} has a field {name!r}. {question}Correct it or take it out."
    unfit = [claim for claim in CLAIMS if not _is_list(document.metadata.get(claim))]
    for claim in unfit:
        stated = document.metadata[claim]
        yield f'{pin} has {claim} {stated!r}; expected a list of theme ids such as ["trade", "sanctions"].'
    if not unfit:
        yield from _claim_problems(document, pin, themes)


def _is_list(stated: object) -> bool:
    return stated is None or (isinstance(stated, list) and all(isinstance(theme, str) for theme in stated))


def _claim_problems(document: Document, pin: str, themes: Collection[str]) -> Iterator[str]:
    must, must_not = (_stated(document, claim) for claim in CLAIMS)
    if not must and not must_not:
        yield f'{pin} says nothing of any theme; expected "must" or "must_not" with a list of theme ids.'
    for theme in dict.fromkeys([*must, *must_not]):
        if themes and theme not in themes:
            yield (
                f"{pin} names the unknown theme {theme!r}. {did_you_mean(theme, themes)}"
                "Correct it or add a card for it."
            )
        if theme in must and theme in must_not:
            yield f"{pin} both must and must not have {theme}. Take it out of one of the lists."
