"""The command line: one subcommand per use case."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App

COMMANDS = {
    "train": ("tagger.cli.commands:train", "Train a new version on the seeds; it goes live unless it does worse."),
    "tag": ("tagger.cli.commands:tag", "Tag a text, files, or standard input."),
    "split": ("tagger.cli.commands:split", "Cut raw pages into their releases."),
    "archive": ("tagger.cli.commands:archive", "Tag an archive of any size; a stopped run goes on."),
    "evaluate": ("tagger.cli.evaluate:evaluate", "Measure a version on documents whose themes are known."),
    "serve": ("tagger.cli.commands:serve", "Serve the live model over HTTP."),
    "seeds": ("tagger.cli.seeds:app", "Add, confirm, check, doubt and correct labelled documents."),
    "themes": ("tagger.cli.themes:app", "Look after the themes: what is wrong with them, and what to do."),
    "models": ("tagger.cli.models:app", "List, show, promote and roll back versions."),
    "keys": ("tagger.cli.keys:app", "Create, list and revoke keys to the service."),
    "jobs": ("tagger.cli.jobs:app", "List, show and cancel what a service was asked to do beside its answers."),
    "doctor": ("tagger.cli.doctor:doctor", "Say whether this installation works, and what to do where it does not."),
}
"""The subcommands: where each stands, and what it is for."""

HELP = """\
Themes for government press releases, with probabilities and the evidence for each.

Example: tagger tag "Ministers agreed new sanctions on arms dealers."

"""


def main(tokens: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 0 done, 1 failed (or some documents did), 2 wrong usage."""
    from tagger.errors import OptionError, TaggerError

    _replace_closed_streams()
    tokens = sys.argv[1:] if tokens is None else tokens
    try:
        if list(tokens) in ([], ["--help"], ["-h"]):
            sys.stdout.write(overview())
            code = 0
        else:
            with _settings_file(tokens):
                code = int(_app()(tokens, result_action="return_value") or 0)
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


def overview() -> str:
    """Return what `tagger --help` prints; it needs no library, so that a look costs nothing."""
    rows = [*((name, what) for name, (_, what) in COMMANDS.items()), ("--version", "Say which version this is.")]
    listed = "".join(f"  {name:<10} {what}\n" for name, what in rows)
    return f"Usage: tagger COMMAND\n\n{HELP}Commands:\n{listed}\nMore on a command: tagger COMMAND --help\n"


def _app() -> App:
    from cyclopts import App

    app = App(
        name="tagger",
        help=HELP,
        version_flags=["--version"],
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )
    for name, (where, _) in COMMANDS.items():
        app.command(where, name=name)
    return app


@contextmanager
def _settings_file(tokens: Sequence[str]) -> Iterator[None]:
    """Let tagger.toml set what the environment does not, for any command that understands it."""
    path = Path("tagger.toml")
    given = _read_settings(path, tokens) if path.is_file() else {}
    new = {name: value for name, value in given.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _read_settings(path: Path, tokens: Sequence[str]) -> dict[str, str]:
    import json
    import tomllib

    from tagger.errors import OptionError

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        if tokens[0] == "doctor":  # which says what is wrong with it
            return {}
        raise OptionError(f"{path} is not valid TOML ({error}); write lines like `port = 8000`.") from error
    return {
        f"TAGGER_{name.upper()}": value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in content.items()
    }


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
