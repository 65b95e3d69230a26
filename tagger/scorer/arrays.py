"""The arrays of a scorer, and their files: .npy without pickles, and one term per line."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.errors import DamagedVersion

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScorerArrays:
    """What scoring needs, for V words, L lead words, P pairs, C card terms and T themes.

    A word's row in the lead block is `lead_rows[word]`, -1 where it has none. A pair of words (i, j) stands
    under the key i * V + j in `pair_keys`, which is sorted. Weights contain the weight of their block, and
    those of card terms the card coefficient of the theme.
    """

    words: list[str]
    word_idf: Float64  # (V,)
    word_weights: Float32  # (V, T)
    lead_rows: NDArray[np.int32]  # (V,)
    lead_idf: Float64  # (L,)
    lead_weights: Float32  # (L, T)
    pair_keys: NDArray[np.int64]  # (P,)
    pair_idf: Float64  # (P,)
    pair_weights: Float32  # (P, T)
    card_terms: list[str]
    card_idf: Float64  # (C,)
    card_weights: Float32  # (C, T)
    bias: Float64  # (T,)

    def save(self, folder: Path) -> None:
        """Write one file per array into an existing folder."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                (folder / f"{field.name}.txt").write_text("".join(f"{term}\n" for term in value), encoding="utf-8")
            else:
                np.save(folder / f"{field.name}.npy", np.ascontiguousarray(value), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> ScorerArrays:
        """Map the arrays of a folder into memory. Raises DamagedVersion where a file is missing or no plain array."""
        return cls(**{field.name: _load(folder, field.name, field.type == "list[str]") for field in fields(cls)})


def _load(folder: Path, name: str, is_terms: bool) -> Any:
    path = folder / (f"{name}.txt" if is_terms else f"{name}.npy")
    try:
        if is_terms:
            return path.read_text(encoding="utf-8").split("\n")[:-1]
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except (OSError, ValueError) as error:
        raise DamagedVersion(
            f"The scorer's file {path.name} of {folder.parent.name} cannot be read ({error}); expected a plain array. "
            "Promote another version or train again."
        ) from error
