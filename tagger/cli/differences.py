"""`tagger models diff`: what another version would change on an archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tagger.cli.options import Json, Models, check_inputs

if TYPE_CHECKING:
    from tagger.differences import Differences

SHOWN_TERMS = 4
"""Terms shown per flip; a pipe gets more."""

LEAST_SHOWN = 0.005
"""Other changes of a margin are shown from here on, where two digits do."""


def diff(
    before: str,
    after: str,
    /,
    *,
    on: Annotated[list[str], Parameter(consume_multiple=True, negative=())],
    most: int = 3,
    workers: int | None = None,
    json: Json = None,
    models: Models = Path("models"),
) -> int:
    """Say what changes from one version to another: every tag gained or lost on an archive, and what made it so.

    Themes come by consequence, and so do the flips of each: first tags given or taken without a look, then those that
    need a look now or no longer, then those for review; among these, those whose probability moved most.

    Example: tagger models diff v0003 v0004 --on releases.jsonl.gz

    Parameters
    ----------
    on
        What `tagger archive` takes: JSON lines, CSV, Parquet, text, Markdown, HTML, folders; a pipe is --on=-
    most
        How many flips to show for each theme on a terminal; a pipe gets the 1,000 most consequential.
    workers
        How many processes compare; by default as many as there are cores, and one where that is sooner done.
    """
    from tagger.cli import output
    from tagger.differences import compare
    from tagger.readers import count_documents
    from tagger.registry import Registry

    check_inputs(on, "tagger models diff v0003 v0004 --on releases.jsonl")
    with output.ProgressLine() as line:
        total = sum(map(count_documents, on)) if line.redraws and "-" not in on else 0
        progress = output.DocumentProgress(line, total)
        progress(0, 0)
        found = compare(Registry(models), before, after, on, workers=workers, progress=progress)
    if output.as_json(json):
        output.write_json_lines([found.summary()])
        output.write_json_lines(found.as_records())
        output.write_json_lines(found.unreadable_records())
    else:
        _show(found, most)
    took = f"{output.counted(found.documents, 'document')} compared in {output.duration(line.seconds)}"
    output.say(f"{took}; {found.unreadable:,} could not be read." if found.unreadable else f"{took}.")
    return 1 if found.unreadable else 0


def _show(found: Differences, most: int) -> None:
    from tagger.cli import output

    summary = found.summary()
    for sentence in _sentences(summary):
        output.write(sentence)
    changed = [theme for theme in summary["themes"] if theme["consequence"]]
    if changed:
        output.write("")
        output.write_table(_HEAD, map(_row, changed), _HEAD[1:-1])
    settings = {theme["theme"]: theme["settings"] for theme in changed}
    for theme, flips in groupby(found.as_records(), key=lambda flip: str(flip["theme"])):
        output.write("")
        output.write(f"{theme}{_in_brackets(_settings(settings[theme]))}", style="bold")
        for flip in list(flips)[:most]:
            output.write(_headline(flip))
            output.write(f"    {_why(flip)}", style="dim")
    for record in found.unreadable_records():
        output.say(f"tagger: {record['error']}")


def _sentences(summary: Mapping[str, Any]) -> Iterator[str]:
    before, after = summary["before"], summary["after"]
    yield (
        f"{before} -> {after}: {summary['texts_changed']:,} of {summary['texts']:,} texts change; "
        f"{summary['gained']:,} tags gained, {summary['lost']:,} lost, {summary['to_auto']:,} from review to auto, "
        f"{summary['to_review']:,} from auto to review."
    )
    differs = summary["settings"]
    if seeds := differs.get("seeds"):
        kinds = [f"{seeds[kind]['count']:,} {kind}" for kind in _SEEDS if kind in seeds]
        yield f"Seeds: {seeds['before']:,} -> {seeds['after']:,}{_in_brackets(kinds)}."
    if others := [name for name in differs if name != "seeds"]:
        yield f"They differ in {', '.join(others)}, too."
    cut = summary["cut_otherwise"]
    if cut["pages"]:
        yield (
            f"{cut['pages']:,} pages are cut otherwise; {cut['only_before']:,} releases are found by {before} alone, "
            f"{cut['only_after']:,} by {after} alone."
        )


_SEEDS = ("added", "removed", "rewritten", "relabelled")
_HEAD = ("theme", "gained", "lost", "net", "to auto", "to review", "consequence", "")


def _row(theme: Mapping[str, Any]) -> tuple[str, ...]:
    counts = (f"{theme[name]:,}" for name in ("gained", "lost"))
    moved = (f"{theme[name]:,}" for name in ("to_auto", "to_review"))
    alone = "" if theme["in"] == "both" else f"only {theme['in']}"
    return theme["theme"], *counts, f"{theme['net']:+,}", *moved, f"{theme['consequence']:,.1f}", alone


def _settings(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, what in settings.items():
        if name == "card":
            yield "another card"
        else:
            yield f"{name.replace('_', ' ')} {_figure(what['before'])} -> {_figure(what['after'])}"


def _figure(value: float | None) -> str:
    return "never" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def _headline(flip: Mapping[str, Any]) -> str:
    title = f": {' '.join(flip['title'].split())}" if flip["title"] else ""
    states = " -> ".join(_state(flip[name]) for name in ("before", "after"))
    return f"  {flip['change'].replace('_', ' ')}  {states}  {flip['id']}{title}"


def _state(state: Mapping[str, Any] | None) -> str:
    if state is None:
        return "absent"
    return f"{state['decision']} {state['probability']:.3f} of {state['threshold']:.3f}"


def _why(flip: Mapping[str, Any]) -> str:
    """Return why a decision is another one; the figures sum up to the change of the margin."""
    cause = "" if flip["cause"] == "margin" else f"{flip['cause'].replace('_', ' ')}; "
    margin = flip["margin"]
    if margin is None:
        return cause.removesuffix("; ")
    terms, parts = margin["terms"][:SHOWN_TERMS], margin["parts"]
    of_terms = sum(term["change"] for term in margin["terms"]) + margin["others"]["change"]
    rest = {
        "other terms": of_terms - sum(term["change"] for term in terms),
        "bias and intercept": margin["change"] - of_terms - parts["threshold"],
        "threshold": parts["threshold"],
    }
    figures = [f"{term['term']} {term['change']:+.2f} ({_mainly(term)})" for term in terms]
    figures += [f"{name} {change:+.2f}" for name, change in rest.items() if abs(change) >= LEAST_SHOWN]
    goal = margin["to"].replace("_", " ")
    return f"{cause}margin to the {goal} {margin['before']:+.2f} -> {margin['after']:+.2f}: {', '.join(figures)}"


_PARTS = {"weight": "weight", "card": "card", "value": "idf", "slope": "slope"}


def _mainly(term: Mapping[str, Any]) -> str:
    return _PARTS[max(_PARTS, key=lambda part: abs(term[part]))]


def _in_brackets(parts: Iterator[str] | list[str]) -> str:
    found = ", ".join(parts)
    return f" ({found})" if found else ""
