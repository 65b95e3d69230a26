"""Processes of this machine that share work: each does a task at a time, and what they did comes in order."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from tagger.errors import OutputError

Item = TypeVar("Item")
Done = TypeVar("Done")
Result = TypeVar("Result", covariant=True)

TASKS_AHEAD = 4
"""Tasks for each worker that are under way or wait for one before them; bounds the memory."""

_WORKER = "import sys; sys.path[:] = {path!r}; from tagger.archive.worker import main; main()"


def shared(
    function: Callable[..., Done], tasks: Iterable[tuple[Any, ...]], processes: int
) -> Generator[Done, None, None]:
    """Yield what a function returns for the arguments of each task, in their order, worked out in so many processes.

    The function is one of a module, and arguments and results can be pickled. Raises what the function raises, and
    OutputError where a process ends before its work is done.
    """
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(processes))
        idle: SimpleQueue[_Worker] = SimpleQueue()
        for _ in range(processes):
            worker = _Worker()
            stack.callback(worker.stop)
            idle.put(worker)
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)

        def work(task: tuple[Any, ...]) -> Done:
            worker = idle.get()
            try:
                return worker.work(function, task)
            finally:
                idle.put(worker)

        yield from in_order(lambda task: threads.submit(work, task), tasks, TASKS_AHEAD * processes)


class _Worker:
    """A process that does the tasks it is sent. It ends by itself once this process is no more."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for this process alone, which then stops the others
        )

    def work(self, function: Callable[..., Done], task: tuple[Any, ...]) -> Done:
        """Return what the function returns; raise what it raised."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump((function, task), self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            result: Done | Exception = pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise OutputError(
                f"A worker process ended before its work was done ({_ending(self._process.wait())}). Give the same "
                "command again (an archive goes on where it stopped); with fewer --workers it needs less memory."
            ) from error
        if isinstance(result, Exception):
            raise result
        return result

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            with suppress(BrokenPipeError):  # what the worker did not read is lost, as it should be
                stream.close()


class Waiting(Protocol[Result]):
    """A result that is not there yet."""

    def result(self) -> Result:
        """Wait for it."""
        ...


def in_order(submit: Callable[[Item], Waiting[Result]], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Yield the results of what is submitted in the order of the items, so many of them under way at most."""
    waiting: deque[Waiting[Result]] = deque()
    for item in items:
        waiting.append(submit(item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
