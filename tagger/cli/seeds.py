"""`tagger seeds`: add pages as seeds, confirm suggestions, check what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from tagger.cli.options import Merge, Models, Seeds, Themes, load_tagger, theme_ids
from tagger.cli.output import counted, say, write_table

if TYPE_CHECKING:
    from tagger.seeding import Added

app = App(
    name="seeds",
    help="""Add, confirm and check labelled documents.

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


def _say_added(added: Added, suggested: bool) -> None:

    for record in added.records:
        say(f"  {record['id']}: {record.get('title', '(no title)')}  [{', '.join(record['themes']) or 'no theme'}]")
    say(f"{added.path}: {counted(len(added.records), 'seed')}{', unreviewed' if suggested else ''}.")
    if len(added.records) > 1 and not suggested:
        say("All of them got the same themes. To label them one by one, use --release, or edit the file.")
