"""`tagger models`: the versions, which one is live, and going back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import App

from tagger.cli.options import Json, Models

app = App(
    name="models",
    help="""List, show, promote and roll back versions.

    Example: tagger models list
    """,
)


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
def promote(version: str, /, *, models: Models = Path("models")) -> int:
    """Make a version the live one; running services follow within two seconds.

    Example: tagger models promote v0002
    """
    from tagger.cli.output import say
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(models)
    before = registry.live_name()
    Tagger.load(registry.get(version))
    registry.promote(version)
    say(f"{version} is live{f' instead of {before}' if before not in (None, version) else ''}.")
    return 0


@app.command
def rollback(*, models: Models = Path("models")) -> int:
    """Make the version that was live before live again.

    Example: tagger models rollback
    """
    from tagger.cli.output import say
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(models)
    before = registry.live_name()
    Tagger.load(registry.before())
    say(f"{registry.rollback().name} is live again instead of {before}.")
    return 0


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
