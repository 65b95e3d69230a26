"""What is known of a job, and the lines of its log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Progress(msgspec.Struct, frozen=True):
    """What a job does now, and how much of that is done, 0 to 1."""

    phase: str
    done: float


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job: what was asked for, by whom, and what has come of it."""

    id: str = ""
    kind: str
    options: dict[str, Any] = {}
    by: str
    created: str
    state: State = "queued"
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    errors: list[str] = []

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more will come of it."""
        return self.state not in ("queued", "running")

    def as_record(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        record: dict[str, Any] = msgspec.to_builtins(self)
        return record


class LogLine(msgspec.Struct, frozen=True):
    """What a job said, and when."""

    time: str
    message: str


def damaged(identifier: str) -> Job:
    """Return what stands for a job whose record cannot be read."""
    error = f"The record of job {identifier} is damaged, so nothing will come of it. Ask for the work again."
    return Job(id=identifier, kind="unknown", by="unknown", created="unknown", state="failed", errors=[error])


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
