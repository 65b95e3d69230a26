"""Drift: what has changed in the texts a version tags, against its held-out seeds or against what it saw before.

words         what is said of a change, and what to do
comparison    two samples of texts -> changes, told apart from chance
samples       texts as numbers: seen by services, tagged now, held out in training
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from tagger.documents import Document, Unreadable
from tagger.drift.comparison import Change, clumping_of, compare, texts_needed
from tagger.drift.samples import Sample, observe
from tagger.drift.words import advice, sentence
from tagger.errors import InputError
from tagger.observations import Observations, read_observations
from tagger.registry import Version
from tagger.tagging import Tagger

__all__ = ["Against", "Drift", "drift_between", "find_drift"]

Against = Literal["training", "before"]

NO_SAMPLE = (
    "Seeds are no sample of what is published: rates and probabilities that differ from training from the first day on "
    "are no fault. What changes from week to week is told by --against before."
)

Progress = Callable[[str], None]
"""Called with each phase."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What was compared, its changes with the surest first, and what to know of them.

    `clumping` is how much more days differ than chance would have it: so many texts say as much as one. From
    `texts_needed` on a change would be found, None where no number is enough against so small a reference. Themes in
    `not_compared` have no seeds.
    """

    version: str
    now: str
    then: str
    texts: int
    reference_texts: int
    texts_needed: int | None
    clumping: float
    changes: tuple[Change, ...]
    not_compared: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def moved(self) -> tuple[Change, ...]:
        """The changes worth telling."""
        return tuple(change for change in self.changes if change.moved)

    @property
    def enough(self) -> bool:
        """Whether there are texts enough to say that nothing has moved."""
        return self.texts_needed is not None and self.texts >= self.texts_needed

    def as_record(self) -> dict[str, Any]:
        """Return all as JSON-able values."""
        return {
            "version": self.version,
            "now": self.now,
            "then": self.then,
            "texts": self.texts,
            "reference_texts": self.reference_texts,
            "enough": self.enough,
            "texts_needed": self.texts_needed,
            "clumping": round(self.clumping, 3),
            "moved": [_record(change) for change in self.moved],
            "not_moved": [_record(change) for change in self.changes if not change.moved],
            "not_compared": list(self.not_compared),
            "remarks": list(self.remarks),
        }


def find_drift(
    version: Version,
    seen: Path,
    *,
    today: date,
    days: int = 7,
    against: Against = "training",
    on: Iterable[Document | Unreadable] | None = None,
    progress: Progress = lambda _phase: None,
) -> Drift:
    """Compare what services saw in the last days, or documents that are tagged now, with training or what was before.

    `seen` is the folder where services keep it. Raises InputError where nothing was seen, DamagedVersion, and
    ModelError for a version that kept no held-out seeds.
    """
    progress("loading the version")
    tagger = Tagger.load(version)
    kept = read_observations(seen, version.name, [theme["id"] for theme in tagger.themes])
    remarks = [f"{file} is damaged, or of another version of that name; it was passed over." for file in kept.damaged]
    first = today - timedelta(days=days - 1)
    if on is None:
        recent = [of_day for day, of_day in kept.days.items() if day >= first]
        now = _seen(version, f"of the last {days} days" if days > 1 else "of today", recent)
        earlier = [of_day for day, of_day in kept.days.items() if day < first]
    else:
        observed, failed = observe(tagger, on, progress)
        remarks += [f"{failed:,} documents could not be read."] if failed else []
        now, earlier = Sample.of_days("tagged now", [observed]), list(kept.days.values())
    progress("comparing")
    if against == "before":
        return drift_between(version.name, now, _seen(version, "before", earlier), remarks)
    return drift_between(version.name, now, Sample.of_training(tagger, version), [*remarks, NO_SAMPLE])


def drift_between(version: str, now: Sample, then: Sample, remarks: Sequence[str] = ()) -> Drift:
    """Return what differs between two samples of the texts of a version."""
    clumping = clumping_of([now, then])
    changes = compare(now, then, clumping)
    return Drift(
        version=version,
        now=now.name,
        then=then.name,
        texts=now.texts,
        reference_texts=then.texts,
        texts_needed=texts_needed(then.texts, sum(len(change.ps) for change in changes), clumping),
        clumping=clumping,
        changes=tuple(sorted(changes, key=lambda change: (not change.moved, min(change.ps), -(change.shift or 0.0)))),
        not_compared=tuple(theme for theme in now.themes if theme not in then.themes),
        remarks=tuple(remarks),
    )


def _seen(version: Version, when: str, days: Sequence[Observations]) -> Sample:
    if not days:
        raise InputError(
            f"Nothing was kept of texts {when} that {version.name} tagged. Services keep what they see below their "
            "--state folder; name that, or other --days, or documents to tag now: --on releases.jsonl"
        )
    return Sample.of_days(when, days)


def _record(change: Change) -> dict[str, Any]:
    return {
        "name": change.name,
        "kind": change.kind,
        "now": change.now._asdict(),
        "then": change.then._asdict(),
        "rate_p": change.rate_p,
        "shift": change.shift,
        "shift_p": change.shift_p,
        "sentence": sentence(change),
        **({"advice": advice(change)} if change.moved else {}),
    }
