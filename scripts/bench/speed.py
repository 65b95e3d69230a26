"""Measure how fast texts are scored: both engines beside scikit-learn, on the same blocks of the same models.

Run it with the environment's python: .venv/bin/python scripts/bench/speed.py [CORPUS.jsonl.gz...]

Two kinds of model are fitted on the shipped seeds, of words and of words with pairs, and one with pairs on each corpus
(records with text, title and labels). For each, these score the same texts, turn by turn, on one core:

- `scikit-learn`: its vectorizers for the same four blocks (words, words of the lead, pairs, card terms; its own
  tokens), and one product of the stacked matrix with dense weights;
- `estimator`: the fitted model itself, its vectorizers reading tagger's tokens, and the same product;
- `Pipeline`: make_pipeline(TfidfVectorizer, OneVsRestClassifier(LinearSVC)).predict, words only;
- `numpy`, `compiled`: tagger's engines, a text at a time, and `numpy, many`, a batch of texts.

Then two processes at once; the time of one text of about 3 KB: percentiles, also of `Tagger.tag` with the live
version in models/; and how the time grows with documents, length and themes (random weights). Figures are medians over
rounds; ratios are those of one round, median (least-most).
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from tagger.cleaning import content, lead_end
from tagger.corpus import read_corpus
from tagger.documents import Document
from tagger.engine import compiled_engine
from tagger.model import Recipe, ThemeModel
from tagger.registry import LIVE, Registry
from tagger.scorer import Scorer, ScorerArrays, numeric
from tagger.tagging import Tagger
from tagger.themes import ThemeCard

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 7
MOST = 1000
"""Texts scored in a round."""

LONG = 3000
"""Characters in the texts that are scored one by one."""

Texts = Sequence[str]


@dataclass(frozen=True)
class Case:
    """A fitted model, its arrays in a folder, and the texts it scores."""

    name: str
    model: ThemeModel
    folder: Path
    texts: Texts
    theme_sets: NDArray[np.bool_]

    def scorer(self, engine: str) -> Scorer:
        """Return the compiled form read by one of the engines."""
        return Scorer(ScorerArrays.load(self.folder), {"numpy": numeric, "compiled": compiled_engine()}[engine])


def main(corpora: Sequence[str]) -> None:
    """Print the tables as Markdown."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        cases = [_starter(Path(folder) / "words", pairs=False), _starter(Path(folder) / "pairs", pairs=True)]
        cases += [_case(Path(folder) / str(n), Path(corpus).name, *_read(corpus)) for n, corpus in enumerate(corpora)]
        print("| model | system | MB/s | documents/s | times scikit-learn |\n|---|---|--:|--:|--:|", flush=True)
        for case in cases:
            _throughput(case)
        print("\n| model | two processes, compiled, MB/s | times one |\n|---|--:|--:|", flush=True)
        for case in cases:
            _two_cores(case)
        print(
            "\n| model | one text of 3 KB | p50 ms | p90 ms | p99 ms | times scikit-learn |\n|---|---|--:|--:|--:|--:|"
        )
        for case in cases:
            _latency(case)
        print("\n| what grows | from | to | times as large | times as long |\n|---|--:|--:|--:|--:|")
        _growth(cases[0])


# ---- Models


def _starter(folder: Path, *, pairs: bool) -> Case:
    corpus = read_corpus(REPOSITORY / "seeds")
    name = f"starter, {'words and pairs' if pairs else 'words'}"
    return _case(folder, name, corpus.texts, corpus.theme_sets, corpus.cards, pairs=pairs)


def _read(path: str) -> tuple[Texts, NDArray[np.bool_], list[ThemeCard]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    labels = sorted({label for row in rows for label in row["labels"]})
    theme_sets = np.array([[label in row["labels"] for label in labels] for row in rows])
    cards = [ThemeCard(f"t{number}", label) for number, label in enumerate(labels)]
    return [content(row.get("title"), row["text"]) for row in rows], theme_sets, cards


def _case(
    folder: Path, name: str, texts: Texts, sets: NDArray[np.bool_], cards: Sequence[ThemeCard], *, pairs: bool = True
) -> Case:
    model = ThemeModel.for_corpus(cards, len(texts), Recipe(pairs=pairs)).fit(texts, sets)
    folder.mkdir()
    model.compile().save(folder)
    arrays = ScorerArrays.load(folder)
    sizes = ", ".join(f"{len(block.idf):,}" for block in arrays.blocks())
    print(f"{name}: {len(texts):,} texts, {len(cards)} themes, features {sizes}", file=sys.stderr)
    return Case(name, model, folder, texts[:MOST], sets[:MOST])


class Textbook:
    """Scikit-learn's vectorizers for the four blocks, and one product with weights of the same shape as ours."""

    def __init__(self, case: Case) -> None:
        arrays = ScorerArrays.load(case.folder)
        pairs = [arrays.pair(row) for row in range(len(arrays.pair_keys))]
        lead = [arrays.words[word] for word in np.flatnonzero(arrays.lead_rows >= 0)]
        self._words = TfidfVectorizer(vocabulary=list(arrays.words), sublinear_tf=True).fit(case.texts)
        self._lead = TfidfVectorizer(vocabulary=lead, sublinear_tf=True).fit(case.texts)
        self._pairs = (
            TfidfVectorizer(vocabulary=pairs, ngram_range=(2, 2), sublinear_tf=True).fit(case.texts) if pairs else None
        )
        self._card = CountVectorizer(vocabulary=list(arrays.card_terms), ngram_range=(1, 3))
        self._weights = np.concatenate([block.weights for block in arrays.blocks()])

    def __call__(self, texts: Texts) -> NDArray[np.float64]:
        """Return scores, (n_texts, n_themes)."""
        blocks = [self._words.transform(texts), self._lead.transform([text[: lead_end(text)] for text in texts])]
        blocks += [self._pairs.transform(texts)] if self._pairs else []
        return np.asarray(sp.hstack([*blocks, self._card.transform(texts)], format="csr") @ self._weights)


def _pipeline(case: Case) -> Pipeline:
    some = case.theme_sets[:, case.theme_sets.sum(axis=0) > 1]
    vectorizer = TfidfVectorizer(vocabulary=list(ScorerArrays.load(case.folder).words), sublinear_tf=True)
    return make_pipeline(vectorizer, OneVsRestClassifier(LinearSVC())).fit(case.texts, some)


# ---- Measures


def _throughput(case: Case) -> None:
    numpy = case.scorer("numpy")
    systems: dict[str, Callable[[Texts], object]] = {
        "scikit-learn": Textbook(case),
        "estimator": case.model.decision_function,
        "Pipeline": _pipeline(case).predict,
        "numpy": lambda texts: [numpy.scores(text) for text in texts],
        "numpy, many": lambda texts: [numpy.sum(reading) for reading in numpy.read_many(texts)],
    }
    if compiled_engine():
        compiled = case.scorer("compiled")
        systems["compiled"] = lambda texts: [compiled.scores(text) for text in texts]
    times: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(ROUNDS):
        for name, run in systems.items():
            times[name].append(_seconds(lambda run=run: run(case.texts)))
    for name, taken in times.items():
        rate, size = median(taken), _megabytes(case.texts)
        ratio = _ratio(times["scikit-learn"], taken)
        print(f"| {case.name} | {name} | {size / rate:.1f} | {len(case.texts) / rate:,.0f} | {ratio} |", flush=True)


def _latency(case: Case) -> None:
    joined = "\n\n".join(case.texts)
    texts = [joined[start : start + LONG] for start in range(0, min(len(joined) - LONG, 200 * LONG), LONG)]
    textbook, scorers = Textbook(case), {"numpy": case.scorer("numpy").scores}
    if compiled_engine():
        scorers["compiled"] = case.scorer("compiled").scores
    models = REPOSITORY / "models"
    if case.name == "starter, words" and (models / LIVE).exists():
        tagger = Tagger.load(Registry(models).live())
        scorers["Tagger.tag"] = lambda text: tagger.tag(Document("x", text))
    systems = {"scikit-learn": lambda text: textbook([text]), **scorers}
    times: dict[str, list[float]] = {name: [] for name in systems}
    for text in texts:
        for name, run in systems.items():
            times[name].append(_seconds(lambda run=run, text=text: run(text)))
    for name, taken in times.items():
        p50, p90, p99 = (1000 * float(np.quantile(taken, part)) for part in (0.5, 0.9, 0.99))
        ratio = median(times["scikit-learn"]) / median(taken)
        print(f"| {case.name} | {name} | {p50:.3f} | {p90:.3f} | {p99:.3f} | {ratio:.1f} |", flush=True)


def _growth(case: Case) -> None:
    """Print how much longer more takes: of documents, of one text, of themes."""
    scorer, texts = Scorer(ScorerArrays.load(case.folder)), case.texts[:400]
    long = "\n\n".join(case.texts)
    long *= 10_000_000 // len(long) + 1
    few, many = (Scorer(_with_themes(scorer.arrays, themes)) for themes in (40, 1000))
    rows: list[tuple[str, Sequence[str], float, Callable[[], object], Callable[[], object]]] = [
        ("documents", ("400", "4,000"), 10, _run(scorer, texts), _run(scorer, [*texts] * 10)),
        ("one text", ("100 KB", "10 MB"), 100, _run(scorer, [long[:100_000]] * 10), _run(scorer, [long[:10_000_000]])),
        ("themes", ("40", "1,000"), 25, _run(few, texts), _run(many, texts)),
    ]
    for what, ends, times, less, more in rows:
        taken = [(_seconds(less), _seconds(more)) for _ in range(ROUNDS)]
        per_text = 10 if what == "one text" else 1
        ratios = [per_text * longer / shorter for shorter, longer in taken]
        print(
            f"| {what} | {ends[0]} | {ends[1]} | {times} | {median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f}) |"
        )


def _run(scorer: Scorer, texts: Texts) -> Callable[[], object]:
    return lambda: [scorer.scores(text) for text in texts]


def _with_themes(arrays: ScorerArrays, themes: int) -> ScorerArrays:
    random = np.random.default_rng(0)
    names = ("word_weights", "lead_weights", "pair_weights", "card_weights")
    weights = {name: random.random((len(getattr(arrays, name)), themes), np.float32) for name in names}
    return replace(arrays, bias=np.zeros(themes), **weights)


def _two_cores(case: Case) -> None:
    if not compiled_engine() or (os.cpu_count() or 1) < 2:
        return
    with ProcessPoolExecutor(2, get_context("spawn"), _load, (case.folder, case.texts)) as pool:
        list(pool.map(_score_all, [0, 0]))
        one, two = [], []
        for _ in range(ROUNDS):
            one.append(max(pool.map(_score_all, [5])))
            two.append(max(pool.map(_score_all, [5, 5])))
    rate = 2 * 5 * _megabytes(case.texts) / median(two)
    print(f"| {case.name} | {rate:.1f} | {_ratio([2 * seconds for seconds in one], two)} |", flush=True)


def _load(folder: Path, texts: Texts) -> None:
    global _of_process  # each process has its own
    _of_process = (Scorer(ScorerArrays.load(folder)), texts)


def _score_all(times: int) -> float:
    scorer, texts = _of_process
    return _seconds(lambda: [scorer.scores(text) for _ in range(times) for text in texts])


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return f"{median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"


def _megabytes(texts: Texts) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
