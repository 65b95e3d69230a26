"""`tagger doctor`: what of an installation works, and what to do about the rest."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from tagger.cli.options import Json, Models

State = Literal["ok", "note", "broken"]

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)[^;]*(?:;.*\bextra == ['\"](?P<extra>\w+)['\"])?")


@dataclass(frozen=True, slots=True)
class Examined:
    """A part of the installation: in order, worth a note, or broken; `remedy` says what to do, where there is need."""

    part: str
    state: State
    found: str
    remedy: str | None = None


def doctor(*, json: Json = None, models: Models = Path("models")) -> int:
    """Say whether this installation works: engine, libraries, extras, the live version and the folder of versions.

    Nothing is changed. The exit code is 1 where something is broken.

    Example: tagger doctor
    """
    from tagger.cli import output

    examined = [found for examine in EXAMINATIONS for found in examine(models)]
    if output.as_json(json):
        output.write_json_lines(map(asdict, examined))
    else:
        for found in examined:
            output.write(f"{found.state:<7} {found.part}: {found.found}", style=_STYLES[found.state])
            if found.remedy:
                output.write(f"        {found.remedy}")
    return int(any(found.state == "broken" for found in examined))


_STYLES: dict[State, str | None] = {"ok": None, "note": "yellow", "broken": "bold red"}


def _engine(_models: Path) -> Iterator[Examined]:
    from tagger.engine import engine_name

    engine = engine_name()
    slow = "It gives the same tags, more slowly. With a C compiler here, install tagger again: scripts/setup"
    yield Examined("engine", "ok" if engine == "compiled" else "note", engine, slow if engine == "numpy" else None)


def _libraries(_models: Path) -> Iterator[Examined]:
    for requirement in metadata.requires("tagger") or ():
        found = _REQUIREMENT.match(requirement)
        if found is None or found["extra"] == "dev":
            continue
        name, extra = found["name"], found["extra"]
        part = f"extra {extra}" if extra else "library"
        try:
            yield Examined(part, "ok", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            state: State = "note" if extra else "broken"
            yield Examined(part, state, f"{name} is not installed", f"Install it: scripts/setup {extra or ''}".rstrip())


def _live_version(models: Path) -> Iterator[Examined]:
    from tagger.errors import TaggerError
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    try:
        version = Registry(models).live()
        version.check()  # also the files that tagging does not read
        themes = len(Tagger.load(version).themes)
    except TaggerError as error:  # which says what to do
        yield Examined("live version", "broken", str(error))
    else:
        files = len(version.manifest["files"])
        yield Examined("live version", "ok", f"{version.name}, {themes} themes, all {files} files as they were saved")


def _folder(models: Path) -> Iterator[Examined]:
    there = next(folder for folder in (models.absolute(), *models.absolute().parents) if folder.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        yield Examined("folder of versions", "ok", f"{models} can be written")
    else:
        remedy = "Training and promoting need it: open it to this user, or name another with TAGGER_MODELS."
        yield Examined("folder of versions", "note", f"{there} cannot be written", remedy)


EXAMINATIONS: tuple[Callable[[Path], Iterator[Examined]], ...] = (_engine, _libraries, _live_version, _folder)
"""What is looked at, in order; a new kind is one function more."""
