"""`tagger models`: the versions, which one is live, and going back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tagger.cli.drift import drift
from tagger.cli.options import Json, Models, Seeds

if TYPE_CHECKING:
    from tagger.promotion import Answer, Verdict

MOST_MOVED = 10
"""Of so many themes `check` shows the F1: those that fell and rose most."""

app = App(
    name="models",
    help="""List, show, promote and roll back versions.

    Example: tagger models list
    """,
)
app.command(drift)
app.command("tagger.cli.audit:audit", name="audit")
app.command("tagger.cli.audit:sign", name="sign")
app.command("tagger.cli.differences:diff", name="diff")


@app.command(name="list")
def list_versions(*, json: Json = None, models: Models = Path("models")) -> int:
    """List the versions, the live one marked.

    Example: tagger models list
    """
    from tagger.cli import output

    rows = list(_rows(models))
    if output.as_json(json):
        output.write_json_lines(rows)
        return 0
    if not rows:
        output.say(f"There is no version in {models} yet. Train one: tagger train")
        return 0
    head = ("", "version", "created", "seeds", "micro F1", "macro F1")
    output.write_table(head, map(_cells, rows), head[3:])
    for row in rows:
        if "error" in row:
            output.say(row["error"])
    return 0


@app.command
def show(version: str | None = None, /, *, models: Models = Path("models")) -> int:
    """Print what is known of a version (the live one if none is named) as JSON: manifest and training report.

    Example: tagger models show v0001
    """
    import json
    import sys

    from tagger.registry import Registry

    registry = Registry(models)
    found = registry.live() if version is None else registry.get(version)
    found.check()
    manifest = {name: value for name, value in found.manifest.items() if name != "canaries"}
    shown = {"version": found.name, "live": found.name == registry.live_name(), **found.created, **manifest}
    report = json.loads((found.folder / "report" / "report.json").read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps({**shown, "report": report}, indent=1, ensure_ascii=False) + "\n")
    return 0


@app.command
def check(
    version: str | None = None, /, *, json: Json = None, seeds: Seeds = Path("seeds"), models: Models = Path("models")
) -> int:
    """Compare a version (the newest if none is named) with the live one: pins, and F1 on seeds held out.

    The exit code is 1 where there are objections to promote it.

    Example: tagger models check v0002
    """
    from tagger.cli import output
    from tagger.errors import NoLiveVersion
    from tagger.promotion import judge, pins_among
    from tagger.registry import Registry

    registry = Registry(models)
    names = registry.names()
    if not names:
        raise NoLiveVersion(f"There is no version in {models} yet.", "Train one: tagger train")
    verdict = judge(registry, names[-1] if version is None else version, pins_among(seeds))
    if output.as_json(json):
        output.write_json_lines([verdict.as_record()])
    else:
        _show_verdict(verdict)
    return 1 if verdict.objections else 0


@app.command
def promote(
    version: str,
    /,
    *,
    force: Annotated[str | None, Parameter(help="Why to promote it in spite of objections; it is kept.")] = None,
    seeds: Seeds = Path("seeds"),
    models: Models = Path("models"),
) -> int:
    """Make a version the live one, unless it does something worse; running services follow within two seconds.

    Example: tagger models promote v0002
    """
    from tagger.cli.output import say
    from tagger.promotion import promote as run
    from tagger.registry import Registry

    verdict = run(Registry(models), version, seeds, by=who(), force=force).verdict
    say_verdict(verdict)
    say(f"{version} is live{f' instead of {verdict.live}' if verdict.live not in (None, version) else ''}.")
    return 0


@app.command
def rollback(*, models: Models = Path("models")) -> int:
    """Make the version that was live before live again.

    Example: tagger models rollback
    """
    from tagger.cli.output import say
    from tagger.promotion import rollback as run
    from tagger.registry import Registry

    registry = Registry(models)
    before = registry.live_name()
    say(f"{run(registry, by=who()).name} is live again instead of {before}.")
    return 0


@app.command
def history(*, json: Json = None, models: Models = Path("models")) -> int:
    """List what went live, oldest first: when, by whom, and why where there were objections.

    Example: tagger models history
    """
    from tagger.cli import output
    from tagger.registry import Registry

    entries = Registry(models).history()
    if output.as_json(json):
        output.write_json_lines(entries)
        return 0
    if not entries:
        output.say(f"No version in {models} went live yet. Train one: tagger train")
        return 0
    head = ("at", "action", "version", "by")
    output.write_table(head, ([entry.get(name, "") for name in head] for entry in entries))
    for entry in entries:
        if "reason" in entry:
            output.write(f"{entry['version']} of {entry['at']} was forced: {entry['reason']}")
            for objection in entry.get("objections", ()):
                output.write(f"  {objection}")
    return 0


def who() -> str:
    """Return who gives a command, for the history of promotions."""
    import getpass

    try:
        login = getpass.getuser()
    except (KeyError, ImportError, OSError):  # a user without a name, as containers have them
        login = f"user {os.getuid()}"
    return f"{login.encode(errors='replace').decode()} (command line)"


def say_verdict(verdict: Verdict) -> None:
    """Say the objections and remarks of a verdict, away from the data."""
    from tagger.cli.output import say

    for sentence in (*(objection.detail for objection in verdict.objections), *verdict.remarks):
        say(sentence)


def _show_verdict(verdict: Verdict) -> None:
    from tagger.cli import output

    if verdict.pins:
        head = ("pin", "theme", "wanted", verdict.live or "no live version", verdict.version)
        output.write_table(
            head, [(one.pin, one.theme, one.claim, _kept(one.live), _kept(one.candidate)) for one in verdict.pins]
        )
    moved = sorted(verdict.themes, key=lambda theme: theme.candidate - theme.live)
    moved = [theme for theme in moved if theme.candidate != theme.live]
    if moved:
        right = ("seeds", "F1 live", "interval from", "F1 now")
        shown = moved if len(moved) <= MOST_MOVED else [*moved[: MOST_MOVED // 2], *moved[-MOST_MOVED // 2 :]]
        rows = [
            (one.theme, str(one.seeds), f"{one.live:.3f}", f"{one.low:.3f}", f"{one.candidate:.3f}") for one in shown
        ]
        output.write_table(("theme", *right), rows, right)
    say_verdict(verdict)
    against = f"instead of {verdict.live}" if verdict.live else "as the first"
    answer = output.counted(len(verdict.objections), "objection") if verdict.objections else "nothing speaks"
    output.say(f"{verdict.version}: {answer} against promoting it {against}.")


def _kept(answer: Answer | None) -> str:
    if answer is None:
        return ""
    shown = "" if answer.probability is None else f" ({answer.probability:.3f})"
    return f"{'kept' if answer.kept else 'broken'}{shown}"


def _rows(models: Path) -> Iterator[dict[str, Any]]:
    from tagger.errors import DamagedVersion
    from tagger.registry import Registry

    registry = Registry(models)
    live = registry.live_name()
    for name in registry.names():
        row: dict[str, Any] = {"version": name, "live": name == live}
        try:
            version = registry.get(name)
            version.check()
            scores = version.manifest["scores"]
            row |= {"created": version.created.get("at"), "seeds": scores["stratified"]["texts"], "scores": scores}
        except DamagedVersion as error:
            row |= {"error": str(error)}
        yield row


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    first = ("*" if row["live"] else "", row["version"])
    if "error" in row:
        return (*first, "damaged", "", "", "")
    scores = row["scores"]["stratified"]
    return (*first, str(row["created"]), str(row["seeds"]), f"{scores['micro_f1']:.3f}", f"{scores['macro_f1']:.3f}")
