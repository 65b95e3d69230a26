"""A record of a stream or a table becomes a document."""

from __future__ import annotations

from typing import Any

from tagger.documents import Document, Unreadable


def document(fields: dict[str, Any], name: str, line: int) -> Document | Unreadable:
    """Return the document of a record: `id`, `title` and `text`, and all other fields as metadata.

    >>> tariffs = document({"text": "Tariffs fall.", "office": "Trade"}, "june.csv", 2)
    >>> tariffs.id, tariffs.metadata
    ('june.csv:2', {'office': 'Trade'})
    """
    record_id = fields.pop("id", None)
    if record_id in (None, ""):
        record_id = f"{name}:{line}"
    elif isinstance(record_id, bool) or not isinstance(record_id, str | int):
        return unreadable(name, line, f"`id` is {_shown(record_id)}; it should be text or a whole number.")
    title, text = fields.pop("title", None), fields.pop("text", None)
    if problem := _problem(title, text):
        return Unreadable(str(record_id), f"{name}, line {line}: {problem}")
    return Document(str(record_id), text, title, fields, where=f"{name}, line {line}")


def unreadable(name: str, line: int, problem: str) -> Unreadable:
    """Return the report of a record that has no id of its own."""
    return Unreadable(f"{name}:{line}", f"{name}, line {line}: {problem}")


def _problem(title: object, text: object) -> str | None:
    if text is None:
        return "`text` is missing; a document needs it."
    if not isinstance(text, str):
        return f"`text` is {_shown(text)}; it should be text."
    if not text.strip():
        return "`text` is empty; a document needs some."
    if title is not None and not isinstance(title, str):
        return f"`title` is {_shown(title)}; it should be text."
    return None


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
