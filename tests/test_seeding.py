"""From pages to seeds: adding, suggesting, confirming; a command that fails writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tagger.corpus import read_corpus

Run = Callable[..., tuple[int, str, str]]

PAGE = """\
Skip to main content

Herring Quota Falls

3 December 2019

Office of the Spokesperson

Ministers agreed a lower catch quota for herring, and every trawler must report its landings.

The Night Train Returns

4 December 2019

Office of the Spokesperson

The new timetable brings back the night train, and signalling is replaced.
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of two releases."""
    path = tmp_path / "june.txt"
    path.write_text(PAGE, encoding="utf-8")
    return path


def files(seeds: Path) -> dict[str, bytes]:
    """Return everything below the seeds, hidden or not."""
    return {path.relative_to(seeds).as_posix(): path.read_bytes() for path in seeds.rglob("*") if path.is_file()}


def added(seeds: Path, name: str = "june") -> list[dict[str, Any]]:
    """Return the seeds written for a page."""
    return [json.loads(line) for line in (seeds / "added" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_page_becomes_seeds(run: Run, seeds: Path, page: Path) -> None:
    """Each release of a page is written with its themes and where it stood, and is trained on."""
    code, _, said = run("seeds", "add", page, "--themes", "fisheries, railways", "--seeds", seeds)
    assert code == 0, said
    records = added(seeds)
    assert [(record["id"], record["title"], record["date"]) for record in records] == [
        ("june#1", "Herring Quota Falls", "2019-12-03"),
        ("june#2", "The Night Train Returns", "2019-12-04"),
    ]
    assert all(record["themes"] == ["fisheries", "railways"] and "reviewed" not in record for record in records)
    assert PAGE[records[1]["start"] : records[1]["end"]].startswith("The Night Train Returns")
    assert "Skip to main content" in records[0]["furniture"]
    assert [seed.page for seed in read_corpus(seeds).seeds if seed.document.id.startswith("june#")] == ["june.txt"] * 2


def test_one_release_can_be_added(run: Run, seeds: Path, page: Path) -> None:
    """With --release only that one is written; the other can follow with themes of its own."""
    assert run("seeds", "add", page, "--release", "2", "--themes", "railways", "--seeds", seeds)[0] == 0
    assert run("seeds", "add", page, "--release", "1", "--themes", "", "--seeds", seeds)[0] == 0
    assert [record["id"] for record in added(seeds, "june-1") + added(seeds, "june-2")] == ["june#1", "june#2"]
    assert added(seeds, "june-1")[0]["themes"] == []
    assert read_corpus(seeds)


def test_the_source_a_page_states_is_kept(run: Run, seeds: Path, page: Path) -> None:
    """The front matter of a page says what kind of office it comes from; training groups by that."""
    page.write_text(f"---\nsource: north\n---\n{PAGE}", encoding="utf-8")
    assert run("seeds", "add", page, "--themes", "railways", "--seeds", seeds)[0] == 0
    assert [record["source"] for record in added(seeds)] == ["north", "north"]


# ---- Suggestions


def test_a_suggestion_waits_for_a_person(run: Run, seeds: Path, models: Path, page: Path) -> None:
    """What the model suggests is not trained on until it is confirmed, one by one or all at once."""
    before = len(read_corpus(seeds).seeds)
    assert run("seeds", "add", page, "--suggest", "--seeds", seeds, "--models", models)[0] == 0
    path = seeds / "added" / "june.jsonl"
    assert "fisheries" in added(seeds)[0]["themes"]
    assert [record["reviewed"] for record in added(seeds)] == [False, False]
    assert (len(read_corpus(seeds).seeds), read_corpus(seeds).unreviewed) == (before, 2)
    assert run("seeds", "confirm", path, "june#2", "--seeds", seeds)[2].endswith("1 seed confirmed.\n")
    assert (len(read_corpus(seeds).seeds), read_corpus(seeds).unreviewed) == (before + 1, 1)
    assert run("seeds", "confirm", path, "--seeds", seeds)[0] == 0
    assert (len(read_corpus(seeds).seeds), read_corpus(seeds).unreviewed) == (before + 2, 0)
    assert all("reviewed" not in record for record in added(seeds))


def test_a_suggestion_can_be_corrected(run: Run, seeds: Path, models: Path, page: Path) -> None:
    """Confirming with themes writes these; a theme without a card is refused and nothing is confirmed."""
    run("seeds", "add", page, "--suggest", "--seeds", seeds, "--models", models)
    path = seeds / "added" / "june.jsonl"
    code, _, said = run("seeds", "confirm", path, "june#1", "--themes", "fish", "--seeds", seeds)
    assert (code, "no theme 'fish'" in said) == (1, True)
    assert read_corpus(seeds).unreviewed == 2
    assert run("seeds", "confirm", path, "june#1", "--themes", "railways, vaccines", "--seeds", seeds)[0] == 0
    assert added(seeds)[0]["themes"] == ["railways", "vaccines"]
    assert read_corpus(seeds).unreviewed == 1


@pytest.mark.parametrize(
    ("content", "ids", "message"),
    [
        (b'{"id": "a", "reviewed": false}\n', ["b"], "no unreviewed seed b; unreviewed are: a"),
        (b'{"id": "a", "reviewed": true}\n', [], "no unreviewed seed at all; unreviewed are: none"),
        (b'{"id": "a"}\n', ["a"], "no unreviewed seed a"),
        (b"[1]\n", [], "cannot be read as JSON lines"),
        (b"{", [], "cannot be read as JSON lines"),
        (b'{"id": "\xff"}\n', [], "cannot be read as JSON lines"),
        (b"[" * 100_000, [], "cannot be read as JSON lines"),
        (None, [], "cannot be read (No such file"),
    ],
)
def test_what_cannot_be_confirmed_is_told(
    run: Run, tmp_path: Path, content: bytes | None, ids: list[str], message: str
) -> None:
    """A file without such suggestions is named and left as it is."""
    path = tmp_path / "some.jsonl"
    if content is not None:
        path.write_bytes(content)
    code, _, said = run("seeds", "confirm", path, *ids)
    assert (code, message in said, str(path) in said) == (1, True, True), said
    assert (path.read_bytes() if path.exists() else None) == content


# ---- What is refused


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["june.txt", "--themes", "fishing-boats,railways"], 1, "no theme 'fishing-boats'. Known are: fisheries, "),
        (["june.txt", "--themes", "fishery"], 1, "Did you mean 'fisheries'?"),
        (["june.txt", "--themes", "railways", "--release", "3"], 1, "june.txt has no release 3; it holds 2"),
        (["june.txt", "--themes", "railways", "--release", "0"], 1, "june.txt has no release 0; it holds 2"),
        (["june.txt", "bare.txt", "--themes", "railways"], 1, "bare.txt holds no release, only site furniture"),
        (["june.txt", "missing.txt", "--themes", "railways"], 1, "missing.txt"),
        (["june.txt", "empty.txt", "--themes", "railways"], 1, "empty.txt holds no text"),
        (["june.txt", "raw.txt", "--themes", "railways"], 1, "raw.txt is not UTF-8"),
        (
            ["june.txt", "rows.jsonl", "--themes", "railways"],
            1,
            "rows.jsonl cannot be added as a page. It holds records",
        ),
        (["june.txt", "other", "--themes", "railways"], 1, "is a folder"),
        (["june.txt", "other/june.txt", "--themes", "railways"], 1, "another page has the same name"),
        (["june.txt", "june.txt", "--themes", "railways"], 1, "another page has the same name"),
        (["june.txt", "--suggest"], 1, "There is no live model"),
        (["june.txt"], 2, "either --themes or --suggest"),
        (["june.txt", "--themes", "railways", "--suggest"], 2, "either --themes or --suggest"),
        (["--themes", "railways"], 2, "No page was given"),
    ],
)
def test_a_command_that_fails_writes_nothing(
    run: Run, seeds: Path, page: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    """Whatever is wrong with one of the pages or the themes is told, and no page is added."""
    monkeypatch.chdir(page.parent)
    Path("bare.txt").write_text("Skip to main content\n", encoding="utf-8")
    Path("empty.txt").write_text(" \n", encoding="utf-8")
    Path("raw.txt").write_bytes(b"\xff\xfe")
    Path("rows.jsonl").write_text('{"text": "Herring."}\n', encoding="utf-8")
    Path("other").mkdir()
    Path("other/june.txt").write_text(PAGE, encoding="utf-8")
    before = files(seeds)
    found, _, said = run("seeds", "add", *arguments, "--seeds", seeds, "--models", "nothing")
    assert (found, message in said) == (code, True), said
    assert files(seeds) == before


@pytest.mark.parametrize("again", [[], ["--release", "1"], ["--release", "2"]])
@pytest.mark.parametrize("first", [[], ["--release", "1"]])
def test_a_release_is_not_added_twice(run: Run, seeds: Path, page: Path, first: list[str], again: list[str]) -> None:
    """A release that is a seed already is refused, however it came to be one; another of the page is not."""
    assert run("seeds", "add", page, *first, "--themes", "railways", "--seeds", seeds)[0] == 0
    before = files(seeds)
    code, _, said = run("seeds", "add", page, *again, "--themes", "railways", "--seeds", seeds)
    if first and again == ["--release", "2"]:
        assert code == 0
    else:
        assert (code, "already" in said, files(seeds)) == (1, True, before), said
    read_corpus(seeds)


@pytest.mark.parametrize("identifier", ["../../escaped", "/", "..", ".hidden", "a/b/.c", "x\x07y"])
def test_an_id_in_front_matter_names_a_file_among_the_seeds(run: Run, seeds: Path, page: Path, identifier: str) -> None:
    """An id may be anything; the file for it stands in the folder of added pages and is read as seeds."""
    page.write_text(f"---\nid: {json.dumps(identifier)}\n---\n{PAGE}", encoding="utf-8")
    before = len(read_corpus(seeds).seeds)
    assert run("seeds", "add", page, "--themes", "railways", "--seeds", seeds)[0] == 0
    assert len(files(seeds)) == 3
    assert len(read_corpus(seeds).seeds) == before + 2


def test_a_folder_that_cannot_be_written_is_told(run: Run, seeds: Path, page: Path) -> None:
    """Where the seeds cannot be written, the error names the file."""
    (seeds / "added").write_text("in the way", encoding="utf-8")
    (seeds / "added").rename(seeds / ".added")
    (seeds / "added").symlink_to(seeds / ".added")
    code, _, said = run("seeds", "add", page, "--themes", "railways", "--seeds", seeds)
    assert (code, "june.jsonl" in said, "Traceback" in said) == (1, True, False), said


def test_the_seeds_are_in_order(run: Run, seeds: Path) -> None:
    """The check of good seeds counts them by theme."""
    code, out, said = run("seeds", "check", "--seeds", seeds)
    assert code == 0
    assert ["fisheries", "16"] in [line.split() for line in out.splitlines()]
    assert "46 seeds in order; 10 have no theme, 0 are unreviewed" in said
    assert "card alone: lighthouses" in said
