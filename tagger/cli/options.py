"""Options that every command understands alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tagger.tagging import Tagger

_OPTION = re.compile(r"--?[A-Za-z][\w-]*(?:=.*)?")


def _no_option(_: Any, value: str) -> None:
    if _OPTION.fullmatch(value):
        raise ValueError(f"there is no option {value}; see --help. A text that begins so can come through a pipe")


# The hyphen alone, standard input, passes only where all that begin with one do.
Input = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_no_option)]
Seeds = Annotated[Path, Parameter(env_var="TAGGER_SEEDS", help="The folder of seeds and theme cards.")]
Models = Annotated[Path, Parameter(env_var="TAGGER_MODELS", help="The folder of versions.")]
Model = Annotated[str | None, Parameter(help="Another version than the live one.")]
Json = Annotated[bool | None, Parameter(help="One JSON object per line; by default in a pipe.")]
Merge = Annotated[
    Literal["refuse", "union", "first"],
    Parameter(help="Seeds of the same text with other themes: refuse them, take the union, or keep the first."),
]


def load_tagger(models: Path, model: str | None) -> Tagger:
    """Return the tagger of a version, of the live one where none is named."""
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(models)
    return Tagger.load(registry.live() if model is None else registry.get(model))
