"""The subcommands; each imports what it needs when it runs, so that help and small commands start at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tagger.cli.options import Input, Json, Merge, Model, Models, Seeds, check_inputs, load_tagger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from tagger.archive import Shard
    from tagger.archive.cluster import Cluster
    from tagger.archive.engines import OneProcess, Workers
    from tagger.documents import Document, Unreadable
    from tagger.releases import Cut
    from tagger.tagging import Tagged, Tagger, Wanted

_FILE_ENDING = re.compile(r"\.[A-Za-z]{2,5}\Z")
"""One word with such an ending is the name of a file, be there one or not."""


def train(
    *,
    seeds: Seeds = Path("seeds"),
    models: Models = Path("models"),
    promote: bool = True,
    merge: Merge = "refuse",
    effort: Literal["quick", "full"] = "quick",
) -> int:
    """Train a new version on the seeds; it goes live unless it does something worse than the live one.

    Example: tagger train --no-promote

    Parameters
    ----------
    promote
        Make the new version the live one, if `tagger models check` has no objection.
    effort
        How many recipes may be tried on held-out seeds: "full" also tries costs of errors and pairs of words.
    """
    from tagger.cli.models import say_verdict, who
    from tagger.cli.output import ProgressLine, counted, duration, say
    from tagger.reporting import remarks, report_table
    from tagger.training import train as run

    with ProgressLine() as line:

        def progress(phase: str, done: float) -> None:
            line.show(f"{phase} {done:.0%}" if done else phase, always=not done)

        trained = run(seeds, models, promote=promote, by=who(), merge=merge, effort=effort, progress=progress)
    sys.stdout.write(report_table(trained.report))
    if trained.report["unreviewed"]:
        say(f"{trained.report['unreviewed']} suggested seeds were left out; confirm them: tagger seeds confirm FILE")
    for sentence in remarks(trained.report):
        say(sentence)
    promotion, command = trained.promotion, f"tagger models promote {trained.version.name}"
    if promotion is None:
        state = f"not live; promote it: {command}"
    elif promotion.promoted:
        state = "it is live"
    else:
        objections = counted(len(promotion.verdict.objections), "objection")
        state = f'not live, for {objections}. To promote it all the same: {command} --force "REASON"'
    if promotion:
        say_verdict(promotion.verdict)
    say(f"Trained {trained.version.name} on {trained.report['seeds']} seeds in {duration(line.seconds)}; {state}.")
    return 1 if promotion and not promotion.promoted else 0


def split(
    *pages: Input, json: Json = None, page_text: bool = False, learned: bool = True, models: Models = Path("models")
) -> int:
    """Cut raw pages (text, Markdown, HTML, or - for standard input) into releases.

    Example: tagger split page.txt --json

    Parameters
    ----------
    page_text
        Give the text that offsets count in, too: of HTML that is the extracted text.
    learned
        Take away what the live model learned of boilerplate, beside what is known to be some.
    """
    from tagger.cli import output
    from tagger.cli.views import show_cut
    from tagger.documents import Unreadable
    from tagger.readers import documents
    from tagger.releases import NOTHING_LEARNED, cut
    from tagger.tagging import live_boilerplate

    check_inputs(pages, "tagger split page.txt")
    boilerplate = live_boilerplate(models) if learned else NOTHING_LEARNED
    failed = 0
    for page in documents(pages):
        if isinstance(page, Unreadable):
            failed += 1
            _report({"source": page.id, "error": page.message}, output.as_json(json))
        elif not (found := cut(page.text, boilerplate)).releases:
            failed += 1
            message = f"{page.id} holds site furniture only, no release."
            _report({"source": page.id, "error": message}, output.as_json(json))
        elif output.as_json(json):
            output.write_json_lines(_release_records(page, found, page_text))
        else:
            show_cut(page, found)
    return 1 if failed else 0


def tag(
    *texts: Input,
    explain: bool = False,
    counterfactual: bool = False,
    taught_by: bool = False,
    include: Literal["tags", "all"] = "tags",
    split: bool | None = None,
    json: Json = None,
    model: Model = None,
    models: Models = Path("models"),
) -> int:
    """Tag a text, files, or standard input (-).

    Files of text, Markdown and HTML are cut into their releases; texts and records are taken as they are.

    Example: tagger tag "Ministers agreed new sanctions on arms dealers." --explain

    Parameters
    ----------
    explain
        The exact share of each term and sentence in each score, and why the nearest misses were missed.
    counterfactual
        The sentences without which each theme would not be given.
    taught_by
        The seeds that each theme's score goes back to.
    include
        "all" adds the probability of every theme.
    split
        Cut records and texts too, or do not cut files.
    """
    from tagger.cli import output
    from tagger.cli.views import show_tagged
    from tagger.documents import Unreadable
    from tagger.tagging import Wanted

    check_inputs(texts, 'tagger tag "Ministers met."')
    tagger = load_tagger(models, model)
    failed = 0
    wanted = Wanted(explain, counterfactual, taught_by, every_theme=include == "all")
    for result in _results(tagger, texts, split, wanted):
        if isinstance(result, Unreadable):
            failed += 1
            record = {"id": result.id, "tags": [], "version": tagger.version, "error": result.message}
            _report(record, output.as_json(json))
        elif output.as_json(json):
            output.write_json_lines([result.as_record()])
        else:
            show_tagged(result)
    return 1 if failed else 0


def archive(
    *inputs: Input,
    out: Annotated[str, Parameter(help="Where the records go: a name that ends in .jsonl, .csv or .parquet.")],
    split: bool | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    shard: str | None = None,
    engine: str | None = None,
    model: Model = None,
    models: Models = Path("models"),
) -> int:
    """Tag an archive: JSON lines (also .gz), CSV, Parquet, text, Markdown, HTML, folders of these, or - for a pipe.

    Gives one record per document, in order. Pages of text are cut and give one per release. A run that was
    stopped goes on when the same command is given again.

    Example: tagger archive releases.jsonl.gz --out tags.jsonl

    Parameters
    ----------
    split
        Cut records into releases too, or do not cut pages.
    overwrite
        Replace an output that exists.
    workers
        How many processes tag; by default as many as there are cores, and one where that is sooner done.
    shard
        Tag one part of the input only, such as 2/5; the outputs of all parts, put together, are that of the whole.
    engine
        Tag on a Dask cluster, dask://HOST:PORT, or on one made on this machine to try it out, local.
    """
    from tagger.archive import WHOLE, Inputs, Shard, started_version, tag_archive
    from tagger.cli.output import DocumentProgress, ProgressLine, counted, duration, say

    check_inputs(inputs, "tagger archive pages/ --out tags.jsonl")
    part = Shard.parse(shard) if shard else WHOLE
    tagger = load_tagger(models, started_version(out) if model is None and not overwrite else model)
    with ProgressLine() as line, _engine(engine, workers, part, out, models) as chosen:
        progress = DocumentProgress(line, _estimate(inputs) // part.of if line.redraws else 0)
        try:
            done = tag_archive(
                Inputs(inputs), inputs, out, tagger, split=split, overwrite=overwrite, shard=part, engine=chosen,
                progress=progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            say("Give the same command again to go on from here.")
            raise
    failures = f"; {done.failed:,} could not be read, see their records" if done.failed else ""
    tagged = counted(done.documents - done.failed, "document")
    say(f"{out}: {tagged} tagged with {tagger.version} in {duration(line.seconds)}{failures}.")
    return 1 if done.failed else 0


def _engine(
    address: str | None, workers: int | None, shard: Shard, out: str, models: Path
) -> AbstractContextManager[OneProcess | Workers | Cluster]:
    """Return where an archive is tagged."""
    from contextlib import nullcontext

    from tagger.archive.engines import WORTH_SHARING, OneProcess, Workers
    from tagger.engine import available_cores
    from tagger.errors import OptionError

    if address is not None:
        if workers is not None or shard.of > 1:
            raise OptionError("With --engine, the cluster shares out the work: leave out --workers and --shard.")
        from tagger.archive.cluster import cluster

        return cluster(address, out, models)
    if workers is not None and workers < 1:
        raise OptionError(f"The number of workers is {workers}; expected 1 or more.")
    if workers is None:
        workers, least_parts = available_cores(), WORTH_SHARING
    else:
        least_parts = 0
    return nullcontext(OneProcess() if workers == 1 else Workers(workers, models, least_parts))


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    models: Annotated[Path | None, Parameter(env_var="TAGGER_MODELS")] = None,
    seeds: Annotated[Path | None, Parameter(env_var="TAGGER_SEEDS")] = None,
    state: Annotated[Path | None, Parameter(env_var="TAGGER_STATE")] = None,
    without_keys: bool = False,
) -> int:
    """Serve the live model over HTTP.

    Options that are not given come from the environment (TAGGER_HOST, TAGGER_PORT, ...) or tagger.toml.

    Example: tagger serve --port 8080

    Parameters
    ----------
    without_keys
        Serve other machines though there are no keys; needs the setting TAGGER_WITHOUT_KEYS=true beside it.
    """
    from tagger.service.server import run
    from tagger.settings import load_settings

    given = {"host": host, "port": port, "workers": workers, "models": models, "seeds": seeds, "state": state}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    run(settings, without_keys=without_keys)
    return 0


def _results(tagger: Tagger, texts: Sequence[str], split: bool | None, wanted: Wanted) -> Iterator[Tagged | Unreadable]:
    """Yield the tags of each document, or of each of its releases, or why there are none."""
    from tagger.documents import Unreadable

    for number, text in enumerate(texts, 1):
        for item in _documents(text, "text" if len(texts) == 1 else f"text-{number}"):
            if isinstance(item, Unreadable):
                yield item
            else:
                yield from _tagged(tagger, item, split, wanted)


def _tagged(tagger: Tagger, document: Document, split: bool | None, wanted: Wanted) -> Sequence[Tagged | Unreadable]:
    from tagger.documents import Unreadable
    from tagger.errors import InputError

    try:
        if not (document.raw_page if split is None else split):
            return [tagger.tag(document, wanted)]
        if found := list(tagger.tag_page(document, wanted)):
            return found
    except InputError as error:
        return [Unreadable(document.id, f"{document.id}: {error}")]
    return [Unreadable(document.id, f"{document.id} holds site furniture only, no release.")]


def _documents(text: str, identifier: str) -> Iterator[Document | Unreadable]:
    """Yield the documents an argument stands for: standard input, a file or folder, or the text itself."""
    from tagger.documents import Document, Unreadable
    from tagger.errors import InputError
    from tagger.readers import documents

    if problem := _problem(text):
        yield Unreadable(identifier, problem)
    elif text == "-" or _names_file(text):
        try:
            yield from documents([text])
        except InputError as error:
            yield Unreadable(text, str(error))
    else:
        yield Document(identifier, text)


def _problem(text: str) -> str | None:
    if not text.strip():
        return "The text given is empty; expected a text with words in it."
    if any("\ud800" <= char <= "\udfff" for char in text) and not _names_file(text):
        return "The text given is not UTF-8; put it into a file as UTF-8, or give it through a pipe."
    return None


def _names_file(text: str) -> bool:
    from tagger.readers import READERS

    one_word = len(text.split(maxsplit=1)) == 1
    like_path = text.isascii() and ("/" in text or _FILE_ENDING.search(text))
    if one_word and (like_path or text.lower().endswith(tuple(READERS))):
        return True
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _report(record: dict[str, Any], as_json: bool) -> None:
    """Print a failure among the records, or for people away from them."""
    from tagger.cli import output

    if as_json:
        output.write_json_lines([record])
    else:
        output.say(f"tagger: {record['error']}")


def _release_records(page: Document, found: Cut, page_text: bool) -> Iterator[dict[str, Any]]:
    """Yield a record per release; what was removed between two goes with the first of them."""
    from tagger.tagging import release_record

    starts = [release.start for release in found.releases[1:]] + [len(page.text) + 1]
    outside = list(found.removed)
    for release, next_start in zip(found.releases, starts, strict=True):
        near = [gone for gone in outside if gone.start < next_start]
        outside = outside[len(near) :]
        removed = sorted((*near, *release.removed), key=lambda gone: gone.start)
        yield {
            "source": page.id,
            **release_record(release),
            "text": release.text,
            "removed": [{"start": gone.start, "end": gone.end, "kind": gone.kind} for gone in removed],
            **({"page_text": page.text} if page_text else {}),
            **({"metadata": dict(page.metadata)} if page.metadata else {}),
        }


def _estimate(inputs: Sequence[str]) -> int:
    """Return about how many documents there are, 0 where that is not known beforehand."""
    from tagger.readers import count_documents

    return 0 if "-" in inputs else sum(count_documents(name) for name in inputs)
