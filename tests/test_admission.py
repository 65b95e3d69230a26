"""What a server takes on and what it refuses: deadlines, sizes, queues, connections, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.errors import Overloaded
from tagger.service.admission import FEW_WAITING, SMALL_BODY_BYTES, Admission
from tagger.service.app import create_app
from tagger.service.protocol import MOST_HEAD_BYTES, MOST_PIPELINED
from tagger.service.server import PROTOCOL
from tagger.settings import Settings
from tagger.tagging import Tagger

MAX_BODY_BYTES = 200_000
TEXT = "Ministers agreed today on fishing quotas for cod and hake."
BODY = json.dumps({"text": TEXT}).encode()
ALIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Served(NamedTuple):
    """A server of this process."""

    port: int
    admission: Admission
    server: uvicorn.Server

    def is_at_rest(self) -> bool:
        """Tell whether nothing is waited for and all the room for bodies is free."""
        room = SMALL_BODY_BYTES + 20 * MAX_BODY_BYTES
        try:
            self.admission.take(0, room)
        except Overloaded:
            return False
        self.admission.give_back(room)
        return self.admission.waiting == 0


@contextlib.contextmanager
def serve(models: Path, **given: Any) -> Iterator[Served]:
    """Serve on a free port, with the protocol that `tagger serve` has."""
    app = create_app(Settings(models=models, max_body_bytes=MAX_BODY_BYTES, **given))
    config = uvicorn.Config(app, port=0, http=PROTOCOL, ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield Served(server.servers[0].sockets[0].getsockname()[1], app.state.admission, server)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def served(tiny_models: Path) -> Iterator[Served]:
    """A server with short deadlines."""
    with serve(tiny_models, receive_seconds=0.4) as served:
        yield served


def until(fact: Callable[[], bool]) -> None:
    """Wait until something has come true."""
    deadline = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def head(*lines: str, length: int | None = len(BODY)) -> bytes:
    """Return the head of a request to tag."""
    stated = [] if length is None else [f"Content-Length: {length}"]
    first = ["POST /v1/tags HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*first, *stated, *lines, "", ""]).encode()


def connect(served: Served) -> socket.socket:
    """Connect."""
    return socket.create_connection(("127.0.0.1", served.port), timeout=20)


def read(connection: socket.socket) -> tuple[http.client.HTTPResponse, Any]:
    """Read one answer."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response, json.loads(response.read())


def ask(served: Served, *parts: bytes) -> tuple[http.client.HTTPResponse, Any]:
    """Send some bytes over a connection of their own and read the answer."""
    with connect(served) as connection:
        for part in parts:
            connection.sendall(part)
        return read(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def tag(served: Served) -> int:
    """Tag a short text; return the status."""
    return ask(served, head() + BODY)[0].status


# Deadlines and sizes


@pytest.mark.parametrize("begun", [b"", b"POST /v1/tags HT", head() + BODY[:9]], ids=["nothing", "a head", "a body"])
def test_a_request_that_does_not_arrive_in_time_is_refused(served: Served, begun: bytes) -> None:
    """Whatever of a request has come when its time is over, the answer is 408 and the end; others are answered."""
    with connect(served) as connection:
        connection.sendall(begun)
        assert tag(served) == 200
        response, problem = read(connection)
        assert (response.status, problem["status"], response.getheader("Connection")) == (408, 408, "close")
        assert connection.recv(1) == b""
    until(served.is_at_rest)


def test_drops_of_a_request_do_not_extend_its_time(served: Served) -> None:
    """A client that sends a byte now and then is refused like one that sends none."""
    with connect(served) as connection:
        connection.settimeout(0.05)
        started = time.monotonic()
        received = b""
        while not received:
            assert time.monotonic() - started < 10
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                received = connection.recv(100)
        assert received.startswith((b"HTTP/1.1 408", b"HTTP/1.1 400"))


@pytest.mark.parametrize(
    "begin",
    [
        b"GET / HTTP/1.1\r\nname: ",
        head("Transfer-Encoding: chunked", length=None) + b"2\r\n{}\r\n0\r\nname: ",
        head("Transfer-Encoding: chunked", length=None) + b"2;name=",
    ],
    ids=["head", "trailers", "chunk extension"],
)
def test_what_is_no_body_has_a_limit(served: Served, begin: bytes) -> None:
    """Headers, trailers and chunk extensions without end are refused once they are long, not kept."""
    with connect(served) as connection:
        connection.sendall(begin)
        with contextlib.suppress(ConnectionError):
            for _ in range(10):
                connection.sendall(b"v" * (MOST_HEAD_BYTES // 4))
                time.sleep(0.01)
        response, problem = read(connection)
        assert (response.status, problem["status"]) == (431, 431)
    assert tag(served) == 200


@pytest.mark.parametrize("lines", [["Content-Encoding: gzip"], ["Content-Encoding: br"]])
def test_a_compressed_body_is_refused(served: Served, lines: list[str]) -> None:
    """A body is never larger than what was sent."""
    assert ask(served, head(*lines) + BODY)[0].status == 415


def test_another_encoding_is_refused(served: Served) -> None:
    """JSON comes in UTF-8."""
    request = head(length=20).replace(b"application/json", b"application/json; charset=utf-16")
    assert ask(served, request + b"x" * 20)[0].status == 415


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_all_before_it_reads_sees_why_it_was_refused(served: Served, chunked: bool) -> None:
    """A body over the limit is answered 413 while it is sent; the rest is taken in, so that the answer is not lost."""
    large = b"x" * (20 * MAX_BODY_BYTES)
    if chunked:
        sent = head("Transfer-Encoding: chunked", length=None) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    else:
        sent = head(length=len(large)) + large
    response, problem = ask(served, sent)
    assert (response.status, response.getheader("Connection")) == (413, "close")
    assert str(MAX_BODY_BYTES) in problem["detail"]
    until(served.is_at_rest)


def test_a_client_that_takes_no_answers_is_given_up(served: Served) -> None:
    """Answers that are not read do not keep a connection, nor its memory, for good."""
    page = json.dumps({"text": f"<p>{TEXT * 3000}</p>", "format": "html"}).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", served.port))
        connection.sendall((head(length=len(page)) + page) * 45)
        until(lambda: len(served.server.server_state.connections) > 0)
        until(lambda: not served.server.server_state.connections)
    until(served.is_at_rest)


# The protocol


def test_requests_sent_in_one_go_are_answered_in_order(served: Served) -> None:
    """What follows requests is refused after they are answered, be it no HTTP."""
    with connect(served) as connection:
        connection.sendall(ALIVE + head() + BODY + b"\x16\x03\x01 no HTTP \r\n\r\n")
        first, second = read_all(connection).split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200")
    assert first.endswith(b'{"status":"alive"}')
    assert second.startswith(b"200")
    assert b'"version"' in second


def test_a_connection_cannot_fill_the_queue(served: Served) -> None:
    """Of thousands of requests sent in one go some are answered, then the connection ends; others do not wait."""
    with connect(served) as connection:
        connection.sendall((head() + BODY) * 5_000)
        received = read_all(connection)
    assert 0 < received.count(b"HTTP/1.1 200") <= MOST_PIPELINED + 1
    assert b"connection: close" in received
    assert tag(served) == 200
    until(served.is_at_rest)


@pytest.mark.parametrize("wish", ["h2c", "websocket", "h2c, apart"])
def test_a_wish_for_another_protocol_is_passed_over(served: Served, wish: str) -> None:
    """A request that offers to go on in another protocol is answered in this one, with its body, and so is the next."""
    name, _, apart = wish.partition(", ")
    first = head("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {name}", "HTTP2-Settings: AAMAAABkAAQ")
    with connect(served) as connection:
        for part in (first, BODY) if apart else (first + BODY,):
            connection.sendall(part)
            time.sleep(0.02)
        assert read(connection)[0].status == 200
        connection.sendall(head() + BODY)
        assert read(connection)[0].status == 200


@pytest.mark.parametrize(
    "request_",
    [
        head("Host: elsewhere.example") + BODY,
        head("Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head("Content-Length: 3") + BODY,
        b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"nothing like it\r\n\r\n",
    ],
    ids=["two hosts", "length and chunked", "two lengths", "connect", "HTTP/2", "garbage"],
)
def test_what_could_be_read_in_two_ways_is_refused(served: Served, request_: bytes) -> None:
    """Requests that a proxy might take for others are refused, and their connections closed."""
    with connect(served) as connection:
        connection.sendall(request_)
        response, problem = read(connection)
        assert (response.status, problem["status"], response.getheader("Connection")) == (400, 400, "close")
        assert connection.recv(1) == b""


def test_a_connection_goes_on_after_a_refusal_in_mid_body(served: Served) -> None:
    """Where a request is answered before its body has come, the next one on the connection is answered too."""
    with connect(served) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
        assert read(connection)[0].status == 404
        connection.sendall(b"cd\r\n" + head() + BODY)
        assert read(connection)[0].status == 200


# Queues


def test_in_a_busy_moment_requests_are_refused_at_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many wait, others get 503 and when to come again on a connection that stays; health is answered."""
    monkeypatch.setattr("tagger.service.admission.MOST_WAITING", 3)
    tickets = [served.admission.arrive() for _ in range(3)]
    before = served.admission.shed
    with connect(served) as connection:
        for part in (head() + BODY, head()[:20], head()[20:] + BODY):
            connection.sendall(part)
            if part.endswith(BODY):
                response, problem = read(connection)
                assert (response.status, response.getheader("Retry-After")) == (503, "1")
                assert problem["status"] == 503
        connection.sendall(ALIVE)
        assert read(connection)[0].status == 200
        for ticket in tickets:
            served.admission.begin(ticket)
        connection.sendall(head() + BODY)
        assert read(connection)[0].status == 200
    assert served.admission.shed == before + 2


@pytest.mark.parametrize(
    "request_",
    [
        head("Connection: close") + BODY,
        head("Expect: 100-continue"),
        head().replace(b"HTTP/1.1", b"HTTP/1.0") + BODY,
        b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["close", "expect", "1.0", "HEAD"],
)
def test_a_refusal_ends_a_connection_that_has_to_end(
    served: Served, monkeypatch: pytest.MonkeyPatch, request_: bytes
) -> None:
    """A client that waits for the end of the connection, or for leave to send its body, does not wait in vain."""
    monkeypatch.setattr("tagger.service.admission.MOST_WAITING", 0)
    ticket = served.admission.arrive()
    try:
        with connect(served) as connection:
            connection.sendall(request_)
            received = read_all(connection)
    finally:
        served.admission.begin(ticket)
    assert received.startswith(b"HTTP/1.1 503")
    assert received.count(b"HTTP/1.1") == 1


def test_long_work_waits_its_time_and_keeps_no_other_waiting(
    tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of requests that take long one runs, others are refused in time; short ones go on."""
    release = threading.Event()
    original = Tagger.tag

    def slow(self: Tagger, *arguments: Any, **options: Any) -> Any:
        if threading.current_thread() is not loop:
            release.wait(20)
        return original(self, *arguments, **options)

    body = json.dumps({"text": TEXT * 20, "explain": True}).encode()
    with serve(tiny_models, queue_seconds=0.3) as served, ThreadPoolExecutor(4) as pool:
        loop = next(thread for thread in threading.enumerate() if getattr(thread, "_target", None) == served.server.run)
        monkeypatch.setattr(Tagger, "tag", slow)
        asked = [pool.submit(ask, served, head(length=len(body)) + body) for _ in range(4)]
        try:
            until(lambda: sum(one.done() for one in asked) == 3)
            assert tag(served) == 200
            assert ask(served, ALIVE)[0].status == 200
        finally:
            release.set()
        answers = [one.result()[0] for one in asked]
        assert sorted(answer.status for answer in answers) == [200] + [503] * 3
        assert {answer.getheader("Retry-After") for answer in answers if answer.status == 503} == {"1"}
        assert tag(served) == 200
        until(served.is_at_rest)


def test_bodies_have_so_much_room_and_small_ones_always(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While large bodies fill the room, others like them get 503; small ones do not, and the room comes back."""
    monkeypatch.setattr("tagger.service.admission.MOST_BODIES", 1)
    body = json.dumps({"text": TEXT, "metadata": {"x": "x" * 180_000}}).encode()
    with serve(tiny_models) as served:
        with connect(served) as connection:
            connection.sendall(head(length=len(body)) + body[:-1])
            until(lambda: not _has_room(served.admission, 100_000))
            response, _ = ask(served, head(length=len(body)) + body)
            assert (response.status, response.getheader("Retry-After")) == (503, "1")
            assert tag(served) == 200
        until(lambda: _has_room(served.admission, MAX_BODY_BYTES))
        assert ask(served, head(length=len(body)) + body)[0].status == 200


def _has_room(admission: Admission, size: int) -> bool:
    try:
        admission.take(SMALL_BODY_BYTES, size)
    except Overloaded:
        return False
    admission.give_back(SMALL_BODY_BYTES + size)
    return True


def test_idle_connections_make_room(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many connections, that which has waited longest for a request is closed for a new one."""
    monkeypatch.setattr("tagger.service.protocol.IDLE_SECONDS", 0.0)
    with serve(tiny_models, max_connections=3) as served:
        idle = [connect(served) for _ in range(3)]
        until(lambda: len(served.server.server_state.connections) == 3)
        idle[0].sendall(b"GET / HT")
        idle[1].sendall(head() + BODY)
        assert read(idle[1])[0].status == 200
        assert tag(served) == 200
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""
        idle[1].sendall(head() + BODY)
        assert read(idle[1])[0].status == 200
        for connection in idle:
            connection.close()


def test_connections_at_work_are_not_given_up_for_others(tiny_models: Path) -> None:
    """Where all connections are in mid-request, a new one gets 503 and is closed, and health is answered."""
    with serve(tiny_models, max_connections=2) as served:
        busy = [connect(served) for _ in range(2)]
        for connection in busy:
            connection.sendall(head() + BODY[:5])
        until(lambda: len(served.server.server_state.connections) == 2)
        time.sleep(0.05)  # until the heads are read
        response, _ = ask(served, head() + BODY)
        assert (response.status, response.getheader("Connection")) == (503, "close")
        assert ask(served, ALIVE)[0].status == 200
        for connection in busy:
            connection.sendall(BODY[5:])
            assert read(connection)[0].status == 200
            connection.close()


# Nothing is left over

BEHAVIOURS: dict[str, bytes] = {
    "right": head() + BODY,
    "leaves in mid-head": head()[:30],
    "leaves in mid-body": head() + BODY[:5],
    "leaves in a large body": head(length=150_000) + b"x" * 140_000,
    "leaves in a chunk": head("Transfer-Encoding: chunked", length=None) + b"50000\r\n" + b"x" * 100_000,
    "sends many": (head() + BODY) * 30,
    "sends many, then garbage": (head() + BODY) * 30 + b"%%%\r\n\r\n",
    "no JSON": head(length=3) + b"abc",
    "too large": head(length=MAX_BODY_BYTES + 1) + b"x" * 100_000,
    "no such path": b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab",
    "waits for leave": head("Expect: 100-continue"),
    "explains": head(length=100_025) + b'{"explain":true,"text":"' + b"x" * 100_000 + b'"}'[:1],
}


@given(st.lists(st.tuples(st.sampled_from(sorted(BEHAVIOURS)), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_left_of_requests_however_they_end(served: Served, clients: list[tuple[str, bool]]) -> None:
    """When all clients have left, at whatever point, nothing waits and all the room for bodies is free again."""
    connections = []
    for name, stays in clients:
        connection = connect(served)
        with contextlib.suppress(ConnectionError):
            connection.sendall(BEHAVIOURS[name])
        if stays:
            connections.append(connection)
        else:
            connection.close()
    for connection in connections:
        connection.close()
    until(served.is_at_rest)
    assert tag(served) == 200


def test_nothing_is_left_of_work_that_fails_or_is_cancelled() -> None:
    """Work of any length that raises, waits too long or is cancelled while it waits leaves its place to the next."""
    admission = Admission(queue_seconds=0.05, max_body_bytes=1)

    def fail() -> None:
        raise ZeroDivisionError

    async def job(seconds: float, work: Callable[[], Any]) -> Any:
        await admission.turn()
        return await admission.do(seconds, work)

    async def scenario() -> None:
        release = threading.Event()
        running = [asyncio.create_task(job(seconds, release.wait)) for seconds in (0.01, 1.0)]
        others = [asyncio.create_task(job(seconds, fail)) for seconds in (0.0, 0.01, 1.0, 0.0, 0.01)]
        await asyncio.sleep(0)
        others[-1].cancel()
        results = await asyncio.gather(*others, return_exceptions=True)
        kinds = [type(result) for result in results]
        assert kinds == [ZeroDivisionError, Overloaded, Overloaded, ZeroDivisionError, asyncio.CancelledError]
        release.set()
        await asyncio.gather(*running)
        assert admission.waiting == 0
        assert not admission.full()
        assert await asyncio.gather(*(job(seconds, lambda: 1) for seconds in (0.01, 1.0))) == [1, 1]

    asyncio.run(scenario())


def test_each_request_has_its_turn() -> None:
    """However many wait for the event loop, all are let go on, in order, and those that were cancelled stop nobody."""
    admission = Admission(queue_seconds=1, max_body_bytes=1)
    done: list[int] = []

    async def job(number: int) -> None:
        await admission.turn()
        await admission.do(0, done.append, number)

    async def scenario() -> None:
        tickets = [admission.arrive() for _ in range(FEW_WAITING)]
        tasks = [asyncio.create_task(job(number)) for number in range(50)]
        await asyncio.sleep(0)
        for task in tasks[10:40:3]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for ticket in tickets:
            admission.begin(ticket)
        assert admission.waiting == 0

    asyncio.run(scenario())
    assert done == sorted(done)
    assert {*range(50)} - {*range(10, 40, 3)} == {*done}


# Stopping


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_stops_answers_what_was_asked(tiny_models: Path, tmp_path: Path, workers: int) -> None:
    """On a signal, requests that run and that are on their way are answered, and the program ends soon."""
    code = "from tagger.service.server import run; from tagger.settings import load_settings; run(load_settings())"
    environment = os.environ | {
        "TAGGER_MODELS": str(tiny_models), "TAGGER_STATE": str(tmp_path), "TAGGER_PORT": "0",
        "TAGGER_WORKERS": str(workers), "TAGGER_QUEUE_SECONDS": "10",
    }  # fmt: skip
    long = json.dumps({"text": f"{TEXT} " * 60, "counterfactual": True, "taught_by": True}).encode()
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
    log = Log(process)
    try:
        until(lambda: log.text.count("startup complete") == workers and "http://" in log.text)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.text)
        assert found
        address = ("127.0.0.1", int(found[1]))
        until(lambda: _listens(address))
        connections = [socket.create_connection(address, timeout=20) for _ in range(12)]
        idle = connections[8:]
        for connection in idle:  # each worker has taken them
            connection.sendall(ALIVE)
            assert read(connection)[0].status == 200
        for number, connection in enumerate(connections[:8]):
            body = long if number % 2 else BODY
            connection.sendall(head(length=len(body)) + body)
        time.sleep(0.1)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        for connection in idle:
            connection.sendall(head() + BODY)
        assert [read(connection)[0].status for connection in connections] == [200] * 12
        for connection in connections:
            connection.close()
        process.wait(timeout=20)
        assert time.monotonic() - started < 15
        assert process.returncode in (0, -signal.SIGTERM)
    finally:
        process.kill()
        log.join()
    assert "Traceback" not in log.text


def _listens(address: tuple[str, int]) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(address):
        return True
    return False


class Log(threading.Thread):
    """Reads what a process writes to its standard error."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self.text = ""
        self._process = process
        self.start()

    def run(self) -> None:
        """Read until the end."""
        assert self._process.stderr
        with self._process.stderr as lines:
            for line in lines:
                self.text += line


def test_a_late_body_that_nobody_waits_for_keeps_no_other_waiting(served: Served) -> None:
    """A request that is answered without its body is not counted as waiting when that arrives after all."""
    with connect(served) as connection:
        connection.sendall(b"GET /v1/themes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(b"hello")
        until(served.is_at_rest)
        assert read(connection)[0].status == 200


@pytest.mark.parametrize("rest", [b"ZZ\r\n", b"", b"5\r\nhello"], ids=["wrong", "missing", "unfinished"])
def test_a_bad_request_does_not_cost_the_answer_to_the_one_before_it(
    served: Served, rest: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What was asked in order on a connection is answered, and what cannot be read after it ends the connection."""
    long = json.dumps({"text": TEXT * 40, "explain": True}).encode()
    with connect(served) as connection:
        connection.sendall(head(length=len(long)) + long + head("Transfer-Encoding: chunked", length=None) + rest)
        response, answer = read(connection)
        assert (response.status, bool(answer["version"])) == (200, True)
        while connection.recv(65_536):
            pass
    assert not [record for record in caplog.records if record.exc_info]
