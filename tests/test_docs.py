"""The documentation: its commands run as they stand, and it names what there is."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tagger.cli import COMMANDS
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
FORMATS = (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")
SEEDS_USED = 400
"""Seeds that the session is trained on here; enough for its tags, and quick."""


def session() -> str:
    """Return the commands of the README's session."""
    section = README.split("## A session")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.skipif(not shutil.which("curl"), reason="the session posts with curl, which is not on this machine")
def test_the_session_of_the_readme_runs(tmp_path: Path) -> None:
    """Every command of the README's session succeeds in its order, and gives what the README says it gives."""
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    shutil.copytree(REPOSITORY / "seeds", tmp_path / "seeds", ignore=shutil.ignore_patterns("added"))
    starter = tmp_path / "seeds" / "starter.jsonl"
    lines = starter.read_text(encoding="utf-8").splitlines(keepends=True)
    starter.write_text("".join(lines[:SEEDS_USED]), encoding="utf-8")
    # The environment of this test stands for the one that scripts/setup makes.
    for stand_in in (tmp_path / ".venv" / "bin" / "activate", tmp_path / "scripts" / "setup"):
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        stand_in.write_text("#!/bin/sh\n", encoding="utf-8")
        stand_in.chmod(0o755)
    port = str(free_port())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGGER_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TAGGER_PORT": port}
    script = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{session().replace('8000', port)}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    posted = next(line for line in done.stdout.splitlines() if '"title":"Asset Freeze for Three Brokers"' in line)
    assert '"theme":"sanctions"' in posted
    assert "v0001 is live again instead of v0002." in done.stderr
    records = [json.loads(line) for line in (tmp_path / "tags.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["id"] for record in records] == ["two-releases.txt#1", "two-releases.txt#2", "vaccination.html"]


def test_every_command_is_documented(run) -> None:  # type: ignore[no-untyped-def]
    """Each command stands in the list of commands, and in the README or the page on formats or on running it."""
    code, out, _ = run("--help")
    assert code == 0
    for command in COMMANDS:
        assert f"  {command} " in out
        assert f"tagger {command}" in README + FORMATS + OPERATIONS


def test_settings_are_documented() -> None:
    """Each setting stands in the table of settings under the name of its variable."""
    from tagger.settings import PREFIX, Settings

    for name in Settings.model_fields:
        assert f"`{PREFIX}{name.upper()}`" in OPERATIONS


def test_file_kinds_are_documented() -> None:
    """Each kind of file that is read stands in the page on formats, plain or compressed."""
    from tagger.readers import READERS

    for suffix in READERS:
        assert suffix.removesuffix(".gz") in FORMATS


@pytest.mark.parametrize("path", sorted((REPOSITORY / "tests").glob("test_*.py")), ids=lambda path: path.stem)
def test_every_test_states_a_fact(path: Path) -> None:
    """Each test has a docstring with the fact it proves."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_no_file_names_a_machine() -> None:
    """No committed file holds a home folder, a registry's host or an address of another machine."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    forbidden = re.compile(r"/(?:root|home)/\w|/wo" r"rk/|py" r"pi\.org|files\.python" r"hosted|regis" r"try\.npm")
    for name in listed.stdout.split("\n"):
        path = REPOSITORY / name
        if path.is_file() and path.stat().st_size < 1_000_000:
            assert not forbidden.search(path.read_text(encoding="utf-8", errors="ignore")), name
