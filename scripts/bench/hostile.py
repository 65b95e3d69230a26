"""Show what clients get that mean harm or know no better, and what others notice of them.

Run it with the environment's python: .venv/bin/python scripts/bench/hostile.py [--models models]

Starts `tagger serve` with one worker and a receive deadline of 5 s (TAGGER_RECEIVE_SECONDS; the default is 30), to be
done soon. For each kind of client prints what it was answered, after how many seconds, and whether the server closed
the connection (`reset` where it was cut off); p50 and p99 of a short text that is tagged a hundred times a second
meanwhile; and the memory afterwards. In the end it looks for tracebacks in the server's log.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import resource
import select
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from overload import HOST, REPOSITORY, Service, results

RECEIVE_SECONDS = 5
LORIS = 60
IDLE = 5_000
LONGEST = 20.0
NORMAL_RATE = 100
MEBIBYTE = b"x" * 2**20

TEXT = json.dumps({"text": "Ministers agreed today on fishing quotas for cod and hake."})
BODY = TEXT.encode()
HOST_LINE = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/tags HTTP/1.1\r\n" + HOST_LINE + b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = POST + LENGTH + b"\r\n" + BODY
GET = b"GET /health/live HTTP/1.1\r\n" + HOST_LINE + b"\r\n"
DEEP = b'{"text": "a", "metadata": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
BOMB = gzip.compress(b" " * 10_000_000)


class Got(NamedTuple):
    """What a client was answered, when the first of it came, and how the connection ended."""

    statuses: str
    seconds: float
    end: str


def main() -> None:
    """Print a row for each kind of client."""
    parser = argparse.ArgumentParser(description="Show what hostile clients get.")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Service(given.models, receive_seconds=RECEIVE_SECONDS) as service:
        service.client(TEXT, seconds=2.0)
        normal = service.client(TEXT, seconds=5.0, rate=NORMAL_RATE)["200"]
        print(f"Alone: p50 {normal['p50']:.1f} ms, p99 {normal['p99']:.1f} ms, {service.rss():.0f} MiB.\n")
        print("| client | answers | first after s | end | others: p50 / p99 ms, not answered | MiB after |")
        print("|---|---|--:|---|--:|--:|")
        for name, attack in attacks(service).items():
            show(service, name, attack)
        log = service.log.read_text(encoding="utf-8")
    print(f"\nLines in the log: {log.count(chr(10))}; tracebacks: {log.count('Traceback')}.")


def show(service: Service, name: str, attack: Callable[[], Got]) -> None:
    """Have a client do what it does while others are served, and print the row."""
    found: list[Got] = []
    thread = threading.Thread(target=lambda: found.append(attack()))
    thread.start()
    others: list[dict[str, dict[str, float]]] = []
    while thread.is_alive() or not others:
        others.append(results(service.start_client(TEXT, seconds=2.0, rate=NORMAL_RATE)))
    thread.join()
    got = found[0]
    p50, p99 = (max(said["200"][part] for said in others) for part in ("p50", "p99"))
    missing = sum(said[status]["count"] for said in others for status in said if status not in ("200", "halves"))
    print(
        f"| {name} | {got.statuses} | {got.seconds:.2f} | {got.end} | {p50:.1f} / {p99:.1f}, {missing:.0f} "
        f"| {service.rss():.0f} |",
        flush=True,
    )


def attacks(service: Service) -> Mapping[str, Callable[[], Got]]:
    """Return what clients do."""

    def once(*parts: bytes, times: int = 1) -> Callable[[], Got]:
        return lambda: converse(service, iter(parts * times))

    def endless(first: bytes, again: bytes, times: int = 10**9) -> Callable[[], Got]:
        def parts() -> Iterator[bytes]:
            yield first
            for _ in range(times):
                yield again

        return lambda: converse(service, parts())

    gigabyte = 2**30
    return {
        f"slow loris, {LORIS} connections, head": lambda: loris(service, POST + b"x: " + b"y" * 100),
        f"slow loris, {LORIS} connections, body": lambda: loris(service, POST + LENGTH + b"\r\n", BODY),
        "300,000 chunks of one byte": once(CHUNKED, b"1\r\nx\r\n" * 300_000 + b"0\r\n\r\n"),
        "1 GB body": endless(POST + b"Content-Length: %d\r\n\r\n" % gigabyte, MEBIBYTE, 1024),
        "1 GB body, chunked": endless(CHUNKED, b"100000\r\n" + MEBIBYTE + b"\r\n", 1024),
        "1 GB body, curl": lambda: curl(service),
        "JSON 100,000 deep": once(POST + b"Content-Length: %d\r\n\r\n" % len(DEEP) + DEEP),
        "endless header": endless(POST + b"x: ", b"y" * 10_000),
        "endless headers": endless(POST, b"x: y\r\n" * 1000),
        "endless trailers": endless(CHUNKED + b"2\r\n{}\r\n0\r\n", b"x: y\r\n" * 1000),
        "endless body to an unknown path": endless(
            b"POST /x HTTP/1.1\r\n" + HOST_LINE + b"Content-Length: %d\r\n\r\n" % 10**12, MEBIBYTE
        ),
        f"{IDLE:,} idle connections": lambda: idle(service),
        "10,000 requests in one go": once(GET * 10_000),
        "answers not read, 60 MB": lambda: deaf(service),
        "gzip bomb": once(POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        "Expect: 100-continue": once(POST + LENGTH + b"Expect: 100-continue\r\nConnection: close\r\n\r\n", BODY),
        "HTTP/1.0": once(WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0")),
        "Upgrade: h2c": once(POST + LENGTH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + BODY),
        "Upgrade: websocket": once(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        "two Host headers": once(POST + HOST_LINE + LENGTH + b"\r\n" + BODY),
        "no Host": once(WHOLE.replace(HOST_LINE, b"")),
        "Content-Length and chunked": once(CHUNKED[:-2] + LENGTH + b"\r\n0\r\n\r\n" + GET),
        "two Content-Lengths": once(POST + LENGTH + b"Content-Length: 3\r\n\r\n" + BODY),
        "Content-Length: +5": once(POST + b"Content-Length: +5\r\n\r\n{    }"[:-1]),
        "Transfer-Encoding: gzip": once(POST + b"Transfer-Encoding: gzip\r\n\r\n" + BODY),
        "space before the colon": once(POST + b"Content-Length : 2\r\n\r\n{}"),
        "folded header": once(POST + b"x: y\r\n z\r\n" + LENGTH + b"\r\n" + BODY),
        "NUL in a header": once(POST + b"x: \0\r\n" + LENGTH + b"\r\n" + BODY),
        "unknown method": once(WHOLE.replace(b"POST", b"TAGS")),
        "TRACE": once(GET.replace(b"GET", b"TRACE")),
        "CONNECT": once(b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST_LINE + b"\r\n"),
        "HEAD": once(GET.replace(b"GET", b"HEAD")),
        "HTTP/2 at once": once(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        "TLS": once(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200),
    }  # fmt: skip


# The clients


def connect(service: Service) -> socket.socket:
    """Connect."""
    return socket.create_connection((HOST, service.port), timeout=LONGEST)


def converse(service: Service, parts: Iterator[bytes]) -> Got:
    """Send parts for as long as the server takes them, and read what comes meanwhile, until it closes or is silent."""
    started, first, received, end = time.monotonic(), 0.0, b"", ""
    with connect(service) as connection:
        connection.setblocking(False)
        waiting = memoryview(b"")
        sending = True
        while not end:
            if sending and not waiting:
                part = next(parts, None)
                sending, waiting = part is not None, memoryview(part or b"")
            readable, writable, _ = select.select(
                [connection], [connection] if waiting else [], [], RECEIVE_SECONDS + 2
            )
            try:
                if readable:
                    data = connection.recv(2**20)
                    first = first or time.monotonic() - started
                    received, end = received + data, "" if data else "closed"
                elif writable:
                    waiting = waiting[connection.send(waiting) :]
                else:
                    end = "open"
            except ConnectionError:
                end = "reset"
            if time.monotonic() - started > LONGEST:
                end = "open"
    return Got(statuses(received), first, end)


def statuses(received: bytes) -> str:
    """Return the statuses in what was received."""
    found = Counter(part[:3].decode() for part in received.split(b"HTTP/1.1 ")[1:])
    return ", ".join(status if times == 1 else f"{times:,} x {status}" for status, times in found.items()) or "none"


def loris(service: Service, *parts: bytes) -> Got:
    """Send a byte a second over many connections; return what most of them got."""
    *firsts, slow = parts
    connections = [connect(service) for _ in range(LORIS)]
    for connection in connections:
        connection.sendall(b"".join(firsts))
    started = time.monotonic()
    got: list[Got] = []
    for at in range(len(slow)):
        for connection in list(connections):
            with contextlib.suppress(ConnectionError):
                connection.sendall(slow[at : at + 1])
        readable, _, _ = select.select(connections, [], [], 1.0)
        time.sleep(max(0.0, started + at + 1 - time.monotonic()))
        for connection in readable:
            received = connection.recv(10_000)
            closed = connection.recv(1) == b""
            got.append(Got(statuses(received), time.monotonic() - started, "closed" if closed else "open"))
            connection.close()
            connections.remove(connection)
        if not connections or time.monotonic() - started > LONGEST:
            break
    kinds = Counter((each.statuses, each.end) for each in got)
    (status, end), times = kinds.most_common(1)[0]
    return Got(f"{times} x {status}", max(each.seconds for each in got), end)


def idle(service: Service) -> Got:
    """Connect often and say nothing; return how it went when the server's patience is at an end."""
    connections = []
    started = time.monotonic()
    for _ in range(IDLE):
        with contextlib.suppress(OSError):
            connections.append(connect(service))
    opened = time.monotonic() - started
    time.sleep(RECEIVE_SECONDS + 3)
    found: Counter[str] = Counter()
    for connection in connections:
        connection.setblocking(False)
        try:
            said = statuses(connection.recv(10_000))
            found["closed without a word" if said == "none" else said] += 1
        except BlockingIOError:
            found["open"] += 1
        except ConnectionError:
            found["reset"] += 1
        connection.close()
    return Got(", ".join(f"{times:,} x {what}" for what, times in found.items()), opened, "closed")


def deaf(service: Service) -> Got:
    """Ask for much and never read it; return when the server gave up."""
    page = json.dumps({"text": "<p>Cod and hake. " * 37_000, "format": "html"}).encode()
    request = POST + b"Content-Length: %d\r\n\r\n" % len(page) + page
    started = time.monotonic()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, service.port))
        connection.settimeout(LONGEST)
        try:
            for _ in range(100):
                connection.sendall(request)
        except (ConnectionError, TimeoutError) as error:
            end = "reset" if isinstance(error, ConnectionError) else "open"
    return Got("not read", time.monotonic() - started, end)


def curl(service: Service) -> Got:
    """Send a large body with curl."""
    if shutil.which("curl") is None:
        return Got("curl is not installed", 0.0, "")
    started = time.monotonic()
    command = ["curl", "-s", "-S", "-o", "/dev/null", "-w", "%{http_code}", "-T", "-", "-X", "POST", "-H"]
    run = subprocess.Popen(
        [*command, "Content-Type: application/json", f"http://{HOST}:{service.port}/v1/tags"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert run.stdin
    with contextlib.suppress(BrokenPipeError):
        for _ in range(1024):
            run.stdin.write(MEBIBYTE)
    with contextlib.suppress(BrokenPipeError):
        run.stdin.close()
    out, err = (stream.read().decode() if stream else "" for stream in (run.stdout, run.stderr))
    return Got(out, time.monotonic() - started, err.strip() or f"exit {run.wait()}")


if __name__ == "__main__":
    main()
