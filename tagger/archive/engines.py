"""Engines: where parts are tagged. Here: in this process, or in several on this machine."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Protocol, TypeAlias

from tagger.archive.parts import Finished, Job, Part, Source, finished_part, tag_part
from tagger.archive.processes import shared
from tagger.tagging import Tagger

FinishedParts: TypeAlias = Generator[Finished, None, None]

WORTH_SHARING = 16
"""Parts from which on other processes are done sooner than this one, for all that they must start first."""


class Engine(Protocol):
    """Tags parts; yields what is finished in the order of the parts."""

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield the parts of a source as this engine wants them."""
        ...

    def tagged(self, parts: Iterator[Part], job: Job, tagger: Tagger) -> FinishedParts:
        """Yield the lines of the parts' documents."""
        ...


class OneProcess:
    """Tags in this process, one document after the other."""

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield the source's own parts."""
        return source.parts()

    def tagged(self, parts: Iterator[Part], job: Job, tagger: Tagger) -> FinishedParts:
        """Yield the lines of each document."""
        for part in parts:
            yield from tag_part(part, tagger, job)


class Workers:
    """Tags in several processes of this machine, a part in each at a time; fewer than `least_parts` in this one.

    Each maps the version from the folder of versions, so that all share its memory.
    """

    def __init__(self, number: int, models: Path, least_parts: int = 0) -> None:
        self._number = number
        self._models = str(models.absolute())
        self._least_parts = least_parts

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield the source's own parts."""
        return source.parts()

    def tagged(self, parts: Iterator[Part], job: Job, tagger: Tagger) -> FinishedParts:
        """Yield the lines of each part. Raises OutputError where a worker ends before its work is done."""
        opening = list(islice(parts, self._least_parts))
        if len(opening) < self._least_parts:
            yield from OneProcess().tagged(iter(opening), job, tagger)
        else:
            tasks = ((self._models, job, part) for part in chain(opening, parts))
            yield from shared(finished_part, tasks, self._number)
