"""Training: the same seeds give the same bytes, and what comes out tags."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagger.documents import Document
from tagger.errors import DamagedVersion
from tagger.evaluation import evaluate
from tagger.registry import Registry
from tagger.reporting import remarks
from tagger.tagging import Tagger, Wanted
from tagger.training import train
from tests.conftest import RELEASE, SENTENCES, write_seeds

Run = Callable[..., tuple[int, str, str]]


def test_a_release_gets_its_themes(tiny_models: Path) -> None:
    """A release on a vaccine campaign, which no seed holds, is tagged vaccines."""
    tagged = Tagger.load(Registry(tiny_models).live()).tag(Document("r", RELEASE))
    assert [tag.theme for tag in tagged.tags] == ["vaccines"]


def test_a_theme_without_seeds_is_found(tiny_models: Path) -> None:
    """A theme that has only a card is given to a release that speaks in the card's words."""
    text = "The keeper of the light repaired the beacon and the foghorn of the light station."
    tagged = Tagger.load(Registry(tiny_models).live()).tag(Document("r", text))
    assert "lighthouses" in [tag.theme for tag in tagged.tags]


@pytest.mark.parametrize("surroundings", [{"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "TZ": "Asia/Tokyo"}])
def test_training_gives_the_same_bytes(tiny_models: Path, tmp_path: Path, surroundings: dict[str, str]) -> None:
    """Another folder, hash seed, thread count, locale and time zone change no byte but the time stamp."""
    seeds = write_seeds(tmp_path / "elsewhere" / "seeds")
    environment = {**os.environ, "PYTHONHASHSEED": "2", "OPENBLAS_NUM_THREADS": "2", "LC_ALL": "C", **surroundings}
    command = [sys.executable, "-m", "tagger", "train", "--seeds", str(seeds), "--models", str(tmp_path / "models")]
    subprocess.run(command, check=True, capture_output=True, env=environment, cwd=tmp_path)
    first, second = Registry(tiny_models).get("v0001"), Registry(tmp_path / "models").get("v0001")
    assert first.manifest == second.manifest


def test_only_promoted_versions_are_live(seeds: Path, tmp_path: Path) -> None:
    """Without promotion a version is saved and the live one stays."""
    train(seeds, tmp_path / "models")
    train(seeds, tmp_path / "models", promote=False)
    registry = Registry(tmp_path / "models")
    assert registry.names() == ["v0001", "v0002"]
    assert registry.live_name() == "v0001"


def test_the_report_measures_texts_held_out(tiny_models: Path) -> None:
    """The report holds per-theme figures for stratified folds and for folds by source, and the table shows them."""
    folder = Registry(tiny_models).live().folder / "report"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert set(report["held_out"]) == {"stratified", "by_source"}
    assert report["held_out"]["stratified"]["themes"]["railways"]["f1"] > 0.8
    assert "| railways | 10 |" in (folder / "report.md").read_text(encoding="utf-8")


def test_themes_without_seeds_are_not_measured(tiny_models: Path) -> None:
    """A theme that has only a card has no figures and lowers no average; the table shows dashes for it."""
    folder = Registry(tiny_models).live().folder / "report"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    scores = report["held_out"]["stratified"]
    assert sorted(scores["themes"]) == ["fisheries", "railways", "vaccines"]
    assert scores["macro_f1"] == pytest.approx(np.mean([row["f1"] for row in scores["themes"].values()]), abs=1e-6)
    assert "| lighthouses | 0 | – | – | – |" in (folder / "report.md").read_text(encoding="utf-8")


def test_labels_that_mean_nothing_measure_as_nothing(tmp_path: Path) -> None:
    """With themes dealt out at random, the held-out F1 is low: the measure does not see its own training texts."""
    seeds = write_seeds(tmp_path / "seeds")
    lines = [json.loads(line) for line in (seeds / "tiny.jsonl").read_text(encoding="utf-8").splitlines()]
    themes = [line["themes"] for line in lines]
    random.Random(7).shuffle(themes)
    records = [line | {"themes": dealt} for line, dealt in zip(lines, themes, strict=True)]
    (seeds / "tiny.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    assert train(seeds, tmp_path / "models").report["held_out"]["stratified"]["micro_f1"] < 0.6


def test_a_version_that_scores_otherwise_is_refused(models: Path) -> None:
    """A version whose stored scores of known texts cannot be reproduced is refused with the remedy."""
    registry = Registry(models)
    version = registry.live()
    version.manifest["canaries"][0]["probabilities"][0] += 0.01
    with pytest.raises(DamagedVersion, match="tagger train"):
        Tagger.load(version)


def older(folder: Path, lost: str) -> None:
    """Make of a version's folder what an older tagger would have written."""
    themes = folder / "themes.json"
    saved = json.loads(themes.read_text(encoding="utf-8"))
    if lost == "domain":
        del saved["domain"]
    elif lost == "a limit":
        del saved["domain"]["least_words"]
    elif lost == "auto_threshold":
        for theme in saved["themes"]:
            del theme["auto_threshold"]
    else:
        (folder / lost).unlink()
    themes.write_text(json.dumps(saved), encoding="utf-8")


@pytest.mark.parametrize("lost", ["domain", "a limit", "auto_threshold", "domain.npy", "themes.json"])
def test_a_version_of_an_older_tagger_is_refused(models: Path, run: Run, lost: str) -> None:
    """A version whole in itself that lacks what this tagger needs is refused with the remedy, not with a traceback."""
    registry = Registry(models)
    live = registry.live()

    def write(folder: Path) -> dict[str, object]:
        shutil.copytree(live.folder, folder, dirs_exist_ok=True)
        for name in ("manifest.json", "SHA256SUMS", "created.json"):
            (folder / name).unlink()
        if lost == "themes.json":
            (folder / lost).unlink()
        else:
            older(folder, lost)
        return json.loads(json.dumps(live.manifest))  # type: ignore[no-any-return]

    old = registry.save(write)
    with pytest.raises(DamagedVersion, match=f"Version {old.name} was saved by another tagger.*Train again"):
        Tagger.load(old)
    code, out, said = run("tag", "Herring.", "--models", models, "--model", old.name)
    assert (code, out, "Train again: tagger train" in said, "Traceback" in said) == (1, "", True, False)
    assert run("tag", "Herring.", "--models", models)[0] == 0


def test_promises_are_reported_and_kept(promised_models: Path) -> None:
    """The report says of each theme whether its promise is kept, from where, or what is needed, and how right it is."""
    folder = Registry(promised_models).live().folder
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    promises = {theme: row["promise"] for theme, row in report["themes"].items()}
    assert {theme: promise["kept"] for theme, promise in promises.items()} == {
        "fisheries": True, "railways": False, "vaccines": True, "lighthouses": False,
    }  # fmt: skip
    for theme, promise in promises.items():
        row = report["themes"][theme]
        if promise["kept"]:
            assert promise["needed"] is None
            assert promise["auto_threshold"] >= row["threshold"]
        else:
            assert promise["auto_threshold"] is None
            assert promise["needed"] is None or promise["needed"] > 0
    assert promises["lighthouses"]["needed"] == 7
    kept = report["held_out"]["stratified"]["promises"]
    assert (kept["made"], kept["kept"]) == (3, 2)
    assert 0 < kept["least_precision"] <= kept["precision"] <= 1
    table = (folder / "report" / "report.md").read_text(encoding="utf-8").splitlines()
    never = [line.split(" | ")[0] for line in table if line.endswith("| never |")]
    assert never == ["| railways", "| lighthouses"]


def test_what_keeps_no_promise_is_never_given_without_a_look(promised_models: Path) -> None:
    """A theme whose promise is not kept is for review, however sure; one whose promise is kept is not."""
    tagger = Tagger.load(Registry(promised_models).live())
    rails, fish = (" ".join(SENTENCES[theme][number] for number in (0, 3, 7)) for theme in ("railways", "fisheries"))
    (tag,) = tagger.tag(Document("x", rails)).tags
    assert (tag.theme, tag.decision, tag.reason) == ("railways", "review", "near_threshold")
    (tag,) = tagger.tag(Document("x", fish)).tags
    assert (tag.theme, tag.decision, tag.reason) == ("fisheries", "auto", "above_threshold")


def test_the_report_says_what_was_tried(tiny_models: Path) -> None:
    """Recipe, candidates with their scores, fits, limits of the domain and calibration stand in the report."""
    version = Registry(tiny_models).live()
    report = json.loads((version.folder / "report" / "report.json").read_text(encoding="utf-8"))
    assert sorted(report["recipe"]) == ["c", "card_strength", "pairs", "thresholds"]
    assert version.manifest["settings"] == report["recipe"]
    tried = report["selection"]["tried"]
    assert {row["what"] for row in tried} == {"card strength", "c", "pairs", "thresholds"}
    assert all(0 <= row["score"] <= 1 and row["standard_error"] >= 0 and row["behind"] >= 0 for row in tried)
    assert report["selection"]["fits"] > 100
    assert sorted(report["domain"]) == ["least_words", "limits"]
    for scores in report["held_out"].values():
        assert scores["promises"] is None
        assert 0 <= scores["calibration"]["likely"]["expected_calibration_error"] <= 1
        assert 0 <= scores["auto_share"] <= 1
    curve = report["learning_curve"]
    assert len(curve["texts"]) == len(curve["micro_f1"]) == len(curve["themes"]["railways"]) == 3
    assert [row["examples"] for row in curve["themes"]["railways"]] == sorted(
        row["examples"] for row in curve["themes"]["railways"]
    )
    last = curve["micro_f1"][-1]
    assert last["low"] <= last["mean"] <= last["high"]


def test_evaluation_counts() -> None:
    """Precision, recall and F1 follow from the counts; a text that rightly has no theme counts as perfect."""
    given = np.array([[True, False], [True, True], [False, False]])
    truth = np.array([[True, False], [False, True], [False, False]])
    found = evaluate(given, truth, ["a", "b"])
    assert found["themes"]["a"] == {"examples": 1, "given": 2, "precision": 0.5, "recall": 1.0, "f1": 0.666667}
    assert found["micro_f1"] == 0.8
    assert found["samples_f1"] == pytest.approx((1 + 2 / 3 + 1) / 3, abs=1e-6)


@pytest.mark.parametrize(
    "page",
    [
        "Press Releases: New *Measles*  Vaccination **Campaign** at the Clinic\n\nMay 4, 2021\n\n{body}",
        "# A\u00a0[Measles](https://x.example) Vaccination\u202fCampaign\r\n\r\nMay 4, 2021\r\n\r\n{body}",
    ],
)
def test_evidence_in_the_title_of_a_page_points_at_its_words(tiny_models: Path, page: str) -> None:
    """Offsets of terms in a title hit the page's own words, whatever marks and spaces stand between them."""
    text = page.format(body="The first dose is given at a clinic on each island, the ministry said on Friday.")
    tagger = Tagger.load(Registry(tiny_models).live())
    (tagged,) = tagger.tag_page(Document("x", text), Wanted(explain=True))
    found = {
        text[place.start : place.end].lower()
        for tag in tagged.tags
        for term, places in zip(tag.evidence.terms, tag.term_places, strict=True)  # type: ignore[union-attr]
        for place in places
        if term.term == "measles"
    }
    assert found == {"measles"}


def test_training_says_what_cannot_be_told_yet(tiny_models: Path, promised_models: Path) -> None:
    """Few seeds, and promises that are not kept with what the nearest need, are told in sentences; else nothing is."""

    def of(models: Path) -> dict[str, Any]:
        folder = Registry(models).live().folder / "report"
        found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return found

    assert list(remarks(of(tiny_models))) == []
    assert [sentence.startswith("29 seeds are few") for sentence in remarks(of(tiny_models) | {"seeds": 29})] == [True]
    assert list(remarks(of(tiny_models) | {"seeds": 30})) == []
    (sentence,) = remarks(of(promised_models))
    assert sentence.startswith("2 of 4 themes cannot keep their promise of precision yet")
    assert "more examples: " in sentence
    assert "lighthouses 7" in sentence
    hopeless = of(promised_models)
    for row in hopeless["themes"].values():
        row["promise"]["needed"] = None
    (sentence,) = remarks(hopeless)
    assert sentence.endswith("never given without a look.")


def test_the_command_says_what_training_remarks(run: Run, seeds: Path, tmp_path: Path) -> None:
    """A training on few seeds with a promise says both on standard error, before what was saved."""
    lines = (seeds / "tiny.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (seeds / "tiny.jsonl").write_text("".join(lines[:40:2]), encoding="utf-8")
    cards = seeds / "themes.yaml"
    cards.write_text(cards.read_text(encoding="utf-8").replace("  id: tiny\n", "  id: tiny\n  precision: .99\n"))
    code, _, said = run("train", "--seeds", seeds, "--models", tmp_path / "few")
    assert code == 0, said
    assert said.index("20 seeds are few") < said.index("4 of 4 themes cannot keep") < said.index("Trained v0001")
