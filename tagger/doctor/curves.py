"""Themes that need seeds, and how many: read from the learning curves that training measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.doctor.case import Case, Finding, listed
from tagger.thresholds import best_f1_threshold

NEEDS, ENOUGH, BARE = "needs-seeds", "enough-seeds", "first-seeds"

POINT = 0.01
"""The gain in F1 that examples are counted for."""

RATES = np.linspace(0.2, 1.5, 14)
"""Exponents of the power law that are tried."""

DRAWS = 400
RANGE = (10, 90)
"""Percentiles of the draws that are told as a range."""

HALF_WIDTH = 1.96
COMMON = 0.5
"""The share of the variance that the points of a curve have in common, since the same texts are judged at each size;
measured as .5 and .6 on two corpora."""

FURTHEST = 4
"""How many times the examples seen a curve is followed; beyond that it says nothing."""

LEAST_SIZES = 3


class Curves(NamedTuple):
    """Power laws f1 = ceiling - gap * examples ** -rate that fit what was measured, one for each draw."""

    ceiling: NDArray[np.float64]
    gap: NDArray[np.float64]
    rate: float

    def f1(self, examples: float) -> NDArray[np.float64]:
        """Return what each draw expects of so many examples."""
        return np.asarray(self.ceiling - self.gap * examples**-self.rate)

    def examples(self, f1: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return from how many examples on each draw reaches an F1; infinite where it never does."""
        left = self.ceiling - f1
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = (self.gap / left) ** (1 / self.rate)
        return np.where(left > 0, found, np.inf)


def fit_curves(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Curves]:
    """Fit power laws to each theme's points with `examples`, `f1`, `low` and `high`, drawn within their ranges.

    All themes share the exponent that fits the points best: three points of one theme cannot tell it.
    """
    points = {theme: _points(rows) for theme, rows in curves.items()}
    errors = [sum(_fit(examples, f1[None, :], rate)[1] for examples, f1, _ in points.values()) for rate in RATES]
    rate = float(RATES[int(np.argmin(errors))]) if points else 0.0
    random = np.random.default_rng(0)
    return {
        theme: _fit(examples, f1 + width * random.normal(size=(DRAWS, len(f1))), rate)[0]
        for theme, (examples, f1, width) in points.items()
    }


def _points(rows: Sequence[Mapping[str, float]]) -> tuple[NDArray[np.float64], ...]:
    """Return examples, F1 and the standard deviation of what is each point's own."""
    examples, f1, low, high = (np.array([row[name] for row in rows]) for name in ("examples", "f1", "low", "high"))
    return examples.astype(float), f1, (high - low) / 2 / HALF_WIDTH * np.sqrt(1 - COMMON)


def _fit(examples: NDArray[np.float64], f1: NDArray[np.float64], rate: float) -> tuple[Curves, float]:
    """Return the least-squares ceiling (at most 1) and gap (at least 0) of each row of F1, and the squared error."""
    fall = examples**-rate
    centred = fall - fall.mean()
    gap = np.maximum(-(f1 @ centred) / (centred @ centred), 0.0)
    ceiling = f1.mean(axis=1) + gap * fall.mean()
    # Where the ceiling has to be lowered to 1, another gap fits best.
    gap = np.where(ceiling > 1, np.maximum((1 - f1) @ fall / (fall @ fall), 0.0), gap)
    ceiling = np.minimum(ceiling, 1.0)
    error = float(((f1 - ceiling[:, None] + gap[:, None] * fall) ** 2).sum())
    return Curves(ceiling, gap, rate), error


class _Outlook(NamedTuple):
    """What a theme's curve says: examples and F1 now, the range of the gain by doubling and of examples to a point."""

    theme: str
    examples: int
    f1: float
    doubling: tuple[float, float, float]
    more: tuple[float, float]

    @property
    def helps(self) -> bool:
        """Whether the whole range reaches another point within what the curve can tell."""
        return self.more[1] <= (FURTHEST - 1) * self.examples

    @property
    def enough(self) -> bool:
        """Whether twice the examples would surely not gain a point."""
        return self.doubling[2] < POINT

    def as_record(self) -> dict[str, Any]:
        reached = [round(bound) if np.isfinite(bound) else None for bound in self.more]
        gain = [round(bound, 4) for bound in self.doubling]
        return {
            "examples": self.examples,
            "f1": round(self.f1, 3),
            "gain_by_doubling": gain,
            "examples_to_a_point": reached,
        }


def seeds_needed(case: Case) -> Iterator[Finding]:
    """Yield themes that more seeds would help, those they would not, and how many those without seeds need."""
    measured = (case.report.get("learning_curve") or {}).get("themes", {})
    points = {theme: _distinct(rows) for theme, rows in measured.items() if theme in case.themes}
    curves = fit_curves({theme: rows for theme, rows in points.items() if len(rows) >= LEAST_SIZES})
    outlooks = [_outlook(theme, int(points[theme][-1]["examples"]), curves[theme]) for theme in curves]
    yield from (_needs(outlook) for outlook in outlooks if outlook.helps and not outlook.enough)
    if enough := [outlook for outlook in outlooks if outlook.enough]:
        yield _enough(enough)
    if unclear := [outlook for outlook in outlooks if not outlook.enough and not outlook.helps]:
        yield _unclear(unclear)
    bare = [case.themes[theme] for theme in np.flatnonzero(~case.corpus.theme_sets.any(axis=0))]
    if bare and curves:
        yield _bare(bare, _examples_to_beat_cards(case, curves))


def _distinct(rows: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """Return the points of a curve at different numbers of examples; of a rare theme there may be fewer."""
    return list({row["examples"]: row for row in rows if row["examples"] > 0}.values())


def _outlook(theme: str, examples: int, curves: Curves) -> _Outlook:
    now = curves.f1(examples)
    low, high = np.percentile(curves.examples(now + POINT), RANGE, method="nearest")
    doubling = np.percentile(curves.f1(2 * examples) - now, (RANGE[0], 50, RANGE[1]))
    more = (float(low) - examples, float(high) - examples)
    return _Outlook(theme, examples, float(np.median(now)), tuple(doubling.tolist()), more)


def _needs(outlook: _Outlook) -> Finding:
    low, high = (_about(bound) for bound in outlook.more)
    message = (
        f"{outlook.theme} would gain by more seeds: with {outlook.examples} examples its F1 is about {outlook.f1:.2f}, "
        f"and about {low} to {high} more are worth another point."
    )
    remedy = f"Add seeds with it: tagger seeds add PAGE --themes {outlook.theme}"
    touched = outlook.examples * outlook.doubling[1]
    return Finding(NEEDS, (outlook.theme,), message, remedy, touched, outlook.as_record())


def _enough(outlooks: Sequence[_Outlook]) -> Finding:
    told = listed([outlook.theme for outlook in outlooks])
    message = f"Adding more seeds no longer helps: twice as many would gain less than a point for {told}."
    remedy = "Better than more of the same are other offices and years, and seeds that are easily taken for others."
    return _together(ENOUGH, outlooks, message, remedy)


def _unclear(outlooks: Sequence[_Outlook]) -> Finding:
    told = listed([f"{outlook.theme} ({_about(outlook.more[0])} or more)" for outlook in outlooks])
    message = f"How many more seeds gain a point cannot be told from curves this uneven: {told}."
    remedy = "Add seeds where they are easy to come by, train again and look here."
    return _together(NEEDS, outlooks, message, remedy)


def _together(kind: str, outlooks: Sequence[_Outlook], message: str, remedy: str) -> Finding:
    evidence = {outlook.theme: outlook.as_record() for outlook in outlooks}
    return Finding(kind, tuple(evidence), message, remedy, 0.0, evidence)


def _bare(themes: Sequence[str], needed: tuple[float, float] | None) -> Finding:
    message = f"Without seeds, and living from their cards alone: {listed(themes)}."
    if needed:
        low, high = map(_about, needed)
        message += f" With half of the other themes, seeds did better than the card from about {low} to {high} on."
    remedy = f"Add seeds with it: tagger seeds add PAGE --themes {themes[0]}"
    return Finding(BARE, tuple(themes), message, remedy, 0.0, {"seeds_to_beat_the_card": needed})


def _examples_to_beat_cards(case: Case, curves: Mapping[str, Curves]) -> tuple[float, float] | None:
    """Return the quartiles over themes of the examples from which on seeds do better than the card alone does."""
    block = case.blocks["card"]
    needed = []
    for theme, fitted in curves.items():
        column = case.themes.index(theme)
        alone = best_f1_threshold(block.active @ block.weights[:, column], case.corpus.theme_sets[:, column])[1]
        needed.append(float(np.median(fitted.examples(np.full(DRAWS, alone)))))
    within = [number for number in needed if np.isfinite(number)]
    return tuple(np.percentile(within, (25, 75)).tolist()) if 2 * len(within) > len(needed) else None


def _about(number: float) -> str:
    """Return a number as roughly as it is known.

    >>> _about(3.2), _about(43.0), _about(1234.0)
    ('4', '45', '1,200')
    """
    if number < 10:
        return str(max(1, int(np.ceil(number))))
    step = 5 if number < 100 else 10 ** int(np.log10(number) - 1)
    return f"{round(number / step) * step:,}"
