"""The thread that starts the next job: one of them in each worker of each server, and no two start the same job."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tagger.errors import TaggerError
from tagger.jobs.store import Jobs

LOOK_SECONDS = 1.0
"""How often it is looked whether there is something to start."""

logger = logging.getLogger(__name__)


class Supervisor:
    """Starts jobs, the oldest first and one at a time, in processes that outlive this one.

    `environment` is what those processes are to have beside the environment of this one: the settings.
    """

    def __init__(self, jobs: Jobs, environment: Mapping[str, str]) -> None:
        self._jobs = jobs
        self._environment = environment
        self._woken = threading.Event()
        self._stopped = False
        self._warned: set[str] = set()
        self._thread = threading.Thread(target=self._follow, name="jobs", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """Let it look at once."""
        self._woken.set()

    def _follow(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                self._start_next()
            except Exception:  # whatever is wrong now, it looks again
                logger.exception("No job can be started at the moment")
            self._woken.wait(LOOK_SECONDS)

    def _start_next(self) -> None:
        for job in self._jobs.waiting():
            try:
                if self._has_its_turn(job.id):
                    return
            except (OSError, TaggerError) as error:
                self._warn(job.id, error)

    def _has_its_turn(self, identifier: str) -> bool:
        """Tell whether a job runs, started if it did not, or will be before all others."""
        with self._jobs.hold(identifier) as lock:
            if lock is None or self._jobs.rests(self._jobs.get(identifier)):
                return True
            job = self._jobs.begin(identifier)
            if job is None:
                return False
            try:
                self._start(identifier, lock)
            except OSError as error:  # the machine has no room for a process: no other job can be started either
                self._jobs.give_back(job)
                self._warn(identifier, error)
            return True

    def _warn(self, identifier: str, error: Exception) -> None:
        """Write once what keeps a job from being started."""
        message = f"Job {identifier} cannot be started: {error}"
        if message not in self._warned:
            self._warned.add(message)
            logger.warning("%s", message)

    def _start(self, identifier: str, lock: int) -> None:
        """Start the process of a job. It has the lock from the first, for it shares it with this process until then."""
        command = [sys.executable, "-m", "tagger", "jobs", "run", identifier]
        with self._jobs.output(identifier) as output:
            process = subprocess.Popen(
                [*command, f"--state={self._jobs.folder.parent}", f"--lock={lock}"],
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock],
                start_new_session=True,  # Ctrl-C and the end of the server are not meant for it
            )
        threading.Thread(target=self._await, args=(process,), name="job", daemon=True).start()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self.wake()
