"""Themes that are given to no seed, to hardly any of their own, or to far too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tagger.doctor.case import Case, Finding
from tagger.intervals import wilson

NEVER, ALWAYS, BARE = "never-given", "given-too-often", "no-seeds"

FEW_SEEDS = 5
"""Themes with fewer seeds are named together: held out, they say little one by one."""

RARELY = 0.3
"""The share of its seeds that a theme surely finds less of."""

EVERYWHERE = 0.8
"""Given to this share of all seeds, a theme says nothing."""

TOO_OFTEN = 3.0
"""A theme is given too often when surely not even one of so many of its tags is right."""


def firing(case: Case) -> Iterator[Finding]:
    """Yield themes that held-out seeds were never given, or far too often."""
    given, true, hits = _counts(case)
    n = len(case.rows)
    _, most_found = wilson(hits, true)
    seldom = (true > 0) & ((hits == 0) | (most_found < RARELY))
    for theme in np.flatnonzero(given_too_often(case)).tolist():
        yield _always(case.themes[theme], int(given[theme]), int(true[theme]), int(hits[theme]), n)
    for theme in np.flatnonzero(seldom & (true >= FEW_SEEDS)).tolist():
        yield _never(case.themes[theme], int(given[theme]), int(true[theme]), int(hits[theme]))
    few = np.flatnonzero(seldom & (true < FEW_SEEDS))
    if len(few):
        yield _never_for_few([case.themes[theme] for theme in few], int(true[few].sum()))
    silent = np.flatnonzero((given == 0) & ~case.corpus.theme_sets.any(axis=0))
    if len(silent):
        yield _bare([case.themes[theme] for theme in silent], n)


def given_too_often(case: Case) -> NDArray[np.bool_]:
    """Return which themes are given to nearly all held-out seeds, or mostly wrongly, (T,)."""
    given, true, hits = _counts(case)
    _, most_right = wilson(hits, given)
    return (given >= EVERYWHERE * len(case.rows)) | ((most_right < 1 / TOO_OFTEN) & (true > 0))


def _counts(case: Case) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return how many held-out seeds were given each theme, have it, and both, (T,)."""
    return case.given.sum(axis=0), case.truth.sum(axis=0), (case.given & case.truth).sum(axis=0)


def _always(theme: str, given: int, true: int, hits: int, n: int) -> Finding:
    message = f"{theme} is given to {given} of {n} held-out seeds; {true} have it, and {hits} of its tags are right."
    remedy = (
        "Add seeds without it that are like those it is wrongly given to, or sharpen its card."
        if given - hits > hits
        else "A theme that stands nearly everywhere tells releases little apart: split it, or take it out."
    )
    touched = max(given - hits, given if given >= EVERYWHERE * n else 0)
    return Finding(ALWAYS, (theme,), message, remedy, touched, {"given": given, "true": true, "right": hits})


def _never(theme: str, given: int, true: int, hits: int) -> Finding:
    message = f"{theme} is hardly ever found: of {true} held-out seeds that have it, {hits} were given it."
    remedy = (
        "Check that its seeds speak of one thing (tagger seeds doubt), write the words they share on its card, "
        "and add seeds."
    )
    return Finding(NEVER, (theme,), message, remedy, true - hits, {"given": given, "true": true, "right": hits})


def _never_for_few(themes: Sequence[str], missed: int) -> Finding:
    message = (
        f"{len(themes)} themes with fewer than {FEW_SEEDS} seeds are never given when these are held out "
        f"({missed} tags missed)."
    )
    remedy = "Add seeds to those that matter, and words to their cards; merge or take out the others."
    return Finding(NEVER, tuple(themes), message, remedy, missed / len(themes))


def _bare(themes: Sequence[str], n: int) -> Finding:
    plural = len(themes) > 1
    message = (
        f"{len(themes)} themes without seeds are" if plural else f"{themes[0]}, which has no seeds, is"
    ) + f" given to none of the {n} seeds."
    remedy = "This may be right. Try a release that should have it: tagger tag FILE --explain shows how near it comes."
    return Finding(BARE, tuple(themes), message, remedy, 0.0)
