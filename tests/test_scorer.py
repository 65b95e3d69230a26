"""The scorer's engines: the same features, values and sums to the last bit, on any text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.cleaning import token_spans, tokens
from tagger.corpus import Corpus, read_corpus
from tagger.engine import compiled_engine
from tagger.errors import DamagedVersion
from tagger.model import ThemeModel
from tagger.scorer import Reading, Scorer, ScorerArrays, numeric
from tagger.scorer import tokens as tokens_module
from tagger.tables import KEY_BITS, find, table, token_key

COMPILED = compiled_engine()
needs_compiled = pytest.mark.skipif(
    COMPILED is None, reason="no compiled engine: it is built where a C compiler is found at installation"
)
ENGINES = [
    pytest.param(numeric, id="numpy"),
    pytest.param(COMPILED, id="compiled", marks=needs_compiled),
]

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=12)
"""Characters of all planes, and lone surrogates."""

TRICKY = st.text("aZ09.,_ \n\tİΣσςé١½²ß\u0301\u200d\ud800", max_size=16)
FAMILIAR = st.sampled_from(
    ["herring", "Trawler", "measles", "keeper of the light", "the", "first dose", "catch quota\n\n", "1,000.50"]
)
TEXTS = st.lists(ANYTHING | TRICKY | FAMILIAR, max_size=40).map(" ".join)
LONG_TOKEN = "x" * 100_000
SOUP = "\ud800 İstanbul ΟΔΟΣ ﬁsh ʼn 𝟙𝟚 ١٢ 5G 1.2,3 4..5 _ __ İ Σ 7"
KEYS = st.integers(0, KEY_BITS - 1) | st.integers(0, 40)


@pytest.fixture(scope="module")
def corpus(tiny_seeds: Path) -> Corpus:
    """The tiny seeds as a corpus."""
    return read_corpus(tiny_seeds)


@pytest.fixture(scope="module", params=["words", "words and pairs"])
def model(request: pytest.FixtureRequest, corpus: Corpus) -> ThemeModel:
    """A model of words, and one with pairs."""
    pairs = request.param != "words"
    return ThemeModel(corpus.cards, pairs=pairs, rare_words=True).fit(corpus.texts, corpus.theme_sets)


@pytest.fixture(scope="module")
def arrays(model: ThemeModel, tmp_path_factory: pytest.TempPathFactory) -> ScorerArrays:
    """The model's compiled form, written and mapped again."""
    folder = tmp_path_factory.mktemp("version")
    model.compile().save(folder)
    return ScorerArrays.load(folder)


def assert_same(one: Reading, other: Reading) -> None:
    """Compare two readings to the last bit."""
    assert (one.n_words, one.n_different) == (other.n_words, other.n_different)
    for (rows, values), (other_rows, other_values) in zip(one.active, other.active, strict=True):
        assert rows.tolist() == other_rows.tolist()
        assert values.tobytes() == other_values.tobytes()
    np.testing.assert_array_equal(one.learned, other.learned)
    np.testing.assert_array_equal(one.card, other.card)


@needs_compiled
@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("")
@example(LONG_TOKEN)
@example(SOUP)
@example("herring " * 3000)
@example("x" * 295 + " catch quota")  # the lead ends between the two
def test_engines_agree_to_the_last_bit(arrays: ScorerArrays, text: str) -> None:
    """Both engines find the same features in the same order, with the same values, sums and places."""
    one, other = Scorer(arrays, COMPILED), Scorer(arrays, numeric)
    assert_same(one.read(text), other.read(text))
    found, also = one.occurrences(text), other.occurrences(text)
    np.testing.assert_array_equal(found.spans, also.spans)
    np.testing.assert_array_equal(found.words, also.words)
    assert (found.lead, found.pairs, found.terms) == (also.lead, also.pairs, also.terms)


@needs_compiled
@pytest.mark.parametrize("n_themes", [1, 2, 15, 16, 17, 40])
def test_engines_agree_on_any_number_of_themes(arrays: ScorerArrays, corpus: Corpus, n_themes: int) -> None:
    """The order of summation does not depend on how many themes there are."""
    random = np.random.default_rng(n_themes)
    weights = {
        name: random.normal(size=(len(getattr(arrays, name)), n_themes)).astype(np.float32)
        for name in ("word_weights", "lead_weights", "pair_weights", "card_weights")
    }
    wide = replace(arrays, bias=np.zeros(n_themes), **weights)
    for text in corpus.texts:
        assert_same(Scorer(wide, COMPILED).read(text), Scorer(wide, numeric).read(text))


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=100, deadline=None)
@given(TEXTS)
@example("")
@example(LONG_TOKEN)
@example(SOUP)
def test_engines_agree_with_the_estimator(
    engine: ModuleType, model: ThemeModel, arrays: ScorerArrays, text: str
) -> None:
    """Each engine gives the fitted scikit-learn estimator's scores within 1e-5."""
    np.testing.assert_allclose(Scorer(arrays, engine).scores(text), model.decision_function([text])[0], atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.integers(1, 200), st.integers(1, 50))
@example([], 1, 1)
@example(["", "", "herring", ""], 1, 1)
@example(["the catch", "quota of", "lantern", "room"], 100, 50)
def test_many_texts_are_read_as_one_by_one(
    engine: ModuleType, arrays: ScorerArrays, texts: list[str], batch: int, piece: int
) -> None:
    """What is read of a text depends neither on the texts beside it nor on where they are cut into pieces."""
    scorer = Scorer(arrays, engine)
    alone = [scorer.read(text) for text in texts]
    with patch.object(numeric, "BATCH", batch), patch.object(tokens_module, "PIECE", piece):
        together = list(scorer.read_many(texts))
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_reader_serves_many_threads(engine: ModuleType, arrays: ScorerArrays) -> None:
    """Threads that share a reader get what each would get alone, also of texts so long that others run meanwhile."""
    scorer = Scorer(arrays, engine)
    texts = [f"{SOUP} {word} " * (2_000 if n % 3 == 0 else 3) for n, word in enumerate(arrays.words[:24])]
    alone = [scorer.read(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for one, other in zip(alone, pool.map(scorer.read, texts), strict=True):
            assert_same(one, other)


def _too_few_rows(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, word_weights=arrays.word_weights[:-1])


def _another_type(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, word_idf=arrays.word_idf.astype(np.float32))


def _other_order(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, lead_weights=np.asfortranarray(arrays.lead_weights))


def _lead_row_too_high(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, lead_rows=np.full_like(arrays.lead_rows, len(arrays.lead_idf)))


def _token_row_too_high(arrays: ScorerArrays) -> ScorerArrays:
    slots = arrays.token_table.copy()
    slots[slots[:, 0] != 0, 1] = len(arrays.word_idf)
    return replace(arrays, token_table=slots)


def _table_without_end(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, card_table=np.ones_like(arrays.card_table))


def _table_of_another_size(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, token_table=arrays.token_table[:-1])


def _too_many_terms(arrays: ScorerArrays) -> ScorerArrays:
    return replace(arrays, card_terms=arrays.words)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_too_few_rows, "word_weights"),
        (_another_type, "word_idf is float32"),
        (_lead_row_too_high, "lead_rows"),
        (_token_row_too_high, "token_table"),
        (_table_without_end, "card_table"),
        (_table_of_another_size, "token_table"),
        (_too_many_terms, "card_terms"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    damage: Callable[[ScorerArrays], ScorerArrays], named: str, arrays: ScorerArrays, tmp_path: Path
) -> None:
    """Arrays that would send an engine out of their bounds are refused when they are loaded, by name."""
    damage(arrays).save(tmp_path)
    with pytest.raises(DamagedVersion, match=named):
        ScorerArrays.load(tmp_path)


def test_arrays_in_another_order_are_refused(arrays: ScorerArrays) -> None:
    """What is not stored row by row is told as a problem."""
    assert "lead_weights" in (_other_order(arrays).problem() or "")
    assert arrays.problem() is None


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(1, 40))
@example(SOUP, 1)
def test_tokens_are_those_of_cleaning(text: str, piece: int) -> None:
    """NumPy finds the tokens that training reads, and their keys with numbers folded and as they are."""
    with patch.object(tokens_module, "PIECE", piece):
        found = tokens_module.spaced_tokens(f" {text} ")
    spans = np.stack([found.starts, found.ends], axis=1) - 1
    assert spans.tolist() == [list(span) for span in token_spans(text)]
    assert found.raw.tolist() == [token_key(token) for token in tokens(text).raw]
    assert found.folded.tolist() == [token_key(token) for token in tokens(text).words]


def test_every_character_is_read_as_in_training() -> None:
    """Alone, doubled, between letters and between digits, each code point makes the tokens that `cleaning` makes."""
    for plane in range(0, sys.maxunicode, 1 << 16):
        text = " ".join(f"a{char}b {char} {char}{char} 1{char}2" for char in map(chr, range(plane, plane + (1 << 16))))
        expected = tokens(text)
        words, terms = (numbered(each) for each in (expected.words, expected.raw))
        arrays = vocabulary([*words], [*terms])
        for engine in filter(None, (numeric, COMPILED)):
            found = Scorer(arrays, engine).occurrences(text)
            assert found.spans.ravel().tolist() == list(chain.from_iterable(token_spans(text)))
            assert found.words.tolist() == [words[word] for word in expected.words]
            assert [row for row, _, length in found.terms if length == 1] == [terms[token] for token in expected.raw]


def numbered(found: list[str]) -> dict[str, int]:
    """Return a number for each different token."""
    return {token: row for row, token in enumerate(dict.fromkeys(found))}


def vocabulary(words: list[str], card_terms: list[str]) -> ScorerArrays:
    """Return the arrays of a model that knows some words and card terms, and says nothing of them."""
    sizes = {"word": len(words), "lead": 0, "pair": 0, "card": len(card_terms)}
    idf = {f"{name}_idf": np.ones(size) for name, size in sizes.items()}
    weights = {f"{name}_weights": np.zeros((size, 1), np.float32) for name, size in sizes.items()}
    lead_rows = np.full(len(words), -1, np.int32)
    pair_keys = np.zeros(0, np.int64)
    return ScorerArrays.of(words, pair_keys, card_terms, lead_rows=lead_rows, bias=np.zeros(1), **idf, **weights)


@settings(max_examples=200)
@given(st.dictionaries(KEYS, st.integers(0, 2**62), max_size=60), st.lists(KEYS, max_size=60))
@example({}, [0, 1])
@example({key: key for key in range(3000)}, list(range(6000)))
def test_tables_hold_what_a_dict_holds(entries: dict[int, int], others: list[int]) -> None:
    """Every key is found with its value, and no other key is found."""
    slots = table(np.array([*entries], np.uint64), np.array([*entries.values()], np.int64))
    wanted = [*entries, *others]
    assert find(slots, np.array(wanted, np.uint64)).tolist() == [entries.get(key, -1) for key in wanted]


def test_tables_are_read_on_from_their_end() -> None:
    """Keys that all belong in the last slot are found after it, at the start."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    last = [key for key in ((2**64 - 1 - n) * inverse % 2**64 for n in range(200)) if key < KEY_BITS]
    keys = np.array(last, np.uint64)
    slots = table(keys[::2], np.arange(len(keys[::2])))
    assert slots[-1, 0]
    assert slots[0, 0]
    expected = [n // 2 if n % 2 == 0 else -1 for n in range(len(keys))]
    assert find(slots, keys).tolist() == expected
