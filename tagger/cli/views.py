"""How people see releases and tags on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tagger.cli.output import write, write_table

if TYPE_CHECKING:
    from tagger.documents import Document
    from tagger.releases import Cut
    from tagger.tagging import Place, Tag, Tagged

SHOWN_TERMS = 8
"""Terms of evidence shown per tag; a pipe gets them all."""

SHOWN_PLACES = 6
"""Places shown per term."""


def show_cut(page: Document, found: Cut) -> None:
    """Print the releases of a page and what was taken away."""
    write(f"{page.id}: {len(found.releases)} release{'s' if len(found.releases) != 1 else ''}", style="bold")
    for number, release in enumerate(found.releases, 1):
        header = "  ".join(part for part in (release.date, release.office, release.kind) if part)
        write(f"  {number}. {release.title or '(no title)'}")
        write(f"     {release.start}-{release.end}  {header}", style="dim")
    inside = (removal for release in found.releases for removal in release.removed if removal.kind != "header")
    for removal in (*found.removed, *inside):
        excerpt = " ".join(page.text[removal.start : removal.end].split())
        write(f"  - {removal.kind} {removal.start}-{removal.end}: {excerpt[:90]}", style="dim")


def show_tagged(tagged: Tagged) -> None:
    """Print the tags of a document, with their evidence and the nearest misses where these are known."""
    write(f"{tagged.id}{f': {tagged.title}' if tagged.title else ''}  [{tagged.version}]", style="bold")
    rows = [
        (tag.theme, tag.label, f"{tag.probability:.3f}", f"{tag.threshold:.3f}", tag.decision or "")
        for tag in (tagged.scores or tagged.tags)
    ]
    if rows:
        write_table(("theme", "label", "probability", "threshold", "decision"), rows, ("probability", "threshold"))
    else:
        write("no theme")
    for tag in tagged.tags:
        _show_evidence(tag)
    if tagged.near_misses:
        misses = ", ".join(f"{tag.theme} {tag.probability:.3f} of {tag.threshold:.3f}" for tag in tagged.near_misses)
        write(f"\nnearest misses: {misses}")
    write("")


def _show_evidence(tag: Tag) -> None:
    if not tag.evidence:
        return
    evidence = tag.evidence
    parts = f"bias {evidence.bias:+.2f}, card {evidence.card:+.2f}, learned {evidence.learned:+.2f}"
    write(f"\n{tag.theme}: score {evidence.score:+.3f} = {parts}")
    rows = [
        (term.term, f"{term.share:+.3f}", f"{term.card:+.3f}", f"{term.learned:+.3f}", _places(places))
        for term, places in list(zip(evidence.terms, tag.places, strict=True))[:SHOWN_TERMS]
    ]
    write_table(("term", "share", "card", "learned", "where"), rows, ("share", "card", "learned"))


def _places(places: Sequence[Place]) -> str:
    shown = (f"{'title:' if place.part == 'title' else ''}{place.start}-{place.end}" for place in places[:SHOWN_PLACES])
    return " ".join(shown)
