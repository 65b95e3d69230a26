"""Who may ask for what: the host asked for, the page it comes from, the key, and how often."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tagger.keys import Key, Keys
from tagger.service.limits import RateLimits
from tagger.service.problems import RETRY_AFTER, problem
from tagger.settings import Settings

COOKIE = "tagger_key"
"""What the page keeps its key in."""

PUBLIC = frozenset({"/health/live", "/health/ready", "/v1/session"})
"""Paths that need no key."""

UNCOUNTED = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Paths that are asked for by machines, which would take a refusal for an outage."""

ANY_SCOPE = ""

SCOPES: Mapping[tuple[str, str], str] = {
    ("GET", "/"): ANY_SCOPE,
    ("GET", "/openapi.json"): ANY_SCOPE,
    ("GET", "/metrics"): ANY_SCOPE,
    ("POST", "/v1/tags"): "tag",
    ("POST", "/v1/tags/batch"): "tag",
    ("GET", "/v1/themes"): "tag",
    ("GET", "/v1/models"): "tag",
    ("GET", "/v1/models/live"): "tag",
}
"""What a key needs for a path; for all others it needs the scope `admin`."""

ADMIN = "admin"
NOBODY = "(without a key)"

ONCE = (b"host", b"authorization", b"origin", b"content-type", b"content-encoding")
"""Headers that may come once: of two, each might be read by another."""

MOST_REMEMBERED = 1_000
"""Hosts and addresses whose kind need not be found out again."""

RETRY = {"Retry-After": RETRY_AFTER}

_COOKIE = re.compile(rf" *{COOKIE}=([\w-]{{1,200}}) *".encode())
_HOST = re.compile(r"(?:\[([\da-f:.]+)\]|([\w.-]+|[\da-f:]+))(?::\d{1,5})?", re.ASCII)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Access:
    """Refuses what should not be asked; notes as `caller` who asks.

    Where there are no keys, everybody may ask for everything. A Host that is no address must be a known name, or a
    page anywhere could reach this service by a name of its own (DNS rebinding); what changes something must come from
    this origin or an allowed one.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._keys: Keys = state.keys
        self._limits: RateLimits = state.limits
        self._hosts = known_hosts(state.settings)
        self._origins = frozenset(origin.lower() for origin in state.settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or let it through."""
        refusal = await self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        given = scope["headers"]
        headers = dict(given)
        if len(headers) < len(given):
            names = [name for name, _ in given]
            if doubled := [name for name in ONCE if names.count(name) > 1]:
                return _closing(400, f"The request has more than one header {doubled[0].decode()}; send one.")
            headers[b"cookie"] = b";".join(value for name, value in given if name == b"cookie")
        if headers.get(b"cookie"):
            # Nobody else reads them: FastAPI would, by http.cookies, which takes seconds over some values.
            scope["headers"] = [header for header in given if header[0] != b"cookie"]
        return self._strange(scope["method"], headers) or await self._unwelcome(scope, headers)

    def _strange(self, method: str, headers: Mapping[bytes, bytes]) -> Response | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._known(host):
            return _closing(421, f"This service is not known as {host[:100]!r}. Ask for it by its address, or add the "
                            "name to the setting allowed_hosts.")  # fmt: skip
        origin = headers.get(b"origin")
        if method not in _READING and (origin is not None or headers.get(b"sec-fetch-site") == b"cross-site"):
            found = "null" if origin is None else origin.decode("latin-1").lower()
            if host_of(found) != host and found not in self._origins:
                return _closing(403, f"A page of {found[:100]} may change nothing here; its origin is not allowed.")
        return None

    async def _unwelcome(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        """Refuse callers without a right key and those that ask too often."""
        state, path = scope["state"], scope["path"]
        state["caller"] = NOBODY
        key = token = None
        if closed := self._keys.any():
            token = given_token(headers)
            key = self._keys.find(token) if token else None
        if key is not None:
            state["caller"], state["key"] = key.name, key
        if path not in UNCOUNTED and (refusal := await self._too_often(scope, key)):
            return refusal
        if path in PUBLIC or not closed:
            return None
        if key is None and self._keys.problem:
            return _closing(503, "The keys cannot be read, so nobody is let in; the log says why.", RETRY)
        if key is None:
            return unknown_key(token)
        needed = SCOPES.get((scope["method"], path), ADMIN)
        if needed and needed not in key.scopes:
            return _closing(403, f"The key {key.name!r} lacks the scope {needed!r}, which this path needs.")
        return None

    async def _too_often(self, scope: Scope, key: Key | None) -> Response | None:
        who, rate = (key.id, key.rate) if key else (network((scope.get("client") or ("",))[0]), None)
        seconds = await self._limits.hit(who, rate)
        if seconds is None:
            return None
        wait = max(1, math.ceil(seconds))
        return _closing(429, f"You ask too often; go on in {wait} s.", {"Retry-After": str(wait)})

    def _known(self, host: str) -> bool:
        name = _without_port(host)
        return name in self._hosts or _is_address(name)


def known_hosts(settings: Settings) -> frozenset[str]:
    """Return the names that this service answers to."""
    return frozenset(name.lower() for name in ("localhost", settings.host, *settings.allowed_hosts))


def given_token(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the key that a request brings: as a bearer token, or in the page's cookie."""
    kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return token.strip(" ")
    # Not by http.cookies, which gives up at the first cookie that it cannot read.
    found = map(_COOKIE.fullmatch, headers.get(b"cookie", b"").split(b";"))
    return next((match[1].decode() for match in found if match), None)


@lru_cache(MOST_REMEMBERED)
def network(client: str) -> str:
    """Return what callers without a key are counted by: the address, or of IPv6 the network, which is one caller's.

    >>> network("2001:db8::17"), network("192.0.2.4"), network("")
    ('2001:db8::/64', '192.0.2.4', 'unknown')
    """
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return "unknown"
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def host_of(origin: str) -> str:
    """Return host and port of an origin, nothing where it has none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _without_port(host: str) -> str:
    """Return a host without its port, nothing where it is none.

    >>> _without_port("[::1]:80"), _without_port("localhost:80"), _without_port("[::1].example.org")
    ('::1', 'localhost', '')
    """
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]) if found else ""


@lru_cache(MOST_REMEMBERED)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def unknown_key(token: str | None) -> Response:
    """Return the refusal of a key that is not there or not known."""
    known = "The key is not known here, or was revoked." if token else "This service asks for a key."
    return _closing(401, f"{known} Send it as: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})


def _closing(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    # A body that comes with the request is not read.
    return problem(status, detail, {**(headers or {}), "Connection": "close"})
