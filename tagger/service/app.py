"""The application that answers with the live version."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig

from tagger.jobs import FOLDER, Jobs, Supervisor
from tagger.keys import EXPECTED, FILE, Keys
from tagger.registry import Registry
from tagger.service import operations, problems, routes, sessions
from tagger.service.access import Access
from tagger.service.admission import Admission
from tagger.service.gateway import Gateway
from tagger.service.limits import RateLimits
from tagger.service.live import LiveModel
from tagger.service.metrics import Metrics
from tagger.service.pulse import Pulse
from tagger.settings import Settings, load_settings

DESCRIPTION = (
    "Themes for government press releases, with probabilities and the evidence for each. "
    "Every refusal is a problem (RFC 9457); paths that do not exist answer 404, methods 405. Any request may be "
    "refused with 401 or 403 (the key), 421 (the host), 429 (too often) or 503 (too much to do; ask again)."
)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        description = super().openapi()
        problems.declare_media_type(description)
        return description


def create_app(settings: Settings, *, keys_expected: bool = False) -> FastAPI:
    """Return the application that tags with the live version, also one promoted later.

    Where keys are expected, nobody is let in while their file is not there.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        state = app.state
        state.live_model = LiveModel(Registry(settings.models))
        pulse = Pulse(state.metrics, state.admission, state.live_model, settings.state)
        state.live_model.prepare = pulse.watch
        state.supervisor = Supervisor(state.jobs, settings.as_environment())
        with pulse, state.live_model, state.supervisor:
            gc.freeze()  # what is here by now stays: the collector need not look through it again and again
            # What each connection goes by.
            yield {
                "admission": state.admission,
                "receive_seconds": settings.receive_seconds,
                "max_connections": settings.max_connections,
            }
        await state.limits.close()

    app = _Application(
        title="tagger",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        # The pages at docs_url and redoc_url load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_telemetry(),
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    app.state.admission = Admission(settings.queue_seconds, settings.max_body_bytes)
    app.state.keys = Keys(settings.state / FILE, expected=keys_expected)
    app.state.limits = RateLimits(settings.rate, settings.redis_url)
    app.state.jobs = Jobs(settings.state / FOLDER)
    problems.install(app)
    # Not by include_router, which looks for the route of each request twice; first, for the router tries all in order.
    app.router.routes[:0] = [*routes.router.routes, *operations.router.routes, *sessions.router.routes]
    _add_doors(app, settings)
    return app


def _add_doors(app: FastAPI, settings: Settings) -> None:
    """Add what each request passes; the last one added is the first."""
    app.add_middleware(Access, state=app.state)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        )
    app.add_middleware(Gateway, state=app.state)


def app_from_environment() -> FastAPI:
    """Return the application by the settings of this process; each worker of the server calls this."""
    return create_app(load_settings(), keys_expected=EXPECTED in os.environ)


def _telemetry() -> TelemetryConfig:
    """Send traces and metrics where the OTEL_ variables say, if OpenTelemetry is installed and they say so."""
    there = find_spec("opentelemetry.sdk") is not None if find_spec("opentelemetry") else False
    # Where it is not, asking for each request whether it is would cost a tenth of the request.
    return {"tracing": there, "metrics": there, "logs": False, "auto_configure": there}
