"""From pages to seeds: releases cut from a page are written as labelled documents, and confirmed by people."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from tagger.corpus import THEMES_FILE
from tagger.documents import Document, Release
from tagger.errors import InputError, OutputError
from tagger.readers import DEFAULT_LIMIT, read_path
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


def add_page(
    seeds: Path,
    page: Document,
    themes: Sequence[str] | Suggest,
    *,
    release: int | None = None,
    cut_page: Callable[[str], Cut] = cut,
) -> Added:
    """Write the releases of a page as seeds, all with the same themes, or with what is suggested for each, unreviewed.

    `release` writes only the release of that number, counted from 1. Raises InputError for unknown themes, a page
    without releases or a number it does not have, OutputError where a file of that page's seeds exists already.
    """
    found = cut_page(page.text)
    if not found.releases:
        raise InputError(f"{page.id} holds no release, only site furniture. Give a page with text.")
    chosen = _chosen(found.releases, release, page.id)
    if not callable(themes):
        check_themes(seeds, themes)
    stem = Path(page.id).stem
    records = []
    for number in chosen:
        cut_release = found.releases[number - 1]
        labels = (
            {"themes": list(themes(cut_release)), "reviewed": False} if callable(themes) else {"themes": list(themes)}
        )
        records.append(_seed(f"{stem}#{number}", page, cut_release, labels))
    records[0]["furniture"] = _furniture(page.text, found)
    suffix = "" if release is None else f"-{release}"
    return Added(_write_new(seeds / ADDED / f"{stem}{suffix}.jsonl", records), tuple(records))


def confirm(path: Path, ids: Sequence[str] = ()) -> int:
    """Mark suggested seeds of a file of JSON lines as reviewed, all of them or those of the given ids; return how many.

    Raises InputError where the file is no JSON lines or has no such unreviewed seed.
    """
    try:
        records = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(
            f"{path} cannot be read as JSON lines ({error}). Give a file that `tagger seeds add` wrote."
        ) from error
    waiting = {record["id"]: record for record in records if record.get("reviewed") is False}
    unknown = [identifier for identifier in ids if identifier not in waiting]
    if unknown or not waiting:
        raise InputError(
            f"{path} has no unreviewed seed {', '.join(unknown) or 'at all'}; unreviewed are: {', '.join(waiting) or 'none'}."
        )
    for identifier in ids or waiting:
        del waiting[identifier]["reviewed"]
    _write(path, records)
    return len(ids or waiting)


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
    items = list(read_path(path, limit=limit))
    if len(items) != 1 or not isinstance(items[0], Document) or not items[0].raw_page:
        problem = next(
            (item.message for item in items if not isinstance(item, Document)), "it holds records, not one page"
        )
        raise InputError(f"{path} cannot be added as a page: {problem}")
    return items[0]


def _chosen(releases: Sequence[Release], release: int | None, page: str) -> list[int]:
    if release is None:
        return list(range(1, len(releases) + 1))
    if not 1 <= release <= len(releases):
        raise InputError(f"{page} has no release {release}; it holds {len(releases)}. See them: tagger split {page}")
    return [release]


def _seed(identifier: str, page: Document, release: Release, labels: dict[str, Any]) -> dict[str, Any]:
    known = {
        "title": release.title,
        "date": release.date,
        "office": release.office,
        "kind": release.kind,
    }
    return {
        "id": identifier,
        **{name: value for name, value in known.items() if value},
        "page": page.id,
        "start": release.start,
        "end": release.end,
        "text": release.text,
        **labels,
    }


def _furniture(page: str, found: Cut) -> str:
    """Return what the cut took off as furniture, for training to learn from."""
    return "\n\n".join(page[removal.start : removal.end] for removal in found.removed)


def _write_new(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    if path.exists():
        raise OutputError(f"{path} exists already: this page was added before. Edit that file, or remove it first.")
    _write(path, records)
    return path


def _write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            stream.writelines(msgspec.json.encode(record) + b"\n" for record in records)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
