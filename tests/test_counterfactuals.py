"""Counterfactuals: sentences without which a theme is lost, none of them in vain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.counterfactuals import LONGEST_TEXT, MOST_SENTENCES, counterfactual, without
from tagger.documents import Document
from tagger.errors import InputError
from tagger.scorer import Scorer, ScorerArrays
from tagger.sentences import sentence_spans
from tagger.tagging import Tagger, Wanted
from tests.conftest import SENTENCES

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
ALL_SENTENCES = [sentence for sentences in SENTENCES.values() for sentence in sentences]


def scorer(weights: list[float], idf: list[float], bias: float = -0.5) -> Scorer:
    """Return a scorer of one theme over six words."""
    nothing, no_weights = np.zeros(0), np.zeros((0, 1), dtype=np.float32)
    arrays = ScorerArrays.of(
        WORDS,
        word_idf=np.array(idf),
        word_weights=np.array(weights, dtype=np.float32)[:, None],
        lead_rows=np.full(len(WORDS), -1, dtype=np.int32),
        lead_idf=nothing,
        lead_weights=no_weights,
        pair_keys=np.zeros(0, dtype=np.int64),
        pair_idf=nothing,
        pair_weights=no_weights,
        card_terms=[],
        card_idf=nothing,
        card_weights=no_weights,
        bias=np.array([bias]),
    )
    return Scorer(arrays)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-2, 2), min_size=6, max_size=6),
    st.lists(st.floats(1, 4), min_size=6, max_size=6),
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), min_size=1, max_size=7),
    st.floats(0.01, 1.5),
)
@example(  # the first sentence that comes back makes another one needless
    [0.6313, 1.3083, 1.4816, 1.2657, 0.653, -0.0969],
    [2.9426, 3.2073, 3.4315, 1.068, 2.7543, 3.5544],
    [
        ["epsilon", "epsilon", "zeta"],
        ["beta", "alpha"],
        ["epsilon", "epsilon"],
        ["delta"],
        ["delta", "beta"],
        ["beta", "zeta", "alpha"],
    ],
    0.887427,
)
def test_no_sentence_is_named_in_vain(
    weights: list[float], idf: list[float], words: list[list[str]], fall: float
) -> None:
    """Without the sentences the theme is lost, with any one of them back it is not; none, where all are in vain."""
    of_theme = scorer(weights, idf)
    text = " ".join(f"{' '.join(sentence).capitalize()}." for sentence in words)
    least = float(of_theme.scores(text)[0]) - fall

    def gives(rest: str) -> bool:
        return float(of_theme.scores(rest)[0]) >= least

    found = counterfactual(of_theme, text, 0, gives)
    if found is None:
        assert gives(without(text, sentence_spans(text)))
        return
    assert set(found) <= set(sentence_spans(text))
    assert not gives(without(text, found))
    for span in found:
        assert gives(without(text, [other for other in found if other != span]))


def test_what_is_left_is_the_rest_of_the_text() -> None:
    """Without some spans a text is what stands before, between and behind them, the space around them included."""
    text = "One. Two. Three."
    assert without(text, []) == text
    assert without(text, sentence_spans(text)[1:2]) == "One.  Three."
    assert without(text, [(0, 4), (10, 16)]) == " Two. "


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(ALL_SENTENCES), min_size=1, max_size=8), st.none() | st.sampled_from(ALL_SENTENCES))
def test_a_tag_is_lost_without_its_sentences(tiny_tagger: Tagger, sentences: list[str], title: str | None) -> None:
    """Without what the tagger names, title and text as they were given have the probability told, and not the tag."""
    text = "\n\n".join(sentences)
    for tag in tiny_tagger.tag(Document("x", text, title), Wanted(counterfactual=True)).tags:
        if tag.without is None:
            continue
        places = [(place.part, place.start, place.end) for place in tag.without.sentences]
        kept_title = without(title or "", [span for part, *span in places if part == "title"])  # type: ignore[misc]
        kept_text = without(text, [span for part, *span in places if part == "text"])  # type: ignore[misc]
        titled = bool(title and not text.startswith(title))
        read = f"{kept_title}\n\n{kept_text}" if titled else kept_text
        column = [theme["id"] for theme in tiny_tagger.themes].index(tag.theme)
        assert tiny_tagger.probabilities(read)[column] == pytest.approx(tag.without.probability, abs=1e-6)
        known = len(tiny_tagger.scorer.read(read).active.words[0])
        assert tag.without.probability < tag.threshold or not known  # a bias alone is no reason for a theme
        assert tag.theme not in {again.theme for again in tiny_tagger.tag(Document("x", read)).tags}


def test_the_best_below_its_threshold_is_lost_without_its_sentences(
    tiny_tagger: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A theme given as the best below its threshold is not given without the sentences named, even as that."""
    monkeypatch.setattr(tiny_tagger, "rule", replace(tiny_tagger.rule, nearness=0.05))
    found = 0
    for theme in ("fisheries", "railways", "vaccines"):
        for number in range(10):
            words = SENTENCES[theme][number].split()
            text = " ".join([*words[: len(words) // 2], ".", *SENTENCES["none"][:2], SENTENCES["none"][number]])
            for tag in tiny_tagger.tag(Document("x", text), Wanted(counterfactual=True)).tags:
                if tag.reason == "best_below_threshold" and tag.without:
                    found += 1
                    rest = without(text, [(place.start, place.end) for place in tag.without.sentences])
                    assert tag.theme not in {again.theme for again in tiny_tagger.tag(Document("x", rest)).tags}
    assert found > 3


def test_the_sentence_that_decides_is_named(tiny_tagger: Tagger) -> None:
    """Of a text on the canteen with one sentence on herring, that sentence is named."""
    text = f"{SENTENCES['none'][2]} {SENTENCES['fisheries'][0]} {SENTENCES['none'][3]}"
    (tag,) = tiny_tagger.tag(Document("x", text), Wanted(counterfactual=True)).tags
    assert tag.theme == "fisheries"
    assert tag.without
    (place,) = tag.without.sentences
    assert text[place.start : place.end] == SENTENCES["fisheries"][0]


def test_a_theme_that_no_sentence_holds_is_lost_by_none() -> None:
    """Where the bias alone suffices, no set of sentences is named."""
    of_theme = scorer([1.0] * 6, [1.0] * 6, bias=3.0)
    assert counterfactual(of_theme, "Alpha beta. Gamma.", 0, lambda rest: of_theme.scores(rest)[0] >= 2.0) is None


def test_a_theme_that_is_not_given_needs_no_sentence() -> None:
    """What is lost already is lost without taking anything away."""
    assert counterfactual(scorer([1.0] * 6, [1.0] * 6), "Alpha beta.", 0, lambda _rest: False) == ()


@pytest.mark.parametrize(
    "text", ["alpha " * (LONGEST_TEXT // 6 + 1), "Alpha! " * (MOST_SENTENCES + 1)], ids=["characters", "sentences"]
)
def test_what_would_take_too_long_is_refused(text: str) -> None:
    """A text that is too long, or has too many sentences, is refused with what was given, the limits and the remedy."""
    with pytest.raises(InputError, match=r"[\d,]+ characters and [\d,]+ sentences.*Give a shorter text"):
        counterfactual(scorer([1.0] * 6, [1.0] * 6), text, 0, lambda rest: "lpha" in rest)


def test_the_longest_text_is_searched() -> None:
    """At the limits themselves there is an answer."""
    text = ("Alpha beta. " + "X" * LONGEST_TEXT)[:LONGEST_TEXT]
    assert counterfactual(scorer([1.0] * 6, [1.0] * 6), text, 0, lambda rest: "lpha" in rest) == ((0, 11),)
