"""Compare two versions on a large archive: time, memory, flips, and the time of tagging it with both.

Run it with the environment's python:
    .venv/bin/python scripts/bench/diff.py [--documents 100000] [--rounds 1] [--theme counterterrorism]
Two versions are trained: on the seeds, and on the seeds without every other one of a theme. The documents are some
seeds joined, without some of their paragraphs, as long as releases are. `tagger models diff` and `tagger archive` with
either version take turns, on all cores; the ratio of each round is printed, and the median. One process must find the
same on the first documents as all cores do. Then three flips are explained.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from archive import BIN, SAMPLE_SECONDS, memory

from tagger.training import train

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
SEEDS_JOINED = (3, 6)
PARAGRAPHS_KEPT = 0.9
CHECKED = 3_000
"""Documents on which one process is checked against all cores."""

EXPLAINED = 3
TERMS = 5


def main() -> int:
    """Print the figures; 1 where one process finds something else."""
    options = parsed()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        names = versions(folder, options.theme)
        archive = folder / "archive.jsonl"
        size = write_archive(archive, options.documents)
        cores = len(os.sched_getaffinity(0))
        print(f"{options.documents:,} documents of {size / options.documents:,.0f} bytes on average, {cores} cores")
        ratios = [one_round(folder, archive, names, options.documents) for _ in range(options.rounds)]
        print(f"  tagging with both against diff: {statistics.median(ratios):.2f}")
        show(folder / "diff.jsonl")
        return 0 if same(folder, archive, names) else 1


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--theme", default="counterterrorism", help="loses half of its seeds")
    parser.add_argument("--folder", help="where the files stand meanwhile")
    return parser.parse_args()


def versions(folder: Path, theme: str) -> list[str]:
    """Train two versions; return their names."""
    seeds = [json.loads(line) for line in (SEEDS / "starter.jsonl").read_text(encoding="utf-8").splitlines()]
    with_theme = [seed["id"] for seed in seeds if theme in seed["themes"]]
    left_out = set(with_theme[::2])
    return [
        trained(folder, name, [seed for seed in seeds if seed["id"] not in without])
        for name, without in (("all", set()), ("fewer", left_out))
    ]


def trained(folder: Path, name: str, seeds: list[dict[str, Any]]) -> str:
    """Train a version on seeds; return its name."""
    place = folder / name
    place.mkdir()
    (place / "themes.yaml").write_bytes((SEEDS / "themes.yaml").read_bytes())
    (place / "seeds.jsonl").write_text("".join(f"{json.dumps(seed)}\n" for seed in seeds), encoding="utf-8")
    return train(place, folder / "models", promote=False).version.name


def write_archive(archive: Path, documents: int) -> int:
    """Write so many records; return their size in bytes."""
    seeds = [json.loads(line) for line in (SEEDS / "starter.jsonl").read_text(encoding="utf-8").splitlines()]
    chance = random.Random(0)
    with archive.open("w", encoding="utf-8") as out:
        for number in range(documents):
            chosen = chance.sample(seeds, chance.randrange(*SEEDS_JOINED))
            paragraphs = itertools.chain.from_iterable(seed["text"].split("\n\n") for seed in chosen)
            text = "\n\n".join(part for part in paragraphs if chance.random() < PARAGRAPHS_KEPT)
            record = {"id": f"release-{number:06}", "title": chosen[0]["title"], "text": text or chosen[0]["text"]}
            out.write(f"{json.dumps(record)}\n")
    return archive.stat().st_size


def one_round(folder: Path, archive: Path, names: list[str], documents: int) -> float:
    """Print the time and memory of a comparison, and the time of tagging with both; return the ratio."""
    before = cpu()
    seconds, peak = timed(diff(folder, archive, names), folder / "diff.jsonl")
    rate = f"{documents / seconds:,.0f} documents/s, {1e3 * (cpu() - before) / documents:.2f} ms of a core each"
    print(f"  diff: {seconds:.1f} s, {rate}, all processes at most {peak:,.0f} MiB")
    tagging, before = 0.0, cpu()
    for name in names:
        command = ["archive", archive, "--out", folder / f"{name}.jsonl", "--model", name, "--overwrite"]
        taken, peak = timed([*map(str, command), "--models", str(folder / "models")], folder / "none")
        tagging += taken
    cost = f"{1e3 * (cpu() - before) / documents:.2f} ms of a core for each document"
    print(f"  tagging with both: {tagging:.1f} s, {cost}, at most {peak:,.0f} MiB")
    return tagging / seconds


def diff(folder: Path, archive: Path, names: list[str], *options: str) -> list[str]:
    """Return the command that compares."""
    return ["models", "diff", *names, "--on", str(archive), "--models", str(folder / "models"), *options]


def timed(arguments: list[str], out: Path) -> tuple[float, float]:
    """Run the program; return its seconds, and the peak of the memory of all its processes in MiB."""
    started, peak = time.monotonic(), 0.0
    with out.open("wb") as stream:
        process = subprocess.Popen([str(BIN / "tagger"), *arguments], stdout=stream, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"tagger {' '.join(arguments[:2])} ended with {process.returncode}.")
    return time.monotonic() - started, peak


def cpu() -> float:
    """Return the seconds of a core that finished programs have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(found: Path) -> None:
    """Print what changed, and the most consequential flips of a few themes, explained."""
    with found.open(encoding="utf-8") as lines:
        summary = json.loads(next(lines))
        counts = ", ".join(f"{summary[name]:,} {name}" for name in ("gained", "lost", "to_auto", "to_review", "kept"))
        print(f"  {summary['texts_changed']:,} texts change: {counts}")
        by_theme = itertools.groupby(map(json.loads, lines), key=lambda flip: flip["theme"])
        for theme, flips in itertools.islice(by_theme, EXPLAINED):
            explain(theme, next(flips))


def explain(theme: str, flip: dict[str, Any]) -> None:
    """Print a flip: both states, the terms that moved the margin most, and all its parts."""
    states = " -> ".join(
        f"{state['decision']} ({state['probability']:.3f} of {state['threshold']:.3f})"
        for state in (flip["before"], flip["after"])
    )
    margin = flip["margin"]
    print(f"\n{theme}, {flip['id']} {flip['title']!r}\n  {flip['change']}: {states}")
    print(f"  margin to the {margin['to']}: {margin['before']:+.3f} -> {margin['after']:+.3f}")
    for term in margin["terms"][:TERMS]:
        parts = ", ".join(f"{name} {term[name]:+.3f}" for name in ("weight", "card", "value", "slope"))
        print(f"    {term['term']:<20} {term['change']:+.3f} ({parts})")
    print("    in all: " + ", ".join(f"{name} {part:+.3f}" for name, part in margin["parts"].items()))


def same(folder: Path, archive: Path, names: list[str]) -> bool:
    """Tell whether one process finds what all cores do, on the first documents."""
    part, found = folder / "part.jsonl", []
    with archive.open("rb") as lines:
        part.write_bytes(b"".join(itertools.islice(lines, CHECKED)))
    for workers in ("1", str(len(os.sched_getaffinity(0)))):
        out = folder / f"{workers}.jsonl"
        timed(diff(folder, part, names, "--workers", workers), out)
        found.append(out.read_bytes())
    print("\none process finds the same" if found[0] == found[1] else "\none process finds SOMETHING ELSE")
    return found[0] == found[1]


if __name__ == "__main__":
    sys.exit(main())
