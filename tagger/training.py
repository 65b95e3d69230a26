"""Training: the seeds become a new version, with thresholds and probabilities from scores no model saw in training."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from tagger.cleaning import tokens
from tagger.corpus import THEMES_FILE, Corpus, Merge, read_corpus, seed_files
from tagger.decisions import NOTHING, DecisionRule
from tagger.evaluation import evaluate, report_table
from tagger.features import CardTerms
from tagger.folds import group_texts
from tagger.model import ThemeModel
from tagger.registry import Registry, Version
from tagger.scorer import Scorer
from tagger.tagging import SCORER, THEMES, save_boilerplate, theme_file
from tagger.validation import CrossValidation, Labelled, cross_validate, decision_rule

PIPELINE = "pipeline.joblib"
CANARIES = 6
"""Seeds whose probabilities are kept with a version, to notice a tagger that reads texts otherwise."""

ODD_TEXT = "5G, COVID-19, \u00a71,000.50 \u2013 \u0130stanbul\u2019s na\u00efve \u4e2d\u56fd \u0661\u0662 U.S."
"""One canary more, of what releases seldom hold."""

SUMMARY = ("texts", "micro_f1", "macro_f1", "samples_f1", "precision", "recall")

Progress = Callable[[str, float], None]
"""Called with the phase and how much of it is done, 0 to 1."""


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
    registry = Registry(models)
    registry.check_writable()
    # One BLAS thread: a sum split over threads rounds otherwise than the same sum on one.
    with threadpool_limits(limits=1):
        model, rule, report = _learn(corpus, progress)
    progress("saving", 0)
    version = registry.save(
        lambda folder: _write_version(folder, seeds, corpus, model, rule, report),
        {"seconds": round(time.monotonic() - started, 1)},
    )
    if promote:
        registry.promote(version.name)
    return Trained(version, report)


def _learn(corpus: Corpus, progress: Progress) -> tuple[ThemeModel, DecisionRule, dict[str, Any]]:
    """Return the model fitted on a corpus, the decision rule and the report, by scores of held-out texts."""
    progress("grouping near-duplicates", 0)
    read = [tokens(text) for text in corpus.texts]
    groups = group_texts(read, [seed.page for seed in corpus.seeds])
    counts = CardTerms(corpus.cards).count(read)
    labelled = Labelled(read, counts, corpus.theme_sets, corpus.cards, groups, [seed.source for seed in corpus.seeds])
    found = cross_validate(labelled, lambda done: progress("cross-validating", done))
    progress("fitting", 0)
    model = ThemeModel.for_corpus(corpus.cards, len(read), card_strength=found.card_strength)
    model.fit(read, corpus.theme_sets)
    rule = decision_rule(model, labelled, found.held_out.values())
    return model, rule, _report(corpus, rule, found)


def _report(corpus: Corpus, rule: DecisionRule, found: CrossValidation) -> dict[str, Any]:
    """Return what training found, measured on texts held out; kinds of folds are reported apart."""
    themes = np.array([card.id for card in corpus.cards])
    kinds = {}
    for kind, part in found.held_out.items():
        truth = corpus.theme_sets[part.rows]
        given = rule.decide(rule.probabilities(part.scores)) != NOTHING
        # Of a theme that no text has, nothing can be measured: its seeds are yet to come, or in no source.
        some = truth.any(axis=0)
        kinds[kind] = {"texts": len(part.rows), **evaluate(given[:, some], truth[:, some], themes[some].tolist())}
    counts = corpus.theme_sets.sum(axis=0).tolist()
    return {
        "seeds": len(corpus.seeds),
        "unreviewed": corpus.unreviewed,
        "card_strength": found.card_strength,
        "card_strengths_tried": {str(strength): f1 for strength, f1 in found.tried.items()},
        "nearness": rule.nearness,
        "themes": {
            theme: {"seeds": count, "threshold": threshold}
            for theme, count, threshold in zip(themes.tolist(), counts, rule.thresholds.tolist(), strict=True)
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
    canaries = [*corpus.texts[:: max(1, len(corpus.texts) // CANARIES)][:CANARIES], ODD_TEXT]
    return {
        "seeds": _digest_files(seeds, list(seed_files(seeds))),
        "themes": _digest_files(seeds, [seeds / THEMES_FILE]),
        "settings": {"card_strength": model.card_strength, "c": model.c, "pairs": model.pairs},
        "libraries": {name: installed(name) for name in ("tagger", "numpy", "scipy", "scikit-learn", "joblib")},
        "python": platform.python_version(),
        "scores": {kind: {name: row[name] for name in SUMMARY} for kind, row in report["held_out"].items()},
        "canaries": [
            {"text": text, "probabilities": rule.probabilities(scorer.scores(text)).tolist()} for text in canaries
        ],
    }


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


def _digest_files(folder: Path, paths: Sequence[Path]) -> dict[str, Any]:
    digest = sha256()
    for path in paths:
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(sha256(path.read_bytes()).digest())
    return {"files": len(paths), "sha256": digest.hexdigest()}
