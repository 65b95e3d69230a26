"""From pages to seeds: releases cut from a page become labelled documents, which people confirm and correct."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from tagger.checked import CHECKED_FILE, checked_file
from tagger.corpus import THEMES_FILE, is_reviewed, read_seeds, seed_files, stated_themes, text_key
from tagger.documents import Document, Release, Unreadable
from tagger.errors import InputError, OutputError
from tagger.files import locked, replace_file, replace_files
from tagger.readers import DEFAULT_LIMIT, read_path
from tagger.readers.jsonl import json_object
from tagger.releases import Cut, cut
from tagger.rewriting import check_rewritten, with_themes
from tagger.themes import did_you_mean, load_cards

ADDED = "added"
"""The folder below the seeds that added pages go to, one file of JSON lines each."""

Suggest = Callable[[Release], Sequence[str]]
"""Proposes themes for a release."""


@dataclass(frozen=True, slots=True)
class Added:
    """The file written for a page, and the seeds in it."""

    path: Path
    records: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A seed's themes before and after, and where it stands; the copies of its text in `where` were corrected too."""

    where: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


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
    with locked(seeds):
        _check_new(seeds, added)
        replace_files({one.path: _json_lines(one.records) for one in added})
    return added


def confirm(seeds: Path, path: Path, ids: Sequence[str] = (), themes: Sequence[str] | None = None) -> int:
    """Mark suggested seeds of a file of JSON lines as reviewed, all of them or those of the given ids; return how many.

    `themes` replaces what was suggested for them. Raises InputError where the file is no JSON lines, has no such
    unreviewed seed, or one has an unknown theme.
    """
    with locked(seeds):
        return _confirm(seeds, path, ids, themes)


def correct(
    seeds: Path,
    identifier: str,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    themes: Sequence[str] | None = None,
    keep: Sequence[str] = (),
) -> Corrected:
    """Give a seed other themes, in whatever file it stands; every other byte of the file stays.

    `themes` takes the place of what it has, before `add` and `remove`. `keep` records of themes that the seed has
    them rightly, or rightly has not, so that they are not doubted again. Raises InputError for unknown themes, an id
    that no seed has or two have, and a file that cannot be changed safely.
    """
    check_themes(seeds, [*add, *remove, *(themes or ()), *keep])
    with locked(seeds):
        found = _with_text_of(seeds, identifier)
        before = list(stated_themes(found[0].document))
        after = [*dict.fromkeys([*(before if themes is None else themes), *add])]
        after = [theme for theme in after if theme not in remove]
        given = set(after) & set(keep)
        judged = checked_file(seeds, identifier, sorted(given), sorted(set(keep) - given)) if keep else None
        _correct(found, after)
        if judged:
            replace_file(seeds / CHECKED_FILE, judged.encode())
    return Corrected(tuple(item.document.where for item in found), tuple(before), tuple(after))


@dataclass(frozen=True, slots=True)
class _Found:
    path: Path
    name: str
    document: Document


def _with_text_of(seeds: Path, identifier: str) -> list[_Found]:
    """Return the seed of an id, and behind it those with the same text, which must have the same themes."""
    every = list(_seed_documents(seeds))
    found = _only(seeds, every, identifier)
    key = text_key(found.document)
    copies = [item for item in every if text_key(item.document) == key and is_reviewed(item.document)]
    alike = [found, *(item for item in copies if item.document.id != identifier)]
    for item in alike:
        if not isinstance(stated_themes(item.document), list):
            raise InputError(
                f"{item.document.where}: the seed {item.document.id!r} states no themes that could be corrected. "
                "Write them there: tagger seeds check says how."
            )
    return alike


def _only(seeds: Path, every: Sequence[_Found], identifier: str) -> _Found:
    found = [item for item in every if item.document.id == identifier]
    if not found:
        near = did_you_mean(identifier, [item.document.id for item in every])
        raise InputError(
            f"No seed below {seeds} has the id {identifier!r}. {near}Files that cannot be read: tagger seeds check"
        )
    if len(found) > 1:
        places = " and ".join(item.document.where for item in found)
        raise InputError(f"The id {identifier!r} stands at {places}. Give one of them another id.")
    if not is_reviewed(found[0].document):
        raise InputError(
            f"The seed {identifier!r} ({found[0].document.where}) is an unreviewed suggestion. "
            f"Confirm it instead: {shlex.join(['tagger', 'seeds', 'confirm', str(found[0].path), identifier])}"
        )
    return found[0]


def _seed_documents(seeds: Path) -> Iterator[_Found]:
    for path in seed_files(seeds):
        name = path.relative_to(seeds).as_posix()
        for item in read_path(path, name=name):
            if isinstance(item, Document):
                yield _Found(path, name, replace(item, where=f"{seeds}/{item.where}"))


def _correct(found: Sequence[_Found], themes: Sequence[str]) -> None:
    """Write the files in which these seeds stand, where they have other themes."""
    changes: dict[Path, dict[str, Sequence[str]]] = {}
    names = {item.path: item.name for item in found}
    for item in found:
        if stated_themes(item.document) != themes:
            changes.setdefault(item.path, {})[item.document.id] = themes
    contents = {path: with_themes(path, names[path], change) for path, change in changes.items()}
    replace_files(contents, lambda path, beside: check_rewritten(path, beside, names[path], changes[path]))


def _confirm(seeds: Path, path: Path, ids: Sequence[str], themes: Sequence[str] | None) -> int:
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
    replace_file(path, _json_lines(records))
    return len(confirmed)


def check_themes(seeds: Path, themes: Iterable[str]) -> None:
    """Raise InputError unless every theme has a card."""
    known = [card.id for card in load_cards(seeds / THEMES_FILE)]
    for theme in themes:
        if theme not in known:
            hint = did_you_mean(theme, known)
            raise InputError(f"There is no theme {theme!r}. {hint}Known are: {', '.join(known)}.")


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


def _json_lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)
