"""Hash tables as plain arrays: open addressing, mapped from a file and read in place by both engines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]
Int64 = NDArray[np.int64]

BASE = 0xD1342543DE82EF95
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
KEY_BITS = 2**63 - 1
_STEPS = 2 * np.arange(1, 9)


def table(keys: UInt64, values: Int64) -> UInt64:
    """Return a table of values by different keys below 2**63, (n_slots, 2): the key plus one, 0 if empty; the value.

    A key is looked for from the slot that the top bits of its product with a constant name (Knuth, TAOCP 3, 6.4), on to
    the first empty one. There are at least twice as many slots as keys, a power of two.
    """
    slots = np.zeros((1 << (2 * len(keys) + 1).bit_length(), 2), np.uint64)
    waiting, at = np.arange(len(keys)), _first(slots, keys)
    while len(waiting):
        free = np.flatnonzero(slots[at, 0] == 0)
        taken, winners = np.unique(at[free], return_index=True)
        placed = free[winners]
        slots[taken, 0] = keys[waiting[placed]] + np.uint64(1)
        slots[taken, 1] = values[waiting[placed]]
        waiting, at = np.delete(waiting, placed), (np.delete(at, placed) + 1) % len(slots)
    return slots


def is_table(slots: UInt64) -> bool:
    """Tell whether an array is of the form of a table, in which every search ends."""
    n = len(slots)
    formed = slots.dtype == np.uint64 and slots.shape == (n, 2) and bool(slots.flags.c_contiguous)
    return formed and n >= 2 and n & (n - 1) == 0 and bool((slots[:, 0] == 0).any())


def find(slots: UInt64, keys: UInt64) -> Int64:
    """Return the value of each key in a table, -1 where it has none."""
    cells, wanted, at = slots.reshape(-1), keys + np.uint64(1), 2 * _first(slots, keys)
    met = cells.take(at)
    hit = met == wanted
    values = np.where(hit, cells.take(at + 1).view(np.int64), -1)
    # Most keys stand in their first slot or that is empty; for the others, more slots at a time.
    waiting = np.flatnonzero((met != 0) & ~hit)
    wanted, at = wanted[waiting, None], at[waiting, None] + _STEPS
    while len(waiting):
        at &= len(cells) - 1
        met = cells.take(at)
        key, step = (met == wanted).nonzero()
        values[waiting[key]] = cells.take(at[key, step] + 1)
        on = np.flatnonzero(met.all(axis=1))
        waiting, wanted, at = waiting[on], wanted[on], at[on] + _STEPS[-1]
    return values


def _first(slots: UInt64, keys: UInt64) -> Int64:
    return ((keys * _MULTIPLIER) >> np.uint64(65 - len(slots).bit_length())).astype(np.int64)


def token_key(token: str) -> int:
    """Return the key of a token: the polynomial in BASE whose coefficients are its characters, modulo 2**63.

    The first character counts highest. A token is known by its key alone: among ten billion
    different ones, the odds are one in ten thousand that a single one has the key of one of a hundred thousand words.
    """
    value = 0
    for char in token:
        value = (value * BASE + ord(char)) & KEY_BITS
    return value
