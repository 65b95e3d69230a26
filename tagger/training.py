"""Training: the seeds become a new version, with thresholds and probabilities from scores no model saw in training."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from tagger.classifiers import fit_linear
from tagger.cleaning import Tokens, tokens
from tagger.corpus import THEMES_FILE, Corpus, Merge, read_corpus, seed_files
from tagger.decisions import NOTHING, DecisionRule
from tagger.evaluation import evaluate, micro_f1
from tagger.folds import Fold, group_texts, source_folds, stratified_folds
from tagger.model import ThemeModel
from tagger.registry import Registry, Version
from tagger.scorer import Scorer
from tagger.tagging import SCORER, THEMES, save_boilerplate, theme_file
from tagger.thresholds import card_only_threshold, pooled_curve, probability_curves, theme_thresholds

CARD_STRENGTHS = (0.0, 0.25, 0.35, 0.5, 0.7)
REPEATS = 3
"""How often the stratified folds are drawn anew for the thresholds."""

NEARNESS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
CANARIES = 6
LEAST_PROBABILITY = 1e-6
"""The lowest threshold: a probability of nothing gives no theme."""

PIPELINE = "pipeline.joblib"
SUMMARY = ("texts", "micro_f1", "macro_f1", "samples_f1", "precision", "recall")

Scores = NDArray[np.float64]
Progress = Callable[[str, float], None]
"""Called with the phase and how much of it is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of texts by models that did not see them: `scores` (n_rows, n_themes) for the rows of the corpus."""

    rows: NDArray[np.intp]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Trained:
    """A saved version and what was measured on the way."""

    version: Version
    report: dict[str, Any]


def train(
    seeds: Path,
    models: Path,
    *,
    promote: bool = True,
    merge: Merge = "refuse",
    progress: Progress = lambda _phase, _done: None,
) -> Trained:
    """Train on the seeds below a folder and save a version, live at once unless `promote` is False.

    Raises SeedsError that lists what is wrong with the seeds, and OutputError where `models` cannot be written.
    """
    started = time.monotonic()
    progress("reading seeds", 0)
    corpus = read_corpus(seeds, merge)
    read = [tokens(text) for text in corpus.texts]
    progress("grouping near-duplicates", 0)
    groups = group_texts(read, [seed.page for seed in corpus.seeds])
    strength, held_out, tried = _cross_validate(corpus, read, groups, progress)
    progress("fitting", 0)
    model = ThemeModel(corpus.cards, card_strength=strength).fit(read, corpus.theme_sets)
    rule = _decision_rule(model, corpus, read, held_out)
    report = _report(corpus, rule, held_out, strength, tried)
    progress("saving", 0)
    registry = Registry(models)
    version = registry.save(
        lambda folder: _write_version(folder, seeds, corpus, model, rule, report),
        {"seconds": round(time.monotonic() - started, 1)},
    )
    if promote:
        registry.promote(version.name)
    return Trained(version, report)


def _cross_validate(
    corpus: Corpus, read: Sequence[Tokens], groups: NDArray[np.intp], progress: Progress
) -> tuple[float, list[HeldOut], dict[float, float]]:
    """Choose the card strength; return it, held-out scores for it (stratified, then by source) and what was tried."""
    drawn = [stratified_folds(corpus.theme_sets, groups, seed) for seed in range(REPEATS)]
    by_source = source_folds([seed.source for seed in corpus.seeds], groups)
    kinds = [folds for folds in (drawn[0], by_source) if folds]
    total = sum(map(len, [*kinds, *drawn[1:]]))
    done = 0

    def scores_of(folds: list[Fold], strengths: Sequence[float]) -> dict[float, Scores]:
        nonlocal done
        scores = {strength: np.zeros(corpus.theme_sets.shape) for strength in strengths}
        for train_rows, test_rows in folds:
            for strength, found in _fold_scores(corpus, read, train_rows, test_rows, strengths).items():
                scores[strength][test_rows] = found
            done += 1
            progress("cross-validating", done / total)
        return scores

    per_kind = [scores_of(folds, CARD_STRENGTHS) for folds in kinds]
    strength, tried = _choose_strength(corpus.theme_sets, kinds, per_kind)
    repeats = [per_kind[0][strength], *(scores_of(folds, [strength])[strength] for folds in drawn[1:])]
    every_row = np.arange(len(read))
    held_out = [HeldOut(every_row, np.mean(repeats, axis=0))]
    if by_source:
        rows = np.sort(np.concatenate([test for _, test in by_source]))
        held_out.append(HeldOut(rows, per_kind[1][strength][rows]))
    return strength, held_out, tried


def _fold_scores(
    corpus: Corpus, read: Sequence[Tokens], train: NDArray[np.intp], test: NDArray[np.intp], strengths: Sequence[float]
) -> dict[float, Scores]:
    """Return the scores of the test texts by a model fitted on the others, for each card strength."""
    model = ThemeModel(corpus.cards)
    features, card_scores = model.fit_features([read[row] for row in train])
    test_features, test_card_scores = model.features([read[row] for row in test])
    scores = {}
    for strength in strengths:
        linear = fit_linear(features, card_scores, corpus.theme_sets[train], card_strength=strength, c=model.c)
        scores[strength] = linear.scores(test_features, test_card_scores)
    return scores


def _choose_strength(
    theme_sets: NDArray[np.bool_], kinds: list[list[Fold]], per_kind: list[dict[float, Scores]]
) -> tuple[float, dict[float, float]]:
    """Return the largest card strength within one standard error of the best (Breiman et al. 1984), and the F1 of each.

    The largest, because seeds are always easier than an archive, and trust the cards too little.
    """
    means: dict[float, float] = {}
    errors: dict[float, float] = {}
    for strength in CARD_STRENGTHS:
        f1 = [_fold_f1(theme_sets, folds, scores[strength]) for folds, scores in zip(kinds, per_kind, strict=True)]
        means[strength] = float(np.mean([np.mean(of_kind) for of_kind in f1]))
        variance = sum(np.var(of_kind, ddof=1) / len(of_kind) for of_kind in f1)
        errors[strength] = float(np.sqrt(variance)) / len(f1)
    best = max(means, key=lambda strength: means[strength])
    within = [strength for strength in CARD_STRENGTHS if means[strength] >= means[best] - errors[best]]
    return max(within), {strength: round(mean, 6) for strength, mean in means.items()}


def _fold_f1(theme_sets: NDArray[np.bool_], folds: list[Fold], scores: Scores) -> list[float]:
    rows = np.concatenate([test for _, test in folds])
    given = scores >= theme_thresholds(scores[rows], theme_sets[rows])
    return [micro_f1(given[test], theme_sets[test]) for _, test in folds]


def _decision_rule(
    model: ThemeModel, corpus: Corpus, read: Sequence[Tokens], held_out: Sequence[HeldOut]
) -> DecisionRule:
    """Set thresholds and probability curves from held-out scores; themes without seeds get theirs from the others' cards."""
    learned = model.linear_.learned
    theme_sets = corpus.theme_sets
    thresholds = np.mean([theme_thresholds(part.scores, theme_sets[part.rows]) for part in held_out], axis=0)
    rows = np.concatenate([part.rows for part in held_out])
    scores = np.concatenate([part.scores for part in held_out])
    slope, intercept = probability_curves(scores, theme_sets[rows])
    if not learned.all() and learned.any():
        _, card_scores = model.features(read)
        alone, truth = model.linear_.card_only_scores(card_scores)[:, learned], theme_sets[:, learned]
        thresholds[~learned] = card_only_threshold(alone, truth)
        slope[~learned], intercept[~learned] = pooled_curve(alone, truth)
    rule = DecisionRule(slope, intercept, np.zeros_like(slope), 1.0)
    rule = replace(rule, thresholds=np.maximum(rule.probabilities(thresholds), LEAST_PROBABILITY))
    return replace(rule, nearness=_nearness(rule, rule.probabilities(scores), theme_sets[rows]))


def _nearness(rule: DecisionRule, probabilities: Scores, theme_sets: NDArray[np.bool_]) -> float:
    """Return how near to its threshold the best theme must be to be given for review: what gives the best F1."""
    f1 = {
        nearness: micro_f1(replace(rule, nearness=nearness).decide(probabilities) != NOTHING, theme_sets)
        for nearness in NEARNESS
    }
    return max(NEARNESS, key=lambda nearness: (f1[nearness], nearness))


def _report(
    corpus: Corpus, rule: DecisionRule, held_out: Sequence[HeldOut], strength: float, tried: dict[float, float]
) -> dict[str, Any]:
    """Return what training found, measured on texts held out; kinds of folds are reported apart."""
    themes = [card.id for card in corpus.cards]
    kinds = {}
    for name, part in zip(("stratified", "by_source"), held_out, strict=False):
        given = rule.decide(rule.probabilities(part.scores)) != NOTHING
        kinds[name] = {"texts": len(part.rows), **evaluate(given, corpus.theme_sets[part.rows], themes)}
    counts = corpus.theme_sets.sum(axis=0).tolist()
    return {
        "seeds": len(corpus.seeds),
        "unreviewed": corpus.unreviewed,
        "card_strength": strength,
        "card_strengths_tried": {str(tried_strength): f1 for tried_strength, f1 in tried.items()},
        "nearness": rule.nearness,
        "themes": {
            theme: {"seeds": count, "threshold": threshold}
            for theme, count, threshold in zip(themes, counts, rule.thresholds.tolist(), strict=True)
        },
        "held_out": kinds,
    }


def _write_version(
    folder: Path, seeds: Path, corpus: Corpus, model: ThemeModel, rule: DecisionRule, report: dict[str, Any]
) -> dict[str, Any]:
    """Write the files of a version; return its manifest."""
    arrays = model.compile()
    (folder / SCORER).mkdir()
    arrays.save(folder / SCORER)
    themes = [
        {
            **asdict(card),
            "seeds": int(corpus.theme_sets[:, column].sum()),
            "slope": float(rule.slope[column]),
            "intercept": float(rule.intercept[column]),
            "threshold": float(rule.thresholds[column]),
        }
        for column, card in enumerate(corpus.cards)
    ]
    (folder / THEMES).write_text(theme_file(themes, rule.nearness), encoding="utf-8")
    save_boilerplate(folder, corpus.learned)
    _write_pipeline(folder / PIPELINE, model)
    _write_report(folder / "report", report)
    scorer = Scorer(arrays)
    return {
        "seeds": _digest_files(seeds, list(seed_files(seeds))),
        "themes": _digest_files(seeds, [seeds / THEMES_FILE]),
        "settings": {"card_strength": model.card_strength, "c": model.c, "pairs": model.blocks_.pairs},
        "libraries": {name: installed(name) for name in ("tagger", "numpy", "scipy", "scikit-learn", "joblib")},
        "python": platform.python_version(),
        "scores": {kind: {name: row[name] for name in SUMMARY} for kind, row in report["held_out"].items()},
        "canaries": [
            {"text": text, "probabilities": rule.probabilities(scorer.scores(text)).tolist()}
            for text in _canaries(corpus)
        ],
    }


def _canaries(corpus: Corpus) -> list[str]:
    """Return texts spread over the seeds, and one of what texts seldom hold, to notice a tagger that reads otherwise."""
    step = max(1, len(corpus.texts) // CANARIES)
    return [*corpus.texts[::step][:CANARIES], "5G, COVID-19 and \u00a71,000.50 \u2013 \u0130stanbul\u2019s \u00dcBER-na\u00efve \u4e2d\u56fd \u0661\u0662 U.S."]


def _write_pipeline(path: Path, model: ThemeModel) -> None:
    """Write the fitted estimator for people with a notebook."""
    for vectorizer in model.blocks_.vectorizers_.values():
        # The address of an object, kept by scikit-learn to notice changed stop words: other bytes at every run.
        vectorizer.__dict__.pop("_stop_words_id", None)
    joblib.dump(model, path)


def _write_report(folder: Path, report: dict[str, Any]) -> None:
    folder.mkdir()
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "report.md").write_text(report_table(report), encoding="utf-8")


def report_table(report: dict[str, Any]) -> str:
    """Return the report as a Markdown table: per theme seeds, precision, recall, F1, threshold; then the averages."""
    stratified = report["held_out"]["stratified"]
    lines = ["| theme | seeds | precision | recall | F1 | threshold |", "|---|--:|--:|--:|--:|--:|"]
    for theme, row in report["themes"].items():
        scores = stratified["themes"][theme]
        figures = " | ".join(f"{scores[name]:.3f}" for name in ("precision", "recall", "f1"))
        lines.append(f"| {theme} | {row['seeds']} | {figures} | {row['threshold']:.3f} |")
    lines += ["", "| held out | texts | micro F1 | macro F1 | samples F1 |", "|---|--:|--:|--:|--:|"]
    for kind, scores in report["held_out"].items():
        averages = " | ".join(f"{scores[name]:.3f}" for name in ("micro_f1", "macro_f1", "samples_f1"))
        lines.append(f"| {kind.replace('_', ' ')} | {scores['texts']} | {averages} |")
    return "\n".join(lines) + "\n"


def _digest_files(folder: Path, paths: Sequence[Path]) -> dict[str, Any]:
    digest = sha256()
    for path in paths:
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(sha256(path.read_bytes()).digest())
    return {"files": len(paths), "sha256": digest.hexdigest()}
