"""Archives in parts: any workers, shards and cluster give the bytes of one process, whoever dies meanwhile."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.archive import Inputs, Shard, Summary, tag_archive
from tagger.archive.cluster import cluster
from tagger.archive.engines import Workers
from tagger.archive.parts import Part
from tagger.documents import Document, Unreadable
from tagger.errors import InputError, OptionError, OutputError
from tagger.readers import documents, read_path
from tagger.readers.slices import FileSlice, input_slices
from tagger.tagging import Tagger

Run = Callable[..., tuple[int, str, str]]

HERRING = "Ministers agreed a lower catch quota for herring, and every trawler must report its landings."
PAGE = (
    "Measles Campaign Reaches the Islands\n\n3 December 2019\n\nThe first dose is given at a clinic on each island.\n"
)
ROWS: list[dict[str, Any]] = [
    {"id": f"{number}", "title": "Herring", "text": f"{HERRING} {number}", "office": "Sea"} for number in range(40)
]
PART = 500
"""Bytes in a part, so that a small archive has many."""


@pytest.fixture
def tagger(tiny_tagger: Tagger) -> Tagger:
    """The tagger of the tiny world."""
    return tiny_tagger


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with every way to hold documents, and some that hold none."""
    folder = tmp_path / "in"
    (folder / "pages").mkdir(parents=True)
    lines = [json.dumps(row).encode() for row in ROWS]
    (folder / "a.jsonl").write_bytes(b"\xef\xbb\xbf\n \n" + b"\n".join([*lines[:20], b"", b"nonsense", *lines[20:]]))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    (folder / "c.csv").write_text("id,text\n" + "".join(f'{n},"{HERRING}"\n' for n in range(20)), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "d.parquet", row_group_size=7)
    (folder / "e.parquet").write_bytes(b"no table")
    (folder / "f.unknown").write_bytes(b"?")
    for number in range(6):
        (folder / "pages" / f"{number}.txt").write_text(PAGE * (number % 3), encoding="utf-8")
    return folder


def go(tagger: Tagger, source: Path | str, out: Path | str, **options: Any) -> Summary:
    """Tag files, in small parts."""
    inputs = [str(source)]
    return tag_archive(Inputs(inputs, PART), inputs, out, tagger, **options)


def expected(tagger: Tagger, source: Path, out: Path) -> bytes:
    """Return what one process writes that reads one document after the other."""
    tag_archive(documents([source]), [str(source)], out, tagger)
    return out.read_bytes()


def children() -> set[int]:
    """Return the processes that this one has started."""
    here = Path(f"/proc/{os.getpid()}/task")
    return {int(one) for task in here.iterdir() for one in (task / "children").read_text(encoding="ascii").split()}


def wait_until(done: Callable[[], bool]) -> None:
    """Wait until something is so, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def dead(process: int) -> bool:
    """Tell whether a process is no more."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return True


# ---- Slices

LINES = st.sampled_from([b'{"text": "Herring."}', b'{"id": 1, "text": ""}', b"nonsense", b"", b" ", b"\xef\xbb\xbf"])


@given(lines=st.lists(LINES, max_size=12), end=st.sampled_from([b"\n", b"\r\n"]), size=st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_slices_together_are_the_file(lines: list[bytes], end: bytes, size: int) -> None:
    """However small the slices are, and however they are cut again, they give the documents of the file in order."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("a.jsonl", end.join(lines)), ("b.jsonl.gz", gzip.compress(end.join(lines)))):
            path = Path(folder, name)
            path.write_bytes(content)
            whole = list(read_path(path))
            slices = pickle.loads(pickle.dumps([found for found, _ in input_slices([str(path)], size)]))
            assert [item for found in slices for item in found.read()] == whole
            assert [found.documents for found in slices] == [len(list(found.read())) for found in slices]
            halves = [found.cut(*ends) for found in slices for ends in ((0, 1), (1, found.documents))]
            assert [item for found in halves if found.documents for item in found.read()] == whole


def test_a_part_is_cut_by_position(source: Path) -> None:
    """What lies between two positions of the input is the same, whatever parts they lie in."""
    parts = list(Inputs([str(source)], PART).parts())
    whole = [item for part in parts for item in part.read()]
    assert len(parts) > 20
    assert whole == list(documents([source]))
    assert [part.position for part in parts] == [sum(part.documents for part in parts[:n]) for n in range(len(parts))]
    everything = Part(0, tuple(found for part in parts for found in part.slices))
    for begin, end in ((0, 3), (35, 60), (70, 110), (len(whole) - 4, len(whole))):
        cut = everything.within(begin, end)
        assert (cut.position, list(cut.read())) == (begin, whole[begin:end])


def test_a_file_that_shrinks_is_told(source: Path) -> None:
    """A file that no longer holds what was counted in it is an error, not a gap in the output."""
    with pytest.raises(InputError, match=r"a\.jsonl changed while it was read: 59 of 100 documents"):
        list(FileSlice(str(source / "a.jsonl"), "a.jsonl", 100).read())


# ---- Workers


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_workers_give_the_bytes_of_one_process(
    tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path, suffix: str
) -> None:
    """Three processes write what one does, in its order, and none of them is left."""
    one = expected(tagger, source, tmp_path / f"one{suffix}")
    before = children()
    done = go(tagger, source, tmp_path / f"three{suffix}", engine=Workers(3, tiny_models))
    assert (tmp_path / f"three{suffix}").read_bytes() == one
    assert (done.documents, done.failed) == (149, 5)
    assert children() == before


def test_small_inputs_stay_in_one_process(
    tagger: Tagger, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker is started where there are fewer parts than are worth it."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    go(tagger, source, tmp_path / "few.jsonl", engine=Workers(3, Path(), least_parts=1000))
    assert (tmp_path / "few.jsonl").read_bytes() == expected(tagger, source, tmp_path / "one.jsonl")


def test_a_killed_worker_is_told_and_costs_nothing(
    tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path
) -> None:
    """When a worker is killed the run stops with what to do, leaves no process, and goes on to the same bytes."""
    before, out = children(), tmp_path / "out.jsonl"

    def kill(done: int, _failed: int) -> None:
        if done:
            for worker in children() - before:
                os.kill(worker, signal.SIGKILL)

    with pytest.raises(OutputError, match=r"killed by signal 9.*same command again"):
        go(tagger, source, out, engine=Workers(2, tiny_models), progress=kill)
    assert children() == before
    seen: list[int] = []
    go(tagger, source, out, progress=lambda done, _: seen.append(done))
    assert seen[0] > 0
    assert out.read_bytes() == expected(tagger, source, tmp_path / "one.jsonl")


PROGRAM = """
import sys
from pathlib import Path
from tagger.archive import Inputs, tag_archive
from tagger.archive.engines import Workers
from tagger.registry import Registry
from tagger.tagging import Tagger

source, out, models = sys.argv[1:]
tagger = Tagger.load(Registry(Path(models)).live())
progress = lambda done, _: print(done, flush=True) or done and sys.stdin.read()
tag_archive(Inputs([source], 500), [source], Path(out), tagger, engine=Workers(2, Path(models)), progress=progress)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_run(
    tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """When the run is killed or interrupted its workers end too, and the run goes on to the same bytes."""
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", PROGRAM, source, out, tiny_models]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert (process.stdout.readline(), process.stdout.readline() > b"0") == (b"0\n", True)
        tasks = Path(f"/proc/{process.pid}/task")
        found = {int(one) for task in tasks.iterdir() for one in (task / "children").read_text().split()}
        process.send_signal(how)
        process.wait()
    assert len(found) == 2
    wait_until(lambda: all(map(dead, found)))
    go(tagger, source, out)
    assert out.read_bytes() == expected(tagger, source, tmp_path / "one.jsonl")


# ---- Shards


@given(of=st.integers(1, 9), data=st.data())
@settings(max_examples=8, deadline=None)
def test_shards_together_are_the_whole(tiny_tagger: Tagger, of: int, data: st.DataObject) -> None:
    """The outputs of all shards in order are the bytes of the whole, also where shards outnumber documents."""
    rows = data.draw(st.lists(st.sampled_from([b'{"text": "Herring."}', b"nonsense", b""]), min_size=1, max_size=8))
    suffix = data.draw(st.sampled_from([".jsonl", ".csv"]))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "rows.jsonl")
        source.write_bytes(b"\n".join([b'{"text": "Trains."}', *rows]))
        whole = expected(tiny_tagger, source, Path(folder, f"whole{suffix}"))
        outs = [Path(folder, f"{number}{suffix}") for number in range(of)]
        for number, out in enumerate(outs):
            go(tiny_tagger, source, out, shard=Shard(number + 1, of))
        assert b"".join(out.read_bytes() for out in outs) == whole


def test_a_stopped_shard_goes_on(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """A shard that was stopped goes on like any run, and not as another shard."""
    out = tmp_path / "two.csv"

    def stop(done: int, _failed: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tagger, source, out, shard=Shard(2, 2), progress=stop)
    with pytest.raises(OutputError, match="another --split or --shard"):
        go(tagger, source, out, shard=Shard(1, 2))
    go(tagger, source, out, shard=Shard(2, 2))
    go(tagger, source, tmp_path / "one.csv", shard=Shard(1, 2))
    both = (tmp_path / "one.csv").read_bytes() + out.read_bytes()
    assert both == expected(tagger, source, tmp_path / "whole.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "3/2"], "expected one such as 2/5"),
        (["--shard", "0/2"], "expected one such as 2/5"),
        (["--shard", "half"], "expected one such as 2/5"),
        (["--workers", "0"], "expected 1 or more"),
        (["--engine", "spark://here"], "expected local or dask://HOST:PORT"),
        (["--engine", "dask://127.0.0.1"], "expected local or dask://HOST:PORT"),
        (["--engine", "local", "--workers", "2"], "leave out --workers"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    run: Run, tiny_models: Path, source: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    """Each says what was expected, and nothing is written."""
    code, _, said = run("archive", source, "--out", tmp_path / "o.jsonl", "--models", tiny_models, *options)
    assert (code, message in said, len(said.splitlines())) == (2, True, 1), said
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_command_takes_workers_and_shards(
    run: Run, tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path
) -> None:
    """The options of the command line do what they say."""
    command = ("archive", source, "--models", tiny_models, "--workers", 2)
    for number in (1, 2):
        assert run(*command, "--out", tmp_path / f"{number}.jsonl", "--shard", f"{number}/2")[0] == 1
    both = (tmp_path / "1.jsonl").read_bytes() + (tmp_path / "2.jsonl").read_bytes()
    assert both == expected(tagger, source, tmp_path / "whole.jsonl")


def test_the_standard_input_has_no_shards(tagger: Tagger, tmp_path: Path) -> None:
    """What cannot be read twice cannot be counted beforehand."""
    with pytest.raises(OptionError, match="cannot be read twice"):
        tag_archive(Inputs(["-"]), ["-"], tmp_path / "o.jsonl", tagger, shard=Shard(1, 2))


# ---- Parquet and stores


def test_parquet_holds_the_records(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """A table has the records of JSON lines in their order, metadata as JSON text, and the same bytes each time."""
    for name in ("a.parquet", "b.parquet", "c.jsonl"):
        go(tagger, source, tmp_path / name)
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    records = [json.loads(line) for line in (tmp_path / "c.jsonl").read_bytes().splitlines()]
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        kept = {name: value for name, value in row.items() if value is not None}
        if "metadata" in kept:
            kept["metadata"] = json.loads(kept["metadata"])
        assert kept == {name: value for name, value in record.items() if value is not None}
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert not list(tmp_path.glob("*.part*"))


def test_a_stopped_table_goes_on(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """A run to Parquet goes on like any other: its unfinished records are JSON lines."""

    def until() -> Iterator[Document | Unreadable]:
        yield from list(documents([source]))[:50]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tag_archive(until(), [str(source)], tmp_path / "a.parquet", tagger)
    seen: list[int] = []
    go(tagger, source, tmp_path / "a.parquet", progress=lambda done, _: seen.append(done))
    go(tagger, source, tmp_path / "b.parquet")
    assert seen[0] == 49
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_parquet_gives_what_json_lines_give(tagger: Tagger, source: Path, tmp_path: Path) -> None:
    """The same records as Parquet and as JSON lines get the same tags."""
    (source / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS), encoding="utf-8")
    go(tagger, source / "d.parquet", tmp_path / "1.jsonl")
    go(tagger, source / "rows.jsonl", tmp_path / "2.jsonl")
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_a_table_without_its_extra_is_refused(
    tagger: Tagger, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pyarrow is not installed, the message names the extra before the work is done."""
    for module in ("pyarrow", "pyarrow.fs"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OutputError, match="scripts/setup parquet"):
        go(tagger, source, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="scripts/setup parquet"):
        go(tagger, "s3://bucket/in.jsonl", tmp_path / "a.jsonl")


def test_a_store_gives_and_takes_the_same(
    tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder and an output named by URI give the records of their paths; nothing is left in the current folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (source / "a.jsonl").rename(source / "ä b%.jsonl")
    one = expected(tagger, source, tmp_path / "one.jsonl")
    before = sorted(path.name for path in tmp_path.iterdir())
    go(tagger, source.as_uri(), (tmp_path / "uri.jsonl").as_uri(), engine=Workers(2, tiny_models))
    assert (tmp_path / "uri.jsonl").read_bytes() == one
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "uri.jsonl"])
    assert not list(Path().iterdir())
    with pytest.raises(OutputError, match="exists already"):
        go(tagger, source.as_uri(), (tmp_path / "uri.jsonl").as_uri())


def test_a_stopped_run_to_a_store_goes_on(
    tagger: Tagger, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is whole the output stands in the current folder, and a run goes on from there."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    uri = (tmp_path / "uri.csv").as_uri()

    def stop(done: int, _failed: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tagger, source.as_uri(), uri, progress=stop)
    assert (Path("uri.csv.part").exists(), (tmp_path / "uri.csv").exists()) == (True, False)
    seen: list[int] = []
    go(tagger, source.as_uri(), uri, progress=lambda done, _: seen.append(done))
    assert seen[0] > 0
    assert (tmp_path / "uri.csv").read_bytes() == expected(tagger, source, tmp_path / "one.csv")


@pytest.mark.parametrize("name", ["file:///there/is/nothing.jsonl", "gopher://hole/in.jsonl"])
def test_a_store_that_is_not_there_is_told(tagger: Tagger, tmp_path: Path, name: str) -> None:
    """An input that cannot be reached is an error at once."""
    with pytest.raises(InputError, match=r"There is no file or folder"):
        go(tagger, name, tmp_path / "a.jsonl")


# ---- A cluster


@pytest.fixture
def scheduler() -> Iterator[Any]:
    """A Dask cluster of two worker processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=60
    ) as found:
        yield found


def test_a_cluster_gives_the_bytes_of_one_process(
    scheduler: Any, tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed, then the client stops; the next run tags only what is left, to the same bytes."""
    monkeypatch.setattr("tagger.archive.cluster.PART_BYTES", PART)
    out, address = tmp_path / "out.csv", scheduler.scheduler_address.replace("tcp://", "dask://")
    workers = [worker.pid for worker in scheduler.workers.values()]

    def kill(done: int, _failed: int) -> None:
        if done > 100:
            raise KeyboardInterrupt
        if done and workers:
            os.kill(workers.pop(), signal.SIGKILL)

    with pytest.raises(KeyboardInterrupt), cluster(address, out, tiny_models) as engine:
        go(tagger, source, out, engine=engine, progress=kill)
    finished = set((tmp_path / "out.csv.parts").iterdir())
    assert len(finished) > 10
    seen: list[int] = []
    with cluster(address, out, tiny_models) as engine:
        done = go(tagger, source, out, engine=engine, progress=lambda done, _: seen.append(done))
    assert seen[0] > 50
    assert (done.documents, done.failed) == (149, 5)
    assert out.read_bytes() == expected(tagger, source, tmp_path / "one.csv")
    assert not list(tmp_path.glob("out.csv.*"))


def test_what_a_cluster_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No scheduler, no extra, no name that others could read: each is one sentence with the remedy."""
    monkeypatch.setattr("tagger.archive.cluster.PATIENCE", 0.3)
    out = tmp_path / "out.jsonl"
    with (
        pytest.raises(InputError, match=r"No Dask scheduler answers at dask://127\.0\.0\.1:9 "),
        cluster("dask://127.0.0.1:9", out, tmp_path),
    ):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="scripts/setup dask"), cluster("local", out, tmp_path):
        pass


def test_a_worker_that_cannot_see_the_paths_is_told(
    tagger: Tagger, tiny_models: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker on a machine without the inputs names itself and what it lacks."""
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tcp://",
        dashboard_address=None,
        silence_logs=60,
        processes=False,
    ) as here:
        address, out = here.scheduler_address.replace("tcp://", "dask://"), tmp_path / "out.jsonl"
        monkeypatch.setattr("tagger.archive.cluster.place", lambda name: Path("/elsewhere", name[1:]))
        with (
            pytest.raises(InputError, match=r"The Dask worker on .* cannot see .*a\.jsonl"),
            cluster(address, out, tiny_models) as engine,
        ):
            go(tagger, source, out, engine=engine)
