"""The training report: what was tried and chosen, and how good it is on texts held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.calibration import calibration
from tagger.corpus import Corpus
from tagger.decisions import AUTO, NOTHING, DecisionRule
from tagger.domain import Domain
from tagger.evaluation import Judged, evaluate, measure
from tagger.promises import Promise
from tagger.rules import Decided
from tagger.selection import Curve, Selection
from tagger.thresholds import LEAST_EXAMPLES

FEW_SEEDS = 30
"""Below this, thresholds and probabilities rest on next to nothing, and training says so."""

NEAREST = 3
"""Themes named that come nearest to keeping a promise."""


def training_report(
    corpus: Corpus,
    rule: DecisionRule,
    promises: Sequence[Promise | None],
    domain: Domain,
    found: Selection,
    seeded: NDArray[np.intp],
    decided: Sequence[Decided],
) -> dict[str, Any]:
    """Return what training found; figures are of held-out texts, decided on by rules set without their fold.

    `decided` holds that for each kind of folds, over the themes (columns) in `seeded`.
    """
    return {
        "seeds": len(corpus.seeds),
        "unreviewed": corpus.unreviewed,
        "recipe": {**asdict(found.recipe), "thresholds": found.rule},
        "selection": {"fits": found.fits, "tried": found.tried, "left_out": found.left_out},
        "nearness": rule.nearness,
        "domain": domain.as_record(),
        "themes": dict(_theme_rows(corpus, rule, promises, found)),
        "held_out": {
            kind: _held_out(corpus, promises, seeded, part) for kind, part in zip(found.held_out, decided, strict=True)
        },
        "learning_curve": _learning_curve(corpus, found.curve) if found.curve else None,
    }


def _theme_rows(corpus: Corpus, rule: DecisionRule, promises: Sequence[Promise | None], found: Selection) -> Any:
    for column, (card, promise) in enumerate(zip(corpus.cards, promises, strict=True)):
        seeds = int(corpus.theme_sets[:, column].sum())
        own = found.rule == "per_theme" and seeds >= LEAST_EXAMPLES
        yield (
            card.id,
            {
                "seeds": seeds,
                "threshold": float(rule.thresholds[column]),
                "threshold_from": "own" if own else "all themes" if seeds else "the cards of others",
                "promise": _promise(promise) if promise else None,
            },
        )


def _promise(promise: Promise) -> dict[str, Any]:
    kept = bool(np.isfinite(promise.threshold))
    return {
        "precision": promise.precision,
        "kept": kept,
        "auto_threshold": promise.threshold if kept else None,
        "needed": promise.needed,
    }


def _held_out(
    corpus: Corpus, promises: Sequence[Promise | None], seeded: NDArray[np.intp], part: Decided
) -> dict[str, Any]:
    truth = corpus.theme_sets[np.ix_(part.rows, seeded)]
    given, auto = part.decisions != NOTHING, part.decisions == AUTO
    # Of a theme that no text has, nothing can be measured: its seeds are in no source.
    some = truth.any(axis=0)
    themes = [corpus.cards[theme].id for theme in seeded[some].tolist()]
    return {
        "texts": len(part.rows),
        **evaluate(given[:, some], truth[:, some], themes),
        "auto_share": _share(auto.sum(), given.sum()),
        "auto_precision": _share((auto & truth).sum(), auto.sum()),
        "promises": _promises([promises[theme] for theme in seeded.tolist()], auto, truth),
        "calibration": calibration(part.probabilities, truth),
    }


def _promises(
    promises: Sequence[Promise | None], auto: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """Return of how many themes a promise is kept, and how right their tags without a look are on held-out texts."""
    made = [column for column, promise in enumerate(promises) if promise]
    if not made:
        return None
    kept = [column for column in made if np.isfinite(promises[column].threshold)]  # type: ignore[union-attr]
    hits, given = (auto & truth)[:, kept], auto[:, kept]
    return {
        "made": len(made),
        "kept": len(kept),
        "precision": _share(hits.sum(), given.sum()),
        "least_precision": min(
            (_share(hit, tags) for hit, tags in zip(hits.sum(axis=0), given.sum(axis=0), strict=True) if tags),
            default=0.0,
        ),
    }


def _share(part: Any, whole: Any) -> float:
    return round(float(part / whole), 6) if whole else 0.0


def _learning_curve(corpus: Corpus, curve: Curve) -> dict[str, Any]:
    """Return the F1 by the number of texts learned from, with bootstrap intervals."""
    truth = corpus.theme_sets[:, curve.themes]
    everything = {"all": np.arange(truth.shape[1])}
    measured = []
    for given in curve.given:
        judged = Judged(np.zeros(truth.shape), given, np.zeros_like(given), truth, np.ones_like(given))
        measured.append(measure(judged, everything))
    return {
        "texts": curve.texts,
        **{name: [_mean(averages["all"][name]) for averages, _ in measured] for name in ("micro_f1", "macro_f1")},
        "themes": {
            corpus.cards[theme].id: [
                {"examples": round(float(examples), 1), **_f1(of_themes[column]["f1"])}
                for examples, (_, of_themes) in zip(curve.examples[:, column], measured, strict=True)
            ]
            for column, theme in enumerate(curve.themes.tolist())
        },
    }


def _mean(figure: dict[str, float] | None) -> dict[str, float] | None:
    return figure and {"mean": figure["value"], "low": figure["low"], "high": figure["high"]}


def _f1(figure: dict[str, float] | None) -> dict[str, float | None]:
    figure = figure or {}
    return {"f1": figure.get("value"), "low": figure.get("low"), "high": figure.get("high")}


def report_table(report: dict[str, Any]) -> str:
    """Return the report as Markdown tables: per theme seeds, precision, recall, F1, thresholds; then the averages.

    A theme without seeds has no figures, one that cannot be given without a look no threshold for that.
    """
    stratified = report["held_out"]["stratified"]
    lines = ["| theme | seeds | precision | recall | F1 | given from | auto from |", "|---|--:|--:|--:|--:|--:|--:|"]
    for theme, row in report["themes"].items():
        scores = stratified["themes"].get(theme)
        figures = " | ".join(f"{scores[name]:.3f}" if scores else "–" for name in ("precision", "recall", "f1"))
        lines.append(f"| {theme} | {row['seeds']} | {figures} | {row['threshold']:.3f} | {_auto_from(row)} |")
    lines += [
        "",
        "| held out | texts | micro F1 | macro F1 | samples F1 | auto | of these right | calibration error |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for kind, scores in report["held_out"].items():
        shown = ("micro_f1", "macro_f1", "samples_f1", "auto_share", "auto_precision")
        averages = " | ".join(f"{scores[name]:.3f}" for name in shown)
        error = scores["calibration"]["likely"]["expected_calibration_error"] or 0.0
        lines.append(f"| {kind.replace('_', ' ')} | {scores['texts']} | {averages} | {error:.3f} |")
    return "\n".join(lines) + "\n"


def remarks(report: dict[str, Any]) -> Iterator[str]:
    """Yield in sentences what a person should know of a training: too few seeds, promises that are not kept."""
    if report["seeds"] < FEW_SEEDS:
        yield (
            f"{report['seeds']} seeds are few: probabilities and thresholds say little yet. From about {FEW_SEEDS} on "
            "they begin to."
        )
    promises = {theme: row["promise"] for theme, row in report["themes"].items() if row["promise"]}
    broken = {theme: promise["needed"] for theme, promise in promises.items() if not promise["kept"]}
    if broken:
        near = sorted((needed, theme) for theme, needed in broken.items() if needed is not None)[:NEAREST]
        nearest = ", ".join(f"{theme} {needed}" for needed, theme in near)
        yield (
            f"{len(broken)} of {len(promises)} themes cannot keep their promise of precision yet, and are never given "
            f"without a look{f'; the nearest need about so many more examples: {nearest}' if nearest else ''}."
        )


def _auto_from(row: dict[str, Any]) -> str:
    promise = row["promise"]
    if promise is None:
        return f"{row['threshold']:.3f}"
    return f"{promise['auto_threshold']:.3f}" if promise["kept"] else "never"
