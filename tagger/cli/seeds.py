"""`tagger seeds`: add pages as seeds, confirm suggestions, check what is there, doubt and correct it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tagger.cli.options import Json, Merge, Model, Models, Seeds, Themes, load_tagger, theme_ids
from tagger.cli.output import counted, say, write, write_table

if TYPE_CHECKING:
    from tagger.doubts import Doubt, DoubtedSeed, Doubts
    from tagger.evidence import TermShare
    from tagger.seeding import Added

app = App(
    name="seeds",
    help="""Add, confirm, check, doubt and correct labelled documents.

    Example: tagger seeds check
    """,
)


@app.command
def add(
    *pages: Path,
    themes: Themes = None,
    suggest: bool = False,
    release: int | None = None,
    seeds: Seeds = Path("seeds"),
    models: Models = Path("models"),
) -> int:
    """Write the releases of pages as seeds, into the folder `added` below the seeds.

    Example: tagger seeds add page.txt --release 2 --themes trade,sanctions

    Parameters
    ----------
    suggest
        Write what the live model proposes for each release, marked as unreviewed; it is not trained on until
        a person confirms it.
    release
        Only the release of this number, as `tagger split` counts them.
    """
    from tagger.documents import Document, Release
    from tagger.errors import OptionError
    from tagger.seeding import add_pages, read_page

    if not pages:
        raise OptionError("No page was given. Example: tagger seeds add page.txt --themes trade")
    if suggest == (themes is not None):
        raise OptionError("Give either --themes or --suggest. Example: tagger seeds add page.txt --themes trade,energy")
    found = [read_page(page) for page in pages]
    if suggest:
        tagger = load_tagger(models, None)

        def suggested(release: Release) -> list[str]:
            return [tag.theme for tag in tagger.tag(Document("", release.text, release.title)).tags]

        added = add_pages(seeds, found, suggested, release=release, cut_page=tagger.cut)
    else:
        added = add_pages(seeds, found, theme_ids(themes) or [], release=release)
    for one in added:
        _say_added(one, suggest)
    if suggest:
        say("Confirm what is right: tagger seeds confirm FILE [IDS]; correct what is wrong: ... ID --themes ...")
    return 0


@app.command
def confirm(file: Path, *ids: str, themes: Themes = None, seeds: Seeds = Path("seeds")) -> int:
    """Confirm suggested seeds of a file, all of them or those of the given ids; they are trained on from then.

    With --themes, these take the place of what was suggested.

    Example: tagger seeds confirm seeds/added/page.jsonl "page#2" --themes trade,energy
    """
    from tagger.seeding import confirm as run

    say(f"{file}: {counted(run(seeds, file, ids, theme_ids(themes)), 'seed')} confirmed.")
    return 0


@app.command
def check(*, merge: Merge = "refuse", seeds: Seeds = Path("seeds")) -> int:
    """Say what is wrong with the seeds, without training.

    Example: tagger seeds check
    """
    from tagger.corpus import read_corpus

    corpus = read_corpus(seeds, merge)
    counts = dict(zip((card.id for card in corpus.cards), corpus.theme_sets.sum(axis=0).tolist(), strict=True))
    write_table(("theme", "seeds"), [(theme, str(count)) for theme, count in counts.items()], ("seeds",))
    none = int((~corpus.theme_sets.any(axis=1)).sum())
    say(f"{counted(len(corpus.seeds), 'seed')} in order; {none} have no theme, {corpus.unreviewed} are unreviewed.")
    if bare := [theme for theme, count in counts.items() if not count]:
        say(f"Themes that live from their card alone: {', '.join(bare)}.")
    return 0


@app.command
def doubt(
    *,
    most: Annotated[int, Parameter(help="How many seeds to show.")] = 20,
    theme: Annotated[str | None, Parameter(help="Only seeds where this theme is doubted.")] = None,
    merge: Merge = "refuse",
    model: Model = None,
    json: Json = None,
    seeds: Seeds = Path("seeds"),
    models: Models = Path("models"),
) -> int:
    """List the seeds whose themes look wrong or incomplete, the most doubtful first, and how to correct them.

    Judged by models that had not seen the seed, and by near-duplicates with other themes. Nothing is changed.

    Example: tagger seeds doubt --most 10
    """
    from tagger.cli.output import ProgressLine, as_json, write_json_lines
    from tagger.doubts import find_doubts
    from tagger.errors import OptionError
    from tagger.registry import Registry

    if most < 1:
        raise OptionError(f"--most is {most}; expected how many seeds to show, such as 20.")
    registry = Registry(models)
    version = registry.live() if model is None else registry.get(model)
    with ProgressLine() as line:
        doubts = find_doubts(seeds, version, most=most, theme=theme, merge=merge, progress=line.show)
    if as_json(json):
        write_json_lines(_doubted_record(doubted, seeds) for doubted in doubts.seeds)
    else:
        for number, doubted in enumerate(doubts.seeds, 1):
            _show_doubted(number, doubted, seeds)
    _say_doubts(doubts)
    return 0


@app.command
def correct(
    identifier: str,
    /,
    *,
    add: Annotated[str | None, Parameter(help="Ids of themes it misses, with commas between.")] = None,
    remove: Annotated[str | None, Parameter(help="Ids of themes it has wrongly.")] = None,
    themes: Themes = None,
    keep: Annotated[
        str | None, Parameter(help="Ids of themes that it rightly has, or rightly has not: not doubted again.")
    ] = None,
    seeds: Seeds = Path("seeds"),
) -> int:
    """Correct the themes of a seed in the file it stands in, or keep them as they are.

    Example: tagger seeds correct starter-0017 --add energy --remove trade
    """
    from tagger.errors import OptionError
    from tagger.seeding import correct as run

    added, removed, kept = (theme_ids(option) or [] for option in (add, remove, keep))
    if not (added or removed or kept or themes is not None):
        raise OptionError("Say what to correct, such as --add energy, --remove trade, --themes energy or --keep trade.")
    if both := sorted({*added, *kept} & {*removed} | {*added} & {*kept}):
        raise OptionError(f"The theme {both[0]!r} is named twice; it is added, removed or kept as it is.")
    if themes is not None and (added or removed):
        raise OptionError("Give either --themes, all that the seed shall have, or --add and --remove.")
    done = run(seeds, identifier, add=added, remove=removed, themes=theme_ids(themes), keep=kept)
    shown = ", ".join(done.after) or "no theme"
    if done.before == done.after:
        say(f"{done.where[0]}: {identifier} has {shown}, as before.")
    else:
        say(f"{done.where[0]}: {identifier} has {shown} instead of {', '.join(done.before) or 'no theme'}.")
    for copy in done.where[1:]:
        say(f"{copy}: the same text; it has the same themes now.")
    if kept:
        say(f"Not doubted again: {', '.join(kept)}.")
    return 0


def _doubted_record(doubted: DoubtedSeed, seeds: Path) -> dict[str, Any]:
    document = doubted.seed.document
    return {
        "id": document.id,
        "title": document.title,
        "where": document.where,
        "themes": list(doubted.seed.themes),
        "doubts": [doubt.as_record() for doubt in doubted.doubts],
        "accept": _accept(doubted, seeds),
        "keep": _keep(doubted, seeds),
    }


def _show_doubted(number: int, doubted: DoubtedSeed, seeds: Path) -> None:
    document = doubted.seed.document
    write(f"{number}. {document.id}: {document.title or '(no title)'}", style="bold")
    write(f"   {document.where}  [{', '.join(doubted.seed.themes) or 'no theme'}]", style="dim")
    for doubt in doubted.doubts:
        _show_doubt(doubt)
    write(f"   accept: {_accept(doubted, seeds)}")
    write(f"   keep:   {_keep(doubted, seeds)}\n")


def _show_doubt(doubt: Doubt) -> None:
    write(f"   {doubt.kind}? {doubt.theme}  (probability {doubt.probability:.3f}, given from {doubt.threshold:.3f})")
    write(f"     for: {_listed(doubt.terms_for)}")
    if doubt.kind == "wrong":
        write(f"     against: {_listed(doubt.terms_against)}")
    if doubt.near_duplicates:
        what = "do not have it" if doubt.kind == "wrong" else "have it"
        write(f"     near-duplicates that {what}: {', '.join(doubt.near_duplicates)}")


def _listed(terms: Sequence[TermShare]) -> str:
    return ", ".join(f"{term.term} {term.share:+.2f}" for term in terms) or "no term worth telling"


def _accept(doubted: DoubtedSeed, seeds: Path) -> str:
    asked = {"--add": doubted.themes("missing"), "--remove": doubted.themes("wrong")}
    return _correct_command(doubted, seeds, {option: themes for option, themes in asked.items() if themes})


def _keep(doubted: DoubtedSeed, seeds: Path) -> str:
    return _correct_command(doubted, seeds, {"--keep": [doubt.theme for doubt in doubted.doubts]})


def _correct_command(doubted: DoubtedSeed, seeds: Path, asked: Mapping[str, Sequence[str]]) -> str:
    """Return a command that can be pasted into a shell, in the folder where this one was given."""
    identifier = doubted.seed.document.id
    # An id that begins with a hyphen is no option.
    first, last = ([], ["--", identifier]) if identifier.startswith("-") else ([identifier], [])
    words = ["tagger", "seeds", "correct", *first]
    for option, themes in asked.items():
        words += [option, ",".join(themes)]
    if seeds != Path("seeds") or "TAGGER_SEEDS" in os.environ:
        words += ["--seeds", str(seeds)]
    return shlex.join([*words, *last])


def _say_doubts(doubts: Doubts) -> None:
    shown = f" (shown: the first {len(doubts.seeds)})" if doubts.doubted > len(doubts.seeds) else ""
    say(f"Of {counted(doubts.judged, 'seed')} judged, {doubts.doubted:,} look doubtful{shown}.")
    if doubts.seeds:
        say("Terms are what the model finds in the text; it was trained on the seed as it is. Read the seed to decide.")
    for number, what in ((doubts.newer, "newer than"), (doubts.changed, "changed since")):
        if number:
            say(
                f"{counted(number, 'seed')} {'is' if number == 1 else 'are'} {what} {doubts.version}; train to have "
                f"{'it' if number == 1 else 'them'} judged: tagger train"
            )
    if doubts.new_themes:
        say(f"Themes newer than {doubts.version}, not judged: {', '.join(doubts.new_themes)}.")


def _say_added(added: Added, suggested: bool) -> None:
    for record in added.records:
        say(f"  {record['id']}: {record.get('title', '(no title)')}  [{', '.join(record['themes']) or 'no theme'}]")
    say(f"{added.path}: {counted(len(added.records), 'seed')}{', unreviewed' if suggested else ''}.")
    if len(added.records) > 1 and not suggested:
        say("All of them got the same themes. To label them one by one, use --release, or edit the file.")
