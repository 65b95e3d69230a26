"""How good decisions are: averages, rankings, intervals, confusions, and pairs that do not count."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from tagger import evaluation
from tagger.evaluation import AVERAGES, Judged, confusions, evaluate, measure


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Draw less often where intervals are not what is looked at."""
    if "interval" not in request.node.name:
        monkeypatch.setattr(evaluation, "DRAWS", 50)


def judged(
    probabilities: Sequence[Sequence[float]],
    true: Sequence[Sequence[int]],
    uncounted: Sequence[tuple[int, int]] = (),
    threshold: float = 0.5,
) -> Judged:
    """Return what a threshold makes of probabilities; `true` lists each text's themes."""
    said = np.array(probabilities, dtype=float)
    theme_sets, counted = np.zeros(said.shape, dtype=bool), np.ones(said.shape, dtype=bool)
    for row, themes in enumerate(true):
        theme_sets[row, list(themes)] = True
    for pair in uncounted:
        counted[pair] = False
    given_ = (said >= threshold) & counted
    return Judged(said, given_, given_ & (said >= 0.8), theme_sets, counted)


def values(of: Judged, columns: Sequence[int] | None = None) -> dict[str, float | None]:
    """Return the averages without their intervals."""
    chosen = np.arange(of.given.shape[1]) if columns is None else np.array(columns, dtype=np.intp)
    averages = measure(of, {"view": chosen})[0]["view"]
    return {name: figure and figure["value"] for name, figure in averages.items()}


@st.composite
def worlds(draw: st.DrawFn) -> Judged:
    """Some texts and themes, with any decisions, truths and optional pairs."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 5))

    def array() -> NDArray[np.bool_]:
        size = shape[0] * shape[1]
        return np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(shape)

    theme_sets, counted, given_ = array(), array(), array()
    counted |= theme_sets
    given_ &= counted
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return Judged(random.random(shape), given_, given_ & array(), theme_sets, counted)


THREE = judged([[0.9, 0.6, 0.1], [0.2, 0.7, 0.3], [0.1, 0.2, 0.4]], [[0], [0, 1], []])
"""Three texts and three themes: one wrong tag (0, 1), one missed (1, 0), and a text that rightly has none."""


def test_averages_of_three_texts_by_hand() -> None:
    """Each average is the one computed by hand."""
    found = values(THREE)
    assert found["micro_f1"] == pytest.approx(4 / 6, abs=1e-6)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2, abs=1e-6)  # the third theme is met nowhere
    assert found["samples_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3, abs=1e-6)
    assert (found["precision"], found["recall"]) == (pytest.approx(2 / 3, abs=1e-6), pytest.approx(2 / 3, abs=1e-6))
    assert found["precision_at_1"] == 1  # of the two texts that have a theme
    second = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))  # the true themes stand first and third
    assert found["ndcg"] == pytest.approx((1 + second) / 2, abs=1e-6)
    assert (found["auto_share"], found["auto_precision"]) == (pytest.approx(1 / 3, abs=1e-6), 1)
    assert list(found) == list(AVERAGES)


@settings(deadline=None)
@given(worlds())
def test_averages_agree_with_those_of_training(world: Judged) -> None:
    """What both measure, they measure alike, wherever there is anything to measure."""
    themes = [str(column) for column in range(world.given.shape[1])]
    expected = evaluate(world.given, world.theme_sets, themes)
    for name, value in values(world).items():
        if value is not None and name in expected:
            assert value == pytest.approx(expected[name], abs=2e-6), name
    for figures, row in zip(
        measure(world, {"all": np.arange(len(themes))})[1], expected["themes"].values(), strict=True
    ):
        for name, figure in figures.items():
            assert (figure["value"] if figure else 0.0) == pytest.approx(row[name], abs=2e-6)


@settings(deadline=None)
@given(worlds())
def test_ndcg_is_that_of_scikit_learn(world: Judged) -> None:
    """On texts that have a theme, with every pair counted, nDCG is what scikit-learn gives."""
    some = world.theme_sets.any(axis=1)
    if world.theme_sets.shape[1] > 1 and some.any():
        whole = replace(world, counted=np.ones_like(world.counted))
        expected = ndcg_score(world.theme_sets[some], world.probabilities[some])
        assert values(whole)["ndcg"] == pytest.approx(expected, abs=2e-6)


@settings(deadline=None)
@given(worlds(), st.integers(0, 99))
def test_optional_pairs_neither_help_nor_hurt(world: Judged, seed: int) -> None:
    """Whatever probability an uncounted pair has, every average stays."""
    random = np.random.default_rng(seed)
    other = np.where(world.counted, world.probabilities, random.random(world.counted.shape))
    assert values(replace(world, probabilities=other)) == values(world)


@settings(deadline=None)
@given(worlds())
def test_an_optional_theme_of_every_text_is_as_none(world: Judged) -> None:
    """A theme that counts nowhere gives the averages of the others alone."""
    without = list(range(1, world.given.shape[1]))
    away = np.ones_like(world.counted)
    away[:, 0] = False
    bare = Judged(
        world.probabilities, world.given & away, world.auto & away, world.theme_sets & away, world.counted & away
    )
    assert values(bare) == values(bare, without)


def test_an_optional_theme_is_taken_out_of_the_ranking() -> None:
    """An optional theme at the top lets the true one below it be the first."""
    assert values(judged([[0.9, 0.6]], [[1]]))["precision_at_1"] == 0
    found = values(judged([[0.9, 0.6]], [[1]], uncounted=[(0, 0)]))
    assert (found["precision_at_1"], found["ndcg"], found["precision"]) == (1, 1, 1)


def test_where_nothing_can_be_measured_there_is_no_figure() -> None:
    """Texts without themes and tags have no precision, recall or ranking, and are right as they are."""
    found = values(judged([[0.1, 0.2], [0.3, 0.1]], [[], []]))
    assert found.pop("samples_f1") == 1
    assert set(found.values()) == {None}
    assert set(values(THREE, [])) == set(AVERAGES)


def test_intervals_hold_the_figure_and_shrink_with_more_texts() -> None:
    """The interval of an average lies round it; with 16 times the texts it is about a quarter as wide."""
    random = np.random.default_rng(5)
    truth = random.random((40, 3)) < 0.4
    said = np.where(truth, 0.9, 0.1)
    said[random.random(said.shape) < 0.25] = 0.5
    few = judged(said.tolist(), [np.flatnonzero(row).tolist() for row in truth])
    many = Judged(*(np.tile(getattr(few, name), (16, 1)) for name in Judged.__slots__))
    narrow, wide = (measure(world, {"all": np.arange(3)}) for world in (many, few))
    for name in ("micro_f1", "macro_f1", "samples_f1", "precision"):
        small, large = narrow[0]["all"][name], wide[0]["all"][name]
        assert small is not None
        assert large is not None
        assert small["low"] < small["value"] < small["high"]
        assert (large["high"] - large["low"]) / (small["high"] - small["low"]) == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("seed", range(6))
def test_intervals_of_rare_themes_hold_their_value(seed: int) -> None:
    """With many themes of one to three examples each interval holds its value, that of macro F1 well inside."""
    random = np.random.default_rng(seed)
    truth = np.zeros((60, 80), dtype=bool)
    for theme in range(80):
        truth[random.choice(60, size=random.integers(1, 4), replace=False), theme] = True
    said = np.where(truth ^ (random.random(truth.shape) < np.where(truth, 0.2, 0.005)), 0.9, 0.1)
    world = judged(said.tolist(), [np.flatnonzero(row).tolist() for row in truth])
    averages, of_themes = measure(world, {"all": np.arange(80)})
    for figure in (figure for figures in (averages["all"], *of_themes) for figure in figures.values()):
        if figure:
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    macro = averages["all"]["macro_f1"]
    assert macro
    width = macro["high"] - macro["low"]
    assert macro["low"] + width / 4 < macro["value"] < macro["high"] - width / 4


def test_intervals_are_the_same_every_time() -> None:
    """The draws are those of a fixed seed."""
    views = {"all": np.arange(3), "some": np.array([0, 2])}
    assert measure(THREE, views) == measure(THREE, views)


def test_a_view_has_the_figures_of_its_themes_alone() -> None:
    """The averages of a view do not depend on the themes outside it."""
    assert values(THREE, [1]) == values(THREE.of(np.array([1])))


def test_progress_is_told_to_its_end() -> None:
    """The share that is done grows to 1."""
    told: list[float] = []
    measure(THREE, {"all": np.arange(3)}, told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_confusions_pair_what_was_missed_with_what_was_given() -> None:
    """A theme missed and another given wrongly in one text are a confusion; either alone is none."""
    world = judged([[0.1, 0.9], [0.1, 0.9], [0.1, 0.1], [0.9, 0.9]], [[0], [0], [0], [0]])
    assert confusions(world).tolist() == [[0, 2], [0, 0]]


def reference(shared: Path) -> ModuleType:
    """Return the script that scores by the guideline's rule."""
    path = shared / "tools" / "score.py"
    if not path.is_file():
        pytest.skip("the script that scores by the guideline's rule is not on this machine")
    spec = importlib.util.spec_from_file_location("score", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_figures_are_those_of_the_guideline(seed: int, shared: Path) -> None:
    """For readers' labels and any tags, the averages are those of the script that states the guideline's rule."""
    score = reference(shared)
    lines = (shared / "data" / "state_dev_gold.jsonl").read_text(encoding="utf-8").splitlines()
    gold = {record["id"]: (record["labels"], record.get("optional_labels", [])) for record in map(json.loads, lines)}
    themes = sorted({theme for labels, optional in gold.values() for theme in (*labels, *optional)})
    random = np.random.default_rng(seed)
    column = {theme: number for number, theme in enumerate(themes)}
    labels = [[column[theme] for theme in labels] for labels, _ in gold.values()]
    said = random.random((len(gold), len(themes))) ** 4
    for row, true in enumerate(labels):
        said[row, true] = random.random(len(true)) ** 0.5
    uncounted = [
        (row, column[theme])
        for row, (themes_, optional) in enumerate(gold.values())
        for theme in optional
        if theme not in themes_
    ]
    tags = {name: [themes[number] for number in np.flatnonzero(said[row] >= 0.5)] for row, name in enumerate(gold)}
    world = judged(said.tolist(), labels, uncounted)
    occasion = [column[theme] for theme in themes if theme in score.OCC]
    for columns in (None, occasion, [number for number in column.values() if number not in occasion]):
        chosen = None if columns is None else {themes[number] for number in columns}
        expected, found = score.score(gold, tags, chosen), values(world, columns)
        for ours, theirs in (("micro_f1", "micro"), ("macro_f1", "macro"), ("samples_f1", "samples")):
            assert found[ours] == pytest.approx(expected[theirs] / 100, abs=5.1e-4)
