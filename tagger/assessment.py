"""How good a version is on documents whose themes people have stated: figures, and the worst errors with reasons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from tagger.calibration import calibration
from tagger.cleaning import content
from tagger.corpus import is_reviewed, stated_themes
from tagger.documents import Document, Unreadable
from tagger.errors import InputError
from tagger.evaluation import DRAWS, Float64, Judged, ThemeSets, confusions, measure
from tagger.evidence import Explainer, WhyNot
from tagger.heldout import FOLDER as HELD_OUT
from tagger.heldout import HeldOutSeeds, text_digest
from tagger.registry import Version
from tagger.tagging import Tagger, Wanted

ALL = "all"
"""The view of every theme, beside those of the groups."""

WORST = 20
"""Errors of each kind that are told with their terms."""

CONFUSIONS = 200
"""Pairs of a missed theme and one given wrongly that are told, of perhaps very many."""

TERMS = 6
"""Terms told for an error, and as many against."""

SHOWN_PROBLEMS = 20

_THEMES = ("themes", "labels")
_OPTIONAL = ("optional_labels", "optional")

Progress = Callable[[str, float], None]
"""Called with the phase and how much of it is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A document, the themes it has, and those it may have or not."""

    document: Document
    themes: tuple[str, ...]
    optional: tuple[str, ...]


def assess(
    version: Version,
    documents: Iterable[Document | Unreadable],
    progress: Progress = lambda _phase, _done: None,
) -> dict[str, Any]:
    """Return how good a version is on labelled documents, each taken as it is.

    Raises InputError where one cannot be read, states no themes, or states some that the version does not know.
    """
    tagger = Tagger.load(version)
    themes = [theme["id"] for theme in tagger.themes]
    labelled, unreviewed = read_labelled(documents, themes, version.name)
    judged = _judged(tagger, labelled, themes, progress)
    groups = _groups(tagger.themes)
    averages, per_theme = measure(judged, _views(groups, len(themes)), lambda done: progress("resampling", done))
    progress("explaining errors", 0)
    return {
        "version": version.name,
        "documents": len(labelled),
        "without_theme": int((~judged.theme_sets.any(axis=1)).sum()),
        "unreviewed": unreviewed,
        "seen_in_training": _seen_in_training(version, labelled),
        "optional_pairs": int((~judged.counted).sum()),
        "draws": DRAWS,
        "averages": averages[ALL],
        "groups": {
            group: {
                "themes": [themes[column] for column in columns],
                "alone": averages[f"{group} alone"],
                "without": averages[f"without {group}"],
            }
            for group, columns in groups.items()
        },
        "themes": _theme_rows(tagger.themes, judged, per_theme),
        "calibration": calibration(judged.probabilities, judged.theme_sets, judged.counted),
        "confusions": _confusion_rows(judged, themes),
        "worst": _worst(tagger, judged, labelled),
        "learning_curve": _learning_curve(version),
    }


def read_labelled(
    documents: Iterable[Document | Unreadable], known: Sequence[str], version: str
) -> tuple[list[Labelled], int]:
    """Return the labelled documents, and how many were left out because nobody has reviewed their themes.

    Raises InputError that lists what cannot be read, what states no themes, and the themes that are not known.
    """
    labelled: list[Labelled] = []
    problems: list[str] = []
    unreviewed = 0
    for item in documents:
        if isinstance(item, Unreadable):
            problems.append(item.message)
        elif not is_reviewed(item):
            unreviewed += 1
        else:
            try:
                labelled.append(_labelled(item))
            except InputError as error:
                problems.append(str(error))
    problems += _unknown_themes(labelled, known, version)
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        rest = [f"... and {more:,} more of the kind."] if more > 0 else []
        raise InputError("\n".join([*problems[:SHOWN_PROBLEMS], *rest]))
    if not labelled:
        left_out = f" ({unreviewed:,} are marked as unreviewed)" if unreviewed else ""
        raise InputError(f"There is no labelled document to evaluate on{left_out}; give some with `themes`.")
    return labelled, unreviewed


def _labelled(document: Document) -> Labelled:
    themes = _field(document, _THEMES)
    if themes is None:
        raise InputError(
            f"{document.where}: the document {document.id!r} states no themes; expected `themes` (or `labels`) such "
            "as [trade, sanctions], in a table trade;sanctions, or none for a document that has no theme."
        )
    optional = _field(document, _OPTIONAL) or ()
    return Labelled(document, themes, tuple(theme for theme in optional if theme not in themes))


def _field(document: Document, names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the themes of the first of some fields that the document has."""
    for name in names:
        stated = stated_themes(replace(document, metadata={"themes": document.metadata.get(name)}))
        if stated is None:
            continue
        if not isinstance(stated, list) or not all(isinstance(theme, str) for theme in stated):
            raise InputError(
                f"{document.where}: the document {document.id!r} has `{name}` {stated!r}; expected theme ids such as "
                "[trade, sanctions], in a table trade;sanctions."
            )
        return tuple(dict.fromkeys(stated))
    return None


def _unknown_themes(labelled: Iterable[Labelled], known: Sequence[str], version: str) -> Iterator[str]:
    ids = set(known)
    places: dict[str, list[str]] = {}
    for item in labelled:
        for theme in (*item.themes, *item.optional):
            if theme not in ids:
                places.setdefault(theme, []).append(item.document.where or item.document.id)
    for theme, where in places.items():
        near = get_close_matches(theme, known, 1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        more = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        yield (
            f"{where[0]}{more}: {version} has no theme {theme!r}. {hint}"
            "Correct it, or name a version that was trained with a card for it: --model."
        )


def _judged(tagger: Tagger, labelled: Sequence[Labelled], themes: Sequence[str], progress: Progress) -> Judged:
    column = {theme: number for number, theme in enumerate(themes)}
    shape = len(labelled), len(themes)
    probabilities = np.zeros(shape)
    given, auto, theme_sets = (np.zeros(shape, dtype=bool) for _ in range(3))
    counted = np.ones(shape, dtype=bool)
    for row, item in enumerate(labelled):
        for tag in tagger.tag(item.document, Wanted(every_theme=True)).scores:
            place = row, column[tag.theme]
            probabilities[place] = tag.probability
            given[place] = tag.decision in ("auto", "review")
            auto[place] = tag.decision == "auto"
        theme_sets[row, [column[theme] for theme in item.themes]] = True
        counted[row, [column[theme] for theme in item.optional]] = False
        progress("tagging", (row + 1) / len(labelled))
    return Judged(probabilities, given & counted, auto & counted, theme_sets, counted)


def _groups(themes: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Return the columns of each group of themes."""
    groups: dict[str, list[int]] = {}
    for column, theme in enumerate(themes):
        if theme.get("group"):
            groups.setdefault(theme["group"], []).append(column)
    return groups


def _views(groups: Mapping[str, Sequence[int]], n_themes: int) -> dict[str, Any]:
    views = {ALL: np.arange(n_themes)}
    for group, columns in groups.items():
        views[f"{group} alone"] = np.array(columns)
        views[f"without {group}"] = np.setdiff1d(np.arange(n_themes), columns)
    return views


def _seen_in_training(version: Version, labelled: Iterable[Labelled]) -> int | None:
    """Return how many of the texts the version was trained on; None for a version that did not keep which."""
    if not (version.folder / HELD_OUT).is_dir():
        return None
    seeds = set(HeldOutSeeds.load(version.folder).digests)
    return sum(text_digest(_read(item.document)) in seeds for item in labelled)


def _read(document: Document) -> str:
    return content(document.title, document.text)


def _theme_rows(
    themes: Sequence[Mapping[str, Any]], judged: Judged, per_theme: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    counts = zip(judged.theme_sets.sum(axis=0).tolist(), judged.given.sum(axis=0).tolist(), strict=True)
    return {
        theme["id"]: {
            "label": theme["label"],
            "group": theme.get("group"),
            "threshold": theme["threshold"],
            "examples": examples,
            "given": given,
            **figures,
        }
        for theme, (examples, given), figures in zip(themes, counts, per_theme, strict=True)
    }


def _confusion_rows(judged: Judged, themes: Sequence[str]) -> list[dict[str, Any]]:
    """Return which theme was missed where which was given wrongly, the most frequent first."""
    counts = confusions(judged)
    missed, given = np.nonzero(counts)
    found = counts[missed, given]
    order = np.lexsort((given, missed, -found))[:CONFUSIONS]
    return [{"missed": themes[missed[row]], "given": themes[given[row]], "documents": int(found[row])} for row in order]


def _worst(tagger: Tagger, judged: Judged, labelled: Sequence[Labelled]) -> dict[str, Any]:
    """Return the errors whose probability is farthest on the wrong side of the threshold, with their terms."""
    thresholds = np.array([theme["threshold"] for theme in tagger.themes])
    beyond = judged.probabilities - thresholds
    kinds = {
        "false_positives": (judged.given & ~judged.theme_sets, beyond),
        "false_negatives": (judged.theme_sets & ~judged.given, -beyond),
    }
    farthest = {kind: _farthest(wrong, distance) for kind, (wrong, distance) in kinds.items()}
    evidence = _evidence(tagger, labelled, {pair for pairs in farthest.values() for pair in pairs})
    return {
        kind: [_error_row(labelled[row], tagger, judged, row, column, evidence[row, column]) for row, column in pairs]
        for kind, pairs in farthest.items()
    }


def _farthest(wrong: ThemeSets, distance: Float64) -> list[tuple[int, int]]:
    """Return the text and the theme of the errors farthest from the threshold."""
    rows, columns = np.nonzero(wrong)
    order = np.argsort(-distance[rows, columns], kind="stable")[:WORST]
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


def _evidence(
    tagger: Tagger, labelled: Sequence[Labelled], pairs: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], WhyNot]:
    """Return what spoke for and against pairs of a text and a theme; each text is taken apart once."""
    columns_of: dict[int, list[int]] = {}
    for row, column in pairs:
        columns_of.setdefault(row, []).append(column)
    found: dict[tuple[int, int], WhyNot] = {}
    for row, columns in columns_of.items():
        explainer = Explainer(tagger.scorer, _read(labelled[row].document))
        for column in columns:
            found[row, column] = explainer.why_not(column, float(tagger.score_thresholds[column]), TERMS)
    return found


def _error_row(
    item: Labelled, tagger: Tagger, judged: Judged, row: int, column: int, evidence: WhyNot
) -> dict[str, Any]:
    themes = tagger.themes
    theme, probability = themes[column], float(judged.probabilities[row, column])
    return {
        "id": item.document.id,
        "title": item.document.title,
        "theme": theme["id"],
        "probability": probability,
        "threshold": theme["threshold"],
        "themes": list(item.themes),
        "optional": list(item.optional),
        "given": [themes[other]["id"] for other in np.flatnonzero(judged.given[row]).tolist()],
        "score": evidence.score,
        "bias": float(tagger.scorer.arrays.bias[column]),
        "for": [term._asdict() for term in evidence.spoke_for],
        "against": [term._asdict() for term in evidence.against],
    }


def _learning_curve(version: Version) -> dict[str, Any] | None:
    """Return how training found the figures to grow with the number of seeds, where it looked."""
    report = json.loads((version.folder / "report" / "report.json").read_text(encoding="utf-8"))
    curve: dict[str, Any] | None = report.get("learning_curve")
    return curve
