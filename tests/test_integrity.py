"""Integrity: what is not exactly what was saved is never served, never runs code, and never costs the live version."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.documents import Document
from tagger.errors import DamagedVersion, ModelError, OutputError, TaggerError, UnknownVersion
from tagger.files import held
from tagger.keys import Keys
from tagger.observations import read_observations
from tagger.registry import Registry
from tagger.tagging import Tagger, Wanted
from tests.conftest import REPOSITORY

Run = Callable[..., tuple[int, str, str]]

TEXT = "Ministers agreed a lower catch quota for herring, and every trawler must report its landings."
ALL = Wanted(explain=True, counterfactual=True, taught_by=True, every_theme=True)
LOADED = ("scorer/", "domain.npy", "boilerplate.npy")
"""Where the arrays stand that a version is loaded with; others are opened when they are asked for."""


@pytest.fixture
def registry(models: Path) -> Registry:
    """The registry of a trained version of one's own."""
    return Registry(models)


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signing key that is in use."""
    path = tmp_path / "secrets" / "key"
    path.parent.mkdir()
    path.write_bytes(os.urandom(32))
    monkeypatch.setenv("TAGGER_SIGNING_KEY_FILE", str(path))
    return path


def save_again(registry: Registry) -> str:
    """Save the live version under another number; return its name."""
    live = registry.live()

    def write(folder: Path) -> dict[str, Any]:
        for name in live.manifest["files"]:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes((live.folder / name).read_bytes())
        return {name: value for name, value in live.manifest.items() if name != "files"}

    return registry.save(write).name


def forge(folder: Path, name: str, content: bytes) -> None:
    """Write a file of a version, and all digests so that they are right."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    if name != "manifest.json":
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    sums = ((hashlib.sha256((folder / each).read_bytes()), each) for each in ("created.json", "manifest.json"))
    lines = "".join(f"{digest.hexdigest()}  {each}\n" for digest, each in sums)
    (folder / "SHA256SUMS").write_text(lines, encoding="utf-8")


# ---- Only what was saved, and only regular files


def extra_file(folder: Path) -> None:
    (folder / "scorer" / "more.npy").write_bytes(b"")


def extra_folder(folder: Path) -> None:
    (folder / "more").mkdir()


def odd_name(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff\n")).write_bytes(b"")


def lost_file(folder: Path) -> None:
    (folder / "report" / "report.md").unlink()


def lost_folder(folder: Path) -> None:
    shutil.rmtree(folder / "held_out")


def link(folder: Path) -> None:
    (folder / "domain.npy").rename(folder.parent / "elsewhere")
    (folder / "domain.npy").symlink_to(folder.parent / "elsewhere")


def linked_folder(folder: Path) -> None:
    (folder / "scorer").rename(folder.parent / "elsewhere")
    (folder / "scorer").symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path) -> None:
    (folder / "domain.npy").unlink()
    os.mkfifo(folder / "domain.npy")


def manifest_pipe(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")


def signature_pipe(folder: Path) -> None:
    os.mkfifo(folder / "signature")


def extra_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def no_signature(folder: Path) -> None:
    (folder / "signature").write_bytes(b"signed\n")


CHANGES = [
    extra_file, extra_folder, odd_name, lost_file, lost_folder, link, linked_folder, pipe, manifest_pipe,
    signature_pipe, extra_pipe, no_signature,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_folder_that_is_not_as_it_was_saved_is_refused(
    registry: Registry, run: Run, change: Callable[[Path], None]
) -> None:
    """Whatever is added, lost, linked or replaced by a pipe, the version is refused, and nothing waits for the pipe."""
    change(registry.folder / "v0001")
    for act in (lambda: Tagger.load(registry.get("v0001")), lambda: registry.promote("v0001")):
        with pytest.raises(DamagedVersion, match="v0001") as refused:
            act()
        assert str(registry.folder) not in str(refused.value)
    code, _, said = run("models", "show", "v0001", "--models", registry.folder)
    assert (code, "Traceback" in said) == (1, False)


def test_a_link_to_a_version_is_no_version(registry: Registry) -> None:
    """A link, a file or a pipe that is called like a version is none, and the next version gets a number beyond it."""
    registry.folder.joinpath("v0002").symlink_to(registry.folder / "v0001")
    registry.folder.joinpath("v0003").write_bytes(b"")
    os.mkfifo(registry.folder / "v0004")
    assert (registry.names(), registry.impostors()) == (["v0001"], ["v0002", "v0003", "v0004"])
    with pytest.raises(UnknownVersion):
        registry.get("v0002")
    assert save_again(registry) == "v0005"


def test_a_pointer_that_is_a_pipe_is_reported(registry: Registry) -> None:
    """The pointer is read like all else: nothing waits for a pipe in its place."""
    (registry.folder / "live").unlink()
    os.mkfifo(registry.folder / "live")
    with pytest.raises(ModelError, match="cannot be read: it is no regular file"):
        registry.live()


def test_what_was_seen_is_read_from_files_alone(tmp_path: Path) -> None:
    """Nothing waits for a pipe among the files of what was seen of texts; it is told as damaged."""
    os.mkfifo(tmp_path / "v0001-2026-11-24.json")
    assert read_observations(tmp_path, "v0001", ["fisheries"]).damaged == ("v0001-2026-11-24.json",)


@pytest.mark.skipif(not shutil.which("cc"), reason="what kills at a chosen call is compiled here, and there is no cc")
def test_kills_and_flipped_bits_cost_nothing() -> None:
    """At points spread over all that writes versions, and for bits of all files, what the program says holds."""
    command = [sys.executable, REPOSITORY / "scripts" / "bench" / "crash.py", "--points", "5", "--flips", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGGER_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kills" in done.stdout
    assert "41 flipped bits" in done.stdout  # one of each file


# ---- Whole forgeries


class Payload:
    """What leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def planted(trace: Path) -> dict[str, bytes]:
    """Return files that run code where they are read carelessly."""
    raw = pickle.dumps(Payload(trace))
    array = io.BytesIO()
    np.save(array, np.array([Payload(trace)], dtype=object), allow_pickle=True)
    archive = io.BytesIO()
    np.savez(archive, np.array([Payload(trace)], dtype=object), allow_pickle=True)
    dumped = io.BytesIO()
    joblib.dump(Payload(trace), dumped)
    return {
        "raw": raw, "zlib": zlib.compress(raw), "array": array.getvalue(), "npz": archive.getvalue(),
        "joblib": dumped.getvalue(), "nothing": b"",
    }  # fmt: skip


def test_planted_pickles_never_run(registry: Registry, tmp_path: Path) -> None:
    """In whatever array a pickle stands, of whatever kind, and though all digests are right, none of its code runs."""
    folder, trace = registry.folder / "v0001", tmp_path / "trace"
    pickle.loads(planted(trace)["raw"])
    assert trace.exists()  # so it would run
    trace.unlink()
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.npy"))]
    before = {name: (folder / name).read_bytes() for name in names}
    for content in planted(trace).values():
        for name in filter(lambda name: name.startswith(LOADED), names):
            forge(folder, name, content)
            with pytest.raises(DamagedVersion, match="v0001"):
                Tagger.load(registry.get("v0001"))
            assert not trace.exists(), name
            forge(folder, name, before[name])
        others = [name for name in names if not name.startswith(LOADED)]
        for name in others:
            forge(folder, name, content)
        Tagger.load(registry.get("v0001"))
        assert not trace.exists()
        for name in others:
            forge(folder, name, before[name])
    assert Tagger.load(registry.live()).tag(Document(id="a", text=TEXT)).tags


def test_the_estimator_is_opened_by_nothing_but_an_audit(registry: Registry, run: Run, tmp_path: Path) -> None:
    """A version whose estimator is a payload is tagged with, promoted and examined, and the payload stays asleep."""
    trace = tmp_path / "trace"
    forge(registry.folder / "v0001", "pipeline.joblib", planted(trace)["joblib"])
    at = ("--models", registry.folder)
    for command in (["tag", TEXT], ["models", "list"], ["models", "show"], ["models", "promote", "v0001"], ["doctor"]):
        assert run(*command, *at)[0] == 0, command
    assert not trace.exists()
    code, _, said = run("models", "audit", *at)
    assert (code, "runs code" in said, "Traceback" in said, trace.exists()) == (1, True, False, True)


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the values of a JSON document stand."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for step, inner in items:
        yield from nodes(inner, (*path, step))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a JSON document with another value at a place; None takes it away where it is a field."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if new is ... and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


ODD = st.sampled_from([..., None, True, 0, -1, 1e308, 10**30, "", "x", [], {}, [[]], [None], {"id": 5}])


@pytest.mark.parametrize("name", ["themes.json", "manifest.json"])
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_odd_content_is_refused_or_harmless(tiny_models: Path, models: Path, name: str, data: st.DataObject) -> None:
    """With any value in any place of a version's JSON it is refused as damaged, or tags texts without an error."""
    original = json.loads((tiny_models / "v0001" / name).read_bytes())
    original.pop("files", None)
    path = data.draw(st.sampled_from(list(nodes(original))))
    changed = replaced(original, path, data.draw(ODD))
    if name == "manifest.json" and isinstance(changed, dict):
        changed["files"] = json.loads((tiny_models / "v0001" / name).read_bytes())["files"]
    content = json.dumps(None if changed is ... else changed).encode()
    for changeable in ("themes.json", "manifest.json", "SHA256SUMS"):
        shutil.copyfile(tiny_models / "v0001" / changeable, models / "v0001" / changeable)
    if name == "manifest.json" and not isinstance(changed, dict):
        (models / "v0001" / name).write_bytes(content)
    else:
        forge(models / "v0001", name, content)
    try:
        tagger = Tagger.load(Registry(models).live())
    except DamagedVersion:
        return
    json.dumps(tagger.tag(Document(id="a", text=TEXT), ALL).as_record(), allow_nan=False)


# ---- Signatures


def test_with_a_key_only_signed_versions_are_used(registry: Registry, run: Run, key: Path) -> None:
    """What was saved before the key is refused everywhere until it is signed; what is saved with it is signed."""
    for act in (lambda: Tagger.load(registry.live()), lambda: registry.promote("v0001")):
        with pytest.raises(DamagedVersion, match=r"is not signed.*tagger models sign v0001"):
            act()
    assert run("models", "sign", "v0001", "--models", registry.folder)[0] == 0
    Tagger.load(registry.live())
    registry.promote(save_again(registry))
    assert Tagger.load(registry.live()).version == "v0002"
    key.write_bytes(os.urandom(32))
    with pytest.raises(DamagedVersion, match="of another key"):
        registry.live().check()


def test_a_signature_is_of_one_version(registry: Registry, key: Path) -> None:
    """A signed version under another name, or with other content and right digests, is refused."""
    assert key.exists()
    registry.sign("v0001")
    shutil.copytree(registry.folder / "v0001", registry.folder / "v0002")
    with pytest.raises(DamagedVersion, match="of another version"):
        registry.promote("v0002")
    forge(registry.folder / "v0001", "report/report.md", b"All is well.")
    with pytest.raises(DamagedVersion, match="of another version"):
        registry.live().check()


def test_without_the_key_a_signature_is_only_looked_at(
    registry: Registry, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key a signed version is used, and a bit that is flipped in its signature is noticed all the same."""
    assert key.exists()
    path = registry.sign("v0001").folder / "signature"
    monkeypatch.delenv("TAGGER_SIGNING_KEY_FILE")
    registry.live().check()
    content = path.read_bytes()
    for at in range(0, 8 * len(content), 7):
        path.write_bytes(content[: at // 8] + bytes([content[at // 8] ^ 1 << at % 8]) + content[at // 8 + 1 :])
        with pytest.raises(DamagedVersion, match="signature is not what was saved"):
            registry.live().check()
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"There is no signing key\. Name its file in TAGGER_SIGNING_KEY_FILE"):
        registry.sign("v0001")


@pytest.mark.parametrize(
    ("place", "content", "message"),
    [
        ("secrets/key", b"x" * 31, "has 31 bytes; expected 32 or more"),
        ("secrets/none", None, "cannot be read: No such file"),
        ("models/key", b"x" * 32, "lies within the folder of versions"),
        ("models/v0001/key", b"x" * 32, "lies within the folder of versions"),
    ],
)
def test_a_key_that_proves_nothing_is_refused(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, place: str, content: bytes | None, message: str
) -> None:
    """A key that is short, missing or among the versions is refused before work is done, without the machine's path."""
    path = registry.folder.parent / place
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("TAGGER_SIGNING_KEY_FILE", str(path))
    for act in (registry.check_writable, registry.live().check if "v0001" not in place else registry.check_writable):
        with pytest.raises(ModelError, match=message) as refused:
            act()
        assert str(registry.folder.parent) not in str(refused.value)


# ---- The audit


def test_an_audit_compares_the_estimator_with_the_arrays(registry: Registry, run: Run) -> None:
    """The trained estimator scores as the arrays do; another one does not, and the exit code says so."""
    code, out, said = run("models", "audit", "v0001", "--models", registry.folder)
    (found,) = map(json.loads, out.splitlines())
    assert (code, found["same"], found["texts"], found["difference"] < 1e-5) == (0, True, 7, True)
    assert "This runs code that the file holds" in said
    path = registry.folder / "v0001" / "pipeline.joblib"
    estimator = joblib.load(path)
    estimator.linear_ = estimator.linear_._replace(intercept=estimator.linear_.intercept + 0.25)
    changed = io.BytesIO()
    joblib.dump(estimator, changed)
    forge(path.parent, path.name, changed.getvalue())
    code, out, _ = run("models", "audit", "--models", registry.folder)
    assert (code, json.loads(out)["same"]) == (1, False)
    assert json.loads(out)["difference"] == pytest.approx(0.25, abs=1e-4)


# ---- Full disks, closed folders, killed processes


OPEN = io.open


class Failing:
    """Calls of the system of which one, by its number, fails; all others do what they do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
        self.calls = 0
        self._number, self._code = number, code
        for name in ("fsync", "mkdir", "rename", "replace", "chmod"):
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))
        monkeypatch.setattr(io, "open", self._failing(OPEN))

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            if real is not OPEN or "w" in given[1]:
                self.calls += 1
                if self.calls == self._number:
                    raise OSError(self._code, os.strerror(self._code))
            return real(*given, **options)

        return call


def sentence(act: Callable[[], object]) -> str | None:
    """Return what an act says where it cannot write, None where it can."""
    try:
        act()
    except OutputError as error:
        return str(error)
    return None


def test_whatever_step_fails_no_half_version_is_left(registry: Registry) -> None:
    """Whichever call fails, a sentence without paths says so, the live version stays, and the next save is well."""

    def write(folder: Path) -> dict[str, Any]:
        (folder / "scorer").mkdir()
        for name in ("domain.npy", "scorer/bias.npy"):
            with (folder / name).open("wb") as file:
                np.save(file, np.arange(3.0))
        return {name: value for name, value in manifest.items() if name != "files"}

    manifest = registry.live().manifest
    for number in count(1):
        code = (errno.ENOSPC, errno.EROFS)[number % 2]
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, number, code)
            said = sentence(lambda: registry.save(write))
        assert said is None or (os.strerror(code) in said and str(registry.folder) not in said)
        assert registry.names() == ["v0001", *(["v0002"] if said is None else [])]
        assert registry.live_name() == "v0001"
        for name in registry.names():
            registry.get(name).check()
        if failing.calls < number:
            break
        shutil.rmtree(registry.folder / "v0002", ignore_errors=True)
    assert registry.debris() == []
    assert Tagger.load(registry.live()).version == "v0001"
    assert number > 12


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_whatever_step_of_a_promotion_fails_the_old_or_the_new_is_live(registry: Registry, code: int) -> None:
    """Whichever call fails, one of the two is live, and the same promotion succeeds afterwards."""
    names, said = ("v0001", save_again(registry)), []
    for number in count(1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, number, code)
            said.append(sentence(partial(registry.promote, names[number % 2])))
        assert str(registry.folder) not in str(said[-1])
        assert registry.live_name() in names
        registry.promote(names[number % 2])
        assert (registry.live_name(), registry.debris()) == (names[number % 2], [])
        if failing.calls < number:
            break
    assert len([one for one in said if one]) >= 3


def test_training_on_a_full_disk_costs_nothing(registry: Registry, tiny_seeds: Path, run: Run) -> None:
    """Where arrays cannot be written whole, training says so, and nothing of the new version is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))
    try:
        code, _, said = run("train", "--seeds", tiny_seeds, "--models", registry.folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert "Cannot save a version in the folder of versions: " in said
    assert "Traceback" not in said
    assert (registry.names(), registry.debris()) == (["v0001"], [])
    assert not list(registry.folder.glob(".draft-*"))


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(registry: Registry) -> None:
    """A draft and a pointer that nobody holds are debris, which the next save removes; held ones stay."""
    for name in (".draft-killed", ".draft-alive"):
        (registry.folder / name / "scorer").mkdir(parents=True)
    for name in (".99999999.live", ".99999998.live"):
        (registry.folder / name).write_bytes(b"{}")
    with held(registry.folder / ".draft-alive"), held(registry.folder / ".99999998.live"):
        assert registry.debris() == [".99999999.live", ".draft-killed"]
        registry.check_writable()
        assert sorted(path.name for path in registry.folder.glob(".[d9]*")) == [".99999998.live", ".draft-alive"]
    assert registry.debris() == [".99999998.live", ".draft-alive"]


# ---- The doctor


def examined(run: Run, *options: object) -> tuple[int, dict[str, list[Any]]]:
    """Return the doctor's exit code, and what it found by part."""
    code, out, _ = run("doctor", "--json", *options)
    found: dict[str, list[Any]] = {}
    for record in map(json.loads, out.splitlines()):
        found.setdefault(record["part"], []).append(record)
    return code, found


@pytest.fixture
def doctor(run: Run, registry: Registry, tiny_seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Examine one's own version and the tiny seeds, in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    at = ("--models", registry.folder, "--seeds", tiny_seeds, "--state", tmp_path / "state")
    return lambda *more: examined(run, *at, *more)


def test_the_doctor_names_damage_and_what_is_whole_beside_it(doctor: Any, registry: Registry) -> None:
    """A damaged version is broken, live or not; another is only recommended where there is one that is whole."""
    lost_file(registry.folder / "v0001")
    code, found = doctor()
    (live,) = found["live version"]
    assert (code, live["state"], live["remedy"]) == (1, "broken", "Train again: tagger train")
    assert live["found"] == "Version v0001 is damaged: report/report.md is missing."
    shutil.rmtree(registry.folder)
    assert doctor()[1]["live version"][0]["remedy"] == "Train one: tagger train"


def test_the_doctor_recommends_what_is_whole(doctor: Any, registry: Registry) -> None:
    """Of several versions each is examined; the remedy of the live one names the newest that is whole."""
    for _ in range(3):
        save_again(registry)
    for name in ("v0001", "v0004"):
        lost_file(registry.folder / name)
    (registry.folder / "v0002" / "SHA256SUMS").rename(registry.folder / "v0002" / "manifest.json.sha256")
    code, found = doctor()
    assert (code, "tagger models promote v0003" in found["live version"][0]["remedy"]) == (1, True)
    assert [row["state"] for row in found["version"]] == ["note", "ok", "broken"]
    assert "rm -r" in found["version"][2]["remedy"]
    (registry.folder / "live").write_bytes(b"{")
    (live,) = doctor()[1]["live version"]
    assert (live["state"], "Remove it and promote" in live["remedy"]) == ("broken", True)


def test_the_doctor_notes_what_is_left_and_what_is_open(
    doctor: Any, registry: Registry, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debris, little room and secrets that others can read are notes with remedies, and nothing is changed."""
    registry.sign("v0001")
    (registry.folder / ".draft-killed").mkdir()
    (registry.folder / "v0009").symlink_to("v0001")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "keys.json").write_text('{"keys": []}', encoding="utf-8")
    for secret in (key, tmp_path / "state" / "keys.json"):
        secret.chmod(0o644)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    code, found = doctor()
    assert code == 0
    assert ["killed" in row["found"] for row in found["debris"]] == [True, False]
    for part in ("debris", "disk", "signing key", "keys"):
        assert [row["state"] for row in found[part]] == ["note"] * len(found[part]), part
        assert all(row["remedy"] for row in found[part])
    assert (registry.folder / ".draft-killed").exists()


def test_the_doctor_reads_settings_seeds_and_the_key(
    doctor: Any, run: Run, seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is none, a card that is wrong and a key that is missing are broken, each with a remedy."""
    Path("tagger.toml").write_text("nonsense = 1\n", encoding="utf-8")
    monkeypatch.setenv("TAGGER_SIGNING_KEY_FILE", "nowhere")
    with (seeds / "themes.yaml").open("a", encoding="utf-8") as file:
        file.write("- id: UPPER\n")
    code, found = examined(run, "--seeds", seeds)
    assert code == 1
    for part in ("settings", "seeds", "signing key"):
        assert all(row["state"] == "broken" and row["remedy"] for row in found[part]), part
    assert doctor()[1]["seeds"][0]["state"] == "ok"
    monkeypatch.chdir(os.sep)
    assert examined(run)[1]["seeds"][0]["state"] == "note"


@pytest.mark.parametrize("change", ["cut", "pipe"])
def test_the_doctor_looks_into_the_file_of_keys(doctor: Any, tmp_path: Path, change: str) -> None:
    """A file of keys that lets nobody in is broken, however well it is closed; one that is whole is in order."""
    file = tmp_path / "state" / "keys.json"
    Keys(file).create("newsroom", ["tag"])
    code, found = doctor()
    assert (code, found["keys"][0]["state"]) == (0, "ok")
    file.unlink()
    if change == "pipe":
        os.mkfifo(file)
    else:
        file.write_text('{"keys": [', encoding="utf-8")
        file.chmod(0o600)
    code, found = doctor()
    assert (code, found["keys"][0]["state"]) == (1, "broken")
    assert "tagger keys create" in found["keys"][0]["remedy"]


def test_every_error_of_a_version_is_told_without_paths(registry: Registry) -> None:
    """No message about versions holds the path of the folder, for some go out over HTTP."""
    absent = Registry(registry.folder / "none")
    (registry.folder / "live").write_bytes(b"{")
    for act in (absent.live, registry.live, lambda: registry.get("v0009"), lambda: Registry(Path("/dev/null")).names()):
        with pytest.raises(TaggerError) as told:
            act()
        assert "/" not in str(told.value).replace("tagger models", "")
