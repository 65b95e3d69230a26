"""Operations over HTTP: jobs that outlive servers, and versions that go live or are refused."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import quote

import msgspec
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from tagger.jobs import Jobs
from tagger.jobs.kinds import DiffOptions, TrainOptions
from tagger.registry import Registry
from tagger.service.access import NOBODY
from tagger.service.app import create_app
from tagger.service.operation_schemas import DiffRequest, TrainRequest
from tagger.service.problems import MEDIA_TYPE
from tagger.settings import Settings
from tagger.training import train
from tests.conftest import runners, training, until, write_seeds


class World(NamedTuple):
    """An installation and a client of its service."""

    client: TestClient
    settings: Settings


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A live version, and one that lost a theme which a pin must have; read-only."""
    folder = tmp_path_factory.mktemp("two")
    seeds = write_seeds(folder / "seeds")
    train(seeds, folder / "models")
    good = (seeds / "tiny.jsonl").read_text(encoding="utf-8")
    (seeds / "tiny.jsonl").write_text(good.replace('"themes": ["vaccines"]', '"themes": []'), encoding="utf-8")
    train(seeds, folder / "models", promote=False)
    (seeds / "tiny.jsonl").write_text(good, encoding="utf-8")
    pin = {"id": "pin", "text": "Every child is given a dose against measles at the clinic.", "must": ["vaccines"]}
    (seeds / "pins.jsonl").write_text(json.dumps(pin), encoding="utf-8")
    return folder


@pytest.fixture
def world(two_versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A service of one's own, over a copy of the two versions."""
    monkeypatch.setattr("tagger.jobs.supervisor.LOOK_SECONDS", 0.05)
    folder = Path(shutil.copytree(two_versions, tmp_path / "installation"))
    (folder / "archives").mkdir()
    names = ("models", "seeds", "archives", "state")
    settings = Settings(**{name: folder / name for name in names})
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield World(client, settings)


def ended(client: TestClient, location: str) -> dict[str, Any]:
    """Wait until a job is over; return it."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = client.get(location).json()
        return job if job["ended"] else None

    job = until(look)
    assert job
    return job


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """Check that a response is a problem of this status, without a path of the machine; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    assert "/tmp" not in response.text
    problem: dict[str, Any] = response.json()
    assert problem["detail"]
    return problem


# ---- Jobs


def test_a_training_is_asked_for_and_followed(world: World) -> None:
    """What was asked for is told of at the place that the answer names, and makes a version that answers."""
    response = world.client.post("/v1/train", json={"promote": True})
    assert response.status_code == 202
    assert response.json()["state"] == "queued"
    location = response.headers["location"]
    assert location == f"/v1/jobs/{response.json()['id']}"
    job = ended(world.client, location)
    assert job["state"] == "done"
    assert job["by"] == NOBODY
    assert job["result"]["promoted"]
    assert "saved v0003" in [line["message"] for line in job["log"]]
    assert until(lambda: world.client.get("/v1/models/live").json()["version"] == "v0003")
    assert Registry(world.settings.models).history()[-1]["by"] == NOBODY
    assert_problem(world.client.get(f"{location}/result"), 404)


@pytest.mark.usefixtures("trainings_wait")
def test_jobs_are_cancelled_and_listed(world: World) -> None:
    """The newest job comes first, a page tells where the next begins, and those that wait are cancelled at once."""
    with training(world.settings.models):
        locations = [world.client.post("/v1/train", json={}).headers["location"] for _ in range(3)]
        until(lambda: world.client.get(locations[0]).json()["progress"])
        for location in reversed(locations):
            assert world.client.post(f"{location}/cancel", json={}).status_code == 200
        assert [ended(world.client, location)["state"] for location in locations] == ["cancelled"] * 3
    first = world.client.get("/v1/jobs", params={"limit": 2}).json()
    rest = world.client.get("/v1/jobs", params={"limit": 2, "after": first["next"]}).json()
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == ["000003", "000002", "000001"]
    assert rest["next"] is None
    assert_problem(world.client.get("/v1/jobs", params={"after": "x"}), 422)


def test_versions_are_compared_on_an_archive(world: World) -> None:
    """A comparison is a job whose records come as lines; archives are known by their names alone."""
    shutil.copy(world.settings.seeds / "tiny.jsonl", world.settings.archives / "old.jsonl")
    assert world.client.get("/v1/archives").json() == {"archives": ["seeds", "old.jsonl"]}
    response = world.client.post("/v1/models/diff", json={"a": "v0001", "b": "v0002", "on": "old.jsonl"})
    assert response.status_code == 202
    job = ended(world.client, response.headers["location"])
    assert job["result"]["lost"] > 0
    records = world.client.get(f"{response.headers['location']}/result")
    assert records.headers["content-type"] == "application/x-ndjson"
    assert len([json.loads(line) for line in records.text.splitlines()]) == job["result"]["kept"]
    for name in ("v0009", "../models/v0001", "v0001\0", "live", ""):
        assert_problem(world.client.post("/v1/models/diff", json={"a": "v0001", "b": name}), 404)
    for name in ("../seeds/tiny.jsonl", "/etc/passwd", "old.jsonl\0", ""):
        assert_problem(world.client.post("/v1/models/diff", json={"a": "v0001", "b": "v0002", "on": name}), 422)


NAMES = ["v0009", "000001", "..", "%2e%2e", "%00", "%F0%9F%90%9F", "x" * 300]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:9])
def test_unknown_names_are_not_found(world: World, name: str) -> None:
    """Whatever is asked for in a path that is no job or version is answered with 404."""
    quoted = quote(name, safe="%")
    for path in ("jobs/{}", "jobs/{}/result", "models/{}"):
        assert_problem(world.client.get(f"/v1/{path.format(quoted)}"), 404)
    for path in ("jobs/{}/cancel", "models/{}/promote"):
        assert_problem(world.client.post(f"/v1/{path.format(quoted)}", json={}), 404)


@pytest.mark.parametrize(
    "path", ["train", "models/diff", "models/rollback", "models/v0002/promote", "jobs/000001/cancel"]
)
def test_wrong_bodies_change_nothing(world: World, path: str) -> None:
    """A body that says something unknown, is cut off or no JSON is refused, and nothing is done."""
    assert_problem(world.client.post(f"/v1/{path}", json={"a": "v0001", "b": "v0002", "more": 1}), 422)
    assert_problem(world.client.post(f"/v1/{path}", json=[]), 422)
    assert_problem(world.client.post(f"/v1/{path}", content=b"{", headers={"Content-Type": "application/json"}), 400)
    assert_problem(world.client.post(f"/v1/{path}", content=b"{}"), 415)
    assert world.client.get("/v1/jobs").json()["jobs"] == []
    assert len(Registry(world.settings.models).history()) == 1


def test_what_cannot_be_written_is_refused(world: World) -> None:
    """Where no job can be kept the answer says why, without a path, and tagging goes on."""
    world.settings.state.mkdir(exist_ok=True)
    (world.settings.state / "jobs").write_bytes(b"")
    assert "cannot be written (File exists)" in assert_problem(world.client.post("/v1/train", json={}), 503)["detail"]
    assert world.client.post("/v1/tags", json={"text": "Ministers met."}).status_code == 200


def test_what_may_have_changed_is_not_said_to_be_unchanged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a promotion is written but not sure to stay, the answer asks to look; a job is then not there at all."""
    world.client.post("/v1/models/v0002/promote", json={"force": "To go back from."})
    jobs, models = world.settings.state / "jobs", world.settings.models
    jobs.mkdir(parents=True)

    def fail(path: Path) -> None:
        if path in (jobs, models):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("tagger.files.sync", fail)
    monkeypatch.setattr("tagger.jobs.store.sync", fail)
    for path, body in (("rollback", {}), ("v0002/promote", {"force": "To try again."})):
        detail = assert_problem(world.client.post(f"/v1/models/{path}", json=body), 503)["detail"]
        assert "look at what is live" in detail
        assert "nothing is changed" not in detail
    assert assert_problem(world.client.post("/v1/train", json={}), 503)["detail"].endswith("nothing is changed.")
    assert world.client.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(("request_", "options"), [(TrainRequest, TrainOptions), (DiffRequest, DiffOptions)])
def test_a_job_can_be_asked_for_all_it_knows(request_: type[BaseModel], options: type[Any]) -> None:
    """What a request may say is what a job of its kind reads, with the same defaults."""
    hints = get_type_hints(options)
    asked = {name: field.annotation for name, field in request_.model_fields.items()}
    assert asked == hints
    defaults = {name: field.default for name, field in request_.model_fields.items() if not field.is_required()}
    assert defaults == {field.name: field.default for field in msgspec.structs.fields(options) if not field.required}


# ---- Versions


def test_a_version_is_told_of_without_its_texts(world: World) -> None:
    """The manifest of a version and what was measured are told, the texts of seeds in it are not."""
    found = world.client.get("/v1/models/v0002").json()
    version = Registry(world.settings.models).get("v0002")
    assert (found["version"], found["live"], found["at"]) == ("v0002", False, version.created["at"])
    assert found["manifest"] == {name: value for name, value in version.manifest.items() if name != "canaries"}
    assert found["report"]["held_out"]
    (version.folder / "report" / "report.json").write_bytes(b"{}")
    assert_problem(world.client.get("/v1/models/v0002"), 409)


def test_a_worse_version_goes_live_for_a_reason_only(world: World) -> None:
    """A version that breaks a pin is refused with what it does worse; for a reason, which is kept, it goes live."""
    problem = assert_problem(world.client.post("/v1/models/v0002/promote", json={}), 409)
    assert any("pin" in objection for objection in problem["objections"])
    assert problem["detail"].endswith("say why in the field `force`.")
    assert Registry(world.settings.models).live_name() == "v0001"
    assert_problem(world.client.post("/v1/models/v0002/promote", json={"force": ""}), 422)
    forced = world.client.post("/v1/models/v0002/promote", json={"force": "The theme is given up."})
    assert forced.status_code == 200
    assert (forced.json()["version"], forced.json()["instead_of"]) == ("v0002", "v0001")
    kept = Registry(world.settings.models).history()[-1]
    assert kept["reason"] == "The theme is given up."
    assert kept["objections"] == forced.json()["objections"] == problem["objections"]
    assert until(lambda: world.client.get("/v1/models/live").json()["version"] == "v0002")


def test_going_back(world: World) -> None:
    """A rollback makes the version before live again; where there is none, nothing is changed."""
    assert_problem(world.client.post("/v1/models/rollback", json={}), 409)
    world.client.post("/v1/models/v0002/promote", json={"force": "To go back from."})
    back = world.client.post("/v1/models/rollback", json={})
    assert back.json() == {"version": "v0001", "instead_of": "v0002"}
    assert Registry(world.settings.models).history()[-1]["action"] == "rollback"


def test_pins_with_problems_are_told_without_paths(world: World) -> None:
    """Where the pins are not in order nothing is promoted, and the answer says what is wrong with them."""
    (world.settings.seeds / "pins.jsonl").write_text('{"id": "a", "text": "b", "must": ["c"]}', encoding="utf-8")
    assert "pins.jsonl" in assert_problem(world.client.post("/v1/models/v0002/promote", json={}), 422)["detail"]


# ---- Servers that end


def _ask(port: int, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return the answer of a server; None where there is none, or it is no success."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)
    except (OSError, http.client.HTTPException):
        return None


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a server over an installation; it is killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {f"TAGGER_{name.upper()}": str(folder / name) for name in ("models", "seeds", "archives", "state")}
    command = [sys.executable, "-m", "tagger", "serve", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env={**os.environ, **places}, stdout=log, stderr=log)
    try:
        until(lambda: _ask(port, "/health/ready"))
        yield server, port
    finally:
        server.kill()
        server.wait()


@pytest.mark.usefixtures("trainings_wait")
def test_jobs_survive_servers(two_versions: Path, tmp_path: Path) -> None:
    """A job goes on when its server is killed, and when it is killed too, the next server starts it again."""
    folder = Path(shutil.copytree(two_versions, tmp_path / "installation"))
    jobs = Jobs(folder / "state" / "jobs")
    with training(folder / "models"):
        with serving(folder) as (server, port):
            job = _ask(port, "/v1/train", {})["id"]
            until(lambda: jobs.get(job).progress)
            server.kill()
            server.wait()
        (runner,) = runners(folder / "state")
        os.kill(runner, signal.SIGKILL)
        with serving(folder) as (server, port):
            until(lambda: runners(folder / "state") not in ([], [runner]))
            assert jobs.get(job).attempts == 2
    # The second server is gone as well by now, and what it started is not.
    until(lambda: jobs.get(job).state == "done")
    assert jobs.get(job).attempts == 2
