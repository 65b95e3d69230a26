"""What versions can be compared on: the seeds, and the files of a folder, by their names."""

from __future__ import annotations

import os
from pathlib import Path

from tagger.errors import InputError
from tagger.readers import READERS, suffix_of

SEEDS = "seeds"
"""What the training documents are called here."""

MOST_NAMED = 20
"""Archives that are named where another one is asked for."""


def archive_names(archives: Path) -> list[str]:
    """Return the names that a comparison may be asked for on: the seeds, and the files of a folder."""
    try:
        with os.scandir(archives) as entries:
            files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError:
        files = []
    known = (name for name in files if suffix_of(Path(name)) in READERS and name.isprintable())
    return [SEEDS, *sorted(name for name in known if not name.startswith("."))]


def check_archive(on: str, archives: Path) -> None:
    """Raise InputError where there is no such name."""
    known = archive_names(archives)
    if on not in known:
        more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
        raise InputError(f"There is no archive {on[:100]!r}; known are: {', '.join(known[:MOST_NAMED])}{more}.")
