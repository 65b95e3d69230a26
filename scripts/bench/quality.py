"""Measure how good the tags are, beside scikit-learn's textbook pipelines, on scenarios that keep their names.

Run it with the environment's python: .venv/bin/python scripts/bench/quality.py [SCENARIO...]

Each scenario trains every system on the same documents and tags the same others. Thresholds, probabilities and
recipe of tagger are chosen in its training, on the training documents alone; scikit-learn's pipelines use the threshold
they come with. Scenarios whose corpus is not on this machine are left out, and said so. Figures that left the range
in expected.toml make the exit code 1: a change that alters tags is to be seen.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tagger.cleaning import content, tokens
from tagger.corpus import read_corpus
from tagger.documents import Document
from tagger.evaluation import Judged, measure
from tagger.folds import group_texts, source_folds, stratified_folds
from tagger.tagging import Tagger
from tagger.training import train

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
EXPECTED = Path(__file__).with_name("expected.toml")
TEST_SHARE = 0.2
MOST_THEMES = 200
"""LogisticRegression is left out where there are more: it would take an hour."""


@dataclass(frozen=True)
class Item:
    """A document with what is true of it."""

    id: str
    title: str | None
    text: str
    themes: tuple[str, ...]
    optional: tuple[str, ...] = ()
    source: str | None = None

    @property
    def read(self) -> str:
        """What a model reads."""
        return content(self.title, self.text)


@dataclass(frozen=True)
class Split:
    """Documents to learn from, documents to tag, and the theme cards."""

    train: Sequence[Item]
    test: Sequence[Item]
    cards: bytes
    themes: Sequence[str]


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios; print a table as Markdown."""
    if unknown := [name for name in arguments if name not in SCENARIOS]:
        print(f"There is no scenario {', '.join(unknown)}; known are {', '.join(SCENARIOS)}.", file=sys.stderr)
        return 2
    names = arguments or list(SCENARIOS)
    expected = tomllib.loads(EXPECTED.read_text(encoding="utf-8"))
    failed = False
    print("| scenario | texts | system | micro F1 | macro F1 | auto | of these right | seconds |")
    print("|---|--:|---|--:|--:|--:|--:|--:|", flush=True)
    for name in names:
        splits = list(SCENARIOS[name]())
        if not splits:
            print(f"{name}: its corpus is not on this machine", file=sys.stderr)
        for system, run in SYSTEMS.items() if splits else ():
            if system.startswith("Logistic") and len(splits[0].themes) > MOST_THEMES:
                continue
            started = time.monotonic()
            judged = _joined([run(split) for split in splits])
            everything = {"all": np.arange(judged.given.shape[1])}
            figures, _ = measure(judged, everything)
            print(_row(name, len(judged.given), system, figures["all"], time.monotonic() - started), flush=True)
            if system == "tagger":
                failed |= _left_range(name, figures["all"], expected.get(name))
    return int(failed)


def _row(name: str, texts: int, system: str, figures: dict[str, Any], seconds: float) -> str:
    def shown(figure: dict[str, float] | None) -> str:
        return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})" if figure else "–"

    auto = [f"{figures[key]['value']:.2f}" if system == "tagger" else "" for key in ("auto_share", "auto_precision")]
    scores = [shown(figures[key]) for key in ("micro_f1", "macro_f1")]
    return f"| {' | '.join([name, f'{texts:,}', system, *scores, *auto, f'{seconds:.0f}'])} |"


def _left_range(name: str, figures: dict[str, Any], expected: dict[str, float] | None) -> bool:
    if expected is None:
        return False
    left = False
    for key in ("micro_f1", "macro_f1"):
        value = 100 * figures[key]["value"]
        if abs(value - expected[key]) > expected["tolerance"]:
            left = True
            print(f"{name}: {key} is {value:.1f}, expected {expected[key]} ±{expected['tolerance']}", file=sys.stderr)
    return left


def _joined(parts: Sequence[Judged]) -> Judged:
    return Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in Judged.__slots__))


# ---- Systems


def _tagger(split: Split) -> Judged:
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder) / "seeds"
        seeds.mkdir()
        (seeds / "themes.yaml").write_bytes(split.cards)
        with (seeds / "seeds.jsonl").open("w", encoding="utf-8") as stream:
            for item in split.train:
                record = {"id": item.id, "title": item.title, "text": item.text, "themes": item.themes}
                stream.write(json.dumps({**record, "source": item.source}) + "\n")
        trained = train(seeds, Path(folder) / "models", merge="union")
        tagger = Tagger.load(trained.version)
        tags = [tagger.tag(Document(item.id, item.text, item.title)).tags for item in split.test]
    given = _sets([[tag.theme for tag in of_text] for of_text in tags], split.themes)
    auto = _sets([[tag.theme for tag in of_text if tag.decision == "auto"] for of_text in tags], split.themes)
    return _judged(split, given, auto)


def _textbook(classifier: Callable[[], Any]) -> Callable[[Split], Judged]:
    def run(split: Split) -> Judged:
        pipeline = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(classifier()))
        truth = _sets([item.themes for item in split.train], split.themes)
        seen = truth.any(axis=0)  # a theme that no document has cannot be fitted
        given = np.zeros((len(split.test), len(split.themes)), dtype=bool)
        pipeline.fit([item.read for item in split.train], truth[:, seen].astype(int))
        given[:, seen] = pipeline.predict([item.read for item in split.test])
        return _judged(split, given, given)

    return run


def _judged(split: Split, given: NDArray[np.bool_], auto: NDArray[np.bool_]) -> Judged:
    truth = _sets([item.themes for item in split.test], split.themes)
    counted = ~_sets([item.optional for item in split.test], split.themes) | truth
    return Judged(given.astype(float), given & counted, auto & counted, truth, counted)


def _sets(labels: Sequence[Sequence[str]], themes: Sequence[str]) -> NDArray[np.bool_]:
    column = {theme: place for place, theme in enumerate(themes)}
    sets = np.zeros((len(labels), len(themes)), dtype=bool)
    for row, of_text in enumerate(labels):
        sets[row, [column[theme] for theme in of_text]] = True
    return sets


SYSTEMS: dict[str, Callable[[Split], Judged]] = {
    "tagger": _tagger,
    "LinearSVC": _textbook(LinearSVC),
    "LogisticRegression": _textbook(lambda: LogisticRegression(max_iter=1000)),
}


# ---- Scenarios


def _starter() -> tuple[list[Item], bytes, list[str]]:
    corpus = read_corpus(REPOSITORY / "seeds")
    items = [
        Item(seed.document.id, seed.document.title, seed.document.text, seed.themes, source=seed.source)
        for seed in corpus.seeds
    ]
    cards = (REPOSITORY / "seeds" / "themes.yaml").read_bytes()
    return items, cards, [card.id for card in corpus.cards]


def _starter_folds() -> Iterator[Split]:
    items, cards, themes = _starter()
    groups = group_texts([tokens(item.read) for item in items], [None] * len(items))
    for seen, unseen in stratified_folds(_sets([item.themes for item in items], themes), groups, 0):
        yield Split([items[row] for row in seen], [items[row] for row in unseen], cards, themes)


def _starter_sources() -> Iterator[Split]:
    items, cards, themes = _starter()
    groups = group_texts([tokens(item.read) for item in items], [None] * len(items))
    for seen, unseen in source_folds([item.source for item in items], groups):
        yield Split([items[row] for row in seen], [items[row] for row in unseen], cards, themes)


def _labelled_elsewhere(path: Path) -> Iterator[Split]:
    if path.is_file():
        items, cards, themes = _starter()
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        test = [_item(record, tuple(record["labels"])) for record in records]
        yield Split(items, test, cards, themes)


def _grouped(path: Path) -> Iterator[Split]:
    """Yield a split of a corpus that keeps near-duplicates together; the cards hold the labels' names alone."""
    if not path.is_file():
        return
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    themes = {
        label: _identifier(label) for label in sorted({label for record in records for label in record["labels"]})
    }
    items = [_item(record, tuple(themes[label] for label in record["labels"])) for record in records]
    groups = group_texts([tokens(item.read) for item in items], [None] * len(items))
    order = np.random.default_rng(0).permutation(groups.max() + 1)
    share = np.cumsum(np.bincount(groups)[order]) / len(items)
    unseen = np.isin(groups, order[: int(np.searchsorted(share, TEST_SHARE)) + 1])
    found = [{"id": theme, "label": label} for label, theme in themes.items()]
    cards = yaml.safe_dump({"scheme": {"id": path.stem, "precision": 0.9}, "themes": found}).encode()
    parts = [[item for item, test in zip(items, unseen, strict=True) if test == wanted] for wanted in (False, True)]
    yield Split(parts[0], parts[1], cards, list(themes.values()))


def _item(record: dict[str, Any], themes: tuple[str, ...]) -> Item:
    optional = record.get("optional_labels", record.get("optional", ()))
    return Item(str(record["id"]), record.get("title"), record["text"], themes, tuple(optional))


def _identifier(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:64]


SCENARIOS: dict[str, Callable[[], Iterator[Split]]] = {
    "starter-folds": _starter_folds,
    "starter-sources": _starter_sources,
    "owners-releases": lambda: _labelled_elsewhere(SHARED / "seeds" / "seeds_gold.jsonl"),
    "state-dev": lambda: _labelled_elsewhere(SHARED / "data" / "state_dev_gold.jsonl"),
    "doj-topics": lambda: _grouped(SHARED / "data" / "doj_topics_train.jsonl.gz"),
    "congress-bills": lambda: _grouped(SHARED / "data" / "congress_bills_train.jsonl.gz"),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
