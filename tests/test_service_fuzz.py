"""The HTTP service under requests that nobody thought of, made from its own description and from nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.python.asgi import shutdown_lifespans

from tagger.jobs import Supervisor
from tagger.service.app import create_app
from tagger.service.bodies import parse
from tagger.service.problems import MEDIA_TYPE
from tagger.settings import Settings

EXAMPLES = 60


@pytest.fixture(scope="module")
def description(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The service's own description, loaded from the running application."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Supervisor, "_start_next", lambda _supervisor: None)  # or hundreds of trainings would begin
        patch.setattr("tagger.jobs.store.MOST_WAITING", 10**6)
        state = tmp_path_factory.mktemp("fuzzed")
        app = create_app(Settings(models=tiny_models, state=state, archives=state, allowed_hosts=("testserver",)))
        yield schemathesis.openapi.from_asgi("/openapi.json", app)
        shutdown_lifespans()


@pytest.fixture(scope="module")
def client(tiny_models: Path) -> Iterator[TestClient]:
    app = create_app(Settings(models=tiny_models))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


BODIES = [
    ("POST", path)
    for path in (
        "/v1/tags", "/v1/tags/batch", "/v1/train", "/v1/models/diff", "/v1/models/rollback", "/v1/session",
        "/v1/jobs/{job}/cancel", "/v1/models/{version}/promote",
    )
]  # fmt: skip
BARE = [
    *(("GET", path) for path in ("/v1/themes", "/v1/models", "/v1/models/live", "/v1/archives", "/v1/session")),
    *(("GET", path) for path in ("/v1/jobs", "/v1/jobs/{job}", "/v1/jobs/{job}/result", "/v1/models/{version}")),
    *(("GET", path) for path in ("/health/live", "/health/ready", "/metrics", "/")),
    ("DELETE", "/v1/session"),
]


def test_every_route_is_fuzzed(description: Any) -> None:
    """No route of the description is forgotten here."""
    found = {(method.upper(), path) for path, methods in description.raw_schema["paths"].items() for method in methods}
    assert found == {*BODIES, *BARE}


@pytest.mark.parametrize(
    ("operation", "mode"),
    [(operation, mode) for operation in BODIES for mode in GenerationMode]
    + [(operation, GenerationMode.POSITIVE) for operation in BARE],
    ids=lambda part: part.value if isinstance(part, GenerationMode) else " ".join(part),
)
def test_answers_are_as_described(description: Any, operation: tuple[str, str], mode: GenerationMode) -> None:
    """A request made from the description gets an answer that is in it: taken if right, refused if wrong."""
    method, path = operation

    @given(description[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate()

    ask()


class Pairs(list[tuple[str, Any]]):
    """An object as it is written, where a key may stand twice."""


def written(value: Any, colon: str) -> str:
    """Return a value as JSON, with `colon` between keys and values."""
    if isinstance(value, Pairs):
        return f"{{{','.join(f'{json.dumps(key)}{colon}{written(inner, colon)}' for key, inner in value)}}}"
    if isinstance(value, list):
        return f"[{','.join(written(inner, colon) for inner in value)}]"
    return json.dumps(value)


def twice(value: Any) -> bool:
    """Tell whether an object in a value has a key twice."""
    if isinstance(value, Pairs):
        return len(dict(value)) < len(value) or any(twice(inner) for _, inner in value)
    return isinstance(value, list) and any(map(twice, value))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
documents = st.fixed_dictionaries(
    {"text": st.text() | json_values},
    optional={
        "id": st.text() | json_values,
        "title": st.text() | json_values,
        "metadata": st.dictionaries(st.text(), json_values, max_size=4) | json_values,
        "split": st.sampled_from(["off", "auto", "on"]),
        "format": st.sampled_from(["text", "html", ""]),
        "explain": st.booleans() | json_values,
        "counterfactual": st.booleans() | json_values,
        "taught_by": st.booleans(),
        "include": st.sampled_from(["tags", "all", None]),
        "more": json_values,
    },
)
bodies = st.one_of(
    st.binary(),
    json_values.map(json.dumps).map(str.encode),
    # As Python writes it: NaN, Infinity and lone surrogates included.
    documents.map(json.dumps).map(str.encode),
    st.lists(documents, max_size=4).map(lambda given: json.dumps({"documents": given}).encode()),
    documents.map(lambda given: json.dumps(given, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)


@given(bodies, st.sampled_from(["/v1/tags", "/v1/tags/batch"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_it_fail(client: TestClient, body: bytes, path: str) -> None:
    """Any bytes are answered with strict JSON: tags, or a problem that is the sender's."""
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 400, 422)
    answer = json.loads(response.content.decode(), parse_constant=pytest.fail)
    if response.status_code == 200:
        assert answer["version"]
    else:
        assert response.headers["content-type"] == MEDIA_TYPE
        assert answer["status"] == response.status_code


pairs = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.sampled_from(["a", "b", '"', ":", '":']), inner), max_size=3).map(Pairs)
    ),
    max_leaves=12,
)


@given(pairs, st.sampled_from([":", " : ", "\t\n\r:"]))
def test_a_key_given_twice_is_seen_wherever_it_stands(value: Any, colon: str) -> None:
    """JSON is read as Python reads it, and refused exactly where an object has a key twice, however it is spaced."""
    body = written(value, colon).encode()
    if twice(value):
        with pytest.raises(ValueError, match="twice"):
            parse(body)
    else:
        assert parse(body) == json.loads(body)
