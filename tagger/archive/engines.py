"""Engines: where parts are tagged. Here: in this process, or in several on this machine."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol, TypeAlias, TypeVar

from tagger.archive.parts import Finished, Job, Part, Source, tag_part
from tagger.errors import OutputError
from tagger.tagging import Tagger

FinishedParts: TypeAlias = Generator[Finished, None, None]
Item = TypeVar("Item")
Result = TypeVar("Result", covariant=True)

PARTS_AHEAD = 4
"""Parts for each worker that are under way or wait for one before them; bounds the memory."""

WORTH_SHARING = 16
"""Parts from which on other processes are done sooner than this one, for all that they must start first."""

_WORKER = "import sys; sys.path[:] = {path!r}; from tagger.archive.worker import main; main()"


class Engine(Protocol):
    """Tags parts; yields what is finished in the order of the parts."""

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield the parts of a source as this engine wants them."""
        ...

    def tagged(self, parts: Iterator[Part], job: Job, tagger: Tagger) -> FinishedParts:
        """Yield the lines of the parts' documents."""
        ...


class OneProcess:
    """Tags in this process, one document after the other."""

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield the source's own parts."""
        return source.parts()

    def tagged(self, parts: Iterator[Part], job: Job, tagger: Tagger) -> FinishedParts:
        """Yield the lines of each document."""
        for part in parts:
            yield from tag_part(part, tagger, job)


class Workers:
    """Tags in several processes of this machine, a part in each at a time; fewer than `least_parts` in this one.

    Each maps the version from the folder of versions, so that all share its memory.
    """

    def __init__(self, number: int, models: Path, least_parts: int = 0) -> None:
        self._number = number
        self._models = str(models.absolute())
        self._least_parts = least_parts

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield the source's own parts."""
        return source.parts()

    def tagged(self, parts: Iterator[Part], job: Job, tagger: Tagger) -> FinishedParts:
        """Yield the lines of each part. Raises OutputError where a worker ends before its work is done."""
        opening = list(islice(parts, self._least_parts))
        if len(opening) < self._least_parts:
            yield from OneProcess().tagged(iter(opening), job, tagger)
        else:
            yield from self._shared(chain(opening, parts), job)

    def _shared(self, parts: Iterator[Part], job: Job) -> FinishedParts:
        with ExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(self._number))
            idle: SimpleQueue[_Worker] = SimpleQueue()
            for _ in range(self._number):
                worker = _Worker()
                stack.callback(worker.stop)
                idle.put(worker)
            stack.callback(threads.shutdown, wait=False, cancel_futures=True)

            def tag(part: Part) -> Finished:
                worker = idle.get()
                try:
                    return worker.tag(self._models, job, part)
                finally:
                    idle.put(worker)

            yield from in_order(lambda part: threads.submit(tag, part), parts, PARTS_AHEAD * self._number)


class _Worker:
    """A process that tags the parts it is sent. It ends by itself once this process is no more."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for this process alone, which then stops the others
        )

    def tag(self, models: str, job: Job, part: Part) -> Finished:
        """Return the lines of a part; raise what the worker raised."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump((models, job, part), self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            result: Finished | Exception = pickle.load(self._process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise OutputError(
                f"A worker process ended before its work was done ({_ending(self._process.wait())}). Give the same "
                "command again: what is done is kept; with fewer --workers it needs less memory."
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
