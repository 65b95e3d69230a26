"""What held-out models made of each seed, kept with a version: the ground on which seeds and themes are doubted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = "held_out"
_NAMES, _ARRAYS = "seeds.json", ("groups", "theme_sets", "probabilities", "given")


@dataclass(frozen=True, slots=True)
class HeldOutSeeds:
    """For n seeds and T themes: who they are, their themes, and what models that had not seen them gave.

    `digests` tell whether a seed's text is still the one that was trained on; `groups` are near-duplicates and
    releases of one page. `given` is what thresholds said that were set without the seed. The columns are the version's
    themes in their order, the rows its seeds in theirs.
    """

    ids: Sequence[str]
    digests: Sequence[str]
    groups: NDArray[np.int32]  # (n,)
    theme_sets: NDArray[np.bool_]  # (n, T)
    probabilities: NDArray[np.float32]  # (n, T)
    given: NDArray[np.bool_]  # (n, T)

    def save(self, folder: Path) -> None:
        """Write the files into a new folder below that of the version."""
        place = folder / FOLDER
        place.mkdir()
        names = {"ids": list(self.ids), "digests": list(self.digests)}
        (place / _NAMES).write_text(json.dumps(names, ensure_ascii=False) + "\n", encoding="utf-8")
        for name in _ARRAYS:
            np.save(place / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> HeldOutSeeds:
        """Read what was saved with the version in `folder`, whose files were checked before."""
        place = folder / FOLDER
        names = json.loads((place / _NAMES).read_text(encoding="utf-8"))
        arrays = (np.load(place / f"{name}.npy", allow_pickle=False) for name in _ARRAYS)
        return cls(names["ids"], names["digests"], *arrays)


def text_digest(text: str) -> str:
    """Return what tells one text from another."""
    return blake2b(text.encode(), digest_size=16).hexdigest()
