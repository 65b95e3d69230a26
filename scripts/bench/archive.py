"""Tag a large archive: rate, peak memory, and whether a run that is killed three times ends with the same bytes.

Run it with the environment's python: .venv/bin/python scripts/bench/archive.py RELEASES.jsonl[.gz] [DOCUMENTS]
The records of the file are repeated until there are DOCUMENTS of them (20,000 unless told).
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
KILLED_AT = (0.1, 0.4, 0.75)
"""Parts of the output after which the second run is killed."""


def main(source: str, documents: str = "20000") -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.jsonl"
        size = write_archive(Path(source), archive, int(documents))
        whole, killed = Path(folder) / "whole.jsonl", Path(folder) / "killed.jsonl"
        started = time.monotonic()
        subprocess.run(command(archive, whole), check=True, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{int(documents):,} documents, {size / 1e6:.0f} MB: {seconds:.1f} s, {int(documents) / seconds:.0f}/s")
        print(f"{size / 1e6 / seconds:.2f} MB/s, peak memory {peak:.0f} MiB")
        for part in KILLED_AT:
            kill_after(command(archive, killed), killed.with_name("killed.jsonl.part"), part * whole.stat().st_size)
        subprocess.run(command(archive, killed), check=True, stderr=subprocess.DEVNULL)
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (whole, killed)]
        print(f"sha256 {digests[0]} uninterrupted\nsha256 {digests[1]} killed with -9 three times and resumed")
        print("equal" if digests[0] == digests[1] else "DIFFERENT")


def command(archive: Path, out: Path) -> list[str]:
    """Return the command that tags the archive."""
    tagger = str(Path(sys.executable).with_name("tagger"))
    return [tagger, "archive", str(archive), "--out", str(out), "--models", str(REPOSITORY / "models")]


def write_archive(source: Path, archive: Path, documents: int) -> int:
    """Write so many records; return their size in bytes."""
    content = source.read_bytes()
    lines = (gzip.decompress(content) if source.suffix == ".gz" else content).splitlines(keepends=True)
    with archive.open("wb") as out:
        out.writelines(itertools.islice(itertools.cycle(lines), documents))
    return archive.stat().st_size


def kill_after(run: list[str], part: Path, size: float) -> None:
    """Start a run and kill it once its unfinished output has this size."""
    process = subprocess.Popen(run, stderr=subprocess.DEVNULL)
    while not part.exists() or part.stat().st_size < size:
        if process.poll() is not None:
            raise SystemExit("The run ended before it could be killed; give more documents.")
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
