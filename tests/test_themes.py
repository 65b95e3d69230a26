"""The theme cards: what a file of them means, and how a wrong one is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.errors import SeedsError
from tagger.themes import MATCH_KINDS, Match, ThemeCard, load_cards

SHIPPED = Path(__file__).resolve().parents[1] / "seeds" / "themes.yaml"

TWO_CARDS = """\
scheme:
  id: harbour
  groups:
  - id: sea
    label: The sea
themes:
- id: fishing
  label: Fishing
  group: sea
  related: [tides]
  scopeNote: >-
    Catching fish,
    and rules for it.
  altLabels: [fisheries, no, 2030]
  keywords:
  - trawler
  include:
  - quotas
  exclude:
  - 'recipes: never'
  exactMatch:
  - eurovoc 2437 "fishing industry"
  closeMatch:
  - state-policy-issue "Fish"
- id: tides
  label: Tides
"""


@pytest.fixture
def problems(tmp_path: Path):
    """Return the problems of a file with the given text."""

    def found(text: str | bytes) -> tuple[str, ...]:
        path = tmp_path / "themes.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(SeedsError) as refused:
            load_cards(path)
        return refused.value.problems

    return found


def test_a_card_holds_what_the_file_says(tmp_path: Path) -> None:
    """Every field of a card arrives under its name, in order, and words that look like values stay words."""
    path = tmp_path / "themes.yaml"
    path.write_text(TWO_CARDS)

    fishing, tides = load_cards(path)

    assert fishing == ThemeCard(
        id="fishing",
        label="Fishing",
        group="sea",
        related=("tides",),
        scope_note="Catching fish, and rules for it.",
        alt_labels=("fisheries", "no", "2030"),
        keywords=("trawler",),
        include=("quotas",),
        exclude=("recipes: never",),
        matches=(
            Match("exactMatch", "eurovoc", "2437", "fishing industry"),
            Match("closeMatch", "state-policy-issue", None, "Fish"),
        ),
    )
    assert tides == ThemeCard(id="tides", label="Tides")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("themes:\n- id: a\n  label: A\n- id: a\n  label: B\n", 4, "the id 'a' is that of the card on line 2"),
        ("themes:\n- id: a\n  label: Same\n- id: b\n  label: same\n", 4, "the label 'same'"),
        ("themes:\n- id: Trade\n  label: T\n", 2, "the id 'Trade' should be lower-case"),
        (f"themes:\n- id: {'a' * 65}\n  label: T\n", 2, "at most 64"),
        ("themes:\n- label: T\n", 2, "the id '' should be"),
        ("themes:\n- id: a\n", 2, "has no label"),
        ("themes:\n- id: a\n  label:\n", 3, "has no label"),
        ("themes:\n- id: a\n  label: A\n  keyword: [b]\n", 4, "did you mean 'keywords'?"),
        ("themes:\n- id: a\n  label: A\n  zzz: [b]\n", 4, "known are altLabels"),
        ("themes:\n- id: a\n  label: A\n  keywords: b\n", 4, "keywords should be a list"),
        ("themes:\n- id: a\n  label: A\n  keywords: [b, '']\n", 4, "an entry of keywords is empty"),
        ("themes:\n- id: a\n  label: A\n  include:\n  - b: c\n", 5, "put it in quotes"),
        ("themes:\n- id: a\n  label: [A]\n", 3, "label should be text"),
        ("themes:\n- id: a\n  label: A\n  group: sea\n", 4, "unknown group 'sea'; known are none"),
        ("themes:\n- id: fish\n  label: A\n  related: [fihs]\n", 4, "unknown related theme 'fihs'"),
        ("themes:\n- id: a\n  label: A\n  label: B\n", 4, "'label' is written twice"),
        ('themes:\n- id: a\n  label: A\n  exactMatch:\n  - unbis "X\n', 5, "should be like"),
        ("themes:\n- a\n", 2, "a card should be"),
        ("themes: a\n", 1, "`themes` should be a list"),
        ("- a\n", 1, "the file should be"),
        ("scheme:\n  groups:\n  - id: a\nthemes:\n- id: a\n  label: A\n", 3, "a group needs an id and a label"),
        ("themes:\n- id: a\n  label: A: B\n", 3, "not YAML"),
        ("themes:\n- [a\n", 3, "not YAML"),
    ],
)
def test_a_wrong_card_is_named_with_its_line(problems, text: str, line: int, words: str) -> None:
    """Each kind of mistake is refused with the line it stands on and what to do."""
    assert any(f"themes.yaml, line {line}: " in problem and words in problem for problem in problems(text))


PROMISES = """\
scheme:
  precision: {}
themes:
- id: fishing
  label: Fishing
  precision: {}
- id: tides
  label: Tides
"""


def test_a_card_promises_its_own_precision_or_that_of_the_scheme(tmp_path: Path) -> None:
    """What the scheme promises holds for each card that says nothing else; without either, nothing is promised."""
    path = tmp_path / "themes.yaml"
    path.write_text(PROMISES.format("0.9", ".95"))
    assert [card.precision for card in load_cards(path)] == [0.95, 0.9]
    path.write_text(PROMISES.format("0.5", "0.99"))
    assert [card.precision for card in load_cards(path)] == [0.99, 0.5]
    path.write_text(TWO_CARDS)
    assert [card.precision for card in load_cards(path)] == [None, None]


@pytest.mark.parametrize(
    "value",
    ["1", "1.0", "0.49", ".999", "0.995", "90%", "90", "-0.9", "0.9e0", "٠.٩", "high", "''", "~", "[0.9]", "{a: 1}"],
)
def test_a_promise_that_is_none_is_refused(problems, value: str) -> None:
    """Of card and of scheme, anything but a share from .5 to .99 is refused with its line and what was expected."""
    expected = "expected a number from 0.5 to 0.99, such as 0.9"
    assert any("line 6: " in problem and expected in problem for problem in problems(PROMISES.format("0.9", value)))
    assert any("line 2: " in problem and expected in problem for problem in problems(PROMISES.format(value, "0.9")))


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "is empty"), ("# nothing\n", "is empty"), ("themes: []\n", "no theme"), ("scheme: {}\n", "no theme")],
)
def test_a_file_without_a_card_is_refused(problems, content: str, words: str) -> None:
    """A file with no theme in it is one problem, not an empty vocabulary."""
    (problem,) = problems(content)
    assert words in problem


def test_bytes_that_are_not_utf_8_are_refused_with_their_place(problems) -> None:
    """A file in another encoding is refused with the offset of the first wrong byte."""
    assert "not UTF-8 at byte 8" in problems(b"themes: \xff")[0]


@pytest.mark.parametrize("level", ["[", "- ", "? ", "{a: "])
def test_a_very_deep_file_is_refused(problems, level: str) -> None:
    """Nesting that would overrun the parser's stack is a problem like any other."""
    assert "levels deep" in problems("themes: \n  " + level * 100_000)[0]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that does not exist is named."""
    with pytest.raises(SeedsError, match=r"absent\.yaml cannot be read"):
        load_cards(tmp_path / "absent.yaml")


def test_all_problems_are_told_at_once(problems) -> None:
    """A person sees every mistake of the file in one go."""
    assert len(problems("themes:\n- id: A\n  label: X\n- id: b\n  keywords: c\n  colour: red\n")) == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text("ab:-[]{}&*!|>'\"#\n ", max_size=80).map(str.encode)))
def test_any_bytes_give_cards_or_problems(tmp_path: Path, content: bytes) -> None:
    """No content of the file, alone or after a beginning of a card, gives another error than SeedsError."""
    path = tmp_path / "themes.yaml"
    for beginning in (b"", b"themes:\n- id: a\n  label: "):
        path.write_bytes(beginning + content)
        with suppress(SeedsError):
            assert load_cards(path)


def test_the_shipped_cards_are_complete() -> None:
    """Every shipped card has a note, other names, keywords, both lists, a group and a link, and names real themes."""
    cards = load_cards(SHIPPED)

    assert len(cards) == 26
    assert len({card.group for card in cards}) == 5
    for card in cards:
        assert card.scope_note
        assert len(card.alt_labels) >= 5
        assert len(card.keywords) >= 30
        assert card.include
        assert card.exclude
        assert {match.kind for match in card.matches} <= set(MATCH_KINDS)
        assert all(match.code for match in card.matches if match.vocabulary != "state-policy-issue")
        assert len(set(card.keywords)) == len(card.keywords), card.id


def test_the_example_in_the_head_of_the_shipped_file_is_a_good_card(tmp_path: Path) -> None:
    """The card shown to librarians, added to the shipped file, is accepted and has every kind of field."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# - id:"))
    end = lines.index("#", start)
    example = [line[2:] for line in lines[start:end]]
    path = tmp_path / "themes.yaml"
    path.write_text("\n".join([*lines, "", *example]), encoding="utf-8")

    *_, card = load_cards(path)

    assert card.id == "space-debris"
    assert all(getattr(card, field) for field in ThemeCard.__slots__)
