"""The HTTP service: what its routes answer, what it refuses and how, and how it follows the live version."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from tagger import errors
from tagger.cleaning import fold, tokens
from tagger.documents import Document, Removal
from tagger.engine import engine_name
from tagger.errors import OptionError, TaggerError
from tagger.readers import html_to_text
from tagger.registry import Registry
from tagger.service.app import create_app
from tagger.service.examples import BATCHES, DOCUMENTS, PAGE
from tagger.service.problems import MEDIA_TYPE, STATUSES
from tagger.service.schemas import BatchAnswer, TaggedPage, TaggedText
from tagger.service.server import PROTOCOL, run
from tagger.settings import Settings, load_settings
from tagger.tagging import Tagger, Wanted

MAX_BODY_BYTES = 200_000
JSON = {"Content-Type": "application/json"}
TEXT = "Ministers agreed today on fishing quotas for cod and hake."


@pytest.fixture(scope="module")
def client(tiny_models: Path) -> Iterator[TestClient]:
    app = create_app(Settings(models=tiny_models, max_body_bytes=MAX_BODY_BYTES))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def tagger(tiny_models: Path) -> Tagger:
    return Tagger.load(Registry(tiny_models).live())


@pytest.fixture(scope="module")
def known_text(tiny_models: Path) -> str:
    """A text the version was trained on, so that it is given a theme."""
    text: str = Registry(tiny_models).live().manifest["canaries"][0]["text"]
    return text


@pytest.fixture
def own_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry to promote in, with a service that notices soon."""
    monkeypatch.setattr("tagger.service.live.CHECK_SECONDS", 0.01)
    return models


def save_another(models: Path, change: Callable[[Path, dict[str, Any]], None]) -> str:
    """Save a changed copy of the live version; return its name."""
    live = Registry(models).live()

    def write(folder: Path) -> dict[str, Any]:
        shutil.copytree(live.folder, folder, dirs_exist_ok=True)
        for name in ("manifest.json", "created.json", "SHA256SUMS"):
            (folder / name).unlink()
        manifest = json.loads(json.dumps(live.manifest))
        change(folder, manifest)
        return dict(manifest)

    return Registry(models).save(write).name


def relabel(folder: Path, _manifest: dict[str, Any]) -> None:
    """Give every theme another label, by which one sees which version answered."""
    path = folder / "themes.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    for theme in saved["themes"]:
        theme["label"] += " (new)"
    path.write_text(json.dumps(saved), encoding="utf-8")


def forget(_folder: Path, manifest: dict[str, Any]) -> None:
    """Make the canaries sing otherwise: all digests are right, and the version still cannot be loaded."""
    manifest["canaries"][0]["probabilities"] = [2.0 for _ in manifest["canaries"][0]["probabilities"]]


def until(fact: Callable[[], bool]) -> None:
    """Wait until something has come true."""
    deadline = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """Check that a response is a problem of this status; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    assert "Traceback" not in response.text
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


# What the routes answer


def test_a_text_is_tagged_as_the_tagger_does(client: TestClient, tagger: Tagger, known_text: str) -> None:
    """The answer to a document is the record that the use case gives, nothing more or less."""
    metadata = {"none": None, "list": [1, 2.5, {"deep": []}], "large": 10**400, "text": "é\u0000"}
    options = {"explain": True, "counterfactual": True, "taught_by": True, "include": "all"}
    body = {"text": known_text, "id": "a#é", "title": "News", "metadata": metadata, **options}
    response = client.post("/v1/tags", json=body)
    assert response.status_code == 200
    expected = tagger.tag(Document("a#é", known_text, "News", metadata), Wanted(*[True] * 4)).as_record()
    assert response.json() == json.loads(json.dumps(expected))
    assert response.json()["tags"]


def test_what_was_not_asked_for_is_not_there(client: TestClient, known_text: str) -> None:
    """Without options an answer has the id, the version and the tags."""
    answer = client.post("/v1/tags", json={"text": known_text}).json()
    assert set(answer) == {"id", "version", "tags"}
    assert {frozenset(tag) for tag in answer["tags"]} == {
        frozenset({"theme", "label", "probability", "threshold", "auto_threshold", "decision", "reason"})
    }


def test_evidence_stands_where_it_says(client: TestClient, known_text: str) -> None:
    """Offsets of terms are offsets into the text as it was sent."""
    text = f"\n  🐟 {known_text}"
    tag = client.post("/v1/tags", json={"text": text, "explain": True}).json()["tags"][0]
    spans = [(term["term"], span) for term in tag["evidence"]["terms"] for span in term["spans"]]
    assert spans
    for term, span in spans:
        assert span["in"] == "text"
        there = tokens(text[span["start"] : span["end"]])
        assert term in (" ".join(there.raw), " ".join(there.words))


PLACED = [{"split": "off", "title": " \t The measles clinic. Islands "}, {"split": "off"}, {"split": "auto"}]


@pytest.mark.parametrize("how", PLACED, ids=["titled", "bare", "page"])
def test_sentences_stand_where_they_say(client: TestClient, how: dict[str, str]) -> None:
    """Sentences of the evidence, and those a theme would be lost without, are pieces of the title and the text sent."""
    text = "Measles Doses Arrive\n\n3 December 2019\n\nImmunisation opens to every child. Nurses vaccinate the islands."
    body: dict[str, Any] = {"text": text, **how, "explain": True, "counterfactual": True}
    answer = client.post("/v1/tags", json=body).json()
    (scored,) = answer.get("releases", [answer])
    tag = next(tag for tag in scored["tags"] if tag["theme"] == "vaccines")
    places = [place for sentence in tag["evidence"]["sentences"] for place in sentence["spans"]]
    found = [(place["in"], body[place["in"]][place["start"] : place["end"]]) for place in places]
    header = [("text", "3 December 2019")] if how["split"] == "off" else []
    assert found == [
        *([("title", "The measles clinic."), ("title", "Islands")] if "title" in how else []),
        ("text", "Measles Doses Arrive"), *header,
        ("text", "Immunisation opens to every child."), ("text", "Nurses vaccinate the islands."),
    ]  # fmt: skip
    assert tag["counterfactual"]["without"]
    assert [place for place in tag["counterfactual"]["without"] if place not in places] == []


def test_a_text_too_long_to_search_is_refused(client: TestClient) -> None:
    """Sentences that decide are not searched in a text that is too long for it; in a batch the others are answered."""
    body = {"text": "Cod and hake. " * 401, "counterfactual": True}
    assert "Give a shorter text" in assert_problem(client.post("/v1/tags", json=body), 422)["detail"]
    batch = {"documents": [{"text": TEXT}, {"text": body["text"]}], "counterfactual": True}
    first, second = client.post("/v1/tags/batch", json=batch).json()["results"]
    assert "tags" in first
    assert "Give a shorter text" in second["error"]["detail"]
    assert client.post("/v1/tags", json={**body, "counterfactual": False}).status_code == 200


def test_the_caution_of_a_document_comes_with_its_tags(client: TestClient) -> None:
    """A text unlike the seeds says so; that is the reason why each of its themes is for review."""
    text = f"{TEXT} Quaxi morlo tiburn felas and the ulmen garrit of noxel brim under the wexor, they say."
    answer = client.post("/v1/tags", json={"text": text, "include": "all"}).json()
    assert answer["caution"] in ("out_of_domain", "language")
    assert {(tag["decision"], tag["reason"]) for tag in answer["tags"]} == {("review", answer["caution"])}
    assert {score["decision"] for score in answer["scores"]} == {"review", "none"}


ANSWERED: dict[str, Any] = {
    **{f"tags of {name}": ("/v1/tags", example["value"]) for name, example in DOCUMENTS.items()},
    **{f"batch of {name}": ("/v1/tags/batch", example["value"]) for name, example in BATCHES.items()},
    "page with everything": (
        "/v1/tags",
        {
            "text": PAGE, "split": "auto", "include": "all", "explain": True, "counterfactual": True,
            "taught_by": True, "metadata": {"a": [1, None]},
        },
    ),
    "unlike the seeds": ("/v1/tags", {"text": f"{TEXT} Quaxi morlo tiburn felas and the ulmen garrit.", "title": "A"}),
    "batch of wrong ones": ("/v1/tags/batch", {"documents": [{"id": "n", "text": 5}, None, {"text": " "}]}),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_is_what_its_model_describes(client: TestClient, name: str) -> None:
    """Answers are sent without passing through the models that describe them, and have all they say and no more."""
    path, body = ANSWERED[name]
    response = client.post(path, json=body)
    described = {"/v1/tags": TypeAdapter(TaggedText | TaggedPage), "/v1/tags/batch": TypeAdapter(BatchAnswer)}[path]
    read: Any = described.validate_json(response.content, strict=True)
    assert described.dump_python(read, mode="json", by_alias=True, exclude_unset=True) == response.json()


def test_html_is_read_as_text(client: TestClient, known_text: str) -> None:
    """HTML is tagged as the text in it, which comes back and is what the offsets refer to."""
    html = f"<html><script>var x</script><h1>News &amp; more</h1><p>{known_text}</p></html>"
    answer = client.post("/v1/tags", json={"text": html, "format": "html"}).json()
    assert answer["text"] == html_to_text(html)
    assert answer["tags"] == client.post("/v1/tags", json={"text": answer["text"]}).json()["tags"]


def test_a_page_is_cut_and_nothing_of_it_is_lost(client: TestClient, tagger: Tagger) -> None:
    """The releases of a page come with their headers and places, and `removed` holds the rest."""
    body = {"text": PAGE, "split": "auto", "id": "p", "metadata": {"source": "feed"}, "explain": True}
    answer = client.post("/v1/tags", json=body).json()
    cut = tagger.cut(PAGE)
    assert [release["id"] for release in answer["releases"]] == ["p#1", "p#2"]
    assert [release["text"] for release in answer["releases"]] == [release.text for release in cut.releases]
    assert [release["date"] for release in answer["releases"]] == ["2031-05-04", "2031-05-05"]
    removed = {*cut.removed, *(part for release in cut.releases for part in release.removed)}
    assert removed == {Removal(**part) for part in answer["removed"]}
    assert any(part.kind == "header" for part in removed)
    assert {"start", "end", "title", "date_precision", "office", "kind", "tags", "near_misses"} <= set(
        answer["releases"][0]
    )
    assert answer["metadata"] == {"source": "feed"}
    assert answer["version"] == tagger.version


def test_a_wrong_document_does_not_stop_the_others(client: TestClient, known_text: str) -> None:
    """In a batch each document has its own result, in order, under the caller's id."""
    documents: list[Any] = [
        {"id": "good", "text": known_text, "metadata": {"n": 1}},
        {"id": "empty", "text": " \n"},
        {"id": "number", "text": 5},
        {"id": "unknown", "text": "a", "texte": "b"},
        {"id": "missing"},
        {"id": 7, "text": "a"},
        None,
        {"text": known_text},
    ]
    answer = client.post("/v1/tags/batch", json={"documents": documents}).json()
    results = answer["results"]
    assert [result["id"] for result in results] == [
        "good", "empty", "number", "unknown", "missing", "6", "7", "8",
    ]  # fmt: skip
    assert ["error" in result for result in results] == [False, True, True, True, True, True, True, False]
    assert all(result["error"]["title"] and result["error"]["detail"] for result in results if "error" in result)
    assert results[0]["metadata"] == {"n": 1}
    assert results[0]["tags"] == results[7]["tags"] == client.post("/v1/tags", json=documents[0]).json()["tags"]


def test_the_options_of_a_batch_are_those_of_a_document(client: TestClient) -> None:
    """Every document of a batch gets the answer it would get alone with the same options."""
    options = {"split": "auto", "format": "html", "include": "all"}
    document = {"id": "x", "text": f"<p>{TEXT}</p>"}
    empty = {"id": "y", "text": "<script>1</script>"}
    batch = client.post("/v1/tags/batch", json={"documents": [document, empty], **options}).json()
    assert batch["results"][0] == client.post("/v1/tags", json={**document, **options}).json()
    alone = assert_problem(client.post("/v1/tags", json={**empty, **options}), 422)
    assert batch["results"][1]["error"]["detail"] == alone["detail"]


def test_the_themes_are_those_of_the_live_version(client: TestClient, tagger: Tagger) -> None:
    """The cards come with their thresholds, under the names that cards are written with."""
    answer = client.get("/v1/themes").json()
    assert answer["version"] == tagger.version
    expected = [(theme["id"], theme["label"], theme["threshold"], theme["alt_labels"]) for theme in tagger.themes]
    found = [(theme["id"], theme["label"], theme["threshold"], theme["altLabels"]) for theme in answer["themes"]]
    assert found == expected


def test_promises_are_told_with_the_themes(promised_models: Path) -> None:
    """Each theme has the precision promised of it and where it is given without a look, or that it never is."""
    with TestClient(create_app(Settings(models=promised_models)), base_url="http://localhost") as client:
        themes = {theme["id"]: theme for theme in client.get("/v1/themes").json()["themes"]}
    assert {name: theme["precision"] for name, theme in themes.items()} == {
        "fisheries": 0.7, "railways": 0.95, "vaccines": 0.7, "lighthouses": 0.7,
    }  # fmt: skip
    assert themes["railways"]["auto_threshold"] is None
    assert themes["lighthouses"]["auto_threshold"] is None
    assert themes["vaccines"]["auto_threshold"] >= themes["vaccines"]["threshold"]


def test_the_versions_and_the_live_one(own_models: Path) -> None:
    """All versions are listed with the live one marked; a damaged one is listed as such."""
    live = Registry(own_models).live()
    damaged = save_another(own_models, relabel)
    (own_models / damaged / "manifest.json").write_text("{}", encoding="utf-8")
    with TestClient(create_app(Settings(models=own_models)), base_url="http://localhost") as client:
        first, second = client.get("/v1/models").json()["versions"]
        assert (first["version"], first["live"], first["created"]) == (live.name, True, live.created["at"])
        assert first["scores"] == live.manifest["scores"]
        assert (second["version"], second["live"]) == (damaged, False)
        assert second["damaged"]
        answer = client.get("/v1/models/live").json()
        assert answer["version"] == live.name
        assert answer["engine"] == engine_name()
        assert answer["since"] == Registry(own_models).history()[-1]["at"]
        assert answer["themes"] == len(client.get("/v1/themes").json()["themes"])


def test_health_and_the_index(client: TestClient) -> None:
    """A running service with a model is alive and ready, and every route that the index lists exists."""
    assert client.get("/health/live").json() == {"status": "alive"}
    assert client.get("/health/ready").json() == {"version": client.get("/v1/models/live").json()["version"]}
    paths = {*client.get("/openapi.json").json()["paths"], "/openapi.json"}
    assert {route.split()[1] for route in client.get("/").json()["routes"]} <= paths


# The description


@pytest.mark.parametrize(("path", "examples"), [("/v1/tags", DOCUMENTS), ("/v1/tags/batch", BATCHES)])
def test_the_examples_of_the_description_work(client: TestClient, path: str, examples: dict[str, Any]) -> None:
    """Each request in the OpenAPI description is answered when sent as it is."""
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    described = operation["requestBody"]["content"]["application/json"]["examples"]
    assert described.keys() == examples.keys()
    for example in described.values():
        assert client.post(path, json=example["value"]).status_code == 200


def test_every_declared_problem_has_its_media_type_and_schema(client: TestClient) -> None:
    """In the description all error statuses are problems, and routes with a body declare what can be wrong with it."""
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            refused = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            expected = {"400", "413", "415", "422", "500", "503"} if method == "post" else {"500"}
            assert expected <= refused.keys(), path
            for answer in refused.values():
                assert answer["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_nothing_is_loaded_from_elsewhere(client: TestClient) -> None:
    """There are no pages with scripts of others, the description names no other host, and no origin is let in."""
    assert_problem(client.get("/docs"), 404)
    assert_problem(client.get("/redoc"), 404)
    response = client.get("/openapi.json", headers={"Origin": "http://elsewhere.example"})
    assert "//" not in response.text
    assert not [name for name in response.headers if name.startswith("access-control")]


# Refusals


def _document(**fields: Any) -> bytes:
    return json.dumps({"text": TEXT, **fields}).encode()


REFUSED_BODIES = {
    "empty body": (b"", 422),
    "cut short": (b'{"text": "a', 400),
    "not JSON": (b"text=a", 400),
    "two values": (b"{} {}", 400),
    "invalid UTF-8": (b'{"text": "\xff"}', 400),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), 400),
    "byte order mark": (b'\xef\xbb\xbf{"text": "a"}', 400),
    "100,000 deep": (b'{"metadata": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
    "NaN": (b'{"text": "a", "metadata": {"x": NaN}}', 400),
    "Infinity": (b'{"text": "a", "metadata": {"x": -Infinity}}', 400),
    "infinite number": (b'{"text": "a", "metadata": {"x": 1e999}}', 400),
    "endless number": (b'{"text": "a", "metadata": {"x": ' + b"9" * 5000 + b"}}", 400),
    "lone surrogate": (b'{"text": "\\ud800"}', 400),
    "lone surrogate in a key": (b'{"text": "a", "\\udfff": 1}', 400),
    "key twice": (b'{"text": "a", "text": "b"}', 400),
    "key twice, deep": (b'{"text": "a", "metadata": {"x": [{"y": 1, "y": 1}]}}', 400),
    "array": (b"[]", 422),
    "null": (b"null", 422),
    "no text": (b"{}", 422),
    "null text": (_document(text=None), 422),
    "blank text": (_document(text=" \n\u00a0\u001c"), 422),
    "unknown field": (_document(texte="a"), 422),
    "id of another type": (_document(id=7), 422),
    "metadata no object": (_document(metadata=[1]), 422),
    "unknown split": (_document(split="on"), 422),
    "option of another type": (_document(explain="yes"), 422),
    "HTML without text": (_document(text="<style>p {}</style>", format="html"), 422),
    "too large": (_document(metadata={"x": "a" * MAX_BODY_BYTES}), 413),
}


@pytest.mark.parametrize("name", REFUSED_BODIES)
@pytest.mark.parametrize("path", ["/v1/tags", "/v1/tags/batch"])
def test_a_wrong_body_is_refused(client: TestClient, path: str, name: str) -> None:
    """Each wrong body has a problem with its status as an answer; a batch is refused where it cannot be read."""
    body, status = REFUSED_BODIES[name]
    assert_problem(client.post(path, content=body, headers=JSON), status)


def test_many_unknown_fields_are_one_problem(client: TestClient) -> None:
    """An object full of unknown fields has one problem, which names a few of them, in a request and in a batch."""
    many = {"text": TEXT} | {f"field{n}": n for n in range(5_000)}
    (problem,) = assert_problem(client.post("/v1/tags", json=many), 422)["errors"]
    assert "5001 fields" in problem["message"]
    assert "field0, field1, field2" in problem["message"]
    few = {"text": TEXT} | {f"field{n}": n for n in range(20)}
    assert len(assert_problem(client.post("/v1/tags", json=few), 422)["errors"]) == 20
    refused, tagged = client.post("/v1/tags/batch", json={"documents": [many, {"text": TEXT}]}).json()["results"]
    assert "5001 fields" in refused["error"]["detail"]
    assert tagged["tags"]


def test_a_text_may_look_like_json(client: TestClient) -> None:
    """What looks like a key in a text is none, and a number may be as long as a float can hold."""
    text = f'{TEXT} {{"text": "a", "text" : "b"}}'
    body = {"text": text, "metadata": {"text": '"a": ', "large": 1e308, "small": [5e-324, -0.0]}}
    answer = client.post("/v1/tags", json=body)
    assert answer.status_code == 200
    assert answer.json()["metadata"] == body["metadata"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", None])
def test_another_content_type_is_refused(client: TestClient, kind: str | None) -> None:
    """A body has to say that it is JSON; a page of another site cannot send such a one unasked."""
    problem = assert_problem(
        client.post("/v1/tags", content=_document(), headers={"Content-Type": kind} if kind else {}), 415
    )
    assert "application/json" in problem["detail"]
    kind = "Application/JSON; charset=utf-8"
    assert client.post("/v1/tags", content=_document(), headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/v1/tags/", "/v1/tags/%ff%00", "/v1/models/v0001/nothing", "//"])
def test_an_unknown_path_is_refused(client: TestClient, path: str) -> None:
    """What does not exist is a problem that says where to look."""
    assert "GET /" in assert_problem(client.get(f"http://localhost{path}"), 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/tags", "POST"),
        ("PUT", "/v1/tags/batch", "POST"),
        ("POST", "/v1/themes", "GET"),
        ("PUT", "/", "GET"),
    ],
)
def test_an_unknown_method_is_refused(client: TestClient, method: str, path: str, allowed: str) -> None:
    """A method that a path does not know is answered with those it knows."""
    response = client.request(method, path)
    assert_problem(response, 405)
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "allowed"), [("/v1/session", "DELETE, GET, POST"), ("/v1/models/rollback", "GET, POST"), ("/", "GET")]
)
def test_a_method_that_a_path_does_not_know_is_told_all_that_it_knows(
    client: TestClient, path: str, allowed: str
) -> None:
    """The header Allow names the methods of every route that a path could mean."""
    response = client.put(path)
    assert_problem(response, 405)
    assert set(response.headers["allow"].split(", ")) - {"HEAD"} == set(allowed.split(", "))


def test_a_refusal_says_what_was_wrong_where(client: TestClient) -> None:
    """Each error has a place, a message and the received value, and is short whatever was sent."""
    fields: dict[str, Any] = {"explain": "x" * 5000, "é" * 5000: [{"a": None}], "id": {"deep": ["b"] * 5000}}
    problem = assert_problem(client.post("/v1/tags", content=_document(**fields), headers=JSON), 422)
    assert len(problem["errors"]) == 3
    shown = {error["location"]: error["value"] for error in problem["errors"]}
    assert shown["body.explain"].startswith("xxxx")
    assert '[{"a":null}]' in shown.values()
    assert all(len(part) <= 100 for error in problem["errors"] for part in (error["location"], error["value"]))
    assert all(error["message"] for error in problem["errors"])


def test_too_many_documents_are_refused(tiny_models: Path) -> None:
    """A batch is limited in documents too: an answer is much longer than the shortest document."""
    with TestClient(create_app(Settings(models=tiny_models)), base_url="http://localhost") as client:
        documents = [{"text": "a"}] * 10_001
        assert_problem(client.post("/v1/tags/batch", json={"documents": documents}), 422)


@pytest.mark.parametrize(("option", "most"), [("explain", 200_000), ("counterfactual", 20_000)])
def test_more_text_than_can_be_explained_is_refused(tiny_models: Path, option: str, most: int) -> None:
    """The texts of a request count together: at the limit they are answered, beyond it refused with the remedy."""
    half = f"{TEXT}\n".ljust(most // 2, "x")
    with TestClient(create_app(Settings(models=tiny_models)), base_url="http://localhost") as client:
        documents: list[Any] = [{"text": half}, {"text": half}]
        answer = client.post("/v1/tags/batch", json={"documents": documents, option: True})
        assert answer.status_code == 200
        assert [result["tags"] != [] for result in answer.json()["results"]] == [True, True]
        documents = [{"text": half}, {"text": f"{half}x"}, {"text": 5}]
        over = client.post("/v1/tags/batch", json={"documents": documents, option: True})
        page = client.post("/v1/tags", json={"text": f"{half}{half}x", "split": "auto", option: True})
        for response in (over, page):
            said = assert_problem(response, 422)["detail"]
            assert f"The texts have {most + 1:,} characters" in said
            assert f"with `{option}` a request may have {most:,}. Send fewer" in said
            assert f"leave `{option}` out" in said
        assert client.post("/v1/tags/batch", json={"documents": documents}).status_code == 200


def test_more_scores_than_one_answer_holds_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents times themes are limited where every score is asked for; the refusal says how many can be sent."""
    monkeypatch.setattr("tagger.service.routes.MOST_SCORES", 11)
    body: dict[str, Any] = {"documents": [{"text": TEXT}] * 2, "include": "all"}
    results = client.post("/v1/tags/batch", json=body).json()["results"]
    assert [len(result["scores"]) for result in results] == [4, 4]
    body["documents"] *= 2
    said = assert_problem(client.post("/v1/tags/batch", json=body), 422)["detail"]
    assert said.startswith("4 documents times 4 themes are too many scores")
    assert "at most 2 documents can be sent with `include: all`" in said
    assert client.post("/v1/tags/batch", json={**body, "include": "tags"}).status_code == 200


def test_an_unexpected_failure_says_nothing_of_its_inside(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours is a plain 500, and the next request is answered."""

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("secret")

    with monkeypatch.context() as patched:
        patched.setattr(Tagger, "tag", fail)
        response = client.post("/v1/tags", content=_document(), headers=JSON)
    assert_problem(response, 500)
    assert "secret" not in response.text
    assert client.post("/v1/tags", content=_document(), headers=JSON).status_code == 200


def _kinds(base: type[TaggerError]) -> Iterator[type[TaggerError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


@pytest.mark.parametrize("kind", list(_kinds(errors.TaggerError)))
def test_every_error_has_a_status(client: TestClient, monkeypatch: pytest.MonkeyPatch, kind: type[TaggerError]) -> None:
    """Whatever tagger raises becomes a problem that carries its message."""

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise {
            errors.SeedsError: lambda: kind(["It was wrong."]),
            errors.PromotionRefused: lambda: kind("It was wrong.", "", ["One thing."]),
        }.get(kind, lambda: kind("It was wrong."))()

    monkeypatch.setattr(Tagger, "tag", fail)
    status = next(STATUSES[ancestor] for ancestor in kind.__mro__ if ancestor in STATUSES)
    problem = assert_problem(client.post("/v1/tags", content=_document(), headers=JSON), status)
    assert problem["detail"] == "It was wrong."


# The live version


def test_without_a_model_the_service_starts_and_waits_for_one(own_models: Path) -> None:
    """With nothing promoted all that needs a model is 503; a promotion makes it ready without a restart."""
    pointer = (own_models / "live").read_bytes()
    (own_models / "live").unlink()
    with TestClient(create_app(Settings(models=own_models)), base_url="http://localhost") as client:
        assert client.get("/health/live").status_code == 200
        for path in ("/health/ready", "/v1/themes", "/v1/models/live"):
            assert "tagger train" in assert_problem(client.get(path), 503)["detail"]
        assert_problem(client.post("/v1/tags", json={"text": TEXT}), 503)
        assert client.get("/v1/models").json()["versions"][0]["live"] is False
        (own_models / "live").write_bytes(pointer)
        until(lambda: client.get("/health/ready").status_code == 200)
        assert client.post("/v1/tags", json={"text": TEXT}).status_code == 200


def test_the_folder_of_models_may_come_later(tiny_models: Path, tmp_path: Path) -> None:
    """A service whose folder of models does not exist yet starts, and serves once it does."""
    with TestClient(create_app(Settings(models=tmp_path / "later")), base_url="http://localhost") as client:
        assert_problem(client.get("/health/ready"), 503)
        assert client.get("/v1/models").json() == {"versions": []}
        shutil.copytree(tiny_models, tmp_path / "later")
        until(lambda: client.get("/health/ready").status_code == 200)


def test_a_version_that_cannot_be_loaded_is_not_served(own_models: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The old version stays, ready says so, the log has one line; the next promotion is taken again."""
    old = Registry(own_models).live().name
    bad, good = save_another(own_models, forget), save_another(own_models, relabel)
    with TestClient(create_app(Settings(models=own_models)), base_url="http://localhost") as client:
        assert "warning" not in client.get("/health/ready").json()
        Registry(own_models).promote(bad)
        until(lambda: "warning" in client.get("/health/ready").json())
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["version"] == old
        assert bad in ready.json()["warning"]
        for _ in range(50):
            assert client.post("/v1/tags", json={"text": TEXT}).json()["version"] == old
        warnings = [record.message for record in caplog.records if record.name.startswith("tagger")]
        assert len(warnings) == 1
        assert "\n" not in warnings[0]
        Registry(own_models).promote(good)
        until(lambda: client.get("/health/ready").json() == {"version": good})
        assert client.post("/v1/tags", json={"text": TEXT}).json()["version"] == good


def test_a_lost_pointer_does_not_stop_the_service(own_models: Path) -> None:
    """When `live` is gone or unreadable the loaded version goes on, with a warning."""
    version = Registry(own_models).live().name
    with TestClient(create_app(Settings(models=own_models)), base_url="http://localhost") as client:
        for content in (None, b"\xff", b"{}"):
            (own_models / "live").unlink() if content is None else (own_models / "live").write_bytes(content)
            until(lambda: "warning" in client.get("/health/ready").json())
            assert client.post("/v1/tags", json={"text": TEXT}).json()["version"] == version


# A server of its own


class Server:
    """uvicorn on a free port of this machine, in a thread."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(app, port=0, http=PROTOCOL, log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> int:
        self._thread.start()
        until(lambda: self._server.started)
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    def __exit__(self, *_failure: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def port(tiny_models: Path) -> Iterator[int]:
    with Server(create_app(Settings(models=tiny_models, max_body_bytes=MAX_BODY_BYTES))) as port:
        yield port


def post(
    port: int, path: str, body: Any, headers: dict[str, str] = JSON, **how: Any
) -> tuple[http.client.HTTPResponse, Any]:
    """Post over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, headers, **how)
        response = connection.getresponse()
        return response, json.loads(response.read())
    finally:
        connection.close()


def answers(port: int) -> bool:
    """Tell whether a document is tagged on a port; it is not where nobody listens."""
    with contextlib.suppress(ConnectionRefusedError):
        return post(port, "/v1/tags", _document())[0].status == 200
    return False


def test_a_real_server_answers_and_refuses(port: int) -> None:
    """Over a socket too a document is tagged, and refusals are problems."""
    response, answer = post(port, "/v1/tags", _document(id="é"))
    assert (response.status, answer["id"]) == (200, "é")
    for name in ("not JSON", "lone surrogate", "100,000 deep", "unknown field"):
        body, status = REFUSED_BODIES[name]
        response, answer = post(port, "/v1/tags", body)
        assert (response.status, response.getheader("Content-Type"), answer["status"]) == (status, MEDIA_TYPE, status)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("times", [2, 100])
def test_a_large_body_is_refused_and_its_connection_closed(port: int, times: int, chunked: bool) -> None:
    """A body over the limit is refused before it is read whole, said to be large or sent in chunks."""
    body = _document(metadata={"x": "a" * MAX_BODY_BYTES * times})
    chunks = (body[at : at + 9000] for at in range(0, len(body), 9000))
    headers = {**JSON, "Transfer-Encoding": "chunked"} if chunked else JSON
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        # The server may close while we still send; its answer is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", "/v1/tags", chunks if chunked else body, headers, encode_chunked=chunked)
        response = connection.getresponse()
        assert response.status == 413
        assert response.getheader("Content-Type") == MEDIA_TYPE
        assert response.getheader("Connection") == "close"
        assert str(MAX_BODY_BYTES) in json.loads(response.read())["detail"]
    finally:
        connection.close()


def test_a_client_that_leaves_in_mid_body_leaves_no_error(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged of a connection that ends before its body does, and the next one is answered."""
    for sent in (b"", b'{"tex'):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            head = b"POST /v1/tags HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
            connection.sendall(head + sent)
            time.sleep(0.05)  # until the body is waited for
    assert post(port, "/v1/tags", _document())[0].status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_chunked_body_within_the_limit_is_read(port: int) -> None:
    """A body without a stated length is taken like any other."""
    document = _document()
    response, answer = post(
        port,
        "/v1/tags",
        iter([document[:10], document[10:]]),
        {**JSON, "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    assert (response.status, answer["id"]) == (200, "1")


LONG = [
    {"text": f"{TEXT}\n" * 2_000},
    {"text": f"{TEXT}\n" * 20, "counterfactual": True},
    {"documents": [{"text": TEXT}] * 50},
    {"documents": [{"text": f"{TEXT}\n" * 20}] * 5, "explain": True, "include": "all"},
]


@pytest.mark.parametrize("body", LONG, ids=["text", "counterfactual", "documents", "evidence"])
def test_a_long_request_keeps_no_other_waiting(
    port: int, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    """While a request is worked on that takes long, the service says that it is alive and tags a short text."""
    begun, end, tag = threading.Event(), threading.Event(), Tagger.tag

    def slow(tagger: Tagger, document: Document, *wanted: Wanted) -> Any:
        if document.id != "short":
            begun.set()
            assert end.wait(30)
        return tag(tagger, document, *wanted)

    monkeypatch.setattr(Tagger, "tag", slow)
    path = "/v1/tags/batch" if "documents" in body else "/v1/tags"
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(post, port, path, json.dumps(body))
        try:
            assert begun.wait(30)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=10) as response:
                assert response.status == 200
            assert post(port, "/v1/tags", _document(id="short"))[0].status == 200
            assert not asking.done()
        finally:
            end.set()
        assert asking.result()[0].status == 200


def test_a_promotion_under_load_fails_no_request(own_models: Path, known_text: str) -> None:
    """While requests run the versions change: none fails, both answer, and no answer mixes them."""
    old, new = Registry(own_models).live().name, save_another(own_models, relabel)
    batch = json.dumps({"documents": [{"text": known_text}] * 20, "include": "all"}).encode()
    stop = threading.Event()

    def ask(port: int) -> list[str]:
        versions = []
        while not stop.is_set():
            response, answer = post(port, "/v1/tags/batch", batch)
            assert response.status == 200
            assert {result["version"] for result in answer["results"]} == {answer["version"]}
            labels = [score["label"] for result in answer["results"] for score in result["scores"]]
            assert {label.endswith(" (new)") for label in labels} == {answer["version"] == new}
            versions.append(answer["version"])
        return versions

    with Server(create_app(Settings(models=own_models))) as port, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, port) for _ in range(4)]
        try:
            for name in (new, old, new):
                Registry(own_models).promote(name)
                until(lambda name=name: post(port, "/v1/tags", _document())[1]["version"] == name)  # type: ignore[misc]
        finally:
            stop.set()
        seen = [version for one in asking for version in one.result()]
    assert set(seen) == {old, new}


def test_the_program_serves_with_several_workers_and_stops_when_told(own_models: Path) -> None:
    """`run` starts the workers by the settings, answers on the loopback address, and ends on a signal."""
    code = "from tagger.service.server import run; from tagger.settings import load_settings; run(load_settings())"
    environment = {"TAGGER_MODELS": str(own_models), "TAGGER_PORT": "0", "TAGGER_WORKERS": "2", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    try:
        seen, ready = [], 0
        for line in process.stderr:
            seen.append(line)
            ready += "startup complete" in line
            if ready == 2:
                break
        found = re.search(r"http://127\.0\.0\.1:(\d+)", "".join(seen))
        assert found, seen
        until(lambda: answers(int(found[1])))  # a worker says that it has started just before it listens
        assert sum("Serving v" in line for line in seen) == 2
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGTERM)


def test_an_address_in_use_is_told(own_models: Path) -> None:
    """Where another program listens already, starting fails with a message that names address and remedy."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(errors.ServiceError, match=rf"port {port}.*--port"):
            run(Settings(models=own_models, port=port))


def test_a_title_given_with_a_page_is_that_of_its_untitled_release(client: TestClient) -> None:
    """A title beside a page with one release and no title is read with it, and evidence in it says so."""
    body: dict[str, Any] = {"title": "Herring quota", "text": f"{TEXT}\n", "split": "auto", "explain": True}
    (release,) = client.post("/v1/tags", json=body).json()["releases"]
    assert release["title"] == "Herring quota"
    spans = [
        (span, term["term"]) for tag in release["tags"] for term in tag["evidence"]["terms"] for span in term["spans"]
    ]
    assert "title" in {span["in"] for span, _ in spans}
    for span, term in spans:
        source = body["title"] if span["in"] == "title" else body["text"]
        assert fold(source[span["start"] : span["end"]].lower()).split()[0] == fold(term).split()[0]


# Settings


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and no settings in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TAGGER_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each setting comes from the strongest place that has it; an empty variable is none."""
    assert load_settings() == Settings(
        seeds=Path("seeds"), models=Path("models"), host="127.0.0.1", port=8000, workers=1
    )
    (installation / "tagger.toml").write_text('port = 8100\nmodels = "elsewhere"\n', encoding="utf-8")
    monkeypatch.setenv("TAGGER_PORT", "8200")
    monkeypatch.setenv("TAGGER_WORKERS", "")
    settings = load_settings()
    assert (settings.port, settings.models, settings.workers) == (8200, Path("elsewhere"), 1)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("WORKERS", "0"), ("MAX_BODY_BYTES", "-1")]
)
@pytest.mark.usefixtures("installation")
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The message has the variable, what it was, and what to do."""
    monkeypatch.setenv(f"TAGGER_{name}", value)
    with pytest.raises(OptionError, match=rf"TAGGER_{name} .*'{value}'.*default"):
        load_settings()


@pytest.mark.parametrize("content", ["prot = 1", "port = ", "port = 'x'", b"\xff"])
def test_a_wrong_settings_file_is_refused(installation: Path, content: str | bytes) -> None:
    """A misspelt name, a wrong value and a file that is no TOML are each told with the file's name."""
    (installation / "tagger.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(OptionError, match=r"tagger\.toml"):
        load_settings()
