"""Evaluating a version on labelled documents, and the page that tells of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagger import evaluation, page, plots
from tagger.assessment import TERMS, WORST, assess
from tagger.cleaning import content
from tagger.documents import Document, Unreadable
from tagger.errors import InputError
from tagger.heldout import FOLDER as HELD_OUT
from tagger.heldout import HeldOutSeeds, text_digest
from tagger.readers import documents
from tagger.registry import Registry
from tagger.tagging import Tagger
from tests.conftest import tiny_documents

Run = Callable[..., tuple[int, str, str]]

LABELLED: list[dict[str, Any]] = [
    {
        "id": "quota",
        "title": "New Quota",
        "text": "The fisheries council agreed new catch quotas for cod.",
        "themes": ["fisheries"],
    },
    {
        "id": "clinic",
        "title": "Measles <script>alert(1)</script> & more",
        "text": "Measles immunisation opens to every child, the clinic said.",
        "themes": ["fisheries"],
    },
    {"id": "clock", "text": "The clock above the gate was repaired by a local workshop.", "themes": []},
    {
        "id": "dose",
        "text": "The first dose of the vaccine is given at the school clinic.",
        "labels": ["vaccines"],
        "optional": ["fisheries", "vaccines"],
    },
]
"""Four documents; of the second the readers say what no model would."""


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are not what is looked at here."""
    monkeypatch.setattr(evaluation, "DRAWS", 50)


def write(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    """Write records as JSON lines."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """The labelled documents as JSON lines."""
    return write(tmp_path / "labelled.jsonl", LABELLED)


def assessed(models: Path, *inputs: Path) -> dict[str, Any]:
    """Return the assessment of the live version on files."""
    return assess(Registry(models).live(), documents(inputs))


def test_counts_and_averages_are_those_of_the_tags(tiny_models: Path, labelled: Path) -> None:
    """What is reported agrees with what tagging the documents one by one gives."""
    found = assessed(tiny_models, labelled)
    tagger = Tagger.load(Registry(tiny_models).live())
    given = [
        {tag.theme for tag in tagger.tag(item).tags} for item in documents([labelled]) if isinstance(item, Document)
    ]
    given[3] -= {"fisheries"}
    true = [{"fisheries"}, {"fisheries"}, set(), {"vaccines"}]
    hits = sum(len(one & other) for one, other in zip(given, true, strict=True))
    assert found["documents"] == 4
    assert found["without_theme"] == 1
    assert found["optional_pairs"] == 1
    assert found["averages"]["precision"]["value"] == pytest.approx(hits / sum(map(len, given)), abs=1e-6)
    assert found["averages"]["recall"]["value"] == pytest.approx(hits / 3, abs=1e-6)
    assert sum(row["given"] for row in found["themes"].values()) == sum(map(len, given))
    assert [row["examples"] for row in found["themes"].values()] == [
        sum(theme in themes for themes in true) for theme in found["themes"]
    ]


def test_every_kind_of_file_gives_the_same(tiny_models: Path, tmp_path: Path, labelled: Path) -> None:
    """JSON lines, a table and pages with front matter say the same in their ways."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["id", "title", "text", "labels", "optional_labels"])
    pages = tmp_path / "pages"
    pages.mkdir()
    for number, record in enumerate(LABELLED):
        themes = record.get("themes", record.get("labels"))
        optional = record.get("optional", [])
        cells = [";".join(themes) or "none", ";".join(optional)]
        writer.writerow([record["id"], record.get("title", ""), record["text"], *cells])
        title = f"title: {json.dumps(record['title'])}\n" if "title" in record else ""
        front_matter = f"---\nid: {record['id']}\n{title}themes: {themes}\noptional: {optional}\n---\n"
        (pages / f"{number}.txt").write_text(front_matter + record["text"], encoding="utf-8")
    (tmp_path / "table.csv").write_text(table.getvalue(), encoding="utf-8")
    expected = assessed(tiny_models, labelled)
    assert assessed(tiny_models, tmp_path / "table.csv") == expected
    assert assessed(tiny_models, pages) == expected


def test_an_optional_theme_that_is_given_does_no_harm(tiny_models: Path, tmp_path: Path, labelled: Path) -> None:
    """Where every wrong tag is optional, precision is perfect, and no error of that kind is told."""
    wrong = assessed(tiny_models, labelled)["worst"]["false_positives"]
    assert wrong
    eased = [dict(record) for record in LABELLED]
    for record in eased:
        record["optional"] = [row["theme"] for row in wrong if row["id"] == record["id"]]
    found = assessed(tiny_models, write(tmp_path / "eased.jsonl", eased))
    assert found["averages"]["precision"]["value"] == 1
    assert found["worst"]["false_positives"] == []


def test_worst_errors_come_with_their_terms(tiny_models: Path, labelled: Path) -> None:
    """A wrong and a missed theme are told with terms for and against; the farthest from the threshold come first."""
    worst = assessed(tiny_models, labelled)["worst"]
    (wrong,) = [row for row in worst["false_positives"] if row["id"] == "clinic"]
    assert (wrong["theme"], wrong["themes"]) == ("vaccines", ["fisheries"])
    assert "measles" in [term["term"] for term in wrong["for"]]
    missed = next(row for row in worst["false_negatives"] if row["id"] == "clinic")
    assert missed["theme"] == "fisheries"
    assert missed["against"]
    for rows, sign in ((worst["false_positives"], 1), (worst["false_negatives"], -1)):
        distances = [sign * (row["probability"] - row["threshold"]) for row in rows]
        assert distances == sorted(distances, reverse=True)
        assert len(rows) <= WORST
        for row in rows:
            assert all(term["share"] > 0 for term in row["for"])
            assert all(term["share"] < 0 for term in row["against"])
            assert max(len(row["for"]), len(row["against"])) <= TERMS


def test_a_theme_given_where_another_was_missed_is_a_confusion(tiny_models: Path, labelled: Path) -> None:
    """The measles release called fisheries makes the one confusion."""
    assert assessed(tiny_models, labelled)["confusions"] == [
        {"missed": "fisheries", "given": "vaccines", "documents": 1}
    ]


def test_groups_are_reported_alone_and_left_out(models: Path, labelled: Path) -> None:
    """Each group of the scheme has the averages of its themes and of all others."""
    found = assessed(models, labelled)
    themes = set(found["themes"])
    grouped = {theme: row["group"] for theme, row in found["themes"].items() if row["group"]}
    assert set(found["groups"]) == set(grouped.values())
    for group, part in found["groups"].items():
        assert set(part["themes"]) == {theme for theme in themes if grouped.get(theme) == group}
        assert set(part["alone"]) == set(part["without"]) == set(found["averages"])


def test_unknown_themes_are_told_in_one_message(tiny_models: Path, tmp_path: Path) -> None:
    """Every unknown theme is listed once, with its place, the likeliest correction and the remedy."""
    records = [
        {"text": "One.", "themes": ["fishery", "vaccines"]},
        {"text": "Two.", "themes": ["fishery"], "optional": ["xyzzy"]},
    ]
    with pytest.raises(InputError) as error:
        assessed(tiny_models, write(tmp_path / "wrong.jsonl", records))
    first, second = str(error.value).splitlines()
    assert first.startswith("wrong.jsonl, line 1 and 1 more: v0001 has no theme 'fishery'. Did you mean 'fisheries'?")
    assert second.startswith("wrong.jsonl, line 2: v0001 has no theme 'xyzzy'. Correct it, or ")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "bare", "text": "A text."}, "the document 'bare' states no themes"),
        ({"id": "odd", "text": "A text.", "themes": 3}, "the document 'odd' has `themes` 3; expected theme ids"),
        ({"id": "odd", "text": "A text.", "themes": [], "optional": [1]}, "has `optional` [1]; expected"),
        ({"id": "none", "title": "No text"}, "wrong.jsonl, line 2"),
    ],
)
def test_a_document_that_cannot_be_used_is_named(
    tiny_models: Path, tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    """A document without themes, with themes of another kind, or that cannot be read is refused by name."""
    with pytest.raises(InputError, match=re.escape(message)):
        assessed(tiny_models, write(tmp_path / "wrong.jsonl", [LABELLED[0], record]))


def test_many_problems_are_told_in_part(tiny_models: Path) -> None:
    """Of very many problems the first are told, and how many more there are."""
    with pytest.raises(InputError, match=r"\.\.\. and 80 more"):
        assess(Registry(tiny_models).live(), (Unreadable(str(number), f"{number}: broken.") for number in range(100)))


def test_suggestions_nobody_reviewed_are_no_truth(tiny_models: Path, tmp_path: Path) -> None:
    """Documents marked as unreviewed are left out and counted; where nothing else is left, that is told."""
    waiting = {**LABELLED[2], "reviewed": False}
    found = assessed(tiny_models, write(tmp_path / "some.jsonl", [*LABELLED[:2], waiting]))
    assert (found["documents"], found["unreviewed"]) == (2, 1)
    with pytest.raises(InputError, match="1 are marked as unreviewed"):
        assessed(tiny_models, write(tmp_path / "one.jsonl", [waiting]))


def test_documents_trained_on_are_counted(models: Path, tmp_path: Path) -> None:
    """A version that kept its seeds' digests tells how many of the documents it was trained on."""
    folder, trained_on = Registry(models).live().folder, tiny_documents()[:2]
    if not (folder / HELD_OUT).exists():
        read = [content(str(seed["title"]), str(seed["text"])) for seed in trained_on]
        none, digests = np.zeros((2, 4), dtype=np.float32), list(map(text_digest, read))
        seeds = HeldOutSeeds(["a", "b"], digests, np.arange(2, dtype=np.int32), none > 0, none, none > 0)
        seeds.save(folder)
    path = write(tmp_path / "mixed.jsonl", [*LABELLED, *trained_on])
    assert assessed(models, path)["seen_in_training"] == 2


def test_progress_is_told(tiny_models: Path, labelled: Path) -> None:
    """Each phase is told, tagging document by document."""
    told: list[tuple[str, float]] = []
    assess(Registry(tiny_models).live(), documents([labelled]), lambda phase, done: told.append((phase, done)))
    assert [done for phase, done in told if phase == "tagging"] == [0.25, 0.5, 0.75, 1.0]
    assert {phase for phase, _ in told} == {"tagging", "resampling", "explaining errors"}


def test_the_command_prints_one_object_in_a_pipe(run: Run, tiny_models: Path, labelled: Path) -> None:
    """In a pipe there is one JSON object, the assessment."""
    code, out, err = run("evaluate", labelled, "--models", tiny_models)
    assert code == 0, err
    (line,) = out.splitlines()
    assert json.loads(line) == json.loads(json.dumps(assessed(tiny_models, labelled)))


def test_the_command_prints_tables_for_people(run: Run, tiny_models: Path, labelled: Path) -> None:
    """Asked for no JSON, it prints averages, themes, calibration, confusions and the worst errors."""
    code, out, err = run("evaluate", labelled, "--models", tiny_models, "--no-json")
    assert code == 0, err
    for words in ("micro F1", "95% interval", "nDCG", "fisheries", "calibration error", "given instead"):
        assert words in out
    assert "worst false positives" in out
    assert re.search(r"for: .*measles \+\d", out)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Nothing was given"),
        (["nowhere.jsonl"], 1, "There is no file or folder 'nowhere.jsonl'"),
        (["labelled.jsonl", "--model", "v0009"], 1, "v0009"),
    ],
)
def test_wrong_use_is_told(
    run: Run,
    tiny_models: Path,
    labelled: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """No input, an input that is not there, and an unknown version are each told in a message."""
    monkeypatch.chdir(labelled.parent)
    found, out, err = run("evaluate", *arguments, "--models", tiny_models)
    assert (found, out) == (code, "")
    assert message in err


class Elements(HTMLParser):
    """Collects the elements of a page and what they refer to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what matters."""
        self.names.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src", "xlink:href", "action", "data"):
                self.references.append(value or "")


def written(run: Run, models: Path, labelled: Path) -> str:
    """Return the page of an evaluation."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib, the extra `report`")
    path = labelled.with_name("report.html")
    code, _, err = run("evaluate", labelled, "--models", models, "--html", path)
    assert code == 0, err
    assert f"{path}: written." in err
    assert sorted(file.name for file in path.parent.glob("*report.html*")) == ["report.html"]
    return path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_outside_itself(run: Run, tiny_models: Path, labelled: Path) -> None:
    """The page has plots and no script; it refers to its own parts alone, each of which is there once."""
    html = written(run, tiny_models, labelled)
    elements = Elements(html)
    assert elements.names.count("svg") == 4
    assert "script" not in elements.names
    assert all(reference.startswith("#") for reference in elements.references)
    targets = [*(reference[1:] for reference in elements.references), *re.findall(r"url\(#([^)]*)\)", html)]
    assert set(targets) <= set(elements.ids)
    assert len(elements.ids) == len(set(elements.ids))
    assert not re.search(r"https?:|@import|url\((?!#)", html)


def test_the_page_shows_text_as_text(run: Run, tiny_models: Path, labelled: Path) -> None:
    """What looks like markup in a title is shown as it is written."""
    assert "Measles &lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in written(run, tiny_models, labelled)


def test_the_page_has_the_same_bytes_every_time(run: Run, tiny_models: Path, labelled: Path) -> None:
    """Two evaluations of one file write one page."""
    assert written(run, tiny_models, labelled) == written(run, tiny_models, labelled)


def test_the_page_shows_the_learning_curve_where_there_is_one(tiny_models: Path, labelled: Path) -> None:
    """A version whose training drew a learning curve has one plot more."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib, the extra `report`")
    found = assessed(tiny_models, labelled)
    points = [{"mean": 0.7, "low": 0.6, "high": 0.8}, {"mean": 0.8, "low": 0.75, "high": 0.85}]
    curves = {"texts": [20, 40], "micro_f1": points, "macro_f1": points, "themes": {}}
    plain, more = (Elements(page.render({**found, "learning_curve": curve})) for curve in (None, curves))
    assert more.names.count("svg") == plain.names.count("svg") + 1


def test_a_page_without_errors_and_themes_is_drawn(tiny_models: Path, tmp_path: Path) -> None:
    """Documents that rightly have no theme make a page, without plots of what is not there."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib, the extra `report`")
    found = assessed(tiny_models, write(tmp_path / "none.jsonl", [LABELLED[2]]))
    assert found["averages"]["samples_f1"]["value"] == 1
    assert Elements(page.render(found)).names.count("svg") == 2


def test_labels_may_hold_anything(tiny_models: Path, labelled: Path) -> None:
    """Dollar signs, markup and letters no font has are drawn as they are, without a warning."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib, the extra `report`")
    found = assessed(tiny_models, labelled)
    found["themes"]["fisheries"]["label"] = "$x_$ <b> & \u6f01\u696d \U0001f41f"
    html = page.render(found)
    assert html.count("$x_$ &lt;b&gt; &amp; \u6f01\u696d \U0001f41f") >= 3


def test_without_matplotlib_the_remedy_is_told(
    run: Run, tiny_models: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the plots' library is not installed one line names the extra, and nothing is written."""
    monkeypatch.setattr(plots, "find_spec", lambda _name: None)
    path = labelled.with_name("report.html")
    code, out, err = run("evaluate", labelled, "--models", tiny_models, "--html", path)
    assert (code, out) == (1, "")
    assert "scripts/setup report" in err
    assert len(err.splitlines()) == 1
    assert not path.exists()


@pytest.mark.parametrize("name", ["nowhere/report.html", "."])
def test_a_page_that_cannot_be_written_is_told_first(run: Run, tiny_models: Path, labelled: Path, name: str) -> None:
    """A page in a folder that is not there, or in the place of a folder, is refused before the work is done."""
    pytest.importorskip("matplotlib", reason="plots need matplotlib, the extra `report`")
    code, out, err = run("evaluate", labelled, "--models", tiny_models, "--html", labelled.parent / name)
    assert (code, out) == (1, "")
    assert "Cannot write" in err
