"""The command line: one subcommand per use case."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(tokens: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 done, 1 failed (or some documents did), 2 wrong usage."""
    from tagger.cli.commands import app
    from tagger.errors import OptionError, TaggerError

    _replace_closed_streams()
    try:
        code = int(app(tokens, result_action="return_value") or 0)
        sys.stdout.flush()
        return code
    except TaggerError as error:
        return _fail(str(error), 2 if isinstance(error, OptionError) else 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        _drop_output()
        return 0
    except OSError as error:
        # What this machine refuses, such as a folder that may not be read; the error names it.
        return _fail(str(error), 1)


def _replace_closed_streams() -> None:
    """Let what was closed before the start, as by `>&-`, read and write nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (open until the process ends)


def _fail(message: str, code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
    sys.stderr.write(f"tagger: {message}\n")
    return code


def _drop_output() -> None:
    """Send what is left in the buffer nowhere, or Python would try again at its end and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
