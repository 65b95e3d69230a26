"""What a version made of the texts it tagged, in numbers by day: no text is kept.

An observer counts in memory and keeps its numbers in a file of its own for each day, `v0003-2026-11-24-PART.json`,
which only it writes. Once nobody writes a day's files any more they become one, `v0003-2026-11-24.json`, that lists
the parts it holds: a part that is listed counts no more, so it is no matter when it is removed.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from tagger.decisions import Caution, Decision, Probabilities, Reason
from tagger.errors import OutputError
from tagger.files import locked, read_plain, replace_file

Int64 = NDArray[np.int64]

SCORE_EDGES: Probabilities = 1 / (1 + np.exp(-np.arange(-9.0, 10.0)))
"""What parts the bins of probabilities: steps of 1 in log-odds. Of most texts most themes have less than 1 in 100, so
that bins of equal width would hold nearly all in the first, and a score that moves is seen as far anywhere."""

SCORE_BINS = len(SCORE_EDGES) + 1
UNSEEN_BINS = 20
"""Bins of equal width for the share of a text's different words that stand in no seed."""

TOGETHER = 256
"""Texts that are counted together."""

TOGETHER_VALUES = 1 << 16
"""Probabilities that are counted together at most, so that with many themes no text waits for long."""

SEEN = "seen"
"""The folder below that of the state where files are kept."""

DAYS_KEPT = 90
_SETTLED = timedelta(days=2)
"""After so long nobody writes the files of a day: what is counted at midnight is kept within half a minute."""

_NAME = re.compile(r"(v\d{4,})-(\d{4}-\d\d-\d\d)(?:-([0-9a-f]{16}))?\.json")


class Watched(NamedTuple):
    """What is told of a text that was tagged: `themes` holds what was decided, by column; others are not given.

    `words` is the number of its different words, `unknown_words` of those that stand in no seed.
    """

    probabilities: Probabilities  # (T,)
    caution: Caution | None
    themes: Mapping[int, tuple[Decision, Reason]]
    words: int
    unknown_words: int


@dataclass(frozen=True, slots=True)
class Observations:
    """Numbers of texts that one version with T themes tagged; those of several times or places can be added.

    `none` is the number of texts without a theme, `review_texts` of those with a theme for review.
    """

    themes: tuple[str, ...]
    texts: int
    words: int
    unknown_words: int
    none: int
    review_texts: int
    cautions: Mapping[Caution, int]
    auto: Int64  # (T,)
    review: Int64  # (T,)
    scores: Int64  # (T, SCORE_BINS)
    unseen: Int64  # (UNSEEN_BINS,)

    @classmethod
    def of(cls, themes: Sequence[str], watched: Sequence[Watched]) -> Observations:
        """Return the numbers of some texts."""
        columns: dict[Decision, list[int]] = {"none": [], "review": [], "auto": []}
        none = review_texts = 0
        for text in watched:
            decisions = set()
            for theme, (decision, _) in text.themes.items():
                columns[decision].append(theme)
                decisions.add(decision)
            none += decisions <= {"none"}
            review_texts += "review" in decisions
        words = np.array([(text.words, text.unknown_words) for text in watched], dtype=np.int64).reshape(-1, 2)
        return cls(
            themes=tuple(themes),
            texts=len(watched),
            words=int(words[:, 0].sum()),
            unknown_words=int(words[:, 1].sum()),
            none=none,
            review_texts=review_texts,
            cautions=Counter(text.caution for text in watched if text.caution),
            auto=np.bincount(np.array(columns["auto"], dtype=np.int64), minlength=len(themes)),
            review=np.bincount(np.array(columns["review"], dtype=np.int64), minlength=len(themes)),
            scores=histograms(np.array([text.probabilities for text in watched]).reshape(-1, len(themes))),
            unseen=_unseen(words),
        )

    @property
    def given(self) -> Int64:
        """How many texts each theme was given to, (T,)."""
        return self.auto + self.review

    def __add__(self, other: Observations) -> Observations:
        assert self.themes == other.themes
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        return Observations(self.themes, cautions=Counter(self.cautions) + Counter(other.cautions), **sums)

    def totals(self) -> dict[str, Any]:
        """Return the numbers without the histograms, those of decisions by theme."""
        counts = {name: getattr(self, name) for name in ("texts", "words", "unknown_words", "none", "review_texts")}
        by_theme = {name: _by_theme(self.themes, getattr(self, name)) for name in ("auto", "review")}
        return {**counts, "cautions": dict(self.cautions), **by_theme}

    def as_record(self) -> dict[str, Any]:
        """Return all as JSON-able values."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Observations:
        """Return what was kept. Raises ValueError, KeyError or TypeError where it cannot be that."""
        themes, cautions = record["themes"], record["cautions"]
        if not all(isinstance(theme, str) for theme in themes) or not cautions.keys() <= set(get_args(Caution)):
            raise ValueError("themes or cautions are none")
        numbers: dict[str, Any] = {name: int(_counts(record[name], ())) for name in _NUMBERS}
        arrays: dict[str, Any] = {
            "auto": _counts(record["auto"], (len(themes),)),
            "review": _counts(record["review"], (len(themes),)),
            "scores": _counts(record["scores"], (len(themes), SCORE_BINS)),
            "unseen": _counts(record["unseen"], (UNSEEN_BINS,)),
        }
        cautions = {name: int(_counts(number, ())) for name, number in cautions.items()}
        found = cls(tuple(themes), cautions=cautions, **numbers, **arrays)
        if not found._adds_up():
            raise ValueError("the numbers do not fit together")
        return found

    def _adds_up(self) -> bool:
        parts = [self.none, self.review_texts, sum(self.cautions.values()), *self.given.tolist()]
        wholes = [int(self.unseen.sum()), *self.scores.sum(axis=1).tolist()]
        return max(parts) <= self.texts and set(wholes) == {self.texts} and self.unknown_words <= self.words


_NUMBERS = ("texts", "words", "unknown_words", "none", "review_texts")
_SUMMED = (*_NUMBERS, "auto", "review", "scores", "unseen")


def histograms(probabilities: NDArray[np.floating[Any]]) -> Int64:
    """Return for the probabilities of texts, (n, T), how many of each theme are in each bin, (T, SCORE_BINS)."""
    themes = probabilities.shape[1]
    cells = np.searchsorted(SCORE_EDGES, probabilities.ravel(), side="right").reshape(-1, themes)
    cells += SCORE_BINS * np.arange(themes)
    return np.bincount(cells.ravel(), minlength=themes * SCORE_BINS).reshape(themes, SCORE_BINS)


class Observer:
    """Counts what it is told of the texts one version tags, from any thread.

    What is told waits in a queue until there are enough texts to count together, or until somebody asks. A text
    counts for the day, in UTC, on which it is counted.
    """

    def __init__(self, version: str, themes: Sequence[str], today: Callable[[], date] | None = None) -> None:
        self._version = version
        self._themes = tuple(themes)
        self._today = today or utc_today
        self._part = secrets.token_hex(8)
        self._together = max(1, min(TOGETHER, TOGETHER_VALUES // len(self._themes)))
        self._waiting: deque[Watched] = deque()
        self._counting, self._keeping = Lock(), Lock()
        self._day, self._tidied = self._today(), date.min
        self._of_day = self._earlier = Observations.of(self._themes, [])
        self._unkept: dict[date, Observations] = {}

    def __call__(self, watched: Watched) -> None:
        """Take note of a text."""
        self._waiting.append(watched)
        if len(self._waiting) >= self._together:
            self._count()

    def seen(self) -> Observations:
        """Return the numbers of all texts since the start."""
        self._count()
        with self._counting:
            return self._earlier + self._of_day

    def totals(self) -> dict[str, Any]:
        """Return the totals of all texts since the start; they never go back."""
        return self.seen().totals()

    def keep(self, folder: Path) -> None:
        """Write what is new into a folder, and now and then put it in order. Raises OutputError; then all stays."""
        self._count()
        with self._keeping:
            with self._counting:
                unkept = dict(self._unkept)
            for day, seen in unkept.items():
                _write(folder, _Name(self._version, day, self._part), seen, [])
                with self._counting:
                    if self._unkept[day] is seen:
                        del self._unkept[day]
            if self._tidied < self._day:
                tidy(folder, self._day)
                self._tidied = self._day

    def _count(self) -> None:
        with self._counting:
            watched = [self._waiting.popleft() for _ in range(len(self._waiting))]
            today = max(self._today(), self._day)  # a clock that is set back must not open a written day anew
            if today > self._day:
                self._earlier += self._of_day
                self._of_day = Observations.of(self._themes, [])
                self._day = today
            if watched:
                self._of_day += Observations.of(self._themes, watched)
                self._unkept[today] = self._of_day


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen by day, the earliest first, and the names of files that could not be read."""

    days: Mapping[date, Observations]
    damaged: tuple[str, ...]


def read_observations(folder: Path, version: str, themes: Sequence[str], since: date | None = None) -> Seen:
    """Return what all observers kept of a version in a folder, from a day on.

    What another version of that name saw, one with other themes, is as useless as a damaged file, and told as one.
    """
    days: dict[date, Observations] = {}
    damaged: list[str] = []
    with locked(folder):
        groups = _groups(folder)
        for name, parts in sorted(groups.items()):
            if name.version == version and (since is None or name.day >= since):
                kept, bad = _read_day(folder, [name, *parts], tuple(themes))
                damaged += [part.file for part in bad]
                if kept.values():
                    days[name.day] = reduce(add, kept.values())
    return Seen(days, tuple(damaged))


def tidy(folder: Path, today: date) -> None:
    """Remove what is too old, and make the files of each day that nobody writes any more one. Raises OutputError."""
    try:
        with locked(folder):
            for name, parts in _groups(folder).items():
                if name.day < today - timedelta(days=DAYS_KEPT):
                    _remove(folder, [name, *parts])
                elif name.day <= today - _SETTLED and parts:
                    _merge(folder, name, parts)
            _remove_leftovers(folder)
    except OSError as error:
        raise OutputError(f"Cannot put {folder} in order: {error.strerror or error}. Put that right.") from error


def utc_today() -> date:
    """Return the day it is in UTC."""
    return datetime.now(UTC).date()


# ---- Files


class _Name(NamedTuple):
    """What a file holds; one that holds a whole day has no part."""

    version: str
    day: date
    part: str = ""

    @property
    def file(self) -> str:
        return f"{self.version}-{self.day}{'-' if self.part else ''}{self.part}.json"

    @classmethod
    def parse(cls, file: str) -> _Name | None:
        """Return what a file's name says, None for another file."""
        match = _NAME.fullmatch(file)
        try:
            return cls(match[1], date.fromisoformat(match[2]), match[3] or "") if match else None
        except ValueError:
            return None


def _groups(folder: Path) -> dict[_Name, list[_Name]]:
    """Return the parts there are of each day of each version, whose name has no part."""
    groups: dict[_Name, list[_Name]] = {}
    for name in filter(None, map(_Name.parse, sorted(path.name for path in folder.glob("v*.json")))):
        parts = groups.setdefault(name._replace(part=""), [])
        if name.part:
            parts.append(name)
    return groups


def _read_day(
    folder: Path, names: Iterable[_Name], themes: tuple[str, ...] | None = None
) -> tuple[dict[_Name, Observations], list[_Name]]:
    """Return what counts of a day's files, of which the first may list others, and the files that are damaged."""
    kept: dict[_Name, Observations] = {}
    damaged: list[_Name] = []
    listed: set[str] = set()
    for name in names:
        if name.part in listed:
            continue
        try:
            found, parts = _read(folder, name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            damaged.append(name)
            continue
        listed.update(parts)
        themes = themes or found.themes
        if found.themes == themes:
            kept[name] = found
        else:
            damaged.append(name)
    return kept, damaged


def _merge(folder: Path, whole: _Name, parts: Sequence[_Name]) -> None:
    """Put the parts of a day into its one file; where this ends in the middle, no text is lost or counted twice."""
    kept, damaged = _read_day(folder, [whole, *parts])
    if whole in damaged:
        return
    listed = _read(folder, whole)[1] if whole in kept else []
    new = [name for name in kept if name.part]
    if new:
        _write(folder, whole, reduce(add, kept.values()), [*listed, *(name.part for name in new)])
    _remove(folder, [name for name in parts if name not in damaged])


def _read(folder: Path, name: _Name) -> tuple[Observations, list[str]]:
    record = json.loads(read_plain(folder / name.file))
    if (record["version"], record["day"]) != (name.version, str(name.day)):
        raise ValueError("the file is named after another version or day")
    parts = record["parts"]
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("the parts are none")
    return Observations.from_record(record), parts


def _write(folder: Path, name: _Name, seen: Observations, parts: Sequence[str]) -> None:
    record = {"version": name.version, "day": str(name.day), "parts": list(parts), **seen.as_record()}
    replace_file(folder / name.file, json.dumps(record).encode() + b"\n")


def _remove_leftovers(folder: Path) -> None:
    """Remove what writers left that were killed in the middle."""
    for leftover in folder.glob(".*.json"):
        with suppress(FileNotFoundError):  # what is being written takes its place at any time
            if leftover.stat().st_mtime < time.time() - _SETTLED.total_seconds():
                leftover.unlink()


def _remove(folder: Path, names: Iterable[_Name]) -> None:
    for name in names:
        (folder / name.file).unlink(missing_ok=True)


# ---- Numbers


def _unseen(words: Int64) -> Int64:
    """Return how many texts are in each bin of their share of unknown words; a text without words has nothing else."""
    share = np.where(words[:, 0] > 0, words[:, 1] / np.maximum(words[:, 0], 1), 1.0)
    bins = np.minimum((share * UNSEEN_BINS).astype(np.int64), UNSEEN_BINS - 1)
    return np.bincount(bins, minlength=UNSEEN_BINS)


def _by_theme(themes: Sequence[str], numbers: Int64) -> dict[str, int]:
    return dict(zip(themes, numbers.tolist(), strict=True))


def _counts(value: Any, shape: tuple[int, ...]) -> Int64:
    counts = np.asarray(value)
    if counts.dtype.kind != "i" or counts.shape != shape or counts.min(initial=0) < 0:
        raise ValueError("numbers are missing, or are none")
    return counts.astype(np.int64)
