"""Words that stand for who, where and when rather than for what: told from the seeds' texts alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tagger.cleaning import tokens
from tagger.corpus import Corpus
from tagger.releases import Boilerplate

NAME_SHARE = 0.9
"""A word is a name when it has a capital in this share of its places inside a sentence."""

LEAST_PLACES = 3
"""A word met less often inside sentences is not judged."""

MOST_CAPITALS = 1 / 3
"""Where more of the words inside sentences have one (German nouns do), a capital says nothing."""

BOILERPLATE_SHARE = 0.9

DATES = frozenset(
    [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
        "november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
        "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun",
    ]
)  # fmt: skip

_INSIDE = re.compile(r"(?<=[\w,;] )[^\W\d]+")
"""A word that a word or a comma and a space stand before: no sentence, quotation or list begins with it."""

_LONG_WORD = re.compile(r"[^\W\d]{4,}")
_PARAGRAPH = re.compile(r"\n\s*\n")


def kinds_of_names(corpus: Corpus) -> dict[str, str]:
    """Return the words that are `dates`, `offices`, other `names` or `boilerplate`, and which of these they are.

    A word is a name if it is written with a capital nearly wherever it stands inside a sentence; titles and
    headings say nothing. Names that stand in the seeds' field `office` are those of offices.
    """
    boilerplate = _boilerplate_words(corpus.texts, corpus.learned)
    offices = {word for seed in corpus.seeds for word in tokens(str(seed.document.metadata.get("office") or "")).raw}
    kinds = dict.fromkeys(boilerplate, "boilerplate")
    for word in names(corpus.texts):
        kinds[word] = "dates" if word in DATES else "offices" if word in offices else "names"
    return kinds


def names(texts: Iterable[str]) -> set[str]:
    """Return the words that are names, lower-cased.

    >>> sorted(names(["The port of Oslo is shut, and Oslo knows. Here in Oslo we wait for the port."]))
    ['oslo']
    """
    written = Counter(word for text in texts for line in _sentences(text) for word in _INSIDE.findall(line))
    places: Counter[str] = Counter()
    capitals: Counter[str] = Counter()
    for word, count in written.items():
        places[word.lower()] += count
        capitals[word.lower()] += count if word[0].isupper() else 0
    if capitals.total() > MOST_CAPITALS * places.total():
        return set()
    return {word for word, count in places.items() if count >= LEAST_PLACES and capitals[word] >= NAME_SHARE * count}


def _sentences(text: str) -> Iterator[str]:
    """Yield the lines that are no title or heading: not most of their long words have a capital."""
    for line in text.split("\n"):
        long_words = _LONG_WORD.findall(line)
        if 2 * sum(word[0].isupper() for word in long_words) <= len(long_words):
            yield line


def _boilerplate_words(texts: Iterable[str], learned: Boilerplate) -> set[str]:
    """Return the words that hardly stand outside of paragraphs known as boilerplate."""
    if not learned.hashes:
        return set()
    inside: Counter[str] = Counter()
    everywhere: Counter[str] = Counter()
    for text in texts:
        for paragraph in _PARAGRAPH.split(text):
            found = tokens(paragraph).words
            everywhere.update(found)
            if learned.knows(paragraph):
                inside.update(found)
    return {word for word, count in inside.items() if count >= BOILERPLATE_SHARE * everywhere[word]}
