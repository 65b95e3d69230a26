"""Routes that are given a JSON body: how large it may be, of which type, and one strict reading of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from tagger.errors import Overloaded
from tagger.service.admission import Admission
from tagger.service.problems import RETRY_AFTER

BODY_PROBLEMS = (400, 408, 413, 415, 422)
"""How a body may be wrong."""

LONG_BODIES = frozenset({"/v1/tags", "/v1/tags/batch"})
"""Paths that take bodies as long as the setting has it; those of others hold a few words."""

SHORT_BODY = 16_384
"""Bytes of their bodies."""

MOST_PARTS = 200_000
"""Lists and objects in a body: making millions of them keeps all threads waiting for seconds."""

BYTE_SECONDS = 2e-8
"""What reading and checking JSON takes for each byte."""

_KEY = re.compile(rb'"[ \t\n\r]*:')


class JsonRoute(APIRoute):
    """A route; one with a body is given that body, validated, the request, and the texts in the path, and returns the
    response.

    FastAPI describes all alike. What it does for each request of other routes (dependencies, exit stacks, models of
    answers) costs more than tagging a text, and is left out for those with a body.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        super().__init__(path, endpoint, **settings)
        if self.body_field:
            self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        admission: Admission = request.app.state.admission
        limit = request.app.state.settings.max_body_bytes if self.path in LONG_BODIES else SHORT_BODY
        _check_headers(request, limit)
        body = bytearray()
        try:
            await _receive(request, body, admission, limit)
            admission.begin(scope["state"].get("ticket"))
            await admission.turn()
            given = scope["state"]["given"] = await admission.do(len(body) * BYTE_SECONDS, self._validated, bytes(body))
            response = await self.endpoint(given, request, **scope["path_params"])
        except ClientDisconnect:
            return  # nobody waits for an answer
        finally:
            admission.give_back(len(body))
        await response(scope, receive, send)

    def _validated(self, body: bytes) -> Any:
        """Return what a body gives. Raises HTTPException 400 or RequestValidationError."""
        assert self.body_field
        if not body:
            raise RequestValidationError(
                [{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}]
            )
        if body.count(b"[") + body.count(b"{") > MOST_PARTS:
            raise HTTPException(400, f"The body has over {MOST_PARTS:,} lists and objects; send fewer documents.")
        try:
            content = parse(body)
        except ValueError as error:
            raise HTTPException(400, f"The body is not JSON: {error}.") from error
        given, errors = self.body_field.validate(content, loc=("body",))
        if errors:
            raise RequestValidationError(errors)
        return given


def _check_headers(request: Request, limit: int) -> None:
    """Raise HTTPException 413 or 415 where a body is none that can be read."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].strip(' "').lower()
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise _refusal(415, "The body should be JSON in UTF-8; send the header Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _refusal(415, "The body should not be compressed; leave the header Content-Encoding out.")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > limit:
        raise _too_large(limit)


async def _receive(request: Request, body: bytearray, admission: Admission, limit: int) -> None:
    """Take a body in. Raises HTTPException 413 or 503."""
    async for chunk in request.stream():
        if len(body) + len(chunk) > limit:
            raise _too_large(limit)
        try:
            admission.take(len(body), len(chunk))
        except Overloaded as error:
            raise _refusal(503, str(error), {"Retry-After": RETRY_AFTER}) from error
        body += chunk


def _too_large(limit: int) -> HTTPException:
    return _refusal(413, f"The body is over {limit} bytes; send less at a time.")


def _refusal(status: int, detail: str, headers: Mapping[str, str] = MappingProxyType({})) -> HTTPException:
    # The rest of the body is not read, so the connection cannot carry another request.
    return HTTPException(status, detail, {**headers, "Connection": "close"})


def parse(body: bytes) -> Any:
    """Return the value of strict JSON. Raises ValueError.

    Pydantic's reader, the fastest, refuses deep nesting, lone surrogates, a byte order mark and NaN, but neither a
    number that is no finite float nor a key given twice: a slower one looks for the latter where the body has more
    that looks like a key than came out of it.
    """
    value = from_json(body, allow_inf_nan=False)
    keys = _count_keys(value)
    if sum(1 for _ in islice(_KEY.finditer(body), keys + 1)) > keys:
        json.loads(body, object_pairs_hook=_unique)
    return value


def _count_keys(value: Any) -> int:
    """Return the number of keys in all objects of a value. Raises ValueError where a float is not finite."""
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    if isinstance(value, list):
        return sum(map(_count_keys, value))
    if isinstance(value, float) and math.isinf(value):
        raise ValueError("a number is too large")
    return 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has a key twice")
    return fields
