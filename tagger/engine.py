"""The compiled engine, where one was built at installation."""

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
