"""Jobs: what was asked for is done once, in a process of its own, whatever ends processes in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger.errors import InputError, OutputError, Overloaded, TaggerError, UnknownJob
from tagger.files import replace_file
from tagger.jobs import Job, Jobs, Supervisor, kinds
from tagger.jobs.archives import archive_names, check_archive
from tagger.jobs.kinds import Places
from tagger.jobs.store import CANCEL, LOCK, LOG, MOST_ATTEMPTS, OUTPUT, RECORD, RESULT
from tagger.registry import Registry
from tagger.training import TRAINING, Trained, train
from tests.conftest import runners, training, until

WAITING = "waiting for another training"

ENDS = shutil.which("true") or "true"
"""A program that ends at once, in the place of the one that does jobs."""


class World(NamedTuple):
    """An installation: its jobs, and its folders."""

    jobs: Jobs
    seeds: Path
    models: Path
    archives: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the processes of jobs are told."""
        return {f"TAGGER_{name.upper()}": str(getattr(self, name)) for name in ("seeds", "models", "archives")}

    def supervisor(self) -> Supervisor:
        """Return one who starts jobs here."""
        return Supervisor(self.jobs, self.environment)

    def runners(self) -> list[int]:
        """Return the processes that run jobs here."""
        return runners(self.jobs.folder.parent)

    def is_waiting(self, identifier: str) -> bool:
        """Tell whether a job has come to where it waits for another training."""
        progress = self.jobs.get(identifier).progress
        return progress is not None and progress.phase == WAITING


@pytest.fixture
def world(tmp_path: Path, seeds: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An installation where nothing has been trained yet; no process of it is left."""
    monkeypatch.setattr("tagger.jobs.supervisor.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("tagger.jobs.store.PAUSE_SECONDS", {})
    (tmp_path / "archives").mkdir()
    (tmp_path / "models").mkdir()
    world = World(Jobs(tmp_path / "state" / "jobs"), seeds, tmp_path / "models", tmp_path / "archives")
    yield world
    for runner in world.runners():
        with suppress(ProcessLookupError):
            os.kill(runner, signal.SIGKILL)


def said(world: World, identifier: str) -> list[str]:
    """Return the messages in the log of a job."""
    return [line.message for line in world.jobs.lines(identifier)]


def in_state(world: World, identifier: str, state: str) -> Callable[[], bool]:
    """Return a question to wait for."""
    return lambda: world.jobs.get(identifier).state == state


# ---- Work is done


def test_a_training_tells_how_it_goes_and_what_came_of_it(world: World) -> None:
    """A training that was asked for makes a version that goes live in the name of who asked, and logs its phases."""
    with world.supervisor() as supervisor:
        job = world.jobs.create("train", {"promote": True}, "desk")
        assert (job.state, job.by, job.attempts) == ("queued", "desk", 0)
        supervisor.wake()
        until(in_state(world, job.id, "done"))
    job = world.jobs.get(job.id)
    assert job.result
    assert job.result["version"] == "v0001"
    assert job.result["promoted"]
    assert job.result["scores"] == Registry(world.models).live().manifest["scores"]
    assert Registry(world.models).history()[-1]["by"] == "desk"
    assert job.started
    assert job.ended
    assert {"started, attempt 1", "cross-validating", "saving", "saved v0001", "v0001 is live"} <= {
        *said(world, job.id)
    }
    assert said(world, job.id)[-1] == "done"


class Told(NamedTuple):
    """Work that is done in this process, and what it tells."""

    job: Job
    places: Places
    result_file: Path
    messages: list[str]
    at_keep: Callable[[], object] = lambda: None

    def progress(self, phase: str, done: float) -> None:
        assert phase
        assert 0 <= done <= 1

    def log(self, message: str) -> None:
        self.messages.append(message)

    def keep(self) -> None:
        self.messages.append("kept")
        self.at_keep()


def told(world: World, kind: str, **options: Any) -> Told:
    """Return some work of a world."""
    job = Job(kind=kind, options=options, by="desk", created="today")
    return Told(job, Places(world.seeds, world.models, world.archives), world.archives.parent / RESULT, [])


def lose_vaccines(seeds: Path) -> str:
    """Take a theme from all seeds that have it alone; return what they are then."""
    path = seeds / "tiny.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"themes": ["vaccines"]', '"themes": []'), "utf-8")
    return path.read_text(encoding="utf-8")


def test_a_version_that_does_worse_is_saved_and_not_promoted(world: World, tiny_models: Path) -> None:
    """A training comes to a result where its version is refused by the gate; the result says why."""
    shutil.copytree(tiny_models, world.models, dirs_exist_ok=True)
    lose_vaccines(world.seeds)
    pin = {"id": "pin", "text": "Every child is given a dose against measles at the clinic.", "must": ["vaccines"]}
    (world.seeds / "pins.jsonl").write_text(json.dumps(pin), encoding="utf-8")
    work = told(world, "train", promote=True)
    result = kinds.run(work)
    assert (result["version"], result["promoted"]) == ("v0002", False)
    assert result["objections"]
    assert Registry(world.models).live_name() == "v0001"
    assert work.messages == ["kept", "saved v0002", f"v0002 did not go live: {len(result['objections'])} objections"]


def damage_version(world: World) -> None:
    (world.models / "v0001" / "report" / "report.md").unlink()


def damage_pins(world: World) -> None:
    (world.seeds / "pins.jsonl").write_text('{"id": "a", "text": "b", "must": ["c"]}', encoding="utf-8")


def lock_out(world: World) -> None:
    (world.models / "live").unlink()
    (world.models / "live").mkdir()


@pytest.mark.parametrize(
    ("damage", "said"),
    [(damage_version, "report/report.md is missing"), (damage_pins, "seeds/pins.jsonl"), (lock_out, "'live'")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_version_that_cannot_be_promoted_is_told_of(
    world: World, tiny_models: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[World], None], said: str
) -> None:
    """Where the promotion fails whose version is saved, the training is done, and its remarks say why."""
    shutil.copytree(tiny_models, world.models, dirs_exist_ok=True)
    saved = Registry(world.models).get("v0001")
    report = json.loads((saved.folder / "report" / "report.json").read_bytes())
    monkeypatch.setattr("tagger.training.train", lambda *_places, **_options: Trained(saved, report))
    work = told(world, "train", promote=True)._replace(at_keep=lambda: damage(world))
    result = kinds.run(work)
    assert (result["version"], result["promoted"], result["objections"]) == ("v0001", False, [])
    assert result["remarks"][-1].startswith("v0001 is saved, but promoting it failed: ")
    assert said in result["remarks"][-1]
    assert str(world.seeds.parent) not in result["remarks"][-1]
    assert work.messages[-1] == result["remarks"][-1]


def test_a_comparison_keeps_its_records_beside_its_summary(world: World, tiny_models: Path) -> None:
    """A comparison gives a summary, and each tag that comes or goes as a record of its own."""
    shutil.copytree(tiny_models, world.models, dirs_exist_ok=True)
    (world.archives / "old.jsonl").write_text(lose_vaccines(world.seeds), encoding="utf-8")
    train(world.seeds, world.models, promote=False)
    found = []
    for on in ("seeds", "old.jsonl"):
        work = told(world, "diff", a="v0001", b="v0002", on=on)
        result = kinds.run(work)
        assert result["lost"] > 0
        records = [msgspec.json.decode(line) for line in work.result_file.read_bytes().splitlines()]
        assert len(records) == result["kept"]
        found.append([record["theme"] for record in records])
    assert found[0] == found[1]


UNKNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "a kind": ("bake", {}),
    "an option": ("train", {"speed": 9}),
    "a value": ("train", {"effort": "none"}),
    "a version": ("diff", {"a": "v0001", "b": "../../etc"}),
    "an archive": ("diff", {"a": "v0001", "b": "v0001", "on": "../seeds/tiny.jsonl"}),
}


@pytest.mark.parametrize("asked", UNKNOWN.values(), ids=UNKNOWN)
def test_what_this_tagger_does_not_know_fails(world: World, asked: tuple[str, dict[str, Any]]) -> None:
    """Jobs that nobody can do fail with a sentence."""
    kind, options = asked
    with pytest.raises(TaggerError, match=r"^(This|There) .*\.$"):
        kinds.run(told(world, kind, **options))


# ---- One at a time, at the lowest priority


@pytest.mark.usefixtures("trainings_wait")
def test_two_supervisors_start_one_process_of_low_priority(world: World) -> None:
    """However many look after the jobs, one process does the oldest job, behind all other work; the next waits."""
    with training(world.models):
        first, second = (world.jobs.create("train", {}, name) for name in ("a", "b"))
        with world.supervisor(), world.supervisor():
            until(lambda: world.is_waiting(first.id))
            (runner,) = world.runners()
            assert os.getpriority(os.PRIO_PROCESS, runner) == 19
            assert world.jobs.get(first.id).attempts == 1
            assert world.jobs.get(second.id).state == "queued"
            assert world.jobs.cancel(second.id).state == "cancelled"
            os.kill(runner, signal.SIGKILL)


def test_a_training_waits_for_another(world: World) -> None:
    """Of two trainings for one folder of versions the second begins when the first is over, and says so meanwhile."""
    phases: list[str] = []
    thread = threading.Thread(
        target=train,
        args=(world.seeds, world.models),
        kwargs={"promote": False, "progress": lambda phase, _done: phases.append(phase)},
    )
    with training(world.models):
        thread.start()
        until(lambda: bool(phases))
        assert phases == [WAITING]
    thread.join()
    assert Registry(world.models).names() == ["v0001"]


# ---- Whatever ends processes


@pytest.mark.usefixtures("trainings_wait")
def test_a_job_survives_the_end_of_its_process(world: World) -> None:
    """A job whose process is killed is started again in another."""
    with training(world.models), world.supervisor():
        job = world.jobs.create("train", {}, "desk")
        until(lambda: world.is_waiting(job.id))
        (runner,) = world.runners()
        os.kill(runner, signal.SIGKILL)
        until(lambda: world.runners() not in ([], [runner]))
        assert world.jobs.get(job.id).attempts == 2


@pytest.mark.usefixtures("trainings_wait")
def test_a_process_that_is_told_to_end_gives_its_job_back(world: World) -> None:
    """A process that ends in an orderly way, as with its machine, leaves nothing behind, and no attempt is counted."""
    with training(world.models):
        with world.supervisor():
            job = world.jobs.create("train", {}, "desk")
            until(lambda: world.is_waiting(job.id))
        (runner,) = world.runners()
        os.kill(runner, signal.SIGTERM)
        until(in_state(world, job.id, "queued"))
    assert world.jobs.get(job.id).attempts == 0


@pytest.mark.usefixtures("trainings_wait")
def test_a_job_survives_the_end_of_its_supervisor(world: World) -> None:
    """A job goes on when who started it is gone; a new one does not start it a second time."""
    with training(world.models):
        with world.supervisor():
            job = world.jobs.create("train", {}, "desk")
            until(lambda: world.is_waiting(job.id))
        with world.supervisor():
            time.sleep(0.2)
            assert len(world.runners()) == 1
    until(in_state(world, job.id, "done"))
    assert world.jobs.get(job.id).attempts == 1


def test_a_job_that_always_ends_its_process_fails(world: World) -> None:
    """A job is not started again and again where its process never comes to a result."""
    job = world.jobs.create("train", {}, "desk")
    world.jobs.change(job, state="running", attempts=MOST_ATTEMPTS)
    with world.supervisor():
        until(lambda: world.jobs.get(job.id).is_over)
    ended = world.jobs.get(job.id)
    assert ended.state == "failed"
    assert "ended 3 times" in ended.errors[0]


def test_what_starts_no_process_is_no_attempt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the machine has no room for its process, a job is started once there is some."""
    left = [OSError(errno.EAGAIN, "no room")] * (MOST_ATTEMPTS + 1)
    start = subprocess.Popen

    def crowded(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if left:
            raise left.pop()
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", crowded)
    jobs = [world.jobs.create("bake", {}, "desk") for _ in range(2)]
    with world.supervisor():
        until(lambda: not world.jobs.waiting())
    for job in jobs:
        assert "no such job as 'bake'" in world.jobs.get(job.id).errors[0]
        assert world.jobs.get(job.id).attempts == 1


def test_attempts_are_not_made_in_a_row(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts at a job there is a while, in which no other is started and it can be cancelled."""
    monkeypatch.setattr("tagger.jobs.store.PAUSE_SECONDS", {1: 3000, 2: 3000})
    monkeypatch.setattr(sys, "executable", ENDS)
    job, other, last = (world.jobs.create("train", {}, "desk") for _ in range(3))
    with world.supervisor():
        for attempts in (1, 2):
            until(lambda attempts=attempts: world.jobs.get(job.id).attempts == attempts)
            time.sleep(0.2)
            assert world.jobs.get(job.id).attempts == attempts
            assert world.jobs.get(other.id).attempts == 0
            os.utime(world.jobs.folder / job.id / RECORD, (0, 0))
        until(lambda: world.jobs.get(job.id).is_over)
        until(lambda: world.jobs.get(other.id).attempts == 1)
        until(lambda: world.jobs.cancel(other.id).is_over)
        until(lambda: world.jobs.get(last.id).attempts == 1)
    assert world.jobs.get(job.id).attempts == MOST_ATTEMPTS


# ---- Cancelling


@pytest.mark.usefixtures("trainings_wait")
def test_a_running_job_is_cancelled(world: World) -> None:
    """A job that runs ends soon once it is cancelled, and leaves neither a version nor a part of one."""
    with training(world.models), world.supervisor():
        job = world.jobs.create("train", {}, "desk")
        until(lambda: world.is_waiting(job.id))
        assert world.jobs.cancel(job.id).state == "running"
        until(in_state(world, job.id, "cancelled"))
    assert [path.name for path in world.models.iterdir()] == [TRAINING]
    assert world.jobs.cancel(job.id).state == "cancelled"


STUBBORN = """
import resource, sys, time
from pathlib import Path
import msgspec
from tagger.jobs import Jobs, kinds, runner
runner.LOOK_SECONDS, runner.PATIENCE_SECONDS = 0.01, 0.1
jobs, job, how = Jobs(Path(sys.argv[1])), sys.argv[2], sys.argv[3]

class Nothing(msgspec.Struct):
    pass

def deaf(options, work):
    while True:
        try:
            jobs.cancel(job)
            time.sleep(60)
        except KeyboardInterrupt:
            pass

def finished(options, work):
    work.keep()
    jobs.cancel(job)
    time.sleep(0.1)
    return {"saved": True}

def full(options, work):
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))
    work.progress("first", 0)
    work.log("nobody reads this")
    resource.setrlimit(resource.RLIMIT_FSIZE, most)
    work.progress("second", 0)
    return {"saved": True}

def wrong(options, work):
    from tagger.corpus import read_corpus
    read_corpus(work.places.seeds)

kinds.KINDS = {"train": kinds.Kind(Nothing, {f.__name__: f for f in (deaf, finished, full, wrong)}[how])}
runner.run(jobs, job, kinds.Places(jobs.folder.parents[1] / "seeds", Path(), Path()))
"""


def run_script(world: World, job: Job, how: str) -> int:
    """Run a job that does something else than jobs do; return the exit code."""
    command = [sys.executable, "-c", STUBBORN, str(world.jobs.folder), job.id, how]
    return subprocess.run(command, timeout=60, check=False).returncode


def test_a_job_that_does_not_listen_is_ended(world: World) -> None:
    """A process that goes on once its job is cancelled is ended, and the next one that looks sees the job cancelled."""
    job = world.jobs.create("train", {}, "desk")
    assert run_script(world, job, "deaf") == 1
    assert world.jobs.get(job.id).state == "running"
    with world.supervisor():
        until(lambda: world.jobs.get(job.id).is_over)
    assert world.jobs.get(job.id).state == "cancelled"
    assert world.jobs.get(job.id).attempts == 1


def test_what_is_complete_is_done(world: World) -> None:
    """A job that is cancelled when all it was asked for is saved by then is done."""
    job = world.jobs.create("train", {}, "desk")
    assert run_script(world, job, "finished") == 0
    ended = world.jobs.get(job.id)
    assert (ended.state, ended.result) == ("done", {"saved": True})


def test_seeds_with_problems_are_told_without_paths(world: World) -> None:
    """A job that finds problems in the seeds fails with each of them, and names no folder of the machine."""
    (world.seeds / "wrong.jsonl").write_text('{"id": "a", "text": "b", "themes": ["c"]}\n{"id":', encoding="utf-8")
    job = world.jobs.create("train", {}, "desk")
    assert run_script(world, job, "wrong") == 0
    job = world.jobs.get(job.id)
    assert job.state == "failed"
    assert len(job.errors) == 2
    assert all(error.startswith("seeds/wrong.jsonl, line ") for error in job.errors)
    assert str(world.seeds.parent) not in (world.jobs.folder / job.id / LOG).read_text(encoding="utf-8")


def test_a_full_disk_does_not_end_a_job_that_writes_nothing_else(world: World) -> None:
    """A job whose progress and log cannot be written for a while is done all the same."""
    job = world.jobs.create("train", {}, "desk")
    assert run_script(world, job, "full") == 0
    ended = world.jobs.get(job.id)
    assert (ended.state, ended.result) == ("done", {"saved": True})
    assert said(world, job.id) == ["started, attempt 1", "second", "done"]


# ---- What is on disk


@given(st.lists(st.tuples(st.text(), st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text()), st.text())))
@settings(max_examples=20, deadline=None)
def test_what_was_asked_for_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, dict[str, Any], str]]
) -> None:
    """Any process that looks at the folder finds every job that was asked for, in order, as it was."""
    folder = tmp_path_factory.mktemp("state") / "jobs"
    created = [Jobs(folder).create(*job) for job in asked]
    assert Jobs(folder).all() == created
    assert [(job.kind, job.options, job.by) for job in created] == asked
    assert [job.id for job in created] == [f"{number:06d}" for number in range(1, len(asked) + 1)]


def test_ids_are_given_once(world: World) -> None:
    """Jobs that are asked for at the same time are all there, under ids of their own."""
    threads = [threading.Thread(target=world.jobs.create, args=("train", {}, str(n))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.by for job in world.jobs.all()) == sorted(map(str, range(12)))


def test_there_is_room_for_so_many_jobs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last jobs that are over are kept and older ones removed; more than so many cannot wait."""
    monkeypatch.setattr("tagger.jobs.store.MOST_KEPT", 2)
    monkeypatch.setattr("tagger.jobs.store.MOST_WAITING", 3)
    waiting = world.jobs.create("train", {}, "first")
    for number in range(5):
        world.jobs.cancel(world.jobs.create("train", {}, str(number)).id)
    last = world.jobs.create("train", {}, "last")
    assert [job.by for job in world.jobs.all()] == ["first", "3", "4", "last"]
    world.jobs.create("train", {}, "one more")
    with pytest.raises(Overloaded):
        world.jobs.create("train", {}, "too many")
    assert [waiting.id, last.id] == [job.id for job in world.jobs.waiting()][:2]
    assert not list(world.jobs.folder.glob(".*"))


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def make_file_of_folder(path: Path) -> None:
    (path.parent).rename(path.parent.with_name(".moved"))
    path.parent.write_bytes(b"")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "no object": lambda path: path.write_bytes(b"[]"),
    "a state that is none": lambda path: path.write_bytes(path.read_bytes().replace(b"queued", b"lost")),
    "no UTF-8": lambda path: path.write_bytes(path.read_bytes().replace(b"desk", b"\xff\xfe")),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a pipe": make_fifo,
    "a folder": make_folder,
    "a link": make_link,
    "a file for the folder": make_file_of_folder,
}


def test_damaged_jobs_hold_up_nobody(world: World) -> None:
    """A job whose record is damaged, however, is shown as failed, can be asked about, and the next one is done."""
    damaged = {}
    for name, damage in DAMAGES.items():
        damaged[name] = world.jobs.create("train", {}, "desk").id
        damage(world.jobs.folder / damaged[name] / RECORD)
    odd = world.jobs.create("bake", {}, "desk")
    with world.supervisor():
        until(lambda: world.jobs.get(odd.id).is_over)
    for name, identifier in damaged.items():
        job = world.jobs.cancel(identifier)
        assert (job.id, job.state) == (identifier, "failed"), name
        assert "damaged" in job.errors[0]
        assert world.jobs.lines(identifier) == []
    assert [job.id for job in world.jobs.all()] == [*damaged.values(), odd.id]


STUCK = {(LOCK, "a folder"), (LOCK, "a link")}
"""Damages that keep a job from being started, so that it waits until somebody has put that right."""


@pytest.mark.parametrize("part", [LOG, LOCK, OUTPUT, CANCEL])
def test_damaged_parts_hold_up_nobody(
    world: World, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever another file of a job is, the job comes to its end or is said not to start, and the next one is done."""
    monkeypatch.setattr(sys, "executable", ENDS)
    damaged = {}
    for name, damage in DAMAGES.items():
        damaged[name] = world.jobs.create("train", {}, "desk").id
        path = world.jobs.folder / damaged[name] / part
        path.touch()
        damage(path)
    odd = world.jobs.create("train", {}, "desk")
    with world.supervisor():
        until(lambda: world.jobs.get(odd.id).is_over)
    for name, identifier in damaged.items():
        job = world.jobs.get(identifier)
        assert job.is_over != ((part, name) in STUCK), name
        ended = "cancelled" if part == CANCEL and name != "missing" else "failed"
        assert job.state == (ended if job.is_over else "queued") or "damaged" in job.errors[0], name
        assert isinstance(world.jobs.lines(identifier), list)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sorted(message[:10] for message in warned) == sorted(
        f"Job {damaged[name]}" for _, name in STUCK if part == LOCK
    )
    assert not any(record.exc_info for record in caplog.records)


@given(st.binary())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_record_is_a_job(world: World, content: bytes) -> None:
    """Whatever stands in a record, there is a job to tell of."""
    if not world.jobs.names():
        world.jobs.create("train", {}, "desk")
    (world.jobs.folder / "000001" / RECORD).write_bytes(content)
    (job,) = world.jobs.all()
    assert job.id == "000001"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "1", "000002", "../jobs/000001", "000001/", "\0", "٠٠٠٠٠١", ".draft-x"]
)
def test_only_known_jobs_are_looked_at(world: World, name: str) -> None:
    """The id of a job is one of those there are, and never becomes part of a path otherwise."""
    world.jobs.create("train", {}, "desk")
    for look in (world.jobs.get, world.jobs.cancel, world.jobs.lines, world.jobs.folder_of):
        with pytest.raises(UnknownJob):
            look(name)


def test_the_log_shows_its_last_whole_lines(world: World) -> None:
    """Of a long log the last hundred lines are shown; what a killed process cut off is not."""
    job = world.jobs.create("train", {}, "desk")
    for number in range(120):
        world.jobs.log(job.id, f"line {number}" + "!" * 10_000)
    path = world.jobs.folder / job.id / LOG
    path.write_bytes(path.read_bytes()[:-20])
    world.jobs.log(job.id, "after")
    world.jobs.log(job.id, "the last")
    shown = said(world, job.id)
    assert shown[-1] == "the last"
    assert 95 < len(shown) <= 100
    assert max(map(len, shown)) <= 1000


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    """Where a job cannot be written nobody is told that it will be done."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(OutputError, match="Cannot keep a job"):
        Jobs(tmp_path / "state" / "jobs").create("train", {}, "desk")
    assert Jobs(tmp_path / "state" / "jobs").all() == []


def test_what_may_be_lost_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a job is written but not sure to stay, it is refused, and neither there nor done; ids go on after it."""
    seen = []

    def fail(path: Path) -> None:
        with world.jobs.hold(world.jobs.names()[-1]) as lock:
            seen.append(lock)
        raise OSError(errno.EIO, path.name)

    first = world.jobs.create("train", {}, "desk")
    with monkeypatch.context() as patch:
        patch.setattr("tagger.jobs.store.sync", fail)
        with pytest.raises(OutputError, match="Cannot keep a job"):
            world.jobs.create("train", {}, "desk")
    assert seen == [None], "somebody could have started it"
    assert world.jobs.all() == [first]
    assert [path.name for path in world.jobs.folder.iterdir()] == [first.id]


def test_archives_are_files_of_known_kinds(world: World, tmp_path: Path) -> None:
    """A comparison may be asked for on the seeds and on files of the folder for that; links lead nowhere."""
    for name in ("b.jsonl", "a.csv.gz", ".hidden.jsonl", "notes.docx", "seeds"):
        (world.archives / name).write_bytes(b"")
    (world.archives / "folder.jsonl").mkdir()
    (tmp_path / "secret.jsonl").write_bytes(b"")
    (world.archives / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert archive_names(world.archives) == ["seeds", "a.csv.gz", "b.jsonl"]
    assert archive_names(tmp_path / "nowhere") == ["seeds"]
    with pytest.raises(InputError, match=r"known are: seeds, a\.csv\.gz, b\.jsonl\."):
        check_archive("link.jsonl", world.archives)


# ---- The commands


def test_the_commands(world: World, run: Callable[..., tuple[int, str, str]]) -> None:
    """Jobs can be listed, shown and cancelled, and done without a server."""
    state = ("--state", world.jobs.folder.parent)
    assert run("jobs", "list", *state)[:2] == (0, "")
    first, second = (world.jobs.create(kind, {}, "desk") for kind in ("train", "bake"))
    code, _, message = run("jobs", "cancel", first.id, *state)
    assert (code, message) == (0, "Job 000001 is cancelled.\n")
    command = [sys.executable, "-m", "tagger", "jobs", "run", second.id, *map(str, state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Job 000002 is failed. This tagger has no such job as 'bake'" in done.stderr
    listed = [json.loads(line) for line in run("jobs", "list", *state)[1].splitlines()]
    assert [job["state"] for job in listed] == ["cancelled", "failed"]
    shown = json.loads(run("jobs", "show", second.id, *state)[1])
    assert shown["log"][-1]["message"] == "failed"
    code, _, message = run("jobs", "show", "7", *state)
    assert (code, message) == (1, "tagger: There is no job '7'. The last 100 are kept.\n")


def test_a_job_is_run_once(world: World) -> None:
    """A job that one process runs, another refuses to."""
    job = world.jobs.create("train", {}, "desk")
    command = [sys.executable, "-m", "tagger", "jobs", "run", job.id, f"--state={world.jobs.folder.parent}"]
    with world.jobs.hold(job.id) as lock:
        assert lock is not None
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "runs already" in refused.stderr
    assert world.jobs.get(job.id).state == "queued"


def test_a_record_of_a_later_tagger_is_read(world: World) -> None:
    """What a job's record has beside what this tagger knows is passed over."""
    job = world.jobs.create("train", {}, "desk")
    path = world.jobs.folder / job.id / RECORD
    replace_file(path, json.dumps({**json.loads(path.read_bytes()), "mood": "fine"}).encode())
    assert world.jobs.get(job.id) == job
