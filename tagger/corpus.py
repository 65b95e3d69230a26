"""The seeds as a corpus: labelled texts ready to train on, and what is wrong with those that are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import content, token_spans
from tagger.documents import Document, Unreadable
from tagger.errors import SeedsError
from tagger.pins import PINS_FILE, Pin, read_pins
from tagger.readers import read_path
from tagger.releases import Boilerplate, clean, learn
from tagger.themes import ThemeCard, did_you_mean, load_cards

THEMES_FILE = "themes.yaml"
NOT_SEEDS = ("readme.md", "guideline.md")

NO_THEME = "none"
"""What a cell of a table says for a document that rightly has no theme; an empty one may have been forgotten."""

_HOW_TO_STATE = {
    False: "in a table trade;sanctions, or none",
    True: "as `themes: [trade, sanctions]` between two lines of `---` at the top of the file",
}
"""Where themes stand in a record, and in a page."""

Merge = Literal["refuse", "union", "first"]
"""What to do with seeds of the same text and different themes: refuse, give all themes of each, or keep the first."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A labelled document, where it was read, and what it is grouped by."""

    document: Document
    themes: tuple[str, ...]

    @property
    def source(self) -> str | None:
        """The kind of press office it comes from, where the seed says so."""
        return _text(self.document.metadata.get("source"))

    @property
    def page(self) -> str | None:
        """The page it was cut from, where the seed says so."""
        return _text(self.document.metadata.get("page"))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled texts: what the model reads of each seed and its themes, (n_texts, n_themes)."""

    cards: tuple[ThemeCard, ...]
    seeds: tuple[Seed, ...]
    texts: tuple[str, ...]
    theme_sets: NDArray[np.bool_]
    learned: Boilerplate
    unreviewed: int
    pins: tuple[Pin, ...] = ()


def read_corpus(folder: Path, merge: Merge = "refuse") -> Corpus:
    """Read theme cards, seeds and pins below a folder. Raises SeedsError that lists everything wrong with them."""
    problems: list[str] = []
    cards = _cards(folder, problems)
    pins = _pins(folder, cards, problems)
    seeds, unreviewed = _read_seeds(folder, cards, problems)
    seeds = _merge_same_texts(seeds, merge, problems)
    learned = learn((seed.page or seed.document.id, _whole(seed.document)) for seed in seeds)
    texts = [_text_of(seed.document, learned) for seed in seeds]
    problems += _without_text(seeds, texts)
    theme_sets = _theme_sets(seeds, cards)
    if not problems:
        problems += _unlearnable(theme_sets, cards)
    if problems:
        raise SeedsError(problems)
    return Corpus(cards, tuple(seeds), tuple(texts), theme_sets, learned, unreviewed, pins)


def seed_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder that hold seeds, in order."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if (
            path.is_file()
            and not hidden
            and path != folder / PINS_FILE
            and path.name.lower() not in NOT_SEEDS
            and path.suffix not in (".yaml", ".yml")
        ):
            yield path


def read_seeds(folder: Path) -> Iterator[Document | Unreadable]:
    """Yield the document of each seed below a folder, reviewed or not, and what cannot be read."""
    for path in seed_files(folder):
        for item in read_path(path, name=path.relative_to(folder).as_posix()):
            # Messages name the file so that it can be opened; ids do not depend on where the folder is.
            if isinstance(item, Unreadable):
                yield replace(item, message=f"{folder}/{item.message}")
            else:
                yield replace(item, where=f"{folder}/{item.where}")


def is_reviewed(document: Document) -> bool:
    """Tell whether a person has looked at the themes; `reviewed: false` says not, as JSON, as YAML and in a table."""
    return str(document.metadata.get("reviewed", "")).strip().lower() not in ("false", "no", "0")


def stated_themes(document: Document) -> Any:
    """Return the themes a seed states: a list, or in a table a text with `;` between, or the word for no theme."""
    stated = document.metadata.get("themes")
    if not isinstance(stated, str):
        return stated
    themes = [theme.strip() for theme in stated.split(";") if theme.strip()]
    return [] if themes == [NO_THEME] else themes or None


def text_key(document: Document) -> str:
    """Return what seeds of the same text share: what the model reads, whatever its spaces."""
    return " ".join(content(document.title, document.text).split())


def _cards(folder: Path, problems: list[str]) -> tuple[ThemeCard, ...]:
    try:
        return load_cards(folder / THEMES_FILE)
    except SeedsError as error:
        problems += error.problems
        return ()


def _pins(folder: Path, cards: Sequence[ThemeCard], problems: list[str]) -> tuple[Pin, ...]:
    try:
        return tuple(read_pins(folder, [card.id for card in cards]))
    except SeedsError as error:
        problems += error.problems
        return ()


def _read_seeds(folder: Path, cards: Sequence[ThemeCard], problems: list[str]) -> tuple[list[Seed], int]:
    known = {card.id: None for card in cards}
    seeds: list[Seed] = []
    first: dict[str, str] = {}
    unreviewed = 0
    for document in read_seeds(folder):
        if isinstance(document, Unreadable):
            problems.append(document.message)
        elif not is_reviewed(document):
            unreviewed += 1
        else:
            found = [*_used_before(document, first), *_theme_problems(document, known)]
            if not found:
                seeds.append(Seed(document, tuple(dict.fromkeys(stated_themes(document)))))
            problems += found
    if not seeds and not problems:
        problems.append(
            f"{folder}: there is no seed here. Add labelled documents, see README.md: tagger seeds add PAGE"
        )
    return seeds, unreviewed


def _used_before(document: Document, first: dict[str, str]) -> Iterator[str]:
    if document.id in first:
        place = first[document.id]
        yield f"{document.where}: the id {document.id!r} was used before at {place}. Give one of them another id."
    first.setdefault(document.id, document.where)


def _theme_problems(document: Document, known: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the themes a seed states; where no theme is known, none is unknown."""
    stated = stated_themes(document)
    seed = f"{document.where}: the seed {document.id!r} has"
    if not isinstance(stated, list) or not all(isinstance(theme, str) for theme in stated):
        yield (
            f"{seed} {'no themes' if stated is None else f'themes {stated!r}'}; expected theme ids such as "
            f"[trade, sanctions] ({_HOW_TO_STATE[document.raw_page]}), or [] for a document that has none."
        )
        return
    for theme in stated:
        if known and theme not in known:
            several = "Write several as [trade, sanctions], in a table as trade;sanctions. "
            hint = several if "," in theme else did_you_mean(theme, known)
            yield f"{seed} the unknown theme {theme!r}. {hint}Correct it or add a card to {THEMES_FILE}."


def _merge_same_texts(seeds: list[Seed], merge: Merge, problems: list[str]) -> list[Seed]:
    """Make one seed of those with the same text and themes; of those with other themes as `merge` says."""
    kept: dict[str, Seed] = {}
    for seed in seeds:
        key = text_key(seed.document)
        before = kept.setdefault(key, seed)
        if merge == "union":
            kept[key] = replace(before, themes=tuple(dict.fromkeys([*before.themes, *seed.themes])))
        elif merge == "refuse" and set(before.themes) != set(seed.themes):
            problems.append(
                f"{seed.document.where}: the seed {seed.document.id!r} has the text of {before.document.id!r} "
                f"({before.document.where}) but themes {list(seed.themes)} instead of {list(before.themes)}. "
                "Correct one, or train with --merge union (all themes of both) or --merge first."
            )
    return list(kept.values())


def _whole(document: Document) -> str:
    """Return the text together with the site furniture that was taken off when the seed was cut from its page."""
    furniture = document.metadata.get("furniture")
    return f"{document.text}\n\n{furniture}" if isinstance(furniture, str) else document.text


def _text_of(document: Document, learned: Boilerplate) -> str:
    if not document.raw_page:
        return content(document.title, document.text)
    release = clean(document.text, learned)
    return content(document.title or release.title, release.text) if release else ""


def _without_text(seeds: Sequence[Seed], texts: Sequence[str]) -> Iterator[str]:
    for seed, text in zip(seeds, texts, strict=True):
        if not any(token_spans(text)):
            what = f"the seed {seed.document.id!r} has no word in it, site furniture aside"
            yield f"{seed.document.where}: {what}. Remove it or add its text."


def _theme_sets(seeds: Sequence[Seed], cards: Sequence[ThemeCard]) -> NDArray[np.bool_]:
    column = {card.id: place for place, card in enumerate(cards)}
    sets = np.zeros((len(seeds), len(cards)), dtype=bool)
    for row, seed in enumerate(seeds):
        # A theme of no card is a problem noted before.
        sets[row, [column[theme] for theme in seed.themes if theme in column]] = True
    return sets


def _unlearnable(theme_sets: NDArray[np.bool_], cards: Sequence[ThemeCard]) -> Iterator[str]:
    if len(theme_sets) and not theme_sets.any():
        yield "No seed has a theme, so there is nothing to learn. Give some of them themes."
    for card, everywhere in zip(cards, theme_sets.T, strict=True):
        if len(everywhere) > 1 and everywhere.all():
            place = f"{THEMES_FILE}: the theme {card.id!r} stands in every seed, so nothing tells it apart"
            yield f"{place}. Add seeds without it, or remove it."


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
