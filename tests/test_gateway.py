"""What can be seen of a running service: request ids, logs, metrics and traces."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tagger.observations import read_observations
from tagger.service import logs
from tagger.service.app import create_app
from tagger.settings import Settings
from tagger.tagging import Tagger

SECRET = "The trawler Marigold landed herring at dawn."
DOCUMENT = {"text": SECRET}


@pytest.fixture
def client_of(tiny_models: Path, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Make a client of a service with its own state and some settings."""
    clients: list[TestClient] = []

    def make(**given: Any) -> TestClient:
        app = create_app(Settings(models=tiny_models, state=tmp_path / "own", **given))
        clients.append(TestClient(app, base_url="http://localhost", raise_server_exceptions=False).__enter__())
        return clients[-1]

    yield make
    for client in clients:
        client.__exit__()


def numbers(text: str) -> dict[str, float]:
    """Return the samples of Prometheus' text format."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_every_answer_has_an_id(client_of: Callable[..., TestClient]) -> None:
    """Answers and refusals carry an id each: the client's where it is a short word, else a new one."""
    client = client_of()
    ids = [client.get(path).headers["x-request-id"] for path in ("/", "/nowhere", "/v1/themes")]
    assert len(set(ids)) == 3
    assert client.get("/", headers={"X-Request-ID": "desk-17.a"}).headers["x-request-id"] == "desk-17.a"
    for strange in ("a b", "x" * 65, 'a"b', ""):
        assert client.get("/", headers={"X-Request-ID": strange}).headers["x-request-id"] not in (strange, *ids)


def test_logs_tell_requests_but_not_texts(
    client_of: Callable[..., TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    """With the access log on, each request is a record with id, path, status and time, without its text."""
    client = client_of(access_log=True)
    with caplog.at_level(logging.INFO):
        client.post("/v1/tags", json=DOCUMENT, headers={"X-Request-ID": "one"})
    (fields,) = [record.fields for record in caplog.records if record.name == logs.ACCESS]  # type: ignore[attr-defined]
    assert {"request_id": "one", "method": "POST", "path": "/v1/tags", "status": 200}.items() <= fields.items()
    assert fields["ms"] > 0
    assert "Marigold" not in caplog.text + str(fields)


def test_texts_are_logged_only_when_asked(
    client_of: Callable[..., TestClient], caplog: pytest.LogCaptureFixture
) -> None:
    """The setting log_texts puts the beginning of a text into the record."""
    client = client_of(access_log=True, log_texts=True)
    with caplog.at_level(logging.INFO):
        client.post("/v1/tags", json=DOCUMENT)
    assert any("Marigold" in str(getattr(record, "fields", "")) for record in caplog.records)


def test_usual_requests_are_not_logged_and_failures_are(
    client_of: Callable[..., TestClient], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the access log only what the service fails on is a record, with the traceback and the id."""

    def fail(*_: Any) -> None:
        raise RuntimeError("of our own making")

    client = client_of()
    with caplog.at_level(logging.INFO):
        client.post("/v1/tags", json=DOCUMENT)
        client.post("/v1/tags", json={})
        assert not [record for record in caplog.records if record.name == logs.ACCESS]
        monkeypatch.setattr(Tagger, "tag", fail)
        failed = client.post("/v1/tags", json=DOCUMENT)
    assert failed.status_code == 500
    first = next(record for record in caplog.records if record.name == logs.ACCESS)
    assert first.exc_info
    assert first.fields["request_id"] == failed.headers["x-request-id"]  # type: ignore[attr-defined]
    assert "Marigold" not in caplog.text


def test_a_log_line_is_one_json_object() -> None:
    """Whatever a message holds, its line is one object that machines can read."""
    record = logging.LogRecord("tagger", logging.WARNING, "", 1, 'two\nlines "%s"', ("é",), None)
    record.fields = {"path": "/x\ny"}
    line = logs.JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line).items() >= {"message": 'two\nlines "é"', "level": "warning", "path": "/x\ny"}.items()


def test_the_metrics_count_requests_texts_and_tags(
    client_of: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked and what was made of it stands in the metrics within a moment."""
    monkeypatch.setattr("tagger.service.pulse.SECONDS", 0.02)
    client = client_of()
    tagged = client.post("/v1/tags", json={"text": "Herring. " + SECRET * 5}).json()
    client.post("/v1/tags", json={"text": ""})
    client.get("/nowhere/at/all")
    deadline = time.monotonic() + 10
    while 'tagger_texts_total{decision="review"}' not in (found := numbers(client.get("/metrics").text)):
        assert time.monotonic() < deadline
    assert found['tagger_requests_total{method="POST",route="/v1/tags",status="200"}'] == 1
    assert found['tagger_requests_total{method="POST",route="/v1/tags",status="422"}'] == 1
    assert found['tagger_requests_total{method="GET",route="other",status="404"}'] == 1
    assert found['tagger_request_seconds_count{route="/v1/tags"}'] == 2
    assert sum(value for name, value in found.items() if name.startswith("tagger_texts_total")) == 1
    for tag in tagged["tags"]:
        assert found[f'tagger_tags_total{{decision="{tag["decision"]}",theme="{tag["theme"]}"}}'] == 1
    assert found['tagger_words_total{known="yes"}'] > found['tagger_words_total{known="no"}'] > 0
    assert found['tagger_model_live{version="v0001"}'] == 1
    assert 0 < time.time() - found["tagger_model_created_seconds"] < 86_400
    assert found["tagger_model_refused"] == 0


def test_what_was_seen_outlives_the_service(tiny_models: Path, tiny_tagger: Tagger, tmp_path: Path) -> None:
    """When a service stops, the numbers of the texts it tagged are on the disk, and no text is."""
    settings = Settings(models=tiny_models, state=tmp_path / "own")
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        client.post("/v1/tags", json=DOCUMENT)
    seen = read_observations(tmp_path / "own" / "seen", "v0001", [theme["id"] for theme in tiny_tagger.themes])
    assert [day.texts for day in seen.days.values()] == [1]
    assert b"Marigold" not in b"".join(path.read_bytes() for path in (tmp_path / "own" / "seen").iterdir())


SPANS = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from fastapi.testclient import TestClient
from tagger.service.app import app_from_environment

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with TestClient(app_from_environment(), base_url="http://localhost") as client:
    client.post("/v1/tags", json={"text": "Tariffs on steel fall."})
for span in exporter.get_finished_spans():
    print(span.name, span.attributes["http.response.status_code"])
"""


def test_requests_are_traced_where_opentelemetry_is_set_up(tiny_models: Path, tmp_path: Path) -> None:
    """With the SDK installed and a provider set, a request becomes a span with its route and status."""
    pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
    environment = os.environ | {"TAGGER_MODELS": str(tiny_models), "TAGGER_STATE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SPANS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["POST /v1/tags 200"]


def test_several_workers_count_together(tiny_models: Path, tmp_path: Path) -> None:
    """With two workers the metrics of either hold the requests of both, and each line of the log is an object."""
    environment = os.environ | {"TAGGER_MODELS": str(tiny_models), "TAGGER_STATE": str(tmp_path / "own")}
    environment |= {"TAGGER_ACCESS_LOG": "true"}
    command = [sys.executable, "-m", "tagger", "serve", "--port", "0", "--workers", "2"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stderr
    lines: list[dict[str, Any]] = []
    try:
        for line in process.stderr:
            lines.append(json.loads(line))
            if sum("startup complete" in line["message"] for line in lines) == 2:
                break
        url = next(found[0] for line in lines if (found := re.search(r"http://[\d.:]+", line["message"])))
        for _ in range(20):
            request = urllib.request.Request(f"{url}/v1/tags", json.dumps(DOCUMENT).encode())
            request.add_header("Content-Type", "application/json")
            with urllib.request.urlopen(request) as answer:
                assert answer.status == 200
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            found = numbers(answer.read().decode())
        assert found['tagger_requests_total{method="POST",route="/v1/tags",status="200"}'] == 20
        assert found['tagger_model_live{version="v0001"}'] == 1
    finally:
        process.send_signal(signal.SIGTERM)
        lines += [json.loads(line) for line in process.stderr]
        process.stderr.close()
        process.wait(timeout=30)
    asked = [line["process"] for line in lines if line.get("path") == "/v1/tags"]
    assert len(asked) == 20
