"""Pages of plain text or Markdown, one document each, with YAML front matter if the file opens with it.

Offsets into a document's text count from after the front matter; without any, the text is the file, its
line ends untouched.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from tagger.documents import Document, Unreadable
from tagger.readers.streams import READ_FAILURES, OverLimit, decoded, page

if TYPE_CHECKING:
    from yaml import Node

MAX_DEPTH = 50
"""How deep front matter may nest."""

FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
"""Front matter at the beginning of a page; its fields are the first group."""


def read(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
    """Yield the one document of a page."""
    try:
        text = decoded(page(stream, limit))
        front_matter = FRONT_MATTER.match(text)
        metadata = _metadata(front_matter[1]) if front_matter else {}
        yield _document(name, text[front_matter.end() :] if front_matter else text, metadata)
    except (OverLimit, ValueError) as error:
        yield Unreadable(name, f"{name} {error}.")
    except READ_FAILURES as error:
        yield Unreadable(name, f"{name} cannot be read ({error}).")


def _document(name: str, text: str, metadata: dict[str, Any]) -> Document:
    document_id, title = metadata.pop("id", None), metadata.pop("title", None)
    for field, value in (("id", document_id), ("title", title)):
        if isinstance(value, dict | list):
            raise ValueError(f"has front matter whose {field!r} is {value!r}; it should be text")
    if not text.strip():
        raise ValueError("holds no text; a document needs some")
    document_id = name if document_id in (None, "") else str(document_id)
    return Document(document_id, text, None if title is None else str(title), metadata, raw_page=True, where=name)


def _metadata(text: str) -> dict[str, Any]:
    """Return the fields of front matter, each value one that JSON can hold."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_shape(text, loader)
        node = yaml.compose(text, loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ValueError(
            f"has front matter that is not YAML, at line {mark.line + 2 if mark else 1} ({reason}); "
            "put a value in quotes if it has a colon or a bracket in it"
        ) from None
    fields = {} if node is None else _plain(node)
    if not isinstance(fields, dict):
        raise ValueError("has front matter, from line 2, that is no list of `field: value` lines")
    return fields


def _check_shape(text: str, loader: Any) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        # The C loader recurses for each level; an alias can stand for any number of copies.
        if depth > MAX_DEPTH:
            raise ValueError(f"has front matter nested over {MAX_DEPTH} levels deep; flatten it")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"has front matter with an alias, *{event.anchor}; write the value out")


def _plain(node: Node) -> Any:
    from yaml import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        return {str(_plain(key)): _plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_plain(item) for item in node.value]
    return _SCALARS.get(node.tag.rpartition(":")[2], str)(node.value)


def _integer(text: str) -> int | str:
    try:
        number = int(text)
    except ValueError:
        return text
    return number if abs(number) < 2**63 else text


def _number(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


# A date stays as it is written: YAML knows only ISO 8601 as one.
_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() in ("yes", "true", "on"),
    "int": _integer,
    "float": _number,
}
