"""The process of a job: does its work at the lowest priority, tells how it goes, and what has come of it."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec

from tagger.errors import InputError, OutputError, SeedsError, TaggerError
from tagger.jobs import kinds
from tagger.jobs.kinds import Places
from tagger.jobs.paths import without_paths
from tagger.jobs.records import Job, Progress
from tagger.jobs.store import LONGEST_LINE, OUTPUT, RESULT, Jobs

NICE = 19
"""The lowest priority: work waits for everything else that wants to run."""

LOOK_SECONDS = 0.2
"""How often it is looked whether the job was cancelled."""

PATIENCE_SECONDS = 5.0
"""How long the work may take to end by itself once the job is cancelled."""

PROGRESS_SECONDS = 0.5
"""How often progress within a phase is written."""

MOST_ERRORS = 100


def run(jobs: Jobs, identifier: str, places: Places, lock: int | None = None) -> Job:
    """Do a job and return what has come of it; `lock` is its lock, where who started this process took it.

    Whoever takes the lock counts the attempt. Raises InputError where another process has it.
    """
    with ExitStack() as holding:
        if lock is None:
            if holding.enter_context(jobs.hold(identifier)) is None:
                raise InputError(f"Job {identifier} runs already. Watch it: tagger jobs show {identifier}")
            if jobs.begin(identifier) is None:
                return jobs.get(identifier)
        job = jobs.get(identifier)
        _give_way()
        # A process started from the background may ignore the one, and the other would leave drafts behind.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return _done(_Work(jobs, job, places))


def _give_way() -> None:
    """Take the lowest priority, also among sessions, between which Linux may share the cores first."""
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE), encoding="ascii")


def _done(work: _Work) -> Job:
    """Do the work, and write what has come of it."""
    work.log(f"started, attempt {work.job.attempts}")
    result: dict[str, Any] | None = None
    try:
        work.watch()
        result = kinds.run(work)
        work.keep()
    except KeyboardInterrupt:
        work.keep()
        if result is None:
            return work.stopped()
    except Exception as error:
        work.keep()
        return work.end(state="failed", errors=_sentences(error))
    return work.end(state="done", result=result)


def _sentences(error: Exception) -> list[str]:
    """Return what is told of an error."""
    if isinstance(error, SeedsError):
        more = len(error.problems) - MOST_ERRORS
        return [*error.problems[:MOST_ERRORS], *([f"And {more} more problems."] if more > 0 else [])]
    if isinstance(error, TaggerError):
        return [str(error)]
    traceback.print_exception(error)
    what = error.strerror if isinstance(error, OSError) else None
    return [f"The job failed on something unexpected ({what or type(error).__name__}); see {OUTPUT} in its folder."]


class _Work:
    """The job that this process does, as its kind knows it."""

    def __init__(self, jobs: Jobs, job: Job, places: Places) -> None:
        self.job = job
        self.places = places
        self.result_file = jobs.folder_of(job.id) / RESULT
        self._jobs = jobs
        self._written_at = 0.0
        self._kept = threading.Event()
        self._interrupting = threading.Lock()

    def progress(self, phase: str, done: float) -> None:
        """Write what is done now, not too often, and if that is possible: it is not worth the job."""
        is_new = self.job.progress is None or self.job.progress.phase != phase
        if is_new:
            self.log(phase)
        if is_new or time.monotonic() - self._written_at >= PROGRESS_SECONDS:
            self.job = msgspec.structs.replace(self.job, progress=Progress(phase, round(done, 4)))
            self._written_at = time.monotonic()
            with suppress(OutputError):
                self._jobs.change(self.job)

    def log(self, message: str) -> None:
        """Write a line into the log."""
        self._jobs.log(self.job.id, self._without_paths(message))

    def keep(self) -> None:
        """Let the job no longer be cancelled; what is done from here on is part of what was asked for."""
        with self._interrupting:
            self._kept.set()

    def watch(self) -> None:
        """Begin to look whether the job is cancelled."""
        threading.Thread(target=self._watch, name="cancel", daemon=True).start()

    def end(self, *, errors: list[str] | None = None, **changes: Any) -> Job:
        """Write what has come of the job."""
        shown = [self._without_paths(error)[:LONGEST_LINE] for error in errors or []]
        for error in shown:
            self.log(error)
        return self._jobs.end(self.job, errors=shown, **changes)

    def stopped(self) -> Job:
        """Write that the job is cancelled; if only this process was told to end, the job waits to be started again."""
        if self._jobs.is_cancelled(self.job.id):
            return self.end(state="cancelled")
        self.log("stopped; to be started again")
        return self._jobs.give_back(self.job)

    def _watch(self) -> None:
        while not self._kept.wait(LOOK_SECONDS):
            if self._jobs.is_cancelled(self.job.id):
                self._interrupt()
                if not self._kept.wait(PATIENCE_SECONDS):
                    os._exit(1)  # the job is cancelled by the next one that looks at it
                return

    def _interrupt(self) -> None:
        with self._interrupting:
            if not self._kept.is_set():
                main = threading.main_thread().ident
                assert main
                signal.pthread_kill(main, signal.SIGINT)

    def _without_paths(self, text: str) -> str:
        folders = {"state": self._jobs.folder.parent, **msgspec.structs.asdict(self.places)}
        return without_paths(text, folders)
