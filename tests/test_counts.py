"""Counts: features of any part of the texts are those of scikit-learn's vectorizers fitted on that part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tagger.cleaning import Tokens, candidate_terms, tokens
from tagger.counts import WordCounts, fold_features
from tagger.features import BLOCKS, FEW_TEXTS, CardTerms, WordBlocks
from tagger.themes import ThemeCard
from tagger.validation import Labelled

TEXTS = st.lists(st.lists(st.sampled_from(["ab", "abc", "b00", "éb", "zz", "ß中"]), max_size=8), min_size=4, max_size=9)
CARDS = [ThemeCard("a", "Ab bc", keywords=("ab", "cd ab cd")), ThemeCard("b", "Cd", alt_labels=("Bc 5g", "ab bc"))]


def check_fold(texts: list[Tokens], train: NDArray[np.intp], test: NDArray[np.intp], *, pairs: bool) -> None:
    """Compare a fold's features with those of the vectorizers: the same columns, the same values."""
    counts = WordCounts(texts)
    seen, unseen = fold_features(counts.blocks(pairs=pairs), counts.least, train, test)
    blocks = WordBlocks(pairs=pairs, rare_words=len(texts) < FEW_TEXTS)
    of_train, of_test = ([texts[row] for row in rows] for rows in (train, test))
    for found, expected, side in (
        (seen, blocks.fit_transform(of_train), of_train),
        (unseen, blocks.transform(of_test), of_test),
    ):
        expected.sort_indices()
        assert found.features.has_sorted_indices
        assert found.features.shape == expected.shape
        np.testing.assert_array_equal(found.features.indptr, expected.indptr)
        np.testing.assert_array_equal(found.features.indices, expected.indices)
        np.testing.assert_allclose(found.features.data, expected.data, rtol=1e-12)
        np.testing.assert_allclose(found.word_norms, blocks.word_norms(side), rtol=1e-12)


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("copies", [1, 3], ids=["words met once too", "words met twice"])
def test_features_of_a_fold_are_those_of_the_vectorizers(labelled: Labelled, pairs: bool, copies: int) -> None:
    """Columns, values and norms agree with scikit-learn's, with rare words and without, for any rows in any order."""
    texts = [*labelled.read, Tokens([], [], 0), tokens("Xylophone")] * copies
    rows = np.random.default_rng(0).permutation(len(texts))
    check_fold(texts, rows[:40], rows[40:], pairs=pairs)


@given(TEXTS, st.booleans(), st.integers(0, 8))
def test_features_of_odd_texts_are_those_of_the_vectorizers(words: list[list[str]], pairs: bool, lead: int) -> None:
    """Empty texts, words that begin like others, and words of any script fall into the columns they belong to."""
    texts = [Tokens(of_text, of_text, min(lead + 1, len(of_text))) for of_text in [["zz", "ab"], *words]]
    check_fold(texts, np.arange(3), np.arange(3, len(texts)), pairs=pairs)


def test_a_part_without_terms_is_refused() -> None:
    """Where no term stands in enough training texts there is nothing to learn from."""
    counts = WordCounts([tokens(text) for text in ("ab cd", "ef gh", "ab cd")])
    with pytest.raises(ValueError, match="'words'"):
        fold_features(counts.blocks(pairs=False), dict.fromkeys(BLOCKS, 2), np.array([0, 1]), np.array([2]))


def test_beginnings_hold_the_first_words() -> None:
    """A beginning is counted like a text that ends there."""
    texts = [tokens(text) for text in ("one two one three two", "two", "")]
    short = [Tokens(text.raw[:3], text.words[:3], min(3, text.lead)) for text in texts]
    found, expected = WordCounts(texts).beginnings(3), WordCounts([*short, texts[0]]).words[:3]
    np.testing.assert_array_equal(found.toarray(), expected.toarray())


@given(
    st.lists(st.lists(st.sampled_from(["ab", "bc", "cd", "5g", "other"]), max_size=12), max_size=5), st.integers(0, 12)
)
def test_card_terms_are_counted_where_they_stand(raw: list[list[str]], lead: int) -> None:
    """Runs of one to three tokens count wherever they begin, in the lead where they end in it too."""
    terms = CardTerms(CARDS)
    counts = terms.count([Tokens(of_text, of_text, min(lead, len(of_text))) for of_text in raw])
    starts = {term.partition(" ")[0] for term in terms.terms}
    for row, of_text in enumerate(raw):
        for found, part in ((counts.whole, of_text), (counts.lead, of_text[:lead])):
            runs = [term for term, _, _ in candidate_terms(part, starts)]
            assert found[[row]].toarray()[0].tolist() == [runs.count(term) for term in terms.terms]
