"""The model: what it learns from words, cards and themes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tagger.corpus import Corpus, read_corpus
from tagger.errors import DamagedVersion
from tagger.features import MOST_CARDS, CardTerms, WordBlocks, card_term_weights, words
from tagger.model import ThemeModel
from tagger.scorer import ScorerArrays
from tagger.themes import ThemeCard


@pytest.fixture(scope="module")
def corpus(tiny_seeds: Path) -> Corpus:
    """The tiny seeds as a corpus."""
    return read_corpus(tiny_seeds)


@pytest.fixture(scope="module", params=["words", "words and pairs"])
def model(request: pytest.FixtureRequest, corpus: Corpus) -> ThemeModel:
    """A model of words, and one with pairs, which the tiny corpus is too small to get by itself."""
    pairs = request.param != "words"
    return ThemeModel(corpus.cards, pairs=pairs, rare_words=True).fit(corpus.texts, corpus.theme_sets)


def test_texts_are_scored_one_by_one_as_together(model: ThemeModel, corpus: Corpus) -> None:
    """A text's scores do not depend on the texts beside it."""
    together = model.decision_function(corpus.texts)
    alone = np.vstack([model.decision_function([text]) for text in corpus.texts])
    np.testing.assert_allclose(alone, together, atol=1e-12)


def test_fitting_twice_gives_the_same_weights(corpus: Corpus) -> None:
    """The same seeds give the same weights to the last bit."""
    first, second = (ThemeModel(corpus.cards).fit(corpus.texts, corpus.theme_sets).compile() for _ in range(2))
    assert list(first.words) == list(second.words)
    np.testing.assert_array_equal(first.word_weights, second.word_weights)
    np.testing.assert_array_equal(first.card_weights, second.card_weights)


def test_word_block_is_the_textbook_tf_idf(corpus: Corpus) -> None:
    """The first block is scikit-learn's sublinear, L2-normalised tf-idf over the tokens."""
    blocks = WordBlocks(rare_words=True)
    features = blocks.fit_transform(corpus.texts)
    textbook = TfidfVectorizer(analyzer=words, min_df=1, sublinear_tf=True).fit_transform(corpus.texts)
    np.testing.assert_allclose(features[:, : textbook.shape[1]].toarray(), textbook.toarray())


def test_theme_without_seeds_goes_by_its_card(model: ThemeModel) -> None:
    """A theme with a card and no seeds scores a text in the card's words above one that has none of them."""
    column = list(model.classes_).index("lighthouses")
    found = model.decision_function(["The keeper of the light sounded the foghorn.", "The canteen serves soup."])
    assert not model.linear_.learned[column]
    assert found[0, column] > found[1, column] + 0.5


def test_card_terms_weigh_labels_their_words_and_keywords() -> None:
    """Labels and keywords count 1, words of labels .7, function words and bare numbers nothing."""
    keywords = ("UNCLOS", "1982", "article 87")
    card = ThemeCard("x", "Law of the sea", alt_labels=("flags of convenience at sea",), keywords=keywords)
    assert card_term_weights([card]) == [
        {
            "law": 0.7, "sea": 0.7, "flags": 0.7, "convenience": 0.7, "unclos": 1.0, "article 87": 1.0,
        }
    ]  # fmt: skip


def test_terms_on_many_cards_count_for_nothing() -> None:
    """A term that stands on more than two cards tells no theme from another and is left out."""
    cards = [ThemeCard(f"t{n}", f"Label{n}", keywords=("treaty",)) for n in range(MOST_CARDS + 1)]
    assert all("treaty" not in weights for weights in card_term_weights(cards))
    assert all("treaty" in weights for weights in card_term_weights(cards[:-1]))


def test_card_values_match_the_formula() -> None:
    """A term's value is (1 + ln tf) idf over the text plus half of that over the lead, by the word block's norm."""
    texts = ["beacon beacon and more", "nothing here", "a beacon"]
    terms = CardTerms([ThemeCard("x", "Beacon")])
    counts = terms.count(texts)
    idf = np.log((1 + 3) / (1 + 2)) + 1
    assert terms.fit(counts).scores(counts, np.array([2.0, 1.0, 1.0]))[:, 0] == pytest.approx(
        [1.5 * (1 + np.log(2)) * idf / 2, 0, 1.5 * idf]
    )


def test_pickled_arrays_are_refused(tmp_path: Path, model: ThemeModel) -> None:
    """An array file that would need unpickling is refused, unopened."""
    model.compile().save(tmp_path)
    np.save(tmp_path / "bias.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DamagedVersion, match=r"bias\.npy"):
        ScorerArrays.load(tmp_path)
