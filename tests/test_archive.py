"""Archives: one record per document, in order, and a stopped run that goes on to the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.archive import CSV_COLUMNS, started_version, tag_archive
from tagger.documents import Document, Unreadable
from tagger.errors import InputError, OptionError, OutputError
from tagger.readers import documents
from tagger.registry import Registry
from tagger.tagging import Tagger

Run = Callable[..., tuple[int, str, str]]

HERRING = "Ministers agreed a lower catch quota for herring, and every trawler must report its landings."
TRAINS = "The new timetable brings an hourly train. Signalling on the line is replaced by June."
TWO_RELEASES = """\
Measles Campaign Reaches the Islands

3 December 2019

Office of the Spokesperson

The first dose is given at a clinic on each island.

The Night Train Returns

4 December 2019

Office of the Spokesperson

The new timetable brings back the night train.
"""
ROWS: list[dict[str, object]] = [
    {"id": "fish", "title": "Herring", "text": HERRING, "office": "Sea", "year": 2019},
    {"id": "rail", "text": TRAINS},
    {"id": "bad", "text": ""},
    {"id": "fish", "text": "An id may come twice: fisheries, vaccines, measles and herring."},
    {"text": "No id, and nothing to say."},
]
FORMATS = (".jsonl", ".csv")


@pytest.fixture(scope="session")
def tagger(tiny_models: Path) -> Tagger:
    """The tagger of the tiny world."""
    return Tagger.load(Registry(tiny_models).live())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a page of two releases, a page of none, records of which one is bad, and a file that is no text."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_rows(folder / "rows.jsonl", ROWS)
    (folder / "page.txt").write_text(TWO_RELEASES, encoding="utf-8")
    (folder / "raw.txt").write_bytes(b"\xff\xfe\x00")
    return folder


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def go(tagger: Tagger, source: Path, out: Path, **options: Any) -> list[Any]:
    """Tag what is in a file or folder and return the records."""
    tag_archive(documents([source]), [str(source)], out, tagger, **options)
    return records(out)


def records(out: Path) -> list[Any]:
    """Return the records of an output, as far as it is written."""
    csv.field_size_limit(sys.maxsize)
    with out.open(encoding="utf-8", newline="\n") as stream:
        return list(csv.DictReader(stream)) if out.suffix == ".csv" else [json.loads(line) for line in stream]


def stopped(tagger: Tagger, items: list[Document | Unreadable], source: str, out: Path, after: int = 1) -> Path:
    """Tag until so many documents are done, then stop as an interrupt does; return the unfinished output."""

    def until() -> Iterator[Document | Unreadable]:
        yield from items[:after]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tag_archive(until(), [source], out, tagger)
    return part_of(out)


def part_of(out: Path) -> Path:
    """Return where the records stand while a run lasts."""
    return out.with_name(f"{out.name}.part")


def written(out: Path) -> int:
    """Return how many bytes an unfinished output has."""
    return part_of(out).stat().st_size if part_of(out).exists() else 0


def left_over(out: Path) -> list[str]:
    """Return the names of what a run leaves beside its output."""
    return [path.name for path in out.parent.glob(f"{out.name}.*")]


# ---- Records


def test_there_is_a_record_for_each_document_in_order(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """Each input document has its position, and records or an error stand for it; a page has one for each release."""
    found = go(tagger, source, tmp_path / "out.jsonl")
    assert [(record["position"], record["id"]) for record in found] == [
        (0, "page.txt#1"), (0, "page.txt#2"), (1, "raw.txt"), (2, "fish"), (3, "rail"), (4, "bad"), (5, "fish"),
        (6, "rows.jsonl:5"),
    ]  # fmt: skip
    assert [record["id"] for record in found if "error" in record] == ["raw.txt", "bad"]
    assert {record["version"] for record in found} == {tagger.version}
    assert all(record["content_hash"] for record in found if "error" not in record)


def test_a_record_is_what_the_tagger_says(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """An archive gives a document the same tags as it gets alone, and its metadata."""
    fish = go(tagger, source / "rows.jsonl", tmp_path / "out.jsonl")[0]
    alone = tagger.tag(Document("fish", HERRING, "Herring", {"office": "Sea", "year": 2019}))
    assert {name: fish[name] for name in alone.as_record()} == alone.as_record()
    assert fish["metadata"] == {"office": "Sea", "year": 2019}
    assert "fisheries" in [tag["theme"] for tag in fish["tags"] if tag["decision"] in ("auto", "review")]


def test_a_record_does_not_depend_on_its_neighbours(tagger: Tagger, tmp_path: Path) -> None:
    """Documents in reverse order get the same tags."""
    there = go(tagger, write_rows(tmp_path / "a.jsonl", ROWS[:2]), tmp_path / "1.jsonl")
    back = go(tagger, write_rows(tmp_path / "b.jsonl", ROWS[1::-1]), tmp_path / "2.jsonl")
    assert [record["tags"] for record in there] == [record["tags"] for record in back[::-1]]


@pytest.mark.parametrize(("split", "ids"), [(None, ["#1", "#2"]), (True, ["#1", "#2"]), (False, [""])])
def test_pages_are_cut_unless_told_otherwise(
    tagger: Tagger, source: Path, tmp_path: Path, split: bool | None, ids: list[str]
) -> None:
    """A page gives a record for each of its releases, or one with split=False."""
    found = go(tagger, source / "page.txt", tmp_path / "out.jsonl", split=split)
    assert [record["id"] for record in found] == [f"page.txt{number}" for number in ids]


@pytest.mark.parametrize(("split", "count"), [(None, 1), (False, 1), (True, 2)])
def test_records_are_cut_only_when_told(tagger: Tagger, tmp_path: Path, split: bool | None, count: int) -> None:
    """A record of JSON lines is one document, unless split=True."""
    rows = write_rows(tmp_path / "rows.jsonl", [{"id": "a", "text": TWO_RELEASES, "office": "Sea"}])
    found = go(tagger, rows, tmp_path / "out.jsonl", split=split)
    assert len(found) == count
    assert all(record["metadata"] == {"office": "Sea"} for record in found)


def test_furniture_is_an_error_record(tagger: Tagger, tmp_path: Path) -> None:
    """A page without a release gives a record that says so, not nothing."""
    page = tmp_path / "page.txt"
    page.write_text("Skip to main content\n", encoding="utf-8")
    (found,) = go(tagger, page, tmp_path / "out.jsonl")
    assert "no release" in found["error"]


def test_csv_has_the_same_in_columns(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """A table has the columns it promises, one line per record, tags joined by `;`, metadata as JSON and by name."""
    rows = go(tagger, source, tmp_path / "out.csv")
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len((tmp_path / "out.csv").read_bytes().splitlines()) == len(rows) + 1
    fish = next(row for row in rows if row["id"] == "fish")
    assert "fisheries" in fish["themes"].split(";") + fish["review"].split(";")
    assert json.loads(fish["metadata"]) == {"office": "Sea", "year": 2019}
    assert fish["office"] == "Sea"
    assert [row["id"] for row in rows if row["error"]] == ["raw.txt", "bad"]
    same = go(tagger, source, tmp_path / "out.jsonl")
    assert [row["caution"] for row in rows] == [record.get("caution", "") for record in same]
    assert "too_short" in {row["caution"] for row in rows}


FORMULA = tuple("=+-@＝")


@given(text=st.text(st.sampled_from('=+-@\t\r\n\0 a\x85\u2028＝";,'), min_size=1))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_is_a_formula(text: str, tagger: Tagger, tmp_path: Path) -> None:
    """Whatever a title or an id holds, no cell begins as a formula does, and a record stays on one line."""
    out = tmp_path / "out.csv"
    item = Document(text, "Herring.", title=text, metadata={text: text})
    tag_archive([item, item], ["-"], out, tagger, overwrite=True)
    rows = list(csv.reader(io.StringIO(out.read_text(encoding="utf-8"), newline="")))
    assert [len(row) for row in rows] == [len(CSV_COLUMNS)] * 3
    assert not [
        cell for row in rows for cell in row if cell.lstrip().startswith(FORMULA) or cell.startswith(("\t", "\r"))
    ]
    assert out.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("suffix", FORMATS)
def test_extreme_fields_come_through(tagger: Tagger, tmp_path: Path, suffix: str) -> None:
    """Ids and titles of a megabyte, control characters and numbers of any size stop nothing."""
    rows: list[dict[str, object]] = [
        {"id": "i" * 1_000_000, "title": "t " * 500_000, "text": "Herring."},
        {"id": "a\x00\x1b[31m\n\u2028b", "title": "\x07\r\n", "text": "Herring.\x00", "n": 10**30, "deep": [[[{}]]]},
    ]
    found = go(tagger, write_rows(tmp_path / "in.jsonl", rows), tmp_path / f"out{suffix}")
    assert len(found) == 2
    assert found[0]["id"] == "i" * 1_000_000


@pytest.mark.parametrize("suffix", FORMATS)
def test_compressed_input_is_the_same(tagger: Tagger, tmp_path: Path, suffix: str) -> None:
    """A compressed file gives the records of what is in it; a damaged one the records up to the damage."""
    plain = write_rows(tmp_path / "rows.jsonl", ROWS[:3])
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert go(tagger, packed, tmp_path / f"1{suffix}")[:2] == go(tagger, plain, tmp_path / f"2{suffix}")[:2]
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-9])
    assert go(tagger, packed, tmp_path / f"3{suffix}")[-1]["error"]


# ---- Going on


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_cut_at_any_byte_goes_on_to_the_same_bytes(
    tagger: Tagger, source: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the unfinished output ends, in half a line or half a page, the finished one is that of one go."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a thousand runs would spend their time on it
    items = list(documents([source]))
    out = tmp_path / f"out{suffix}"
    go(tagger, source, out)
    expected = out.read_bytes()
    out.unlink()
    state = stopped(tagger, items, str(source), out).with_name(f"{out.name}.part.json").read_bytes()
    for cut in range(len(expected) + 1):
        part_of(out).write_bytes(expected[:cut])
        part_of(out).with_name(f"{out.name}.part.json").write_bytes(state)
        done = tag_archive(items, [str(source)], out, tagger)
        assert (out.read_bytes(), done.documents, done.failed) == (expected, 7, 2), f"cut at byte {cut}"
        out.unlink()
    assert not left_over(out)


WORDS = st.sampled_from(["herring", "train", "dose", "soup", "\n\n", '"', ",", "=1", "é"])
ITEMS = st.one_of(
    st.builds(Document, st.sampled_from("ab"), st.lists(WORDS, min_size=1).map(" ".join), raw_page=st.booleans()),
    st.builds(Unreadable, st.sampled_from("ab"), st.just("a, 1: no text.")),
)


@given(items=st.lists(ITEMS, min_size=1, max_size=6), data=st.data(), suffix=st.sampled_from(FORMATS))
@settings(max_examples=60, deadline=None)
def test_going_on_equals_one_go(
    tagger: Tagger, items: list[Document | Unreadable], data: st.DataObject, suffix: str
) -> None:
    """Any documents, stopped after any of them and cut at any byte, give the output of one go."""
    with tempfile.TemporaryDirectory() as folder:
        whole, out = Path(folder, f"whole{suffix}"), Path(folder, f"out{suffix}")
        expected = tag_archive(items, ["-"], whole, tagger)
        part = stopped(tagger, items, "-", out, data.draw(st.integers(1, len(items)), label="stopped after"))
        os.truncate(part, data.draw(st.integers(0, part.stat().st_size), label="cut"))
        assert tag_archive(items, ["-"], out, tagger) == expected
        assert out.read_bytes() == whole.read_bytes()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "zeros at the end": lambda content: content[:-40] + b"\0" * 40,
    "zeros in the middle": lambda content: content[:60] + b"\0" * 60 + content[120:],
    "a line lost": lambda content: b"".join(
        content.splitlines(keepends=True)[:2] + content.splitlines(keepends=True)[3:]
    ),
    "another file": lambda _: b"a,b\n1,2\n",
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_kept_only_where_it_is_whole(
    tagger: Tagger, source: Path, tmp_path: Path, suffix: str, damage: str
) -> None:
    """What a power failure makes of the unfinished output does not get into the finished one."""
    rows, out = source / "rows.jsonl", tmp_path / f"out{suffix}"
    go(tagger, rows, tmp_path / f"whole{suffix}")
    part = stopped(tagger, list(documents([rows])), str(rows), out, 5)
    part.write_bytes(DAMAGES[damage](part.read_bytes()))
    go(tagger, rows, out)
    assert out.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_going_on_tags_only_what_is_left(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """Progress begins where the stopped run ended, less its last document, which may have been unfinished."""
    rows, out = source / "rows.jsonl", tmp_path / "out.jsonl"
    stopped(tagger, list(documents([rows])), str(rows), out, 4)
    seen: list[tuple[int, int]] = []
    go(tagger, rows, out, progress=lambda done, failed: seen.append((done, failed)))
    assert seen[0] == (3, 1)


def test_a_run_keeps_its_version(run: Run, models: Path, seeds: Path, source: Path, tmp_path: Path) -> None:
    """When another version is promoted meanwhile, the stopped run goes on with the one it began with."""
    tagger = Tagger.load(Registry(models).live())
    rows, out = source / "rows.jsonl", tmp_path / "out.jsonl"
    stopped(tagger, list(documents([rows])), str(rows), out, 3)
    assert run("train", "--seeds", seeds, "--models", models)[0] == 0
    assert Registry(models).live_name() == "v0002"
    assert started_version(out) == "v0001"
    code, _, said = run("archive", rows, "--out", out, "--models", models)
    assert (code, "2 documents were done before; going on." in said) == (1, True)
    assert f"{out}: 4 documents tagged with v0001 in" in said
    assert {record["version"] for record in records(out)} == {"v0001"}
    assert run("archive", rows, "--out", out, "--models", models, "--overwrite")[0] == 1
    assert {record["version"] for record in records(out)} == {"v0002"}


def test_another_version_is_not_mixed_in(run: Run, models: Path, tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """A stopped run is not continued with a version asked for by another name, nor with one of the same name."""
    rows, out = source / "rows.jsonl", tmp_path / "out.jsonl"
    part = stopped(tagger, list(documents([rows])), str(rows), out)
    before = part.read_bytes()
    shutil.copytree(models / "v0001", models / "v0002")
    code, _, said = run("archive", rows, "--out", out, "--models", models, "--model", "v0002")
    assert code == 1
    assert "another run" in said
    other = Tagger.load(Registry(models).get("v0001"))
    other.themes = tuple({**theme, "threshold": 0.9} for theme in tagger.themes)
    with pytest.raises(OutputError, match="another run"):
        tag_archive(documents([rows]), [str(rows)], out, other)
    assert part.read_bytes() == before


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file's text": lambda folder: (folder / "page.txt").write_text("Other words.", encoding="utf-8"),
    "a file's time": lambda folder: os.utime(folder / "page.txt", ns=(0, 0)),
    "a new file": lambda folder: (folder / "a.txt").write_text("New.", encoding="utf-8"),
    "a lost file": lambda folder: (folder / "page.txt").unlink(),
    "another name": lambda folder: (folder / "page.txt").rename(folder / "side.txt"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_input_is_refused(tagger: Tagger, source: Path, tmp_path: Path, change: str) -> None:
    """A run does not go on from an input that is no longer what it was; --overwrite starts it anew."""
    out = tmp_path / "out.jsonl"
    stopped(tagger, list(documents([source])), str(source), out)
    CHANGES[change](source)
    with pytest.raises(OutputError, match=r"belongs to another run.*--overwrite"):
        go(tagger, source, out)
    assert go(tagger, source, out, overwrite=True)
    assert not left_over(out)


def test_another_stream_is_refused(tagger: Tagger, tmp_path: Path) -> None:
    """Standard input has no name to know it by: its documents tell that it is another stream, or a shorter one."""
    items: list[Document | Unreadable] = [Document(f"{number}", f"Herring {number}.") for number in range(6)]
    out = tmp_path / "out.jsonl"
    part = stopped(tagger, items, "-", out, 5)
    before = part.read_bytes()
    for other in (items[1:], items[:2]):
        with pytest.raises(OutputError, match="its document 4 is not that of the input"):
            tag_archive(other, ["-"], out, tagger)
        assert part.read_bytes() == before
    assert tag_archive(items, ["-"], out, tagger).documents == 6


def test_overwrite_goes_on_too(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """The same command with --overwrite goes on where it stopped, and keeps the old output until the end."""
    rows, out = source / "rows.jsonl", tmp_path / "out.jsonl"
    out.write_text("old", encoding="utf-8")
    seen: list[int] = []
    out.rename(tmp_path / "aside")
    stopped(tagger, list(documents([rows])), str(rows), out, 4)
    (tmp_path / "aside").rename(out)
    go(tagger, rows, out, overwrite=True, progress=lambda done, _: seen.append(done))
    assert seen[0] == 3


# ---- What is refused


def test_an_output_is_not_replaced_by_chance(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """An output that exists stays as it is, unless overwriting is asked for."""
    out = tmp_path / "out.jsonl"
    out.write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        go(tagger, source, out)
    assert out.read_text(encoding="utf-8") == "precious"
    assert not left_over(out)
    assert len(go(tagger, source, out, overwrite=True)) == 8


def test_a_file_that_is_no_part_of_a_run_is_not_touched(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """A file that happens to have the name of the unfinished output is refused, not emptied."""
    out = tmp_path / "out.jsonl"
    part_of(out).write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match="belongs to another run"):
        go(tagger, source, out)
    assert part_of(out).read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("out.txt", OptionError, "ends in .jsonl or .csv"),
        ("out", OptionError, "ends in .jsonl or .csv"),
        ("missing/out.csv", OutputError, "there is no folder .*missing.* Make it"),
        ("folder.csv", OutputError, "it is a folder"),
        ("in/out.jsonl", OptionError, "lies in, the input"),
        ("in/rows.jsonl", OptionError, "lies in, the input"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_impossible_output_is_refused_at_once(
    tagger: Tagger, source: Path, tmp_path: Path, name: str, error: type[Exception], message: str, overwrite: bool
) -> None:
    """No document is read before it is clear that the output can be written and destroys no input."""
    (tmp_path / "folder.csv").mkdir()
    before = (source / "rows.jsonl").read_bytes()
    with pytest.raises(error, match=message):
        tag_archive(iter(lambda: pytest.fail("read"), 0), [str(source)], tmp_path / name, tagger, overwrite=overwrite)
    assert (source / "rows.jsonl").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "in"]


def test_an_empty_archive_leaves_nothing_behind(tagger: Tagger, tmp_path: Path) -> None:
    """Without a document there is an error and no output, finished or not."""
    (tmp_path / "none.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"none\.jsonl holds no document"):
        go(tagger, tmp_path / "none.jsonl", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["none.jsonl"]


def test_a_second_writer_is_refused(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """While a run lasts, another to the same output is refused and disturbs nothing."""
    out = tmp_path / "out.jsonl"

    def meanwhile() -> Iterator[Document | Unreadable]:
        for position, item in enumerate(documents([source])):
            if position == 3:
                with pytest.raises(OutputError, match="Another run is writing"):
                    go(tagger, source, out)
            yield item

    tag_archive(meanwhile(), [str(source)], out, tagger)
    assert len(records(out)) == 8


# ---- What the system does to a run


def start(*arguments: object, limit: int = 0, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command line as a process of its own, which may write files of at most `limit` bytes."""

    def restrict() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "tagger", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=restrict if limit else None, **options)


@pytest.mark.parametrize(
    ("suffix", "how", "code", "shares"),
    [
        (".jsonl", signal.SIGKILL, -signal.SIGKILL, (0.0, 0.4)),
        (".csv", signal.SIGKILL, -signal.SIGKILL, (0.1, 0.3)),
        (".jsonl", signal.SIGINT, 130, (0.2,)),
    ],
)
def test_a_killed_process_goes_on(
    tagger: Tagger, tiny_models: Path, tmp_path: Path, suffix: str, how: int, code: int, shares: tuple[float, ...]
) -> None:
    """A process killed or interrupted at several points is continued to the bytes of one that was left alone."""
    rows = write_rows(tmp_path / "rows.jsonl", [{**row, "n": number} for number in range(500) for row in ROWS])
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    expected = tag_archive(documents([rows]), [str(rows)], whole, tagger)
    for share in shares:
        process = start("archive", rows, "--out", out, "--models", tiny_models)
        while process.poll() is None and not written(out) > share * whole.stat().st_size:
            time.sleep(0.001)
        process.send_signal(how)
        _, said = process.communicate()
        assert (process.returncode, b"Traceback" in said) == (code, False), said
    assert tag_archive(documents([rows]), [str(rows)], out, tagger) == expected
    assert out.read_bytes() == whole.read_bytes()
    assert not left_over(out)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_is_told_and_costs_nothing(tagger: Tagger, tiny_models: Path, tmp_path: Path, suffix: str) -> None:
    """When a write fails midway, the error names the output, and the run can go on once there is room."""
    rows = write_rows(tmp_path / "rows.jsonl", ROWS * 100)
    out = tmp_path / f"out{suffix}"
    process = start("archive", rows, "--out", out, "--models", tiny_models, limit=20_000)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.startswith(f"tagger: Cannot write {out}: File too large.".encode())
    assert not out.exists()
    assert part_of(out).stat().st_size == 20_000
    seen: list[int] = []
    found = go(tagger, rows, out, progress=lambda done, _: seen.append(done))
    assert seen[0] > 20
    assert found == go(tagger, rows, tmp_path / f"whole{suffix}")


@pytest.mark.parametrize(
    ("content", "ids"),
    [(b'{"id": 1, "text": "Herring."}\n{"text": "Train."}\n', ["1", "stdin:2"]), (b"Herring landed.\n", ["stdin"])],
)
def test_standard_input_is_an_archive(tiny_models: Path, tmp_path: Path, content: bytes, ids: list[str]) -> None:
    """The input `-` is JSON lines or one page of text."""
    out = tmp_path / "out.jsonl"
    process = start("archive", "-", "--out", out, "--models", tiny_models, stdin=subprocess.PIPE)
    _, said = process.communicate(content)
    assert process.returncode == 0, said
    assert [record["id"] for record in records(out)] == ids
