"""The compiled form of a fitted model: plain arrays on disk, a text in, the scores of all themes out."""

from __future__ import annotations

from tagger.cleaning import CARD_LEAD_WEIGHT
from tagger.scorer.arrays import ScorerArrays
from tagger.scorer.engine import (
    LEAD_WEIGHT,
    PAIR_WEIGHT,
    WORD_WEIGHT,
    Activations,
    Occurrences,
    Reading,
    Scorer,
)

__all__ = [
    "CARD_LEAD_WEIGHT",
    "LEAD_WEIGHT",
    "PAIR_WEIGHT",
    "WORD_WEIGHT",
    "Activations",
    "Occurrences",
    "Reading",
    "Scorer",
    "ScorerArrays",
]
