"""Pins: what the file may say, and that everything wrong with it is said at once, with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus import read_corpus, seed_files
from tagger.errors import SeedsError
from tagger.pins import PINS_FILE, Pin, read_pins

Run = Callable[..., tuple[int, str, str]]

THEMES = ("fisheries", "railways", "vaccines", "lighthouses")
HERRING = {"id": "herring", "text": "A lower catch quota for herring."}


def write(folder: Path, *pins: object) -> Path:
    """Write pins, one a line, into a folder of seeds, and return it."""
    folder.mkdir(exist_ok=True)
    (folder / PINS_FILE).write_text("".join(f"{json.dumps(pin)}\n" for pin in pins), encoding="utf-8")
    return folder


def test_pins_are_read_in_their_order(tmp_path: Path) -> None:
    """A pin is a document with what it must and must not have; a theme named twice counts once."""
    write(
        tmp_path,
        {**HERRING, "title": "Quota", "must": ["fisheries", "fisheries"], "must_not": ["railways"]},
        {"id": "empty", "text": "The canteen serves soup.", "must_not": list(THEMES), "note": "asked for by Anna"},
    )
    first, second = read_pins(tmp_path, THEMES)
    assert (first.document.title, first.must, first.must_not) == ("Quota", ("fisheries",), ("railways",))
    assert (second.document.where, second.must, second.must_not) == (f"{tmp_path}/{PINS_FILE}, line 2", (), THEMES)


def test_no_file_is_no_pin(tmp_path: Path) -> None:
    """Without the file, and with an empty one, there are no pins."""
    assert read_pins(tmp_path, THEMES) == []
    assert read_pins(write(tmp_path), THEMES) == []


@pytest.mark.parametrize(
    ("pin", "said"),
    [
        (HERRING, "says nothing of any theme"),
        ({**HERRING, "must": []}, "says nothing of any theme"),
        ({**HERRING, "must": ["fishery"]}, "unknown theme 'fishery'. Did you mean 'fisheries'?"),
        ({**HERRING, "must_not": ["railway"]}, "unknown theme 'railway'. Did you mean 'railways'?"),
        ({**HERRING, "must": ["railways"], "must_not": ["railways"]}, "both must and must not have railways"),
        ({**HERRING, "must": "fisheries"}, "has must 'fisheries'; expected a list"),
        ({**HERRING, "must_not": [1]}, "has must_not [1]; expected a list"),
        ({**HERRING, "must": ["fisheries"], "mustnot": ["railways"]}, "a field 'mustnot'. Did you mean 'must_not'?"),
        ({"id": "herring", "text": "?!", "must": ["fisheries"]}, "has no word in it"),
        ({"id": "herring", "must": ["fisheries"]}, "`text` is missing"),
        (["herring"], "is no JSON object"),
    ],
)
def test_a_pin_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, pin: object, said: str) -> None:
    """Each mistake is one sentence with file, line, what is there and what was expected."""
    write(tmp_path, {"id": "good", "text": "Soup.", "must_not": ["railways"]}, pin)
    with pytest.raises(SeedsError) as caught:
        read_pins(tmp_path, THEMES)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path}/{PINS_FILE}, line 2: ")
    assert said in problem


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Two pins of one id and an unknown theme are two problems, of one reading."""
    write(tmp_path, {**HERRING, "must": ["fisheries"]}, {**HERRING, "must": ["soup"]})
    with pytest.raises(SeedsError) as caught:
        read_pins(tmp_path, THEMES)
    assert [("used before" in problem, "'soup'" in problem) for problem in caught.value.problems] == [
        (True, False),
        (False, True),
    ]


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A folder in the place of the file is a problem, not an empty list of pins."""
    (tmp_path / PINS_FILE).mkdir()
    with pytest.raises(SeedsError, match="is no file"):
        read_pins(tmp_path, THEMES)


@given(st.lists(st.tuples(st.sets(st.sampled_from(THEMES)), st.sets(st.sampled_from(THEMES)))))
def test_a_pin_says_of_a_theme_one_thing_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, claims: list[tuple[set[str], set[str]]]
) -> None:
    """Pins are read as they were written exactly where each names a theme, and none in both its lists."""
    folder = tmp_path_factory.mktemp("pins")
    pins = [
        {"id": f"{number}", "text": "Soup.", "must": sorted(must), "must_not": sorted(must_not)}
        for number, (must, must_not) in enumerate(claims)
    ]
    write(folder, *pins)
    if all((must or must_not) and not must & must_not for must, must_not in claims):
        found: list[Pin] = read_pins(folder, THEMES)
        assert [(set(pin.must), set(pin.must_not)) for pin in found] == claims
    else:
        with pytest.raises(SeedsError):
            read_pins(folder, THEMES)


def test_pins_are_no_seeds(seeds: Path) -> None:
    """The file beside the cards is not trained on; a file of that name in a folder below holds seeds as any other."""
    before = read_corpus(seeds)
    write(seeds, {**HERRING, "must": ["fisheries"]})
    corpus = read_corpus(seeds)
    assert (corpus.texts, [pin.document.id for pin in corpus.pins]) == (before.texts, ["herring"])
    write(seeds / "more", {**HERRING, "themes": ["fisheries"]})
    assert [path.relative_to(seeds).as_posix() for path in seed_files(seeds)] == ["more/pins.jsonl", "tiny.jsonl"]


def test_checking_the_seeds_checks_the_pins(seeds: Path, run: Run) -> None:
    """`tagger seeds check` fails with the file and line of a pin that cannot be used."""
    write(seeds, {**HERRING, "must": ["fishery"]})
    code, _, said = run("seeds", "check", "--seeds", seeds)
    assert (code, f"{seeds}/{PINS_FILE}, line 1: the pin 'herring' names the unknown theme 'fishery'" in said) == (
        1,
        True,
    )
