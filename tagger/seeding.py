"""From pages to seeds: releases cut from a page are written as labelled documents, and confirmed by people."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from tagger.corpus import THEMES_FILE, read_seeds
from tagger.documents import Document, Release, Unreadable
from tagger.errors import InputError, OutputError
from tagger.readers import DEFAULT_LIMIT, read_path
from tagger.readers.jsonl import json_object
from tagger.releases import Cut, cut
from tagger.themes import load_cards

ADDED = "added"
"""The folder below the seeds that added pages go to, one file of JSON lines each."""

Suggest = Callable[[Release], Sequence[str]]
"""Proposes themes for a release."""


@dataclass(frozen=True, slots=True)
class Added:
    """The file written for a page, and the seeds in it."""

    path: Path
    records: tuple[dict[str, Any], ...]


def add_pages(
    seeds: Path,
    pages: Iterable[Document],
    themes: Sequence[str] | Suggest,
    *,
    release: int | None = None,
    cut_page: Callable[[str], Cut] = cut,
) -> list[Added]:
    """Write the releases of pages as seeds, all with the same themes, or with what is suggested for each, unreviewed.

    `release` writes only the release of that number, counted from 1. All pages are written or none. Raises
    InputError for unknown themes, a page without releases or a number it does not have, OutputError where there
    are seeds of that name already.
    """
    if not callable(themes):
        check_themes(seeds, themes)
    added = [_added(seeds, page, themes, release, cut_page(page.text)) for page in pages]
    _check_new(seeds, added)
    _write([(one.path, one.records) for one in added])
    return added


def confirm(seeds: Path, path: Path, ids: Sequence[str] = (), themes: Sequence[str] | None = None) -> int:
    """Mark suggested seeds of a file of JSON lines as reviewed, all of them or those of the given ids; return how many.

    `themes` replaces what was suggested for them. Raises InputError where the file is no JSON lines, has no such
    unreviewed seed, or one has an unknown theme.
    """
    records = _records(path)
    waiting = {str(record.get("id")): record for record in records if record.get("reviewed") is False}
    unknown = [identifier for identifier in ids if identifier not in waiting]
    if unknown or not waiting:
        left = ", ".join(waiting) or "none"
        raise InputError(f"{path} has no unreviewed seed {', '.join(unknown) or 'at all'}; unreviewed are: {left}.")
    confirmed = set(ids or waiting)
    for identifier in confirmed:
        del waiting[identifier]["reviewed"]
        if themes is not None:
            waiting[identifier]["themes"] = list(themes)
        check_themes(seeds, waiting[identifier].get("themes") or ())
    _write([(path, records)])
    return len(confirmed)


def check_themes(seeds: Path, themes: Iterable[str]) -> None:
    """Raise InputError unless every theme has a card."""
    known = [card.id for card in load_cards(seeds / THEMES_FILE)]
    for theme in themes:
        if theme not in known:
            near = get_close_matches(theme, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(f"There is no theme {theme!r}.{hint} Known are: {', '.join(known)}.")


def read_page(path: Path, limit: int = DEFAULT_LIMIT) -> Document:
    """Return the one page a file holds. Raises InputError where it cannot be read or is a table of records."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; give its pages one by one, such as {path}/*.txt")
    item = next(read_path(path, limit), None)
    if isinstance(item, Document) and item.raw_page:
        return item
    problem = item.message if isinstance(item, Unreadable) else "It holds records, not one page."
    raise InputError(f"{path} cannot be added as a page. {problem}")


def _added(seeds: Path, page: Document, themes: Sequence[str] | Suggest, release: int | None, found: Cut) -> Added:
    # A front matter's id may be anything; a file whose name begins with a dot would never be read.
    stem = Path(page.id).stem.lstrip(".") or "page"
    records = [
        _seed(f"{stem}#{number}", page, found.releases[number - 1], themes)
        for number in _chosen(found, release, page.id)
    ]
    records[0]["furniture"] = _furniture(page.text, found)
    suffix = "" if release is None else f"-{release}"
    return Added(seeds / ADDED / f"{stem}{suffix}.jsonl", tuple(records))


def _chosen(found: Cut, release: int | None, page: str) -> list[int]:
    count = len(found.releases)
    if not count:
        raise InputError(f"{page} holds no release, only site furniture. Give a page with text.")
    if release is None:
        return list(range(1, count + 1))
    if not 1 <= release <= count:
        raise InputError(f"{page} has no release {release}; it holds {count}. See them: tagger split {page}")
    return [release]


def _seed(identifier: str, page: Document, release: Release, themes: Sequence[str] | Suggest) -> dict[str, Any]:
    known = {
        "title": release.title,
        "date": release.date,
        "office": release.office,
        "kind": release.kind,
        "source": page.metadata.get("source"),
    }
    return {
        "id": identifier,
        **{name: value for name, value in known.items() if value},
        "page": page.id,
        "start": release.start,
        "end": release.end,
        "text": release.text,
        **({"themes": list(themes(release)), "reviewed": False} if callable(themes) else {"themes": list(themes)}),
    }


def _furniture(page: str, found: Cut) -> str:
    """Return what the cut took off as furniture, for training to learn from."""
    return "\n\n".join(page[removal.start : removal.end] for removal in found.removed)


def _check_new(seeds: Path, added: Sequence[Added]) -> None:
    """Raise OutputError where a file to be written exists, or a seed of one of the new ids, be it among the new."""
    used = {item.id: item.where for item in read_seeds(seeds) if isinstance(item, Document)}
    for one in added:
        if one.path.exists():
            raise OutputError(
                f"{one.path} exists already: the page was added before. Edit that file, or remove it first."
            )
        for identifier in (record["id"] for record in one.records):
            if identifier in used:
                raise OutputError(
                    f"There is a seed {identifier!r} already ({used[identifier]}): this release was added before, or "
                    "another page has the same name. Remove that seed, or give the page another name."
                )
            used[identifier] = f"{ADDED}/{one.path.name}"


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        return [json_object(line) for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}). Give a file that `tagger seeds add` wrote."
        ) from error
    except ValueError as error:
        raise InputError(
            f"{path} cannot be read as JSON lines: it {error}. Give a file that `tagger seeds add` wrote."
        ) from error


def _write(files: Sequence[tuple[Path, Sequence[dict[str, Any]]]]) -> None:
    """Write files of JSON lines, all or none: each beside its place first."""
    path = Path()
    try:
        with ExitStack() as cleanup:
            for path, records in files:
                path.parent.mkdir(parents=True, exist_ok=True)
                beside = _beside(path)
                cleanup.callback(beside.unlink, missing_ok=True)
                with beside.open("wb") as stream:
                    stream.writelines(msgspec.json.encode(record) + b"\n" for record in records)
                    stream.flush()
                    os.fsync(stream.fileno())
            for path, _ in files:
                _beside(path).replace(path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")
