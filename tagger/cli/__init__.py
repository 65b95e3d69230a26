"""The command line: one subcommand per use case."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(tokens: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 done, 1 failed (or some documents did), 2 wrong usage."""
    from tagger.cli.commands import app
    from tagger.errors import OptionError, TaggerError

    try:
        return int(app(tokens, result_action="return_value") or 0)
    except TaggerError as error:
        sys.stdout.flush()
        sys.stderr.write(f"tagger: {error}\n")
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        sys.stderr.write("tagger: interrupted\n")
        return 130
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does; what is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
