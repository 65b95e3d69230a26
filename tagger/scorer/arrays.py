"""The arrays of a scorer, and their files: .npy without pickles, mapped into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

import numpy as np
from numpy.typing import NDArray

from tagger.errors import DamagedVersion
from tagger.tables import UInt64, find, is_table, table, token_key

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

CARD_BITS = 21
"""Bits for each token's number in the key of a card term."""

NO_WORD, ALL_BITS = 2**32 - 1, 2**64 - 1


class Terms(Sequence[str]):
    """Strings as two arrays: their code points one after the other, and where each starts and the last ends."""

    def __init__(self, letters: NDArray[np.uint32], starts: Int64) -> None:
        self.letters = letters
        self.starts = starts

    @classmethod
    def of(cls, terms: Sequence[str]) -> Self:
        """Return the strings of a sequence."""
        letters = np.frombuffer("".join(terms).encode("utf-32-le"), np.uint32)
        return cls(letters, np.cumsum([0, *map(len, terms)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._text(self.starts[place], self.starts[place + 1])

    def __iter__(self) -> Iterator[str]:
        text = self._text(0, self.starts[-1])
        return (text[start:end] for start, end in pairwise(self.starts.tolist()))

    def parts(self, name: str) -> list[tuple[str, NDArray[Any]]]:
        """Return the arrays and what their files are called, after a name for the whole."""
        return [(f"{name}_letters", self.letters), (f"{name}_starts", self.starts)]

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Map what was saved under a name. Raises DamagedVersion."""
        return cls(_load(folder, f"{name}_letters"), _load(folder, f"{name}_starts"))

    def _text(self, start: int | np.int64, end: int | np.int64) -> str:
        return self.letters[start:end].tobytes().decode("utf-32-le")


class Block(NamedTuple):
    """A kind of features: their idf, (n_features,), and weights, (n_features, T)."""

    idf: Float64
    weights: Float32


@dataclass(frozen=True, slots=True)
class ScorerArrays:
    """What scoring needs, for V words, L lead words, P pairs, C card terms and T themes.

    A word's row in the lead block is `lead_rows[word]`, -1 where it has none. Weights contain the weight of their
    block, and those of card terms the card coefficient of the theme.

    The tables (see `tables`) hold for each token its row as a word in the lower 32 bits (all set for none) and its
    number among the tokens of card terms, from 1, in the upper; for each pair of words (i, j), by the key i * V + j,
    its row; and for each card term its row, by the numbers of its tokens, 21 bits each, the first lowest.
    """

    token_table: UInt64  # (n_slots, 2), and so are the others
    words: Terms  # V
    word_idf: Float64  # (V,)
    word_weights: Float32  # (V, T)
    lead_rows: Int32  # (V,)
    lead_idf: Float64  # (L,)
    lead_weights: Float32  # (L, T)
    pair_keys: Int64  # (P,), rising
    pair_table: UInt64
    pair_idf: Float64  # (P,)
    pair_weights: Float32  # (P, T)
    card_terms: Terms
    card_table: UInt64
    card_idf: Float64  # (C,)
    card_weights: Float32  # (C, T)
    bias: Float64  # (T,)

    @classmethod
    def of(cls, words: Sequence[str], pair_keys: Int64, card_terms: Sequence[str], **arrays: NDArray[Any]) -> Self:
        """Return the arrays with their tables of words, of pairs by key, and of card terms."""
        in_cards = list(dict.fromkeys(token for term in card_terms for token in term.split(" ")))
        number = {token: n for n, token in enumerate(in_cards, 1)}
        rows = dict.fromkeys(in_cards, NO_WORD) | {word: row for row, word in enumerate(words)}
        return cls(
            token_table=table(
                np.array([token_key(token) for token in rows], np.uint64),
                np.array([row | number.get(token, 0) << 32 for token, row in rows.items()], np.int64),
            ),
            words=Terms.of(words),
            pair_keys=pair_keys,
            pair_table=table(pair_keys.astype(np.uint64), np.arange(len(pair_keys))),
            card_terms=Terms.of(card_terms),
            card_table=table(
                np.array([_card_key([number[token] for token in term.split(" ")]) for term in card_terms], np.uint64),
                np.arange(len(card_terms)),
            ),
            **arrays,
        )

    def blocks(self) -> tuple[Block, Block, Block, Block]:
        """Return the blocks of words, words of the lead, pairs and card terms."""
        return (
            Block(self.word_idf, self.word_weights),
            Block(self.lead_idf, self.lead_weights),
            Block(self.pair_idf, self.pair_weights),
            Block(self.card_idf, self.card_weights),
        )

    def pair(self, row: int) -> str:
        """Return the pair of words of a row."""
        first, second = divmod(int(self.pair_keys[row]), len(self.word_idf))
        return f"{self.words[first]} {self.words[second]}"

    def pairs_of(self, word_rows: Int64) -> tuple[Int64, Int64]:
        """Return the row of each known pair of neighbours and the place of its first word, given the words' rows."""
        if not len(self.pair_keys):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        first = ((word_rows[:-1] >= 0) & (word_rows[1:] >= 0)).nonzero()[0]
        keys = word_rows[first] * len(self.word_idf) + word_rows[first + 1]
        rows = find(self.pair_table, keys.view(np.uint64))
        known = (rows >= 0).nonzero()[0]
        return rows[known], first[known]

    def problem(self) -> str | None:
        """Return what of the arrays does not fit together; the engines look at neither sizes nor bounds."""
        return next(chain(self._misshapen(), self._out_of_bounds()), None)

    def _misshapen(self) -> Iterator[str]:
        words, lead, pairs, card = (len(block.idf) for block in self.blocks())
        themes = len(self.bias)
        shapes = {
            "bias": (np.float64, (themes,)),
            "word_idf": (np.float64, (words,)),
            "word_weights": (np.float32, (words, themes)),
            "lead_rows": (np.int32, (words,)),
            "lead_idf": (np.float64, (lead,)),
            "lead_weights": (np.float32, (lead, themes)),
            "pair_keys": (np.int64, (pairs,)),
            "pair_idf": (np.float64, (pairs,)),
            "pair_weights": (np.float32, (pairs, themes)),
            "card_idf": (np.float64, (card,)),
            "card_weights": (np.float32, (card, themes)),
        }
        for name, (kind, shape) in shapes.items():
            array = getattr(self, name)
            if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
                yield f"{name} is {array.dtype} {array.shape}, expected {np.dtype(kind)} {shape}, row by row"
        for name, terms, n in (("words", self.words, words), ("card_terms", self.card_terms, card)):
            if len(terms) != n:
                yield f"there are {len(terms)} {name}, expected {n}"

    def _out_of_bounds(self) -> Iterator[str]:
        words, lead, pairs, card = (len(block.idf) for block in self.blocks())
        if self.lead_rows.max(initial=-1) >= lead:
            yield f"lead_rows names row {self.lead_rows.max()} of {lead}"
        tables = {
            "token_table": (self.token_table, words, NO_WORD),
            "pair_table": (self.pair_table, pairs, ALL_BITS),
            "card_table": (self.card_table, card, ALL_BITS),
        }
        for name, (slots, rows, mask) in tables.items():
            if not is_table(slots):
                yield f"{name} is no table with an empty slot"
                continue
            named = slots[slots[:, 0] != 0, 1] & np.uint64(mask)
            if ((named >= rows) & (named != mask)).any():  # where all bits are set there is no word
                yield f"{name} names a row beyond its {rows}"

    def save(self, folder: Path) -> None:
        """Write one file per array into an existing folder."""
        for field in fields(self):
            for name, array in _parts(field.name, getattr(self, field.name)):
                np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map the arrays of a folder into memory.

        Raises DamagedVersion where a file is missing or no plain array, or where one names rows another lacks.
        """
        loaders: dict[str, Callable[[Path, str], Any]] = {
            field.name: Terms.load if field.type == "Terms" else _load for field in fields(cls)
        }
        arrays = cls(**{name: load(folder, name) for name, load in loaders.items()})
        if problem := arrays.problem():
            raise DamagedVersion(
                f"The scorer's arrays of {folder.parent.name} do not fit together: {problem}. "
                "Promote another version or train again."
            )
        return arrays


def _card_key(numbers: Sequence[int]) -> int:
    return sum(number << CARD_BITS * place for place, number in enumerate(numbers))


def _parts(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from value.parts(name) if isinstance(value, Terms) else [(name, value)]


def _load(folder: Path, name: str) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray))
    except (OSError, ValueError) as error:
        raise DamagedVersion(
            f"The scorer's file {path.name} of {folder.parent.name} cannot be read ({error}); expected a plain array. "
            "Promote another version or train again."
        ) from error
