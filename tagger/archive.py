"""Archives: many documents in, one record each out, resumable to the byte.

While a run lasts, its records stand in `OUT.part` and what the run is in `OUT.part.json`; a run that is
killed goes on from the input position that the finished records prove. The final name appears at the end, by
one rename.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tagger.documents import Document, Unreadable
from tagger.errors import InputError, OptionError, OutputError
from tagger.tagging import Tagged, Tagger

BATCH = 64
"""Documents between two writes."""

SYNC_SECONDS = 5.0
"""How much work a power failure may cost."""

CSV_COLUMNS = (
    "position", "id", "title", "themes", "review", "probabilities", "version",
    "start", "end", "date", "office", "kind", "content_hash", "metadata", "error",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Progress = Callable[[int, int], None]
"""Called with documents done, and how many of them failed."""


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

    `inputs` names what the documents come from: a run goes on only from the same. With `split`, there is one
    record per release; None splits raw pages only. Raises OutputError where `out` cannot be written, InputError
    where there is no document at all.
    """
    try:
        with _Part(out, _run(inputs, tagger.version, split), overwrite) as part:
            failed = part.failed
            done = part.position
            last_sync = time.monotonic()
            waiting = islice(documents, done, None)
            while batch := list(islice(waiting, BATCH)):
                for item in batch:
                    records = list(_records(item, done, tagger, split))
                    part.write(records)
                    failed += any("error" in record for record in records)
                    done += 1
                progress(done, failed)
                if time.monotonic() - last_sync > SYNC_SECONDS:
                    part.sync()
                    last_sync = time.monotonic()
            if not done:
                raise InputError(f"{', '.join(inputs)} holds no document. Give a file or folder with some.")
            part.finish()
    except OSError as error:
        raise OutputError(f"Cannot write {out}: {error.strerror or error}. Choose another --out.") from error
    return Summary(done, failed)


def started_version(out: Path) -> str | None:
    """Return the version a killed run to `out` was tagging with, None where there is no such run."""
    try:
        version = json.loads(_state_path(out).read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) and _part_path(out).exists() else None


def _records(item: Document | Unreadable, position: int, tagger: Tagger, split: bool | None) -> Iterator[dict[str, Any]]:
    """Yield the record of a document, or of each of its releases."""
    if isinstance(item, Unreadable):
        yield _error_record(item.id, position, tagger, item.message)
        return
    cuts = item.raw_page if split is None else split
    found: Iterable[Tagged] = tagger.tag_page(item) if cuts else [tagger.tag(item)]
    content_hash = blake2b(f"{item.title or ''}\0{item.text}".encode(errors="surrogatepass"), digest_size=8).hexdigest()
    empty = True
    for tagged in found:
        empty = False
        yield {"position": position, **tagged.as_record(), "content_hash": content_hash}
    if empty:
        yield _error_record(item.id, position, tagger, f"{item.id} holds site furniture only, no release.")


def _error_record(identifier: str, position: int, tagger: Tagger, message: str) -> dict[str, Any]:
    return {"position": position, "id": identifier, "tags": [], "version": tagger.version, "error": message}


def _run(inputs: Sequence[str], version: str, split: bool | None) -> dict[str, Any]:
    """Return what makes two runs the same."""
    return {"inputs": [_fingerprint(name) for name in inputs], "version": version, "split": split}


def _fingerprint(name: str) -> list[Any]:
    path = Path(name)
    if name == "-" or not path.is_file():
        return [name]
    status = path.stat()
    return [name, status.st_size, status.st_mtime_ns]


class _Part:
    """The unfinished output: locked, cut back to its last whole document, appended to."""

    def __init__(self, out: Path, run: dict[str, Any], overwrite: bool) -> None:
        self._out = out
        self._csv = out.suffix == ".csv"
        if out.suffix not in (".csv", ".jsonl", ".ndjson"):
            raise OptionError(f"The output is called {out.name!r}; expected a name that ends in .jsonl or .csv.")
        if out.exists() and not overwrite:
            raise OutputError(f"{out} exists already. Choose another --out, or add --overwrite to replace it.")
        self._stream = self._open()
        if overwrite:
            _state_path(out).unlink(missing_ok=True)
        self.position, self.failed = self._resume(run)

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        """Append the records of one document."""
        self._stream.write(b"".join(_csv_line(record) if self._csv else _json_line(record) for record in records))

    def sync(self) -> None:
        """Make sure that what was written is on the disk."""
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def finish(self) -> None:
        """Give the output its final name."""
        self.sync()
        _part_path(self._out).replace(self._out)
        _state_path(self._out).unlink()
        folder = os.open(self._out.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _open(self) -> BinaryIO:
        stream = _part_path(self._out).open("ab+")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise OutputError(f"Another run is writing {self._out}. Wait for it, or choose another --out.") from None
        return stream

    def _resume(self, run: dict[str, Any]) -> tuple[int, int]:
        """Return how many documents are done, and how many of them failed; cut the output back to these."""
        state = _state_path(self._out)
        try:
            before = json.loads(state.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            before = None
        if before is not None and before != run:
            raise OutputError(
                f"{_part_path(self._out)} belongs to another run (other inputs, version or --split). "
                "Repeat that run, choose another --out, or add --overwrite to start anew."
            )
        if before is None:
            self._stream.truncate(0)
            state.write_text(json.dumps(run), encoding="utf-8")
            if self._csv:
                self._stream.write(_csv_row(CSV_COLUMNS))
            return 0, 0
        return self._cut_back()

    def _cut_back(self) -> tuple[int, int]:
        """Drop a half line and the records of the last document, which may have been about to get more."""
        self._stream.flush()
        if not os.fstat(self._stream.fileno()).st_size:
            return self._begin()
        with mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ) as written:
            end = written.rfind(b"\n") + 1
            position: int | None = None
            while end:
                start = written.rfind(b"\n", 0, end - 1) + 1
                found = self._position(written[start:end])
                if found is None or (position is not None and found != position):
                    break
                position, end = found, start
            failed = self._failed(written, end)
        self._stream.truncate(end)
        return (position or 0, failed) if end else self._begin()

    def _begin(self) -> tuple[int, int]:
        if self._csv:
            self._stream.write(_csv_row(CSV_COLUMNS))
        return 0, 0

    def _position(self, line: bytes) -> int | None:
        """Return the input position a record states; None for the head of a CSV file."""
        if self._csv:
            cell = line.partition(b",")[0]
            return int(cell) if cell.isdigit() else None
        return int(msgspec.json.decode(line)["position"])

    def _failed(self, written: mmap.mmap, end: int) -> int:
        written.seek(0)
        failed = 0
        while written.tell() < end:
            line = written.readline()
            failed += (b'"error":' in line and "error" in msgspec.json.decode(line)) if not self._csv else self._csv_failed(line)
        return failed

    def _csv_failed(self, line: bytes) -> bool:
        row = next(csv.reader([line.decode()]))
        return row[0] != CSV_COLUMNS[0] and bool(row[-1])


def _json_line(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def _csv_line(record: dict[str, Any]) -> bytes:
    tags = record["tags"]
    cells = record | {
        "themes": ";".join(tag["theme"] for tag in tags if tag["decision"] == "auto"),
        "review": ";".join(tag["theme"] for tag in tags if tag["decision"] == "review"),
        "probabilities": ";".join(f"{tag['theme']}={tag['probability']:.6f}" for tag in tags),
        "metadata": msgspec.json.encode(record["metadata"]).decode() if record.get("metadata") else "",
    }
    return _csv_row([_cell(cells.get(column)) for column in CSV_COLUMNS])


def _csv_row(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode(errors="replace")


def _cell(value: object) -> str:
    """Return a cell of one line that no spreadsheet takes for a formula."""
    text = " ".join(str("" if value is None else value).splitlines())
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _part_path(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


def _state_path(out: Path) -> Path:
    return out.with_name(f"{out.name}.part.json")
