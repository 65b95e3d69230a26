"""The unfinished output of a run: appended to, read back to go on, published at the end under its final name."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tagger.archive.formats import DAMAGES, FORMATS, Format
from tagger.archive.tables import check_parquet, write_parquet
from tagger.errors import OptionError, OutputError
from tagger.files import check_writable, replace_file, sync
from tagger.readers.stores import Place, StorePath, is_uri, place

SYNC_SECONDS = 5.0
"""How much work a power failure may cost."""


class Output:
    """Where a run's records go, and what stands there meanwhile.

    A store cannot be appended to: what is meant for one stands in the current folder until it is whole.
    """

    def __init__(self, out: Path | str) -> None:
        self.shown = str(out)
        self.final: Place = place(out)
        local = Path(self.final.name) if isinstance(self.final, StorePath) else self.final
        self.part = local.with_name(f"{local.name}.part")
        self.state = local.with_name(f"{local.name}.part.json")
        self.parts = local.with_name(f"{local.name}.parts")
        self.suffix = self.final.suffix

    def check(self, inputs: Sequence[str], overwrite: bool) -> None:
        """Raise OptionError or OutputError where nothing can be written there, or an input would be destroyed."""
        if self.suffix not in FORMATS:
            raise OptionError(
                f"The output is called {self.final.name!r}; expected a name that ends in .jsonl or .csv (or .parquet)."
            )
        for name in inputs:
            if name != "-" and _within(self.shown, name):
                raise OptionError(f"The output {self.shown} is, or lies in, the input {name}. Choose another --out.")
        if self.suffix in _TABLES:
            check_parquet(self.shown)
        check_writable(self.part if isinstance(self.final, StorePath) else self.final)
        if self.final.exists() and not overwrite:
            raise OutputError(f"{self.shown} exists already. Choose another --out, or add --overwrite to replace it.")

    def read_state(self) -> Any:
        """Return what the run is that was begun here; None where there is none, or nothing sensible."""
        try:
            return json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def publish(self) -> None:
        """Give the finished lines their final form and name."""
        whole = self.part
        if self.suffix in _TABLES:
            whole = self.part.with_name(f".{self.part.name}")
            _TABLES[self.suffix](self.part, whole)
            sync(whole)
        if isinstance(self.final, StorePath):
            self.final.replace_by(whole)
            whole.unlink()
        else:
            whole.replace(self.final)
        self.part.unlink(missing_ok=True)
        self.state.unlink()
        sync(self.part.absolute().parent)


_TABLES: Mapping[str, Callable[[Path, Path], None]] = {".parquet": write_parquet}


class Proof(NamedTuple):
    """What an unfinished output proves: so many documents are done; their records end there."""

    end: int
    documents: int = 0
    failed: int = 0
    content_hash: str = ""


class Begin(NamedTuple):
    """How an output begins: with the document of this position, with the format's head or without."""

    position: int = 0
    with_head: bool = True


class Unfinished:
    """The unfinished output of a run, appended to; `proof` is what it held at first."""

    def __init__(self, output: Output, stream: BinaryIO, run: dict[str, Any], overwrite: bool, begin: Begin) -> None:
        self._output = output
        self._stream = stream
        self._run = run
        shape = FORMATS[output.suffix]
        self._head = shape.head if begin.with_head else b""
        # What comes through a pipe cannot be told from other input before it is too late to start anew.
        piped = any(name == "-" for name, _ in run["inputs"])
        self._goes_on = output.read_state() == run and not (overwrite and piped)
        self._synced_at = time.monotonic()
        if not self._goes_on and not overwrite and os.fstat(stream.fileno()).st_size:
            raise another_run(output, "it has other inputs, another version or another --split or --shard")
        self.proof = _proof(stream, shape, self._head, begin.position) if self._goes_on else Proof(0)

    def begin(self) -> None:
        """Drop what is not proved."""
        # First the old records go, then the state changes: records never stand under the state of another run.
        self._stream.truncate(self.proof.end)
        if not self._goes_on:
            replace_file(self._output.state, json.dumps(self._run).encode())
        if not self.proof.end:
            self._stream.write(self._head)

    def write(self, content: bytes) -> None:
        """Append the records of some documents."""
        self._stream.write(content)
        if time.monotonic() - self._synced_at > SYNC_SECONDS:
            self._sync()
            self._synced_at = time.monotonic()

    def finish(self) -> None:
        """Give the output its final name."""
        self._sync()
        self._output.publish()

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())


@contextmanager
def unfinished(output: Output, run: dict[str, Any], overwrite: bool, begin: Begin) -> Iterator[Unfinished]:
    """Open the unfinished output of a run. Raises OutputError where another run writes there, or has begun to."""
    with output.part.open("ab+") as stream:
        _lock(stream, output)
        yield Unfinished(output, stream, run, overwrite, begin)


def another_run(output: Output, difference: str) -> OutputError:
    """Return the error that what stands there is no beginning of this run."""
    return OutputError(
        f"{output.part} belongs to another run: {difference}. Repeat that run, choose another --out, or add "
        "--overwrite to start anew."
    )


def _within(out: str, name: str) -> bool:
    if is_uri(out) or is_uri(name):
        return f"{out}/".startswith(f"{name.rstrip('/')}/")
    return Path(name).resolve() in (Path(out).resolve(), *Path(out).resolve().parents)


def _lock(stream: BinaryIO, output: Output) -> None:
    """Make sure that no other run writes to the stream, nor has given it its final name meanwhile."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = output.part.exists() and os.path.samestat(os.fstat(stream.fileno()), output.part.stat())
    except BlockingIOError:
        ours = False
    if not ours:
        raise OutputError(f"Another run is writing {output.shown}. Wait for it, or choose another --out.")


def _proof(stream: BinaryIO, shape: Format, head: bytes, first: int) -> Proof:
    """Return what the whole lines prove; the last document does not count, as it may have been about to get more."""
    stream.seek(0)
    if stream.read(len(head)) != head:
        return Proof(0)
    whole = last = Proof(len(head))
    for line in stream:
        try:
            written = shape.written(line)
        except DAMAGES:
            break
        done = written.position - first
        if not line.endswith(b"\n") or done not in (last.documents - 1, last.documents):
            break
        if done == last.documents:
            whole = last
        end, failed = last.end + len(line), last.failed + bool(written.error)
        last = Proof(end, done + 1, failed, written.content_hash)
    return whole
