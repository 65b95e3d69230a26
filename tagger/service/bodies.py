"""Request bodies: how large, of which type, and one strict reading of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json


class JsonRequest(Request):
    """A request whose body is read up to the limit of the application, and only as JSON."""

    async def body(self) -> bytes:
        """Return the body. Raises HTTPException 413 or 415."""
        if not hasattr(self, "_body"):
            if self.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise HTTPException(415, "The body should be JSON; send the header Content-Type: application/json.")
            self._body = await self._limited(self.app.state.max_body_bytes)
        return self._body

    async def json(self) -> Any:
        """Return the content of the body. Raises HTTPException 400 where it is no JSON."""
        try:
            return parse(await self.body())
        except ValueError as error:
            raise HTTPException(400, f"The body is not JSON: {error}.") from error

    async def _limited(self, limit: int) -> bytes:
        received = bytearray()
        async for chunk in self.stream():
            received += chunk
            if len(received) > limit:
                # The rest is not read, so the connection cannot carry another request.
                detail = f"The body is over {limit} bytes; send fewer documents at a time."
                raise HTTPException(413, detail, {"Connection": "close"})
        return bytes(received)


class JsonRoute(APIRoute):
    """A route that reads its body as a JsonRequest does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, given a JsonRequest."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


def parse(body: bytes) -> Any:
    """Return the value of strict JSON. Raises ValueError.

    Two readers, for neither refuses enough: pydantic's refuses deep nesting, lone surrogates, a byte order mark
    and NaN; the other lets us refuse a key given twice and a number that is no finite float.
    """
    from_json(body, allow_inf_nan=False)
    return json.loads(body, object_pairs_hook=_unique, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object has a key twice")
    return fields


def _finite(number: str) -> float:
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value
