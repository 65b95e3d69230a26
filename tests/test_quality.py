"""How good the tags of the shipped seeds are: a change that alters them is to be seen."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from tagger.training import train
from tests.conftest import REPOSITORY

EXPECTED = tomllib.loads((REPOSITORY / "scripts" / "bench" / "expected.toml").read_text(encoding="utf-8"))


def test_the_shipped_seeds_train_as_well_as_before(tmp_path: Path) -> None:
    """Held-out figures of a model of the shipped seeds are within the table's tolerance, and so is what is auto."""
    ignored = shutil.ignore_patterns("added", "checked.yaml")
    seeds = shutil.copytree(REPOSITORY / "seeds", tmp_path / "seeds", ignore=ignored)
    report = train(Path(seeds), tmp_path / "models").report
    for kind, row in report["held_out"].items():
        expected = EXPECTED[f"training-{kind.replace('_', '-')}"]
        tolerance = expected["tolerance"] / 100
        for name in ("micro_f1", "macro_f1", "auto_share", "auto_precision"):
            assert row[name] == pytest.approx(expected[name] / 100, abs=tolerance), (kind, name)
