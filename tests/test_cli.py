"""The command line: what each command prints, in a pipe and on a terminal, and how it fails."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tagger.cleaning import token_spans
from tagger.engine import engine_name
from tagger.registry import Registry
from tests.conftest import SENTENCES

Run = Callable[..., tuple[int, str, str]]

FISH = "Ministers agreed a lower catch quota for herring, and every trawler must report its landings."
SHOT = "Measles immunisation opens to every child, and nurses trained in April will vaccinate the islands."
TWO_RELEASES = """\
Measles Campaign Reaches the Islands

3 December 2019

Office of the Spokesperson

The first dose of vaccine is given at a clinic on each island.

The Night Train Returns

4 December 2019

Office of the Spokesperson

The new timetable brings back the night train.
"""

COMMANDS = [
    (), ("train",), ("tag",), ("split",), ("archive",), ("evaluate",), ("serve",), ("seeds",), ("seeds", "add"),
    ("seeds", "confirm"), ("seeds", "check"), ("seeds", "doubt"), ("seeds", "correct"), ("themes",),
    ("themes", "doctor"), ("themes", "propose"), ("models",), ("models", "list"), ("models", "show"),
    ("models", "promote"), ("models", "rollback"), ("models", "check"), ("models", "history"),
    ("models", "diff"), ("models", "drift"), ("models", "sign"), ("models", "audit"),
    ("jobs",), ("jobs", "list"), ("jobs", "show"), ("jobs", "cancel"), ("jobs", "run"),
    ("keys",), ("keys", "create"), ("keys", "list"), ("keys", "revoke"), ("doctor",),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _folders(tiny_models: Path, tiny_seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find the tiny world by the environment, and run in a folder of their own."""
    monkeypatch.setenv("TAGGER_MODELS", str(tiny_models))
    monkeypatch.setenv("TAGGER_SEEDS", str(tiny_seeds))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of two releases."""
    path = tmp_path / "page.txt"
    path.write_text(TWO_RELEASES, encoding="utf-8")
    return path


def lines(out: str) -> list[Any]:
    """Return the objects of JSON lines."""
    return [json.loads(line) for line in out.splitlines()]


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a process of its own."""
    command = [sys.executable, "-m", "tagger", *map(str, arguments)]
    return subprocess.run(command, check=False, **{"capture_output": True, **options})


def give(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put content on the standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


# ---- Help and usage


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, command: tuple[str, ...]) -> None:
    """Help says what a command does and shows one way to use it."""
    code, out, said = run(*command, "--help")
    assert (code, said) == (0, "")
    assert out.startswith(f"Usage: {' '.join(('tagger', *command))}")
    assert re.search(rf"Example: {' '.join(('tagger', *command))}\b", out)


def test_the_list_of_commands_is_whole(run: Run) -> None:
    """Each command that help names is in the list these tests go through."""
    for group in ((), ("seeds",), ("themes",), ("models",)):
        named = re.findall(r"^(?:│|  )? ?(\w+)  ", run(*group, "--help")[1], re.MULTILINE)
        assert {command[-1] for command in COMMANDS if command[:-1] == group and command} == set(named)


WRONG_USAGE = [
    ["bogus"],
    ["tag"],
    ["tag", "--explian", "text"],
    ["tag", "--include", "most", "text"],
    ["split"],
    ["archive", "--out", "x.jsonl"],
    ["archive", "x.jsonl"],
    ["archive", "x.jsonl", "--out", "x.txt"],
    ["train", "--merge", "last"],
    ["train", "--effort", "most"],
    ["seeds", "check", "--merge", "last"],
    ["seeds", "add", "page.txt"],
    ["seeds", "add", "page.txt", "--release", "one", "--themes", "a"],
    ["seeds", "confirm"],
    ["models", "promote"],
    ["models", "show", "v0001", "v0002"],
]


@pytest.mark.parametrize("arguments", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_has_a_code_of_its_own(run: Run, arguments: list[str]) -> None:
    """Wrong usage ends with 2 and a message, and prints no data."""
    Path("x.jsonl").write_text('{"text": "Herring."}', encoding="utf-8")
    code, out, said = run(*arguments)
    assert (code, out, bool(said)) == (2, "", True)
    assert [path.name for path in Path().iterdir()] == ["x.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--help"], ["numpy", "sklearn", "fastapi", "pydantic"]),
        (["tag", "Herring."], ["sklearn", "scipy", "joblib", "fastapi", "pydantic"]),
    ],
)
def test_commands_load_only_what_they_need(arguments: list[str], forbidden: list[str]) -> None:
    """Help starts without the numeric and web libraries, tagging without the training and web ones."""
    code = (
        "import sys; from tagger.cli import main; assert not main(sys.argv[1:]); "
        f"print([name for name in {forbidden} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    assert done.stderr == b"[]\n"


# ---- tag


def test_a_text_is_tagged(run: Run) -> None:
    """In a pipe there is one JSON object: id, tags with probability, threshold, decision and reason, version."""
    code, out, said = run("tag", FISH)
    (record,) = lines(out)
    assert (code, said, record["id"], record["version"]) == (0, "", "text", "v0001")
    assert record["caution"] in ("too_short", "out_of_domain")
    assert sorted(record) == ["caution", "id", "tags", "version"]
    (tag,) = record["tags"]
    assert sorted(tag) == ["auto_threshold", "decision", "label", "probability", "reason", "theme", "threshold"]
    assert (tag["theme"], tag["label"]) == ("fisheries", "Fisheries")
    assert (tag["decision"], tag["reason"]) == ("review", record["caution"])
    assert 0 < tag["threshold"] < 1


def test_texts_files_and_a_pipe_give_the_same(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text has the same tags as an argument, in a file, and through a pipe; several arguments keep their order."""
    (tmp_path / "fish.md").write_text(FISH, encoding="utf-8")
    give(FISH.encode(), monkeypatch)
    code, out, _ = run("tag", FISH, "fish.md", "-")
    records = lines(out)
    assert (code, [record["id"] for record in records]) == (0, ["text-1", "fish.md", "stdin"])
    assert records[0]["tags"] == records[1]["tags"] == records[2]["tags"] != []


def test_records_keep_their_metadata(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields of a record beside id, title and text come back as metadata."""
    give(json.dumps({"id": 7, "title": "Quota", "text": FISH, "office": "Sea", "n": [1]}).encode(), monkeypatch)
    (record,) = lines(run("tag", "-")[1])
    assert (record["id"], record["title"], record["metadata"]) == ("7", "Quota", {"office": "Sea", "n": [1]})


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("page.txt", [], 2), ("page.txt", ["--split"], 2), ("page.txt", ["--no-split"], 1), (".", [], 3),
        ("rows.jsonl", [], 1), ("rows.jsonl", ["--no-split"], 1), ("rows.jsonl", ["--split"], 2),
    ],
)  # fmt: skip
def test_pages_are_split_and_records_are_not(run: Run, page: Path, name: str, options: list[str], count: int) -> None:
    """A page gives tags for each of its releases and a record for itself, unless told otherwise."""
    (page.parent / "rows.jsonl").write_text(json.dumps({"text": TWO_RELEASES, "n": 1}), encoding="utf-8")
    records = lines(run("tag", name, *options)[1])
    assert len(records) == count
    if name == "page.txt" and count == 2:
        assert [(record["id"], record["title"], record["date"]) for record in records] == [
            ("page.txt#1", "Measles Campaign Reaches the Islands", "2019-12-03"),
            ("page.txt#2", "The Night Train Returns", "2019-12-04"),
        ]
    assert all(record["metadata"] == {"n": 1} for record in records if record["id"].startswith("rows"))


def test_all_themes_are_scored_when_asked(run: Run) -> None:
    """`--include all` gives every theme with its probability, the most probable first."""
    scores = lines(run("tag", FISH, "--include", "all")[1])[0]["scores"]
    assert {score["theme"] for score in scores} == {"fisheries", "railways", "vaccines", "lighthouses"}
    assert [score["probability"] for score in scores] == sorted((s["probability"] for s in scores), reverse=True)


def places(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each term of a record's evidence with each of its places, having checked that the shares add up."""
    for tag in record["tags"]:
        evidence = tag["evidence"]
        shares = sum(term["share"] for term in evidence["terms"])
        assert evidence["bias"] + shares == pytest.approx(evidence["score"], abs=1e-6)
        assert evidence["bias"] + evidence["card"] + evidence["learned"] == pytest.approx(evidence["score"], abs=1e-6)
        for term in evidence["terms"]:
            yield from ((term["term"], span) for span in term["spans"])


def words(text: str) -> str:
    """Return a text as terms are written: its tokens in lower case with a space between."""
    return " ".join(text[start:end].lower() for start, end in token_spans(text))


def test_evidence_adds_up_and_points_at_the_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bias and shares make the score; each place holds its term, in the title or the text as they were given."""
    document = {"title": "  Herring — Boats", "text": f"\n\n  {FISH}\n\n\tThe trawler  fleet, “herring”. "}
    give(json.dumps(document).encode(), monkeypatch)
    (record,) = lines(run("tag", "-", "--explain")[1])
    found = list(places(record))
    assert {span["in"] for _, span in found} == {"title", "text"}
    assert [term for term, span in found if words(document[span["in"]][span["start"] : span["end"]]) != term] == []
    assert len(record["near_misses"]) == 3


def test_evidence_of_a_release_points_at_its_page(run: Run, page: Path) -> None:
    """Places in a release are offsets into the page it was cut from."""
    records = lines(run("tag", page, "--explain")[1])
    found = [(record["id"], term, span) for record in records for term, span in places(record)]
    assert {identifier for identifier, _, _ in found} == {"page.txt#1", "page.txt#2"}
    assert [term for _, term, span in found if words(TWO_RELEASES[span["start"] : span["end"]]) != term] == []


def test_what_is_asked_for_is_told_of_each_tag(run: Run) -> None:
    """Sentences, the seeds and the evidence come with each tag where asked for, and only there."""
    asked = {"--explain": "evidence", "--counterfactual": "counterfactual", "--taught-by": "taught_by"}
    for option, field in asked.items():
        (record,) = lines(run("tag", SHOT, option)[1])
        (tag,) = record["tags"]
        assert set(tag) & set(asked.values()) == {field}
        assert ("near_misses" in record) == (option == "--explain")
    (record,) = lines(run("tag", SHOT, *asked)[1])
    (tag,) = record["tags"]
    assert set(asked.values()) <= set(tag)
    assert tag["counterfactual"]["probability"] < tag["threshold"]
    assert [place["in"] for place in tag["counterfactual"]["without"]] == ["text"]
    assert tag["taught_by"][0]["id"].startswith(("vaccines-", "both-"))
    assert sorted(tag["taught_by"][0]) == ["has_theme", "id", "share", "title"]
    for miss in record["near_misses"]:
        assert (miss["decision"], sorted(miss["why_not"])) == ("none", ["against", "for", "gap", "score"])
        assert miss["why_not"]["gap"] > 0


def sentences(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield the theme of each tag with each place of a sentence, and whether the theme would be lost without it."""
    for tag in record["tags"]:
        evidence = tag["evidence"]
        shares = sum(sentence["share"] for sentence in evidence["sentences"])
        assert evidence["bias"] + shares == pytest.approx(evidence["score"], abs=1e-6)
        for sentence in evidence["sentences"]:
            yield from ((tag["theme"], place, False) for place in sentence["spans"])
        yield from ((tag["theme"], place, True) for place in tag["counterfactual"]["without"])


def test_sentences_of_a_release_stand_in_its_page(run: Run, page: Path) -> None:
    """Places of sentences, also of those that decide, are offsets into the page: title and body."""
    records = lines(run("tag", page, "--explain", "--counterfactual")[1])
    found = [(record["id"], *sentence) for record in records for sentence in sentences(record)]
    texts = {(name, TWO_RELEASES[place["start"] : place["end"]]) for name, _, place, _ in found}
    assert texts == {
        ("page.txt#1", "Measles Campaign Reaches the Islands"),
        ("page.txt#1", "The first dose of vaccine is given at a clinic on each island."),
        ("page.txt#2", "The Night Train Returns"),
        ("page.txt#2", "The new timetable brings back the night train."),
    }
    assert {place["in"] for _, _, place, _ in found} == {"text"}
    assert {name for name, _, _, decides in found if decides} <= {name for name, _ in texts}
    assert any(decides for *_, decides in found)


def test_sentences_of_a_titled_text_stand_in_both(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of sentences, also of those that decide, are offsets into the title or the text as they were given."""
    document = {"title": "\t The herring quota.  Boats ", "text": f"\n {FISH} \n\n The  canteen serves soup."}
    give(json.dumps(document).encode(), monkeypatch)
    (record,) = lines(run("tag", "-", "--explain", "--counterfactual")[1])
    found = list(sentences(record))
    assert {(place["in"], document[place["in"]][place["start"] : place["end"]]) for _, place, _ in found} == {
        ("title", "The herring quota."), ("title", "Boats"), ("text", FISH), ("text", "The  canteen serves soup."),
    }  # fmt: skip
    decides = {document[place["in"]][place["start"] : place["end"]] for _, place, decides in found if decides}
    assert FISH in decides
    assert "The  canteen serves soup." not in decides


@pytest.mark.parametrize("as_json", [True, False])
def test_a_text_too_long_to_search_stops_no_other(run: Run, as_json: bool) -> None:
    """Where sentences that decide would take too long to find, the document says so and the others are tagged."""
    Path("long.txt").write_text(f"{SHOT}\n" * 300, encoding="utf-8")
    code, out, said = run("tag", SHOT, "long.txt", SHOT, "--counterfactual", "--json" if as_json else "--no-json")
    message = "long.txt: The text has "
    assert code == 1
    assert "Give a shorter text" in (out if as_json else said)
    if as_json:
        first, long, last = lines(out)
        assert first["tags"] == last["tags"] != []
        assert (long["tags"], long["error"].startswith(message)) == ([], True)
    else:
        assert message in said
        assert out.count("not given without ") == 2


# ---- Bad input


BAD_TEXTS = {
    "": "empty",
    " \t\n": "empty",
    "caf\udce9": "not UTF-8",
    "missing.txt": "no file or folder 'missing.txt'",
    "missing.docx": "no file or folder 'missing.docx'",
    "some/where": "no file or folder 'some/where'",
    "https://example.org/page": "no file or folder",
    "bare": "'bare' holds no document",
}


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_a_bad_argument_is_told_and_the_rest_is_tagged(run: Run, tmp_path: Path, text: str) -> None:
    """What cannot be tagged gives a record that says why, and does not stop the others."""
    (tmp_path / "bare").mkdir()
    code, out, said = run("tag", FISH, text, FISH)
    records = lines(out)
    assert (code, said, len(records)) == (1, "", 3)
    assert BAD_TEXTS[text] in records[1]["error"]
    assert records[0]["tags"] == records[2]["tags"] != []


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "an empty page": ("page.txt", b"", "page.txt holds no text"),
    "a blank page": ("page.txt", b" \n\n ", "page.txt holds no text"),
    "a binary file": ("page.txt", bytes(range(256)), "page.txt has a NUL byte at byte 0"),
    "a file of an unknown kind": ("page.docx", b"PK\x03\x04\x00", "page.docx has a NUL byte"),
    "no UTF-8": ("page.md", b"caf\xe9", "page.md is not UTF-8 at byte 3"),
    "furniture": ("page.txt", b"Skip to main content\n", "page.txt holds site furniture only"),
    "half a pair": (
        "a.jsonl",
        b'{"text": "\\ud800"}',
        "a.jsonl, line 1: the line is not valid JSON (half a surrogate pair",
    ),
    "no number": ("a.jsonl", b'{"text": "a", "n": NaN}', "a.jsonl, line 1: the line is not valid JSON"),
    "infinity": ("a.jsonl", b'{"text": "a", "n": -Infinity}', "a.jsonl, line 1: the line is not valid JSON"),
    "deep JSON": ("a.jsonl", b'{"text": "a", "n": ' + b"[" * 100_000, "a.jsonl, line 1: the line is nested too deep"),
    "a long line": (
        "a.jsonl",
        b'{"text": "' + b"a " * 5_000_000 + b'"}',
        "a.jsonl, line 1: the line has 10,000,012 bytes",
    ),
    "an empty text": ("a.jsonl", b'{"id": 1, "text": ""}', "a.jsonl, line 1: `text` is empty"),
    "no text": ("a.csv", b"id,title\n1,a\n", "a.csv: no column `text`"),
    "no gzip": ("a.jsonl.gz", b"{}", "cannot be read from here on"),
}
"""A file that cannot be read: its name, its content, and what must be said of it."""


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_file_is_told_by_name(run: Run, fault: str) -> None:
    """A file that cannot be read is named with the place and the reason, by `tag` and by `archive`."""
    name, content, message = BAD_FILES[fault]
    Path(name).write_bytes(content)
    code, out, said = run("tag", name)
    assert (code, said, [message in record["error"] for record in lines(out)]) == (1, "", [True]), out
    code, out, said = run("archive", name, "--out", "out.jsonl")
    assert (code, out, "1 could not be read" in said) == (1, "", True)
    assert message in json.loads(Path("out.jsonl").read_text(encoding="utf-8"))["error"]


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe", b"a\0b"])
def test_a_bad_stream_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """What comes through a pipe and is no text is told as such."""
    give(content, monkeypatch)
    code, out, _ = run("tag", "-")
    assert (code, lines(out)[0]["id"], "error" in lines(out)[0]) == (1, "stdin", True)


@pytest.mark.parametrize("name", ["missing.jsonl", "bare"])
@pytest.mark.parametrize("command", [["archive", "--out", "out.jsonl"], ["split"]])
def test_an_input_that_is_not_there_is_told(run: Run, name: str, command: list[str]) -> None:
    """Without the input nothing is begun: the message names it and no file is left."""
    Path("bare").mkdir()
    code, out, said = run(command[0], name, *command[1:])
    assert (code, out, said.startswith("tagger: ")) == (1, "", True)
    assert repr(name) in said
    assert [path.name for path in Path().iterdir()] == ["bare"]


# ---- split


def test_a_page_is_split(run: Run, page: Path) -> None:
    """Each release comes with its place in the page, its header and its clean text."""
    code, out, _ = run("split", page)
    first, second = lines(out)
    assert (code, first["source"], second["title"], second["date"]) == (
        0, "page.txt", "The Night Train Returns", "2019-12-04",
    )  # fmt: skip
    assert TWO_RELEASES[second["start"] : second["end"]].startswith("The Night Train Returns")
    assert second["text"] == "The new timetable brings back the night train."


def test_a_page_that_cannot_be_split_is_told(run: Run, page: Path) -> None:
    """A page that cannot be read gives an error in its place, and the others are split."""
    (page.parent / "bad.txt").write_bytes(b"\xff")
    code, out, _ = run("split", "bad.txt", page)
    assert (code, ["error" in record for record in lines(out)]) == (1, [True, False, False])


# ---- A terminal, and other ends of a pipe


def on_terminal(*arguments: object) -> tuple[int, str]:
    """Run the command line in a terminal of 100 columns: exit code and what a person sees."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    command = [sys.executable, "-m", "tagger", *map(str, arguments)]
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "dumb"})
    os.close(theirs)
    seen = b""
    try:
        while block := os.read(ours, 1 << 16):
            seen += block
    except OSError:  # the end of a terminal's output
        pass
    os.close(ours)
    return running.wait(), seen.decode()


def test_a_person_sees_a_table(tmp_path: Path) -> None:
    """On a terminal tags come as a table, with the evidence below, and nothing a document says moves the cursor."""
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "i", "title": "\x1b[2J[red]", "text": FISH}), encoding="utf-8")
    code, seen = on_terminal("tag", "a.jsonl", "", "--explain")
    assert code == 1
    assert "Too short to be sure: themes are for review." in seen
    assert re.search(r"^theme +probability +from +auto from +decision +reason\s*$", seen, re.MULTILINE)
    assert re.search(r"^fisheries +[01]\.\d{3} +0\.\d{3} +0\.\d{3} +review +too short\s*$", seen, re.MULTILINE)
    assert re.search(r"^herring +\+\d\.\d{3} ", seen, re.MULTILINE)
    assert re.search(r"^not railways: 0\.\d{3} of 0\.\d{3}, its score lacks \d\.\d{3}", seen, re.MULTILINE)
    assert "tagger: The text given is empty" in seen
    assert "�[2J[red]" in seen
    assert "\x1b[2J" not in seen
    assert "{" not in seen


def test_a_person_sees_what_decides_and_what_taught() -> None:
    """On a terminal the deciding sentences stand below the table of themes, and the seeds in a table of their own."""
    code, seen = on_terminal("tag", SHOT, "--counterfactual", "--taught-by")
    assert code == 0
    assert re.search(rf"^vaccines: not given without 0-{len(SHOT)}, where its probability is 0\.\d{{3}}", seen, re.M)
    assert re.search(r"^vaccines: the seeds its score goes back to", seen, re.MULTILINE)
    assert re.search(r"^(vaccines|both)-\d +(has|lacks) it +[+-]\d\.\d{3} ", seen, re.MULTILINE)


def test_the_table_says_what_cannot_be_told(run: Run, promised_models: Path) -> None:
    """A text of no known word has no theme that could be told, and a theme that keeps no promise is `never` auto."""
    assert "no theme could be told" in run("tag", "Quaxi morlo.", "--no-json")[1]
    rails = " ".join(SENTENCES["railways"][number] for number in (0, 3, 7))
    shown = run("tag", rails, "--no-json", "--models", promised_models)[1]
    assert re.search(r"^railways +[01]\.\d{3} +0\.\d{3} +never +review +near threshold\s*$", shown, re.MULTILINE)


def test_a_person_sees_progress_and_versions(page: Path) -> None:
    """On a terminal an archive says what it did, and the versions come as a table."""
    code, seen = on_terminal("archive", page, "--out", "out.csv")
    assert (code, "out.csv: 1 document tagged with v0001" in seen) == (0, True)
    code, seen = on_terminal("models", "list")
    assert (code, bool(re.search(r"^\* +v0001 +\d{4}-\d\d-\d\dT", seen, re.MULTILINE))) == (0, True)


@pytest.mark.parametrize("command", [["models", "show"], ["tag", FISH, "--explain", "--include", "all"]])
def test_a_reader_that_goes_away_is_no_failure(command: list[str]) -> None:
    """When the other end of the pipe closes, as `head` does, a command ends in silence."""
    reading, writing = os.pipe()
    os.close(reading)
    done = process(*command, stdout=writing, stderr=subprocess.PIPE, capture_output=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_told() -> None:
    """When standard output is full, a command says so and fails."""
    with Path("/dev/full").open("wb") as full:
        done = process("tag", FISH, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert (done.returncode, done.stderr) == (1, b"tagger: [Errno 28] No space left on device\n")


def test_closed_streams_are_no_traceback() -> None:
    """With its streams closed, a command finds nothing to read and has nobody to tell."""
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "tagger", "tag", FISH]
    assert subprocess.run(shell, check=False).returncode == 0
    assert subprocess.run([*shell[:-1], "-"], check=False).returncode == 1


def test_arguments_that_are_no_text_are_told() -> None:
    """Bytes that are no UTF-8 on the command line give a message, not a traceback."""
    done = process("tag", b"\xff\xfe herring".decode(errors="surrogateescape"))
    assert (done.returncode, done.stderr) == (1, b"")
    assert "not UTF-8" in json.loads(done.stdout)["error"]


# ---- train and models


def test_versions_are_trained_promoted_and_rolled_back(run: Run, models: Path, seeds: Path) -> None:
    """A new version goes live unless told otherwise; promoting and rolling back change which one is."""
    both = ("--models", models, "--seeds", seeds)
    registry = Registry(models)
    assert run("train", "--no-promote", *both)[2].endswith("not live; promote it: tagger models promote v0002.\n")
    assert registry.live_name() == "v0001"
    assert run("models", "promote", "v0002", *both[:2])[2] == "v0002 is live instead of v0001.\n"
    assert run("train", *both)[2].endswith("it is live.\n")
    assert [(row["version"], row["live"]) for row in lines(run("models", "list", *both[:2])[1])] == [
        ("v0001", False), ("v0002", False), ("v0003", True),
    ]  # fmt: skip
    assert run("models", "rollback", *both[:2])[2] == "v0002 is live again instead of v0003.\n"
    assert run("models", "rollback", *both[:2])[2] == "v0001 is live again instead of v0002.\n"
    code, _, said = run("models", "rollback", *both[:2])
    assert (code, "no earlier live version" in said) == (1, True)
    assert lines(run("tag", FISH, "--model", "v0003", *both[:2])[1])[0]["version"] == "v0003"
    assert lines(run("tag", FISH, *both[:2])[1])[0]["version"] == "v0001"


def test_training_takes_the_effort_it_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be tried reaches the training; without the option it is little."""
    told: list[object] = []

    def train(*_: object, effort: str, **__: object) -> None:
        told.append(effort)
        raise KeyboardInterrupt

    monkeypatch.setattr("tagger.training.train", train)
    assert [run("train", *options)[0] for options in ([], ["--effort", "full"], ["--effort", "quick"])] == [130] * 3
    assert told == ["quick", "full", "quick"]


def test_what_is_known_of_a_version_is_shown(run: Run) -> None:
    """The manifest and the training report of the live version, or of one that is named, come as JSON."""
    code, out, _ = run("models", "show")
    shown = json.loads(out)
    assert (code, shown["version"], shown["live"], shown["report"]["seeds"]) == (0, "v0001", True, 46)
    assert json.loads(run("models", "show", "v0001")[1]) == shown


def test_broken_seeds_make_no_version(run: Run, seeds: Path, tmp_path: Path) -> None:
    """Training on seeds with mistakes lists them all and saves nothing."""
    (seeds / "bad.jsonl").write_text('{"text": "a", "themes": ["x"]}\n{"text": "b"}\n', encoding="utf-8")
    code, out, said = run("train", "--seeds", seeds, "--models", tmp_path / "new")
    assert (code, out) == (1, "")
    assert "bad.jsonl, line 1" in said
    assert "bad.jsonl, line 2" in said
    assert Registry(tmp_path / "new").names() == []


USES_VERSION = [
    ["tag", "--model", "{}", FISH],
    ["archive", "page.txt", "--out", "out.jsonl", "--model", "{}"],
    ["models", "show", "{}"],
    ["models", "promote", "{}"],
]


@pytest.mark.parametrize("name", ["v0009", "../x", "v0001/../v0001", "./v0001", "", "v0001\n", "live", "/etc", "v٠٠٠١"])
@pytest.mark.parametrize("command", USES_VERSION, ids=lambda command: " ".join(command[:2]))
def test_an_unknown_version_is_told(run: Run, models: Path, page: Path, command: list[str], name: str) -> None:
    """A name that is none of a version, or leads out of the folder, is refused with those there are."""
    code, out, said = run(*(word.format(name) for word in command), "--models", models)
    assert (code, out, said) == (1, "", f"tagger: There is no version {name!r}; known are: v0001.\n")
    assert page.exists()


@pytest.mark.parametrize("command", [["tag", FISH], ["archive", "page.txt", "--out", "o.csv"], ["models", "show"]])
def test_without_a_live_model_the_remedy_is_told(run: Run, page: Path, command: list[str]) -> None:
    """Before the first training, commands that need a model say how to get one, and write nothing."""
    code, out, said = run(*command, "--models", "none")
    assert (code, out) == (1, "")
    assert "There is no live model in none. Train one: tagger train" in said
    assert [path.name for path in page.parent.iterdir()] == ["page.txt"]


def test_no_version_at_all_is_no_failure(run: Run) -> None:
    """The list of no versions is empty."""
    assert run("models", "list", "--models", "none")[:2] == (0, "")


@pytest.mark.parametrize("command", [["tag", FISH], ["models", "list"], ["models", "promote", "v0001"]])
def test_a_models_folder_that_is_none_is_told(run: Run, command: list[str]) -> None:
    """Where the folder of versions is a file, the message names it."""
    Path("file").write_text("", encoding="utf-8")
    code, out, said = run(*command, "--models", "file")
    assert (code, out, said.startswith("tagger: "), "file" in said) == (1, "", True, True)


def test_a_flipped_byte_in_any_file_is_told(run: Run, models: Path, page: Path) -> None:
    """Whatever file of a version is damaged, the commands refuse it, name it, and say what to do."""
    version = models / "v0001"
    damaged = [path for path in sorted(version.rglob("*")) if path.is_file() and path.name != "created.json"]
    assert len(damaged) > 8
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        for command in (
            ["tag", FISH],
            ["archive", page, "--out", "o.jsonl"],
            ["models", "show"],
            ["models", "promote", "v0001"],
        ):
            code, out, said = run(*command, "--models", models)
            assert (code, out) == (1, ""), (path, command)
            assert "Version v0001 is damaged" in said
            assert "rain again" in said
        (row,) = lines(run("models", "list", "--models", models)[1])
        assert "is damaged" in row["error"]
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert run("tag", FISH, "--models", models)[0] == 0


def test_a_damaged_time_stamp_stops_nothing_or_is_told(run: Run, models: Path) -> None:
    """The file with the time of training is not digested; damage to it never ends in a traceback."""
    path = models / "v0001" / "created.json"
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        assert run("models", "list", "--models", models)[0] == 0
        assert run("models", "show", "--models", models)[0] in (0, 1)


def test_a_damaged_pointer_is_told(run: Run, models: Path) -> None:
    """When the file that names the live version cannot be read, the message says how to mend it."""
    (models / "live").write_text("{", encoding="utf-8")
    for command in (["tag", FISH], ["models", "list"], ["models", "show"]):
        code, out, said = run(*command, "--models", models)
        assert (code, out, "Remove it and promote a version" in said) == (1, "", True)
    (models / "live").unlink()
    assert run("models", "promote", "v0001", "--models", models)[0] == 0


def test_an_interrupt_is_no_traceback(run: Run, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that a person stops ends with 130 and a line; for an archive this says how to go on."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tagger.corpus.read_corpus", stop)
    monkeypatch.setattr("tagger.archive.tag_archive", stop)
    assert run("seeds", "check") == (130, "", "tagger: interrupted\n")
    said = "Give the same command again to go on from here.\ntagger: interrupted\n"
    assert run("archive", page, "--out", "out.jsonl") == (130, "", said)


def test_split_reports_everything_it_took_away(run: Run, tmp_path: Path) -> None:
    """Texts and removed stretches of a page's records together cover every character that is no space, once."""
    page = Path(__file__).resolve().parents[1] / "docs" / "pages" / "two-releases.txt"
    code, out, _ = run("split", page, "--json", "--page-text", "--models", tmp_path)
    records = [json.loads(line) for line in out.splitlines()]
    assert (code, len(records)) == (0, 2)
    text = records[0]["page_text"]
    assert {gone["kind"] for record in records for gone in record["removed"]} >= {
        "banner",
        "footer",
        "contact",
        "header",
    }
    removed = "".join(text[gone["start"] : gone["end"]] for record in records for gone in record["removed"])
    kept = "".join(record["text"] for record in records)
    assert sorted("".join((removed + kept).split())) == sorted("".join(text.split()))


# ---- The doctor


def examined(out: str) -> dict[str, list[Any]]:
    """Return what the doctor found, by the part of the installation."""
    found: dict[str, list[Any]] = {}
    for record in lines(out):
        found.setdefault(record["part"], []).append(record)
    return found


def test_a_whole_installation_is_well(run: Run, tiny_models: Path) -> None:
    """The doctor names the engine, the libraries and the live version, and finds nothing broken here."""
    code, out, said = run("doctor")
    found = examined(out)
    assert (code, said) == (0, "")
    assert {record["state"] for records in found.values() for record in records} <= {"ok", "note"}
    assert found["engine"][0]["found"] == engine_name()
    assert f"numpy {metadata.version('numpy')}" in [record["found"] for record in found["library"]]
    assert Registry(tiny_models).live().name in found["live version"][0]["found"]
    assert [record["state"] for record in found["folder of versions"]] == ["ok"]


def test_what_is_missing_is_named_with_a_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is not installed is broken, an extra and the slower engine are notes; each has a remedy."""
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["no-such-library>=2", 'no-such-one; extra == "more"'])
    monkeypatch.setenv("TAGGER_ENGINE", "numpy")
    code, out, _ = run("doctor")
    found = examined(out)
    assert code == 1
    assert [(record["state"], record["remedy"]) for record in found["library"] + found["extra more"]] == [
        ("broken", "Install it: scripts/setup"),
        ("note", "Install it: scripts/setup more"),
    ]
    assert (found["engine"][0]["state"], "scripts/setup" in found["engine"][0]["remedy"]) == ("note", True)


def test_a_version_that_is_not_whole_is_broken(run: Run, models: Path) -> None:
    """One changed byte in a file that tagging never reads, or no live version at all, is told with what to do."""
    path = models / "v0001" / "pipeline.joblib"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    code, out, _ = run("doctor", "--models", models)
    (record,) = examined(out)["live version"]
    assert (code, record["state"], "tagger train" in record["remedy"]) == (1, "broken", True)
    code, out, _ = run("doctor", "--models", "none")
    (record,) = examined(out)["live version"]
    assert (code, record["state"], "tagger train" in record["remedy"]) == (1, "broken", True)
    assert not Path("none").exists()


def test_a_folder_that_cannot_be_written_is_noted(run: Run) -> None:
    """Where no version can be saved, the doctor names the place."""
    Path("file").write_text("", encoding="utf-8")
    (record,) = examined(run("doctor", "--models", "file")[1])["folder of versions"]
    assert (record["state"], "file" in record["found"], "TAGGER_MODELS" in record["remedy"]) == ("note", True, True)
