"""The domain of a version: what texts are like that its rule was set on, and whether a text is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.decisions import Caution
from tagger.scorer import Reading


class Limits(NamedTuple):
    """For texts of so many words and more: the most unseen words, and the least likeness to the seeds."""

    words: int
    most_unseen: float
    least_likeness: float


@dataclass(frozen=True, slots=True)
class Domain:
    """What a text must be like to be given themes without a look.

    It has at least `least_words` words; of its different words at most a share stands in no seed; and the cosine
    between its words and the mean of the seeds' words is not too low. `limits`, by growing length, say how much for a
    text of its length: a short one has a chance to be odd.
    """

    mean: NDArray[np.float64]  # (n_words,), of length 1, over the rows of the scorer's words
    least_words: int
    limits: Sequence[Limits]

    def caution(self, reading: Reading) -> Caution | None:
        """Return why a text is outside, if it is. A text with no known word always is."""
        length = reading.n_words
        _, most_unseen, least_likeness = next(
            (limits for limits in reversed(self.limits) if limits.words <= length), self.limits[0]
        )
        if not len(reading.active.words[0]):
            return "out_of_domain"
        if length < self.least_words:
            return "too_short"
        unlike = self.unseen(reading) > most_unseen or self.likeness(reading) < least_likeness
        return "out_of_domain" if unlike else None

    def as_record(self) -> dict[str, Any]:
        """Return the limits as JSON-able values."""
        return {"least_words": self.least_words, "limits": [limits._asdict() for limits in self.limits]}

    def likeness(self, reading: Reading) -> float:
        """Return the cosine between a text's words and the mean of the seeds'."""
        rows, values = reading.active.words
        return float(np.add.reduce(values * self.mean[rows]))

    @staticmethod
    def unseen(reading: Reading) -> float:
        """Return the share of a text's different words that stand in no seed, 1 where it has no word."""
        known = len(reading.active.words[0])
        return (reading.n_different - known) / reading.n_different if reading.n_different else 1.0
