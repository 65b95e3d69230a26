"""The subcommands; each imports what it needs when it runs, so that help and small commands start at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from tagger.cli.models import app as models_app
from tagger.cli.options import Models, Seeds, load_tagger
from tagger.cli.seeds import app as seeds_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagger.documents import Document, Unreadable
    from tagger.tagging import Tagged, Tagger

app = App(
    name="tagger",
    help="Themes for government press releases, with probabilities and the evidence for each.",
    version_flags=["--version"],
    help_format="plaintext",
)
app.command(seeds_app)
app.command(models_app)

SHOWN_TERMS = 8
"""Terms of evidence shown per tag on a terminal; a pipe gets them all."""


@app.command
def train(
    *,
    seeds: Seeds = Path("seeds"),
    models: Models = Path("models"),
    promote: bool = True,
    merge: Literal["refuse", "union", "first"] = "refuse",
) -> int:
    """Train a new version on the seeds; it goes live at once.

    Example: tagger train --no-promote

    Parameters
    ----------
    promote
        Make the new version the live one.
    merge
        Seeds of the same text with other themes: refuse them, take the union, or keep the first.
    """
    from tagger.cli.output import ProgressLine, duration, say
    from tagger.evaluation import report_table
    from tagger.training import train as run

    line = ProgressLine()

    def progress(phase: str, done: float) -> None:
        line.show(f"{phase} {done:.0%}" if done else phase, always=not done)

    trained = run(seeds, models, promote=promote, merge=merge, progress=progress)
    line.close()
    sys.stdout.write(report_table(trained.report))
    if trained.report["unreviewed"]:
        say(f"{trained.report['unreviewed']} suggested seeds were left out; confirm them: tagger seeds confirm FILE")
    state = "it is live" if promote else f"not live; promote it: tagger models promote {trained.version.name}"
    say(f"Trained {trained.version.name} on {trained.report['seeds']} seeds in {duration(line.seconds)}; {state}.")
    return 0


@app.command
def split(*pages: str, json: bool | None = None, learned: bool = True, models: Models = Path("models")) -> int:
    """Cut raw pages (text, Markdown, HTML, or - for standard input) into releases.

    Example: tagger split page.txt --json

    Parameters
    ----------
    json
        One JSON object per release; by default in a pipe.
    learned
        Take away what the live model learned of boilerplate, beside what is known to be some.
    """
    from tagger.cli import output
    from tagger.documents import Unreadable
    from tagger.errors import OptionError
    from tagger.readers import documents
    from tagger.releases import NOTHING_LEARNED, cut
    from tagger.tagging import live_boilerplate

    if not pages:
        raise OptionError("No page was given; expected files, folders or -. Example: tagger split page.txt")
    boilerplate = live_boilerplate(models) if learned else NOTHING_LEARNED
    failed = 0
    for page in documents(pages):
        if isinstance(page, Unreadable):
            output.say(f"tagger: {page.message}")
            failed += 1
            continue
        found = cut(page.text, boilerplate)
        if json or (json is None and not output.on_terminal()):
            output.write_json_lines(_release_records(page, found))
        else:
            _show_cut(page, found)
    return 1 if failed else 0


@app.command
def tag(
    *texts: str,
    explain: bool = False,
    include: Literal["tags", "all"] = "tags",
    split: bool | None = None,
    json: bool | None = None,
    model: str | None = None,
    models: Models = Path("models"),
) -> int:
    """Tag a text, files, or standard input (-).

    Files of text, Markdown and HTML are cut into their releases; texts and records are taken as they are.

    Example: tagger tag "Ministers agreed new sanctions on arms dealers." --explain

    Parameters
    ----------
    explain
        The exact share of each term in each score, and the nearest misses.
    include
        "all" adds the probability of every theme.
    split
        Cut records and texts too, or do not cut files.
    json
        One JSON object per document; by default in a pipe.
    model
        Another version than the live one.
    """
    from tagger.cli import output
    from tagger.documents import Unreadable
    from tagger.errors import OptionError

    if not texts:
        raise OptionError('No text was given; expected a text, files or -. Example: tagger tag "Ministers met."')
    tagger = load_tagger(models, model)
    as_json = json or (json is None and not output.on_terminal())
    failed = 0
    for item in _inputs(texts):
        if isinstance(item, Unreadable):
            failed += 1
            if as_json:
                output.write_json_lines([{"id": item.id, "tags": [], "version": tagger.version, "error": item.message}])
            else:
                output.say(f"tagger: {item.message}")
            continue
        found = list(_tagged(tagger, item, split, explain=explain, every_theme=include == "all"))
        if not found:
            failed += 1
            output.say(f"tagger: {item.id} holds site furniture only, no release.")
        if as_json:
            output.write_json_lines(tagged.as_record() for tagged in found)
        else:
            for tagged in found:
                _show_tagged(tagged)
    return 1 if failed else 0


@app.command
def archive(
    *inputs: str,
    out: Annotated[Path, Parameter(help="Where the records go: a name that ends in .jsonl or .csv.")],
    split: bool | None = None,
    overwrite: bool = False,
    model: str | None = None,
    models: Models = Path("models"),
) -> int:
    """Tag an archive: files and folders of JSON lines (also .gz), CSV, text, Markdown, HTML, or - for standard input.

    Gives one record per document, in order. Pages of text are cut and give one per release. A run that was
    stopped goes on when the same command is given again.

    Example: tagger archive releases.jsonl.gz --out tags.jsonl

    Parameters
    ----------
    split
        Cut records into releases too, or do not cut pages.
    overwrite
        Replace an output that exists.
    model
        Another version than the live one.
    """
    from tagger.archive import started_version, tag_archive
    from tagger.cli.output import ProgressLine, duration, say
    from tagger.errors import OptionError
    from tagger.readers import documents

    if not inputs:
        raise OptionError(
            "No input was given; expected files, folders or -. Example: tagger archive page/ --out t.jsonl"
        )
    tagger = load_tagger(models, model or (None if overwrite else started_version(out)))
    line = ProgressLine()
    total = _estimate(inputs)

    def progress(done: int, failed: int) -> None:
        rate = done / max(line.seconds, 1e-6)
        left = f", about {duration(max(0, total - done) / rate)} left" if total else ""
        line.show(f"{done:,} documents, {rate:,.0f}/s{left}{f', {failed:,} failed' if failed else ''}")

    done = tag_archive(documents(inputs), inputs, out, tagger, split=split, overwrite=overwrite, progress=progress)
    line.close()
    failures = f"; {done.failed:,} could not be read, see their records" if done.failed else ""
    say(f"{out}: {done.documents:,} documents tagged with {tagger.version} in {duration(line.seconds)}{failures}.")
    return 1 if done.failed else 0


@app.command
def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    models: Annotated[Path | None, Parameter(env_var="TAGGER_MODELS")] = None,
    seeds: Annotated[Path | None, Parameter(env_var="TAGGER_SEEDS")] = None,
) -> int:
    """Serve the live model over HTTP.

    Options that are not given come from the environment (TAGGER_HOST, TAGGER_PORT, ...) or tagger.toml.

    Example: tagger serve --port 8080
    """
    from tagger.service import run
    from tagger.settings import load_settings

    given = {"host": host, "port": port, "workers": workers, "models": models, "seeds": seeds}
    run(load_settings(**{name: value for name, value in given.items() if value is not None}))
    return 0


def _inputs(texts: tuple[str, ...]) -> Iterator[Document | Unreadable]:
    """Yield the document of each argument: standard input, a file or folder, or the text itself."""
    from tagger.documents import Document, Unreadable
    from tagger.readers import READERS, documents

    for number, text in enumerate(texts, 1):
        if text == "-" or _is_path(text):
            yield from documents([text])
        elif not text.strip():
            yield Unreadable(f"text-{number}", "An empty text was given; expected a text with words in it.")
        elif not any(char.isspace() for char in text) and text.lower().endswith(tuple(READERS)):
            yield Unreadable(text, f"There is no file {text!r}; check the path.")
        else:
            yield Document("text" if len(texts) == 1 else f"text-{number}", text.encode(errors="replace").decode())


def _is_path(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _tagged(tagger: Tagger, document: Document, split: bool | None, **options: bool) -> Iterator[Tagged]:
    if document.raw_page if split is None else split:
        yield from tagger.tag_page(document, **options)
    else:
        yield tagger.tag(document, **options)


def _release_records(page: Document, found: Any) -> Iterator[dict[str, Any]]:
    from tagger.tagging import release_record

    for release in found.releases:
        yield {
            "source": page.id,
            **release_record(release),
            "text": release.text,
            "removed": [{"start": r.start, "end": r.end, "kind": r.kind} for r in release.removed],
            **({"metadata": dict(page.metadata)} if page.metadata else {}),
        }


def _show_cut(page: Document, found: Any) -> None:
    from tagger.cli.output import console

    out = console()
    out.print(f"{page.id}: {len(found.releases)} release{'s' if len(found.releases) != 1 else ''}", style="bold")
    for number, release in enumerate(found.releases, 1):
        header = "  ".join(part for part in (release.date, release.office, release.kind) if part)
        out.print(f"  {number}. {release.title or '(no title)'}")
        out.print(f"     {release.start}-{release.end}  {header}", style="dim")
    for removal in (*found.removed, *(r for release in found.releases for r in release.removed if r.kind != "header")):
        excerpt = " ".join(page.text[removal.start : removal.end].split())
        out.print(f"  - {removal.kind} {removal.start}-{removal.end}: {excerpt[:90]}", style="dim")


def _show_tagged(tagged: Tagged) -> None:
    from tagger.cli.output import console, write_table

    console().print(f"{tagged.id}{f': {tagged.title}' if tagged.title else ''}  [{tagged.version}]", style="bold")
    rows = [
        (tag.theme, tag.label, f"{tag.probability:.3f}", f"{tag.threshold:.3f}", tag.decision or "")
        for tag in (tagged.scores or tagged.tags)
    ]
    if rows:
        write_table(("theme", "label", "probability", "threshold", "decision"), rows, ("probability", "threshold"))
    else:
        console().print("no theme")
    for tag in tagged.tags:
        if tag.evidence:
            evidence = tag.evidence
            parts = f"bias {evidence.bias:+.2f}, card {evidence.card:+.2f}, learned {evidence.learned:+.2f}"
            console().print(f"\n{tag.theme}: score {evidence.score:+.3f} = {parts}")
            terms = [
                (term.term, f"{term.share:+.3f}", f"{term.card:+.3f}", f"{term.learned:+.3f}", _places(places))
                for term, places in list(zip(evidence.terms, tag.places, strict=True))[:SHOWN_TERMS]
            ]
            write_table(("term", "share", "card", "learned", "where"), terms, ("share", "card", "learned"))
    if tagged.near_misses:
        misses = ", ".join(f"{tag.theme} {tag.probability:.3f} of {tag.threshold:.3f}" for tag in tagged.near_misses)
        console().print(f"\nnearest misses: {misses}")
    console().print("")


def _places(places: Any) -> str:
    return " ".join(f"{'title:' if place.part == 'title' else ''}{place.start}-{place.end}" for place in places[:6])


def _estimate(inputs: tuple[str, ...]) -> int:
    """Return about how many documents there are, 0 where that is not known beforehand."""
    from tagger.readers import count_documents

    return 0 if "-" in inputs else sum(count_documents(name) for name in inputs)
