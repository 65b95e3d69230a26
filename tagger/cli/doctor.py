"""`tagger doctor`: what of an installation works, and what to do about the rest."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tagger.cli.options import Json, Models, Seeds, State

if TYPE_CHECKING:
    from tagger.errors import ModelError
    from tagger.registry import Registry

Condition = Literal["ok", "note", "broken"]

LEAST_FREE_BYTES = 1_000_000_000
LEAST_FREE_VERSIONS = 3
"""So many more versions the disk should have room for."""

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)[^;]*(?:;.*\bextra == ['\"](?P<extra>\w+)['\"])?")


@dataclass(frozen=True, slots=True)
class Examined:
    """A part of the installation: in order, worth a note, or broken; `remedy` says what to do, where there is need."""

    part: str
    state: Condition
    found: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """The folders of an installation."""

    models: Path
    seeds: Path
    state: Path


def doctor(
    *,
    json: Json = None,
    models: Models = Path("models"),
    seeds: Seeds = Path("seeds"),
    state: State = Path("state"),
) -> int:
    """Say whether this installation works: engine, libraries, settings, versions, folders, disk and seeds.

    Nothing is changed. The exit code is 1 where something is broken.

    Example: tagger doctor
    """
    from tagger.cli import output

    installation = Installation(models, seeds, state)
    with output.ProgressLine() as progress:
        examined: list[Examined] = []
        for examine in EXAMINATIONS:
            for found in examine(installation):
                examined.append(found)
                progress.show(f"examining, {len(examined)} parts so far")
    if output.as_json(json):
        output.write_json_lines(map(asdict, examined))
    else:
        for found in examined:
            output.write(f"{found.state:<7} {found.part}: {found.found}", style=_STYLES[found.state])
            if found.remedy:
                output.write(f"        {found.remedy}")
    return int(any(found.state == "broken" for found in examined))


_STYLES: dict[Condition, str | None] = {"ok": None, "note": "yellow", "broken": "bold red"}


def _engine(_: Installation) -> Iterator[Examined]:
    from tagger.engine import engine_name

    engine = engine_name()
    slow = "It gives the same tags, more slowly. With a C compiler here, install tagger again: scripts/setup"
    yield Examined("engine", "ok" if engine == "compiled" else "note", engine, slow if engine == "numpy" else None)


def _libraries(_: Installation) -> Iterator[Examined]:
    for requirement in metadata.requires("tagger") or ():
        found = _REQUIREMENT.match(requirement)
        if found is None or found["extra"] == "dev":
            continue
        name, extra = found["name"], found["extra"]
        part = f"extra {extra}" if extra else "library"
        try:
            yield Examined(part, "ok", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            state: Condition = "note" if extra else "broken"
            yield Examined(part, state, f"{name} is not installed", f"Install it: scripts/setup {extra or ''}".rstrip())


def _settings(_: Installation) -> Iterator[Examined]:
    from tagger.errors import OptionError
    from tagger.settings import FILE, load_settings

    try:
        load_settings()
    except OptionError as error:
        for sentence in str(error).splitlines():
            yield Examined("settings", "broken", sentence, f"Correct {FILE} or the environment.")
    else:
        yield Examined("settings", "ok", f"{FILE} and the environment" if Path(FILE).exists() else "the environment")


def _signing_key(installation: Installation) -> Iterator[Examined]:
    from tagger.errors import ModelError
    from tagger.signing import key_file, signing_key

    try:
        key = signing_key(installation.models)
    except ModelError as error:
        yield Examined("signing key", "broken", error.found, error.remedy)
        return
    file = key_file()
    if key is None or file is None:
        yield Examined("signing key", "ok", "none is set; versions go by their digests alone")
    else:
        yield _private("signing key", file)


def _versions(installation: Installation) -> Iterator[Examined]:
    """Examine the live version as a service would load it, and the files of the others."""
    from tagger.errors import ModelError
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(installation.models)
    live = None if _problem(registry.live_name) else registry.live_name()
    names = [] if _problem(registry.names) else registry.names()
    others = {name: _problem(partial(_check, registry, name)) for name in names if name != live}
    try:
        version = registry.live()
        themes = len(Tagger.load(version).themes)
    except ModelError as error:
        whole = [name for name, problem in others.items() if problem is None]
        yield Examined("live version", "broken", error.found, _remedy(error, whole))
    else:
        files = len(version.manifest["files"])
        yield Examined("live version", "ok", f"{version.name}, {themes} themes, all {files} files as they were saved")
    for name, problem in others.items():
        yield _other_version(name, problem, installation.models / name)


def _problem(act: Callable[[], object]) -> ModelError | None:
    from tagger.errors import ModelError

    try:
        act()
    except ModelError as error:
        return error
    return None


def _check(registry: Registry, name: str) -> None:
    registry.get(name).check()


def _remedy(error: ModelError, whole: Sequence[str]) -> str:
    """Return what to do about the live version; only versions that are whole are worth promoting."""
    from tagger.errors import NoLiveVersion
    from tagger.registry import ANOTHER

    promote = f"Promote another: tagger models promote {whole[-1]}" if whole else None
    if promote and isinstance(error, NoLiveVersion):
        return promote
    mend = "Train again: tagger train" if error.remedy in (ANOTHER, "") else error.remedy
    return f"{mend} ({promote[0].lower()}{promote[1:]})" if promote else mend


def _other_version(name: str, problem: ModelError | None, folder: Path) -> Examined:
    from tagger.errors import OutdatedVersion
    from tagger.registry import ANOTHER

    if problem is None:
        return Examined("version", "ok", f"{name}, all files as they were saved")
    if isinstance(problem, OutdatedVersion):
        return Examined("version", "note", problem.found, f"Nothing uses it any more; remove it: rm -r {folder}")
    mend = f"Restore it from a backup, or remove it: rm -r {folder}" if problem.remedy == ANOTHER else problem.remedy
    return Examined("version", "broken", problem.found, mend)


def _folder_of_versions(installation: Installation) -> Iterator[Examined]:
    from tagger.registry import Registry

    models, registry = installation.models, Registry(installation.models)
    yield _writable("folder of versions", models, "Training and promoting need it", "TAGGER_MODELS")
    if not models.is_dir() or not os.access(models, os.R_OK | os.X_OK):
        return
    for name in registry.debris():
        remedy = "The next training removes it; nothing else looks at it."
        yield Examined("debris", "note", f"{name} was left by a process that was killed", remedy)
    for name in registry.impostors():
        remedy = "Versions are folders of their own: put the folder itself there, or remove it."
        yield Examined("debris", "note", f"{name} is called like a version and is no folder", remedy)


def _disk(installation: Installation) -> Iterator[Examined]:
    from tagger.registry import Registry

    registry = Registry(installation.models)
    names = [] if _problem(registry.names) else registry.names()
    last = [file for name in names[-1:] for file in (installation.models / name).rglob("*") if file.is_file()]
    version = sum(file.stat().st_size for file in last)
    free = shutil.disk_usage(_nearest(installation.models)).free
    if free >= max(LEAST_FREE_BYTES, LEAST_FREE_VERSIONS * version):
        yield Examined("disk", "ok", f"{free / 1e6:,.0f} MB free")
    else:
        remedy = f"Make room; versions that are no longer needed may go: rm -r {installation.models}/vNNNN"
        yield Examined("disk", "note", f"{free / 1e6:,.0f} MB free, a version has {version / 1e6:,.1f} MB", remedy)


def _state(installation: Installation) -> Iterator[Examined]:
    from tagger.errors import KeysError
    from tagger.keys import FILE, Keys

    yield _writable("state", installation.state, "Keys, jobs and what is seen of texts are kept there", "TAGGER_STATE")
    file = installation.state / FILE
    try:
        Keys(file).all()
    except KeysError as error:
        remedy = "Until then a service lets nobody in. New keys: tagger keys create NAME --scopes tag,admin"
        yield Examined("keys", "broken", str(error), remedy)
    else:
        if file.exists():
            yield _private("keys", file)


def _seeds(installation: Installation) -> Iterator[Examined]:
    from tagger.cli.output import counted
    from tagger.corpus import THEMES_FILE
    from tagger.errors import SeedsError
    from tagger.themes import load_cards

    if not installation.seeds.exists():
        yield Examined("seeds", "note", f"there is no {installation.seeds}", "Training needs it; see docs/seeds.md.")
        return
    try:
        cards = load_cards(installation.seeds / THEMES_FILE)
    except SeedsError as error:
        for problem in error.problems:
            yield Examined("seeds", "broken", problem, "Correct the file; see: tagger seeds check")
    else:
        yield Examined("seeds", "ok", f"{counted(len(cards), 'theme card')}")


def _writable(part: str, folder: Path, why: str, setting: str) -> Examined:
    there = _nearest(folder)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Examined(part, "ok", f"{folder} can be written")
    remedy = f"{why}: open it to this user, or name another with {setting}."
    return Examined(part, "note", f"{there} cannot be written", remedy)


def _nearest(folder: Path) -> Path:
    """Return a folder, or of those it would be in the nearest that is there."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


def _private(part: str, file: Path) -> Examined:
    if file.stat().st_mode & 0o077:
        return Examined(part, "note", f"{file} can be read or written by others", f"Close it: chmod 600 {file}")
    return Examined(part, "ok", f"{file} is closed to others")


EXAMINATIONS: tuple[Callable[[Installation], Iterator[Examined]], ...] = (
    _engine,
    _libraries,
    _settings,
    _signing_key,
    _versions,
    _folder_of_versions,
    _disk,
    _state,
    _seeds,
)
"""What is looked at, in order; a new kind is one function more."""
