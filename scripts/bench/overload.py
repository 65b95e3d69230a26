"""Measure what the service does with three times the requests it can answer.

Run it with the environment's python: .venv/bin/python scripts/bench/overload.py [--models models] [--seconds 20]

Starts `tagger serve` with one worker. For each kind of request a client of this program, in a process of its own,
first finds what the worker can answer (closed loop: each of a few connections asks again as soon as it is answered).
Then it offers three times that at a fixed rate (open loop): requests are due at times that do not depend on answers,
take any free connection or a new one, and their time counts from when they were due. It honours no Retry-After. While
it does, /health/live is asked once a second. When it ends, normal requests at a low rate show how soon all is as
before: within the first half second with no 503 and a p99 of at most twice the one before the load.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import math
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
CHARACTERS = 3000
TIMES = 3
CONNECTIONS = 8
MOST_CONNECTIONS = 8000
MOST_OPENED = 100
"""In a millisecond."""
NONE = {"count": 0, "per_second": 0.0, "p50": 0.0, "p99": 0.0}
NORMAL_RATE = 100
NOISE_MS = 10.0
"""A p99 below this counts as normal: one turn of another process on the core is as long."""


def main() -> None:
    """Print a column for each kind of request."""
    parser = argparse.ArgumentParser(description="Offer the service three times what it can answer.")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    text = long_text()
    kinds = {"3 KB": {"text": text}, "3 KB, explain": {"text": text, "explain": True}}
    rows: dict[str, list[str]] = defaultdict(list)
    for body in kinds.values():
        with Service(given.models) as service:
            for name, value in overload(service, json.dumps(body), given.seconds).items():
                rows[name].append(value)
    print(f"| one worker, {TIMES} times its capacity for {given.seconds:g} s | {' | '.join(kinds)} |")
    print(f"|---|{'--:|' * len(kinds)}")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(values)} |")


def long_text() -> str:
    """Return a text cut from the starter seeds."""
    with (REPOSITORY / "seeds" / "starter.jsonl").open(encoding="utf-8") as seeds:
        return str(max((json.loads(line)["text"] for line in seeds), key=len)[:CHARACTERS])


def overload(service: Service, body: str, seconds: float) -> dict[str, str]:
    """Return what was measured, ready to be shown."""
    service.client(body, seconds=2.0)  # it warms up
    alone, started = service.cpu(), time.monotonic()
    capacity = service.client(body, seconds=5.0)["200"]["per_second"]
    share = (service.cpu() - alone) / (time.monotonic() - started)
    normal = service.client(body, seconds=5.0, rate=NORMAL_RATE)
    before = service.rss()
    alone, started = service.cpu(), time.monotonic()
    with Watch(service) as watch:
        load = service.client(body, seconds=seconds, rate=TIMES * capacity)
    share_under_load = (service.cpu() - alone) / (time.monotonic() - started)
    after_load = service.client(body, seconds=5.0, rate=NORMAL_RATE)
    time.sleep(1)
    answered, refused = load["200"], load.get("503", NONE)
    failed = sum(load[status]["count"] for status in load if status not in ("200", "503", "halves"))
    return {
        "capacity, requests/s": f"{capacity:,.0f}",
        "offered, requests/s": f"{TIMES * capacity:,.0f}",
        "answered, requests/s": f"{answered['per_second']:,.0f}",
        "answered of capacity": f"{answered['per_second'] / capacity:.2f}",
        "processor of the server: capacity, load": f"{share:.2f}, {share_under_load:.2f}",
        "refused (503), requests/s": f"{refused['per_second']:,.0f}",
        "failed, all in all": f"{failed:,}",
        "p50 / p99 of the answered, ms": f"{answered['p50']:.0f} / {answered['p99']:.0f}",
        "p50 / p99 of the refused, ms": f"{refused['p50']:.0f} / {refused['p99']:.0f}",
        "p50 / p99 before, ms": f"{normal['200']['p50']:.1f} / {normal['200']['p99']:.1f}",
        "liveness: answered of asked, slowest ms": f"{watch.alive} of {watch.asked}, {watch.slowest_ms:.0f}",
        "memory before / most / after, MiB": f"{before:.0f} / {watch.rss:.0f} / {service.rss():.0f}",
        "as before after, s": recovered(after_load["halves"], 2 * normal["200"]["p99"]),
    }


def recovered(halves: list[float], most_ms: float) -> str:
    """Return after how many seconds the first half second begins with such a p99 and no refusal."""
    well = (number / 2 for number, p99_ms in enumerate(halves) if p99_ms <= max(most_ms, NOISE_MS))
    return next((f"{seconds:g}" for seconds in well), "over 5")


class Service:
    """`tagger serve` on a free port of this machine, with a state of its own; its log is in `log`."""

    def __init__(self, models: Path, workers: int = 1, port: int = 0, **settings: object) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.log = folder / "log"
        self.port = port or free_port()
        environment = os.environ | {f"TAGGER_{name.upper()}": str(value) for name, value in settings.items()}
        program = Path(sys.executable).with_name("tagger")
        options = ["--models", str(models.resolve()), "--port", str(self.port), "--workers", str(workers)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", *options, "--state", folder / "state"],
                env=environment, stderr=log, cwd=folder, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Service:
        deadline = time.monotonic() + 60
        while self.ask("/health/ready") != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                print(self.log.read_text(encoding="utf-8"), file=sys.stderr)
                self.__exit__()
                raise SystemExit("The service did not start. Is there a live version?")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self._folder.cleanup()

    def ask(self, path: str, timeout: float = 30.0) -> int:
        """Return the status of an answer, 0 where there is none."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def cpu(self) -> float:
        """Return the processor time of its first process so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> float:
        """Return the resident memory of its processes in MiB."""
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError, KeyError):
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
                if os.getsid(int(fields["Pid"])) == self.process.pid:
                    total += int(fields["VmRSS"].split()[0])
        return total / 1024

    def start_client(self, body: str, seconds: float, rate: float = 0.0) -> subprocess.Popen[str]:
        """Begin to ask for a while: at a rate, or as fast as answers come."""
        options = json.dumps({"port": self.port, "body": body, "seconds": seconds, "rate": rate})
        client = subprocess.Popen(
            [sys.executable, __file__, "--client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert client.stdin
        client.stdin.write(options)
        client.stdin.close()
        return client

    def client(self, body: str, seconds: float, rate: float = 0.0) -> dict[str, Any]:
        """Ask for a while and return what came, by status."""
        return results(self.start_client(body, seconds, rate))


def results(client: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a client measured, when it has."""
    assert client.stdout
    said: dict[str, Any] = json.loads(client.stdout.read())
    client.wait()
    return said


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Watch:
    """Asks once a second whether a service is alive, and looks at its memory more often."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.asked = self.alive = 0
        self.slowest_ms = self.rss = 0.0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._look)]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stopped.wait(1.0):
            started = time.perf_counter()
            self.alive += self._service.ask("/health/live") == 200
            self.asked += 1
            self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - started) * 1000)

    def _look(self) -> None:
        while not self._stopped.wait(0.25):
            self.rss = max(self.rss, self._service.rss())


# The client


class Connection(asyncio.Protocol):
    """Sends one request at a time; `done` is called with the answer's status, 0 where the connection is lost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._received = b""
        self._due: float | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        """Be ready."""
        self.transport = transport
        self._client.free(self)

    def send(self, due: float) -> None:
        """Send the request."""
        self._due = due
        self.transport.write(self._client.request)

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer."""
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        head = head.lower()
        if len(rest) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        due, self._due, self._received = self._due, None, b""
        assert due is not None
        self._client.done(due, int(head[9:12]))
        if b"\r\nconnection: close" in head:
            self.transport.close()
        else:
            self._client.free(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Count a request that has no answer."""
        self._client.lost(self, self._due)


class Client:
    """Asks for a while, at a rate or as fast as answers come."""

    def __init__(self, port: int, body: str, seconds: float, rate: float) -> None:
        content = body.encode()
        head = f"Host: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.request = b"POST /v1/tags HTTP/1.1\r\n" + head.encode() + content
        self._port, self._seconds, self._rate = port, seconds, rate
        self._free: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self._connections = 0
        self._answers: list[tuple[float, float, int]] = []

    async def run(self) -> list[tuple[float, float, int]]:
        """Return when each request was due, how many ms later it was answered, and with which status."""
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._start = time.perf_counter()
        wanted = 0 if self._rate else CONNECTIONS
        for _ in range(wanted):
            self._open()
        sent = 0
        while (now := time.perf_counter() - self._start) < self._seconds:
            while self._rate and sent < now * self._rate:
                self._due.append(sent / self._rate)
                sent += 1
            self._send()
            await asyncio.sleep(0.001)
        total = sent if self._rate else 0
        deadline = time.perf_counter() + 10
        while len(self._answers) < total and time.perf_counter() < deadline:
            self._send()
            await asyncio.sleep(0.01)
        missing = [(self._seconds, math.inf, 0)] * max(0, total - len(self._answers))
        return self._answers + missing

    def _send(self) -> None:
        while self._due and self._free:
            connection = self._free.pop()
            if not connection.transport.is_closing():
                connection.send(self._due.popleft())
        for _ in range(min(len(self._due) - len(self._opening), MOST_CONNECTIONS - self._connections, MOST_OPENED)):
            self._open()

    def _open(self) -> None:
        self._connections += 1
        task = self._loop.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        try:
            await self._loop.create_connection(lambda: Connection(self), HOST, self._port)
        except OSError:
            self._connections -= 1

    def free(self, connection: Connection) -> None:
        """Have a connection send what is due."""
        if self._rate:
            self._free.append(connection)
        elif (now := time.perf_counter() - self._start) < self._seconds:
            connection.send(now)

    def done(self, due: float, status: int) -> None:
        """Note an answer."""
        self._answers.append((due, (time.perf_counter() - self._start - due) * 1000, status))

    def lost(self, connection: Connection, due: float | None) -> None:
        """Note a connection that is no more."""
        self._connections -= 1
        with contextlib.suppress(ValueError):
            self._free.remove(connection)
        if due is not None:
            self.done(due, 0)


def serve_as_client() -> None:
    """Do what standard input says and print what came of it."""

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    given = json.load(sys.stdin)
    by_status: dict[str, list[float]] = defaultdict(list)
    in_time: dict[str, int] = defaultdict(int)
    halves: list[list[float]] = []
    for due, ms, status in asyncio.run(Client(**given).run()):
        by_status[str(status)].append(ms)
        in_time[str(status)] += due + ms / 1000 <= given["seconds"]
        while len(halves) <= due * 2:
            halves.append([])
        halves[int(due * 2)].append(ms if status == 200 else math.inf)
    said: dict[str, Any] = {"200": NONE}
    for name, times in by_status.items():
        times.sort()
        said[name] = {
            "count": len(times),
            "per_second": in_time[name] / given["seconds"],
            "p50": times[len(times) // 2],
            "p99": p99(times),
        }
    said["halves"] = [p99(half) for half in halves]
    print(json.dumps(said))


def p99(times: list[float]) -> float:
    """Return what one in a hundred is not below; infinite where one had another answer than 200."""
    ordered = sorted(times) or [0.0]
    return ordered[-1] if math.isinf(ordered[-1]) else ordered[int(len(ordered) * 0.99)]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        serve_as_client()
    else:
        main()
