"""The compiled form of a fitted model: plain arrays on disk, a text in, the scores of all themes out."""

from __future__ import annotations

from tagger.scorer.arrays import ScorerArrays
from tagger.scorer.engine import (
    CARD_LEAD_WEIGHT,
    LEAD_WEIGHT,
    PAIR_WEIGHT,
    WORD_WEIGHT,
    Activations,
    Reading,
    Scorer,
)

__all__ = [
    "CARD_LEAD_WEIGHT",
    "LEAD_WEIGHT",
    "PAIR_WEIGHT",
    "WORD_WEIGHT",
    "Activations",
    "Reading",
    "Scorer",
    "ScorerArrays",
]
