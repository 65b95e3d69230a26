"""From pages to seeds: adding, suggesting, confirming, correcting; a command that fails writes nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.checked import checked_file, load_checked
from tagger.corpus import read_corpus
from tagger.seeding import correct

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


# ---- Corrections

QUOTED = '"He said ""no"", twice\nand left."'

CORRECTIONS = {
    "lines": (
        "a.jsonl",
        '{"id": "a", "n": 1e5,  "text": "Caf\\u00e9.", "themes":  ["railways", "vaccines"], "x": {"themes": []}}\n'
        '\n{"id":"b","text":"Boats.","themes":["fisheries"]}',
        {"a": '["railways", "vaccines"]'},
        '["railways", "fisheries"]',
    ),
    "compact lines without an end": (
        "a.ndjson",
        '\ufeff{"text":"Boats.","themes":[]}\r\n{"themes":["railways","vaccines"],"text":"Rails.","id":7}',
        {"7": '["railways","vaccines"]'},
        '["railways","fisheries"]',
    ),
    "a line without an id": (
        "deep/a.jsonl",
        '{"text": "Boats.", "themes": []}\n{"text": "Rails.", "themes": ["railways", "vaccines"]}\n',
        {"deep/a.jsonl:2": '["railways", "vaccines"]'},
        '["railways", "fisheries"]',
    ),
    "a table": (
        "a.csv",
        f"id,title,text,themes\r\n1,,{QUOTED},none\r\n2,Trains,{QUOTED},railways;vaccines\r\n\r\n3,x,Nets,fisheries\r\n",
        {"2": "railways;vaccines"},
        "railways;fisheries",
    ),
    "a table with all in quotes": (
        "a.csv",
        '"themes","text"\n"none","Boats."\n"railways; vaccines","Trains."',
        {"a.csv:3": '"railways; vaccines"'},
        '"railways;fisheries"',
    ),
    "a table with tabs": (
        "a.tsv",
        "id\tthemes\ttext\n1\tnone\tBoats.\n2\trailways;vaccines\tTrains, and so on.\n",
        {"2": "railways;vaccines"},
        "railways;fisheries",
    ),
    "a page": (
        "a.md",
        "---\r\ntitle: X\r\nthemes: [railways, vaccines]  # ours\r\nat: 2020\r\n---\r\nTrains.\r\n\r\nthemes: [x]",
        {"a.md": "[railways, vaccines]"},
        "[railways, fisheries]",
    ),
    "a page with a list of lines": (
        "a.txt",
        "---\nthemes:\n  - railways\n  - vaccines\nid: page one\n---\nTrains.\n",
        {"page one": "\n  - railways\n  - vaccines"},
        " [railways, fisheries]",
    ),
    "a page with a word": (
        "a.markdown",
        "\ufeff---\nthemes: railways;vaccines\n---\nTrains.\n",
        {"a.markdown": "railways;vaccines"},
        "[railways, fisheries]",
    ),
}


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_a_correction_changes_only_the_themes(run: Run, seeds: Path, kind: str) -> None:
    """In every kind of file the themes of the one seed change, and every other byte stays."""
    name, content, seed, new = CORRECTIONS[kind]
    ((identifier, old),) = seed.items()
    path = seeds / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode())
    options = ("--add", "fisheries", "--remove", "vaccines", "--seeds", seeds)
    code, _, said = run("seeds", "correct", identifier, *options)
    assert code == 0, said
    assert path.read_bytes().decode() == content.replace(old, new, 1)
    assert "has railways, fisheries instead of railways, vaccines." in said
    assert {seed.document.id: seed.themes for seed in read_corpus(seeds).seeds}[identifier] == ("railways", "fisheries")
    assert "has railways, fisheries, as before." in run("seeds", "correct", identifier, *options)[2]
    assert not [found for found in path.parent.iterdir() if found.name.startswith(".")]


@pytest.mark.parametrize(("ending", "empty"), [("jsonl", b'"themes": []'), ("csv", b",none\n")])
def test_a_compressed_file_is_corrected(run: Run, seeds: Path, ending: str, empty: bytes) -> None:
    """A seed in a compressed file is corrected too; no theme left is said in the words of the format."""
    contents = {
        "jsonl": b'{"id": "z", "text": "Boats.", "themes": ["railways"]}\n',
        "csv": b"id,text,themes\nz,Boats,railways\n",
    }
    path = seeds / f"z.{ending}.gz"
    path.write_bytes(gzip.compress(contents[ending]))
    assert run("seeds", "correct", "z", "--themes", "", "--seeds", seeds)[0] == 0
    assert empty in gzip.decompress(path.read_bytes())
    assert read_corpus(seeds).seeds[-1].themes == ()


names = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(names, names), min_size=1, max_size=5), chosen=st.integers(0, 4), data=st.data())
def test_whatever_stands_in_a_file_stays(
    seeds: Path, rows: list[tuple[str, str]], chosen: int, data: st.DataObject
) -> None:
    """Whatever texts and fields records have, a correction changes the themes of one and nothing else."""
    records = [
        {"id": f"s{number}", "odd": odd, "text": f"word {text}".replace("\0", ""), "themes": "railways"}
        for number, (odd, text) in enumerate(rows)
    ]
    records = [{**record, "odd": str(record["odd"]).replace("\0", "")} for record in records]
    chosen %= len(records)
    ascii_only, quoting = data.draw(st.booleans()), data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    ending = data.draw(st.sampled_from(["jsonl", "csv", "tsv"]))

    def written(records: list[dict[str, str]]) -> bytes:
        stream = io.StringIO(newline="")
        if ending == "jsonl":
            lines = [{**record, "themes": [record["themes"]]} for record in records]
            stream.write("".join(f"{json.dumps(line, ensure_ascii=ascii_only)}\n" for line in lines))
        else:
            table = csv.DictWriter(stream, list(records[0]), delimiter=",\t"[ending == "tsv"], quoting=quoting)
            table.writeheader()
            table.writerows(records)
        return stream.getvalue().encode()

    for old in seeds.glob("odd.*"):
        old.unlink()
    path = seeds / f"odd.{ending}"
    path.write_bytes(written(records))
    copies = {
        f"s{at}" for at, record in enumerate(records) if record["text"].split() == records[chosen]["text"].split()
    }
    correct(seeds, f"s{chosen}", themes=["vaccines"])
    expected = [{**record, "themes": "vaccines" if record["id"] in copies else "railways"} for record in records]
    assert path.read_bytes() == written(expected)


def test_copies_of_a_text_are_corrected_with_it(run: Run, seeds: Path) -> None:
    """Seeds of the same text get the same themes, wherever they stand, or training would refuse them."""
    (seeds / "a.jsonl").write_text('{"id": "a", "text": "Boats  sail.", "themes": ["railways"]}\n', encoding="utf-8")
    (seeds / "b.md").write_text("---\nthemes: [railways]\n---\nBoats sail.\n", encoding="utf-8")
    said = run("seeds", "correct", "a", "--themes", "fisheries", "--seeds", seeds)[2]
    assert f"{seeds}/b.md: the same text" in said
    assert read_corpus(seeds).seeds[0].themes == ("fisheries",)
    assert "themes: [fisheries]" in (seeds / "b.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fisheries-33", "--add", "railways"], 1, "has the id 'fisheries-33'. Did you mean 'fisheries-3'?"),
        (["fisheries-3", "--add", "railway"], 1, "no theme 'railway'. Did you mean 'railways'?"),
        (["fisheries-3", "--keep", "railway"], 1, "no theme 'railway'"),
        (["twice", "--add", "railways"], 1, "twice.jsonl, line 1 and "),
        (["later", "--add", "railways"], 1, "is an unreviewed suggestion. Confirm it instead: tagger seeds confirm "),
        (["bare", "--add", "railways"], 1, "states no themes that could be corrected"),
        (["odd.md", "--add", "railways"], 1, "Edit its themes by hand: odd.md: [fisheries, railways]"),
        (["broken", "--add", "railways"], 1, "no valid CSV, from line 3 on"),
        (["fisheries-3"], 2, "Say what to correct"),
        (["fisheries-3", "--add", "railways", "--remove", "railways"], 2, "'railways' is named twice"),
        (["fisheries-3", "--keep", "railways", "--remove", "railways"], 2, "'railways' is named twice"),
        (["fisheries-3", "--themes", "railways", "--add", "vaccines"], 2, "either --themes"),
    ],
)
def test_what_cannot_be_corrected_is_told(run: Run, seeds: Path, arguments: list[str], code: int, message: str) -> None:
    """A correction that cannot be made says why and what to do, and changes no file."""
    lines = ["twice", "twice", "bare", "later"]
    texts = [f'{{"id": "{name}", "text": "{name} {at}"' for at, name in enumerate(lines)]
    ends = [', "themes": []}', ', "themes": []}', "}", ', "themes": [], "reviewed": false}']
    (seeds / "twice.jsonl").write_text("\n".join(map("".join, zip(texts, ends, strict=True))), encoding="utf-8")
    (seeds / "odd.md").write_text("---\nthemes: |\n  fisheries\ntitle: X\n---\nBoats.\n", encoding="utf-8")
    (seeds / "t.csv").write_text('id,text,themes\nbroken,x,none\ny,"a" b,none\n', encoding="utf-8")
    before = files(seeds)
    found, _, said = run("seeds", "correct", *arguments, "--seeds", seeds)
    assert (found, message in said, "Traceback" in said) == (code, True, False), said
    assert files(seeds) == before


def test_what_was_kept_stands_beside_the_seeds(run: Run, seeds: Path) -> None:
    """Kept themes go into a file that is no seed; comments and other lines stay; what is wrong in it is named."""
    before = read_corpus(seeds)
    run("seeds", "correct", "fisheries-3", "--keep", "railways,fisheries", "--seeds", seeds)
    path = seeds / "checked.yaml"
    path.write_text(f"# mine\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    run("seeds", "correct", "none-1", "--keep", "railways", "--seeds", seeds)
    run("seeds", "correct", "fisheries-3", "--keep", "vaccines", "--seeds", seeds)
    assert load_checked(seeds) == {
        "fisheries-3": {"fisheries": True, "railways": False, "vaccines": False},
        "none-1": {"railways": False},
    }
    assert path.read_text(encoding="utf-8").startswith("# mine\n# ")
    assert read_corpus(seeds).texts == before.texts
    path.write_text('# mine\n- {"id": "x", "given": "trade"}\n', encoding="utf-8")
    code, _, said = run("seeds", "correct", "none-1", "--keep", "railways", "--seeds", seeds)
    assert (code, "checked.yaml, line 2 has 'trade' for a list of themes. Expected" in said) == (1, True), said


@pytest.mark.parametrize("damage", [b'- {"id": "x", "given": "trade"}\n', b"- {\n", b"\xff\n", b"trade\n"])
def test_a_damaged_list_of_what_was_kept_stops_the_correction(run: Run, seeds: Path, damage: bytes) -> None:
    """Where what was kept cannot be read, the seed is not corrected either: all files stay as they were."""
    (seeds / "checked.yaml").write_bytes(damage)
    before = files(seeds)
    code, _, said = run("seeds", "correct", "none-1", "--add", "fisheries", "--keep", "railways", "--seeds", seeds)
    assert (code, "checked.yaml" in said, "Traceback" in said) == (1, True, False), said
    assert files(seeds) == before
    (seeds / "checked.yaml").unlink()
    assert run("seeds", "correct", "none-1", "--add", "fisheries", "--keep", "railways", "--seeds", seeds)[0] == 0
    assert files(seeds) != before


@given(st.dictionaries(names, st.dictionaries(st.sampled_from("abc"), st.booleans(), min_size=1), max_size=4))
def test_whatever_is_kept_is_read_again(kept: dict[str, dict[str, bool]]) -> None:
    """What is written of any ids is read again, whatever characters they have."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for identifier, judged in kept.items():
            given, not_given = ([theme for theme, has in judged.items() if has == side] for side in (True, False))
            content = checked_file(folder, identifier, given, not_given)
            (folder / "checked.yaml").write_text(content, encoding="utf-8", newline="")
        assert load_checked(folder) == kept


def test_nothing_is_lost_when_several_write(seeds: Path) -> None:
    """Corrections at the same time all come through, of one seed and of several in a file, kept ones too."""
    themes = ["fisheries", "railways", "vaccines", "lighthouses"]
    tasks = [(f"none-{number}", theme) for number in range(2) for theme in themes]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        list(pool.map(add_and_keep, [(seeds, *task) for task in tasks]))
    found = {seed.document.id: set(seed.themes) for seed in read_corpus(seeds).seeds}
    checked = load_checked(seeds)
    for number in range(2):
        assert found[f"none-{number}"] == set(checked[f"none-{number}"]) == set(themes)


def add_and_keep(task: tuple[Path, str, str]) -> None:
    """Add a theme to a seed and keep it, in a process of its own."""
    seeds, identifier, theme = task
    correct(seeds, identifier, add=[theme])
    correct(seeds, identifier, keep=[theme])


def test_links_and_permissions_stay(seeds: Path, tmp_path: Path) -> None:
    """A seed file that is a link elsewhere stays one, and who may read a file stays as it was."""
    real = tmp_path / "real.jsonl"
    (seeds / "tiny.jsonl").rename(real)
    real.chmod(0o640)
    (seeds / "tiny.jsonl").symlink_to(real)
    correct(seeds, "none-1", add=["railways"])
    assert (seeds / "tiny.jsonl").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert '"none-1"' in real.read_text(encoding="utf-8")
    assert {seed.document.id: seed.themes for seed in read_corpus(seeds).seeds}["none-1"] == ("railways",)
