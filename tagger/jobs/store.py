"""The jobs below one folder, shared by all processes that ask for them, run them or look at them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tagger.errors import OutputError, Overloaded, UnknownJob
from tagger.files import held, locked, make_folder, read_plain, replace_file, sync
from tagger.jobs.records import Job, LogLine, damaged, now

FOLDER = "jobs"
"""Its name in the folder of what an installation keeps."""

RECORD, LOG, LOCK, CANCEL = "job.json", "log.jsonl", "lock", "cancel"
OUTPUT, RESULT = "output.txt", "result.jsonl"
"""What a job's folder holds."""

MOST_KEPT = 100
"""Jobs that are over and still told of."""

MOST_WAITING = 100
MOST_ATTEMPTS = 3

PAUSE_SECONDS: Mapping[int, float] = {1: 2.0, 2: 10.0}
"""How long a job waits after so many attempts: by then there may be memory again, or whatever was missing."""

LOG_LINES, LONGEST_LINE = 100, 1000
"""What is shown of a log, and the characters of a line."""

DRAFT_SECONDS = 3600
"""The age at which a hidden folder is what a killed process left."""

_ID = re.compile(r"[0-9]{6,12}")


class Jobs:
    """The jobs of an installation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._over: set[str] = set()
        """Jobs known to be over, whose records need not be read again and again to find those that are not."""

    def create(self, kind: str, options: dict[str, Any], by: str) -> Job:
        """Note that a job is wanted; once this returns, it is on disk and will be done.

        Raises Overloaded where very many wait already, and OutputError where it cannot be written.
        """
        job = Job(kind=kind, options=options, by=by, created=now())
        try:
            make_folder(self.folder)
            with locked(self.folder):
                if len(self.waiting()) >= MOST_WAITING:
                    raise Overloaded(f"{MOST_WAITING} jobs wait already. Cancel some, or ask again when they are done.")
                identifier = self._save(job)
        except OSError as error:
            raise OutputError(f"Cannot keep a job in the folder of jobs: {error.strerror or error}.") from error
        self._prune()
        return msgspec.structs.replace(job, id=identifier)

    def _save(self, job: Job) -> str:
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.folder))
        try:
            replace_file(draft / RECORD, _encoded(job))
            (draft / LOCK).touch()
            with held(draft / LOCK):  # nobody starts it before it is sure to stay
                return self._publish(draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def names(self) -> list[str]:
        """Return the ids of all jobs, oldest first."""
        with suppress(OSError):
            return [path.name for path in self._numbered() if not path.is_symlink()]
        return []

    def _numbered(self) -> list[Path]:
        """Return what is called like a job, be it one or not, by number."""
        return sorted(
            (path for path in self.folder.iterdir() if _ID.fullmatch(path.name)), key=lambda path: int(path.name)
        )

    def get(self, identifier: str) -> Job:
        """Return a job. Raises UnknownJob. One whose record is damaged is given as failed."""
        self.folder_of(identifier)
        return self._read(identifier) or damaged(identifier)

    def all(self) -> list[Job]:
        """Return the jobs, oldest first."""
        return [self._read(name) or damaged(name) for name in self.names()]

    def waiting(self) -> list[Job]:
        """Return the jobs that are not over, oldest first."""
        names = self.names()
        found = {name: self._read(name) for name in names if name not in self._over}
        over = {name for name, job in found.items() if job and job.is_over}
        self._over = over.union(name for name in names if name not in found)
        return [job for job in found.values() if job and not job.is_over]

    def _read(self, identifier: str) -> Job | None:
        """Return a job, None where its record is damaged."""
        try:
            content = read_plain(self.folder / identifier / RECORD)
            return msgspec.structs.replace(msgspec.json.decode(content, type=Job), id=identifier)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            return None

    def cancel(self, identifier: str) -> Job:
        """Ask for a job to be cancelled, which one is at once that does not run yet; one that is over stays as it is.

        Raises UnknownJob, and OutputError where it cannot be written.
        """
        if not self.get(identifier).is_over:
            replace_file(self.folder_of(identifier) / CANCEL, b"")
            with self.hold(identifier) as lock:
                if lock is not None:
                    self._end_if_cancelled(self.get(identifier))
        return self.get(identifier)

    def is_cancelled(self, identifier: str) -> bool:
        """Tell whether it was asked for a job to be cancelled."""
        return (self.folder / identifier / CANCEL).exists()

    def folder_of(self, identifier: str) -> Path:
        """Return the folder of a job. Raises UnknownJob."""
        if identifier not in self.names():
            raise UnknownJob(f"There is no job {identifier[:LONGEST_LINE]!r}. The last {MOST_KEPT} are kept.")
        return self.folder / identifier

    # ---- For the process that runs a job, and who starts it

    @contextmanager
    def hold(self, identifier: str) -> Iterator[int | None]:
        """Take the lock of a job and give its handle, or None where another process has it."""
        try:
            handle = os.open(self.folder_of(identifier) / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise OutputError(f"Cannot open {LOCK} of job {identifier}: {error.strerror}.") from error
        try:
            yield handle if _lock(handle) else None
        finally:
            os.close(handle)

    def begin(self, identifier: str) -> Job | None:
        """Count an attempt at a job that is held, and return it; None where it is over, or is now."""
        job = self.get(identifier)
        if job.is_over or self._end_if_cancelled(job):
            return None
        if job.attempts >= MOST_ATTEMPTS:
            error = f"Its process ended {job.attempts} times without a result; {OUTPUT} in its folder may say why."
            self.end(job, state="failed", errors=[error])
            return None
        return self.change(job, state="running", attempts=job.attempts + 1, started=job.started or now())

    def give_back(self, job: Job) -> Job:
        """Let a job that is held wait again, as if this attempt at it had not been."""
        return self.change(job, state="queued", attempts=job.attempts - 1, progress=None)

    def rests(self, job: Job) -> bool:
        """Tell whether it is too early for another attempt at a job."""
        if job.is_over or self.is_cancelled(job.id):
            return False
        with suppress(OSError):
            age = time.time() - (self.folder / job.id / RECORD).stat().st_mtime
            return 0 <= age < PAUSE_SECONDS.get(job.attempts, 0)
        return False

    def change(self, job: Job, **changes: Any) -> Job:
        """Write what is new of a job that is held. Raises OutputError."""
        changed = msgspec.structs.replace(job, **changes)
        replace_file(self.folder_of(job.id) / RECORD, _encoded(changed))
        return changed

    def end(self, job: Job, **changes: Any) -> Job:
        """Write what has come of a job that is held."""
        ended = self.change(job, ended=now(), progress=None, **changes)
        self.log(job.id, ended.state)
        return ended

    def _end_if_cancelled(self, job: Job) -> bool:
        if job.is_over or not self.is_cancelled(job.id):
            return False
        self.end(job, state="cancelled")
        return True

    # ---- The log, and what its process prints

    def log(self, identifier: str, message: str) -> None:
        """Add a line to the log of a job, if that is possible: a line is not worth the job."""
        line = msgspec.json.encode(LogLine(now(), message[:LONGEST_LINE]))
        with suppress(OSError), _appending(self.folder_of(identifier) / LOG) as stream:
            stream.write(line + b"\n")

    def output(self, identifier: str) -> BinaryIO:
        """Open the file for what the process of a job prints; where that is not possible, it is lost."""
        try:
            return _appending(self.folder_of(identifier) / OUTPUT)
        except OSError:
            return _appending(Path(os.devnull))

    def lines(self, identifier: str) -> list[LogLine]:
        """Return the last lines of a job's log; one that was cut off by the end of its process is left out."""
        try:
            content = read_plain(self.folder_of(identifier) / LOG)
        except OSError:
            return []
        found = []
        for line in content.splitlines()[-LOG_LINES:]:
            with suppress(ValueError, msgspec.MsgspecError):
                found.append(msgspec.json.decode(line, type=LogLine))
        return found

    # ---- Folders

    def _publish(self, draft: Path) -> str:
        """Rename a draft to the next number; when another process was faster, to the one after.

        Where this cannot be brought to the disk the draft is a draft again.
        """
        while True:
            identifier = f"{max((int(path.name) for path in self._numbered()), default=0) + 1:06d}"
            try:
                draft.rename(self.folder / identifier)
            except OSError:
                if os.path.lexists(self.folder / identifier):
                    continue
                raise
            try:
                sync(self.folder)
            except OSError:
                (self.folder / identifier).rename(draft)
                raise
            return identifier

    def _prune(self) -> None:
        """Remove the oldest jobs that are over, beyond those kept, and what killed processes left."""
        waiting = {job.id for job in self.waiting()}
        for name in [name for name in self.names() if name not in waiting][:-MOST_KEPT]:
            gone = self.folder / f".gone-{name}"
            with suppress(OSError):
                (self.folder / name).rename(gone)  # in one step, so that nobody finds half of it
            _remove(gone)
        for hidden in self.folder.glob(".*"):
            with suppress(OSError):
                if time.time() - hidden.stat(follow_symlinks=False).st_mtime > DRAFT_SECONDS:
                    _remove(hidden)


def _encoded(job: Job) -> bytes:
    return msgspec.json.format(msgspec.json.encode(job), indent=1) + b"\n"


def _appending(path: Path) -> BinaryIO:
    """Open a file to write at its end. Raises OSError, also for a link, and for a pipe that nobody reads."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(path, flags, 0o644), "ab", buffering=0)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink() if path.is_symlink() or not path.is_dir() else shutil.rmtree(path, ignore_errors=True)
