"""Measure the start: a cold `tagger tag`, a service until it is ready, and the memory of its workers.

Run it with the environment's python: .venv/bin/python scripts/bench/start.py [--models models] [--rounds 5]

Cold starts are those of new processes with the files in the machine's cache, and compiled Python beside its source, as
an installation has it. `tagger tag` stands beside a Python that only imports NumPy, and one that loads the version's
scikit-learn pipeline with joblib and scores one text. Rounds take turns; printed are medians and ranges. The memory of
a worker is what no other process shares, after 200 requests, less that of a FastAPI application that imports NumPy.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = "Ministers agreed new sanctions on arms dealers."
REQUESTS = 200
HOST, PORT = "127.0.0.1", 20_660
UVICORN = ["-m", "uvicorn", "--factory", "--port", str(PORT), "--loop", "asyncio"]
QUIET = ["--no-access-log", "--log-level", "warning"]

PIPELINE = f"""
import joblib, sys
model = joblib.load(sys.argv[1])
model.decision_function([{TEXT!r}])
"""


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description="Measure cold starts and the memory of workers.")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ["TAGGER_MODELS"] = str(given.models.resolve())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print_commands(given.models, given.rounds)
    print_service(given.rounds)
    print_memory(given.rounds)


def print_commands(models: Path, rounds: int) -> None:
    """Print what cold commands take."""
    live = json.loads((models / "live").read_text(encoding="utf-8"))["version"]
    commands = {
        "tagger tag": [sys.executable, "-m", "tagger", "tag", TEXT],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "scikit-learn pipeline": [sys.executable, "-c", PIPELINE, str(models / live / "pipeline.joblib")],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            seconds = run(command)
            if number:  # the first round fills the caches
                taken[name].append(seconds)
    print("| cold command | wall s | CPU s |\n|---|--:|--:|")
    for name, each in taken.items():
        wall, cpu = zip(*each, strict=True)
        print(f"| {name} | {spread(wall, 2)} | {spread(cpu, 2)} |")


def print_service(rounds: int) -> None:
    """Print how long a service takes until it is ready."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, seconds in taken.items():
            command = ["-m", "tagger", "serve", "--port", str(PORT), "--workers", str(workers)]
            started = time.perf_counter()
            with running(command, "/health/ready"):
                seconds.append(time.perf_counter() - started)
    print("\n| workers | start until ready, s |\n|--:|--:|")
    for workers, seconds in taken.items():
        print(f"| {workers} | {spread(seconds, 2)} |")


def print_memory(rounds: int) -> None:
    """Print what a worker has in memory for itself, and what the same without tagger has."""
    folder = ["--app-dir", str(Path(__file__).parent)]
    commands = {
        "FastAPI and NumPy": ([*UVICORN, *QUIET, *folder, "start:without_tagger"], "/v1/tags"),
        "a worker": ([*UVICORN, *QUIET, "tagger.service.app:app_from_environment"], "/v1/tags"),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, path) in commands.items():
            with running(command, "/health/ready") as process:
                for _ in range(REQUESTS):
                    ask(path, json.dumps({"text": TEXT * 60}).encode())
                found[name].append(memory(process.pid))
    print("\n| process, after 200 requests | private MiB | shared MiB |\n|---|--:|--:|")
    for name, each in found.items():
        private, shared = zip(*each, strict=True)
        print(f"| {name} | {spread(private, 1)} | {spread(shared, 1)} |")
    more = [one[0] - other[0] for one, other in zip(found["a worker"], found["FastAPI and NumPy"], strict=True)]
    print(f"| the difference | {spread(more, 1)} | |")


def without_tagger() -> Any:
    """Return an application that imports NumPy and answers a document with no model."""
    import numpy  # noqa: F401
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Given(BaseModel):
        text: str

    globals()["Given"] = Given  # where FastAPI looks annotations up
    app = FastAPI()

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/v1/tags")
    async def tags(given: Given) -> Given:
        return given

    return app


def run(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return its wall and its processor time."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def running(arguments: Sequence[str], path: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, and go on as soon as it answers a path with success."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while ask(path) != 200:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The server did not start on port {PORT}: {' '.join(command)}")
            time.sleep(0.01)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def ask(path: str, body: bytes | None = None) -> int:
    """Return the status of an answer, 0 where there is none."""
    request = urllib.request.Request(f"http://{HOST}:{PORT}{path}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            response.read()
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, ConnectionError):
        return 0


def memory(process: int) -> tuple[float, float]:
    """Return the private and the shared memory of a process in MiB."""
    sizes = {"Private": 0, "Shared": 0}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        kind, _, rest = line.partition("_")
        if kind in sizes and rest.startswith(("Clean:", "Dirty:")):
            sizes[kind] += int(rest.split()[1])
    return sizes["Private"] / 1024, sizes["Shared"] / 1024


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median of values, and their range."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
