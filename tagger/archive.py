"""Archives: many documents in, one record each out, resumable to the byte.

While a run lasts, its records stand in `OUT.part`, and what the run is in `OUT.part.json`; a run that is killed
goes on from the input position that the finished records prove. The final name appears at the end, by one rename.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from tagger.documents import Document, Unreadable
from tagger.errors import InputError, OptionError, OutputError
from tagger.files import check_writable, replace_file, sync
from tagger.readers import walk
from tagger.tagging import Tagger

SAY_EVERY = 64
"""Documents between two reports of progress."""

SYNC_SECONDS = 5.0
"""How much work a power failure may cost."""

CSV_COLUMNS = (
    "position", "id", "title", "themes", "review", "probabilities", "caution", "version",
    "start", "end", "date", "office", "kind", "content_hash", "metadata", "error",
)  # fmt: skip

_CELLS_OF_RECORDS = ("date", "office", "kind")
"""Columns that a page's header fills, or else the field of that name of a record."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")

Progress = Callable[[int, int], None]
"""Called with the number of documents done, and how many of them failed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did: input documents tagged and failed (also those of the runs it went on from)."""

    documents: int
    failed: int


def tag_archive(
    documents: Iterable[Document | Unreadable],
    inputs: Sequence[str],
    out: Path,
    tagger: Tagger,
    *,
    split: bool | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _documents, _failed: None,
) -> Summary:
    """Write one record per document to `out`, JSON lines or (by its suffix) CSV; go on where a killed run stopped.

    `inputs` names what the documents come from: a run goes on only from the same. With `split`, there is one record
    per release; None splits raw pages only. `overwrite` replaces an `out` that exists and the traces of another run.
    Raises OutputError where `out` cannot be written, InputError where there is no document at all.
    """
    _check_out(out, inputs, overwrite)
    waiting = iter(documents)
    first = next(waiting, None)
    if first is None:
        raise InputError(f"{', '.join(inputs)} holds no document. Give a file or folder with some.")
    waiting = chain([first], waiting)
    try:
        with _part(out, _run(inputs, tagger, split), overwrite) as part:
            position, failed = part.proof.documents, part.proof.failed
            _skip(waiting, part.proof, out)
            part.begin()
            progress(position, failed)
            for item in waiting:
                records = _records(item, position, tagger, split)
                part.write(records)
                failed += "error" in records[0]
                position += 1
                if position % SAY_EVERY == 0:
                    progress(position, failed)
            part.finish()
    except OSError as error:
        raise OutputError(
            f"Cannot write {out}: {error.strerror or error}. Choose another --out, or put that right and give the "
            "same command again: what is done is kept."
        ) from error
    return Summary(position, failed)


def started_version(out: Path) -> str | None:
    """Return the version a killed run to `out` was tagging with, None where there is no such run."""
    state = _read_state(out)
    version = state.get("version") if isinstance(state, dict) else None
    return version if isinstance(version, str) and _part_path(out).exists() else None


# ---- Records


def _records(item: Document | Unreadable, position: int, tagger: Tagger, split: bool | None) -> list[dict[str, Any]]:
    """Return the record of a document, or of each of its releases; there is always one."""
    if isinstance(item, Unreadable):
        return [_error_record(position, item.id, tagger, item.message)]
    cuts = item.raw_page if split is None else split
    found = tagger.tag_page(item) if cuts else [tagger.tag(item)]
    known = {"content_hash": _content_hash(item)}
    records = [{"position": position, **tagged.as_record(), **known} for tagged in found]
    nothing = f"{item.id} holds site furniture only, no release."
    return records or [_error_record(position, item.id, tagger, nothing) | known]


def _error_record(position: int, identifier: str, tagger: Tagger, message: str) -> dict[str, Any]:
    return {"position": position, "id": identifier, "tags": [], "version": tagger.version, "error": message}


def _content_hash(item: Document | Unreadable) -> str:
    """Return a digest of title and text; nothing for what could not be read."""
    if isinstance(item, Unreadable):
        return ""
    return blake2b(f"{item.title or ''}\0{item.text}".encode(errors="surrogatepass"), digest_size=8).hexdigest()


# ---- Formats


class _Written(msgspec.Struct):
    """What a line of an output tells of the document it belongs to."""

    position: int
    content_hash: str = ""
    error: str = ""


_DAMAGES = (ValueError, csv.Error, msgspec.DecodeError)


class _Format(NamedTuple):
    head: bytes
    line: Callable[[Mapping[str, Any]], bytes]
    written: Callable[[bytes], _Written]
    """Reads a line back; raises one of `_DAMAGES` where it is none."""


def _json_line(record: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def _csv_line(record: Mapping[str, Any]) -> bytes:
    tags, metadata = record["tags"], record.get("metadata", {})
    cells = {
        **{column: metadata[column] for column in _CELLS_OF_RECORDS if column in metadata},
        **record,
        "themes": ";".join(tag["theme"] for tag in tags if tag["decision"] == "auto"),
        "review": ";".join(tag["theme"] for tag in tags if tag["decision"] == "review"),
        "probabilities": ";".join(f"{tag['theme']}={tag['probability']:.6f}" for tag in tags),
        "metadata": msgspec.json.encode(metadata).decode() if metadata else "",
    }
    return _csv_row(_cell(cells.get(column)) for column in CSV_COLUMNS)


def _csv_row(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode(errors="replace")


def _cell(value: object) -> str:
    """Return a cell of one line that no spreadsheet takes for a formula.

    >>> _cell("=HYPERLINK(...)"), _cell("two\\r\\nlines"), _cell(None)
    ("'=HYPERLINK(...)", 'two lines', '')
    """
    text = _CONTROLS.sub(" ", "" if value is None else str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def _csv_written(line: bytes) -> _Written:
    csv.field_size_limit(sys.maxsize)  # what was written can be read, whatever its length
    row = dict(zip(CSV_COLUMNS, next(csv.reader([line.decode()])), strict=True))
    return _Written(int(row["position"]), row["content_hash"], row["error"])


_JSON_LINES = _Format(b"", _json_line, msgspec.json.Decoder(_Written).decode)
_FORMATS = {
    ".jsonl": _JSON_LINES,
    ".ndjson": _JSON_LINES,
    ".csv": _Format(_csv_row(CSV_COLUMNS), _csv_line, _csv_written),
}


# ---- The unfinished output


class _Proof(NamedTuple):
    """What an unfinished output proves: so many documents are done; their records end there."""

    end: int
    documents: int = 0
    failed: int = 0
    content_hash: str = ""


class _Part:
    """The unfinished output of a run, appended to; `proof` is what it held at first."""

    def __init__(self, out: Path, stream: BinaryIO, run: dict[str, Any], overwrite: bool) -> None:
        self._out = out
        self._stream = stream
        self._run = run
        self._format = _FORMATS[out.suffix]
        # What comes through a pipe cannot be told from other input before it is too late to start anew.
        piped = any(name == "-" for name, _ in run["inputs"])
        self._goes_on = _read_state(out) == run and not (overwrite and piped)
        self._synced_at = time.monotonic()
        if not self._goes_on and not overwrite and os.fstat(stream.fileno()).st_size:
            raise _another_run(out, "it has other inputs, another version or another --split")
        self.proof = _proof(stream, self._format) if self._goes_on else _Proof(0)

    def begin(self) -> None:
        """Drop what is not proved."""
        # First the old records go, then the state changes: records never stand under the state of another run.
        self._stream.truncate(self.proof.end)
        if not self._goes_on:
            replace_file(_state_path(self._out), json.dumps(self._run).encode())
        if not self.proof.end:
            self._stream.write(self._format.head)

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append the records of one document."""
        self._stream.write(b"".join(map(self._format.line, records)))
        if time.monotonic() - self._synced_at > SYNC_SECONDS:
            self._sync()
            self._synced_at = time.monotonic()

    def finish(self) -> None:
        """Give the output its final name."""
        self._sync()
        _part_path(self._out).replace(self._out)
        _state_path(self._out).unlink()
        sync(self._out.parent)

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())


@contextmanager
def _part(out: Path, run: dict[str, Any], overwrite: bool) -> Iterator[_Part]:
    path = _part_path(out)
    with path.open("ab+") as stream:
        _lock(stream, path, out)
        yield _Part(out, stream, run, overwrite)


def _lock(stream: BinaryIO, path: Path, out: Path) -> None:
    """Make sure that no other run writes to the stream, nor has given it its final name meanwhile."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except BlockingIOError:
        ours = False
    if not ours:
        raise OutputError(f"Another run is writing {out}. Wait for it, or choose another --out.")


def _proof(stream: BinaryIO, shape: _Format) -> _Proof:
    """Return what the whole lines prove; the last document does not count, as it may have been about to get more."""
    stream.seek(0)
    if stream.read(len(shape.head)) != shape.head:
        return _Proof(0)
    whole = last = _Proof(len(shape.head))
    for line in stream:
        try:
            written = shape.written(line)
        except _DAMAGES:
            break
        if not line.endswith(b"\n") or written.position not in (last.documents - 1, last.documents):
            break
        if written.position == last.documents:
            whole = last
        end, failed = last.end + len(line), last.failed + bool(written.error)
        last = _Proof(end, written.position + 1, failed, written.content_hash)
    return whole


def _skip(waiting: Iterator[Document | Unreadable], proof: _Proof, out: Path) -> None:
    """Pass over the documents that are done; raise OutputError where the last of them is another than it was."""
    item = None
    for _ in range(proof.documents):
        item = next(waiting, None)
    if proof.documents and (item is None or _content_hash(item) != proof.content_hash):
        raise _another_run(out, f"its document {proof.documents} is not that of the input")


def _another_run(out: Path, difference: str) -> OutputError:
    return OutputError(
        f"{_part_path(out)} belongs to another run: {difference}. Repeat that run, choose another --out, or add "
        "--overwrite to start anew."
    )


# ---- What a run is


def _run(inputs: Sequence[str], tagger: Tagger, split: bool | None) -> dict[str, Any]:
    """Return what makes two runs the same; a version of the same name may be that of another folder."""
    themes = blake2b(json.dumps(tagger.themes).encode(), digest_size=8).hexdigest()
    fingerprints = [_fingerprint(name) for name in inputs]
    return {"inputs": fingerprints, "version": tagger.version, "themes": themes, "split": split}


def _fingerprint(name: str) -> list[str]:
    """Return the name of an input and a digest of the names, sizes and times of its files."""
    path = Path(name)
    digest = blake2b(digest_size=8)
    for file, failure in walk(path) if name != "-" else []:
        if not failure:
            status = file.stat()
            digest.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return [name, digest.hexdigest()]


def _check_out(out: Path, inputs: Sequence[str], overwrite: bool) -> None:
    if out.suffix not in _FORMATS:
        raise OptionError(f"The output is called {out.name!r}; expected a name that ends in .jsonl or .csv.")
    for name in inputs:
        if name != "-" and Path(name).resolve() in (out.resolve(), *out.resolve().parents):
            raise OptionError(f"The output {out} is, or lies in, the input {name}. Choose another --out.")
    check_writable(out)
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists already. Choose another --out, or add --overwrite to replace it.")


def _part_path(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


def _state_path(out: Path) -> Path:
    return out.with_name(f"{out.name}.part.json")


def _read_state(out: Path) -> Any:
    try:
        return json.loads(_state_path(out).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
