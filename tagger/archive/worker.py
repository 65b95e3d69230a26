"""A worker process: reads parts and what to do from its standard input, writes what is finished to its output."""

from __future__ import annotations

import os
import pickle
import sys
from typing import BinaryIO

from tagger.archive.parts import Finished, Job, Part, job_tagger, joined, tag_part


def main() -> None:
    """Work until the other end of the pipes is closed."""
    parts, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print must not get among the results
    try:
        while (task := _next(parts)) is not None:
            pickle.dump(_result(*task), results, protocol=pickle.HIGHEST_PROTOCOL)
            results.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(1)


def _next(parts: BinaryIO) -> tuple[str, Job, Part] | None:
    try:
        task: tuple[str, Job, Part] = pickle.load(parts)
    except (EOFError, pickle.UnpicklingError):
        return None
    return task


def _result(models: str, job: Job, part: Part) -> Finished | Exception:
    try:
        return joined(tag_part(part, job_tagger(models, job), job))
    except Exception as error:  # told where the part came from
        return error
