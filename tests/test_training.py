"""Training: the same seeds give the same bytes, and what comes out tags."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tagger.documents import Document
from tagger.errors import DamagedVersion
from tagger.evaluation import evaluate
from tagger.registry import Registry
from tagger.tagging import Tagger
from tagger.training import train
from tests.conftest import RELEASE, write_seeds


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


def test_evaluation_counts() -> None:
    """Precision, recall and F1 follow from the counts; a text that rightly has no theme counts as perfect."""
    given = np.array([[True, False], [True, True], [False, False]])
    truth = np.array([[True, False], [False, True], [False, False]])
    found = evaluate(given, truth, ["a", "b"])
    assert found["themes"]["a"] == {"examples": 1, "given": 2, "precision": 0.5, "recall": 1.0, "f1": 0.666667}
    assert found["micro_f1"] == 0.8
    assert found["samples_f1"] == pytest.approx((1 + 2 / 3 + 1) / 3, abs=1e-6)


@pytest.mark.parametrize("text", ["", "zzzz qqqq", "§ § §", "Quaxi morlo tiburn felas"])
def test_a_text_of_unknown_words_gets_no_theme(tiny_models: Path, text: str) -> None:
    """Where the model knows no word of a text, it gives nothing: a bias is no reason."""
    assert Tagger.load(Registry(tiny_models).live()).tag(Document("x", text)).tags == ()


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
    (tagged,) = tagger.tag_page(Document("x", text), explain=True)
    found = {
        text[place.start : place.end].lower()
        for tag in tagged.tags
        for term, places in zip(tag.evidence.terms, tag.places, strict=True)  # type: ignore[union-attr]
        for place in places
        if term.term == "measles"
    }
    assert found == {"measles"}
