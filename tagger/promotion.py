"""The gate before a version goes live: what it does worse than the live one, on seeds held out and on pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import content
from tagger.corpus import THEMES_FILE
from tagger.decisions import DIGITS
from tagger.errors import ModelError, OptionError, OtherLive, PromotionRefused
from tagger.heldout import HeldOutSeeds
from tagger.intervals import TWO_SIDED_95, holm
from tagger.pins import PINS_FILE, Pin, read_pins
from tagger.registry import Registry, Version
from tagger.tagging import Tagger
from tagger.themes import load_cards

Kind = Literal["quality", "pin"]
Claim = Literal["must", "must_not"]
Float32 = NDArray[np.float32]
ThemeSets = NDArray[np.bool_]
Groups = NDArray[np.intp]

LEAST_SEEDS = 5
"""A theme that fewer of the compared seeds have cannot object: whatever happens to it may be chance."""

FALSE_ALARMS = 0.05
"""How often a version that is no worse may be refused, over all its themes together."""

LEAST_WORDS, MOST_CHARACTERS = 2, 1000
"""What a reason to go on all the same has at least and at most."""

_SAID: dict[Claim, tuple[str, str]] = {"must": ("must", "does not give it"), "must_not": ("must not", "gives it")}
"""How a claim is said, and how it is broken."""


class Objection(NamedTuple):
    """What a version does worse than the live one; the detail is a sentence."""

    kind: Kind
    theme: str
    detail: str


class ThemeF1(NamedTuple):
    """The F1 of a theme over the seeds that both versions have, held out.

    `seeds` have the theme; `low` is the lower end of the 95% interval of the live version's.
    """

    theme: str
    seeds: int
    live: float
    low: float
    candidate: float
    worse: bool


class Answer(NamedTuple):
    """What a version makes of one claim of a pin; a theme that it does not know has no probability."""

    kept: bool
    probability: float | None = None
    threshold: float | None = None


class Checked(NamedTuple):
    """One claim of a pin and what both versions make of it; `live` is None where there is none to compare with."""

    pin: str
    claim: Claim
    theme: str
    live: Answer | None
    candidate: Answer

    @property
    def newly_broken(self) -> bool:
        """Whether the live version keeps what the candidate breaks."""
        return self.live is not None and self.live.kept and not self.candidate.kept


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a version should not go live, what else there is to say of it, and all that was compared."""

    version: str
    live: str | None
    objections: tuple[Objection, ...]
    remarks: tuple[str, ...]
    themes: tuple[ThemeF1, ...]
    pins: tuple[Checked, ...]

    def as_record(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        pins = [
            {**one._asdict(), "live": one.live and one.live._asdict(), "candidate": one.candidate._asdict()}
            for one in self.pins
        ]
        return {
            "version": self.version,
            "live": self.live,
            "objections": [objection._asdict() for objection in self.objections],
            "remarks": list(self.remarks),
            "themes": [theme._asdict() for theme in self.themes],
            "pins": pins,
        }


@dataclass(frozen=True, slots=True)
class Promotion:
    """A verdict, and whether the version is live now."""

    verdict: Verdict
    promoted: bool


def promote(registry: Registry, name: str, seeds: Path, *, by: str | None, force: str | None = None) -> Promotion:
    """Make a version live that does nothing worse than the live one, or for a reason, which the history keeps.

    Raises PromotionRefused where there are objections and no reason; SeedsError where the pins are not in order; and
    whatever the reason, DamagedVersion where the version does not load.
    """
    promotion = attempt(registry, name, pins_among(seeds), by=by, force=force)
    if not promotion.promoted:
        objections = [objection.detail for objection in promotion.verdict.objections]
        raise PromotionRefused(
            "\n".join([f"{name} is not promoted.", *objections]),
            f'To promote it all the same: tagger models promote {name} --force "REASON"',
            objections,
        )
    return promotion


def attempt(
    registry: Registry, name: str, pins: Sequence[Pin], *, by: str | None, force: str | None = None
) -> Promotion:
    """Judge a version, and make it live unless there are objections and no reason to go on all the same."""
    _check_reason(force)
    while True:
        verdict = judge(registry, name, pins)
        objections = [objection.detail for objection in verdict.objections]
        if objections and force is None:
            return Promotion(verdict, promoted=False)
        reason = force if objections else None
        try:
            registry.promote(name, by=by, reason=reason, objections=objections, instead_of=verdict.live)
        except OtherLive:
            continue  # it was compared with a version that is live no longer
        return Promotion(verdict, promoted=True)


def rollback(registry: Registry, *, by: str | None) -> Version:
    """Make the version that was live before live again, if it loads: what it does worse was known to whoever asks."""
    return registry.rollback(by=by, check=Tagger.load)


def pins_among(seeds: Path) -> list[Pin]:
    """Return the pins of a folder of seeds, matched against its theme cards. Raises SeedsError."""
    if not (seeds / PINS_FILE).exists():
        return []
    return read_pins(seeds, [card.id for card in load_cards(seeds / THEMES_FILE)])


def judge(registry: Registry, name: str, pins: Sequence[Pin]) -> Verdict:
    """Load a version, and compare it with the live one on pins and on the seeds that both were trained on.

    Raises UnknownVersion, or DamagedVersion where it does not load; where the live one does not, nothing is compared.
    """
    candidate = _Loaded.of(registry, name)
    live_name = registry.live_name()
    remarks: list[str] = []
    live = None
    try:
        live = _Loaded.of(registry, live_name) if live_name else None
    except ModelError as error:
        remarks.append(f"Nothing was compared with {live_name}, which is live but does not load. {error}")
    checked = [one for pin in pins for one in _checked(pin, live, candidate)]
    themes: list[ThemeF1] = []
    if live:
        gone = sorted(set(live.themes) - set(candidate.themes))
        remarks += [f"{name} does not know the theme {theme}, which {live_name} gives." for theme in gone]
        try:
            themes = _theme_f1s(live, candidate)
        except ModelError as error:
            remarks.append(str(error))
    falls = [_fall(theme, candidate) for theme in themes if theme.worse]
    falls += _emptied(live, candidate) if live else []
    # Where the pointer was lost, no version is live, and one that was refused before must not slip in.
    lost = live_name is None and len(registry.names()) > 1
    broken = [one for one in checked if not one.candidate.kept]
    pins_objecting = [
        Objection("pin", one.theme, _broken(one, name, live_name)) for one in broken if lost or one.newly_broken
    ]
    remarks += [_broken(one, name, live_name) for one in broken if not lost and not one.newly_broken]
    return Verdict(name, live_name, (*falls, *pins_objecting), tuple(remarks), tuple(themes), tuple(checked))


class _Loaded(NamedTuple):
    """A version, its tagger, and the column of each of its themes."""

    version: Version
    tagger: Tagger
    themes: dict[str, int]

    @classmethod
    def of(cls, registry: Registry, name: str) -> _Loaded:
        version = registry.get(name)
        tagger = Tagger.load(version)
        return cls(version, tagger, {theme["id"]: column for column, theme in enumerate(tagger.themes)})

    def held_out(self) -> HeldOutSeeds:
        try:
            return HeldOutSeeds.load(self.version.folder)
        except (OSError, ValueError, KeyError) as error:
            name = self.version.name
            raise ModelError(f"No F1 was compared: {name} holds nothing of its held-out seeds.") from error


def _check_reason(reason: str | None) -> None:
    if reason is None:
        return
    if len(reason.split()) < LEAST_WORDS or len(reason) > MOST_CHARACTERS or not reason.isprintable():
        raise OptionError(
            f"The reason to promote in spite of objections is {reason[:40]!r}; expected a sentence of {LEAST_WORDS} "
            f"words or more and at most {MOST_CHARACTERS:,} characters, all on one line: the history keeps it."
        )


# Pins


def _checked(pin: Pin, live: _Loaded | None, candidate: _Loaded) -> Iterator[Checked]:
    claims: list[tuple[Claim, str]] = [("must", theme) for theme in pin.must]
    claims += [("must_not", theme) for theme in pin.must_not]
    before = _answers(pin, claims, live) if live else [None] * len(claims)
    for (claim, theme), old, new in zip(claims, before, _answers(pin, claims, candidate), strict=True):
        yield Checked(pin.document.id, claim, theme, old, new)


def _answers(pin: Pin, claims: Sequence[tuple[Claim, str]], loaded: _Loaded) -> list[Answer]:
    tagger = loaded.tagger
    text = content(pin.document.title, pin.document.text)
    reading = tagger.scorer.read(text)
    probabilities = tagger.rule.probabilities(tagger.scorer.sum(reading))
    given = tagger.decide(text, reading, probabilities).given
    answers = []
    for claim, theme in claims:
        column = loaded.themes.get(theme)
        if column is None:
            answers.append(Answer(claim == "must_not"))
        else:
            kept = (column in given) == (claim == "must")
            answers.append(Answer(kept, float(probabilities[column]), float(tagger.rule.thresholds[column])))
    return answers


def _broken(checked: Checked, name: str, live: str | None) -> str:
    must, breaks = _SAID[checked.claim]
    _, probability, threshold = checked.candidate
    why = "it does not know the theme"
    if probability is not None:
        why = f"probability {probability:.3f}, threshold {threshold:.3f}"
    sentence = f"The pin {checked.pin!r} {must} have {checked.theme}, but {name} {breaks} ({why})"
    if checked.live is None or live == name:
        return f"{sentence}."
    return f"{sentence}; {live} {'keeps the pin' if checked.live.kept else 'breaks it, too'}."


# Quality


def _fall(theme: ThemeF1, candidate: _Loaded) -> Objection:
    return Objection(
        "quality",
        theme.theme,
        f"F1 of {theme.theme} falls from {theme.live:.3f} (95% interval from {theme.low:.3f}) to {theme.candidate:.3f} "
        f"with {candidate.version.name}, on the {theme.seeds} held-out seeds that have it; chance seldom does that.",
    )


def _emptied(live: _Loaded, candidate: _Loaded) -> list[Objection]:
    """Return the themes that have lost their seeds, so that nothing can be said of their F1."""
    before, now = _seeds(live), _seeds(candidate)
    return [
        Objection(
            "quality",
            theme,
            f"{live.version.name} learned {theme} from {number} seeds, {candidate.version.name} from {now[theme]}: "
            "too few to compare its F1.",
        )
        for theme, number in before.items()
        if theme in now and number >= LEAST_SEEDS > now[theme]
    ]


def _seeds(loaded: _Loaded) -> dict[str, int]:
    return {theme["id"]: theme["seeds"] for theme in loaded.tagger.themes}


def _theme_f1s(live: _Loaded, candidate: _Loaded) -> list[ThemeF1]:
    """Return the F1 of each theme that both versions know and some seed of both has, by the candidate's labels.

    A version is worse at a theme if its F1 lies below the 95% interval of the live one's, and if the fall itself is
    significant: a one-sided test of paired differences on the same seeds, after Holm (1979) over the themes. Either
    alone is too little. Some theme of 26 falls below its interval in one retraining of three, be it for a few seeds
    less, as folds and thresholds change with them; and with many seeds a fall too small to matter is significant. Both
    together hold up one such retraining in fifty (scripts/bench/gate.py), within what FALSE_ALARMS allows.

    Errors of F1 are linearised (as in Takahashi et al. 2022), over groups of near-duplicates: those are one
    observation. Draws anew would have to be tens of thousands for the small levels of Holm's test.
    """
    old, new = live.held_out(), candidate.held_out()
    row_of = {digest: row for row, digest in enumerate(old.digests)}
    pairs = [(row_of[digest], row) for row, digest in enumerate(new.digests) if digest in row_of]
    if not pairs:
        raise ModelError(f"No F1 was compared: no seed of {candidate.version.name} is one of {live.version.name}.")
    old_rows, new_rows = np.array(sorted(pairs, key=lambda pair: new.groups[pair[1]])).T
    known = [theme for theme in candidate.themes if theme in live.themes]
    old_columns, new_columns = ([loaded.themes[theme] for theme in known] for loaded in (live, candidate))
    theme_sets = new.theme_sets[np.ix_(new_rows, new_columns)]
    groups = np.flatnonzero(np.diff(new.groups[new_rows], prepend=-1))
    before = _F1s.of(old.given[np.ix_(old_rows, old_columns)], theme_sets, groups)
    after = _F1s.of(new.given[np.ix_(new_rows, new_columns)], theme_sets, groups)
    seeds = theme_sets.sum(axis=0)
    low = np.maximum(before.values - TWO_SIDED_95 * _norms(before.errors), 0)
    objecting = np.flatnonzero(seeds >= LEAST_SEEDS)
    worse = np.zeros(len(known), dtype=bool)
    chances = [1 - NormalDist().cdf(fall) for fall in _falls(before, after)[objecting]]
    worse[objecting] = np.array(holm(chances)) <= FALSE_ALARMS
    worse &= after.values < low
    figures = (values.round(DIGITS).tolist() for values in (before.values, low, after.values))
    rows = zip(known, seeds.tolist(), *figures, worse.tolist(), strict=True)
    return [ThemeF1(*row) for row in rows if row[1]]


class _F1s(NamedTuple):
    """The F1 of each theme (T,), and how much each group of seeds moves it, linearised, (n_groups, T)."""

    values: NDArray[np.float64]
    errors: Float32

    @classmethod
    def of(cls, given: ThemeSets, theme_sets: ThemeSets, groups: Groups) -> _F1s:
        hits = np.add.reduceat(given & theme_sets, groups, axis=0, dtype=np.float32)
        sizes = np.add.reduceat(given, groups, axis=0, dtype=np.float32)
        sizes += np.add.reduceat(theme_sets, groups, axis=0, dtype=np.float32)
        whole = np.maximum(sizes.sum(axis=0, dtype=np.float64), 1)
        values = 2 * hits.sum(axis=0, dtype=np.float64) / whole
        return cls(values, (2 * hits - values.astype(np.float32) * sizes) / whole.astype(np.float32))


def _falls(before: _F1s, after: _F1s) -> NDArray[np.float64]:
    """Return by how many of its standard errors each theme's F1 falls."""
    fall = before.values - after.values
    error = _norms(after.errors - before.errors)
    certain = np.where(fall > 0, np.inf, 0.0)
    return np.divide(fall, error, out=certain, where=error > 0)


def _norms(errors: Float32) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.einsum("gt,gt->t", errors, errors, dtype=np.float64)))
