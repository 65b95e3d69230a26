"""Rate limits: what is let through in memory, shared in Redis, and while Redis is away."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.errors import OptionError, ServiceError
from tagger.keys import UNITS, Rate
from tagger.service import limits as module
from tagger.service.limits import MemoryCounters, RateLimits

PER_MINUTE = Rate(3, "minute")


class Clock:
    """A clock that goes on when told to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@given(
    st.integers(1, 5),
    st.sampled_from(sorted(UNITS)),
    st.lists(st.tuples(st.floats(0, 2.5), st.sampled_from("ab")), max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_no_window_lets_more_through(amount: int, unit: str, steps: list[tuple[float, str]]) -> None:
    """However requests come, no window holds more than the rate, and who waits as told is let through."""
    clock, rate = Clock(), Rate(amount, unit)
    counters, allowed = MemoryCounters(clock), Counter[tuple[str, float]]()
    for step, who in steps:
        clock.now += step * rate.seconds / amount
        if (wait := counters.hit(who, rate)) is None:
            allowed[who, clock.now // rate.seconds] += 1
            continue
        assert 0 <= wait <= rate.seconds
        clock.now += wait + rate.seconds * 1e-6
        assert counters.hit(who, rate) is None
        allowed[who, clock.now // rate.seconds] += 1
    assert all(count <= amount for count in allowed.values())


def test_a_full_window_weighs_on_the_next() -> None:
    """What was used up at the end of a window comes back little by little in the next, not at once."""
    clock = Clock()
    counters = MemoryCounters(clock)
    clock.now = 59.0
    assert [counters.hit("a", PER_MINUTE) for _ in range(4)] == [None, None, None, 1.0]
    clock.now = 60.0
    assert counters.hit("a", PER_MINUTE) == 0.0
    clock.now = 61.0
    assert [counters.hit("a", PER_MINUTE) for _ in range(2)] == [None, 19.0]
    clock.now = 180.0
    assert [counters.hit("a", PER_MINUTE) for _ in range(4)] == [None, None, None, 60.0]


def test_those_that_asked_last_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses ask, memory is bounded: the one that has not asked for longest is forgotten."""
    monkeypatch.setattr(module, "MOST_COUNTED", 2)
    counters, once = MemoryCounters(Clock()), Rate(1, "day")
    for who in ("a", "b", "a", "c"):
        counters.hit(who, once)
    assert counters.hit("a", once) is not None
    assert counters.hit("b", once) is None


async def let_through(limits: RateLimits, who: str, rate: str | None, requests: int = 10) -> int:
    """Return how many of some requests are allowed."""
    return [await limits.hit(who, rate) for _ in range(requests)].count(None)


def test_each_client_has_its_rate() -> None:
    """A key's own rate goes before that of the service; clients are counted apart, and no rate is no limit."""

    async def ask() -> None:
        limits = RateLimits("3/day", None)
        assert await let_through(limits, "a", None) == 3
        assert await let_through(limits, "b", None) == 3
        assert await let_through(limits, "c", "5/day") == 5
        assert await let_through(RateLimits(None, None), "a", None) == 10

    asyncio.run(ask())


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost:6379", "http://:secret@localhost", "redis://", "redis://:secret@localhost:port",
        "redis://:secret@localhost:99999", "redis://:secret@localhost?nonsense=1", "redis://:secret@localhost?db=x",
        "redis://:secret@localhost?protocol=9",
    ],
)  # fmt: skip
def test_what_is_no_address_of_redis_is_refused(url: str) -> None:
    """A wrong address is refused at the start, with examples, and the password in it is not shown."""
    with pytest.raises(OptionError, match=r"redis://localhost:6379/0") as refused:
        RateLimits(None, url)
    assert "secret" not in str(refused.value)


def test_a_wrong_rate_is_refused_at_the_start() -> None:
    """The rate of the service is read before the first request."""
    with pytest.raises(OptionError, match="rate is 'often'"):
        RateLimits("often", None)


@pytest.mark.parametrize("missing", ["limits", "redis.asyncio"])
def test_the_extra_is_named_where_it_is_missing(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the libraries, memory works as ever, and Redis is refused in a line that says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    RateLimits("5/second", None)
    with pytest.raises(ServiceError, match=r"scripts/setup redis"):
        RateLimits("5/second", "redis://localhost")


class Redis:
    """A server on a port of its own, which can be stopped, held and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://:secret@127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start, and return once it answers."""
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret")
        self._process = subprocess.Popen(
            ["redis-server", *options, "--dir", self._folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("redis-server does not start")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop at once, as by a failure."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """A Redis server, asked again at once after it did not answer."""
    pytest.importorskip("limits", reason="the extra `redis` is not installed")
    pytest.importorskip("redis", reason="the extra `redis` is not installed")
    if not shutil.which("redis-server"):
        pytest.skip("redis-server, which counts for several workers, is not on this machine")
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    server = Redis(tmp_path)
    yield server
    server.stop()


def of_two_workers(redis: Redis, ask: Callable[[RateLimits, RateLimits], Awaitable[None]]) -> None:
    """Run something with the limits of two workers that share a server."""

    async def run() -> None:
        workers = RateLimits(None, redis.url), RateLimits(None, redis.url)
        try:
            await ask(*workers)
        finally:
            for limits in workers:
                await limits.close()

    asyncio.run(run())


def test_workers_share_a_count(redis: Redis) -> None:
    """What one worker let through the other counts, also of requests that come at once, and both say when to return."""

    async def ask(one: RateLimits, other: RateLimits) -> None:
        assert await let_through(one, "a", "3/hour", 2) == 2
        assert await let_through(other, "a", "3/hour", 2) == 1
        waits = [await limits.hit("a", "3/hour") for limits in (one, other)]
        assert all(wait is not None and 3500 < wait <= 3600 for wait in waits)
        assert await let_through(one, "b", "3/hour") == 3
        at_once = await asyncio.gather(*(limits.hit("c", "50/hour") for limits in (one, other) * 60))
        assert at_once.count(None) == 50

    of_two_workers(redis, ask)


def test_who_waits_as_redis_tells_is_let_through(redis: Redis) -> None:
    """The seconds to wait are those after which a request is allowed, in the windows of Redis too."""

    async def ask(one: RateLimits, other: RateLimits) -> None:
        await let_through(one, "a", "5/second")
        for limits in (other, one, other):
            wait = await limits.hit("a", "5/second")
            assert wait is not None
            assert 0 <= wait <= 1
            await asyncio.sleep(wait + 0.02)
            assert await limits.hit("a", "5/second") is None
            await let_through(limits, "a", "5/second")

    of_two_workers(redis, ask)


async def until_shared(one: RateLimits, other: RateLimits, who: str) -> None:
    """Ask until a request that one worker let through is counted by the other."""
    for number in range(200):
        if await one.hit(f"{who} {number}", "1/hour") is None and await other.hit(f"{who} {number}", "1/hour"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the count is not shared again")


FAILURES: dict[str, tuple[Callable[[Redis], None], Callable[[Redis], None]]] = {
    "gone": (Redis.stop, Redis.start),
    "held": (lambda redis: redis.send(signal.SIGSTOP), lambda redis: redis.send(signal.SIGCONT)),
}


@pytest.mark.parametrize(("fail", "heal"), FAILURES.values(), ids=FAILURES)
def test_without_redis_requests_go_on(
    redis: Redis, fail: Callable[[Redis], None], heal: Callable[[Redis], None], caplog: pytest.LogCaptureFixture
) -> None:
    """While Redis is gone or hangs, each worker counts for itself, also at once; then they share again, as logged."""

    async def ask(one: RateLimits, other: RateLimits) -> None:
        await until_shared(one, other, "before")
        fail(redis)
        async with asyncio.timeout(20):
            at_once = await asyncio.gather(*(one.hit("a", "50/day") for _ in range(200)))
            assert at_once.count(None) == 50
            assert await let_through(one, "b", "3/day") == 3
            assert await let_through(other, "b", "3/day") == 3
        heal(redis)
        await until_shared(one, other, "after")

    with caplog.at_level(logging.WARNING, "tagger"):
        of_two_workers(redis, ask)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    assert [f"Redis at 127.0.0.1:{redis.port} fails" in line for line in said] == [True, True, False, False]
    assert all("answers again" in line for line in said[2:])
    assert "secret" not in caplog.text


def test_a_redis_that_refuses_is_as_one_that_is_away(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password is told in the log, and requests go on."""

    async def ask() -> None:
        limits = RateLimits(None, redis.url.replace("secret", "wrong"))
        assert await let_through(limits, "a", "3/day") == 3
        await limits.close()

    with caplog.at_level(logging.WARNING, "tagger"):
        asyncio.run(ask())
    assert len(caplog.records) == 1
    assert "fails (" in caplog.text
