"""A tiny world of seeds, and a version trained on it once per session."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from tagger.tagging import Tagger
    from tagger.validation import Labelled

# The jobs that a shell runs in the background ignore Ctrl-C, and so would the programs that tests send it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

T = TypeVar("T")

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"

CARDS = """\
scheme:
  id: tiny
  title: A tiny scheme
  groups:
  - {id: all, label: All themes}
themes:
- id: fisheries
  label: Fisheries
  group: all
  altLabels: [fishing]
  keywords: [trawler, herring, catch quota]
  scopeNote: Boats, fish and who may catch them.
- id: railways
  label: Railways
  group: all
  altLabels: [trains, rail transport]
  keywords: [locomotive, timetable, signalling]
- id: vaccines
  label: Vaccines
  group: all
  altLabels: [vaccination, immunisation]
  keywords: [dose, measles, clinic]
- id: lighthouses
  label: Lighthouses
  group: all
  altLabels: [light station]
  keywords: [beacon, foghorn, lantern room, keeper of the light]
"""

SENTENCES = {
    "fisheries": [
        "Ministers agreed a lower catch quota for herring in the northern waters.",
        "Every trawler above twelve metres must report its landings within a day.",
        "Inspectors boarded nine boats and measured the mesh of their nets.",
        "The cod stock has recovered for the third spring in a row, scientists found.",
        "Skippers may swap unused quota with a neighbouring port until November.",
        "A licence to fish for scallops will cost the same as before.",
        "The two coastal states signed an accord on mackerel and blue whiting.",
        "Undersized fish must go back to the sea alive, the order says.",
        "Harbour towns receive a fund for freezers and ice machines.",
        "Observers will sail with the long-line fleet during the tuna season.",
    ],
    "railways": [
        "The new timetable brings an hourly train to the valley stations.",
        "Signalling on the coastal line is replaced during four weekends.",
        "The ministry ordered twenty locomotives that run on batteries.",
        "Passengers with delayed trains will be refunded without asking.",
        "A tunnel under the ridge shortens the freight route by an hour.",
        "Level crossings at eleven villages will be closed or rebuilt.",
        "The night service to the capital returns after nine years.",
        "Rail workers and the operator settled on shifts of eight hours.",
        "Old carriages are refitted with ramps and wider doors.",
        "The regulator fined the track company for late repairs.",
    ],
    "vaccines": [
        "Measles immunisation opens to every child from nine months on.",
        "The first dose is given at the school clinic, the second at home.",
        "Cold boxes keep the vials at four degrees on the mountain roads.",
        "Nurses trained in April will vaccinate the islands by June.",
        "A register shows which villages still miss their booster.",
        "The agency approved a vaccine against the fever after two trials.",
        "Pharmacies may offer the flu jab without an appointment.",
        "Side effects were mild and rare, the safety board reported.",
        "The fund buys twelve million doses for the rainy season.",
        "Parents receive a message when the next vaccination is due.",
    ],
    "none": [
        "The archive of the ministry moves to a building by the river.",
        "A portrait of the founder was unveiled in the entrance hall.",
        "The canteen serves soup on Thursdays, the notice adds.",
        "Visitors are asked to leave umbrellas at the desk.",
        "The clock above the gate was repaired by a local workshop.",
        "New chairs arrived for the reading room in March.",
        "The garden opens to staff and guests at noon.",
        "An orchestra of pupils played in the courtyard.",
        "The stamp collection can be seen until the end of the month.",
        "A plaque remembers the architect of the west wing.",
    ],
}

RELEASE = """\
Measles Campaign Reaches the Islands

The first dose is given at a clinic on each island, the ministry said, and the trawler that carries the
vaccine sails on Monday. Measles immunisation is free.
"""


def tiny_documents() -> list[dict[str, object]]:
    """Return forty labelled documents of three sentences each, and some of two themes."""
    documents: list[dict[str, object]] = []
    for theme, sentences in SENTENCES.items():
        for number in range(10):
            chosen = [sentences[(number + step) % 10] for step in (0, 3, 7)]
            documents.append(
                {
                    "id": f"{theme}-{number}",
                    "title": f"{chosen[1].split()[0]} {chosen[0].split()[1]} {number + 1}",
                    "text": "\n\n".join(chosen),
                    "themes": [] if theme == "none" else [theme],
                    "source": ("north", "south")[number % 2],
                }
            )
    for number in range(6):
        chosen = [SENTENCES["fisheries"][number], SENTENCES["vaccines"][number + 2], SENTENCES["vaccines"][number + 4]]
        documents.append(
            {"id": f"both-{number}", "text": " ".join(chosen), "themes": ["fisheries", "vaccines"], "source": "north"}
        )
    return documents


def write_seeds(folder: Path) -> Path:
    """Write the tiny world into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "themes.yaml").write_text(CARDS, encoding="utf-8")
    lines = "".join(f"{json.dumps(document)}\n" for document in tiny_documents())
    (folder / "tiny.jsonl").write_text(lines, encoding="utf-8")
    return folder


# ---- Jobs

WAITS = """\
import fcntl
from tagger.jobs import kinds, store, supervisor

def wait(options, work):
    work.progress("waiting for another training", 0)
    with (work.places.models / ".training").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
    return {}

kinds.KINDS = {"train": kinds.Kind(kinds.TrainOptions, wait)}
supervisor.LOOK_SECONDS, store.PAUSE_SECONDS = 0.05, {}
"""


@pytest.fixture
def trainings_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In other processes a training only waits for another one: that needs no library, and so no time."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(WAITS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python"), prepend=os.pathsep)


@contextmanager
def training(models: Path) -> Iterator[None]:
    """Be somebody else who trains, so that a job comes to where it waits, and stays there."""
    from tagger.training import TRAINING

    with (models / TRAINING).open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def until(fact: Callable[[], T]) -> T:
    """Wait until something has come true; return it."""
    deadline = time.monotonic() + 30
    while not (found := fact()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return found


def runners(state: Path) -> list[int]:
    """Return the processes that run jobs of an installation."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"--state={state}".encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What services keep while they are tested stands outside the repository."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("TAGGER_STATE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny seeds; read-only."""
    return write_seeds(tmp_path_factory.mktemp("world") / "seeds")


@pytest.fixture(scope="session")
def labelled(tiny_seeds: Path) -> Labelled:
    """The tiny seeds, read and grouped."""
    from tagger.corpus import read_corpus
    from tagger.validation import Labelled

    return Labelled.of(read_corpus(tiny_seeds))


@pytest.fixture(scope="session")
def tiny_models(tiny_seeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one trained, live version; read-only: copy it to change it."""
    from tagger.training import train

    models = tmp_path_factory.mktemp("trained") / "models"
    train(tiny_seeds, models)
    return models


@pytest.fixture(scope="session")
def promised_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that promises a precision of .7, and of .95 for railways, which ten seeds cannot keep; read-only."""
    from tagger.training import train

    seeds = write_seeds(tmp_path_factory.mktemp("promised") / "seeds")
    cards = CARDS.replace("  id: tiny\n", "  id: tiny\n  precision: 0.7\n")
    cards = cards.replace("  label: Railways\n", "  label: Railways\n  precision: .95\n")
    (seeds / "themes.yaml").write_text(cards, encoding="utf-8")
    models = seeds.parent / "models"
    train(seeds, models)
    return models


@pytest.fixture(scope="session")
def tiny_tagger(tiny_models: Path) -> Tagger:
    """The tagger of the trained version."""
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    return Tagger.load(Registry(tiny_models).live())


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """Tiny seeds of one's own."""
    return write_seeds(tmp_path / "seeds")


@pytest.fixture
def models(tiny_models: Path, tmp_path: Path) -> Path:
    """A copy of the trained version of one's own."""
    return Path(shutil.copytree(tiny_models, tmp_path / "models"))


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str, str]]:
    """Run a command of the command line in this process: exit code, standard output, standard error."""
    from tagger.cli import main

    def run_command(*arguments: object) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run_command


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of corpora beside the repository; tests that need it are skipped where it is absent."""
    if not (SHARED / "seeds").is_dir():
        pytest.skip("the corpora beside the repository (../shared) are not on this machine")
    return SHARED
