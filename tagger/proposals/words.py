"""The words of an archive: its texts as vectors, and which words tell a cluster nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from tagger.cleaning import fold, token_spans
from tagger.features import words

COMMON, KNOWN = 0.3, 0.1
"""No phrase begins or ends with an English function word, nor with a word in more of the archive's releases than the
first. A word in more of those that a theme fits than the second tells no cluster, and is no phrase by itself."""

NAME_LOSS = 0.5
"""What a word loses that is always written with a capital letter: clusters should be subjects, not names."""

EVERY_TEXT = ""
_SENTENCE_END = re.compile(r"[.!?:;\n\"\u201c\u2018(\u2022*]")


class ArchiveWords(NamedTuple):
    """Vectors of an archive's texts, its common and its known words, and how much a name each word is, 0 to 1."""

    vectors: sp.csr_matrix
    common: frozenset[str]
    known: frozenset[str]
    names: Mapping[str, float]


def weigh_words(texts: Sequence[str], fitted: NDArray[np.intp], distinct: Iterable[int]) -> ArchiveWords:
    """Weigh words by the whole archive, known ones by the rows that a theme fits, names by those to be clustered."""
    vectorizer = CountVectorizer(analyzer=_letters)
    counts = vectorizer.fit_transform(texts)
    found = vectorizer.get_feature_names_out()
    held_by = counts.getnnz(axis=0)
    common = held_by > COMMON * len(texts)
    known = common | (counts[fitted].getnnz(axis=0) > KNOWN * len(fitted))
    names = _names(texts[row] for row in distinct)
    weights = np.array([1 - NAME_LOSS * names.get(word, 0.0) for word in found])
    weights[known | (held_by == 1)] = 0
    vectors = TfidfTransformer(sublinear_tf=True, norm=None).fit_transform(counts).multiply(weights).tocsr()
    vectors.eliminate_zeros()
    return ArchiveWords(normalize(vectors), ENGLISH_STOP_WORDS.union(found[common]), frozenset(found[known]), names)


def _letters(text: str) -> list[str]:
    """Analyzer: every word but numbers, and one that every text has, so that there is one."""
    return [EVERY_TEXT, *(word for word in words(text) if word.isalpha())]


def _names(texts: Iterable[str]) -> dict[str, float]:
    """Return in which part of its places inside sentences each word has a capital letter; titles do not count."""
    seen, capital = Counter[str](), Counter[str]()
    for text in texts:
        body = text.partition("\n\n")[2] or text
        end = 0
        for start, next_end in token_spans(body):
            between, token, end = body[end:start], body[start:next_end], next_end
            if start and not _SENTENCE_END.search(between):
                word = fold(token.lower())
                seen[word] += 1
                capital[word] += token[0].isupper()
    return {word: capital[word] / count for word, count in seen.items()}
