"""`tagger models`: the versions, which one is live, and going back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cyclopts import App

from tagger.cli.options import Models

app = App(name="models", help="List, show, promote and roll back versions.")


@app.command(name="list")
def list_versions(*, json: bool | None = None, models: Models = Path("models")) -> int:
    """List the versions, the live one marked.

    Example: tagger models list

    Parameters
    ----------
    json
        One JSON object per version; by default in a pipe.
    """
    from tagger.cli import output

    rows = list(_rows(models))
    if json or (json is None and not output.on_terminal()):
        output.write_json_lines(rows)
        return 0
    if not rows:
        output.say(f"There is no version in {models} yet. Train one: tagger train")
    head = ("", "version", "created", "seeds", "micro F1", "macro F1")
    cells = [
        ("*" if row["live"] else "", row["version"], row["created"], f"{row['seeds']}", *_figures(row)) for row in rows
    ]
    if cells:
        output.write_table(head, cells, head[3:])
    return 0


@app.command
def show(version: str | None = None, /, *, models: Models = Path("models")) -> int:
    """Print what is known of a version (the live one if none is named) as JSON: manifest and training report.

    Example: tagger models show v0001
    """
    import json as json_module
    import sys

    from tagger.registry import Registry

    registry = Registry(models)
    found = registry.get(version) if version else registry.live()
    manifest = {name: value for name, value in found.manifest.items() if name != "canaries"}
    shown = {"version": found.name, "live": found.name == registry.live_name(), **found.created, **manifest}
    report = json_module.loads((found.folder / "report" / "report.json").read_text(encoding="utf-8"))
    sys.stdout.write(json_module.dumps({**shown, "report": report}, indent=1, ensure_ascii=False) + "\n")
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

    registry = Registry(models)
    before = registry.live_name()
    say(f"{registry.rollback().name} is live again instead of {before}.")
    return 0


def _rows(models: Path) -> Any:
    from tagger.errors import DamagedVersion
    from tagger.registry import Registry

    registry = Registry(models)
    live = registry.live_name()
    for name in registry.names():
        row: dict[str, Any] = {"version": name, "live": name == live}
        try:
            version = registry.get(name)
            scores = version.manifest["scores"]["stratified"]
            row |= {"created": version.created["at"], "seeds": scores["texts"], "scores": version.manifest["scores"]}
        except DamagedVersion as error:
            row |= {"created": "damaged", "seeds": 0, "scores": {}, "error": str(error)}
        yield row


def _figures(row: dict[str, Any]) -> tuple[str, str]:
    scores = row["scores"].get("stratified", {})
    return tuple(f"{scores[name]:.3f}" if scores else "" for name in ("micro_f1", "macro_f1"))  # type: ignore[return-value]
