"""What the checks look at: the seeds, a version, and what held-out models made of the seeds; and what they find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.cleaning import Tokens, tokens
from tagger.corpus import Corpus
from tagger.errors import ModelError
from tagger.heldout import HeldOutSeeds, text_digest
from tagger.model import Recipe
from tagger.registry import Version
from tagger.scorer import Scorer, ScorerArrays
from tagger.tagging import Tagger

Progress = Callable[[str, float], None]
"""Called with the phase and how much of it is done, 0 to 1."""

MOST_NAMED = 12
"""Things named in a sentence; the evidence has them all."""

THEMES_AT_ONCE = 64
"""Columns of weights that are copied at a time: those of all themes may be larger than the memory."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one or more themes that a person should look at, and what to do next.

    `touched` orders the findings: about how many seeds have a wrong, missing or superfluous tag because of it.
    """

    kind: str
    themes: tuple[str, ...]
    message: str
    remedy: str
    touched: float
    evidence: dict[str, Any] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """Return the finding as JSON-able values."""
        return {
            "kind": self.kind,
            "themes": list(self.themes),
            "finding": self.message,
            "next": self.remedy,
            "touched": round(self.touched, 1),
            "evidence": self.evidence,
        }


class Block(NamedTuple):
    """One block of features: what each text has of them, (n_texts, n_features), and their weights."""

    active: sp.csr_matrix
    weights: NDArray[np.float32]  # (n_features, T)


@dataclass(frozen=True)
class Case:
    """The seeds, n texts and T themes; the version trained on them; and the held-out tags of `rows` of the texts."""

    corpus: Corpus
    scorer: Scorer
    read: Sequence[Tokens]
    blocks: dict[str, Block]
    rows: NDArray[np.intp]
    given: NDArray[np.bool_]  # (n_rows, T)
    recipe: Recipe
    report: dict[str, Any]

    @property
    def themes(self) -> list[str]:
        """The ids of the themes, in the order of the columns."""
        return [card.id for card in self.corpus.cards]

    @property
    def arrays(self) -> ScorerArrays:
        """The words, terms and weights of the version."""
        return self.scorer.arrays

    @property
    def truth(self) -> NDArray[np.bool_]:
        """The themes of the held-out texts, (n_rows, T)."""
        return self.corpus.theme_sets[self.rows]

    @cached_property
    def theme_sets(self) -> sp.csr_matrix:
        """The themes of all texts, (n_texts, T): with many themes, few of them are set."""
        return sp.csr_matrix(self.corpus.theme_sets, dtype=np.float64)

    @cached_property
    def used(self) -> dict[str, sp.csr_matrix]:
        """How much of each learned feature the texts of each theme hold together: (T, n_features) for each block."""
        return {name: sp.csr_matrix(self.theme_sets.T @ self.blocks[name].active) for name in LEARNED}

    def feature_names(self, block: str, features: NDArray[np.intp]) -> list[str]:
        """Return the words or the pairs of words that features of a learned block stand for."""
        return [self._name[block](int(feature)) for feature in features]

    @cached_property
    def _name(self) -> dict[str, Callable[[int], str]]:
        of_lead = np.zeros(len(self.arrays.lead_idf), dtype=np.intp)
        of_lead[self.arrays.lead_rows[self.arrays.lead_rows >= 0]] = np.flatnonzero(self.arrays.lead_rows >= 0)

        words = self.arrays.words
        return {
            "words": words.__getitem__,
            "lead": lambda feature: words[of_lead[feature]],
            "pairs": self.arrays.pair,
        }


READ_AT_ONCE = 200
"""Texts between two words on progress."""

LEARNED = ("words", "lead", "pairs")
"""The blocks whose weights are learned; those of the block `card` are written by people."""


def theme_columns(weights: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield each theme's column number and weights, reading a few columns at a time."""
    for first in range(0, weights.shape[1], THEMES_AT_ONCE):
        some = np.ascontiguousarray(weights[:, first : first + THEMES_AT_ONCE].T)
        yield from enumerate(some, first)


def listed(things: Sequence[str], between: str = ", ") -> str:
    """Return things in a sentence: the first dozen, and how many more there are."""
    more = len(things) - MOST_NAMED
    return between.join(things[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def open_case(corpus: Corpus, version: Version, progress: Progress) -> Case:
    """Gather what the checks look at. Raises ModelError where the version was not trained on these themes."""
    progress("loading the version", 0)
    tagger = Tagger.load(version)
    _check_themes(corpus, [theme["id"] for theme in tagger.themes], version.name)
    rows, given = _held_out(corpus, version)
    report = json.loads((version.folder / "report" / "report.json").read_text(encoding="utf-8"))
    recipe = Recipe(**{choice.name: version.manifest["settings"][choice.name] for choice in fields(Recipe)})
    return gather(corpus, tagger.scorer.arrays, rows, given, recipe, report, progress)


def gather(
    corpus: Corpus,
    arrays: ScorerArrays,
    rows: NDArray[np.intp],
    given: NDArray[np.bool_],
    recipe: Recipe,
    report: dict[str, Any],
    progress: Progress,
) -> Case:
    """Return a case, its seeds read as the version reads them."""
    scorer, read, active = Scorer(arrays), [], []
    for number, (text, reading) in enumerate(zip(corpus.texts, scorer.read_many(corpus.texts), strict=True)):
        read.append(tokens(text))
        active.append(reading.active)
        if number % READ_AT_ONCE == 0:
            progress("reading seeds", number / len(corpus.texts))
    weights = (arrays.word_weights, arrays.lead_weights, arrays.pair_weights, arrays.card_weights)
    blocks = {
        name: Block(_stacked([getattr(features, name) for features in active], len(of_block)), of_block)
        for name, of_block in zip((*LEARNED, "card"), weights, strict=True)
    }
    return Case(corpus, scorer, read, blocks, rows, given, recipe, report)


def _check_themes(corpus: Corpus, known: Sequence[str], version: str) -> None:
    themes = [card.id for card in corpus.cards]
    if themes != list(known):
        new = ", ".join(sorted(set(themes) - set(known))) or "none"
        gone = ", ".join(sorted(set(known) - set(themes))) or "none"
        raise ModelError(
            f"The themes of the seeds are not those of {version} (new: {new}; gone: {gone}), or stand in another "
            "order. Train on the seeds as they are first: tagger train"
        )


def _held_out(corpus: Corpus, version: Version) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the rows of the texts that were held out in training, and what they were given."""
    try:
        held_out = HeldOutSeeds.load(version.folder)
    except FileNotFoundError as error:
        raise ModelError(
            f"{version.name} holds no tags of held-out seeds: it was trained by an earlier tagger. "
            "Train again: tagger train"
        ) from error
    row_of = {digest: row for row, digest in enumerate(held_out.digests)}
    found = [row_of.get(text_digest(text), -1) for text in corpus.texts]
    rows = np.flatnonzero(np.array(found) >= 0)
    if not len(rows):
        raise ModelError(f"{version.name} was trained on none of these seeds. Train on them first: tagger train")
    return rows, held_out.given[[found[row] for row in rows]]


def _stacked(texts: Sequence[tuple[NDArray[np.intp], NDArray[np.float64]]], n_features: int) -> sp.csr_matrix:
    ends = np.cumsum([0, *(len(rows) for rows, _ in texts)])
    rows = np.concatenate([rows for rows, _ in texts])
    return sp.csr_matrix((np.concatenate([values for _, values in texts]), rows, ends), shape=(len(texts), n_features))
