"""Promote a hundred times under load: two servers on one folder of models, three workers, four clients.

Run it with the environment's python: .venv/bin/python scripts/bench/promotions.py [--models models] [--seeds seeds]

Trains a second version with one seed less, in a copy of the folder, with other labels, so that an answer shows in each
of its parts which version it is from. Prints how many answers each version gave, how many requests failed, how many
answers were of more than one version, and how long after a promotion the last old answer came.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from overload import HOST, REPOSITORY, Service

from tagger.registry import Registry
from tagger.training import train

PROMOTIONS = 100
CLIENTS = 4
FOLLOW_SECONDS = 2.0
HEADERS = {"Content-Type": "application/json"}
LABEL = "label: "


class Answer(NamedTuple):
    """When a request was sent and answered, and with which version; `versions` holds all that show in it."""

    sent: float
    came: float
    status: int
    versions: frozenset[str]


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description="Promote often under load.")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "models")
    parser.add_argument("--seeds", type=Path, default=REPOSITORY / "seeds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = Path(shutil.copytree(given.models, folder / "models"))
        old = Registry(models).live().name
        new = train(fewer_seeds(given.seeds, folder / "seeds"), models, promote=False).version.name
        labels = {name: labels_of(models, name) for name in (old, new)}
        with Service(models) as one, Service(models, workers=2) as two:
            answers, promotions = under_load([one.port, two.port], models, labels)
            logs = one.log.read_text(encoding="utf-8") + two.log.read_text(encoding="utf-8")
    show(answers, promotions)
    print(f"Tracebacks in the logs: {logs.count('Traceback')}")


def fewer_seeds(seeds: Path, folder: Path) -> Path:
    """Copy the seeds but for one, and with other labels."""
    shutil.copytree(seeds, folder)
    starter = folder / "starter.jsonl"
    lines = starter.read_text(encoding="utf-8").splitlines(keepends=True)
    starter.write_text("".join(lines[1:]), encoding="utf-8")
    cards = folder / "themes.yaml"
    written = cards.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(written) if line.strip() == "themes:")
    changed = [line.replace(LABEL, f"{LABEL}New ") if line.startswith("  label: ") else line for line in written[at:]]
    cards.write_text("".join([*written[:at], *changed]), encoding="utf-8")
    return folder


def labels_of(models: Path, name: str) -> frozenset[str]:
    """Return the labels of a version's themes."""
    saved = json.loads((Registry(models).get(name).folder / "themes.json").read_text(encoding="utf-8"))
    return frozenset(theme["label"] for theme in saved["themes"])


def under_load(
    ports: list[int], models: Path, labels: dict[str, frozenset[str]]
) -> tuple[list[Answer], list[tuple[float, str]]]:
    """Promote in turn while clients ask; return the answers, and when each promotion was done."""
    stopped = threading.Event()
    answers: list[list[Answer]] = [[] for _ in range(CLIENTS)]
    clients = [
        threading.Thread(target=lambda n=n: answers[n].extend(ask(ports[n % 2], labels, stopped)))
        for n in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    time.sleep(1)
    promotions = []
    names = list(labels)
    for number in range(PROMOTIONS):
        name = names[(number + 1) % 2]
        Registry(models).promote(name)
        promotions.append((time.monotonic(), name))
        # Some follow at once, before servers have noticed the last; some when all is settled.
        time.sleep(FOLLOW_SECONDS + 0.5 if number % 5 == 4 else 0.1 * (number % 5))
    stopped.set()
    for client in clients:
        client.join()
    return [answer for each in answers for answer in each], promotions


def ask(port: int, labels: dict[str, frozenset[str]], stopped: threading.Event) -> Iterator[Answer]:
    """Tag a few texts again and again over one connection."""
    with (REPOSITORY / "seeds" / "starter.jsonl").open(encoding="utf-8") as seeds:
        texts = [json.loads(line)["text"] for line, _ in zip(seeds, range(5), strict=False)]
    body = json.dumps({"documents": [{"text": text} for text in texts], "include": "all"})
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    while not stopped.is_set():
        sent = time.monotonic()
        try:
            connection.request("POST", "/v1/tags/batch", body, HEADERS)
            response = connection.getresponse()
            answer = json.loads(response.read())
            versions = versions_in(answer, labels) if response.status == 200 else frozenset[str]()
            yield Answer(sent, time.monotonic(), response.status, versions)
        except (OSError, http.client.HTTPException):
            connection.close()
            yield Answer(sent, time.monotonic(), 0, frozenset())
    with contextlib.suppress(OSError):
        connection.close()


def versions_in(answer: dict[str, object], labels: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return every version that an answer, one of its results, or the label of a score is of."""
    results = answer["results"]
    assert isinstance(results, list)
    said = {str(answer["version"]), *(result["version"] for result in results)}
    shown = {score["label"] for result in results for score in result["scores"]}
    return frozenset(said | {name for name, known in labels.items() if known & shown})


def show(answers: list[Answer], promotions: list[tuple[float, str]]) -> None:
    """Print the figures."""
    given = Counter(next(iter(answer.versions)) for answer in answers if len(answer.versions) == 1)
    print(f"Promotions: {len(promotions)}, answers: {len(answers):,}")
    print(f"Answers per version: {', '.join(f'{name} {times:,}' for name, times in sorted(given.items()))}")
    print(f"Failed: {sum(answer.status != 200 for answer in answers)}")
    print(f"Of more than one version: {sum(len(answer.versions) > 1 for answer in answers)}")
    late = [lateness(answer, promotions) for answer in answers]
    print(f"Last old answer, seconds after its promotion: {max(late):.2f} (limit {FOLLOW_SECONDS:g})")


def lateness(answer: Answer, promotions: list[tuple[float, str]]) -> float:
    """Return how long a request's version had not been live any more when the request was sent."""
    past = [(at, name) for at, name in promotions if at <= answer.sent]
    since = 0.0
    for at, name in reversed(past):
        if name in answer.versions:
            return answer.sent - since if since else 0.0
        since = at
    return 0.0


if __name__ == "__main__":
    main()
