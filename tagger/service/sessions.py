"""The page's session: a key, given once and kept by the browser in a cookie that scripts cannot read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, Field

from tagger.keys import SCOPES
from tagger.service.access import COOKIE, unknown_key
from tagger.service.bodies import BODY_PROBLEMS, JsonRoute
from tagger.service.problems import declared
from tagger.service.schemas import Given

DAYS = 30

router = APIRouter(route_class=JsonRoute, generate_unique_id_function=lambda route: route.name)


class Session(Given):
    """The key that a page is to ask with."""

    key: str = Field(max_length=200)


class Caller(BaseModel):
    """Who asks, and what for; without keys everybody may ask for everything."""

    name: str
    scopes: list[str]


@router.post("/v1/session", status_code=204, response_class=Response, responses=declared(401, *BODY_PROBLEMS, 503))
async def begin_session(
    given: Annotated[Session, Body(openapi_examples={"key": {"value": {"key": "tagger_..."}}})], request: Request
) -> Response:
    """Keep a key as a cookie of this browser."""
    if request.app.state.keys.find(given.key) is None:
        return unknown_key(given.key)
    response = Response(status_code=204)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, given.key, DAYS * 86_400, secure=secure, httponly=True, samesite="strict")
    return response


@router.get("/v1/session", responses=declared())
async def session(request: Request) -> Caller:
    """Say who asks, by the key or cookie that came with this."""
    state = request.scope["state"]
    key = state.get("key")
    scopes = key.scopes if key else () if request.app.state.keys.any() else SCOPES
    return Caller(name=state["caller"], scopes=sorted(scopes))


@router.delete("/v1/session", status_code=204, response_class=Response, responses=declared())
async def end_session() -> Response:
    """Forget the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
