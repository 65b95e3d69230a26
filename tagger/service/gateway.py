"""The gateway: what every request passes on its way in and its answer on the way out."""

from __future__ import annotations

import logging
import re
import secrets
import time
from itertools import count
from typing import Any

from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagger.service.logs import ACCESS, REQUEST_ID
from tagger.service.metrics import Metrics
from tagger.service.problems import failure

SHOWN_TEXT = 200
"""Characters of a text, where texts are logged at all."""

SHOWN_ADDRESS = 64

_ID = re.compile(rb"[\w.-]{1,64}")

logger = logging.getLogger(ACCESS)


class Gateway:
    """Gives each request an id and answers with it; counts, times and logs; turns what goes wrong into a problem.

    The id is the one the client gave (X-Request-ID), if it is a short word. Texts are not logged unless asked for.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._admission = state.admission
        self._metrics: Metrics = state.metrics
        self._every = state.settings.access_log
        self._texts = state.settings.log_texts
        self._prefix, self._numbers = secrets.token_hex(4), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server, which still has the other one, leaves the body out
        state = scope.setdefault("state", {})
        state["looked_at"] = scope["method"] != "POST"  # else that is so once the body is there
        self._admission.begin(state.get("ticket"))
        request_id = self._id(scope)
        REQUEST_ID.set(request_id)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            logger.exception("A request failed", extra={"fields": self._fields(scope)})
            if not status:
                await failure()(scope, receive, answer)
        finally:
            self._admission.begin(state.get("ticket"))
            self._note(scope, status, time.perf_counter() - started)

    def _id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _ID.fullmatch(value):
                return str(value.decode())
        return f"{self._prefix}{next(self._numbers):06x}"

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.answered(scope["method"], route, status, seconds)
        if self._every or (status >= 500 and status != 503):  # of which there may be thousands in a second
            fields = {**self._fields(scope), "status": status or None, "ms": round(seconds * 1000, 2)}
            logger.info("Answered" if status else "Nobody waited for the answer", extra={"fields": fields})

    def _fields(self, scope: Scope) -> dict[str, Any]:
        state = scope["state"]
        client = scope.get("client")
        fields = {
            "request_id": REQUEST_ID.get(),
            "method": scope["method"],
            "path": scope["path"][:SHOWN_TEXT],
            "client": client[0][:SHOWN_ADDRESS] if client else None,
            "caller": state.get("caller"),
        }
        text = getattr(state.get("given"), "text", None) if self._texts else None
        return {**fields, "text": text[:SHOWN_TEXT]} if text else fields
