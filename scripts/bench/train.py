"""Measure what training costs: `tagger train` by phase, and its fits beside scikit-learn's textbook on the same folds.

Run it with the environment's python: .venv/bin/python scripts/bench/train.py [--folds N] [CORPUS.jsonl.gz...]

Ours: all folds' texts are counted once, then features, fits of all themes and scores of the held-out texts, one fold
at a time. Textbook: OneVsRestClassifier(LinearSVC()) over a TfidfVectorizer of the same blocks (words, from 3,000
texts on also pairs), fitted on each fold's texts. Both are run fold by fold in turn, each in a process of its own on
one core, which tells its processor seconds and its greatest memory. A fold of a large corpus takes the textbook long:
`--folds 1`.
Corpora hold a record per line, with text, title and labels.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from tagger.cleaning import content, tokens
from tagger.corpus import read_corpus
from tagger.features import PAIRS_FROM
from tagger.folds import FOLDS, Fold, group_texts, stratified_folds
from tagger.model import Recipe
from tagger.themes import ThemeCard
from tagger.training import train
from tagger.validation import Labelled, hold_out

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
ONE_MORE = {"id": "one-more", "title": "One more", "text": "A release that was added to the seeds.", "themes": []}


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", metavar="CORPUS", type=Path, nargs="*", help="labelled records to fit, .jsonl.gz")
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five folds are fitted")
    parser.add_argument("--fit", nargs=2, metavar=("KIND", "FOLD"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fit:
        kind, fold = asked.fit
        print(json.dumps(_fit(kind, asked.corpora[0], int(fold))))
        return
    _print_phases()
    print("\n| corpus | texts | themes | ours CPU s | textbook CPU s | textbook / ours | MiB | textbook MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for corpus in (SEEDS, *asked.corpora):
        _print_fits(corpus, asked.folds)


# ---- The whole training


def _print_phases() -> None:
    """Train twice in one process, the second time with a seed more."""
    with tempfile.TemporaryDirectory() as folder:
        seeds, models = Path(folder) / "seeds", Path(folder) / "models"
        shutil.copytree(SEEDS, seeds)
        first = _phases(seeds, models)
        (seeds / "one-more.jsonl").write_text(json.dumps(ONE_MORE) + "\n", encoding="utf-8")
        second = _phases(seeds, models)
    print("| phase | s | with one seed more, s |\n|---|--:|--:|")
    for phase, seconds in first.items():
        print(f"| {phase} | {seconds:.2f} | {second[phase]:.2f} |")
    print(f"| all | {sum(first.values()):.2f} | {sum(second.values()):.2f} |", flush=True)


def _phases(seeds: Path, models: Path) -> dict[str, float]:
    """Return the seconds of each phase of a training."""
    starts: dict[str, float] = {}

    def note(phase: str, _done: float) -> None:
        starts.setdefault(phase, time.perf_counter())

    train(seeds, models, progress=note)
    ends = [*list(starts.values())[1:], time.perf_counter()]
    return {phase: end - start for (phase, start), end in zip(starts.items(), ends, strict=True)}


# ---- Fits on folds


def _print_fits(corpus: Path, folds: int) -> None:
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in FITS}
    for fold in range(folds):
        for kind in FITS:
            command = [sys.executable, __file__, str(corpus), "--fit", kind, str(fold)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            found[kind].append(json.loads(answer.stdout))
    ours, theirs = found.values()
    ratios = sorted(their["seconds"] / our["seconds"] for our, their in zip(ours, theirs, strict=True))
    cells = [
        corpus.name.partition(".")[0],
        *(f"{ours[0][name]:,}" for name in ("texts", "themes")),
        *(f"{statistics.median(run['seconds'] for run in runs):.2f}" for runs in (ours, theirs)),
        f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}-{ratios[-1]:.1f})",
        *(f"{max(run['mebibytes'] for run in runs):,.0f}" for runs in (ours, theirs)),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def _fit(kind: str, corpus: Path, fold: int) -> dict[str, Any]:
    """Fit one fold on one processor; return what it took."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    texts, labelled = _read(corpus)
    folds = stratified_folds(labelled.theme_sets, labelled.groups, 0)
    with threadpool_limits(limits=1):
        seconds = FITS[kind](texts, labelled, folds[fold])
    return {
        "texts": len(texts),
        "themes": labelled.theme_sets.shape[1],
        "seconds": seconds,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _ours(texts: list[str], labelled: Labelled, fold: Fold) -> float:
    recipe = Recipe.usual(len(texts))
    started = time.process_time()
    labelled = replace(labelled, read=[tokens(text) for text in texts])
    labelled.words.blocks(pairs=recipe.pairs)
    labelled.card_counts  # noqa: B018
    counted = time.process_time()
    hold_out(labelled, [fold], [recipe], np.arange(labelled.theme_sets.shape[1]), lambda _fits: None)
    # Texts are read and counted once for all folds; the textbook's vectorizer does it for each.
    return time.process_time() - counted + (counted - started) / FOLDS


def _textbook(texts: list[str], labelled: Labelled, fold: Fold) -> float:
    ngrams = (1, 2) if len(texts) >= PAIRS_FROM else (1, 1)
    started = time.process_time()
    seen, unseen = ([texts[row] for row in rows] for rows in fold)
    truth = labelled.theme_sets[fold[0]]
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=ngrams)
    pipeline = make_pipeline(vectorizer, OneVsRestClassifier(LinearSVC()))
    pipeline.fit(seen, truth[:, truth.any(axis=0)].astype(int))
    pipeline.decision_function(unseen)
    return time.process_time() - started


FITS: dict[str, Callable[[list[str], Labelled, Fold], float]] = {"ours": _ours, "textbook": _textbook}


def _read(corpus: Path) -> tuple[list[str], Labelled]:
    if corpus.is_dir():
        seeds = read_corpus(corpus)
        return list(seeds.texts), Labelled.of(seeds)
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    texts = [content(record.get("title"), record["text"]) for record in records]
    labels = sorted({label for record in records for label in record["labels"]})
    theme_sets = np.array([np.isin(labels, record["labels"]) for record in records])
    read = [tokens(text) for text in texts]
    cards = [ThemeCard(str(number), label) for number, label in enumerate(labels)]
    return texts, Labelled(read, theme_sets, cards, group_texts(read, [None] * len(read)), [None] * len(read))


if __name__ == "__main__":
    main()
