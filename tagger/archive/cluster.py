"""A Dask cluster as an engine (extra `dask`): tasks name parts and never carry texts; finished parts are files.

They stand in `OUT.parts` until the output is whole. A part that is there is whole and is not tagged again, so that
a worker, the scheduler or the client may die at any time. All machines must see inputs, models and output under the
same paths.
"""

from __future__ import annotations

import logging
import pickle
import re
import shutil
import signal
import socket
import threading
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tagger.archive.engines import FinishedParts
from tagger.archive.parts import Finished, Inputs, Job, Part, Source, job_tagger, parts_of, tag_part
from tagger.archive.processes import Waiting, in_order
from tagger.archive.unfinished import Output
from tagger.documents import Unreadable
from tagger.engine import available_cores
from tagger.errors import InputError, OptionError, OutputError, TaggerError
from tagger.files import sync
from tagger.readers import PAGE_READERS, READERS, STDIN, File, files, place, suffix_of
from tagger.readers.slices import FileSlice, HeldSlice, Sized, named_slices
from tagger.readers.stores import is_uri

LOCAL = "local"
"""The address that stands for a cluster of this machine, made for one run."""

SCHEME = "dask://"
_ADDRESS = re.compile(rf"{SCHEME}[^/\s]+:\d{{1,5}}")
PART_BYTES = 16 << 20
"""About how much text a task tags; a compressed file or a table is read from its beginning, so is one task."""

PARTS_AHEAD = 32
"""Parts for each thread of the cluster that are under way or wait for one before them."""

PATIENCE = 10.0
"""Seconds to wait for a scheduler and for its workers."""

_RUN = "run.json"
_BLOCK = 1 << 20


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, client: Any, address: str, output: Output, models: Path) -> None:
        self._client = client
        self._address = address
        self._output = output
        self._models = str(models.absolute())
        self._folder = output.parts.absolute()
        self._ahead = PARTS_AHEAD * max(1, sum(client.nthreads().values()))

    def parts(self, source: Source) -> Iterator[Part]:
        """Yield parts that say only where their documents are; the workers look for where they begin."""
        if not isinstance(source, Inputs) or STDIN in source.names:
            raise OptionError("Other machines cannot read this standard input; give files or folders by name.")
        found = chain.from_iterable(files(_absolute(name)) for name in source.names)
        return parts_of(chain.from_iterable(in_order(self._sliced, found, self._ahead)), PART_BYTES)

    def tagged(self, parts: Iterator[Part], job: Job, tagger: object) -> FinishedParts:  # noqa: ARG002
        """Yield the lines of each part from its file. Raises OutputError where the cluster is lost."""
        done = self._begin()
        for name in in_order(lambda part: self._named(part, job, done), parts, self._ahead):
            yield from _lines(self._folder / name)
        shutil.rmtree(self._folder)

    def _begin(self) -> dict[str, str]:
        """Make the folder of finished parts; return the files of those that an earlier run left, by their parts."""
        run = self._output.state.read_bytes()
        if self._folder.exists() and _read(self._folder / _RUN) != run:
            if any(self._folder.iterdir()) and not (self._folder / _RUN).exists():
                raise OutputError(f"{self._folder} is no folder of finished parts; choose another --out.")
            shutil.rmtree(self._folder)
        self._folder.mkdir(exist_ok=True)
        (self._folder / _RUN).write_bytes(run)
        return {file.name.rpartition("-")[0]: file.name for file in self._folder.iterdir()}

    def _sliced(self, found: File | Unreadable) -> Waiting[list[Sized]]:
        if isinstance(found, Unreadable):
            return _Known([(HeldSlice([found]), 0)])
        arguments = (str(found.path), found.name, PART_BYTES)
        if READERS.get(suffix_of(found.path)) in PAGE_READERS:
            return _Known(named_slices(*arguments))  # nothing to look for
        return self._submit(_named_slices_there, *arguments)

    def _named(self, part: Part, job: Job, done: dict[str, str]) -> Waiting[str]:
        """Return the name of the file that holds a part's lines, or will."""
        if file := done.get(_part_name(part)):
            return _Known(file)
        run = (self._folder / _RUN).read_bytes()
        return self._submit(_write_part, part, self._models, job, str(self._folder), run)

    def _submit(self, function: Any, *arguments: Any) -> _Task:
        with self._told():
            return _Task(self._client.submit(_outcome, function, pickle.dumps(arguments), pure=False), self)

    def wait_for(self, future: Any) -> Any:
        """Return what a task returned. Raises TaggerError, also where no worker is left to do it."""
        while True:
            with self._told():
                try:
                    result = future.result(timeout=PATIENCE)
                    break
                except TimeoutError:
                    if not self._client.nthreads():
                        raise OutputError(self._lost("it has no workers any more")) from None
        if isinstance(result, TaggerError):
            raise result
        return result

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what Dask raises into one sentence."""
        try:
            yield
        except (TaggerError, TimeoutError):
            raise
        except CancelledError as error:
            raise OutputError(self._lost("the connection to its scheduler was lost")) from error
        except Exception as error:
            first_line = (str(error) or type(error).__name__).partition("\n")[0]
            raise OutputError(self._lost(first_line.rstrip("."))) from error

    def _lost(self, why: str) -> str:
        return (
            f"The Dask cluster {self._address} could not go on: {why}. Look at its workers (they need this tagger and "
            "its paths), and give the same command again: the parts that are done are kept."
        )


@contextmanager
def cluster(address: str, out: Path | str, models: Path) -> Iterator[Cluster]:
    """Connect to the cluster at `dask://HOST:PORT`, or make one of this machine. Raises OptionError, InputError."""
    if address != LOCAL and not _ADDRESS.fullmatch(address):
        raise OptionError(f"The engine is {address!r}; expected {LOCAL} or {SCHEME}HOST:PORT.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ports in use and versions that differ slightly are none of our errors
        with _client(address) as client:
            yield Cluster(client, address, Output(out), models)


def _client(address: str) -> AbstractContextManager[Any]:
    try:
        distributed: Any = import_module("distributed")  # it has no types
    except ImportError:
        raise InputError(
            f"--engine {address} needs Dask, which is not installed; install the extra `dask`: scripts/setup dask"
        ) from None
    _silence()
    return _local(distributed) if address == LOCAL else _remote(distributed, address)


@contextmanager
def _local(distributed: Any) -> Iterator[Any]:
    with _deaf_to_interrupts():
        made = distributed.LocalCluster(
            n_workers=available_cores(),
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
    with made, distributed.Client(made, set_as_default=False) as client:
        yield client


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, so that it ends this one, which then stops them, in silence."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _remote(distributed: Any, address: str) -> Iterator[Any]:
    where = address.removeprefix(SCHEME)
    try:
        client = distributed.Client(f"tcp://{where}", timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"No Dask scheduler answers at {address} ({type(error).__name__}). Start one: dask scheduler, "
            f"and workers: dask worker {where}"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"The Dask scheduler at {address} has no workers. Start some: dask worker {where}"
            ) from None
        yield client


def _silence() -> None:
    """Say nothing of what is told in our own words; some of Dask's loggers have a level of their own."""
    for name in ["tornado", "asyncio", *logging.root.manager.loggerDict]:
        if name.startswith(("distributed", "tornado", "asyncio")):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Known(NamedTuple):
    """A result that is there."""

    value: Any

    def result(self) -> Any:
        """Return it."""
        return self.value


class _Task(NamedTuple):
    """A result that a worker works on."""

    future: Any
    cluster: Cluster

    def result(self) -> Any:
        """Wait for it."""
        return self.cluster.wait_for(self.future)


# ---- What workers do


def _outcome(function: Any, arguments: bytes) -> Any:
    """Return what a function returns, or the TaggerError that it raises: Dask would call that a failure of its own."""
    try:
        return function(*pickle.loads(arguments))
    except TaggerError as error:
        return error


def _named_slices_there(path: str, name: str, size: int) -> list[Sized]:
    _check_there(path)
    return named_slices(path, name, size)


def _write_part(part: Part, models: str, job: Job, folder: str, run: bytes) -> str:
    """Write the lines of a part to a file of the folder; return its name."""
    if _read(Path(folder) / _RUN) != run:
        raise OutputError(_unseen(f"the output's folder {folder}"))
    for piece in part.slices:
        if isinstance(piece, FileSlice):
            _check_there(piece.path)
    if not Path(models, job.version).is_dir():
        raise InputError(_unseen(f"version {job.version} in {models}"))
    beside = Path(folder) / f".{uuid.uuid4().hex}"
    failed = 0
    with beside.open("wb") as stream:
        for finished in tag_part(part, job_tagger(models, job), job):
            stream.write(finished.content)
            failed += finished.failed
    sync(beside)
    name = f"{_part_name(part)}-{failed}"
    beside.replace(Path(folder) / name)
    return name


def _check_there(path: str) -> None:
    if not place(path).exists():
        raise InputError(_unseen(path))


def _unseen(what: str) -> str:
    return (
        f"The Dask worker on {socket.gethostname()} cannot see {what}. All machines need the same files under the same "
        "paths; give paths on a shared file system."
    )


# ---- Files of parts


def _part_name(part: Part) -> str:
    return f"{part.position:015}-{part.documents}"


def _lines(file: Path) -> Iterator[Finished]:
    """Yield the lines of a part in blocks; how many documents they are comes with the last."""
    _, documents, failed = file.name.split("-")
    try:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield Finished(block, 0, 0)
    except FileNotFoundError:
        raise OutputError(
            f"The workers wrote {file}, but it is not to be seen here. Choose an --out on a file system that all "
            "machines share."
        ) from None
    yield Finished(b"", int(documents), int(failed))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _absolute(name: str) -> str:
    return name if is_uri(name) else str(Path(name).absolute())
