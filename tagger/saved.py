"""What the JSON files of a version must hold, whoever wrote them, for texts to be tagged with it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Probability = Annotated[float, Meta(gt=0, le=1)]


class Match(Struct, array_like=True):
    """A concept of another vocabulary."""

    kind: str
    vocabulary: str
    code: str | None
    label: str


class Theme(Struct):
    """A card, with what was decided for its theme."""

    id: str
    label: str
    alt_labels: list[str]
    keywords: list[str]
    group: str | None
    related: list[str]
    scope_note: str
    include: list[str]
    exclude: list[str]
    matches: list[Match]
    precision: float | None
    seeds: int
    slope: float
    intercept: float
    threshold: Probability
    auto_threshold: Probability | None


class Limits(Struct, forbid_unknown_fields=True):
    """What texts of some length and more must be like."""

    words: int
    most_unseen: float
    least_likeness: float


class Domain(Struct):
    """What texts must be like."""

    least_words: int
    limits: Annotated[list[Limits], Meta(min_length=1)]


class Rule(Struct):
    """The content of themes.json."""

    nearness: float
    domain: Domain
    themes: Annotated[list[Theme], Meta(min_length=1)]


class Canary(Struct):
    """A text whose probabilities are kept with a version."""

    text: str
    probabilities: list[float]


class Summary(Struct):
    """What was measured on texts held out."""

    texts: int
    micro_f1: float
    macro_f1: float


class Scores(Struct):
    """The measures by the kind of folds."""

    stratified: Summary


class Manifest(Struct):
    """The content of manifest.json."""

    files: dict[str, str]
    canaries: Annotated[list[Canary], Meta(min_length=1)]
    scores: Scores
    settings: dict[str, Any]


class Created(Struct):
    """The content of created.json."""

    at: str


def decoded(content: bytes, kind: type[Struct]) -> dict[str, Any]:
    """Return what a file of JSON holds. Raises ValueError where something is missing or of another type."""
    try:
        saved: dict[str, Any] = msgspec.json.decode(content)
        msgspec.convert(saved, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return saved
