"""Evidence: exact shares of terms and sentences, and where they stand, whatever the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.cleaning import tokens
from tagger.corpus import read_corpus
from tagger.documents import Document
from tagger.evidence import Explainer
from tagger.model import ThemeModel
from tagger.scorer import Scorer
from tagger.sentences import sentence_spans
from tagger.tagging import NEAR_MISSES, WHY_NOT_TERMS, Tagger, Wanted

KNOWN = [
    "herring", "Trawler", "HERRING", "measles", "keeper of the light", "foghorn", "the", "first dose", "5G", "1,000.50",
    "Ministers agreed a lower", "catch quota", ". ", "! The ", "\n\n", "…”\n", "\u0301", "\u200d", "ﬁsh", "İ", "\ud800",
    "\U0001f41f", "𝟙𝟚", "١٢", "ʼn", "trawler\u0301s", "x\u0308y", "\x00",
]  # fmt: skip
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(KNOWN), max_size=40
).flatmap(lambda parts: st.sampled_from(["", " "]).map(lambda between: between.join(parts)))


@pytest.fixture(scope="module", params=["words", "words and pairs"])
def scorer(request: pytest.FixtureRequest, tiny_seeds: Path) -> Scorer:
    """The scorer of a model of words, and of one with pairs."""
    corpus = read_corpus(tiny_seeds)
    model = ThemeModel(corpus.cards, pairs=request.param != "words", rare_words=True)
    return Scorer(model.fit(corpus.texts, corpus.theme_sets).compile())


@settings(max_examples=150, deadline=None)
@given(TEXTS)
@example("")
@example("herring\ud800herring. Herring\u0301 \U0001f41f catch quota! İ measles")
@example("Trawler\n\n" + "herring catch quota " * 40 + "\n\nMeasles. First dose.")
def test_evidence_adds_up_to_the_score(scorer: Scorer, text: str) -> None:
    """Bias and the shares of all terms, or of all sentences, are a theme's score within 1e-9; spans hold the terms."""
    explainer, scores = Explainer(scorer, text), scorer.scores(text)
    spans = sentence_spans(text)
    for theme, score in enumerate(scores):
        evidence = explainer.explain(theme)
        assert evidence.score == pytest.approx(score, abs=1e-9)
        assert evidence.bias + sum(term.share for term in evidence.terms) == pytest.approx(score, abs=1e-9)
        assert evidence.bias + evidence.card + evidence.learned == pytest.approx(score, abs=1e-9)
        assert evidence.bias + sum(part.share for part in evidence.sentences) == pytest.approx(score, abs=1e-9)
        assert [(part.start, part.end) for part in evidence.sentences] == spans
        sizes = [abs(term.share) for term in evidence.terms]
        assert sizes == sorted(sizes, reverse=True)
        for term in evidence.terms:
            assert term.spans
            assert list(term.spans) == sorted(set(term.spans))
            for start, end in term.spans:
                read = tokens(text[start:end])
                assert term.term in (" ".join(read.words), " ".join(read.raw))


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.floats(-5, 5))
def test_why_a_theme_was_missed_is_told_by_the_same_shares(scorer: Scorer, text: str, needed: float) -> None:
    """The gap is what the score lacks; the terms named are the strongest for and against, with their exact shares."""
    explainer, scores = Explainer(scorer, text), scorer.scores(text)
    for theme, score in enumerate(scores):
        missed = explainer.why_not(theme, needed, 3)
        assert missed.score == pytest.approx(score, abs=1e-9)
        assert missed.gap == pytest.approx(max(0.0, needed - score), abs=1e-9)
        shares = {term.term: term.share for term in explainer.explain(theme).terms}
        assert all(term.share == pytest.approx(shares[term.term], abs=1e-12) for term in missed.spoke_for)
        strongest = sorted((share for share in shares.values() if share > 0), reverse=True)[:3]
        assert [term.share for term in missed.spoke_for] == pytest.approx(strongest)
        strongest = sorted(share for share in shares.values() if share < 0)[:3]
        assert [term.share for term in missed.against] == pytest.approx(strongest)


def test_a_term_is_shared_by_the_sentences_it_stands_in(scorer: Scorer) -> None:
    """A word in two sentences counts half in each; a sentence without a known word counts nothing."""
    text = "Zzyzx one. Quaxi herring. Morlo herring. Tiburn."
    evidence = Explainer(scorer, text).explain(0)
    herring = next(term for term in evidence.terms if term.term == "herring")
    assert len(herring.spans) == 2
    first, second, third, fourth = evidence.sentences
    assert second.share == pytest.approx(third.share)
    assert second.share + third.share == pytest.approx(herring.share)
    assert (first.share, fourth.share) == (0, 0)


def test_card_and_seeds_are_told_apart(scorer: Scorer) -> None:
    """A theme without seeds lives by its card alone; a word on no card by what the seeds taught."""
    explainer = Explainer(scorer, "The foghorn sounded. Passengers wait for the herring.")
    lighthouses, railways, fisheries = (explainer.explain(theme) for theme in (3, 1, 0))
    assert lighthouses.learned == 0 < lighthouses.card
    assert [term.term for term in lighthouses.terms] == ["foghorn"]
    passengers = next(term for term in railways.terms if term.term == "passengers")
    assert (passengers.card, passengers.learned > 0) == (0, True)
    herring = next(term for term in fisheries.terms if term.term == "herring")
    assert herring.card > 0 < herring.learned


# ---- Through the tagger: offsets into what was given


TITLE = " \tHerring — “Catch quota”\u2028"
TEXT = "\n\n  🐟 Ministers agreed: a lower catch  quota.  \n\n\n The trawler sails. \ud800Measles clinic!\n"


@settings(max_examples=100, deadline=None)
@given(st.none() | st.just(TITLE) | TEXTS, st.just(TEXT) | TEXTS)
@example(TITLE, TEXT)
@example("Herring", "Herring quota. The trawler.")
@example(" Herring ", "\n Herring\n\nThe trawler.")
@example("Herring\n\nTrawler", "Measles")
@example("Herring catch", "quota. Ministers agreed a lower catch quota")
@example("Ministers", "agreed: a lower catch quota for herring")
def test_places_point_at_what_was_given(tiny_tagger: Tagger, title: str | None, text: str) -> None:
    """Places of terms hold them, in the title or the text; those of sentences hold all of both, each once."""
    given_ = {"title": title or "", "text": text}
    for tag in tiny_tagger.tag(Document("x", text, title), Wanted(explain=True)).tags:
        assert tag.evidence
        for term, places in zip(tag.evidence.terms, tag.term_places, strict=True):
            pieces = [given_[place.part][place.start : place.end] for place in places]
            if len(places) > len(term.spans):  # a pair of the title's last word and the text's first has two places
                last = [place.part for place in places].index("text") - 1
                pieces[last : last + 2] = ["\n".join(pieces[last : last + 2])]
            assert len(pieces) == len(term.spans)
            for piece in pieces:
                read = tokens(piece)
                assert term.term in (" ".join(read.words), " ".join(read.raw))
        found = [place for places in tag.sentence_places for place in places]
        for part in {place.part for place in found}:
            edges = [edge for place in found if place.part == part for edge in (place.start, place.end)]
            assert edges == sorted(edges)
            kept = "".join(given_[part][a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
            assert "".join(kept.split()) == "".join(given_[part].split())


def test_the_nearest_misses_say_why(tiny_tagger: Tagger) -> None:
    """The themes that came nearest and were not given say what they lack and what held them down."""
    found = tiny_tagger.tag(Document("x", f"{TITLE}\n\n{TEXT}"), Wanted(explain=True, every_theme=True))
    scores = {score.theme: score for score in found.scores}
    given_ = {tag.theme for tag in found.tags}
    missed = [tag.theme for tag in found.near_misses]
    assert missed
    assert not given_ & set(missed)
    shares = [scores[theme].probability / scores[theme].threshold for theme in missed]
    assert shares == sorted(shares, reverse=True)
    assert len(missed) == min(NEAR_MISSES, len(scores) - len(given_))
    for tag in found.near_misses:
        assert (tag.decision, tag.evidence, tag.reason) == ("none", None, "below_threshold")
        assert tag.why_not
        assert tag.why_not.gap > 0
        assert max(len(tag.why_not.spoke_for), len(tag.why_not.against)) <= WHY_NOT_TERMS


@pytest.mark.parametrize("text", ["", "zzzz qqqq", "§ § §", "Quaxi morlo tiburn felas"])
def test_a_bias_alone_is_no_reason(tiny_tagger: Tagger, text: str) -> None:
    """Where no word is known, a theme whose bias passes its threshold is not given, and lacks no score."""
    found = tiny_tagger.tag(Document("x", text), Wanted(explain=True, every_theme=True))
    assert found.tags == ()
    assert {score.decision for score in found.scores} == {"none"}
    passing = [score for score in found.scores if score.probability >= score.threshold]
    assert passing
    assert {score.reason for score in passing} == {found.caution}
    assert [tag.why_not.gap for tag in found.near_misses if tag.theme == passing[0].theme and tag.why_not] == [0]
