"""Seeds whose themes look wrong, by what models made of them that had not seen them, and by their near-duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tagger.checked import Checked, load_checked
from tagger.cleaning import tokens
from tagger.corpus import Corpus, Merge, Seed, read_corpus
from tagger.errors import InputError, ModelError
from tagger.evidence import Explainer, TermShare
from tagger.folds import group_texts
from tagger.heldout import HeldOutSeeds, text_digest
from tagger.registry import Version
from tagger.scorer import Scorer
from tagger.tagging import Tagger
from tagger.themes import did_you_mean

Kind = Literal["missing", "wrong"]

SHOWN_TERMS = 5
"""Terms told for a doubt, in each direction."""

LEAST_SHARE = 0.05
"""Terms that add or take less than this from a score are no reason, and are not told."""

CONTRADICTION = 4.0
"""What it adds to a doubt that near-duplicates contradict each other, in log-odds: of labels in general about one in
fifty is wrong, of two that contradict each other one."""

LEAST_PROBABILITY = 1e-6
"""Probabilities are rounded to six digits; less than the last of them says no more."""

Progress = Callable[[str], None]
"""Called with each phase."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A theme that a seed seems to miss, or to have wrongly.

    `probability` is what models gave that had not seen the seed. The terms are what the version, which saw it, finds
    in its text. `near_duplicates` are ids of seeds with nearly the same text for which the opposite is stated.
    """

    theme: str
    kind: Kind
    probability: float
    threshold: float
    doubt: float
    terms_for: tuple[TermShare, ...]
    terms_against: tuple[TermShare, ...]
    near_duplicates: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """Return the doubt as JSON-able values."""
        return {
            "theme": self.theme,
            "kind": self.kind,
            "probability": self.probability,
            "threshold": self.threshold,
            "doubt": self.doubt,
            "terms_for": [{"term": term.term, "share": term.share} for term in self.terms_for],
            "terms_against": [{"term": term.term, "share": term.share} for term in self.terms_against],
            "near_duplicates": list(self.near_duplicates),
        }


@dataclass(frozen=True, slots=True)
class DoubtedSeed:
    """A seed and what of its themes is doubted, the most doubtful first."""

    seed: Seed
    doubts: tuple[Doubt, ...]

    def themes(self, kind: Kind) -> list[str]:
        """Return the themes that are doubted in one direction."""
        return [doubt.theme for doubt in self.doubts if doubt.kind == kind]


@dataclass(frozen=True, slots=True)
class Doubts:
    """The seeds most worth a look, the most doubtful first, and how many were judged, are doubted, and could not be.

    `newer` counts seeds that the version was not trained on, `changed` those whose text is another by now.
    """

    version: str
    seeds: tuple[DoubtedSeed, ...]
    judged: int
    doubted: int
    newer: int
    changed: int
    new_themes: tuple[str, ...]


def find_doubts(
    folder: Path,
    version: Version,
    *,
    most: int = 20,
    theme: str | None = None,
    merge: Merge = "refuse",
    progress: Progress = lambda _phase: None,
) -> Doubts:
    """Return the seeds below a folder whose themes look most wrong, with a theme only those where it is doubted.

    Today's themes are judged by the held-out probabilities of the version. Raises SeedsError, DamagedVersion,
    InputError for an unknown theme, and ModelError for a version that kept no held-out probabilities.
    """
    progress("reading seeds")
    corpus, checked = read_corpus(folder, merge), load_checked(folder)
    progress("loading the version")
    tagger = Tagger.load(version)
    judged = _judged(corpus, tagger, _held_out(version))
    only = None if theme is None else _column(judged, corpus, theme, version.name)
    progress("comparing")
    doubts, opposites = _doubts(corpus, judged, checked)
    if only is not None:
        doubts[:, np.arange(doubts.shape[1]) != only] = -np.inf
    strongest = doubts.max(axis=1, initial=-np.inf)
    progress("looking for reasons")
    return Doubts(
        version=version.name,
        seeds=tuple(
            _doubted(corpus, judged, row, doubts[row], opposites, tagger.scorer) for row in _largest(strongest, most)
        ),
        judged=len(judged.rows),
        doubted=int((strongest > 0).sum()),
        newer=judged.newer,
        changed=judged.changed,
        new_themes=tuple(card.id for card in corpus.cards if card.id not in judged.bare | judged.themes.keys()),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """The seeds (rows) and themes (columns) of a corpus that a version has held-out probabilities of."""

    rows: NDArray[np.intp]  # (n,), of the corpus
    themes: Mapping[str, int]  # theme -> its column in the version
    bare: frozenset[str]  # themes of the version that had no seed
    given: NDArray[np.bool_]  # (n, T), today
    probabilities: NDArray[np.float32]  # (n, T)
    groups: NDArray[np.int32]  # (n,)
    thresholds: Sequence[float]  # (T,)
    newer: int
    changed: int


def _held_out(version: Version) -> HeldOutSeeds:
    try:
        return HeldOutSeeds.load(version.folder)
    except FileNotFoundError as error:
        raise ModelError(
            f"{version.name} holds no probabilities of held-out seeds: it was trained by an earlier tagger. "
            "Train again: tagger train"
        ) from error


def _judged(corpus: Corpus, tagger: Tagger, held_out: HeldOutSeeds) -> _Judged:
    row_of = {digest: row for row, digest in enumerate(held_out.digests)}
    found = np.array([row_of.get(text_digest(text), -1) for text in corpus.texts], dtype=int)
    rows = np.flatnonzero(found >= 0)
    known_ids = set(held_out.ids)
    changed = sum(corpus.seeds[row].document.id in known_ids for row in np.flatnonzero(found < 0))
    columns = {card.id: column for column, card in enumerate(corpus.cards)}
    # Of a theme that no seed had, the probabilities come from its card alone; they are no ground for doubts.
    ours = [
        (theme["id"], column) for column, theme in enumerate(tagger.themes) if theme["id"] in columns and theme["seeds"]
    ]
    of_corpus = np.array([columns[theme] for theme, _ in ours], dtype=int)
    of_version = np.array([column for _, column in ours], dtype=int)
    return _Judged(
        rows=rows,
        themes=dict(ours),
        bare=frozenset(theme["id"] for theme in tagger.themes if not theme["seeds"]),
        given=corpus.theme_sets[np.ix_(rows, of_corpus)],
        probabilities=held_out.probabilities[np.ix_(found[rows], of_version)],
        groups=held_out.groups[found[rows]],
        thresholds=[float(tagger.themes[column]["threshold"]) for column in of_version],
        newer=len(corpus.texts) - len(rows) - changed,
        changed=changed,
    )


def _column(judged: _Judged, corpus: Corpus, theme: str, version: str) -> int:
    known = [card.id for card in corpus.cards]
    if theme not in known:
        raise InputError(f"There is no theme {theme!r}. {did_you_mean(theme, known)}Known are: {', '.join(known)}.")
    if theme in judged.bare:
        raise InputError(
            f"The theme {theme!r} had no seed when {version} was trained; there is no telling yet which seeds miss it. "
            f"Give it some: tagger seeds add PAGE --themes {theme}"
        )
    if theme not in judged.themes:
        raise InputError(f"The theme {theme!r} is newer than {version}. Train to have it judged: tagger train")
    return list(judged.themes).index(theme)


Opposites = Mapping[tuple[int, int], tuple[str, ...]]
"""For seed and theme, by row and column of what was judged, the ids of near-duplicates that state the opposite."""


def _doubts(corpus: Corpus, judged: _Judged, checked: Checked) -> tuple[NDArray[np.float32], Opposites]:
    """Return how much each theme of each seed is doubted, (n, T), none from 0 down, and what contradicts it."""
    doubts = log_odds_of_error(judged.probabilities, judged.given)
    seeds = [corpus.seeds[row] for row in judged.rows]
    columns = {theme: column for column, theme in enumerate(judged.themes)}
    for row, seed in enumerate(seeds):
        for theme, has in checked.get(seed.document.id, {}).items():
            if theme in columns and judged.given[row, columns[theme]] == has:
                doubts[row, columns[theme]] = -np.inf
    opposites: dict[tuple[int, int], tuple[str, ...]] = {}
    for rows in _near_duplicates(corpus, judged):
        for row, column, others in _contradictions(rows, judged.given, doubts):
            opposites[row, column] = tuple(seeds[other].document.id for other in others)
            doubts[row, column] = max(doubts[row, column], 0) + CONTRADICTION
    return doubts, opposites


def log_odds_of_error(probabilities: NDArray[np.float32], given: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return for seeds and themes, (n, T), the log-odds that what is stated is wrong, up to a constant.

    If of each theme as many labels are wrong as are missing, then by Bayes' rule a missing theme has the log-odds of
    its probability, a given one the log-odds against it less those against the theme in general. So a seed of a rare
    theme that no model learns is not doubted for its low probability, and both directions can be ranked together.
    """
    evidence = np.log(np.clip(probabilities, LEAST_PROBABILITY, None))
    evidence -= np.log(np.clip(1 - probabilities, LEAST_PROBABILITY, None))
    rates = (given.sum(axis=0) + 1) / (len(given) + 2)
    return np.where(given, np.log(rates / (1 - rates)).astype(np.float32) - evidence, evidence)


def _near_duplicates(corpus: Corpus, judged: _Judged) -> Iterable[NDArray[np.intp]]:
    """Return rows that have nearly the same text, group by group; those of one page need not."""
    sizes = np.bincount(judged.groups)
    rows = np.flatnonzero(sizes[judged.groups] > 1)
    if not len(rows):
        return []
    groups = group_texts([tokens(corpus.texts[judged.rows[row]]) for row in rows], [None] * len(rows))
    return [rows[groups == group] for group in np.flatnonzero(np.bincount(groups) > 1)]


def _contradictions(
    rows: NDArray[np.intp], given: NDArray[np.bool_], doubts: NDArray[np.float32]
) -> Iterable[tuple[int, int, NDArray[np.intp]]]:
    """Yield of near-duplicates, for each theme that only some have, the most doubtful row, the theme, and the others.

    What most of them state is doubted less; where a person checked all of one side, the other is doubted.
    """
    of_group = given[rows]
    for column in np.flatnonzero(of_group.any(axis=0) & ~of_group.all(axis=0)):
        share = of_group[:, column].mean()
        against = np.where(of_group[:, column], np.log(1 - share) - np.log(share), np.log(share) - np.log(1 - share))
        most = int((doubts[rows, column] + against).argmax())
        if np.isfinite(doubts[rows[most], column]):
            yield int(rows[most]), int(column), rows[of_group[:, column] != of_group[most, column]]


def _largest(values: NDArray[np.float32], most: int) -> list[int]:
    """Return where the largest values above 0 are, at most so many, in order; of ties, the first."""
    candidates = np.flatnonzero(values > 0)
    if len(candidates) > most:
        least = np.partition(values[candidates], -most)[-most]
        candidates = candidates[values[candidates] >= least]
    return [int(row) for row in candidates[np.argsort(-values[candidates], kind="stable")][:most]]


def _doubted(
    corpus: Corpus, judged: _Judged, row: int, doubts: NDArray[np.float32], opposites: Opposites, scorer: Scorer
) -> DoubtedSeed:
    explainer = Explainer(scorer, corpus.texts[judged.rows[row]])
    themes = list(judged.themes.items())

    def doubt(column: int) -> Doubt:
        theme, of_version = themes[column]
        terms = explainer.explain(of_version).terms
        return Doubt(
            theme=theme,
            kind="wrong" if judged.given[row, column] else "missing",
            probability=round(float(judged.probabilities[row, column]), 6),
            threshold=judged.thresholds[column],
            doubt=round(float(doubts[column]), 3),
            terms_for=tuple(term for term in terms if term.share >= LEAST_SHARE)[:SHOWN_TERMS],
            terms_against=tuple(term for term in terms if term.share <= -LEAST_SHARE)[:SHOWN_TERMS],
            near_duplicates=opposites.get((row, column), ()),
        )

    return DoubtedSeed(corpus.seeds[judged.rows[row]], tuple(map(doubt, _largest(doubts, len(doubts)))))
