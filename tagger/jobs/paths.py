"""Texts that may be read elsewhere, and do not tell where on this machine things are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def without_paths(text: str, folders: Mapping[str, Path]) -> str:
    """Return a text that calls folders by their names.

    >>> without_paths("/srv/press/seeds/a.jsonl:3: no text.", {"seeds": Path("/srv/press/seeds")})
    'seeds/a.jsonl:3: no text.'
    """
    forms = {str(form): name for name, path in folders.items() for form in (path, path.absolute(), path.resolve())}
    for form in sorted(forms, key=len, reverse=True):
        if "/" in form.strip("/"):
            text = text.replace(form, forms[form])
    return text
