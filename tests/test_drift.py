"""Drift: what has moved is found, what chance alone does is not, and each finding says what it was and is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.decisions import Decision, Reason
from tagger.drift import Drift, drift_between
from tagger.drift.comparison import clumping_of, shift_of
from tagger.drift.samples import Sample
from tagger.intervals import holm
from tagger.observations import SEEN, Observations, Observer, Watched, utc_today
from tests.conftest import SENTENCES, tiny_documents

Run = Callable[..., tuple[int, str, str]]
TEN = tuple(f"theme-{number}" for number in range(10))
TINY = ("fisheries", "railways", "vaccines", "lighthouses")
AUTO: tuple[Decision, Reason] = ("auto", "above_threshold")


def texts(
    random: np.random.Generator, number: int, rates: np.ndarray, *, shift: float = 0.0, unknown: float = 0.2
) -> list[Watched]:
    """Return what is told of texts to which themes are given at some rates, given ones having higher probabilities."""
    given = random.random((number, len(rates))) < rates
    scores = np.where(given, 3.0, -6.0 + shift) + random.normal(size=given.shape)
    unknown_words = random.binomial(100, unknown, number)
    return [
        Watched(1 / (1 + np.exp(-row)), None, dict.fromkeys(np.flatnonzero(themes).tolist(), AUTO), 100, int(words))
        for row, themes, words in zip(scores, given, unknown_words, strict=True)
    ]


def sample(*days: list[Watched]) -> Sample:
    """Return the numbers of the texts of some days."""
    return Sample.of_days("drawn", [Observations.of(TEN, day) for day in days])


def moved(drift: Drift) -> list[str]:
    """Return the names of what moved."""
    return [change.name for change in drift.moved]


def test_a_theme_that_doubles_is_found_first() -> None:
    """A theme that goes from 5% of the texts to 10% is told, and says what it was, what it is, and what to do."""
    random, rates = np.random.default_rng(2), np.full(10, 0.05)
    then = sample(texts(random, 3000, rates))
    rates[4] = 0.1
    drift = drift_between("v", sample(texts(random, 1000, rates)), then)
    assert [name for name in moved(drift) if name in TEN] == ["theme-4"]
    change = drift.moved[0]
    assert change.then.low < 0.05 < change.then.high < change.now.low < 0.1 < change.now.high
    record = drift.as_record()["moved"][0]
    assert record["sentence"].startswith("theme-4 given to ")
    assert "then 4." in record["sentence"] or "then 5." in record["sentence"]
    assert record["advice"].startswith("Read a sample")
    assert drift.enough


def test_probabilities_that_creep_are_found_before_a_tag_changes() -> None:
    """Where the texts' scores rise but no more are given, the shift is told, with its direction."""
    random, rates = np.random.default_rng(3), np.full(10, 0.05)
    drift = drift_between("v", sample(texts(random, 800, rates, shift=1)), sample(texts(random, 800, rates)))
    assert set(moved(drift)) == set(TEN)
    assert all(change.upwards and not change.rate_moved for change in drift.moved)
    assert "moved much up, PSI" in drift.as_record()["moved"][0]["sentence"]


def test_unknown_words_are_compared_by_text() -> None:
    """A vocabulary that moves is told as a share of the texts, once for all themes."""
    random, rates = np.random.default_rng(4), np.full(10, 0.05)
    now, then = (sample(texts(random, 500, rates, unknown=unknown)) for unknown in (0.3, 0.2))
    assert moved(drift_between("v", now, then)) == ["unknown_words"]


def test_a_difference_that_is_sure_but_small_is_not_told() -> None:
    """Of a hundred thousand texts, one more in two hundred is proved and does not matter."""
    given = np.full(10, 5000)
    counts = np.repeat([[95_000, 5_000]], 10, axis=0)
    then = Sample("then", TEN, 100_000, given, counts, {})
    now = Sample("now", TEN, 100_000, given + 500, counts + np.array([-500, 500]), {})
    drift = drift_between("v", now, then)
    assert moved(drift) == []
    assert all(p < 0.001 for change in drift.changes for p in change.ps)


def test_few_texts_are_told_to_be_few() -> None:
    """Twenty texts alarm nobody, and are not said to prove that nothing moved."""
    random, rates = np.random.default_rng(5), np.full(10, 0.05)
    drift = drift_between("v", sample(texts(random, 20, rates)), sample(texts(random, 3000, rates)))
    assert moved(drift) == []
    assert not drift.enough
    assert drift.texts_needed is not None
    assert 300 < drift.texts_needed < 600
    assert drift_between("v", sample(texts(random, 20, rates)), sample(texts(random, 20, rates))).texts_needed is None


def test_texts_that_come_in_clumps_count_for_less() -> None:
    """Where each event is told four times in a day, days differ more than chance would have it, and that is seen."""
    random, rates = np.random.default_rng(6), np.full(10, 0.1)
    single = sample(*(texts(random, 100, rates) for _ in range(20)))
    clumped = sample(*(4 * texts(random, 25, rates) for _ in range(20)))
    assert clumping_of([single]) < 1.3
    assert 3 < clumping_of([clumped]) < 5
    assert clumping_of([sample(texts(random, 20, rates))]) == 1


@given(st.lists(st.integers(0, 300), min_size=20, max_size=20), st.integers(1, 20))
@settings(max_examples=50)
def test_a_histogram_is_no_distance_from_one_of_its_kind(histogram: list[int], times: int) -> None:
    """Histograms of one shape are 0 apart with a chance of 1, however large; the distance knows no direction."""
    counts = np.array(histogram)
    if counts.sum():
        assert shift_of(counts, times * counts) == (0, pytest.approx(1))
        other = counts[::-1]
        assert shift_of(counts, other) == pytest.approx(shift_of(other, counts))


@given(st.lists(st.floats(0, 1)))
def test_chances_together_are_no_smaller_and_in_the_same_order(ps: list[float]) -> None:
    """Holm's chances keep the order of those of the tests, are no smaller, and no larger than all tests make them."""
    together = holm(ps)
    assert all(p <= adjusted <= min(1, p * len(ps)) for p, adjusted in zip(ps, together, strict=True))
    assert [together[place] for place in np.argsort(ps, kind="stable")] == sorted(together)


# ---- The command


def keep(state: Path, days_ago: int, *columns: int) -> None:
    """Keep what a service would have on a day of texts, each with one theme."""
    observer = Observer("v0001", TINY, lambda: utc_today() - timedelta(days=days_ago))
    for column in columns:
        observer(Watched(np.eye(4)[column] * 0.9 + 0.01, None, {column: AUTO}, 20, 2))
    observer.keep(state / SEEN)


def drifted(run: Run, *options: object) -> dict[str, object]:
    """Return what the command says as JSON."""
    code, out, said = run("models", "drift", *options)
    assert code == 0, said
    return dict(json.loads(out))


def test_the_last_days_are_compared_with_those_before(run: Run, tiny_models: Path, tmp_path: Path) -> None:
    """By default what services saw in seven days, here more on railways than on the days before them."""
    for ago in range(9, 14):
        keep(tmp_path, ago, *[0] * 60, *[1] * 20)
    keep(tmp_path, 2, *[0] * 30, *[1] * 50)
    keep(tmp_path, 0, *[0] * 30, *[1] * 50)
    options = "v0001", "--models", tiny_models, "--state", tmp_path, "--against", "before"
    found = drifted(run, *options)
    assert (found["texts"], found["reference_texts"]) == (160, 400)
    assert [change["name"] for change in found["moved"]] == ["fisheries", "railways"]  # type: ignore[attr-defined]
    assert found["remarks"] == []
    assert drifted(run, *options, "--days", 1)["texts"] == 80


def test_seen_texts_are_compared_with_training(run: Run, tiny_models: Path, tmp_path: Path) -> None:
    """Against the held-out seeds, a theme that no seed has is not compared, and people are told what seeds are."""
    keep(tmp_path, 0, *[1] * 60)
    code, out, said = run("models", "drift", "--models", tiny_models, "--state", tmp_path, "--no-json")
    assert code == 0
    assert out.startswith("v0001: 60 texts of the last 7 days against 46 held-out seeds\n")
    assert "railways given to 100.0% (94.0–100.0), then " in out
    assert "Read a sample of what gets it now" in out
    assert "lighthouses" not in out
    assert "no sample of what is published" in said
    assert drifted(run, "--models", tiny_models, "--state", tmp_path)["not_compared"] == ["lighthouses"]


def test_documents_are_tagged_now(run: Run, tiny_models: Path, tmp_path: Path) -> None:
    """With --on, documents and the releases of pages are tagged and compared; what cannot be read is told."""
    archive = tmp_path / "archive"
    archive.mkdir()
    lines = [json.dumps(document) for document in tiny_documents()]
    (archive / "a.jsonl").write_text("\n".join([*lines, "{"]))
    (archive / "page.txt").write_text("\n\n".join(SENTENCES["railways"]))
    found = drifted(run, "--models", tiny_models, "--on", archive, "--state", tmp_path)
    assert found["texts"] == 47
    changes = [*found["moved"], *found["not_moved"]]  # type: ignore[misc]
    assert not [change["name"] for change in changes if change["rate_p"] is not None and change["rate_p"] < 0.05]
    assert found["remarks"][0] == "1 documents could not be read."  # type: ignore[index]
    assert not (tmp_path / SEEN).exists()


def test_damaged_files_are_told(run: Run, tiny_models: Path, tmp_path: Path) -> None:
    """What services kept and cannot be read is named, and the rest is compared."""
    keep(tmp_path, 0, 0, 1)
    (tmp_path / SEEN / f"v0001-{utc_today()}.json").write_text("{")
    found = drifted(run, "--models", tiny_models, "--state", tmp_path)
    assert found["texts"] == 2
    assert "is damaged" in found["remarks"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ([], 1, "Nothing was kept of texts of the last 7 days that v0001 tagged"),
        (["--against", "before", "--on", "a.txt"], 1, "Nothing was kept of texts before"),
        (["--on", "empty.jsonl"], 1, "There was no text to tag (1 documents could not be read)"),
        (["--days", "0"], 2, "--days is 0"),
        (["v0009"], 1, "There is no version 'v0009'"),
    ],
)
def test_where_nothing_was_seen_the_command_fails(
    run: Run,
    tiny_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    code: int,
    says: str,
) -> None:
    """What cannot be compared is an error in one sentence, with what to give instead."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGGER_STATE", "state")  # the one of the other tests has seen texts
    Path("a.txt").write_text(SENTENCES["railways"][0])
    Path("empty.jsonl").write_text("{")
    failed, out, said = run("models", "drift", "--models", tiny_models, *options)
    assert (failed, out) == (code, "")
    assert says in said
