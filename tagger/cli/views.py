"""How people see releases and tags on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tagger.cli.output import write, write_table

if TYPE_CHECKING:
    from tagger.decisions import Caution
    from tagger.documents import Document
    from tagger.places import Place
    from tagger.releases import Cut
    from tagger.tagging import Tag, Tagged

SHOWN_TERMS = 8
"""Terms of evidence shown per tag; a pipe gets them all."""

SHOWN_SENTENCES = 3
SHOWN_AGAINST = 3
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
    """Print the tags of a document, with whatever else was wanted of them."""
    write(f"{tagged.id}{f': {tagged.title}' if tagged.title else ''}  [{tagged.version}]", style="bold")
    if tagged.caution:
        write(_CAUTIONS[tagged.caution])
    rows = [
        (tag.theme, f"{tag.probability:.3f}", f"{tag.threshold:.3f}", _auto(tag), tag.decision, _words(tag.reason))
        for tag in (tagged.scores or tagged.tags)
    ]
    if rows:
        write_table(("theme", "probability", "from", "auto from", "decision", "reason"), rows, _FIGURES)
    else:
        write("no theme could be told" if tagged.caution else "no theme")
    for tag in tagged.tags:
        _show_evidence(tag)
        _show_counterfactual(tag)
        _show_teachers(tag)
    for tag in tagged.near_misses:
        _show_miss(tag)
    write("")


_CAUTIONS: dict[Caution, str] = {
    "too_short": "Too short to be sure: themes are for review.",
    "out_of_domain": "Unlike the seeds: themes are for review.",
    "language": "Not in the language of the seeds: themes are for review.",
}


_FIGURES = ("probability", "from", "auto from")


def _auto(tag: Tag) -> str:
    return "never" if tag.auto_threshold is None else f"{tag.auto_threshold:.3f}"


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _show_evidence(tag: Tag) -> None:
    if not tag.evidence:
        return
    evidence = tag.evidence
    parts = f"bias {evidence.bias:+.2f}, card {evidence.card:+.2f}, learned {evidence.learned:+.2f}"
    write(f"\n{tag.theme}: score {evidence.score:+.3f} = {parts}")
    rows = [
        (term.term, f"{term.share:+.3f}", f"{term.card:+.3f}", f"{term.learned:+.3f}", _places(places))
        for term, places in list(zip(evidence.terms, tag.term_places, strict=True))[:SHOWN_TERMS]
    ]
    if more := evidence.terms[SHOWN_TERMS:]:
        card, learned = sum(term.card for term in more), sum(term.learned for term in more)
        rows.append((f"{len(more)} more", f"{card + learned:+.3f}", f"{card:+.3f}", f"{learned:+.3f}", ""))
    write_table(("term", "share", "card", "learned", "where"), rows, ("share", "card", "learned"))
    shares = zip(evidence.sentences, tag.sentence_places, strict=True)
    ranked = sorted(shares, key=lambda pair: -pair[0].share)
    sentences = [(_places(at), f"{part.share:+.3f}") for part, at in ranked[:SHOWN_SENTENCES]]
    if others := [part.share for part, _ in ranked[SHOWN_SENTENCES:]]:
        sentences.append((f"{len(others)} more", f"{sum(others):+.3f}"))
    write_table(("sentence", "share"), sentences, ("share",))


def _show_counterfactual(tag: Tag) -> None:
    if tag.without:
        where = _places(tag.without.sentences)
        write(f"\n{tag.theme}: not given without {where}, where its probability is {tag.without.probability:.3f}")


def _show_teachers(tag: Tag) -> None:
    if tag.taught_by is not None:
        rows = [
            (seed.id, "has it" if seed.has_theme else "lacks it", f"{seed.share:+.3f}", seed.title or "")
            for seed in tag.taught_by
        ]
        write(f"\n{tag.theme}: the seeds its score goes back to")
        write_table(("seed", "theme", "share", "title"), rows, ("share",))


def _show_miss(tag: Tag) -> None:
    if tag.why_not:
        against = tag.why_not.against[:SHOWN_AGAINST]
        terms = ", ".join(f"{term.term} {term.share:+.3f}" for term in against)
        lacks = f"{tag.probability:.3f} of {tag.threshold:.3f}, its score lacks {tag.why_not.gap:.3f}"
        write(f"\nnot {tag.theme}: {lacks}{f'; held down by {terms}' if terms else ''}")


def _places(places: Sequence[Place]) -> str:
    shown = (f"{'title:' if place.part == 'title' else ''}{place.start}-{place.end}" for place in places[:SHOWN_PLACES])
    return " ".join(shown)
