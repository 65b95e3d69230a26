"""Keys: who is let in, what is kept of them, and that nothing that befalls their file opens the door."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger import keys as module
from tagger.errors import InputError, KeysError, OptionError, OutputError
from tagger.keys import SCOPES, UNITS, Keys, check_rate
from tagger.service import server
from tagger.service.app import app_from_environment
from tagger.settings import load_settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the file looks at it each time, not twice a second."""
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the keys are."""
    return tmp_path / "state" / "keys.json"


@pytest.fixture
def keys(path: Path) -> Keys:
    """The keys, of which there are none yet."""
    return Keys(path)


def test_a_token_is_known_by_its_key(keys: Keys) -> None:
    """Each token finds its own key, with the name, scopes and rate that it was made with."""
    made = [keys.create("newsroom", ["tag", "review"], "100/second"), keys.create("José's desk", ["admin"])]
    assert [keys.find(token) for _, token in made] == [key for key, _ in made] == keys.all()
    assert [(key.name, key.scopes, key.rate) for key in keys.all()] == [
        ("newsroom", {"tag", "review"}, "100/second"),
        ("José's desk", {"admin"}, None),
    ]


@given(st.text(max_size=60), st.integers(0, 59), st.characters())
@settings(max_examples=200, deadline=None)
def test_nothing_but_the_token_is_let_in(
    tmp_path_factory: pytest.TempPathFactory, text: str, place: int, character: str
) -> None:
    """No other text is let in, however like a token it is."""
    keys = Keys(tmp_path_factory.mktemp("state") / "keys.json")
    token = keys.create("newsroom", ["tag"])[1]
    changed = token[:place] + character + token[place + 1 :]
    for other in (text, token[:16] + text, token[:place], token + text, changed):
        assert (keys.find(other) is not None) == (other == token)


def test_no_token_can_be_read_from_the_file(keys: Keys, path: Path) -> None:
    """The file has 256 random bits of digest for each key, and no part of a secret."""
    tokens = [keys.create(name, ["tag"])[1] for name in ("a", "b")]
    content = path.read_text(encoding="utf-8")
    for token in tokens:
        secret = token.split("_", 2)[2]
        assert len(secret) == 43
        assert secret[:10] not in content
    assert len({record["sha256"] for record in json.loads(content)["keys"]}) == 2


def test_the_file_is_closed_to_others(keys: Keys, path: Path) -> None:
    """A new file may be read by its owner alone, whatever the umask; later the mode is whatever it was set to."""
    before = os.umask(0)
    try:
        keys.create("newsroom", ["tag"])
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        keys.create("archive", ["tag"])
        assert path.stat().st_mode & 0o777 == 0o640
        assert os.umask(0) == 0
    finally:
        os.umask(before)


CREATE = """\
import sys
from pathlib import Path
from tagger.keys import Keys
for number in range(10):
    Keys(Path(sys.argv[1])).create(f"{sys.argv[2]} {number}", ["tag"])
"""


def test_keys_made_at_once_are_all_kept(keys: Keys, path: Path) -> None:
    """Processes that create keys at the same time, in a folder that is not there yet, lose none."""
    started = [subprocess.Popen([sys.executable, "-c", CREATE, str(path), name]) for name in ("a", "b", "c")]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert {key.name for key in keys.all()} == {f"{name} {number}" for name in "abc" for number in range(10)}


def test_a_running_service_follows(keys: Keys, path: Path) -> None:
    """Keys that another process makes are let in, and those it revokes are not, without a new start."""
    assert not keys.any()
    elsewhere = Keys(path)
    key, token = elsewhere.create("newsroom", ["tag"])
    assert keys.any()
    assert keys.find(token) == key
    elsewhere.revoke(key.id)
    assert keys.find(token) is None


def test_between_two_looks_the_file_is_not_touched(keys: Keys, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request does not wait for the disk: what was seen half a second ago is taken to be so."""
    _, token = keys.create("newsroom", ["tag"])
    monkeypatch.setattr(module, "CHECK_SECONDS", 1e6)
    assert keys.find(token)
    path.unlink()
    assert keys.find(token)


def test_revoked_keys_count(keys: Keys) -> None:
    """A service whose last key was revoked is not open: the key is known, with the date, and lets nobody in."""
    key, token = keys.create("newsroom", ["tag"])
    revoked = keys.revoke(key.id)
    assert keys.any()
    assert keys.find(token) is None
    assert revoked.revoked is not None
    assert keys.revoke(key.id) == revoked
    assert keys.all() == [revoked]


def test_names_are_of_one_key_at_a_time(keys: Keys) -> None:
    """A name that histories show is of one key; once that is revoked, another may have it."""
    key, _ = keys.create("newsroom", ["tag"])
    with pytest.raises(OptionError, match=f"'newsroom' already, {key.id}.*Choose another"):
        keys.create("newsroom", ["admin"])
    keys.revoke(key.id)
    keys.create("newsroom", ["admin"])
    assert [found.name for found in keys.all()] == ["newsroom", "newsroom"]


def test_only_known_keys_are_revoked(keys: Keys) -> None:
    """The refusal of an id that is none names those there are."""
    with pytest.raises(InputError, match="'00000000'; known are: none"):
        keys.revoke("00000000")
    key, _ = keys.create("newsroom", ["tag"])
    with pytest.raises(InputError, match=f"known are: {key.id}"):
        keys.revoke("newsroom")


@pytest.mark.parametrize(
    ("name", "scopes", "rate", "message"),
    [
        ("", ["tag"], None, "name of a key is ''"),
        ("n" * 61, ["tag"], None, "1 to 60 printable"),
        ("a\nb", ["tag"], None, r"'a\\nb'"),
        (" a", ["tag"], None, "no space around"),
        ("a", [], None, "scopes of a key are none; .*: tag, review, admin"),
        ("a", ["tag", "all"], None, "'tag', 'all'"),
        ("a", ["tag"], "often", "rate is 'often'"),
    ],
)
def test_what_no_key_can_be_made_of_is_refused(
    keys: Keys, path: Path, name: str, scopes: list[str], rate: str | None, message: str
) -> None:
    """Names that would break a line, no scope or an unknown one, and what is no rate: nothing is written."""
    with pytest.raises(OptionError, match=message):
        keys.create(name, scopes, rate)
    assert not path.exists()


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    """Where no folder can be made, the message names it."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(OutputError, match=r"Cannot make the folder .*state"):
        Keys(tmp_path / "state" / "keys.json").create("newsroom", ["tag"])


def damaged(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """Return a change of the first record as a change of the file."""

    def apply(content: bytes) -> bytes:
        records = json.loads(content)
        change(records["keys"][0])
        return json.dumps(records).encode()

    return apply


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "an empty object": lambda _: b"{}",
    "a list": lambda _: b"[]",
    "keys that are none": lambda _: b'{"keys": [1, "a"]}',
    "cut": lambda content: content[: len(content) // 2],
    "not UTF-8": lambda content: content.replace(b"newsroom", b"\xff"),
    "deep": lambda _: b'{"keys": ' + b"[" * 100_000,
    "a key twice": lambda content: json.dumps({"keys": json.loads(content)["keys"] * 2}).encode(),
    "no date of revocation": damaged(lambda record: record.pop("revoked")),
    "a revocation on no date": damaged(lambda record: record.update(revoked="yes")),
    "a short digest": damaged(lambda record: record.update(sha256=record["sha256"][:-2])),
    "a digest that is none": damaged(lambda record: record.update(sha256=5)),
    "an id that is none": damaged(lambda record: record.update(id="../keys")),
    "a name that is none": damaged(lambda record: record.update(name=["newsroom"])),
    "a rate that is none": damaged(lambda record: record.update(rate=100)),
    "scopes in a text": damaged(lambda record: record.update(scopes="tag")),
    "an unknown scope": damaged(lambda record: record.update(scopes=["tag", "all"])),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_lets_nobody_in(
    keys: Keys, path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with the file, nobody is let in, it stays as it is, one warning names it, and a copy heals."""
    key, token = keys.create("newsroom", ["tag"])
    assert keys.find(token)
    good = path.read_bytes()
    path.write_bytes(bad := damage(good))
    with caplog.at_level(logging.WARNING, "tagger"):
        for reader in (keys, keys, Keys(path)):
            assert reader.find(token) is None
            assert reader.any()
            assert str(path) in str(reader.problem)
    assert [record.getMessage() for record in caplog.records] == [f"No key is let in. {keys.problem}"] * 2
    for action in (keys.all, lambda: keys.create("other", ["tag"]), lambda: keys.revoke(key.id)):
        with pytest.raises(KeysError, match=r"keys\.json is damaged\. Bring back a copy"):
            action()
    assert path.read_bytes() == bad
    path.write_bytes(good)
    assert keys.find(token) == key
    assert keys.problem is None


def test_no_beginning_of_a_file_opens_up(keys: Keys, path: Path) -> None:
    """A file cut anywhere, as by a full disk, is damaged and not a file without keys."""
    keys.create("newsroom", ["tag"])
    content = path.read_bytes().rstrip()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        assert keys.any()
        assert keys.problem is not None


def test_a_file_that_goes_closes_the_door(keys: Keys, path: Path) -> None:
    """A service that has seen keys lets nobody in once their file is gone, until it is back."""
    key, token = keys.create("newsroom", ["tag"])
    assert keys.find(token)
    path.rename(path.with_suffix(".away"))
    assert keys.find(token) is None
    assert keys.any()
    assert "is gone" in str(keys.problem)
    path.with_suffix(".away").rename(path)
    assert keys.find(token) == key


def test_keys_that_are_expected_are_missed(path: Path) -> None:
    """Who is told that there are keys lets nobody in before the file is there."""
    keys = Keys(path, expected=True)
    assert keys.any()
    assert "is gone" in str(keys.problem)
    key, token = Keys(path).create("newsroom", ["tag"])
    assert keys.find(token) == key
    assert keys.problem is None


@pytest.mark.parametrize("before", [True, False], ids=["before the start", "while it runs"])
def test_a_worker_in_place_of_a_dead_one_lets_nobody_in(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """Once a service has keys, a worker that it starts when their file is gone misses them, though it saw none."""
    monkeypatch.setattr(server, "CHECK_SECONDS", 0.001)
    closed: list[bool] = []

    def serve(*_given: object, **_options: object) -> None:
        if not before:
            closed.append(app_from_environment().state.keys.any())
            Keys(path).create("newsroom", ["tag"])
            while module.EXPECTED not in os.environ:
                time.sleep(0.001)
        shutil.rmtree(path.parent)
        closed.append(app_from_environment().state.keys.any())

    monkeypatch.setattr(uvicorn, "run", serve)
    if before:
        Keys(path).create("newsroom", ["tag"])
    with patch.dict(os.environ, {module.EXPECTED: "true"}):  # of another service, from which this one is started
        server.run(load_settings(state=path.parent, port=0))
    assert closed == ([True] if before else [False, True])


def test_what_cannot_be_read_lets_nobody_in(keys: Keys, path: Path) -> None:
    """A folder or a pipe in place of the file, or a file in place of the folder, is no service without keys."""
    path.mkdir(parents=True)
    assert keys.any()
    assert "cannot be read: it is no regular file" in str(keys.problem)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(KeysError, match="cannot be read: it is no regular file"):
        keys.all()
    path.unlink()
    path.parent.rmdir()
    path.parent.write_bytes(b"")
    assert Keys(path).any()
    with pytest.raises(KeysError, match="cannot be read: Not a directory"):
        keys.all()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_closed_file_lets_nobody_in(keys: Keys, path: Path) -> None:
    """A file that the service may not read, such as one that the superuser wrote, lets nobody in."""
    _, token = keys.create("newsroom", ["tag"])
    path.chmod(0)
    assert keys.find(token) is None
    assert keys.any()


@given(st.integers(1, 999_999_999), st.sampled_from(sorted(UNITS)))
def test_rates_say_what_they_are(amount: int, unit: str) -> None:
    """Any number by any unit is read as it stands."""
    rate = check_rate(f"{amount}/{unit}")
    assert (rate.amount, rate.unit, rate.seconds) == (amount, unit, UNITS[unit])


@pytest.mark.parametrize(
    "text", ["", "5", "0/second", "-1/day", "1.5/hour", "5/week", "5 / day", "5/days", "٥/day", "1/day\n"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    """The message gives what was received and shows one that is right."""
    with pytest.raises(OptionError, match=r"expected a number from 1 .*second, minute, hour, day: 100/second"):
        check_rate(text)


def test_the_command_line_looks_after_keys(run: Run, tmp_path: Path) -> None:
    """Creating prints the token alone, listing the keys without digests, and revoking ends it."""
    state = ("--state", tmp_path / "state")
    code, out, err = run("keys", "list", *state)
    assert (code, out, "tagger keys create" in err) == (0, "", False)
    code, token, err = run("keys", "create", "newsroom", "--scopes", "review, tag", "--rate", "5/minute", *state)
    keys = Keys(tmp_path / "state" / "keys.json")
    key = keys.find(token.removesuffix("\n"))
    assert code == 0
    assert key is not None
    assert "shown this once" in err
    assert "answers nobody without one" in err
    assert token.strip() not in err
    assert "first key" not in run("keys", "create", "archive", "--scopes", "tag", *state)[2]
    listed = [json.loads(line) for line in run("keys", "list", *state)[1].splitlines()]
    assert listed[0] == {
        "id": key.id, "name": "newsroom", "scopes": ["tag", "review"], "rate": "5/minute", "created": key.created,
        "revoked": None,
    }  # fmt: skip
    code, out, err = run("keys", "revoke", key.id, *state)
    assert (code, out) == (0, "")
    assert f"{key.id}, 'newsroom', is revoked since 20" in err
    assert keys.find(token.removesuffix("\n")) is None


def test_people_see_a_table_of_keys(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal keys are rows, and where there is none the first step is said."""
    monkeypatch.setenv("TAGGER_STATE", str(tmp_path))
    assert "tagger keys create NAME" in run("keys", "list", "--no-json")[2]
    run("keys", "create", "newsroom", "--scopes", ",".join(SCOPES))
    head, row = run("keys", "list", "--no-json")[1].splitlines()
    assert head.split() == ["id", "name", "scopes", "rate", "created", "revoked"]
    assert "newsroom  tag review admin" in row


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "newsroom", "--scopes", "everything"), 2, "expected one or more of: tag, review, admin"),
        (("create", "newsroom", "--scopes", "tag", "--rate", "5"), 2, "The rate is '5'"),
        (("revoke", "newsroom"), 1, "There is no key 'newsroom'"),
    ],
)
def test_wrong_usage_is_told(run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """What makes no sense is refused in a sentence, with nothing on standard output."""
    found, out, err = run("keys", *arguments, "--state", tmp_path)
    assert (found, out) == (code, "")
    assert message in err
