"""The application that answers with the live version."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tagger.registry import Registry
from tagger.service import problems
from tagger.service.live import LiveModel
from tagger.service.routes import router
from tagger.settings import load_settings

DESCRIPTION = (
    "Themes for government press releases, with probabilities and the evidence for each. "
    "Every refusal is a problem (RFC 9457); paths that do not exist answer 404, methods 405."
)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        description = super().openapi()
        problems.declare_media_type(description)
        return description


def create_app(models: Path, *, max_body_bytes: int = 10_000_000) -> FastAPI:
    """Return the application that tags with the live version below `models`, also one promoted later."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with LiveModel(Registry(models)) as app.state.live_model:
            gc.freeze()  # what is here by now stays: the collector need not look through it again and again
            yield

    app = _Application(
        title="tagger",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        # The pages at docs_url and redoc_url load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Nothing leaves this machine; and asking whether to costs a tenth of what a request does.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.max_body_bytes = max_body_bytes
    problems.install(app)
    # Not by include_router, which looks for the route of each request twice; first, for the router tries all in order.
    app.router.routes[:0] = router.routes
    return app


def app_from_environment() -> FastAPI:
    """Return the application by the settings of this process; each worker of the server calls this."""
    settings = load_settings()
    return create_app(settings.models, max_body_bytes=settings.max_body_bytes)
