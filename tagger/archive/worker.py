"""A worker process: reads tasks from its standard input, a function and its arguments, and writes what they gave."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

Task = tuple[Callable[..., object], tuple[Any, ...]]


def main() -> None:
    """Work until the other end of the pipes is closed."""
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print must not get among the results
    try:
        while (task := _next(tasks)) is not None:
            pickle.dump(_result(*task), results, protocol=pickle.HIGHEST_PROTOCOL)
            results.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)


def _next(tasks: BinaryIO) -> Task | None:
    try:
        task: Task = pickle.load(tasks)
    except (EOFError, pickle.UnpicklingError):
        return None
    return task


def _result(function: Callable[..., object], arguments: tuple[Any, ...]) -> object:
    try:
        return function(*arguments)
    except Exception as error:  # told where the task came from
        return error
