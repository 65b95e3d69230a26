"""What requests and answers of operations look like: jobs, and which version is live."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from tagger.jobs.archives import SEEDS
from tagger.promotion import MOST_CHARACTERS
from tagger.service.schemas import Given

LONGEST_NAME = 255


class Nothing(Given):
    """What there is nothing to say about."""


class TrainRequest(Given):
    """How to train."""

    promote: bool = Field(False, description="Make the new version live, unless it does worse than the live one.")
    effort: Literal["quick", "full"] = Field("quick", description="`full` tries more recipes.")
    merge: Literal["refuse", "union", "first"] = Field(
        "refuse", description="What to do with seeds of the same text and other themes."
    )


class DiffRequest(Given):
    """Which versions to compare, from `a` to `b`, and on what."""

    a: str = Field(max_length=LONGEST_NAME)
    b: str = Field(max_length=LONGEST_NAME)
    on: str = Field(SEEDS, max_length=LONGEST_NAME, description="One of the names that GET /v1/archives lists.")


class PromoteRequest(Given):
    """Whether to promote a version that does worse than the live one, too."""

    force: str | None = Field(
        None,
        description="The reason to go on whatever it does worse: a sentence on one line. The history keeps it.",
        # In any script, in fact; but which characters are printable cannot be said here.
        json_schema_extra={"pattern": "^[!-~]+( [!-~]+)+$", "maxLength": MOST_CHARACTERS},
    )


class JobProgress(BaseModel):
    """What a job does now, and how much of that is done, 0 to 1."""

    phase: str
    done: float


class JobState(BaseModel):
    """A job: what was asked for, by whom, and how it goes."""

    id: str
    kind: str
    options: dict[str, Any]
    by: str
    created: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    attempts: int = Field(description="How often its process was started.")
    started: str | None
    ended: str | None
    progress: JobProgress | None


class LogLine(BaseModel):
    """What a job said, and when."""

    time: str
    message: str


class JobDetails(JobState):
    """A job with what has come of it: a result, or in sentences what is wrong, and the end of its log."""

    result: dict[str, Any] | None
    errors: list[str]
    log: list[LogLine]


class JobList(BaseModel):
    """Jobs, newest first; `next` is what to ask for with `after` to get older ones, if there are any."""

    jobs: list[JobState]
    next: str | None


class Archives(BaseModel):
    """What versions can be compared on."""

    archives: list[str]


class VersionDetails(BaseModel):
    """A version: its manifest without the texts in it, and what was measured when it was trained."""

    version: str
    live: bool
    at: str
    manifest: dict[str, Any]
    report: dict[str, Any]


class Promoted(BaseModel):
    """The version that is live now, what it was promoted in spite of, and what else there is to say of it."""

    version: str
    instead_of: str | None
    objections: list[str]
    remarks: list[str]


class RolledBack(BaseModel):
    """The version that is live again."""

    version: str
    instead_of: str | None
