"""Sentences: nothing of a text is lost between them, and abbreviations end none."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.sentences import sentence_spans

# All planes, lone surrogates and combining marks included; and what sentences are made of.
TEXTS = st.lists(
    st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from([". ", "! ", "…\n", "\n\n", "U.S. ", "Mr. ", "”) ", "Word", "é", "\u0301", "。", "\x1c", "\r\n"]),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(TEXTS)
@example("")
@example(" \n\n ")
@example("\ud800. A\U0001f41f")
def test_sentences_hold_all_of_a_text(text: str) -> None:
    """Spans stand in order, apart, without space at their ends, and hold each character that is no space."""
    spans = sentence_spans(text)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    between = [0, *edges, len(text)]
    assert not "".join(text[a:b] for a, b in zip(between[::2], between[1::2], strict=True)).strip()


CASES = {
    'Ministers met. They agreed! Why? "Because." (No one knows.) End': 6,
    "The U.S. Department and the U.K. agreed on Jan. 5 with Sen. Ode and J. Ray.": 1,
    "A title without a stop\n\nThe body. It ends": 3,
    "A title without a stop\n \t\nThe body": 2,
    "One line\nand the next of the same sentence.": 1,
    "It costs 3.50 dollars, see www.example.org. next": 1,
    "Wait... what? And then... Nothing": 3,
    "“We agreed.” They left.": 2,
    "Er kam. Österreich stimmte zu. Één ding.": 3,
    "会議は終わった。次は春です。": 2,
}


@pytest.mark.parametrize("text", CASES)
def test_sentences_end_where_people_see_an_end(text: str) -> None:
    """Marks before a capital, empty lines and full-width stops end sentences; abbreviations and numbers do not."""
    assert len(sentence_spans(text)) == CASES[text]


@pytest.mark.parametrize("unit", [".", ". ", ".\n", "!?", '."', "\n", "\n ", "A.", "U.S. ", ") ", "。"])
def test_odd_pages_take_no_longer_than_others(unit: str) -> None:
    """A page of one mark over and over is read in one go; with the square of its length, this would take hours."""
    text = unit * 200_000
    spans = sentence_spans(text)
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())
