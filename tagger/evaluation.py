"""How good decisions are against what people said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ThemeSets = NDArray[np.bool_]


def evaluate(given: ThemeSets, theme_sets: ThemeSets, themes: Sequence[str]) -> dict[str, Any]:
    """Return precision, recall and F1 of each theme, and micro, macro and samples F1; all between 0 and 1.

    Both arrays are (n_texts, n_themes). Macro F1 is the mean over the themes that are given or true anywhere;
    samples F1 is the mean over texts, 1 for a text that rightly has no theme.
    """
    hits = (given & theme_sets).sum(axis=0)
    per_theme = {
        theme: {
            "examples": int(true),
            "given": int(said),
            "precision": _ratio(hit, said),
            "recall": _ratio(hit, true),
            "f1": _ratio(2 * hit, said + true),
        }
        for theme, hit, said, true in zip(themes, hits, given.sum(axis=0), theme_sets.sum(axis=0), strict=True)
    }
    met = [row["f1"] for row in per_theme.values() if row["examples"] or row["given"]]
    return {
        "micro_f1": micro_f1(given, theme_sets),
        "macro_f1": _digits(np.mean(met)) if met else 0.0,
        "samples_f1": samples_f1(given, theme_sets),
        "precision": _ratio(hits.sum(), given.sum()),
        "recall": _ratio(hits.sum(), theme_sets.sum()),
        "themes": per_theme,
    }


def micro_f1(given: ThemeSets, theme_sets: ThemeSets) -> float:
    """Return the F1 over all pairs of a text and a theme."""
    return _ratio(2 * (given & theme_sets).sum(), given.sum() + theme_sets.sum())


def samples_f1(given: ThemeSets, theme_sets: ThemeSets) -> float:
    """Return the mean over texts of each text's F1."""
    sizes = given.sum(axis=1) + theme_sets.sum(axis=1)
    f1 = np.where(sizes, 2 * (given & theme_sets).sum(axis=1) / np.maximum(sizes, 1), 1.0)
    return _digits(f1.mean())


def _ratio(part: Any, whole: Any) -> float:
    return _digits(part / whole) if whole else 0.0


def _digits(value: Any) -> float:
    return round(float(value), 6)


def report_table(report: dict[str, Any]) -> str:
    """Return the report as a Markdown table: per theme seeds, precision, recall, F1, threshold; then the averages.

    A theme without seeds has no figures.
    """
    stratified = report["held_out"]["stratified"]
    lines = ["| theme | seeds | precision | recall | F1 | threshold |", "|---|--:|--:|--:|--:|--:|"]
    for theme, row in report["themes"].items():
        scores = stratified["themes"].get(theme)
        figures = " | ".join(f"{scores[name]:.3f}" if scores else "–" for name in ("precision", "recall", "f1"))
        lines.append(f"| {theme} | {row['seeds']} | {figures} | {row['threshold']:.3f} |")
    lines += ["", "| held out | texts | micro F1 | macro F1 | samples F1 |", "|---|--:|--:|--:|--:|"]
    for kind, scores in report["held_out"].items():
        averages = " | ".join(f"{scores[name]:.3f}" for name in ("micro_f1", "macro_f1", "samples_f1"))
        lines.append(f"| {kind.replace('_', ' ')} | {scores['texts']} | {averages} |")
    return "\n".join(lines) + "\n"
