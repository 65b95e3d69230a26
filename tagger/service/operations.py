"""The routes of operations: jobs are asked for and looked at, and versions go live or back.

What reads or writes disks, or loads versions, is done in a thread.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Annotated, Any, BinaryIO, TypeVar, TypeVarTuple

import msgspec
from fastapi import APIRouter, Body, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from tagger import promotion
from tagger.errors import DamagedVersion, NoLiveVersion, OutputError, PromotionRefused, SeedsError
from tagger.files import open_plain, read_plain
from tagger.jobs import Job, Jobs
from tagger.jobs.archives import archive_names, check_archive
from tagger.jobs.paths import without_paths
from tagger.jobs.store import RESULT
from tagger.registry import Registry
from tagger.service.bodies import BODY_PROBLEMS, JsonRoute
from tagger.service.operation_schemas import (
    Archives,
    DiffRequest,
    JobDetails,
    JobList,
    JobState,
    Nothing,
    Promoted,
    PromoteRequest,
    RolledBack,
    TrainRequest,
    VersionDetails,
)
from tagger.service.problems import SHOWN_PROBLEMS, declared

NDJSON = "application/x-ndjson"
CHUNK = 1 << 16

LOCATION = {"headers": {"Location": {"description": "Where the job is told of.", "schema": {"type": "string"}}}}

UNCHANGED = "nothing is changed."
LOOK_AT_LIVE = "look at what is live before asking again: GET /v1/models/live"
LOOK_AT_JOB = "look at the job before asking again."
"""What is said where something could not be written whole; that it counts may have been written even so."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger(__name__)

router = APIRouter(route_class=JsonRoute, generate_unique_id_function=lambda route: route.name)


# ---- Jobs


@router.post(
    "/v1/train",
    status_code=202,
    response_model=JobDetails,
    responses={202: LOCATION, **declared(*BODY_PROBLEMS, 503)},
)
async def train(given: Annotated[TrainRequest, Body()], request: Request) -> Response:
    """Ask for a training on the seeds; one runs at a time."""
    return await _in_thread(_create, request, "train", given)


@router.post(
    "/v1/models/diff",
    status_code=202,
    response_model=JobDetails,
    responses={202: LOCATION, **declared(404, *BODY_PROBLEMS, 503)},
)
async def diff(given: Annotated[DiffRequest, Body()], request: Request) -> Response:
    """Ask what would change from one version to another."""
    await _in_thread(_check_diff, request, given)
    return await _in_thread(_create, request, "diff", given)


@router.get("/v1/jobs", responses=declared(422))
def jobs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(pattern=r"^[0-9]{6,18}$", description="Those older than this one.")] = None,
) -> JobList:
    """List the jobs, newest first."""
    found = [job for job in reversed(_jobs(request).all()) if after is None or int(job.id) < int(after)]
    shown = [JobState.model_validate(job.as_record()) for job in found[:limit]]
    return JobList(jobs=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/v1/jobs/{job}", responses=declared(404, 422))
def job(request: Request, job: str) -> JobDetails:
    """Tell how a job goes, or what has come of it."""
    return _details(_jobs(request), _jobs(request).get(job))


@router.get(
    "/v1/jobs/{job}/result",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}}, **declared(404, 422)},
)
def result(request: Request, job: str) -> StreamingResponse:
    """Return the records that a comparison has found, one on a line."""
    path = _jobs(request).folder_of(job) / RESULT
    try:
        stream = open_plain(path)
    except OSError as error:
        raise HTTPException(404, f"Job {job} has no records: it is no comparison, or not done.") from error
    return StreamingResponse(_chunks(stream), media_type=NDJSON)


@router.post("/v1/jobs/{job}/cancel", response_model=JobDetails, responses=declared(404, *BODY_PROBLEMS, 503))
async def cancel(_given: Annotated[Nothing, Body()], request: Request, job: str) -> Response:
    """Cancel a job: at once if it waits, within seconds if it runs; one that is over stays as it is."""
    return await _in_thread(_cancel, request, job, unwritten=LOOK_AT_JOB)


@router.get("/v1/archives", responses=declared())
def archives(request: Request) -> Archives:
    """List what versions can be compared on."""
    return Archives(archives=archive_names(request.app.state.settings.archives))


# ---- Versions


@router.get("/v1/models/{version}", responses=declared(404, 409, 422, 503))
def version(request: Request, version: str) -> VersionDetails:
    """Tell what a version was made of, and what was measured when it was trained."""
    registry = _registry(request)
    found = registry.get(version)
    found.check()
    manifest = {name: value for name, value in found.manifest.items() if name != "canaries"}
    try:
        report = json.loads(read_plain(found.folder / "report" / "report.json"))
    except (OSError, ValueError) as error:
        raise DamagedVersion(f"Version {version} is damaged: its report cannot be read.") from error
    live = version == registry.live_name()
    return VersionDetails(version=version, live=live, at=found.created["at"], manifest=manifest, report=report)


@router.post("/v1/models/{version}/promote", response_model=Promoted, responses=declared(404, 409, *BODY_PROBLEMS, 503))
async def promote(given: Annotated[PromoteRequest, Body()], request: Request, version: str) -> Response:
    """Make a version live, if it does nothing worse than the live one, or for a reason."""
    return await _in_thread(_promote, request, version, given.force, unwritten=LOOK_AT_LIVE)


@router.post("/v1/models/rollback", response_model=RolledBack, responses=declared(409, *BODY_PROBLEMS, 503))
async def rollback(_given: Annotated[Nothing, Body()], request: Request) -> Response:
    """Make the version that was live before live again."""
    return await _in_thread(_rollback, request, unwritten=LOOK_AT_LIVE)


# ---- What they do


def _create(request: Request, kind: str, given: BaseModel) -> Response:
    created = _jobs(request).create(kind, given.model_dump(), _caller(request))
    request.app.state.supervisor.wake()
    return _answer(_details(_jobs(request), created), 202, {"Location": f"/v1/jobs/{created.id}"})


def _check_diff(request: Request, given: DiffRequest) -> None:
    """Raise UnknownVersion or InputError where there is nothing to compare."""
    for name in (given.a, given.b):
        _registry(request).get(name)
    check_archive(given.on, request.app.state.settings.archives)


def _cancel(request: Request, job: str) -> Response:
    cancelled = _jobs(request).cancel(job)
    request.app.state.supervisor.wake()
    return _answer(_details(_jobs(request), cancelled))


def _promote(request: Request, version: str, force: str | None) -> Response:
    seeds = request.app.state.settings.seeds
    try:
        verdict = promotion.promote(_registry(request), version, seeds, by=_caller(request), force=force).verdict
    except SeedsError as error:
        problems = " ".join(error.problems[:SHOWN_PROBLEMS])
        raise HTTPException(422, without_paths(problems, {"seeds": seeds})) from error
    except PromotionRefused as refusal:
        remedy = "To promote it all the same, say why in the field `force`."
        raise PromotionRefused(refusal.found, remedy, refusal.objections) from refusal
    objections = [objection.detail for objection in verdict.objections]
    return _answer(
        Promoted(version=version, instead_of=verdict.live, objections=objections, remarks=list(verdict.remarks))
    )


def _rollback(request: Request) -> Response:
    registry = _registry(request)
    before = registry.live_name()
    try:
        live = promotion.rollback(registry, by=_caller(request))
    except NoLiveVersion as error:
        raise HTTPException(409, str(error)) from error
    return _answer(RolledBack(version=live.name, instead_of=before))


async def _in_thread(work: Callable[[*Ts], T], *arguments: *Ts, unwritten: str = UNCHANGED) -> T:
    """Return what some work returns, done in a thread. Raises HTTPException 503 where it cannot write."""
    try:
        return await run_in_threadpool(work, *arguments)
    except OutputError as error:
        logger.error("Nothing can be written: %s", error)  # the error names a path, the answer does not
        reason = getattr(error.__cause__, "strerror", None) or "it is closed"
        raise HTTPException(503, f"What this needs to write cannot be written ({reason}); {unwritten}") from error


def _details(jobs: Jobs, job: Job) -> JobDetails:
    return JobDetails.model_validate({**job.as_record(), "log": msgspec.to_builtins(jobs.lines(job.id))})


def _answer(content: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(content.model_dump_json(), status, headers, "application/json")


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _jobs(request: Request) -> Jobs:
    found: Jobs = request.app.state.jobs
    return found


def _registry(request: Request) -> Registry:
    found: Registry = request.app.state.live_model.registry
    return found


def _caller(request: Request) -> str:
    caller: Any = request.scope["state"].get("caller", "unknown")
    return str(caller)
