"""What people looked at among the seeds and found right as it is, in a file beside them: it is not doubted again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tagger.errors import InputError
from tagger.readers.jsonl import json_object

CHECKED_FILE = "checked.yaml"
"""Its ending keeps it from being read as seeds; its lines are YAML and JSON alike, one for each seed."""

HEAD = """\
# Seeds that a person looked at: the themes they rightly have (given), and rightly do not have (not_given).
# `tagger seeds doubt` does not ask about these again. Written by `tagger seeds correct ID --keep THEMES`.
"""
_ITEM = "- "

Checked = Mapping[str, Mapping[str, bool]]
"""For ids of seeds the themes that were judged: whether the seed rightly has them."""


def load_checked(folder: Path) -> Checked:
    """Return what was checked among the seeds below a folder. Raises InputError that names the line it cannot read."""
    path = folder / CHECKED_FILE
    checked: dict[str, dict[str, bool]] = {}
    for number, line in enumerate(_lines(path), 1):
        if line.strip() and not line.startswith("#"):
            identifier, judged = _entry(path, number, line)
            checked.setdefault(identifier, {}).update(judged)
    return checked


def checked_file(folder: Path, identifier: str, given: Collection[str], not_given: Collection[str]) -> str:
    """Return the content of the file with one more judgement; lines of other seeds and comments are as they were."""
    judged = dict(load_checked(folder).get(identifier, {}))
    judged |= dict.fromkeys(given, True) | dict.fromkeys(not_given, False)
    path = folder / CHECKED_FILE
    lines = _lines(path) or HEAD.splitlines()
    kept = [line for number, line in enumerate(lines, 1) if not _is_of(path, number, line, identifier)]
    entry = {
        "id": identifier,
        "given": [theme for theme, has in judged.items() if has],
        "not_given": [theme for theme, has in judged.items() if not has],
    }
    return "\n".join([*kept, f"{_ITEM}{json.dumps(entry, ensure_ascii=False)}"]) + "\n"


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines: an id may hold one of the rarer line ends.
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Mend it, or take it away.") from error


def _is_of(path: Path, number: int, line: str, identifier: str) -> bool:
    return line.startswith(_ITEM) and _entry(path, number, line)[0] == identifier


def _entry(path: Path, number: int, line: str) -> tuple[str, dict[str, bool]]:
    try:
        if not line.startswith(_ITEM):
            raise ValueError(f"does not begin with {_ITEM!r}")
        entry = json_object(line.removeprefix(_ITEM).encode())
        given, not_given = _themes(entry.get("given", [])), _themes(entry.get("not_given", []))
        return str(entry["id"]), dict.fromkeys(given, True) | dict.fromkeys(not_given, False)
    except (ValueError, KeyError) as error:
        what = "has no id" if isinstance(error, KeyError) else str(error)
        expected = f'{_ITEM}{{"id": "seed-1", "given": ["trade"], "not_given": []}}'
        raise InputError(f"{path}, line {number} {what}. Expected a line such as {expected}") from error


def _themes(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(theme, str) for theme in value):
        raise ValueError(f"has {value!r} for a list of themes")
    return value
