"""Who may ask the service for what: hosts, origins, keys and their scopes, the page's cookie, and rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.responses import Response

from tagger.errors import ServiceError
from tagger.keys import FILE, Keys
from tagger.service.access import ADMIN, PUBLIC, SCOPES
from tagger.service.app import create_app
from tagger.service.server import run
from tagger.settings import Settings

DOCUMENT = {"text": "The trawler landed its herring before the timetable changed."}

Ask = Callable[..., Any]


@pytest.fixture
def client_of(tiny_models: Path, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Make a client of a service with its own state and some settings."""
    clients: list[TestClient] = []

    def make(base_url: str = "http://localhost", **given: Any) -> TestClient:
        settings = Settings(models=tiny_models, state=tmp_path / "own", **given)
        client = TestClient(create_app(settings), base_url=base_url, raise_server_exceptions=False)
        clients.append(client.__enter__())
        return clients[-1]

    yield make
    for client in clients:
        client.__exit__()


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """Three keys in the state of those services, by their scope."""
    keys = Keys(tmp_path / "own" / FILE)
    return {scope: keys.create(f"desk {scope}", [scope])[1] for scope in ("tag", "review", "admin")}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:80", "192.0.2.7:8000", "tags.example.org"])
def test_the_service_answers_to_addresses_and_known_names(client_of: Callable[..., TestClient], host: str) -> None:
    """An address cannot be taken over by a stranger's name server, and known names are allowed."""
    client = client_of(allowed_hosts=("tags.example.org",))
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""])
def test_strange_names_are_refused(client_of: Callable[..., TestClient], host: str) -> None:
    """A page that reached this service by a name of its own gets nothing."""
    response = client_of().post("/v1/tags", json=DOCUMENT, headers={"Host": host})
    assert response.status_code == 421
    assert "allowed_hosts" in response.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_origins_change_nothing(client_of: Callable[..., TestClient], headers: dict[str, str]) -> None:
    """A write that a foreign page makes a browser send is refused, whatever is in it."""
    assert client_of().post("/v1/tags", json=DOCUMENT, headers=headers).status_code == 403


def test_own_and_allowed_origins_may_write(client_of: Callable[..., TestClient]) -> None:
    """The service's own page and the origins of the setting may; only the latter get CORS headers."""
    client = client_of(allowed_origins=("https://desk.example.org",))
    own = client.post("/v1/tags", json=DOCUMENT, headers={"Origin": "http://localhost"})
    assert (own.status_code, own.headers.get("access-control-allow-origin")) == (200, None)
    allowed = client.post("/v1/tags", json=DOCUMENT, headers={"Origin": "https://desk.example.org"})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://desk.example.org")
    asked = {"Origin": "https://desk.example.org", "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/tags", headers=asked).status_code == 200


def test_without_the_setting_there_is_no_cors(client_of: Callable[..., TestClient]) -> None:
    """No answer invites pages of other origins to read it."""
    response = client_of().get("/v1/themes", headers={"Origin": "https://desk.example.org"})
    assert "access-control-allow-origin" not in response.headers


def test_with_keys_every_route_asks_for_one(client_of: Callable[..., TestClient], tokens: dict[str, str]) -> None:
    """Of all that the service describes, only health and the session answer without a key."""
    assert tokens
    client = client_of()
    for path, methods in client.app.openapi()["paths"].items():  # type: ignore[attr-defined]
        for method in methods:
            response = client.request(method, path.replace("{", "").replace("}", ""), json={})
            assert (response.status_code == 401) == (path not in PUBLIC), (method, path)
    assert client.get("/openapi.json").status_code == 401
    assert client.get("/v1/themes").headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["", "x", "tagger_00000000_wrong", "é" * 9])
def test_wrong_keys_are_refused(client_of: Callable[..., TestClient], tokens: dict[str, str], token: str) -> None:
    """What is no key, or none of these, opens nothing."""
    assert tokens
    response = client_of().get("/v1/themes", headers={"Authorization": f"Bearer {token}".encode()})
    assert response.status_code == 401


def test_scopes_are_apart(client_of: Callable[..., TestClient], tokens: dict[str, str]) -> None:
    """A key opens what its scope is for: one for tagging trains nothing, and one for training tags nothing."""
    client = client_of()
    for (method, path), scope in {**SCOPES, ("GET", "/v1/jobs"): ADMIN}.items():
        for held, token in tokens.items():
            response = client.request(method, path, headers=bearer(token), json=DOCUMENT if method == "POST" else None)
            assert (response.status_code == 403) == (scope not in ("", held)), (method, path, held)


def test_a_revoked_key_is_refused(
    client_of: Callable[..., TestClient], tokens: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running service follows when keys are revoked, and does not open up when the last one is."""
    monkeypatch.setattr("tagger.keys.CHECK_SECONDS", 0.0)
    client = client_of()
    assert client.get("/v1/themes", headers=bearer(tokens["tag"])).status_code == 200
    keys = Keys(tmp_path / "own" / FILE)
    for key in keys.all():
        keys.revoke(key.id)
    assert client.get("/v1/themes", headers=bearer(tokens["tag"])).status_code == 401
    assert client.get("/v1/themes").status_code == 401


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"{"), Path.unlink], ids=["damaged", "gone"])
def test_keys_that_cannot_be_read_let_nobody_in_and_are_no_fault_of_callers(
    client_of: Callable[..., TestClient],
    tokens: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], object],
) -> None:
    """Where the file of keys is damaged or gone, a right key is not called wrong, and health still answers."""
    monkeypatch.setattr("tagger.keys.CHECK_SECONDS", 0.0)
    client = client_of()
    assert client.get("/v1/themes", headers=bearer(tokens["tag"])).status_code == 200
    damage(tmp_path / "own" / FILE)
    refused = client.get("/v1/themes", headers=bearer(tokens["tag"]))
    assert (refused.status_code, str(tmp_path) in refused.text) == (503, False)
    assert client.get("/v1/themes").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_the_page_keeps_its_key_where_scripts_cannot_read_it(
    client_of: Callable[..., TestClient], tokens: dict[str, str]
) -> None:
    """A key given once becomes a cookie that opens what the key opens, until the session is ended."""
    client = client_of()
    assert client.post("/v1/session", json={"key": "tagger_00000000_wrong"}).status_code == 401
    begun = client.post("/v1/session", json={"key": tokens["tag"]})
    assert begun.status_code == 204
    cookie = begun.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/v1/session").json() == {"name": "desk tag", "scopes": ["tag"]}
    assert client.get("/v1/themes").status_code == 200
    assert client.delete("/v1/session").status_code == 204
    assert client.get("/v1/themes").status_code == 401


def test_over_tls_the_cookie_is_secure(client_of: Callable[..., TestClient], tokens: dict[str, str]) -> None:
    """Behind https the browser sends the key over https only."""
    begun = client_of("https://localhost").post("/v1/session", json={"key": tokens["tag"]})
    assert "secure" in begun.headers["set-cookie"].lower()


def test_rates_hold_for_each_key(client_of: Callable[..., TestClient], tmp_path: Path) -> None:
    """Whoever asks too often is told when to go on; the others are not slowed down, and health is free."""
    keys = Keys(tmp_path / "own" / FILE)
    slow = keys.create("slow", ["tag"], "2/day")[1]
    usual = keys.create("usual", ["tag"])[1]
    client = client_of(rate="5/day")
    assert [client.get("/v1/themes", headers=bearer(slow)).status_code for _ in range(3)] == [200, 200, 429]
    assert [client.get("/v1/themes", headers=bearer(usual)).status_code for _ in range(6)] == [200] * 5 + [429]
    assert int(client.get("/v1/themes", headers=bearer(slow)).headers["retry-after"]) > 0
    assert client.get("/health/live").status_code == 200


COSTLY = b'tagger_key="' + b"\\a" * 30_000 + b'"'


@pytest.mark.parametrize("path", ["/health/ready", "/v1/themes", "/v1/session"])
def test_a_cookie_costs_no_more_than_its_bytes(client_of: Callable[..., TestClient], path: str) -> None:
    """Cookies are never read by http.cookies, which takes seconds over some: nothing behind the door sees one."""
    client = client_of()
    client.app.add_route(  # type: ignore[attr-defined]
        "/seen", lambda request: Response(str("cookie" in request.headers)), methods=["GET"]
    )
    assert client.get("/seen", headers={"Cookie": "tagger_key=x"}).text == "False"
    assert client.get(path, headers={"Cookie": COSTLY}).status_code == 200


@pytest.mark.parametrize(
    "cookies", ['a={"x": 1}; tagger_key=KEY', "foo; tagger_key=KEY ; b=1", "a[b]=1;tagger_key=KEY"]
)
def test_cookies_of_other_services_do_not_lock_the_page_out(
    client_of: Callable[..., TestClient], tokens: dict[str, str], cookies: str
) -> None:
    """Whatever else a browser keeps for this host, the key among it is found."""
    given = {"Cookie": cookies.replace("KEY", tokens["tag"])}
    assert client_of().get("/v1/themes", headers=given).status_code == 200


@pytest.mark.parametrize("name", ["Authorization", "Host", "Origin"])
def test_a_header_that_might_be_read_in_two_ways_is_refused(client_of: Callable[..., TestClient], name: str) -> None:
    """Of two keys, hosts or origins no one is picked."""
    twice = [(name, "localhost"), (name, "example.org")]
    assert client_of().post("/v1/tags", json=DOCUMENT, headers=twice).status_code == 400


def test_wrong_keys_and_addresses_that_are_none_are_counted_together(client_of: Callable[..., TestClient]) -> None:
    """Guessing keys, and making addresses up, is slowed down like everything else."""
    client = client_of(rate="2/day")
    codes = [client.post("/v1/session", json={"key": f"tagger_{n}"}).status_code for n in range(3)]
    assert codes == [401, 401, 429]


@pytest.mark.parametrize("path", ["/v1/session", "/v1/train", "/v1/models/rollback"])
def test_only_what_takes_texts_takes_long_bodies(client_of: Callable[..., TestClient], path: str) -> None:
    """A path that needs a few words is sent no megabytes."""
    assert client_of().post(path, json={"key": "x" * 20_000}).status_code == 413


def test_a_body_of_very_many_lists_is_refused(client_of: Callable[..., TestClient]) -> None:
    """What would keep all threads waiting while it is read is refused before."""
    body = b'{"text": "a", "metadata": {"x": [' + b"[]," * 200_000 + b"[]]}}"
    response = client_of().post("/v1/tags", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, "lists" in response.json()["detail"]) == (400, True)


@pytest.mark.parametrize("told", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("given", [{"host": "0.0.0.0"}, {"allowed_hosts": ("tags.example.org",)}], ids=str)
def test_others_are_not_served_without_keys(tmp_path: Path, told: tuple[bool, bool], given: dict[str, Any]) -> None:
    """An open address, or a name that others know, without keys is refused at the start unless said twice."""
    settings = Settings(models=tmp_path, state=tmp_path, port=0, without_keys=told[0], **given)
    with pytest.raises(ServiceError, match="tagger keys create"):
        run(settings, without_keys=told[1])


@pytest.mark.parametrize("with_key", [False, True])
def test_with_a_key_or_told_twice_other_machines_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_key: bool
) -> None:
    """With a key, or when it was said twice, the server starts on an open address."""
    started: list[Any] = []
    monkeypatch.setattr("uvicorn.run", lambda *_, **options: started.append(options["host"]))
    monkeypatch.setattr("tagger.service.server._check_address", lambda *_: None)
    monkeypatch.setattr("os.environ", {})
    if with_key:
        Keys(tmp_path / FILE).create("desk", ["tag"])
    run(Settings(models=tmp_path, state=tmp_path, host="0.0.0.0", without_keys=not with_key), without_keys=True)
    assert started == ["0.0.0.0"]
