"""What computes here: the compiled engine, where one was built at installation, and the cores."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import Literal

EngineName = Literal["compiled", "numpy"]


def compiled_engine() -> ModuleType | None:
    """Return the compiled engine; None where no C compiler was there, or where TAGGER_ENGINE=numpy keeps it out."""
    if os.environ.get("TAGGER_ENGINE") == "numpy":
        return None
    try:
        return import_module("tagger.compiled")
    except ImportError:
        return None


def engine_name() -> EngineName:
    """Return the name of the engine that is used here."""
    return "compiled" if compiled_engine() else "numpy"


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
