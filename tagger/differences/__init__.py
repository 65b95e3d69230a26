"""What another version would change: every tag of an archive that is gained or lost from one version to the other.

    comparison          the documents of a part, compared; the task of a worker process
    settings            what the versions were made with and decide by, where they differ
    tallies             flips counted, the most consequential of each theme kept
    flips               what changes for a text: consequence, cause, record
    texts | pairs       what two versions read of a document | what they make of a text
    margins             why a theme's margin is another one, term by term

A flip's consequence is its level (3: a tag that nobody looks at comes or goes; 2: a tag is now given without a look, or
no longer; 1: a tag for review comes or goes) plus how far the probability moved; that of a theme is the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice, starmap
from typing import Any

import msgspec

from tagger.archive import Inputs
from tagger.archive.engines import WORTH_SHARING
from tagger.archive.processes import shared
from tagger.differences.comparison import Task, compare_part, pair_of
from tagger.differences.flips import CHANGES, MILLIONTHS
from tagger.differences.pairs import Pair
from tagger.differences.settings import settings, theme_settings
from tagger.differences.tallies import Tally
from tagger.engine import available_cores
from tagger.errors import InputError, OptionError
from tagger.registry import Registry

__all__ = ["Differences", "compare"]

Progress = Callable[[int, int], None]
"""Called with the number of documents done, and how many of them could not be read."""

_NAMES = tuple(dict.fromkeys(CHANGES.values()))


class Differences:
    """What two versions differ in on an archive."""

    def __init__(self, pair: Pair, found: Tally) -> None:
        self._pair = pair
        self._found = found
        consequence = [found.of_themes[number, "consequence"] for number in range(len(pair.themes))]
        self._order = sorted(range(len(pair.themes)), key=lambda number: -consequence[number])

    @property
    def documents(self) -> int:
        """How many documents there were, with those that could not be read."""
        return self._found.counts["documents"]

    @property
    def unreadable(self) -> int:
        """How many of them could not be read."""
        return self._found.counts["unreadable"]

    def summary(self) -> dict[str, Any]:
        """Return what differs as a whole and by theme, the most consequential first, as JSON-able values."""
        counts, (before, after) = self._found.counts, self._pair.versions
        themes = [self._theme(number) for number in self._order]
        return {
            "kind": "summary",
            "before": before.name,
            "after": after.name,
            "documents": self.documents,
            "unreadable": self.unreadable,
            "texts": counts["texts"],
            "texts_changed": counts["texts_changed"],
            **{name: sum(theme[name] for theme in themes) for name in (*_NAMES, "kept")},
            "cut_otherwise": {name: counts[name] for name in ("pages", "only_before", "only_after")},
            "settings": settings(self._pair),
            "themes": themes,
        }

    def as_records(self) -> Iterator[dict[str, Any]]:
        """Yield the flips that were kept: by theme, the most consequential first."""
        for number in self._order:
            for kept in sorted(self._found.kept[number], reverse=True):
                yield msgspec.json.decode(kept.record)

    def unreadable_records(self) -> Iterator[dict[str, Any]]:
        """Yield the first of the documents that could not be read, and why."""
        yield from self._found.unreadable

    def _theme(self, number: int) -> dict[str, Any]:
        theme, counts = self._pair.themes[number], self._found.of_themes
        gained, lost = counts[number, "gained"], counts[number, "lost"]
        before, after = theme.columns
        return {
            "theme": theme.id,
            "label": theme.label,
            "in": "after" if before is None else "before" if after is None else "both",
            "consequence": counts[number, "consequence"] / MILLIONTHS,
            **{name: counts[number, name] for name in _NAMES},
            "net": gained - lost,
            **{
                decision: {name: counts[number, f"{decision}_{name}"] for name in ("before", "after")}
                for decision in ("auto", "review")
            },
            "causes": {cause: n for (of, cause), n in sorted(self._found.causes.items()) if of == number},
            "kept": len(self._found.kept[number]),
            "settings": theme_settings(self._pair, theme),
        }


def compare(
    registry: Registry,
    before: str,
    after: str,
    inputs: Sequence[str],
    *,
    workers: int | None = None,
    progress: Progress = lambda _documents, _unreadable: None,
) -> Differences:
    """Return what changes from one version to another on the documents of files, folders and the standard input.

    Pages are cut as `archive` cuts them, by each version with what it learned. By default as many processes work as
    there are cores, and one where that is sooner done; the result is the same with any. Raises UnknownVersion,
    DamagedVersion, InputError where there is no document at all.
    """
    if workers is not None and workers < 1:
        raise OptionError(f"The number of workers is {workers}; expected 1 or more.")
    models = str(registry.folder.absolute())
    pair_of.cache_clear()  # what has these names may be something else by now
    pair = pair_of(models, before, after)
    found = Tally([0] * len(pair.themes))
    tasks = ((models, before, after, part, found.floors) for part in Inputs(inputs).parts())
    with closing(_tallies(tasks, workers)) as tallies:
        for tally in tallies:
            found.merge(tally)
            progress(found.counts["documents"], found.counts["unreadable"])
    if not found.counts["documents"]:
        raise InputError(f"{', '.join(inputs)} holds no document. Give a file or folder with some.")
    return Differences(pair, found)


def _tallies(tasks: Iterator[Task], workers: int | None) -> Generator[Tally, None, None]:
    """Yield the tally of each task, in order, from other processes or from this one."""
    processes, least = (available_cores(), WORTH_SHARING) if workers is None else (workers, 0)
    opening = list(islice(tasks, least))
    tasks = chain(opening, tasks)
    if processes == 1 or len(opening) < least:
        yield from starmap(compare_part, tasks)
    else:
        yield from shared(compare_part, tasks, processes)
