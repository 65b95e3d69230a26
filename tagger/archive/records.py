"""What an archive's output says of a document: the records of its tags, or why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any

from tagger.documents import Document, Unreadable
from tagger.tagging import Tagged, Tagger

Item = Document | Unreadable


TOGETHER = 100
"""Documents that are tagged together."""


def records_of(
    items: Iterator[Item], position: int, tagger: Tagger, split: bool | None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the record of each document, or of each of its releases; there is always one.

    The first document is the `position`th of the input.
    """
    while some := list(islice(items, TOGETHER)):
        tagged = tagger.tag_many([item for item in some if isinstance(item, Document) and not _is_cut(item, split)])
        for place, item in enumerate(some, position):
            if isinstance(item, Unreadable):
                yield [_error_record(place, item.id, tagger, item.message)]
            else:
                found = tagger.tag_page(item) if _is_cut(item, split) else [next(tagged)]
                yield _records(item, place, found, tagger)
        position += len(some)


def _is_cut(document: Document, split: bool | None) -> bool:
    return document.raw_page if split is None else split


def _records(item: Document, position: int, found: Iterable[Tagged], tagger: Tagger) -> list[dict[str, Any]]:
    known = {"content_hash": content_hash(item)}
    records = [{"position": position, **tagged.as_record(), **known} for tagged in found]
    nothing = f"{item.id} holds site furniture only, no release."
    return records or [_error_record(position, item.id, tagger, nothing) | known]


def content_hash(item: Item) -> str:
    """Return a digest of title and text; nothing for what could not be read."""
    if isinstance(item, Unreadable):
        return ""
    digest = blake2b(f"{item.title or ''}\0".encode(errors="surrogatepass"), digest_size=8)
    digest.update(item.text.encode(errors="surrogatepass"))
    return digest.hexdigest()


def _error_record(position: int, identifier: str, tagger: Tagger, message: str) -> dict[str, Any]:
    return {"position": position, "id": identifier, "tags": [], "version": tagger.version, "error": message}
