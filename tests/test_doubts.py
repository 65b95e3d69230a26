"""Seeds whose themes look wrong: what is found, in which order, with what reason, and how it is answered."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger.corpus import read_corpus
from tagger.doubts import log_odds_of_error
from tagger.folds import group_texts
from tagger.heldout import FOLDER, HeldOutSeeds, text_digest
from tagger.registry import Registry

Run = Callable[..., tuple[int, str, str]]
Probabilities = Mapping[tuple[str, str], float]

NOT_COPIED = ("manifest.json", "SHA256SUMS", "created.json", FOLDER)
HERRING = "Ministers agreed a lower catch quota for herring, and every trawler in the north must report its landings"


def trained(seeds: Path, models: Path, said: Probabilities) -> str:
    """Save a live version whose held-out models agree with the seeds, but for what is said; return its name."""
    corpus, registry = read_corpus(seeds), Registry(models)
    live = registry.live()
    ids = [seed.document.id for seed in corpus.seeds]
    themes = [card.id for card in corpus.cards]
    probabilities = np.where(corpus.theme_sets, 0.9, 0.02).astype(np.float32)
    for (identifier, theme), probability in said.items():
        probabilities[ids.index(identifier), themes.index(theme)] = probability
    groups = group_texts(corpus.texts, [seed.page for seed in corpus.seeds]).astype(np.int32)
    digests = [text_digest(text) for text in corpus.texts]
    held_out = HeldOutSeeds(ids, digests, groups, corpus.theme_sets, probabilities, probabilities >= 0.5)

    def write(folder: Path) -> dict[str, Any]:
        shutil.copytree(live.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        held_out.save(folder)
        return {name: value for name, value in live.manifest.items() if name != "files"}

    return registry.promote(registry.save(write).name).name


@pytest.fixture
def doubt(run: Run, seeds: Path, models: Path) -> Callable[..., list[dict[str, Any]]]:
    """List the doubts of the tiny seeds by the live version, as records."""

    def listed(*options: str) -> list[dict[str, Any]]:
        code, out, said = run("seeds", "doubt", "--seeds", seeds, "--models", models, *options)
        assert code == 0, said
        return [json.loads(line) for line in out.splitlines()]

    return listed


Listed = Callable[..., list[dict[str, Any]]]


def pairs(records: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return id, kind and theme of each doubt, in order."""
    return [(record["id"], one["kind"], one["theme"]) for record in records for one in record["doubts"]]


def append(seeds: Path, *records: dict[str, Any]) -> None:
    """Write more seeds, in a file of their own."""
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    (seeds / "more.jsonl").write_text(lines, encoding="utf-8")


# ---- What is found


def test_both_directions_are_found(seeds: Path, models: Path, doubt: Listed) -> None:
    """A theme that is given against the held-out probability is wrong, one that is left out against it is missing."""
    said = {("railways-3", "railways"): 0.001, ("railways-3", "vaccines"): 0.8, ("none-2", "fisheries"): 0.99}
    trained(seeds, models, said)
    assert pairs(doubt()) == [
        ("railways-3", "wrong", "railways"),
        ("railways-3", "missing", "vaccines"),
        ("none-2", "missing", "fisheries"),
    ]


def test_a_theme_that_no_seed_has_raises_no_doubt(seeds: Path, models: Path, doubt: Listed) -> None:
    """What a card alone makes of a seed is no ground to doubt the seed."""
    trained(seeds, models, {("none-2", "lighthouses"): 0.99, ("none-3", "fisheries"): 0.99})
    assert pairs(doubt()) == [("none-3", "missing", "fisheries")]


def test_a_theme_that_no_seed_has_is_not_called_new(run: Run, seeds: Path, models: Path) -> None:
    """A theme that the version knows, but no seed had, is not newer than the version: training again is no remedy."""
    trained(seeds, models, {})
    said = run("seeds", "doubt", "--seeds", seeds, "--models", models)[2]
    assert "newer" not in said
    code, _, said = run("seeds", "doubt", "--theme", "lighthouses", "--seeds", seeds, "--models", models)
    assert (code, "lighthouses" in said, "newer" in said) == (1, True, False), said


def test_a_doubt_tells_what_it_rests_on(seeds: Path, models: Path, doubt: Listed) -> None:
    """Each doubt comes with its probability, its place and terms of the seed, for the theme and against it."""
    trained(seeds, models, {("railways-3", "railways"): 0.001})
    (record,) = doubt()
    (one,) = record["doubts"]
    assert (record["where"], record["themes"]) == (f"{seeds}/tiny.jsonl, line 14", ["railways"])
    assert one["probability"] == pytest.approx(0.001)
    assert all(term["share"] > 0 for term in one["terms_for"])
    assert all(term["share"] < 0 for term in one["terms_against"])
    assert any("timetable" in term["term"] or "train" in term["term"] for term in one["terms_for"])


def test_only_the_most_doubtful_are_shown(run: Run, seeds: Path, models: Path, doubt: Listed) -> None:
    """With --most only so many seeds are listed, those doubted most, and all that look doubtful are counted."""
    trained(seeds, models, {(f"none-{number}", "fisheries"): 0.6 + number / 50 for number in range(8)})
    assert [record["id"] for record in doubt("--most", "3")] == ["none-7", "none-6", "none-5"]
    said = run("seeds", "doubt", "--most", "3", "--seeds", seeds, "--models", models)[2]
    assert "Of 46 seeds judged, 8 look doubtful (shown: the first 3)." in said


def test_seeds_in_order_are_not_doubted(run: Run, seeds: Path, models: Path, doubt: Listed) -> None:
    """Where held-out models agree with all labels nothing is listed."""
    trained(seeds, models, {})
    assert doubt() == []
    assert "46 seeds judged, 0 look doubtful." in run("seeds", "doubt", "--seeds", seeds, "--models", models)[2]


def test_one_theme_can_be_looked_at(seeds: Path, models: Path, doubt: Listed) -> None:
    """With --theme only doubts about that theme are listed."""
    trained(seeds, models, {("none-2", "fisheries"): 0.99, ("none-2", "vaccines"): 0.9, ("none-3", "vaccines"): 0.8})
    assert pairs(doubt("--theme", "vaccines")) == [("none-2", "missing", "vaccines"), ("none-3", "missing", "vaccines")]


def test_people_read_the_same(
    run: Run, seeds: Path, models: Path, doubt: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal each seed is shown with its doubts and both commands."""
    trained(seeds, models, {("none-2", "fisheries"): 0.99, ("railways-3", "railways"): 0.001})
    records = doubt()
    monkeypatch.setattr("tagger.cli.output.as_json", lambda _asked: False)
    out = run("seeds", "doubt", "--seeds", seeds, "--models", models)[1]
    assert "missing? fisheries" in out
    assert "wrong? railways" in out
    for record in records:
        assert record["accept"] in out
        assert record["keep"] in out


# ---- What is judged


def test_todays_labels_are_judged(seeds: Path, models: Path, doubt: Listed) -> None:
    """A label corrected since training is no longer doubted, one spoilt since training is."""
    trained(seeds, models, {("none-2", "fisheries"): 0.99})
    path = seeds / "tiny.jsonl"
    records = {record["id"]: record for record in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    records["none-2"]["themes"] = ["fisheries"]
    records["vaccines-1"]["themes"] = []
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records.values()), encoding="utf-8")
    assert pairs(doubt()) == [("vaccines-1", "missing", "vaccines")]


def test_what_cannot_be_judged_is_counted(run: Run, seeds: Path, models: Path, doubt: Listed) -> None:
    """Seeds that are newer than the version or have another text by now are said to wait for training."""
    trained(seeds, models, {})
    path = seeds / "tiny.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("umbrellas", "sunshades", 1), encoding="utf-8")
    append(seeds, {"id": "x-1", "text": HERRING, "themes": []}, {"id": "x-2", "text": "Trains.", "themes": []})
    cards = seeds / "themes.yaml"
    cards.write_text(
        f"{cards.read_text(encoding='utf-8')}- {{id: ports, label: Ports, group: all}}\n", encoding="utf-8"
    )
    assert doubt() == []
    said = run("seeds", "doubt", "--seeds", seeds, "--models", models)[2]
    assert "2 seeds are newer than v0002; train to have them judged" in said
    assert "1 seed is changed since v0002; train to have it judged" in said
    assert "Themes newer than v0002, not judged: ports." in said
    code, _, said = run("seeds", "doubt", "--theme", "ports", "--seeds", seeds, "--models", models)
    assert (code, "newer than v0002" in said) == (1, True)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--theme", "fishery"], 1, "no theme 'fishery'. Did you mean 'fisheries'?"),
        (["--model", "v0009"], 1, "no version 'v0009'"),
        (["--most", "0"], 2, "--most is 0"),
    ],
)
def test_what_cannot_be_asked_is_told(
    run: Run, seeds: Path, models: Path, options: list[str], code: int, message: str
) -> None:
    """A theme or a version that is not there is named, with what there is."""
    trained(seeds, models, {})
    found, _, said = run("seeds", "doubt", "--seeds", seeds, "--models", models, *options)
    assert (found, message in said) == (code, True), said


def test_an_earlier_version_is_refused(run: Run, seeds: Path, models: Path) -> None:
    """A version without held-out probabilities says so, and that training makes one with them."""
    registry = Registry(models)
    live = registry.live()

    def write(folder: Path) -> dict[str, Any]:
        shutil.copytree(live.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        return {name: value for name, value in live.manifest.items() if name != "files"}

    registry.promote(registry.save(write).name)
    code, _, said = run("seeds", "doubt", "--seeds", seeds, "--models", models)
    assert (code, "v0002 holds no probabilities of held-out seeds" in said, "tagger train" in said) == (1, True, True)


# ---- Near-duplicates


def twins(seeds: Path, first: list[str], second: list[str]) -> None:
    """Add two seeds of nearly the same text."""
    for name, themes in (("twin-1", first), ("twin-2", second)):
        page = f"---\nthemes: [{', '.join(themes)}]\nid: {name}\n---\n{HERRING} {name}.\n"
        (seeds / f"{name}.md").write_text(page, encoding="utf-8")


def test_contradictions_come_first(seeds: Path, models: Path, doubt: Listed) -> None:
    """Of near-duplicates with other themes the less probable statement is doubted, before what one model doubts."""
    twins(seeds, ["fisheries"], [])
    trained(seeds, models, {("none-2", "fisheries"): 0.9, **{(f"twin-{n}", "fisheries"): 0.95 for n in (1, 2)}})
    records = doubt()
    assert pairs(records) == [("twin-2", "missing", "fisheries"), ("none-2", "missing", "fisheries")]
    assert records[0]["doubts"][0]["near_duplicates"] == ["twin-1"]


def test_a_contradiction_kept_on_one_side_is_asked_of_the_other(
    run: Run, seeds: Path, models: Path, doubt: Listed
) -> None:
    """Where a person says that one of two near-duplicates is right the other is doubted; where both are, none."""
    twins(seeds, ["fisheries"], [])
    trained(seeds, models, {(f"twin-{n}", "fisheries"): 0.95 for n in (1, 2)})
    (first,) = doubt()
    assert run(*shlex.split(first["keep"])[1:])[0] == 0
    (second,) = doubt()
    assert (first["id"], second["id"], second["doubts"][0]["kind"]) == ("twin-2", "twin-1", "wrong")
    assert run(*shlex.split(second["keep"])[1:])[0] == 0
    assert doubt() == []


# ---- Answers


def test_the_command_that_accepts_can_be_pasted(run: Run, seeds: Path, models: Path) -> None:
    """The command of a doubt corrects the seed, whatever its id and the folder are called, and settles the doubt."""
    folder = seeds.rename(seeds.with_name("my seeds; $HOME"))
    append(folder, {"id": "-it's #1", "text": f"{HERRING}.", "themes": ["railways"]})
    trained(folder, models, {("-it's #1", "railways"): 0.001, ("-it's #1", "fisheries"): 0.99})
    record = json.loads(run("seeds", "doubt", "--models", models, "--seeds", folder)[1])
    code, _, said = run(*shlex.split(record["accept"])[1:])
    assert code == 0, said
    corrected = {seed.document.id: seed.themes for seed in read_corpus(folder).seeds}
    assert corrected["-it's #1"] == ("fisheries",)
    assert run("seeds", "doubt", "--models", models, "--seeds", folder)[1] == ""


def test_what_is_kept_is_not_doubted_again(run: Run, seeds: Path, models: Path, doubt: Listed) -> None:
    """Kept themes are not doubted again, whatever else changes, until the seed states the opposite of what was kept."""
    said = {("none-2", "fisheries"): 0.99, ("railways-3", "railways"): 0.001, ("railways-3", "fisheries"): 0.9}
    trained(seeds, models, said)
    before = (seeds / "tiny.jsonl").read_bytes()
    for record in doubt():
        assert run(*shlex.split(record["keep"])[1:])[0] == 0
    assert doubt() == []
    assert (seeds / "tiny.jsonl").read_bytes() == before
    assert run("seeds", "correct", "railways-3", "--add", "fisheries,vaccines", "--seeds", seeds)[0] == 0
    assert pairs(doubt()) == [("railways-3", "wrong", "vaccines")]


# ---- The measure


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=30), st.integers(0, 2**30))
def test_doubt_follows_probability(probabilities: list[float], bits: int) -> None:
    """Within a theme, of missing ones the more probable is doubted more, of given ones the less probable."""
    column = np.array(probabilities, dtype=np.float32)[:, None]
    stated = np.array([[bool(bits >> row & 1)] for row in range(len(probabilities))])
    doubts = log_odds_of_error(column, stated)
    assert np.isfinite(doubts).all()
    for has, sign in ((False, 1), (True, -1)):
        of_kind = np.flatnonzero(stated[:, 0] == has)
        order = of_kind[np.argsort(sign * column[of_kind, 0], kind="stable")]
        assert (np.diff(doubts[order, 0]) >= 0).all()


def test_a_theme_that_is_not_learned_is_not_doubted() -> None:
    """Seeds of a rare theme whose every probability is that of the theme in general are not listed as wrong."""
    stated = np.zeros((1000, 2), dtype=bool)
    stated[:3, 0] = stated[:400, 1] = True
    probabilities = np.full((1000, 2), 0.003, dtype=np.float32)
    probabilities[:, 1] = 0.4
    probabilities[7, 1] = 0.001
    doubts = log_odds_of_error(probabilities, stated)
    assert (doubts[stated] > 0.5).sum() == 1
    assert doubts[7, 1] > 5
