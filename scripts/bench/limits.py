"""Measure what an installation promises: start of the help, training time, memory of a worker, size on disk.

Run it with the environment's python: .venv/bin/python scripts/bench/limits.py
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = 5
PORT = 18765


def main() -> None:
    """Print each figure beside its limit."""
    tagger = str(Path(sys.executable).with_name("tagger"))
    show("tagger --help, CPU seconds (median of 5)", help_seconds(tagger), 0.15)
    show("installed packages without bytecode, MiB", installed_mib(), 280)
    with tempfile.TemporaryDirectory() as models:
        show("training on the shipped seeds, seconds", training_seconds(tagger, models), 60)
        show("resident memory of a service worker after 200 requests, MiB", worker_mib(tagger, models), 250)


def show(what: str, value: float, limit: float) -> None:
    """Print a figure and its limit."""
    print(f"{what}: {value:.2f} (limit {limit:g}){'' if value <= limit else '  OVER'}")


def help_seconds(tagger: str) -> float:
    """Return the median CPU time of `tagger --help`."""
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([tagger, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return sorted(times)[RUNS // 2]


def installed_mib() -> float:
    """Return the size of what tagger itself needs, without pip and the developers' tools."""
    from importlib.metadata import distribution, requires

    waiting, seen, total = ["tagger"], {"tagger"}, 0
    while waiting:
        name = waiting.pop()
        for file in distribution(name).files or ():
            path = Path(str(file.locate()))
            total += path.stat().st_size if path.is_file() and path.suffix != ".pyc" else 0
        for line in requires(name) or ():
            needed = line.split(";")[0].split("[")[0].strip(" ()").split(" ")[0]
            for sign in "<>=!~":
                needed = needed.split(sign)[0]
            if "extra ==" not in line and needed not in seen and installed(needed):
                seen.add(needed)
                waiting.append(needed)
    return total / 2**20


def installed(name: str) -> bool:
    """Tell whether a package is installed here; some are for other systems only."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


def training_seconds(tagger: str, models: str) -> float:
    """Return the wall time of training on the shipped seeds."""
    started = time.monotonic()
    command = [tagger, "train", "--seeds", str(REPOSITORY / "seeds"), "--models", models]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def worker_mib(tagger: str, models: str) -> float:
    """Return the resident memory of a service that has answered requests."""
    server = subprocess.Popen([tagger, "serve", "--port", str(PORT), "--models", models], stderr=subprocess.DEVNULL)
    try:
        wait_until_ready()
        text = next(iter((REPOSITORY / "seeds" / "starter.jsonl").open(encoding="utf-8")))
        body = json.dumps({"text": json.loads(text)["text"], "explain": True}).encode()
        for _ in range(200):
            post(body)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(resident.split()[1]) / 1024
    finally:
        server.terminate()
        server.wait()


def wait_until_ready() -> None:
    """Wait for the service, half a minute at most."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready").close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The service did not become ready.")


def post(body: bytes) -> None:
    """Send one request and read its answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/tags", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        response.read()


if __name__ == "__main__":
    os.environ.pop("TAGGER_MODELS", None)
    main()
