"""The seeds that taught a theme: what each seed adds to the score of a text, through the weights it shaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.scorer import LEAD_WEIGHT, PAIR_WEIGHT, WORD_WEIGHT, Reading, ScorerArrays

FOLDER = "seeds"
_NAMES = "seeds.json"

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


class Taught(NamedTuple):
    """What a seed adds to a theme's score for a text: as a rule more than zero if it has the theme, less if not."""

    id: str
    title: str | None
    has_theme: bool
    share: float


@dataclass(frozen=True, slots=True)
class Teachers:
    """The seeds' features and how much each of them weighs in each theme, as plain arrays.

    A theme's weights are a sum over its seeds, w = sum of dual_i * x_i (the representer theorem; for texts, Yeh et al.
    2018), so what words and card add to a score is a sum over seeds too, dual_i * (x_i . x + card_i * c) with c the
    text's card score. The seeds of theme t and their `duals` stand at `theme_starts[t]` to `theme_starts[t + 1]`; the
    features of seed i, numbered as the scorer's rows of [words | lead | pairs], at `seed_starts[i]` to
    `seed_starts[i + 1]`. `card` holds card_i over the theme's weight of it, so that its product with what the card
    adds to a score is card_i * c.
    """

    names: Sequence[tuple[str, str | None]]
    seed_starts: Int64  # (n + 1,)
    features: Int32
    values: Float32
    theme_starts: Int64  # (T + 1,)
    seeds: Int32
    duals: Float32
    card: Float32

    def save(self, folder: Path) -> None:
        """Write the files into a new folder below that of the version."""
        place = folder / FOLDER
        place.mkdir()
        (place / _NAMES).write_text(json.dumps(list(self.names), ensure_ascii=False) + "\n", encoding="utf-8")
        for field in fields(self)[1:]:
            np.save(place / f"{field.name}.npy", getattr(self, field.name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Teachers:
        """Map what was saved with the version in `folder`, whose files were checked before."""
        place = folder / FOLDER
        names = [(name, title) for name, title in json.loads((place / _NAMES).read_text(encoding="utf-8"))]
        arrays = [np.load(place / f"{field.name}.npy", mmap_mode="r", allow_pickle=False) for field in fields(cls)[1:]]
        return cls(names, *arrays)

    def taught(self, products: NDArray[np.float64], card: float, theme: int, most: int) -> list[Taught]:
        """Return the seeds with the largest shares in a theme's score, for or against, the largest first.

        `products` are those of the text with each seed, `card` is what the card adds to the score. The shares of all
        seeds sum up to the score without its bias, within the tolerance of the classifier's fit: on the starter seeds
        within .02.
        """
        part = slice(int(self.theme_starts[theme]), int(self.theme_starts[theme + 1]))
        seeds = self.seeds[part]
        shares = self.duals[part] * (products[seeds] + self.card[part] * card)
        order = np.argsort(-np.abs(shares), kind="stable")[:most].tolist()
        duals = self.duals[part]
        named = [(*self.names[seeds[place]], bool(duals[place] > 0), float(shares[place])) for place in order]
        return [Taught(*seed) for seed in named]

    def products(self, arrays: ScorerArrays, reading: Reading) -> NDArray[np.float64]:
        """Return the product of a text's features with those of each seed, (n,)."""
        active = reading.active
        text = np.zeros(len(arrays.words) + len(arrays.lead_idf) + len(arrays.pair_idf))
        text[active.words[0]] = WORD_WEIGHT * active.words[1]
        text[len(arrays.words) + active.lead[0]] = LEAD_WEIGHT * active.lead[1]
        text[len(arrays.words) + len(arrays.lead_idf) + active.pairs[0]] = PAIR_WEIGHT * active.pairs[1]
        sums = np.append(0.0, np.cumsum(text[self.features] * self.values))
        return np.asarray(sums[self.seed_starts[1:]] - sums[self.seed_starts[:-1]])
