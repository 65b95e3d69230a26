"""Routes that are given a JSON body: how large it may be, of which type, and one strict reading of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import islice
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from tagger.service.threads import on_loop_if

SHORT_BODY = 100_000
"""Bytes that are read in well under a millisecond."""

_KEY = re.compile(rb'"[ \t\n\r]*:')


class JsonRoute(APIRoute):
    """A route; one with a body is given that body, validated, and the request, and returns the response.

    FastAPI describes all alike. What it does for each request of other routes (dependencies, exit stacks, models of
    answers) costs more than tagging a text, and is left out for those with a body.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        super().__init__(path, endpoint, **settings)
        if self.body_field:
            self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            body = await _body(request)
        except ClientDisconnect:
            return  # nobody waits for an answer
        given = await on_loop_if(len(body) <= SHORT_BODY, self._validated, body)
        response = await self.endpoint(given, request)
        await response(scope, receive, send)

    def _validated(self, body: bytes) -> Any:
        """Return what a body gives. Raises HTTPException 400 or RequestValidationError."""
        assert self.body_field
        if not body:
            raise RequestValidationError(
                [{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}]
            )
        try:
            content = parse(body)
        except ValueError as error:
            raise HTTPException(400, f"The body is not JSON: {error}.") from error
        given, errors = self.body_field.validate(content, loc=("body",))
        if errors:
            raise RequestValidationError(errors)
        return given


async def _body(request: Request) -> bytes:
    """Return the body. Raises HTTPException 413 or 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "The body should be JSON; send the header Content-Type: application/json.")
    limit = request.app.state.max_body_bytes
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            # The rest is not read, so the connection cannot carry another request.
            detail = f"The body is over {limit} bytes; send fewer documents at a time."
            raise HTTPException(413, detail, {"Connection": "close"})
    return bytes(received)


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
