"""Options that every command understands alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from tagger.tagging import Tagger

Seeds = Annotated[Path, Parameter(env_var="TAGGER_SEEDS", help="The folder of seeds and theme cards.")]
Models = Annotated[Path, Parameter(env_var="TAGGER_MODELS", help="The folder of versions.")]


def load_tagger(models: Path, model: str | None) -> Tagger:
    """Return the tagger of a version, of the live one where none is named."""
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(models)
    return Tagger.load(registry.get(model) if model else registry.live())
