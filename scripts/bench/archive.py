"""Tag a large archive: rate and peak memory of one process against several, and whether kills change the output.

Run it with the environment's python:
    .venv/bin/python scripts/bench/archive.py RELEASES.jsonl[.gz] [--documents 200000] [--rounds 3] [--models models]
The records of the file are repeated until there are so many documents. The one and the several take turns; the ratio
of each round is printed, and the median. Then a run is killed three times with -9, one of its workers once, and it is
resumed each time. With the extra `dask`, a scheduler and two workers on 127.0.0.1 do the same work, and one worker is
killed with -9 halfway. All outputs must have the same sha256.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import itertools
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
KILLED_AT = (0.1, 0.4, 0.75)
"""Shares of the output after which a run is killed."""

SAMPLE_SECONDS = 0.2


def main() -> int:
    """Print the figures; 1 where an output differs."""
    options = parsed()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        archive, run = Path(folder, "archive.jsonl"), Run(Path(folder), options.models)
        size = write_archive(Path(options.source), archive, options.documents)
        print(f"{options.documents:,} documents, {size / 1e6:,.0f} MB, {run.cores} cores")
        digests = {}
        ratios = []
        for _ in range(options.rounds):
            seconds = {}
            for workers in (1, run.cores):
                seconds[workers], peak, digests[f"{workers} at once"] = run.timed(archive, workers)
                rate = options.documents / seconds[workers]
                print(
                    f"  {workers} at once: {seconds[workers]:8.1f} s {rate:8.0f} documents/s "
                    f"{size / 1e6 / seconds[workers]:6.2f} MB/s, peak memory of all processes {peak:,.0f} MiB"
                )
            ratios.append(seconds[1] / seconds[run.cores])
        print(f"  {run.cores} against 1: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        digests["killed with -9 and resumed"] = run.killed(archive)
        digests["a worker killed with -9, and resumed"] = run.worker_killed(archive)
        if importlib.util.find_spec("distributed"):
            digests["Dask, one of two workers killed with -9"] = run.on_dask(archive)
        for name, digest in digests.items():
            print(f"sha256 {digest} {name}")
        equal = len(set(digests.values())) == 1
        print("equal" if equal else "DIFFERENT")
        return 0 if equal else 1


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="JSON lines to repeat, plain or .gz")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parents[2] / "models")
    parser.add_argument("--folder", help="where the files stand meanwhile; they take about three times the archive")
    return parser.parse_args()


def write_archive(source: Path, archive: Path, documents: int) -> int:
    """Write so many records; return their size in bytes."""
    content = source.read_bytes()
    lines = (gzip.decompress(content) if source.suffix == ".gz" else content).splitlines(keepends=True)
    with archive.open("wb") as out:
        out.writelines(itertools.islice(itertools.cycle(lines), documents))
    return archive.stat().st_size


class Run:
    """Runs of `tagger archive` in one folder, each to the same output, which is digested and removed."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.cores = len(os.sched_getaffinity(0))
        self._models = models
        self._folder = folder
        self._out = folder / "tags.jsonl"
        self._part = folder / "tags.jsonl.part"
        self._size = 0

    def timed(self, archive: Path, workers: int) -> tuple[float, float, str]:
        """Return the seconds of a run, the peak of its memory in MiB, and the digest."""
        started = time.monotonic()
        process = self._start(archive, "--workers", str(workers))
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.monotonic() - started
        if process.returncode:
            raise SystemExit(f"The run ended with {process.returncode}.")
        self._size = self._out.stat().st_size
        return seconds, peak, self._digest()

    def killed(self, archive: Path) -> str:
        """Return the digest of a run that was killed several times."""
        for share in KILLED_AT:
            process = self._start(archive)
            self._until(share, process)
            process.kill()
            process.wait()
        return self._finished(archive)

    def worker_killed(self, archive: Path) -> str:
        """Return the digest of a run of which a worker was killed."""
        process = self._start(archive, "--workers", "2")
        self._until(0.5, process)
        os.kill(descendants(process.pid)[0], signal.SIGKILL)
        if not process.wait():
            raise SystemExit("The run did not notice that its worker was killed.")
        return self._finished(archive)

    def on_dask(self, archive: Path) -> str:
        """Return the digest of a run on a cluster of two workers, of which one is killed halfway."""
        with dask(self._folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard") as (_, said):
            address = found(r"tcp://(127\.0\.0\.1:\d+)", said)
            worker = ("worker", f"tcp://{address}", "--no-nanny", "--no-dashboard", "--nthreads", "1")
            with dask(self._folder, *worker) as (first, _), dask(self._folder, *worker):
                started = time.monotonic()
                process = self._start(archive, "--engine", f"dask://{address}")
                self._until(0.5, process)
                first.kill()
                if process.wait():
                    raise SystemExit("The run on Dask failed.")
                seconds = time.monotonic() - started
                print(f"  Dask, two workers of which one is killed halfway: {seconds:.1f} s")
        return self._digest()

    def _start(self, archive: Path, *options: str) -> subprocess.Popen[bytes]:
        command = [str(BIN / "tagger"), "archive", str(archive), "--out", str(self._out)]
        return subprocess.Popen([*command, "--models", str(self._models), *options], stderr=subprocess.DEVNULL)

    def _until(self, share: float, process: subprocess.Popen[bytes]) -> None:
        while not self._part.exists() or self._part.stat().st_size < share * self._size:
            if process.poll() is not None:
                raise SystemExit("The run ended before anything could be killed; give more documents.")
            time.sleep(0.01)

    def _finished(self, archive: Path) -> str:
        if self._start(archive).wait():
            raise SystemExit("The run that was to go on failed.")
        return self._digest()

    def _digest(self) -> str:
        with self._out.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._out.unlink()
        return digest


@contextmanager
def dask(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start a part of a cluster; yield it, and the file of what it says."""
    log = folder / f"dask-{time.monotonic_ns()}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([str(BIN / "dask"), *arguments], stdout=stream, stderr=stream, cwd=folder)
    try:
        yield process, log
    finally:
        process.kill()
        process.wait()


def found(pattern: str, file: Path) -> str:
    """Return what a file says, once it does."""
    while not (match := re.search(pattern, file.read_text(encoding="utf-8"))):
        time.sleep(0.1)
    return match[1]


def descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and those these have."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [one for child in map(int, children) for one in (child, *descendants(child))]


def memory(process: int) -> float:
    """Return the memory of a process and its descendants in MiB; what they share counts once."""
    total = 0
    for one in (process, *descendants(process)):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1]) if "Pss:" in rollup else 0  # type: ignore[index]
    return total / 1024


if __name__ == "__main__":
    sys.exit(main())
