"""Logs: lines for people on a terminal, JSON lines elsewhere, each with the id of the request it is about."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being answered."""

ACCESS = "tagger.access"

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if request_id := REQUEST_ID.get():
            fields["request_id"] = request_id
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class LineFormatter(logging.Formatter):
    """A line for a person: level, message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = getattr(record, "fields", {})
        more = "".join(f" {name}={_shown(value)}" for name, value in fields.items() if value is not None)
        error = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        message = _UNPRINTABLE.sub("�", record.getMessage())
        return f"{record.levelname + ':':<9} {message}{more}{error}"


def _shown(value: object) -> str:
    """Return a value as one word that moves no cursor: paths and texts come from anywhere."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and not set(text) & set(' ="') else json.dumps(text)


def configuration() -> dict[str, Any]:
    """Return what a server's logging is set up with."""
    formatter = LineFormatter if sys.stderr.isatty() else JsonFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {
            name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in ("tagger", "uvicorn")
        },
    }
