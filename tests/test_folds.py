"""Folds: what belongs together is held out together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.folds import group_texts, source_folds, stratified_folds

LONG = " ".join(f"word{first}{second}" for first in "abcdefgh" for second in "abcdefgh")


def test_near_duplicates_and_pages_are_grouped() -> None:
    """A text with one sentence changed joins its original's group; so do texts of one page; others stay apart."""
    texts = [
        LONG,
        LONG.replace("wordde", "changed"),
        "another text about fish and boats",
        "and one about trains",
        "x y",
    ]
    groups = group_texts(texts, [None, None, "page", "page", None])
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len({groups[0], groups[2], groups[4]}) == 3


def test_grouping_is_transitive() -> None:
    """Two texts that only share a neighbour share its group."""
    groups = group_texts([LONG, LONG.upper(), "something else entirely here now"], [None, "page", "page"])
    assert len(set(groups.tolist())) == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), min_size=12, max_size=60))
def test_stratified_folds_keep_groups_whole(rows: list[tuple[int, bool, bool]]) -> None:
    """Every text is held out exactly once, and never beside a training text of its group."""
    _, groups = np.unique([row[0] for row in rows], return_inverse=True)
    if groups.max() < 1:
        return
    folds = stratified_folds(np.array([row[1:] for row in rows]), groups, 0)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(len(rows)))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])


def test_folds_spread_a_rare_theme() -> None:
    """Five examples of a theme among a hundred texts land in five different folds."""
    theme_sets = np.zeros((100, 2), dtype=bool)
    theme_sets[:5, 0] = True
    theme_sets[50:, 1] = True
    folds = stratified_folds(theme_sets, np.arange(100), 0)
    assert [int(theme_sets[test, 0].sum()) for _, test in folds] == [1] * 5


def test_source_folds_hold_out_each_source() -> None:
    """Each source is held out once, and what shares a group with it is not trained on."""
    sources = ["us"] * 10 + ["uk"] * 10 + [None] * 5
    groups = np.arange(25)
    groups[10] = groups[0]
    (train, test), (train_uk, test_uk) = source_folds(sources, groups)[::-1]
    assert test.tolist() == list(range(10))
    assert train.tolist() == list(range(11, 25))
    assert test_uk.tolist() == list(range(10, 20))
    assert 0 not in train_uk


def test_one_source_gives_no_source_folds() -> None:
    """Where all seeds come from one source, or none says, there is nothing to hold out."""
    assert source_folds(["us"] * 10, np.arange(10)) == []
    assert source_folds([None] * 10, np.arange(10)) == []
