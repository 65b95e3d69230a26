"""Measure how often the promotion gate refuses a version that is no worse, beside a gate of plain 95% intervals.

Run it with the environment's python: .venv/bin/python scripts/bench/gate.py [--versions 16]

Versions are trained on the seeds without one to twenty of them, drawn at random; each is then judged against each
other one. None should be refused.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from itertools import permutations
from pathlib import Path

import numpy as np

from tagger.corpus import THEMES_FILE
from tagger.promotion import Verdict, judge
from tagger.registry import Registry
from tagger.training import train

MOST_LEFT_OUT = 20


def main() -> None:
    """Train the versions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=Path, default=Path("seeds"), help="folder with starter.jsonl")
    parser.add_argument("--versions", type=int, default=16)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder) / "models")
        train_versions(given.seeds, registry, given.versions)
        verdicts = judge_all(registry)
    below = sum(any(theme.candidate < theme.low for theme in verdict.themes) for verdict in verdicts)
    refused = sum(bool(verdict.objections) for verdict in verdicts)
    print(f"{len(verdicts)} promotions: {below} below the live version's interval, {refused} refused by the gate")


def train_versions(seeds: Path, registry: Registry, number: int) -> None:
    """Train on the seeds without some of them, others each time."""
    lines = (seeds / "starter.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(seeds / THEMES_FILE, folder)
        for _ in range(number):
            left_out = random.choice(len(lines), size=random.integers(1, MOST_LEFT_OUT + 1), replace=False)
            kept = [line for row, line in enumerate(lines) if row not in left_out]
            (Path(folder) / "starter.jsonl").write_text("".join(kept), encoding="utf-8")
            print(train(Path(folder), registry.folder, promote=False).version.name, flush=True)


def judge_all(registry: Registry) -> list[Verdict]:
    """Judge each version against each other one."""
    verdicts = []
    for live, candidate in permutations(registry.names(), 2):
        registry.promote(live)
        verdicts.append(judge(registry, candidate, []))
    return verdicts


if __name__ == "__main__":
    main()
