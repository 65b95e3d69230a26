"""Pages of raw text -> the releases they hold, each with its title, date, office and clean text."""

from tagger.releases.cutting import Cut, clean, cut
from tagger.releases.learning import NOTHING_LEARNED, Boilerplate, learn

__all__ = ["NOTHING_LEARNED", "Boilerplate", "Cut", "clean", "cut", "learn"]
