"""The domain of a version: texts unlike its seeds are noticed, and given no theme without a look."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger import language
from tagger.documents import Document
from tagger.domain import Domain, Limits
from tagger.tagging import Tagged, Tagger
from tests.conftest import SENTENCES

SEED = " ".join(SENTENCES["vaccines"][number] for number in (0, 3, 9))


@pytest.fixture(autouse=True)
def _no_detector(monkeypatch: pytest.MonkeyPatch, tiny_tagger: Tagger) -> None:
    """What is not the seeds' language is told by its words here."""
    monkeypatch.setattr(language, "_detector", lambda: None)
    monkeypatch.setattr(tiny_tagger, "_language", None)


def salad() -> str:
    """Return the words of all seeds in any order, most of them many times: nothing unknown, and no release."""
    words = sorted({word for sentences in SENTENCES.values() for sentence in sentences for word in sentence.split()})
    return " ".join(random.Random(7).choices(words, k=400))


UNLIKE = {
    "nothing": "",
    "spaces": " \n\n ",
    "marks": "§ § §",
    "numbers and marks": "-- 1 -- 2 -- 3 --" * 10,
    "Latin of printers": "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt.",
    "Finnish": "Hallitus esittää, että silakan ja lohen kalastuskiintiöitä lasketaan ensi vuonna pohjoisilla vesillä.",
    "Chinese": "部长们今天就北部水域的鲱鱼捕捞配额达成一致。",
    "a recipe": (
        "Whisk two eggs with sugar, fold in flour and butter, and bake the dough until golden brown. Dust it with "
        "cinnamon and serve it warm, with a spoon of cream."
    ),
    "words of the seeds by the bag": " ".join(["herring"] * 60 + ["umbrellas"] * 40),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_a_text_unlike_the_seeds_is_out_of_domain(tiny_tagger: Tagger, name: str) -> None:
    """What shares too few words with the seeds, or shares them oddly, says so, and no theme is given without a look."""
    found = tiny_tagger.tag(Document("x", UNLIKE[name]))
    assert found.caution == "out_of_domain"
    assert all((tag.decision, tag.reason) == ("review", "out_of_domain") for tag in found.tags)


def test_a_text_like_the_seeds_is_within(tiny_tagger: Tagger) -> None:
    """A text in the seeds' words calls for no caution, and is given its theme without a look."""
    found = tiny_tagger.tag(Document("x", SEED))
    assert found.caution is None
    assert [(tag.theme, tag.decision, tag.reason) for tag in found.tags] == [("vaccines", "auto", "above_threshold")]


def test_a_short_text_like_the_seeds_is_for_review(tiny_tagger: Tagger) -> None:
    """With fewer words than the domain asks for, a theme is given for review; with one word more it is not short."""
    words = SEED.split()
    least = tiny_tagger.domain.least_words
    short, enough = (" ".join(words[:number]) for number in (least - 1, least))
    found = tiny_tagger.tag(Document("x", short))
    assert (found.caution, [tag.reason for tag in found.tags]) == ("too_short", ["too_short"])
    assert [tag.decision for tag in found.tags] == ["review"]
    assert tiny_tagger.tag(Document("x", enough)).caution is None


def caution(tagger: Tagger, text: str, least_words: int = 1, **limits: float) -> str | None:
    """Return what a domain of other limits says of a text; the usual ones let everything pass."""
    limits = {"most_unseen": 1.0, "least_likeness": 0.0, **limits}
    domain = Domain(tagger.domain.mean, least_words, [Limits(least_words, **limits)])
    return domain.caution(tagger.scorer.read(text))


def test_each_limit_counts_by_itself(tiny_tagger: Tagger) -> None:
    """Unseen words, likeness and length each put a text outside where its own limit is crossed, and only there."""
    reading = tiny_tagger.scorer.read(f"{SEED} Quaxi morlo.")
    unseen, likeness = Domain.unseen(reading), tiny_tagger.domain.likeness(reading)
    assert unseen == pytest.approx(2 / reading.n_different)
    text = f"{SEED} Quaxi morlo."
    assert caution(tiny_tagger, text) is None
    assert caution(tiny_tagger, text, most_unseen=unseen, least_likeness=likeness) is None
    assert caution(tiny_tagger, text, most_unseen=unseen - 1e-9) == "out_of_domain"
    assert caution(tiny_tagger, text, least_likeness=likeness + 1e-9) == "out_of_domain"
    assert caution(tiny_tagger, text, least_words=reading.n_words) is None
    assert caution(tiny_tagger, text, least_words=reading.n_words + 1) == "too_short"
    assert caution(tiny_tagger, text, least_words=reading.n_words + 1, most_unseen=0) == "too_short"


@pytest.mark.parametrize(("words", "expected"), [(1, None), (9, None), (10, "out_of_domain"), (40, "out_of_domain")])
def test_a_text_is_held_to_the_limits_of_its_length(tiny_tagger: Tagger, words: int, expected: str | None) -> None:
    """From each length on its own limits hold; what is shorter than the first is held to the first."""
    of_lengths = [Limits(5, 0.6, 0.0), Limits(10, 0.4, 0.0)]
    domain = Domain(tiny_tagger.domain.mean, 1, of_lengths)
    half = [word for _ in range(20) for word in ("herring", "quaxi")]
    reading = tiny_tagger.scorer.read(" ".join(half[:words]))
    assert Domain.unseen(reading) == (0.5 if words > 1 else 0)
    assert domain.caution(reading) == expected


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=40))
@example("")
@example("zzzz qqqq")
@example("\ud800 quaxi \U0001f41f")
def test_a_text_of_no_known_word_is_always_outside(tiny_tagger: Tagger, text: str) -> None:
    """However odd the seeds were that set the limits, a text of unknown words is no text they hold for."""
    reading = tiny_tagger.scorer.read(text)
    assert 0 <= Domain.unseen(reading) <= 1
    assert -1e-9 <= tiny_tagger.domain.likeness(reading) <= 1 + 1e-9
    if not len(reading.active.words[0]):
        assert Domain.unseen(reading) == 1
        assert caution(tiny_tagger, text) == "out_of_domain"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from([salad(), *UNLIKE.values(), SEED]))
def test_nothing_is_given_without_a_look_where_caution_is_called_for(tiny_tagger: Tagger, text: str) -> None:
    """With a caution there is no `auto`, and its reason is that of every theme given."""
    found: Tagged = tiny_tagger.tag(Document("x", text))
    if found.caution:
        assert {(tag.decision, tag.reason) for tag in found.tags} <= {("review", found.caution)}
        assert found.as_record()["caution"] == found.caution
    else:
        assert "caution" not in found.as_record()


def test_the_mean_of_the_seeds_has_length_one(tiny_tagger: Tagger) -> None:
    """Likeness is a cosine: the seeds' direction has length one over the words of the scorer."""
    assert len(tiny_tagger.domain.mean) == len(tiny_tagger.scorer.arrays.words)
    assert np.linalg.norm(tiny_tagger.domain.mean) == pytest.approx(1)
