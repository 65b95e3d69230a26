"""Samples: texts as the numbers that are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from tagger.documents import Document, Unreadable
from tagger.errors import InputError, ModelError
from tagger.heldout import HeldOutSeeds
from tagger.observations import Observations, Observer, histograms
from tagger.registry import Version
from tagger.rules import ODD_SEEDS
from tagger.tagging import Tagger

SAY_EVERY = 64
"""Documents between two reports of progress."""

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers of some texts, for T themes, by theme.

    `shares` are numbers of texts of a kind; `unseen` is the histogram of their shares of unknown words, `unknown` the
    share in all of them. `days` hold for each day the number of texts, and of those that themes were given to, (T,).
    """

    name: str
    themes: tuple[str, ...]
    texts: int
    given: Int64  # (T,)
    scores: Int64  # (T, bins)
    shares: Mapping[str, int]
    unseen: Int64 | None = None  # (bins,)
    unknown: float = 0.0
    days: Sequence[tuple[int, Int64]] = ()

    @classmethod
    def of_days(cls, when: str, days: Sequence[Observations]) -> Sample:
        """Return what was observed on some days, at least one."""
        seen = reduce(add, days)
        return cls(
            name=f"{seen.texts:,} text{'' if seen.texts == 1 else 's'} {when}",
            themes=seen.themes,
            texts=seen.texts,
            given=seen.given,
            scores=seen.scores,
            shares={"none": seen.none, "review": seen.review_texts, "cautions": sum(seen.cautions.values())},
            unseen=seen.unseen,
            unknown=seen.unknown_words / max(1, seen.words),
            days=[(day.texts, day.given) for day in days],
        )

    @classmethod
    def of_training(cls, tagger: Tagger, version: Version) -> Sample:
        """Return what models that had not seen a version's seeds made of them; themes without seeds are left out.

        Raises ModelError where the version kept nothing of it.
        """
        held_out = _held_out(version)
        seeded = np.array([theme["seeds"] > 0 for theme in tagger.themes])
        texts = len(held_out.given)
        # Which seeds lie outside the domain was not kept; its limits were set for so many by each of two measures.
        shares = {"none": int((~held_out.given.any(axis=1)).sum()), "cautions": round(2 * ODD_SEEDS * texts)}
        return cls(
            name=f"{texts:,} held-out seeds",
            themes=tuple(theme["id"] for theme in tagger.themes if theme["seeds"] > 0),
            texts=texts,
            given=held_out.given[:, seeded].sum(axis=0),
            scores=histograms(held_out.probabilities[:, seeded]),
            shares=shares,
        )


def observe(
    tagger: Tagger, documents: Iterable[Document | Unreadable], progress: Callable[[str], None]
) -> tuple[Observations, int]:
    """Return what a version makes of documents, pages cut into their releases, and how many could not be read.

    Raises InputError where there is no text in any.
    """
    tagger.watch = observer = Observer(tagger.version, [theme["id"] for theme in tagger.themes])
    failed = 0
    for number, item in enumerate(documents, 1):
        if isinstance(item, Unreadable):
            failed += 1
        elif item.raw_page:
            list(tagger.tag_page(item))
        else:
            tagger.tag(item)
        if number % SAY_EVERY == 0:
            progress(f"{number:,} documents tagged")
    seen = observer.seen()
    if not seen.texts:
        unread = f" ({failed:,} documents could not be read)" if failed else ""
        raise InputError(f"There was no text to tag{unread}. Give a file or folder with documents.")
    return seen, failed


def _held_out(version: Version) -> HeldOutSeeds:
    try:
        return HeldOutSeeds.load(version.folder)
    except FileNotFoundError as error:
        raise ModelError(
            f"{version.name} holds no probabilities of held-out seeds: it was trained by an earlier tagger. "
            "Train again (tagger train), or compare with --against before."
        ) from error
