"""Compare the live model with scikit-learn's textbook pipelines, trained on the same seeds, on a labelled file.

Run it with the environment's python: .venv/bin/python scripts/bench/textbook.py LABELLED.jsonl
A line of LABELLED holds id, title, text, labels and optional_labels (which neither help nor hurt).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tagger.cleaning import content
from tagger.corpus import read_corpus
from tagger.documents import Document
from tagger.evaluation import evaluate
from tagger.registry import Registry
from tagger.tagging import Tagger

REPOSITORY = Path(__file__).resolve().parents[2]
DRAWS = 1000


def main(path: str) -> None:
    """Print micro and macro F1 of each, with the bootstrap interval of the micro F1."""
    records = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    corpus = read_corpus(REPOSITORY / "seeds")
    themes = [card.id for card in corpus.cards]
    texts = [content(record["title"], record["text"]) for record in records]
    truth = sets_of([record["labels"] for record in records], themes)
    optional = sets_of([record["optional_labels"] for record in records], themes) & ~truth

    tagger = Tagger.load(Registry(REPOSITORY / "models").live())
    tags = [tagger.tag(Document(str(record["id"]), record["text"], record["title"])).tags for record in records]
    show(f"tagger {tagger.version}", sets_of([[tag.theme for tag in of] for of in tags], themes), truth, optional)
    for classifier in (LinearSVC(), LogisticRegression(max_iter=1000)):
        pipeline = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(classifier))
        given = pipeline.fit(corpus.texts, corpus.theme_sets.astype(int)).predict(texts).astype(bool)
        show(f"TfidfVectorizer + OneVsRest({type(classifier).__name__})", given, truth, optional)


def sets_of(labels: list[list[str]], themes: list[str]) -> NDArray[np.bool_]:
    """Return theme sets as rows of a matrix."""
    return np.array([[theme in of for theme in themes] for of in labels], dtype=bool)


def show(name: str, given: NDArray[np.bool_], truth: NDArray[np.bool_], optional: NDArray[np.bool_]) -> None:
    """Print the figures of one system."""
    counted = given & ~optional
    scores = evaluate(counted, truth, [str(column) for column in range(truth.shape[1])])
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        rows = rng.integers(len(truth), size=len(truth))
        hits, size = (counted[rows] & truth[rows]).sum(), counted[rows].sum() + truth[rows].sum()
        drawn.append(200 * hits / size)
    low, high = np.percentile(drawn, [2.5, 97.5])
    print(f"{name}: micro {100 * scores['micro_f1']:.1f} ({low:.1f}-{high:.1f}), macro {100 * scores['macro_f1']:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
