"""Rate limits: how often a key, or an address without one, may ask.

A rate is kept by a sliding window counter, in the memory of a worker or in Redis: what was counted in the window before
weighs less and less while this one goes on. A worker that counts in memory counts for itself, so that several let
through several times the rate; where that matters, they share Redis. While Redis does not answer, requests go on and
are counted in memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from tagger.errors import OptionError, ServiceError
from tagger.keys import Rate, check_rate

MOST_COUNTED = 50_000
"""Clients of whom a worker counts; of more, those that asked last. At most about 15 MB."""

REDIS_SECONDS = 0.2
"""How long Redis may take before a request goes on without it."""

RETRY_SECONDS = 1.0
"""How long Redis is left alone once it did not answer in time."""

CONNECTIONS = 16
"""To Redis, for each worker."""

PREFIX = "tagger"
"""What the names of all counters in Redis begin with."""

_log = logging.getLogger(__name__)


class RateLimits:
    """The rates of all clients: `default` for those without one of their own, None for no limit.

    Raises OptionError for a rate or an address of Redis that is none, ServiceError where the extra is missing.
    """

    def __init__(self, default: str | None, redis_url: str | None) -> None:
        self._default = default
        if default is not None:
            check_rate(default)
        self._memory = MemoryCounters()
        self._redis = None if redis_url is None else RedisCounters(redis_url)
        self._redis_is_away = False
        self._retry_at = 0.0

    async def hit(self, who: str, rate: str | None) -> float | None:
        """Count a request of a client; return None where it is allowed, else the seconds until one may be."""
        text = rate or self._default
        if text is None:
            return None
        asked = check_rate(text)
        if self._redis is None or time.monotonic() < self._retry_at:
            return self._memory.hit(who, asked)
        if self._redis_is_away:
            self._retry_at = time.monotonic() + RETRY_SECONDS  # this request tries, and the others do not wait with it
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                wait = await self._redis.hit(who, asked)
        except self._redis.failures as error:
            self._tell_away(error)
            return self._memory.hit(who, asked)
        self._tell_back()
        return wait

    async def close(self) -> None:
        """Leave Redis."""
        if self._redis is not None:
            await self._redis.close()

    def _tell_away(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if self._redis is not None and not self._redis_is_away:
            reason = str(error) or f"no answer within {REDIS_SECONDS} s"
            _log.warning("Redis at %s fails (%s); meanwhile each worker counts for itself.", self._redis.place, reason)
        self._redis_is_away = True

    def _tell_back(self) -> None:
        self._retry_at = 0.0
        if self._redis is not None and self._redis_is_away:
            _log.warning("Redis at %s answers again; rates are counted there.", self._redis.place)
        self._redis_is_away = False


class MemoryCounters:
    """Counts in the memory of this process.

    Not those of the library `limits`, which look through all counters for each request: a millisecond where there are
    ten thousand clients.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, Rate], tuple[float, int, int]] = OrderedDict()

    def hit(self, who: str, rate: Rate) -> float | None:
        """Count a request where it is allowed, else return the seconds until one may be."""
        window, elapsed = divmod(self._clock(), rate.seconds)
        last, before, count = self._counts.get((who, rate), (window, 0, 0))
        if last != window:
            before, count = count if last == window - 1 else 0, 0
        wait = seconds_to_wait(rate, before, count, rate.seconds - elapsed)
        self._counts[who, rate] = window, before, count + (wait is None)
        self._counts.move_to_end((who, rate))
        if len(self._counts) > MOST_COUNTED:
            self._counts.popitem(last=False)
        return wait


class RedisCounters:
    """Counts that all workers of all servers share in Redis."""

    def __init__(self, url: str) -> None:
        try:
            from limits import RateLimitItem, parse
            from limits.aio.storage import RedisStorage
            from limits.aio.strategies import SlidingWindowCounterRateLimiter
            from redis.asyncio import BlockingConnectionPool
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ImportError as error:
            raise ServiceError(
                "Rates in Redis need the extra `redis`, which is not installed; install it: scripts/setup redis"
            ) from error
        self.place = _place(url)
        self.failures = (RedisError, OSError)
        try:
            # One try more, for a connection that was closed since it was last used.
            self._pool = BlockingConnectionPool.from_url(
                url, max_connections=CONNECTIONS, timeout=REDIS_SECONDS, retry=Retry(NoBackoff(), 1)
            )
            self._pool.connection_class(**self._pool.connection_kwargs)  # which knows what an address may ask for
        except (ValueError, TypeError, RedisError) as error:
            raise _no_redis_url() from error
        pool: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, **pool)
        self._storage = storage
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._items: dict[Rate, RateLimitItem] = {}
        self._parse = parse

    async def hit(self, who: str, rate: Rate) -> float | None:
        """Count a request where it is allowed, else return the seconds until one may be. Raises `failures`."""
        if rate not in self._items:
            self._items[rate] = self._parse(f"{rate.amount}/{rate.unit}")
        item = self._items[rate]
        if await self._limiter.hit(item, who):
            return None
        before, _, count, left = await self._storage.get_sliding_window(item.key_for(who), rate.seconds)
        return seconds_to_wait(rate, before, count, max(left - rate.seconds, 0)) or 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()


def seconds_to_wait(rate: Rate, before: int, count: int, left: float) -> float | None:
    """Return how long a client must wait that asked so often in the window before and in this, which has `left` to go.

    >>> per_minute = Rate(60, "minute")
    >>> seconds_to_wait(per_minute, 0, 59, 20.0)
    >>> seconds_to_wait(per_minute, 0, 60, 20.0), seconds_to_wait(per_minute, 60, 40, 25.0)
    (20.0, 5.0)
    """
    if before * left / rate.seconds + count < rate.amount:
        return None
    return left - (rate.amount - count) * rate.seconds / before if count < rate.amount else left


def _place(url: str) -> str:
    """Return where a server is, without the password that its address may hold."""
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    except ValueError as error:
        raise _no_redis_url() from error
    if parts.scheme not in ("redis", "rediss", "unix") or not place:
        raise _no_redis_url()
    return place


def _no_redis_url() -> OptionError:
    return OptionError(
        "The address of Redis (not shown, for it may hold a password) cannot be used; expected one like "
        "redis://localhost:6379/0, rediss://user:password@cache.example.org or unix:///run/redis/redis.sock."
    )
