"""Boilerplate that is learned: paragraphs that stand word for word in many groups, however they are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tagger.cleaning import tokens
from tagger.releases import learn
from tagger.releases.learning import MIN_GROUPS, shingles

OPENING = "The office of public affairs answers on working days"
PARAGRAPHS = [
    OPENING,
    f"{OPENING} only.",
    f"{OPENING.upper()},\n only!",
    f"{OPENING} and on Sundays.",
    "Too short to be learned by itself",
    "Call 5 for help with the forms of this office today",
    "Call 1,000 for help with the forms of this office today",
]


@given(st.lists(st.tuples(st.integers(0, 7), st.lists(st.sampled_from(PARAGRAPHS), max_size=3)), max_size=24))
def test_what_stands_in_many_groups_is_learned(pages: list[tuple[int, list[str]]]) -> None:
    """The runs of eight words are learned of just those paragraphs whose words stand in five groups."""
    groups: dict[tuple[str, ...], set[int]] = {}
    for group, paragraphs in pages:
        for paragraph in paragraphs:
            groups.setdefault(tuple(tokens(paragraph).words), set()).add(group)
    expected = {
        shingle for words, of_words in groups.items() if len(of_words) >= MIN_GROUPS for shingle in shingles([*words])
    }
    assert learn((str(group), "\n\n".join(paragraphs)) for group, paragraphs in pages).hashes == expected
