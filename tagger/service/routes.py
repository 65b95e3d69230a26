"""The routes: each turns a request into one use case, and its result into an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from tagger.counterfactuals import LONGEST_TEXT
from tagger.documents import Document
from tagger.engine import engine_name
from tagger.errors import DamagedVersion, InputError
from tagger.readers import html_to_text
from tagger.registry import Registry
from tagger.service.admission import Admission
from tagger.service.bodies import BODY_PROBLEMS, JsonRoute
from tagger.service.examples import BATCHES, DOCUMENTS
from tagger.service.live import LiveModel
from tagger.service.problems import declared, field_problems
from tagger.service.schemas import (
    Alive,
    BatchAnswer,
    BatchRequest,
    GivenDocument,
    Index,
    LiveVersion,
    Models,
    ModelVersion,
    Options,
    Ready,
    TaggedPage,
    TaggedText,
    TagRequest,
    Themes,
)
from tagger.tagging import Tagger, Wanted
from tagger.themes import Match

LONGEST_EXPLAINED = 200_000
"""Characters in all the texts of a request that asks for evidence: answers are some forty times as long."""

MOST_SCORES = 100_000
"""Documents times themes in the answer to a request that asks for the score of every theme."""

DOCUMENT_MICROSECONDS = 150
"""What a document costs beside its characters."""

TAG_MICROSECONDS = {"compiled": 0.03, "numpy": 0.3}[engine_name()]
"""What tags cost for each character."""

MORE_MICROSECONDS: Mapping[str, float] = {
    "split": 0.7,
    "format": 0.1,
    "explain": 3.0,
    "counterfactual": 20.0,
    "taught_by": 30.0,
    "include": 0.1,
}
"""What each thing that may be asked for adds for each character, as measured on short texts, where it adds most."""

METRICS_TYPE = "text/plain; version=0.0.4"

_DEFAULTS = {name: field.default for name, field in Options.model_fields.items()}

router = APIRouter(route_class=JsonRoute, generate_unique_id_function=lambda route: route.name)

Record = dict[str, Any]


async def _live_model(request: Request) -> LiveModel:
    model: LiveModel = request.app.state.live_model
    return model


FromLive = Annotated[LiveModel, Depends(_live_model)]


@router.post("/v1/tags", response_model=TaggedText | TaggedPage, responses=declared(*BODY_PROBLEMS, 503))
async def tag(given: Annotated[TagRequest, Body(openapi_examples=DOCUMENTS)], request: Request) -> Response:
    """Tag a document, or with `split: auto` each release of a page."""
    tagger = request.app.state.live_model.current().tagger
    _check_amount(tagger, given, [given.text])
    seconds = _seconds(given, 1, len(given.text))
    return Response(await _admission(request).do(seconds, _document, tagger, given), media_type="application/json")


@router.post("/v1/tags/batch", response_model=BatchAnswer, responses=declared(*BODY_PROBLEMS, 503))
async def tag_batch(given: Annotated[BatchRequest, Body(openapi_examples=BATCHES)], request: Request) -> Response:
    """Tag several documents with one version; a wrong one does not stop the others."""
    tagger = request.app.state.live_model.current().tagger
    texts = [document.text for document in given.documents if isinstance(document, GivenDocument)]
    _check_amount(tagger, given, texts)
    seconds = _seconds(given, len(given.documents), sum(map(len, texts)))
    return Response(await _admission(request).do(seconds, _batch, tagger, given), media_type="application/json")


@router.get("/v1/themes", responses=declared(503))
def themes(live_model: FromLive) -> Themes:
    """Return the cards of the live version's themes, and the probability each is given from."""
    tagger = live_model.current().tagger
    cards = [{**theme, "matches": [Match(*match)._asdict() for match in theme["matches"]]} for theme in tagger.themes]
    return Themes.model_validate({"version": tagger.version, "themes": cards})


@router.get("/v1/models", response_model_exclude_unset=True, responses=declared(503))
def models(live_model: FromLive) -> Models:
    """Return all versions, oldest first."""
    registry = live_model.registry
    live = registry.live_name()
    return Models(versions=[_model_version(registry, name, live) for name in registry.names()])


@router.get("/v1/models/live", responses=declared(503))
def live_version(live_model: FromLive) -> LiveVersion:
    """Return what the live version is, and since when it is live."""
    live = live_model.current()
    manifest = live.version.manifest
    return LiveVersion(
        version=live.version.name,
        engine=engine_name(),
        since=live.since,
        created=live.version.created["at"],
        seeds=manifest["scores"]["stratified"]["texts"],
        themes=len(live.tagger.themes),
        scores=manifest["scores"],
        settings=manifest["settings"],
    )


# These do nothing that waits; outside the worker threads they answer while all of those are busy.


@router.get("/health/live", responses=declared())
async def alive() -> Alive:
    """Answer while the process runs."""
    return Alive()


@router.get("/health/ready", response_model_exclude_none=True, responses=declared(503))
async def ready(live_model: FromLive) -> Ready:
    """Answer 200 while there is a version to tag with."""
    return Ready(version=live_model.current().version.name, warning=live_model.warning)


@router.get("/metrics", response_class=Response, responses={200: {"content": {METRICS_TYPE: {}}}, **declared(503)})
def metrics(request: Request) -> Response:
    """Return what all workers count, for Prometheus."""
    try:
        return Response(request.app.state.metrics.scrape(), media_type=METRICS_TYPE)
    except (OSError, ValueError, KeyError) as error:
        raise HTTPException(503, "What the workers count together cannot be read; start the service anew.") from error


@router.get("/", responses=declared())
async def index() -> Index:
    """List the routes."""
    return Index(
        name="tagger",
        routes={
            "POST /v1/tags": "tag a document or a page",
            "POST /v1/tags/batch": "tag several",
            "GET /v1/themes": "the themes that can be given",
            "GET /v1/models": "the versions",
            "GET /v1/models/live": "the version that answers",
            "GET /v1/models/{version}": "what a version was made of",
            "POST /v1/models/{version}/promote": "make a version live",
            "POST /v1/models/rollback": "make the version before live again",
            "POST /v1/models/diff": "ask what another version would change",
            "GET /v1/archives": "what versions can be compared on",
            "POST /v1/train": "ask for a training",
            "GET /v1/jobs": "what was asked for and how it goes",
            "GET /v1/jobs/{job}": "how one of them goes",
            "GET /v1/jobs/{job}/result": "the records of a comparison",
            "POST /v1/jobs/{job}/cancel": "cancel it",
            "GET /metrics": "what is counted, for Prometheus",
            "GET /health/live": "whether the process runs",
            "GET /health/ready": "whether requests are answered",
            "GET /openapi.json": "the description of all this, with examples",
        },
    )


def _check_amount(tagger: Tagger, options: Options, texts: Sequence[str]) -> None:
    """Raise InputError where an answer would take too long or be too large."""
    characters = sum(map(len, texts))
    for option, most in {"explain": LONGEST_EXPLAINED, "counterfactual": LONGEST_TEXT}.items():
        if getattr(options, option) and characters > most:
            raise InputError(
                f"The texts have {characters:,} characters; with `{option}` a request may have {most:,}. Send fewer "
                f"or shorter ones, or leave `{option}` out."
            )
    _check_scores(tagger, options, len(texts))


def _check_scores(tagger: Tagger, options: Options, documents: int) -> None:
    if options.include == "all" and documents * len(tagger.themes) > MOST_SCORES:
        raise InputError(
            f"{documents:,} documents times {len(tagger.themes):,} themes are too many scores for one answer; at most "
            f"{MOST_SCORES // len(tagger.themes):,} documents can be sent with `include: all`."
        )


def _seconds(options: Options, documents: int, characters: int) -> float:
    """Return about how long answering a request takes."""
    asked = [more for option, more in MORE_MICROSECONDS.items() if getattr(options, option) != _DEFAULTS[option]]
    each = TAG_MICROSECONDS + sum(asked)
    return (documents * DOCUMENT_MICROSECONDS + characters * each) / 1e6


def _admission(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission


def _document(tagger: Tagger, given: TagRequest) -> bytes:
    return to_json(_tagged(tagger, given, given, 1))


def _batch(tagger: Tagger, given: BatchRequest) -> bytes:
    results = [_result(tagger, document, given, position) for position, document in enumerate(given.documents, 1)]
    return to_json({"version": tagger.version, "results": results})


def _result(tagger: Tagger, given: GivenDocument | Any, options: Options, position: int) -> Record:
    try:
        document = given if isinstance(given, GivenDocument) else GivenDocument.model_validate(given)
        return _tagged(tagger, document, options, position)
    except ValidationError as error:
        problems = field_problems(error.errors(include_url=False))
        detail = " ".join(f"{problem.location}: {problem.message}." for problem in problems)
    except InputError as error:
        detail = str(error)
    identifier = given.id if isinstance(given, GivenDocument) else _given_id(given)
    return {"id": identifier or str(position), "error": {"title": "The document was not tagged", "detail": detail}}


def _given_id(given: Any) -> str | None:
    found = given.get("id") if isinstance(given, dict) else None
    return found if isinstance(found, str) else None


def _tagged(tagger: Tagger, given: GivenDocument, options: Options, position: int) -> Record:
    from_html = options.format == "html"
    text = html_to_text(given.text) if from_html else given.text
    if not text.strip():
        raise InputError("The page holds no text outside its tags and scripts; send one that does.")
    identifier = str(position) if given.id is None else given.id
    answer = _SPLITS[options.split](tagger, Document(identifier, text, given.title, given.metadata), options)
    return {**answer, "text": text} if from_html else answer


def _tagged_text(tagger: Tagger, document: Document, options: Options) -> Record:
    return tagger.tag(document, _asked(options)).as_record()


def _tagged_page(tagger: Tagger, document: Document, options: Options) -> Record:
    found = tagger.cut(document.text)
    _check_scores(tagger, options, len(found.releases))
    releases, removed = [], list(found.removed)
    for tagged in tagger.tag_cut(document, found, _asked(options)):
        assert tagged.release
        record = tagged._replace(metadata={}).as_record()  # which the page has once
        del record["version"]
        releases.append({**record, "text": tagged.release.text})
        removed += tagged.release.removed
    return {
        "id": document.id,
        "version": tagger.version,
        "releases": releases,
        "removed": [asdict(removal) for removal in sorted(removed, key=lambda removal: removal.start)],
        **({"metadata": dict(document.metadata)} if document.metadata else {}),
    }


_SPLITS: dict[str, Callable[[Tagger, Document, Options], Record]] = {"off": _tagged_text, "auto": _tagged_page}


def _asked(options: Options) -> Wanted:
    return Wanted(options.explain, options.counterfactual, options.taught_by, every_theme=options.include == "all")


def _model_version(registry: Registry, name: str, live: str | None) -> ModelVersion:
    try:
        version = registry.get(name)
    except DamagedVersion as error:
        return ModelVersion(version=name, live=name == live, damaged=str(error))
    return ModelVersion(
        version=name, live=name == live, created=version.created["at"], scores=version.manifest["scores"]
    )
