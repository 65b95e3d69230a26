"""`tagger models drift`: what has changed in the texts a version tags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tagger.cli.options import Json, Models, State

if TYPE_CHECKING:
    from tagger.drift import Drift


def drift(
    version: str | None = None,
    /,
    *,
    state: State = Path("state"),
    days: int = 7,
    against: Literal["training", "before"] = "training",
    on: str | None = None,
    json: Json = None,
    models: Models = Path("models"),
) -> int:
    """Say which themes, and which shares of texts, moved away from training or from what was before.

    By what services saw of a version (the live one if none is named); no text is kept for it.

    Example: tagger models drift --days 7 --against before

    Parameters
    ----------
    days
        How many days, up to today, are compared.
    against
        "training", the held-out seeds of the version, or "before", what services saw on earlier days.
    on
        Tag documents now and compare these instead: any file or folder that tagger archive takes, or -.
    """
    from tagger.cli import output
    from tagger.drift import find_drift
    from tagger.errors import OptionError
    from tagger.observations import SEEN, utc_today
    from tagger.readers import documents
    from tagger.registry import Registry

    if days < 1:
        raise OptionError(f"--days is {days}; expected how many days to compare, such as 7.")
    registry = Registry(models)
    found = registry.live() if version is None else registry.get(version)
    with output.ProgressLine() as line:
        compared = find_drift(
            found, state / SEEN, today=utc_today(), days=days, against=against,
            on=None if on is None else documents([on]), progress=line.show,
        )  # fmt: skip
    if output.as_json(json):
        output.write_json_lines([compared.as_record()])
    else:
        _show(compared)
    for remark in compared.remarks:
        output.say(remark)
    return 0


def _show(compared: Drift) -> None:
    from tagger.cli.output import write
    from tagger.drift.words import advice, sentence

    write(f"{compared.version}: {compared.now} against {compared.then}", "bold")
    to_do: dict[str, list[str]] = {}
    for change in compared.moved:
        write(sentence(change))
        to_do.setdefault(advice(change), []).append(change.name)
    rest = len(compared.changes) - len(compared.moved)
    write(f"{rest} of {len(compared.changes)} have not moved." if compared.moved else "Nothing has moved.")
    write(_how_sure(compared), "dim")
    for what, names in to_do.items():
        write(f"\n{', '.join(names)}", "bold")
        write(f"  {what}")


def _how_sure(compared: Drift) -> str:
    needed = compared.texts_needed
    if needed is None:
        return "The reference is too small to tell what has not: no number of texts surely shows a theme of 5% doubled."
    if not compared.enough:
        return f"These are too few texts to tell what has not: a theme that goes from 5% to 10% takes {needed:,}."
    return f"These are texts enough: a theme that goes from 5% to 10% is found four times in five from {needed:,} on."
