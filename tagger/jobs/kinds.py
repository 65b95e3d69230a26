"""The kinds of jobs: what each can be asked for, and how it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from tagger.errors import InputError, PromotionRefused, TaggerError
from tagger.jobs.archives import SEEDS, check_archive
from tagger.jobs.paths import without_paths
from tagger.jobs.records import Job
from tagger.jobs.store import LONGEST_LINE

Result = dict[str, Any]
Options = TypeVar("Options")


class Places(msgspec.Struct, frozen=True):
    """The folders that jobs work on."""

    seeds: Path
    models: Path
    archives: Path


class Work(Protocol):
    """What a kind knows of the job it does, and whom it tells how that goes."""

    job: Job
    places: Places
    result_file: Path

    def progress(self, phase: str, done: float) -> None:
        """Tell what is done now, and how much of it is, 0 to 1."""

    def log(self, message: str) -> None:
        """Tell what there is to know later."""

    def keep(self) -> None:
        """Tell that what was asked for is saved by now, and the job no longer cancelled."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Options]):
    """A kind of job: its options, and the function that does it."""

    options: type[Options]
    run: Callable[[Options, Work], Result]


class TrainOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to train, and whether the new version is to go live if nothing speaks against it."""

    promote: bool = False
    effort: Literal["quick", "full"] = "quick"
    merge: Literal["refuse", "union", "first"] = "refuse"


class DiffOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which versions to compare, and on what: the seeds, or an archive by its name."""

    a: str
    b: str
    on: str = SEEDS


def _train(options: TrainOptions, work: Work) -> Result:
    from tagger.reporting import remarks
    from tagger.training import train

    places = work.places
    trained = train(
        places.seeds,
        places.models,
        promote=False,
        merge=options.merge,
        effort=options.effort,
        progress=work.progress,
    )
    work.keep()
    name = trained.version.name
    work.log(f"saved {name}")
    said: Result = {"promoted": False, "objections": [], "remarks": list(remarks(trained.report))}
    if options.promote:
        _promote(name, work, said)
    return {"version": name, "scores": trained.version.manifest["scores"], **said}


def _promote(name: str, work: Work, said: Result) -> None:
    """Promote a version, and say what came of it: whatever that is, the training is done."""
    from tagger.promotion import promote
    from tagger.registry import Registry

    work.progress("comparing with the live version", 0)
    try:
        promote(Registry(work.places.models), name, work.places.seeds, by=work.job.by)
    except PromotionRefused as refusal:
        work.log(f"{name} did not go live: {len(refusal.objections)} objections")
        said["objections"] = list(refusal.objections)
    except (OSError, TaggerError) as error:
        why = without_paths(" ".join(str(error).split()), msgspec.structs.asdict(work.places))
        said["remarks"].append(f"{name} is saved, but promoting it failed: {why}"[:LONGEST_LINE])
        work.log(said["remarks"][-1])
    else:
        work.log(f"{name} is live")
        said["promoted"] = True


def _diff(options: DiffOptions, work: Work) -> Result:
    from tagger.differences import compare
    from tagger.files import replace_file
    from tagger.readers import count_documents
    from tagger.registry import Registry

    inputs = _inputs(options.on, work.places)
    total = max(1, sum(map(count_documents, inputs)))
    work.progress("comparing", 0)
    found = compare(
        Registry(work.places.models),
        options.a,
        options.b,
        inputs,
        progress=lambda done, _unreadable: work.progress("comparing", min(1.0, done / total)),
    )
    lines = [msgspec.json.encode(record) + b"\n" for record in found.as_records()]
    replace_file(work.result_file, b"".join(lines))
    return found.summary()


def _inputs(on: str, places: Places) -> list[str]:
    """Return the files that a name means. Raises InputError."""
    from tagger.corpus import seed_files

    check_archive(on, places.archives)
    return [str(path) for path in seed_files(places.seeds)] if on == SEEDS else [str(places.archives / on)]


KINDS: Mapping[str, Kind[Any]] = {"train": Kind(TrainOptions, _train), "diff": Kind(DiffOptions, _diff)}


def run(work: Work) -> Result:
    """Do a job; return what came of it. Raises InputError where this tagger does not know what was asked for."""
    job = work.job
    try:
        kind = KINDS[job.kind]
        options = msgspec.convert(job.options, kind.options)
    except (KeyError, msgspec.ValidationError) as error:
        raise InputError(f"This tagger has no such job as {job.kind!r} with {job.options} ({error}).") from error
    return kind.run(options, work)
