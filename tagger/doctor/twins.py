"""Themes that are nearly the same: given together, one within the other, or taken for each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.doctor.case import LEARNED, Case, Finding
from tagger.doctor.firing import given_too_often
from tagger.intervals import wilson

KIND = "near-twins"

NEARLY_ALL = 0.8
"""From this share on, the seeds of one theme are nearly all seeds of the other."""

LEAST_SHARE = 0.6
"""And what the share must at least be, given how few seeds it was counted on."""

LIFT = 2.0
"""Themes that meet less than this many times as often as chance are common, not alike."""

TAKEN = 0.2
"""From this share on, seeds of one theme are often given the other."""

LEAST_TAKEN = 5
LIKE_WEIGHTS = 0.5
"""Learned weights with this cosine say that two themes are spoken of in the same words."""

SHARED_WORDS = 8
MOST_PAIRS = 100
"""Pairs that are told of; where there are more, those with most seeds to them."""


class _Pairs(NamedTuple):
    """What is known of each two themes, (T, T) arrays."""

    n_seeds: int
    sizes: NDArray[np.int64]  # (T,), seeds of each
    both: NDArray[np.int64]
    likeness: NDArray[np.float32]  # cosine of the learned weights
    tags: NDArray[np.int64]  # (T,), held-out tags of each
    tags_both: NDArray[np.int64]
    taken: NDArray[np.int64]  # held-out seeds of the first but not the second that were given the second
    apart: NDArray[np.int64]  # held-out seeds of the first but not the second
    wrongly: NDArray[np.float64]  # (T,), share of held-out seeds without a theme that were given it; or far too many


Tell = Callable[[_Pairs, int, int, str, str], tuple[str, str]]
"""Says of two themes, by their columns and ids, what is the matter with them, and what to do."""


def near_twins(case: Case) -> Iterator[Finding]:
    """Yield pairs of themes that are the same in the seeds, one within the other, taken for each other, or alike."""
    pairs = _count(case)
    same, within = _same_and_within(pairs)
    alike = (pairs.likeness >= LIKE_WEIGHTS) & pairs.sizes.astype(bool)
    kinds = ((same, _same), (within, _within), (_often_taken(pairs), _taken), (alike, _alike))
    touched = np.where(same, np.minimum.outer(pairs.sizes, pairs.sizes), pairs.taken + pairs.taken.T)
    first, second = np.nonzero(np.triu(np.any([which | which.T for which, _ in kinds], axis=0), 1))
    order = np.argsort(-touched[first, second], kind="stable")
    for a, b in zip(first[order[:MOST_PAIRS]].tolist(), second[order[:MOST_PAIRS]].tolist(), strict=True):
        which, tell = next(kind for kind in kinds if kind[0][a, b] or kind[0][b, a])
        yield _finding(case, pairs, *((a, b) if which[a, b] else (b, a)), float(touched[a, b]), tell)
    if len(order) > MOST_PAIRS:
        yield _more_pairs(len(order) - MOST_PAIRS)


def _count(case: Case) -> _Pairs:
    truth, given = case.truth.astype(np.float32), case.given.astype(np.float32)
    both = (case.theme_sets.T @ case.theme_sets).toarray()
    # Seeds of i without j that were given j: all of i that were given j, less those that have j as well.
    given_with = truth.T @ given
    rightly = truth.T @ (truth * given)
    held_both = truth.T @ truth
    tags_both = given.T @ given
    false = (case.given & ~case.truth).sum(axis=0)
    return _Pairs(
        n_seeds=case.theme_sets.shape[0],
        sizes=np.diag(both).astype(np.int64),
        both=both.astype(np.int64),
        likeness=_cosines(case),
        tags=np.diag(tags_both).astype(np.int64),
        tags_both=tags_both.astype(np.int64),
        taken=np.rint(given_with - rightly).astype(np.int64),
        wrongly=np.where(given_too_often(case), np.inf, false / np.maximum((~case.truth).sum(axis=0), 1)),
        apart=np.rint(np.diag(held_both)[:, None] - held_both).astype(np.int64),
    )


def _cosines(case: Case) -> NDArray[np.float32]:
    weights = [case.blocks[name].weights for name in LEARNED]
    products = np.sum([block.T @ block for block in weights], axis=0)
    norms = np.sqrt(np.maximum(np.diag(products), 1e-12))
    return np.asarray(products / np.outer(norms, norms))


def _same_and_within(pairs: _Pairs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pairs stand in the same seeds, and of which the seeds of the first are nearly all of the second."""
    share = pairs.both / np.maximum(pairs.sizes, 1)[:, None]
    by_chance = pairs.sizes / max(pairs.n_seeds, 1)
    least, _ = wilson(pairs.both, pairs.sizes[:, None])
    nearly = (share >= NEARLY_ALL) & (least >= LEAST_SHARE) & (share >= LIFT * by_chance[None, :])
    return nearly & nearly.T, nearly & ~nearly.T


def _often_taken(pairs: _Pairs) -> NDArray[np.bool_]:
    """Return where seeds of one, mostly the first, are often given the other, far more often than seeds at large."""
    share = pairs.taken / np.maximum(pairs.apart, 1)
    often = (pairs.taken >= LEAST_TAKEN) & (share >= TAKEN) & (share >= LIFT * pairs.wrongly)
    return (often | often.T) & (pairs.taken >= pairs.taken.T)


def _finding(case: Case, pairs: _Pairs, a: int, b: int, touched: float, tell: Tell) -> Finding:
    first, second = case.themes[a], case.themes[b]
    message, remedy = tell(pairs, a, b, first, second)
    shared = _shared_words(case, a, b)
    words = f"; both are told by {', '.join(shared)}" if shared else ""
    tags = f"{pairs.tags_both[a, b]} held-out seeds were given both, {pairs.tags[a]} and {pairs.tags[b]} either"
    likeness = f"{tags}; the learned weights have a cosine of {pairs.likeness[a, b]:.2f}{words}."
    evidence = {
        "seeds_both": int(pairs.both[a, b]),
        "seeds_jaccard": _jaccard(pairs.both[a, b], pairs.sizes[a], pairs.sizes[b]),
        "held_out_jaccard": _jaccard(pairs.tags_both[a, b], pairs.tags[a], pairs.tags[b]),
        "cosine": round(float(pairs.likeness[a, b]), 3),
        "words": shared,
    }
    if tell is _taken:
        evidence["seeds"] = _seeds_taken(case, a, b)
    return Finding(KIND, (first, second), f"{message} {likeness}", remedy, touched, evidence)


def _jaccard(both: int, first: int, second: int) -> float:
    return round(float(both / max(first + second - both, 1)), 3)


def _same(pairs: _Pairs, a: int, b: int, first: str, second: str) -> tuple[str, str]:
    message = (
        f"{first} and {second} are given to the same seeds: {pairs.both[a, b]} have both, of {pairs.sizes[a]} with "
        f"{first} and {pairs.sizes[b]} with {second}."
    )
    return (
        message,
        "Make one theme of the two, or add seeds that have one without the other and say in both notes which.",
    )


def _within(pairs: _Pairs, a: int, b: int, inner: str, outer: str) -> tuple[str, str]:
    message = (
        f"{inner} lies within {outer}: {pairs.both[a, b]} of the {pairs.sizes[a]} seeds with {inner} also "
        f"have {outer}, which has {pairs.sizes[b]}."
    )
    remedy = (
        f"If every release about {inner} is one about {outer}, say so in its scope note and leave it. "
        f"If not, add seeds with {inner} alone."
    )
    return message, remedy


def _taken(pairs: _Pairs, a: int, b: int, first: str, second: str) -> tuple[str, str]:
    back = f", {pairs.taken[b, a]} of {pairs.apart[b, a]} the other way" if pairs.taken[b, a] else ""
    message = (
        f"{first} is taken for {second}: of {pairs.apart[a, b]} held-out seeds with {first} and without {second}, "
        f"{pairs.taken[a, b]} were given {second}{back}."
    )
    remedy = (
        f"Read the seeds named in the evidence. If they lack {second}, correct them; if not, add seeds of each theme "
        "without the other, and say in both scope notes where the line runs."
    )
    return message, remedy


def _alike(pairs: _Pairs, a: int, b: int, first: str, second: str) -> tuple[str, str]:
    message = (
        f"{first} and {second} are told by the same words, though {pairs.both[a, b]} seeds have both, of "
        f"{pairs.sizes[a]} and {pairs.sizes[b]}."
    )
    return (
        message,
        "Add seeds that have one without the other; if there are none to be found, make one theme of the two.",
    )


def _shared_words(case: Case, a: int, b: int) -> list[str]:
    """Return the words that speak most for both themes, each in its own seeds."""
    weights, used = case.blocks["words"].weights, case.used["words"]
    first, second = (used[[theme]].toarray()[0] * np.maximum(weights[:, theme], 0) for theme in (a, b))
    common = np.minimum(first / max(first.sum(), 1e-12), second / max(second.sum(), 1e-12))
    best = np.argsort(-common, kind="stable")[:SHARED_WORDS]
    return case.feature_names("words", best[common[best] > 0])


def _seeds_taken(case: Case, a: int, b: int) -> list[str]:
    """Return the ids of held-out seeds of the first theme that were given the second without having it."""
    rows = case.rows[case.truth[:, a] & ~case.truth[:, b] & case.given[:, b]]
    return [case.corpus.seeds[row].document.id for row in rows]


def _more_pairs(number: int) -> Finding:
    message = f"{number:,} more pairs of themes are near-twins, with fewer seeds to each than those told of."
    return Finding(KIND, (), message, "Mend those with most seeds, train again and look here.", 0.0)
