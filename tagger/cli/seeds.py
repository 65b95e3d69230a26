"""`tagger seeds`: add pages as seeds, confirm suggestions, check what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tagger.cli.options import Models, Seeds

app = App(name="seeds", help="Add, confirm and check labelled documents.")


@app.command
def add(
    *pages: Path,
    themes: Annotated[str | None, Parameter(help="Theme ids with commas between, or '' for no theme.")] = None,
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
    from tagger.cli.options import load_tagger
    from tagger.cli.output import say
    from tagger.documents import Document, Release
    from tagger.errors import OptionError
    from tagger.seeding import add_page, read_page

    if not pages:
        raise OptionError("No page was given. Example: tagger seeds add page.txt --themes trade")
    if suggest == (themes is not None):
        raise OptionError("Give either --themes or --suggest. Example: tagger seeds add page.txt --themes trade,energy")
    tagger = load_tagger(models, None) if suggest else None

    def suggested(found: Release) -> list[str]:
        assert tagger
        return [tag.theme for tag in tagger.tag(Document("", found.text, found.title)).tags]

    labels = [theme.strip() for theme in (themes or "").split(",") if theme.strip()]
    for path in pages:
        chosen = suggested if suggest else labels
        added = add_page(
            seeds, read_page(path), chosen, release=release, **({"cut_page": tagger.cut} if tagger else {})
        )
        for record in added.records:
            say(f"  {record['id']}: {record.get('title', '(no title)')}  [{', '.join(record['themes']) or 'no theme'}]")
        say(f"{added.path}: {len(added.records)} seeds{', unreviewed' if suggest else ''}.")
        if len(added.records) > 1 and not suggest:
            say("All of them got the same themes. To label them one by one, use --release, or edit the file.")
    if suggest:
        say("Correct the themes in the file where they are wrong, then: tagger seeds confirm FILE")
    return 0


@app.command
def confirm(file: Path, *ids: str) -> int:
    """Confirm suggested seeds of a file, all of them or those of the given ids; they are trained on from then.

    Example: tagger seeds confirm seeds/added/page.jsonl "page#2"
    """
    from tagger.cli.output import say
    from tagger.seeding import confirm as run

    say(f"{file}: {run(file, ids)} seeds confirmed.")
    return 0


@app.command
def check(*, merge: str = "refuse", seeds: Seeds = Path("seeds")) -> int:
    """Say what is wrong with the seeds, without training.

    Example: tagger seeds check
    """
    from tagger.cli import output
    from tagger.corpus import read_corpus

    corpus = read_corpus(seeds, merge)  # type: ignore[arg-type]
    counts = corpus.theme_sets.sum(axis=0).tolist()
    output.write_table(
        ("theme", "seeds"),
        [(card.id, str(count)) for card, count in zip(corpus.cards, counts, strict=True)],
        ("seeds",),
    )
    none = int((~corpus.theme_sets.any(axis=1)).sum())
    bare = [card.id for card, count in zip(corpus.cards, counts, strict=True) if not count]
    output.say(f"{len(corpus.seeds)} seeds in order; {none} have no theme, {corpus.unreviewed} are unreviewed.")
    if bare:
        output.say(f"Themes that live from their card alone: {', '.join(bare)}.")
    return 0
