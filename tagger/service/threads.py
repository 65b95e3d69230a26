"""Where work is done: short work on the event loop, where a thread would cost more; long work in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from starlette.concurrency import run_in_threadpool

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def on_loop_if(short: bool, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Return what some work returns, done at once where it is short, else while other requests are answered."""
    return work(*arguments) if short else await run_in_threadpool(work, *arguments)
