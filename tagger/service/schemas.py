"""What requests and answers look like."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tagger.decisions import Caution, Decision, Reason
from tagger.documents import DatePrecision

MAX_DOCUMENTS = 10_000
"""In one batch: an answer with every theme is far longer than a short document."""

MOST_UNKNOWN, NAMED_UNKNOWN = 20, 3
"""Unknown fields of an object that are told one by one, and those named where there are more."""


def _some_text(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("empty_text", "Text should hold more than spaces")
    return text


SomeText = Annotated[str, AfterValidator(_some_text), Field(json_schema_extra={"pattern": r"\S"})]


class Given(BaseModel):
    """A part of a request: nothing unknown in it, and nothing of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _few_unknown(cls, given: Any) -> Any:
        # Each unknown field would be a problem of its own, and there is room for a million of them in a body.
        if isinstance(given, dict) and len(given) > len(cls.model_fields) + MOST_UNKNOWN:
            unknown = ", ".join(islice((name for name in given if name not in cls.model_fields), NAMED_UNKNOWN))
            message = "Object has {n} fields, many of them unknown, such as {unknown}"
            raise PydanticCustomError("too_many_fields", message, {"n": len(given), "unknown": unknown[:200]})
        return given


class Options(Given):
    """How to read the documents of a request, and what to answer."""

    split: Literal["off", "auto"] = Field("off", description="`auto` cuts a page into the releases it holds.")
    format: Literal["text", "html"] = Field("text", description="`html` is turned into text, which comes back.")
    explain: bool = Field(False, description="Give the evidence of each tag and the themes that came nearest.")
    counterfactual: bool = Field(False, description="Give the sentences without which each theme would not be given.")
    taught_by: bool = Field(False, description="Give the seeds that the score of each tag goes back to.")
    include: Literal["tags", "all"] = Field("tags", description="`all` gives the score of every theme too.")


class GivenDocument(Given):
    """A document to tag."""

    text: SomeText
    id: str | None = Field(None, description="Comes back; without one, the position in the request, from 1.")
    title: str | None = Field(None, description="Read before the text, unless the text begins with it.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Comes back as it is.")


class TagRequest(GivenDocument, Options):
    """A document to tag, and how."""


class BatchRequest(Options):
    """Documents to tag, all in one way; one that is wrong has its own error in the answer."""

    documents: list[Annotated[GivenDocument | Any, Field(union_mode="left_to_right")]] = Field(max_length=MAX_DOCUMENTS)


class Span(BaseModel):
    """Where a term stands: offsets in characters, end exclusive."""

    start: int
    end: int
    part: Literal["title", "text"] = Field(alias="in")


class Term(BaseModel):
    """What a term adds to a theme's score: what seeds taught plus what the theme's card says."""

    term: str
    share: float
    card: float
    learned: float
    spans: list[Span]


class Sentence(BaseModel):
    """What the terms of a sentence add to a theme's score."""

    share: float
    spans: list[Span]


class TagEvidence(BaseModel):
    """A score taken apart: score = bias + the shares of all terms, the largest first, or of all sentences, in order."""

    score: float
    bias: float
    card: float
    learned: float
    terms: list[Term]
    sentences: list[Sentence]


class BareTerm(BaseModel):
    """What a term adds to a theme's score."""

    term: str
    share: float


class WhyNot(BaseModel):
    """Why a theme was not given: the score it lacks, and the terms that spoke for it and held it down."""

    score: float
    gap: float
    spoke_for: list[BareTerm] = Field(alias="for")
    against: list[BareTerm]


class Counterfactual(BaseModel):
    """Sentences without which a theme would not be given, none in vain, and its probability without them."""

    without: list[Span]
    probability: float


class TaughtBy(BaseModel):
    """A seed, and what it adds to a theme's score through the weights it shaped."""

    id: str
    title: str | None
    has_theme: bool
    share: float


class ThemeScore(BaseModel):
    """How near a theme is, what was decided, and why."""

    theme: str
    label: str
    probability: float
    threshold: float
    auto_threshold: float | None = Field(description="The probability it is given from without a look, if ever.")
    decision: Decision
    reason: Reason


class NearMiss(ThemeScore):
    """A theme that came near."""

    why_not: WhyNot


class GivenTag(ThemeScore):
    """A theme that was given: `auto`, or for a person to `review`."""

    evidence: TagEvidence | None = None
    counterfactual: Counterfactual | None = None
    taught_by: list[TaughtBy] | None = None


class Scored(BaseModel):
    """The tags, the most probable first, and what else was asked for."""

    id: str
    tags: list[GivenTag]
    caution: Caution | None = Field(None, description="Why no theme is given without a look, if that is so.")
    near_misses: list[NearMiss] | None = None
    scores: list[ThemeScore] | None = None


class TaggedText(Scored):
    """A document's tags. `text` is what the offsets refer to, where it was given as HTML."""

    version: str
    title: str | None = None
    text: str | None = None
    metadata: dict[str, Any] | None = None


class TaggedRelease(Scored):
    """A release of a page; `start` and `end` are offsets into the page, `text` is its body."""

    start: int
    end: int
    title: str | None
    date: str | None = Field(description="ISO 8601; `--12-03` where the page states no year.")
    date_precision: DatePrecision
    office: str | None
    kind: str | None
    text: str


class Removed(BaseModel):
    """A stretch of the page that is in no release's text."""

    start: int
    end: int
    kind: str


class TaggedPage(BaseModel):
    """The releases of a page with their tags, and what was left out."""

    id: str
    version: str
    releases: list[TaggedRelease]
    removed: list[Removed]
    text: str | None = None
    metadata: dict[str, Any] | None = None


class Refusal(BaseModel):
    """Why a document was not tagged."""

    title: str
    detail: str


class Refused(BaseModel):
    """A document of a batch that was not tagged."""

    id: str
    error: Refusal


class BatchAnswer(BaseModel):
    """One result for each document, in order, all by one version."""

    version: str
    results: list[TaggedText | TaggedPage | Refused]


class Match(BaseModel):
    """A concept of another vocabulary."""

    kind: str
    vocabulary: str
    code: str | None
    label: str


class Theme(BaseModel):
    """A theme's card, its number of seeds, and the probabilities it is given from."""

    id: str
    label: str
    alt_labels: list[str] = Field(serialization_alias="altLabels")
    keywords: list[str]
    group: str | None
    related: list[str]
    scope_note: str = Field(serialization_alias="scopeNote")
    include: list[str]
    exclude: list[str]
    matches: list[Match]
    precision: float | None = Field(description="What share of the tags given without a look is promised to be right.")
    seeds: int
    threshold: float = Field(description="The probability it is given from.")
    auto_threshold: float | None = Field(description="The probability it is given from without a look, if ever.")


class Themes(BaseModel):
    """The themes of the live version."""

    version: str
    themes: list[Theme]


class ModelVersion(BaseModel):
    """A version in the registry; `damaged` says why it cannot be used."""

    version: str
    live: bool
    created: str | None = None
    scores: dict[str, Any] | None = Field(None, description="Measured in training on texts held out.")
    damaged: str | None = None


class Models(BaseModel):
    """All versions, oldest first."""

    versions: list[ModelVersion]


class LiveVersion(BaseModel):
    """The version that answers, since when, what it was made of, and the engine that scores texts with it."""

    version: str
    engine: Literal["compiled", "numpy"]
    since: str
    created: str
    seeds: int
    themes: int
    scores: dict[str, Any]
    settings: dict[str, Any]


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Requests are answered; `warning` where the version promoted last could not be loaded."""

    version: str
    warning: str | None = None


class Index(BaseModel):
    """Where to go from here."""

    name: str
    routes: dict[str, str]


class FieldProblem(BaseModel):
    """What is wrong at one place of a request; `value` is what was received there, cut short."""

    location: str
    message: str
    value: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    objections: list[str] | None = Field(None, description="What a version does worse that is not promoted.")
