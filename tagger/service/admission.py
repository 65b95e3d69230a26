"""Admission: how much work a worker takes on, and what it does at once, later, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

from starlette.concurrency import run_in_threadpool

from tagger.errors import Overloaded

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_WAITING = 200
"""Requests that may be there without being looked at; each takes well under a millisecond."""

FEW_WAITING, BUSY_SECONDS = 16, 1.0
"""While fewer wait, they need no turns: all are answered within a few milliseconds. That must last for some time, or
in a busy moment it would come and go."""

MOST_BODIES = 20
"""Largest bodies that may be arriving at the same time, in bytes all in all."""

SMALL_BODY_BYTES = 65_536
"""What each body may have beside that: large ones that never end must not keep small ones out."""

MOST_TURNS = 50
"""Requests that may keep the event loop one after the other."""

LOOP_SECONDS = 0.002
"""How long work may keep the event loop, where all other requests wait; a thread costs about .0001 itself."""

SHORT_SECONDS = 0.1
"""What takes longer has a thread of its own, so that what is short does not wait for it."""


BUSY = "The service has more to do than it can within a moment. Send the request again later."


class Admission:
    """What one worker has taken on: bodies that arrive, requests that wait for the event loop, and long work.

    Long work runs in one of two threads: more would only take the interpreter from each other. What would wait for
    its thread longer than `queue_seconds` is refused: at once where the work before it is estimated to take that long,
    else when the time is over.
    """

    def __init__(self, queue_seconds: float, max_body_bytes: int) -> None:
        self.shed = 0
        self.idle: dict[Any, float] = {}
        """Connections whose next request is not there yet, and since when; those that wait longest are first."""
        self._queue_seconds = queue_seconds
        self._room = MOST_BODIES * max_body_bytes
        self._arrived: dict[int, float] = {}
        self._tickets = 0
        self._turns: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._taken = False
        self._let_go = 0
        self._begun = self._ended = self._busy_until = 0.0
        self._each = LOOP_SECONDS
        self._lanes = (_Lane(), _Lane())

    @property
    def waiting(self) -> int:
        """Requests that nothing has been done for yet."""
        return len(self._arrived) + len(self._turns) + sum(lane.waiting for lane in self._lanes)

    def arrive(self) -> int:
        """Note that a request is there; return its ticket."""
        self._tickets += 1
        self._arrived[self._tickets] = time.monotonic()
        return self._tickets

    def begin(self, ticket: int | None) -> None:
        """Note that a request, if there is one of that ticket, waits no more."""
        if ticket is not None:
            self._arrived.pop(ticket, None)

    def full(self) -> bool:
        """Tell whether one request more would wait too long for the event loop."""
        if self._turns:
            oldest = self._turns[0][0]
        elif self._arrived:
            oldest = next(iter(self._arrived.values()))
        else:
            return False
        waiting = len(self._turns) + len(self._arrived)
        return waiting >= MOST_WAITING or time.monotonic() - oldest > self._queue_seconds

    async def turn(self) -> None:
        """Wait until the event loop may be kept for a moment.

        Requests that wait are let go on a few at a time: as many as take as long as all else has taken since the last
        ones, refusals above all. So half the loop is theirs however much is refused, and all else, such as whether
        the process is alive, waits for few of them.
        """
        now = time.monotonic()
        if len(self._arrived) + len(self._turns) >= FEW_WAITING:
            self._busy_until = now + BUSY_SECONDS
        elif now > self._busy_until and not self._taken:
            return
        loop = asyncio.get_running_loop()
        if self._taken or self._turns:
            turn = loop.create_future()
            self._turns.append((now, turn))
            await turn
        else:
            self._taken = True
            self._begun = self._ended = now
            loop.call_soon(self._next_turns, loop)

    def _next_turns(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        if self._let_go:
            self._each += ((now - self._begun) / self._let_go - self._each) / 10
        elsewhere = self._begun - self._ended
        self._ended = now
        self._let_go = min(len(self._turns), max(1, min(int(elsewhere / self._each), MOST_TURNS)))
        self._taken = self._let_go > 0
        if self._taken:
            loop.call_soon(self._begin_turns)
            for _ in range(self._let_go):
                _, turn = self._turns.popleft()
                if not turn.done():
                    turn.set_result(None)
            loop.call_soon(self._next_turns, loop)

    def _begin_turns(self) -> None:
        self._begun = time.monotonic()

    def take(self, size: int, more: int) -> None:
        """Take in more of a body that has some size, which `give_back` ends. Raises Overloaded."""
        needed = _counted(size + more) - _counted(size)
        if needed > self._room:
            raise self._refusal()
        self._room -= needed

    def give_back(self, size: int) -> None:
        """Forget a body."""
        self._room += _counted(size)

    async def do(self, seconds: float, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Return what some work of about so many seconds returns. Raises Overloaded where it would wait too long."""
        if seconds <= LOOP_SECONDS:
            return work(*arguments)
        lane = self._lanes[seconds > SHORT_SECONDS]
        if lane.waiting and lane.seconds > self._queue_seconds:
            raise self._refusal()
        await self._wait(lane, seconds)
        try:
            return await run_in_threadpool(work, *arguments)
        finally:
            lane.free.release()

    async def _wait(self, lane: _Lane, seconds: float) -> None:
        lane.waiting += 1
        lane.seconds += seconds
        try:
            async with asyncio.timeout(self._queue_seconds):
                await lane.free.acquire()
        except TimeoutError as error:
            raise self._refusal() from error
        finally:
            lane.waiting -= 1
            lane.seconds -= seconds

    def _refusal(self) -> Overloaded:
        self.shed += 1
        return Overloaded(BUSY)


class _Lane:
    """Long work that runs one after the other: how much waits, and how long it will take."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(1)
        self.waiting = 0
        self.seconds = 0.0


def _counted(size: int) -> int:
    return max(0, size - SMALL_BODY_BYTES)
