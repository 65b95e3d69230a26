"""Training: the seeds become a new version, with thresholds and probabilities from scores no model saw in training."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tagger.corpus import THEMES_FILE, Corpus, Merge, read_corpus, seed_files
from tagger.decisions import NOTHING, DecisionRule
from tagger.domain import Domain
from tagger.engine import engine_name
from tagger.errors import OutputError
from tagger.folds import Groups
from tagger.heldout import HeldOutSeeds, text_digest
from tagger.model import ThemeModel, teachers_of
from tagger.promotion import Promotion, attempt
from tagger.registry import Registry, Version
from tagger.reporting import report_table, training_report
from tagger.rules import Decided, cross_fitted_decisions, decision_rule, domain_of
from tagger.scorer import Scorer
from tagger.selection import Effort, Selection, select
from tagger.tagging import SCORER, save_boilerplate, save_rule
from tagger.teachers import Teachers
from tagger.validation import Labelled

PIPELINE = "pipeline.joblib"
TRAINING = ".training"
"""The file that is locked while somebody trains; it lies beside the versions and is empty."""

CANARIES = 6
"""Seeds whose probabilities are kept with a version, to notice a tagger that reads texts otherwise."""

ODD_TEXT = "5G, COVID-19, \u00a71,000.50 \u2013 \u0130stanbul\u2019s na\u00efve \u4e2d\u56fd \u0661\u0662 U.S."
"""One canary more, of what releases seldom hold."""

SUMMARY = ("texts", "micro_f1", "macro_f1", "samples_f1", "precision", "recall", "auto_share", "auto_precision")

Progress = Callable[[str, float], None]
"""Called with the phase and how much of it is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A saved version, what was measured on the way, and whether it went live; None where nobody asked for that."""

    version: Version
    report: dict[str, Any]
    promotion: Promotion | None = None


def train(
    seeds: Path,
    models: Path,
    *,
    promote: bool = True,
    by: str | None = None,
    merge: Merge = "refuse",
    effort: Effort = "quick",
    progress: Progress = lambda _phase, _done: None,
) -> Trained:
    """Train on the seeds below a folder and save a version; with `promote` it goes live unless it does worse.

    Raises SeedsError that lists what is wrong with the seeds, and OutputError where `models` cannot be written.
    """
    registry = Registry(models)
    registry.check_writable()
    with _alone(models, progress):
        started = time.monotonic()
        progress("reading seeds", 0)
        corpus = read_corpus(seeds, merge)
        # One BLAS thread: a sum split over threads rounds otherwise than the same sum on one.
        with threadpool_limits(limits=1):
            learned = _learn(corpus, effort, progress)
        progress("saving", 0)
        version = registry.save(
            lambda folder: _write_version(folder, seeds, corpus, learned),
            {"seconds": round(time.monotonic() - started, 1)},
        )
    if not promote:
        return Trained(version, learned.report)
    progress("comparing with the live version", 0)
    return Trained(version, learned.report, attempt(registry, version.name, corpus.pins, by=by))


@contextmanager
def _alone(models: Path, progress: Progress) -> Iterator[None]:
    """Wait until nobody else trains for a folder of versions: each would need all the memory and all the cores."""
    try:
        handle = os.open(models / TRAINING, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise OutputError(f"Cannot write {TRAINING} in the folder of versions: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another training", 0)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class _Learned:
    """All that training found."""

    model: ThemeModel
    rule: DecisionRule
    domain: Domain
    teachers: Teachers
    held_out: HeldOutSeeds
    report: dict[str, Any]


def _learn(corpus: Corpus, effort: Effort, progress: Progress) -> _Learned:
    progress("grouping near-duplicates", 0)
    labelled = Labelled.of(corpus)
    progress("cross-validating", 0)
    found = select(labelled, effort, lambda done: progress("cross-validating", done))
    progress("fitting", 0)
    model = ThemeModel.for_corpus(corpus.cards, len(labelled.read), found.recipe)
    features, card_scores = model.fit_features(labelled.read, labelled.card_counts)
    model.fit_weights(features, card_scores, corpus.theme_sets)
    progress("setting thresholds", 0)
    precision = [card.precision for card in corpus.cards]
    parts = list(found.held_out.values())
    rule, promises = decision_rule(model, labelled, parts, found.rule, precision)
    seeded = np.flatnonzero(model.linear_.learned)
    decided = cross_fitted_decisions(labelled, parts, found.rule, precision, seeded)
    progress("writing the report", 0)
    domain = domain_of(labelled, [fold for part in parts for fold in part.folds])
    names = [(seed.document.id, seed.document.title) for seed in corpus.seeds]
    return _Learned(
        model,
        rule,
        domain,
        teachers_of(model, features, card_scores, corpus.theme_sets, names),
        _held_out_seeds(corpus, labelled.groups, rule, found, seeded, decided[0]),
        training_report(corpus, rule, promises, domain, found, seeded, decided),
    )


def _held_out_seeds(
    corpus: Corpus, groups: Groups, rule: DecisionRule, found: Selection, seeded: NDArray[np.intp], decided: Decided
) -> HeldOutSeeds:
    given = np.zeros(corpus.theme_sets.shape, dtype=bool)
    given[:, seeded] = decided.decisions != NOTHING
    return HeldOutSeeds(
        [seed.document.id for seed in corpus.seeds],
        [text_digest(text) for text in corpus.texts],
        groups.astype(np.int32),
        corpus.theme_sets,
        rule.probabilities(found.held_out["stratified"].scores).astype(np.float32),
        given,
    )


def _write_version(folder: Path, seeds: Path, corpus: Corpus, learned: _Learned) -> dict[str, Any]:
    """Write the files of a version; return its manifest."""
    model, rule, report = learned.model, learned.rule, learned.report
    arrays = model.compile()
    (folder / SCORER).mkdir()
    arrays.save(folder / SCORER)
    seeded = corpus.theme_sets.sum(axis=0).tolist()
    themes = [{**asdict(card), "seeds": count} for card, count in zip(corpus.cards, seeded, strict=True)]
    save_rule(folder, themes, rule, learned.domain)
    save_boilerplate(folder, corpus.learned)
    learned.teachers.save(folder)
    learned.held_out.save(folder)
    _write_pipeline(folder / PIPELINE, model)
    _write_report(folder / "report", report)
    scorer = Scorer(arrays)
    canaries = [*corpus.texts[:: max(1, len(corpus.texts) // CANARIES)][:CANARIES], ODD_TEXT]
    return {
        "seeds": _digest_files(seeds, list(seed_files(seeds))),
        "themes": _digest_files(seeds, [seeds / THEMES_FILE]),
        "settings": report["recipe"],
        "engine": engine_name(),
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
