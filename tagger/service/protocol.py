"""The HTTP protocol of a worker: uvicorn's, with deadlines and sizes for what arrives, and cheap refusals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from tagger.service.admission import BUSY, Admission
from tagger.service.problems import RETRY_AFTER

MOST_HEAD_BYTES = 65_536
"""Of request line and headers together, and of whatever else is neither a body nor the end of a request."""

MOST_PIPELINED = 100
"""Requests of one connection that may wait for the answer to the one before them; more are left unread."""

LINGER_SECONDS = 1.0
"""How long a client that still sends may take to notice that it has its answer."""

STOP_SECONDS = 0.3
"""How long a request may still come on an open connection when the server is told to stop: it may be on its way."""

IDLE_SECONDS = 1.0
"""How long a connection waits at least for a request before it has to make room for another."""

HEALTH = b"/health/"
"""Paths that are answered however much there is to do."""

_UPGRADE = frozenset({b"connection", b"upgrade", b"http2-settings"})


def _response(status: int, detail: str, *headers: str) -> bytes:
    title = HTTPStatus(status).phrase
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
    lines = ("content-type: application/problem+json", f"content-length: {len(body)}", *headers)
    return STATUS_LINE[status] + "\r\n".join((*lines, "", "")).encode() + body


CONTINUE = STATUS_LINE[100]
CLOSE = "connection: close"
RETRY = f"retry-after: {RETRY_AFTER}"
OVERLOADED = _response(503, BUSY, RETRY)
OVERLOADED_CLOSE = _response(503, BUSY, RETRY, CLOSE)
TOO_SLOW = _response(408, "The request did not arrive in time. Send it again, in larger pieces.", CLOSE)
HEAD_TOO_LARGE = _response(431, f"The request line and headers are over {MOST_HEAD_BYTES} bytes; send fewer.", CLOSE)
NOT_HTTP = _response(400, "This is not a request of HTTP/1.1.", CLOSE)
HOSTS = _response(400, "The request has more than one header Host; send one.", CLOSE)


class Protocol(HttpToolsProtocol):
    """One connection. A request must be there in time and with a head of some size at most.

    In a busy moment a request is refused as soon as it has arrived, before anything is done for it but taking it off
    the wire; one whose body still comes when the moment is over is not taken either, for its body is dropped.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        # asyncio leaves it out where the listening socket names no protocol.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.admission: Admission = self.app_state["admission"]
        self.transport: LingeringTransport = LingeringTransport(transport, self)  # type: ignore[assignment]
        self.arriving = False
        self._in_head = True
        self._apart = 0
        self._deaf = False
        self._last_runs = False
        self._stopping = False
        self._shed: bytes | None = None
        self._last_words = NOT_HTTP
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._start_clock()
        self._is_idle()
        self._extra = len(self.connections) > self.app_state["max_connections"] and not self._take_place()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_clock()
        self._unwatch()
        self._unset_keepalive_if_required()
        self.admission.idle.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has arrived."""
        if self._deaf or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._apart += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_again(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._end(self._last_words)
        else:
            if self._apart > MOST_HEAD_BYTES:
                self._end(HEAD_TOO_LARGE)
            elif self.arriving and not self._deadline:
                self._start_clock()
            elif not self.timeout_keep_alive_task and not self._deadline and self._answered():
                self._await_next()  # what came ended a body that was not waited for, or was an empty line

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.arriving = True
        self._stop_clock()  # that of a connection; `data_received` starts the request's, if it has not come whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one that comes after a body has nothing to say here."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer a request, or not where there is too much to do."""
        self._apart = 0
        if self.parser.should_upgrade():
            return  # `_read_again` does not
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(OVERLOADED_CLOSE)
        if [name for name, _ in self.headers].count(b"host") > 1:
            self._refuse(HOSTS)
        self.admission.idle.pop(self, None)
        answered = self._answered()
        self._in_head = False
        if (self._extra or self.admission.full()) and answered and not self.url.startswith(HEALTH):
            self.admission.shed += 1
            last = (
                self._extra
                or self._stopping
                or self.parser.get_method() == b"HEAD"
                or not self.parser.should_keep_alive()
            )
            self._shed = OVERLOADED_CLOSE if last else OVERLOADED
            if self._extra or self.expect_100_continue:
                self._refuse(OVERLOADED_CLOSE)
        else:
            super().on_headers_complete()
            if self._stopping:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._apart = 0
        if self._shed is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Let a request that is whole wait for its turn."""
        if self.parser.should_upgrade():
            return
        self._stop_clock()
        self._apart = 0
        self.arriving, self._in_head = False, True
        if self._shed:
            self._answer_shed(self._shed)
        else:
            state = self.cycle.scope["state"]
            if not (self.pipeline or self.cycle.response_complete or state.get("looked_at")):
                self.cycle.scope["state"]["ticket"] = self.admission.arrive()
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if not self.transport.is_closing():
            self.transport.flush()
        super().on_response_complete()
        if self._last_runs:
            self.transport.close()
        if self._answered() and not self.transport.is_closing():
            self._is_idle()

    def shutdown(self) -> None:
        """Answer what has been asked, and what may be on its way, and close the connection."""
        self._stopping = True
        if self._answered():
            self.loop.call_later(STOP_SECONDS, self._stop)
        else:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes its answer."""
        super().pause_writing()
        self.watch()

    def resume_writing(self) -> None:
        """End that, unless all that is left is to send this answer."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._unwatch()

    def watch(self) -> None:
        """Give the connection up where nothing of its answers is taken for as long as a request may take to arrive."""
        self._unwatch()
        left = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.app_state["receive_seconds"], self._look, left)

    def _look(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self.watch()
        else:
            self.transport.abort()

    def _unwatch(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _answered(self) -> bool:
        """Tell whether all requests have their answer that began to be answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _is_idle(self) -> None:
        self.admission.idle.pop(self, None)
        self.admission.idle[self] = self.loop.time()

    def _take_place(self) -> bool:
        """Give up the connection that has waited longest for a request; tell whether there is such a one."""
        longest, since = next(iter(self.admission.idle.items()))
        if self.loop.time() - since < IDLE_SECONDS:  # what it sends may be on its way
            return False
        longest.transport.abort()
        return True

    def _refuse(self, last_words: bytes) -> None:
        """Stop reading: what raises in the parser ends in `data_received`."""
        self._last_words = last_words
        raise ValueError

    def _answer_shed(self, response: bytes) -> None:
        self._shed = None
        if response is OVERLOADED_CLOSE:
            self._refuse(response)
        self.transport.write(response)
        self._await_next()

    def _await_next(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self._is_idle()

    def _read_again(self, rest: bytes) -> None:
        """Read a request without its wish for another protocol, which is not to be had.

        The parser takes what follows the head for that protocol, but a client that asks politely (Java's does each
        time) sends the body all the same.
        """
        if self.parser.get_method() == b"CONNECT":
            self._end(NOT_HTTP)
            return
        headers = [b"%s: %s\r\n" % header for header in self.headers if header[0] not in _UPGRADE]
        version = self.parser.get_http_version().encode()
        head = b"%s %s HTTP/%s\r\n%s\r\n" % (self.parser.get_method(), self.url, version, b"".join(headers))
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _start_clock(self) -> None:
        self._stop_clock()
        self._deadline = self.loop.call_later(self.app_state["receive_seconds"], self._too_slow)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._end(TOO_SLOW)

    def _stop(self) -> None:
        if self._answered():
            self.transport.close()

    def _end(self, last_words: bytes) -> None:
        """Close the connection after some last words, or after the answers that have to come before them."""
        self._stop_clock()
        if self.transport.is_closing():
            return
        if self._in_head and not self._answered():
            self._deaf = True
            self.cycle.keep_alive = False
            return
        if self.pipeline:
            # Those before it are answered; the newest, of which the end is missing or wrong, is not.
            self._deaf = True
            self.pipeline.popleft()
            if self.pipeline:
                self.pipeline[0][0].keep_alive = False
            else:
                self._last_runs = True
            return
        if self._in_head or self._shed or not self.cycle.response_started:
            self.transport.write(self._shed or last_words)
        self.transport.close()
        if not self._answered():
            self.cycle.disconnected = True
            self.cycle.message_event.set()


class LingeringTransport:
    """A connection that, closed while a request still arrives, goes on for a moment to take it in.

    Else it would be reset, and the client might never see the answer that was sent before.
    """

    def __init__(self, transport: asyncio.Transport, protocol: Protocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._closing = False
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Tell whether nothing more is said here."""
        return self._closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send something, unless nobody is there any more: of requests sent in one go, only the last is told so.

        The head of an answer goes with its body: sending costs, and lets other threads take the interpreter away.
        """
        if self.is_closing():
            return
        if data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n") and not data.startswith(CONTINUE):
            self._head = data
        else:
            self._transport.write(self._head + data if self._head else data)
            self._head = b""

    def flush(self) -> None:
        """Send a head that has no body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Say nothing more."""
        if self.is_closing():
            return
        self.flush()
        self._closing = True
        protocol = self._protocol
        if self._transport.get_write_buffer_size():
            protocol.watch()
        if protocol.arriving:
            protocol.loop.call_later(LINGER_SECONDS, self._transport.close)
            protocol.flow.resume_reading()
            with contextlib.suppress(OSError):  # the client may be gone by now
                self._transport.write_eof()
        else:
            self._transport.close()
