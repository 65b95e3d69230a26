"""The doctor: what is wrong with the themes, and what to do next, told from seeds, weights and held-out tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tagger.corpus import read_corpus
from tagger.doctor.cardwords import card_words
from tagger.doctor.case import Case, Finding, Progress, open_case
from tagger.doctor.curves import seeds_needed
from tagger.doctor.firing import firing
from tagger.doctor.names import kinds_of_names
from tagger.doctor.shortcuts import shortcuts
from tagger.doctor.twins import near_twins
from tagger.registry import Version

__all__ = ["Examination", "Finding", "examine"]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, the most consequential first, and what could not be looked at."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def examine(seeds: Path, version: Version, progress: Progress = lambda _phase, _done: None) -> Examination:
    """Return what is wrong with the themes of the seeds below a folder, on which a version was trained.

    Raises SeedsError, DamagedVersion, and ModelError where the version was trained on other themes or on
    none of the seeds.
    """
    progress("reading seeds", 0)
    # Seeds that training refuses are named there; here each text counts once, whatever was said of it.
    case = open_case(read_corpus(seeds, "union"), version, progress)
    findings = sorted(_findings(case, progress), key=lambda finding: -finding.touched)
    return Examination(tuple(findings), tuple(_notes(case, version)))


def _findings(case: Case, progress: Progress) -> Iterator[Finding]:
    progress("looking for near-twins", 0)
    yield from firing(case)
    yield from near_twins(case)
    progress("looking for names", 0)
    kinds = kinds_of_names(case.corpus)
    yield from shortcuts(case, kinds, progress)
    progress("looking at card words", 0)
    yield from seeds_needed(case)
    yield from card_words(case, kinds)


def _notes(case: Case, version: Version) -> Iterator[str]:
    if unseen := len(case.read) - len(case.rows):
        yield f"{unseen} seeds are new or changed since {version.name} was trained; no held-out tags tell of them."
    if not case.report.get("learning_curve"):
        yield f"How many more seeds help was not measured for {version.name}: tagger train --effort full measures it."
