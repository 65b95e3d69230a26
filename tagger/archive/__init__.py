"""Archives: many documents in, one record each out, resumable to the byte.

    engines | cluster             where parts are tagged: here, in other processes, on a Dask cluster
    processes | worker            other processes that share any work
    parts                         slices of the input, and the one function that tags them
    unfinished                    the output while a run lasts
    records | formats | tables    what is said of a document, and how it is written

While a run lasts, its records stand in `OUT.part`, and what the run is in `OUT.part.json`; a run that is killed
goes on from the input position that the finished records prove. The final name appears at the end, by one rename.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tagger.archive.engines import Engine, OneProcess
from tagger.archive.formats import CSV_COLUMNS
from tagger.archive.parts import Documents, Finished, Inputs, Job, Part, Source, parts_within, themes_digest
from tagger.archive.records import content_hash
from tagger.archive.unfinished import Begin, Output, Proof, Unfinished, another_run, unfinished
from tagger.documents import Document, Unreadable
from tagger.errors import InputError, OptionError, OutputError
from tagger.readers import STDIN, place, walk
from tagger.tagging import Tagger

__all__ = ["CSV_COLUMNS", "WHOLE", "Inputs", "Shard", "Summary", "started_version", "tag_archive"]

SAY_EVERY = 64
"""Documents between two reports of progress."""

Progress = Callable[[int, int], None]
"""Called with the number of documents done, and how many of them failed."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did: input documents tagged and failed (also those of the runs it went on from)."""

    documents: int
    failed: int


class Shard(NamedTuple):
    """The `number`th of `of` parts of the input, equal in documents but for one, counted from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return what an option says. Raises OptionError.

        >>> Shard.parse("2/5")
        Shard(number=2, of=5)
        """
        number, slash, of = text.partition("/")
        if slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
            return cls(int(number), int(of))
        raise OptionError(f"The shard is {text!r}; expected one such as 2/5, from 1/5 to 5/5.")

    def bounds(self, documents: int) -> tuple[int, int]:
        """Return the positions where the shard of so many documents begins and ends."""
        return documents * (self.number - 1) // self.of, documents * self.number // self.of


WHOLE = Shard()


def tag_archive(
    documents: Iterable[Document | Unreadable] | Inputs,
    inputs: Sequence[str],
    out: Path | str,
    tagger: Tagger,
    *,
    split: bool | None = None,
    overwrite: bool = False,
    shard: Shard = WHOLE,
    engine: Engine | None = None,
    progress: Progress = lambda _documents, _failed: None,
) -> Summary:
    """Write one record per document to `out`, in a form that its suffix names; go on where a killed run stopped.

    `inputs` names what the documents come from: a run goes on only from the same. With `split`, there is one record
    per release; None splits raw pages only. `overwrite` replaces an `out` that exists and the traces of another run.
    An `engine` that tags in other processes needs documents by name, as `Inputs`, and so does a `shard`; the records
    are the same bytes with any. Raises OutputError where `out` cannot be written, InputError where there is no
    document at all.
    """
    output, engine = Output(out), engine or OneProcess()
    output.check(inputs, overwrite)
    source = documents if isinstance(documents, Inputs) else Documents(documents)
    parts, first, end = _shard_parts(source, engine, shard, inputs)
    run = _run(inputs, tagger, split, shard)
    try:
        with unfinished(output, run, overwrite, Begin(first, with_head=shard.number == 1)) as unended:
            waiting = _left(parts, first, end, unended.proof, output)
            unended.begin()
            job = Job(tagger.version, themes_digest(tagger), split, output.suffix)
            with closing(engine.tagged(waiting, job, tagger)) as tagged:
                summary = _write(tagged, unended, progress)
            unended.finish()
    except OSError as error:
        raise OutputError(
            f"Cannot write {output.shown}: {error.strerror or error}. Choose another --out, or put that right and give "
            "the same command again: what is done is kept."
        ) from error
    return summary


def started_version(out: Path | str) -> str | None:
    """Return the version a killed run to `out` was tagging with, None where there is no such run."""
    output = Output(out)
    state = output.read_state()
    version = state.get("version") if isinstance(state, dict) else None
    return version if isinstance(version, str) and output.part.exists() else None


def _shard_parts(
    source: Source, engine: Engine, shard: Shard, inputs: Sequence[str]
) -> tuple[Iterator[Part], int, int]:
    """Return the parts of the input, and the positions where the shard begins and ends."""
    if shard.of > 1 and STDIN in inputs:
        raise OptionError("The standard input cannot be read twice, as --shard needs it; give files or folders.")
    parts = engine.parts(source)
    opening = next(parts, None)
    if opening is None:
        raise InputError(f"{', '.join(inputs)} holds no document. Give a file or folder with some.")
    parts = chain([opening], parts)
    if shard.of == 1:
        return parts, 0, sys.maxsize
    first, end = shard.bounds(sum(part.documents for part in parts))
    return engine.parts(source), first, end


def _left(parts: Iterator[Part], first: int, end: int, proof: Proof, output: Output) -> Iterator[Part]:
    """Return the parts that are not done; raise OutputError where the last document done is another than it was."""
    if not proof.documents:
        return parts_within(parts, first, end)
    begin = first + proof.documents
    rest = parts_within(parts, begin - 1, end)
    opening = next(rest, None)
    last_done = next(opening.read(), None) if opening else None
    if opening is None or last_done is None or content_hash(last_done) != proof.content_hash:
        raise another_run(output, f"its document {proof.documents} is not that of the input")
    return parts_within(chain([opening], rest), begin, end)


def _write(tagged: Iterator[Finished], unended: Unfinished, progress: Progress) -> Summary:
    documents, failed = unended.proof.documents, unended.proof.failed
    progress(documents, failed)
    said = documents
    for finished in tagged:
        unended.write(finished.content)
        documents += finished.documents
        failed += finished.failed
        if documents - said >= SAY_EVERY:
            progress(documents, failed)
            said = documents
    return Summary(documents, failed)


# ---- What a run is


def _run(inputs: Sequence[str], tagger: Tagger, split: bool | None, shard: Shard) -> dict[str, Any]:
    """Return what makes two runs the same; a version of the same name may be that of another folder."""
    fingerprints = [_fingerprint(name) for name in inputs]
    return {
        "inputs": fingerprints,
        "version": tagger.version,
        "themes": themes_digest(tagger),
        "split": split,
        "shard": list(shard),
    }


def _fingerprint(name: str) -> list[str]:
    """Return the name of an input and a digest of the names, sizes and times of its files."""
    digest = blake2b(digest_size=8)
    for file, failure in walk(place(name)) if name != STDIN else []:
        if not failure:
            status = file.stat()
            digest.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return [name, digest.hexdigest()]
