"""The compiled form of a fitted model: plain arrays on disk, a text in, the scores of all themes out."""

from __future__ import annotations

from tagger.scorer.arrays import ScorerArrays
from tagger.scorer.engine import CARD_LEAD_WEIGHT, Activations, Scorer

__all__ = ["CARD_LEAD_WEIGHT", "Activations", "Scorer", "ScorerArrays"]
