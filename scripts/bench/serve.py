"""Measure the service: requests per second, latency and CPU time of tagging, beside routes that have no model.

Run it with the environment's python: .venv/bin/python scripts/bench/serve.py [--models models] [--rounds 5]

Each server has, beside the route that tags, a plain FastAPI route that takes the same body and gives a constant answer
of the same shape and size. `wrk` (apt-get install wrk) asks both in turn; where it is absent, a simple client in
Python does, in a process of its own; it is slower than the service, which hides a part of the difference. Prints
medians over the rounds, and the median and range of the ratio of tagging to the route without a model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
CONNECTIONS = 8
SECONDS = 2.0
TEXTS = {"300 characters": 300, "3 KB": 3000}
TAGS = "/v1/tags"
HOST, PORT = "127.0.0.1", 20_650
JSON = {"Content-Type": "application/json"}
TICKS = os.sysconf("SC_CLK_TCK")

WRK = re.compile(r"Distribution\s+50%\s+(?P<p50>\S+)[\s\S]*99%\s+(?P<p99>\S+)[\s\S]*Requests/sec:\s+(?P<rate>\S+)")
MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Load(NamedTuple):
    """What a client measured, and what the server spent on each request meanwhile."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def main() -> None:
    """Print two rows for each number of workers and each length of text."""
    parser = argparse.ArgumentParser(description="Measure the service beside a route without a model.")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (apt-get install wrk); a simple client in Python asks instead.")
    print(f"{CONNECTIONS} connections, {given.rounds} rounds of {SECONDS:g} s each; medians.\n")
    print("| workers | text | route | requests/s | p50 ms | p99 ms | CPU us | requests/s beside no model (range) |")
    print("|--:|---|---|--:|--:|--:|--:|--:|")
    for workers in (1, 2):
        with Server(given.models, workers) as server:
            for name, text in texts().items():
                compare(server, f"{workers} | {name}", text, given.rounds)


def texts() -> dict[str, str]:
    """Return a text of each length, cut from the starter seeds."""
    with (REPOSITORY / "seeds" / "starter.jsonl").open(encoding="utf-8") as seeds:
        longest = max((json.loads(line)["text"] for line in seeds), key=len)
    return {name: longest[:characters] for name, characters in TEXTS.items()}


def compare(server: Server, name: str, text: str, rounds: int) -> None:
    """Print what the two routes take for one text."""
    body = json.dumps({"text": text}).encode()
    routes = {"no model": without_model(text), "tags": TAGS}
    loads: dict[str, list[Load]] = {route: [] for route in routes}
    for _ in range(rounds):
        for route, path in routes.items():
            loads[route].append(server.ask(path, body))
    pairs = zip(loads["tags"], loads["no model"], strict=True)
    ratios = [tags.per_second / bare.per_second for tags, bare in pairs]
    for route, measured in loads.items():
        rate, p50, p99, cpu = (median(values) for values in zip(*measured, strict=True))
        share = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if route == "tags" else ""
        print(f"| {name} | {route} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {cpu:.0f} | {share} |", flush=True)


# The server


class Server:
    """The service on a port of this machine, in processes of its own."""

    def __init__(self, models: Path, workers: int) -> None:
        environment = os.environ | {"TAGGER_MODELS": str(models.resolve())}
        options = ["--factory", "--port", str(PORT), "--workers", str(workers), "--loop", "asyncio"]
        quiet = [
            "--http",
            "tagger.service.protocol:Protocol",
            "--ws",
            "none",
            "--no-access-log",
            "--log-level",
            "warning",
            "--no-server-header",
        ]
        command = [sys.executable, "-m", "uvicorn", "serve:application", "--app-dir", str(Path(__file__).parent)]
        self._process = subprocess.Popen([*command, *options, *quiet], env=environment, start_new_session=True)

    def __enter__(self) -> Server:
        deadline = time.monotonic() + 60
        while not answers("/health/ready"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise SystemExit(f"The service did not start on port {PORT}; is it in use, is there a live version?")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait()

    def ask(self, path: str, body: bytes) -> Load:
        """Ask one route for a while."""
        client = wrk if shutil.which("wrk") else simple_client
        before, started = self._cpu_seconds(), time.perf_counter()
        per_second, p50, p99 = client(path, body)
        requests = per_second * (time.perf_counter() - started)
        return Load(per_second, p50, p99, (self._cpu_seconds() - before) / requests * 1e6)

    def _cpu_seconds(self) -> float:
        """Return the processor time of all processes of the server so far."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if int(fields[3]) == self._process.pid:  # the session
                total += int(fields[11]) + int(fields[12])
        return total / TICKS


def application() -> Any:
    """Return the service's application with a route without a model for each text; each worker calls this."""
    from tagger.documents import Document
    from tagger.registry import Registry
    from tagger.service.app import app_from_environment
    from tagger.service.schemas import TaggedText
    from tagger.tagging import Tagger

    app = app_from_environment()
    tagger = Tagger.load(Registry(Path(os.environ["TAGGER_MODELS"])).live())
    for text in texts().values():
        answer = TaggedText(**tagger.tag(Document("1", text)).as_record())
        app.post(without_model(text), response_model=TaggedText, response_model_exclude_unset=True)(constant(answer))
        # Before all others, which the router would try in vain.
        app.router.routes.insert(0, app.router.routes.pop())
    return app


def constant(answer: Any) -> Any:
    """Return the function of a route that gives one answer to any document."""
    from tagger.service.schemas import TagRequest

    async def route(given: Any) -> Any:  # noqa: ARG001
        return answer

    route.__annotations__ = {"given": TagRequest}
    return route


def without_model(text: str) -> str:
    """Return the path of the route that answers a text without a model."""
    return f"/no-model/{len(text)}"


def answers(path: str) -> bool:
    """Tell whether the service answers a path with success."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{PORT}{path}", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


# The clients


def wrk(path: str, body: bytes) -> tuple[float, float, float]:
    """Ask with wrk; return requests per second, and the median and 99th percentile of the latency in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = {lua(body)}\n')
        script.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS:g}s", "--latency", "-s", script.name]
        said = subprocess.run(["wrk", *options, f"http://{HOST}:{PORT}{path}"], capture_output=True, text=True).stdout
    if "Non-2xx" in said or (found := WRK.search(said)) is None:
        raise SystemExit(f"wrk was not answered as expected:\n{said}")
    return float(found["rate"]), milliseconds(found["p50"]), milliseconds(found["p99"])


def lua(content: bytes) -> str:
    """Return bytes as a string of Lua."""
    return '"' + "".join(f"\\{byte:03d}" for byte in content) + '"'


def milliseconds(said: str) -> float:
    """Return a time as wrk writes it."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return float(number) * MILLISECONDS[unit]


def simple_client(path: str, body: bytes) -> tuple[float, float, float]:
    """Ask with a client of this program in another process; return the same."""
    run = subprocess.run([sys.executable, __file__, "--client", path], input=body, capture_output=True, check=True)
    per_second, p50, p99 = json.loads(run.stdout)
    return per_second, p50, p99


async def ask_for_a_while(path: str, body: bytes) -> tuple[float, float, float]:
    """Ask over several connections, each as fast as it is answered."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(HOST, PORT)
        while (started := time.perf_counter()) < end:
            writer.write(head.encode() + body)
            said = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", said)
            if not said.startswith(b"HTTP/1.1 200 ") or length is None:
                raise SystemExit(f"{path} answered {said!r}")
            await reader.readexactly(int(length[1]))
            times.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    centiles = quantiles(times, n=100)
    return len(times) / SECONDS, centiles[49] * 1000, centiles[98] * 1000


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        print(json.dumps(asyncio.run(ask_for_a_while(sys.argv[2], sys.stdin.buffer.read()))))
    else:
        main()
