"""Refusals on the wire: RFC 9457 problem details, and the one table from errors to HTTP statuses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match

from tagger.errors import (
    DamagedVersion,
    InputError,
    ModelError,
    OtherLive,
    Overloaded,
    PromotionRefused,
    TaggerError,
    UnknownJob,
    UnknownVersion,
)
from tagger.service.schemas import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"

STATUSES: Mapping[type[TaggerError], int] = {
    InputError: 422,
    UnknownJob: 404,
    UnknownVersion: 404,
    DamagedVersion: 409,
    OtherLive: 409,
    PromotionRefused: 409,
    ModelError: 503,
    Overloaded: 503,
    TaggerError: 500,
}
"""The status of each error; a kind that is not here has that of its nearest ancestor."""

RETRY_AFTER = "1"
"""Seconds after which a service that could not answer may be asked again."""

SHOWN_CHARACTERS = 100
SHOWN_PROBLEMS = 20

_DETAILS = {
    404: "There is nothing at this path. GET / lists what there is.",
    405: "This path does not know this method; the header Allow lists those it knows.",
    500: "The service failed on this request; its log says why. Nothing is wrong with your request.",
}


ANYWHERE = (400, 401, 403, 421, 429, 500)
"""What any request may be answered with: by its headers, key, host, how often it comes, and where the service fails."""


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route's OpenAPI says of the problems it may answer with."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in (*statuses, *ANYWHERE)}


def declare_media_type(openapi: dict[str, Any]) -> None:
    """Give problems their media type; FastAPI declares every model as application/json."""
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "application/json" in response["content"]:
                    response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}


def field_problems(errors: Sequence[Any]) -> list[FieldProblem]:
    """Return the first of pydantic's errors, each with what was received, cut short."""
    return [
        FieldProblem(
            location=_cut(".".join(map(str, error["loc"])) or "document"),
            message=error["msg"],
            value=_cut(_shown(error["input"])),
        )
        for error in errors[:SHOWN_PROBLEMS]
    ]


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(TaggerError, _on_tagger_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)


async def _on_tagger_error(_request: Request, error: Exception) -> Response:
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    objections = list(error.objections) if isinstance(error, PromotionRefused) else None
    return problem(status, str(error), {"Retry-After": RETRY_AFTER} if status == 503 else None, objections=objections)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    shown = field_problems(found)
    detail = f"{len(found)} problems in the request." if len(found) > 1 else f"{shown[0].location}: {shown[0].message}."
    return problem(422, detail, errors=shown)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {**(error.headers or {}), "Allow": _allowed(request)} if error.status_code == 405 else error.headers
    own = error.detail if error.detail != HTTPStatus(error.status_code).phrase else None
    return problem(error.status_code, own or _DETAILS.get(error.status_code, error.detail), headers)


def _allowed(request: Request) -> str:
    """Return the methods of all routes that match a path; Starlette names those of the first."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in route.methods}))


def failure() -> Response:
    """Return what is answered where the service fails."""
    return problem(500, _DETAILS[500])


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldProblem] | None = None,
    objections: list[str] | None = None,
) -> Response:
    """Return a problem as it goes on the wire."""
    title = HTTPStatus(status).phrase
    found = Problem(title=title, status=status, detail=detail, errors=errors, objections=objections)
    # Written in ASCII: nothing that came in a request can fail to encode.
    content = json.dumps(found.model_dump(exclude_none=True))
    return Response(content, status, headers, MEDIA_TYPE)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value, fallback=repr).decode()


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
