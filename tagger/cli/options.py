"""Options that every command understands alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tagger.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagger.tagging import Tagger

_OPTION = re.compile(r"--?[A-Za-z][\w-]*(?:=.*)?")


# The hyphen alone, standard input, passes only where all words do that begin with one; see `check_inputs`.
Input = Annotated[str, Parameter(allow_leading_hyphen=True)]
Seeds = Annotated[Path, Parameter(env_var="TAGGER_SEEDS", help="The folder of seeds and theme cards.")]
Themes = Annotated[str | None, Parameter(help="Theme ids with commas between, or '' for no theme.")]
Models = Annotated[Path, Parameter(env_var="TAGGER_MODELS", help="The folder of versions.")]
State = Annotated[Path, Parameter(env_var="TAGGER_STATE", help="The folder of what an installation keeps.")]
Model = Annotated[str | None, Parameter(help="Another version than the live one.")]
Json = Annotated[bool | None, Parameter(help="One JSON object per line; by default in a pipe.")]
Merge = Annotated[
    Literal["refuse", "union", "first"],
    Parameter(help="Seeds of the same text with other themes: refuse them, take the union, or keep the first."),
]


def theme_ids(themes: str | None) -> list[str] | None:
    """Return the ids of an option `--themes`, None where it was not given.

    >>> theme_ids("trade, energy"), theme_ids(""), theme_ids(None)
    (['trade', 'energy'], [], None)
    """
    return None if themes is None else [theme.strip() for theme in themes.split(",") if theme.strip()]


def load_tagger(models: Path, model: str | None) -> Tagger:
    """Return the tagger of a version, of the live one where none is named."""
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(models)
    return Tagger.load(registry.live() if model is None else registry.get(model))


def check_inputs(inputs: Sequence[str], example: str) -> None:
    """Raise OptionError where there is no input, or one that is meant as an option."""
    if not inputs:
        raise OptionError(f"Nothing was given; expected files, folders or - for standard input. Example: {example}")
    for text in inputs:
        if _OPTION.fullmatch(text):
            raise OptionError(
                f"There is no option {text}; see --help. (A text that begins so can come through a pipe.)"
            )
