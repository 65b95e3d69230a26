"""Measure what evidence costs: terms and sentences of every tag, beside the tagging of the same documents alone.

Run it with the environment's python: .venv/bin/python scripts/bench/evidence.py [DOCUMENTS]

Tags each document without and with evidence in turn and prints the ratio of the times. DOCUMENTS are files that tagger
reads; without one, the starter seeds.
"""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median

from tagger.documents import Document
from tagger.readers import documents
from tagger.registry import Registry
from tagger.tagging import Tagger, Wanted

REPOSITORY = Path(__file__).resolve().parents[2]
MOST = 500
ROUNDS = 5
ALLOWED = 5.0


def main(inputs: list[str]) -> int:
    """Print the median time per document of each and their ratio."""
    tagger = Tagger.load(Registry(REPOSITORY / "models").live())
    found = documents(inputs or [str(REPOSITORY / "seeds" / "starter.jsonl")])
    read = list(islice((item for item in found if isinstance(item, Document)), MOST))
    plain, explained = [], []
    for _ in range(ROUNDS):
        plain.append(_seconds(tagger, read, Wanted()))
        explained.append(_seconds(tagger, read, Wanted(explain=True)))
    ratio = median(explained) / median(plain)
    each = [1000 * median(times) / len(read) for times in (plain, explained)]
    print(f"{len(read)} documents: tags {each[0]:.2f} ms, with evidence {each[1]:.2f} ms each; {ratio:.1f} times")
    return int(ratio > ALLOWED)


def _seconds(tagger: Tagger, read: list[Document], wanted: Wanted) -> float:
    started = time.perf_counter()
    for document in read:
        tagger.tag(document, wanted).as_record()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
