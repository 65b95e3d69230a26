"""`tagger themes`: look after the themes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from tagger.cli.options import Input, Json, Model, Models, Seeds, check_inputs, load_tagger

if TYPE_CHECKING:
    from tagger.proposals import Proposal

SHOWN_THEMES = 6
"""Themes named above a finding."""

app = App(
    name="themes",
    help="""Look after the themes: what is wrong with them, and what to do.

    Example: tagger themes doctor
    """,
)


@app.command
def doctor(
    *, model: Model = None, json: Json = None, seeds: Seeds = Path("seeds"), models: Models = Path("models")
) -> int:
    """Say what is wrong with the themes and what to do about it, the most consequential first.

    Looks for near-twins, themes that are never or always given, words of the cards that mislead, themes known by
    names rather than by topic, and themes that need seeds. Nothing is changed.

    Example: tagger themes doctor
    """
    from tagger.cli import output
    from tagger.doctor import examine
    from tagger.registry import Registry

    registry = Registry(models)
    version = registry.live() if model is None else registry.get(model)
    with output.ProgressLine() as line:
        examination = examine(seeds, version, lambda phase, done: line.show(f"{phase} {done:.0%}" if done else phase))
    if output.as_json(json):
        output.write_json_lines(finding.as_record() for finding in examination.findings)
    else:
        for number, finding in enumerate(examination.findings, 1):
            output.write(f"{number}. {finding.kind}: {_named(finding.themes)}", style="bold")
            output.write(f"{finding.message}\n  {finding.remedy}\n")
    for note in examination.notes:
        output.say(note)
    if not examination.findings:
        output.say("Nothing was found.")
    return 0


def _named(themes: Sequence[str]) -> str:
    more = len(themes) - SHOWN_THEMES
    return ", ".join(themes[:SHOWN_THEMES]) + (f" and {more} more" if more > 0 else "")


@app.command
def propose(
    *archive: Input,
    most: int = 10,
    split: bool | None = None,
    cards: Path | None = None,
    model: Model = None,
    json: Json = None,
    models: Models = Path("models"),
) -> int:
    """Find themes that are missing: clusters of an archive's releases that no theme fits, each with a draft of a card.

    Of an archive of over 20,000 documents a sample is looked at, the same at every run.

    Example: tagger themes propose releases.jsonl.gz --cards drafts.yaml

    Parameters
    ----------
    most
        At most so many clusters, large and coherent ones first.
    split
        Cut records into releases too, or do not cut pages.
    cards
        Write the drafts into this new file, as theme cards to be looked over and pasted.
    """
    from tagger.cli import output
    from tagger.errors import OptionError
    from tagger.proposals import check_new, write_cards
    from tagger.proposals import propose as run
    from tagger.readers import documents

    check_inputs(archive, "tagger themes propose releases.jsonl.gz")
    if most < 1:
        raise OptionError(f"--most is {most}; expected at least 1.")
    if cards:
        check_new(cards)
    tagger = load_tagger(models, model)
    with output.ProgressLine() as line:
        survey = run(
            documents(archive),
            tagger,
            most=most,
            split=split,
            progress=lambda phase, done: line.show(f"{phase} {done:.0%}" if done else phase),
        )
    if output.as_json(json):
        output.write_json_lines(proposal.as_record() for proposal in survey.proposals)
    else:
        _show_proposals(survey.proposals)
    for note in survey.notes():
        output.say(note)
    if cards and survey.proposals:
        write_cards(cards, survey.proposals)
        output.say(f"{cards}: {output.counted(len(survey.proposals), 'draft')}. Look them over before you paste any.")
    return 1 if survey.unreadable else 0


def _show_proposals(proposals: Sequence[Proposal]) -> None:
    from tagger.cli.output import write

    for number, proposal in enumerate(proposals, 1):
        size = f"{proposal.releases:,} releases, {proposal.share:.1%} of the archive"
        write(f"{number}. {proposal.card.label}  [{proposal.card.id}]", style="bold")
        write(f"   {size}, coherence {proposal.coherence:.2f}, {proposal.untagged:,} without any theme")
        write(f"   phrases: {', '.join(proposal.phrases)}")
        write(f"   nearest: {proposal.nearest}, {proposal.reach:.0%} of its threshold")
        for example in proposal.examples:
            write(f"   - {example.title or example.id}  ({example.place})", style="dim")
        write("")
