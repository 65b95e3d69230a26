"""Tokens and the lead: the one definition that training, scoring and evidence share."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagger.cleaning import LEAD_CHARACTERS, NUMBER, candidate_terms, content, fold, lead_end, token_spans, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The EU’s 2,140 files, 3.5% more", ["the", "eu", NUMBER, "files", NUMBER, "more"]),
        ("5G and COVID-19 on 1 May", ["00g", "and", "covid", NUMBER, "on", NUMBER, "may"]),
        ("al-Qa'ida U.S. a", ["al", "qa", "ida"]),
        ("İstanbul ΑΣ ß", ["i̇stanbul", "ας"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Words are runs of letters and numbers of two characters or more, lower-cased, numbers folded."""
    assert words == tokens(text).words


@given(st.text(st.characters(exclude_categories=())))
@example("İ. Demir met the ministers.")
def test_spans_stand_where_the_tokens_are(text: str) -> None:
    """Each span of a text holds, lower-cased, the token of the same rank, whatever the characters."""
    assert tokens(text).raw == [text[start:end].lower() for start, end in token_spans(text)]


@given(st.text())
def test_words_are_folded_tokens(text: str) -> None:
    """Every word is its token with the numbers folded, and folding again changes nothing."""
    found = tokens(text)
    assert found.words == [fold(token) for token in found.raw]
    assert found.words == [fold(word) for word in found.words]


@given(st.text(alphabet=st.sampled_from("ab1,. \n"), max_size=900))
def test_lead_tokens_are_the_first_tokens(text: str) -> None:
    """The tokens of the lead are the first of the whole text: the lead never ends inside a word."""
    found = tokens(text)
    assert tokens(text[: lead_end(text)]).raw == found.raw[: found.lead]


def test_lead_holds_title_and_opening() -> None:
    """The lead is the title and the first 300 characters of the body; without a title, of the text."""
    body = "word " * 200
    assert lead_end(f"A title\n\n{body}") == len("A title\n\n") + LEAD_CHARACTERS + 4
    assert lead_end(body) == LEAD_CHARACTERS + 4


def test_long_text_without_spaces_is_read_in_one_go() -> None:
    """A word of a megabyte is one token and belongs to the lead."""
    found = tokens("x" * 1_000_000)
    assert (len(found.raw), found.lead) == (1, 1)


def test_content_holds_the_title_once() -> None:
    """What the model reads is title, empty line, text; a text that opens with its title stays as it is."""
    assert content("Quotas agreed", "Ministers met.") == "Quotas agreed\n\nMinisters met."
    assert content("Quotas agreed", "Quotas agreed\n\nMinisters met.") == "Quotas agreed\n\nMinisters met."
    assert content(None, "Ministers met.") == "Ministers met."


def test_candidate_terms_are_runs_of_up_to_three_tokens() -> None:
    """From a token that starts a term, runs of one to three tokens are looked up."""
    found = [term for term, _, _ in candidate_terms(["a", "b", "c", "d"], {"b"})]
    assert found == ["b", "b c", "b c d"]
