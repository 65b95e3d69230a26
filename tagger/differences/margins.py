"""Why a theme's margin is another one in another version: what each term adds to the change, exactly.

The margin is how far a text is above a threshold, on the scale of the log odds: slope * score + intercept - logit of
the threshold. What a term adds to it is slope * weight * value, with its value the tf-idf over the length of the text.
A change of such a product is split evenly among its factors (their Shapley values), so that from A to B is the opposite
of from B to A. A term that one version does not know has no weight there, so its whole part is that of the weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.decisions import DecisionRule
from tagger.scorer import Activations, Reading, ScorerArrays
from tagger.tagging import Tagger

MOST_TERMS = 8
"""Terms named of those that raised a margin, and of those that lowered it; the others are summed up."""

Float64 = NDArray[np.float64]
Ints = NDArray[np.intp]
Both = tuple[Float64, Float64]
"""Of the version before, and of the one after."""

Goal = Literal["threshold", "auto_threshold"]

CARD = 3
"""Which kind of features, of four, is that of the cards."""

PARTS = ("weight", "card", "value", "slope")
"""What a term's change is made of: its weight learned from seeds, that of the card, its tf-idf, the scale."""


class MarginChange(NamedTuple):
    """What moved a margin: the `parts` sum up to its change, and so do the terms with the `others` and the rest.

    The parts are those of all terms, and of `bias`, `intercept` and `threshold`; the bias's own part of the slope is
    in that of the slope.
    """

    goal: Goal
    before: float
    after: float
    parts: Mapping[str, float]
    terms: Sequence[Mapping[str, Any]]
    others: Mapping[str, float]

    def as_record(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "to": self.goal,
            "before": self.before,
            "after": self.after,
            "change": self.after - self.before,
            "parts": self.parts,
            "terms": self.terms,
            "others": self.others,
        }


class Features:
    """The features of two versions under common numbers: kind * n_terms + term, with the terms of both by number."""

    def __init__(self, versions: Sequence[ScorerArrays]) -> None:
        numbers: dict[str, int] = {}
        found = [
            [np.array([numbers.setdefault(term, len(numbers)) for term in terms], np.intp) for terms in _terms(arrays)]
            for arrays in versions
        ]
        self.terms = list(numbers)
        self._n_terms = len(numbers)
        self._numbers = [[kind * self._n_terms + of for kind, of in enumerate(kinds)] for kinds in found]
        self._rows = [self._by_number(kinds) for kinds in self._numbers]

    def numbers(self, side: int, active: Activations) -> Ints:
        """Return the numbers of the features of a text, as one of the versions read it."""
        return np.concatenate([of[rows] for of, (rows, _) in zip(self._numbers[side], active, strict=True)])

    def rows(self, side: int, numbers: Ints) -> Ints:
        """Return the rows of features in the weights of their kind, -1 for those that a version does not know."""
        return self._rows[side][numbers]

    def kinds(self, numbers: Ints) -> list[slice]:
        """Return where each kind stands among rising numbers."""
        ends = np.searchsorted(numbers, self._n_terms * np.arange(CARD + 2)).tolist()
        return [slice(start, end) for start, end in pairwise(ends)]

    def terms_of(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Return the different terms of features, by their numbers, and which of them each feature is of."""
        terms, place = np.unique(numbers % max(self._n_terms, 1), return_inverse=True)
        return terms, place

    def _by_number(self, kinds: Sequence[Ints]) -> Ints:
        rows = np.full((CARD + 1) * self._n_terms, -1, np.intp)
        for of in kinds:
            rows[of] = np.arange(len(of))
        return rows


def _terms(arrays: ScorerArrays) -> Iterator[list[str]]:
    """Yield the terms of each kind by their rows."""
    words = list(arrays.words)
    yield words
    in_lead = np.flatnonzero(arrays.lead_rows >= 0)
    order = np.argsort(arrays.lead_rows[in_lead])
    yield [words[row] for row in in_lead[order].tolist()]
    both = zip(*(part.tolist() for part in np.divmod(arrays.pair_keys, max(len(words), 1))), strict=True)
    yield [f"{words[first]} {words[second]}" for first, second in both]
    yield list(arrays.card_terms)


class Margins:
    """The margins of two versions, and what moved them."""

    def __init__(self, taggers: Sequence[Tagger]) -> None:
        arrays = [tagger.scorer.arrays for tagger in taggers]
        self._features = Features(arrays)
        self._weights = [[block.weights for block in of.blocks()] for of in arrays]
        self._bias = [of.bias for of in arrays]
        self._rules = [tagger.rule for tagger in taggers]
        self._goals = [_goals(tagger.rule) for tagger in taggers]

    def of_text(self, readings: Sequence[Reading]) -> TextMargins:
        """Return those of a text, as each version read it."""
        found = [self._features.numbers(side, reading.active) for side, reading in enumerate(readings)]
        numbers = np.unique(np.concatenate(found))
        rows = [self._features.rows(side, numbers) for side in (0, 1)]
        values = [
            _scattered(len(numbers), np.searchsorted(numbers, of), reading)
            for of, reading in zip(found, readings, strict=True)
        ]
        # No weight times any value is nothing; with the other's value, none of the change is due to it.
        values = [np.where(rows[side] < 0, values[1 - side], values[side]) for side in (0, 1)]
        return TextMargins(self, rows, values, self._features.kinds(numbers), *self._features.terms_of(numbers))

    def term(self, number: int) -> str:
        """Return the term of a number."""
        return self._features.terms[number]

    def weights(self, side: int, theme: int, rows: Ints, kinds: Sequence[slice]) -> Float64:
        """Return the weights of features, given by rows and kind, for a theme."""
        weights = [_of_known(of[:, theme], rows[kind]) for of, kind in zip(self._weights[side], kinds, strict=True)]
        return np.concatenate(weights, dtype=np.float64)

    def theme(self, side: int, theme: int, goal: Goal) -> tuple[float, float, float, float]:
        """Return a theme's slope, bias and intercept, and the log odds of its threshold."""
        rule = self._rules[side]
        of_rule = float(rule.slope[theme]), float(self._bias[side][theme]), float(rule.intercept[theme])
        return *of_rule, float(self._goals[side][goal][theme])


def _of_known(weights: NDArray[np.float32], rows: Ints) -> Float64:
    """Return the weights of features, nothing for one that the version does not know; it may know none of a kind."""
    found = np.zeros(len(rows))
    found[rows >= 0] = weights[rows[rows >= 0]]
    return found


def _scattered(n: int, places: Ints, reading: Reading) -> Float64:
    values = np.zeros(n)
    values[places] = np.concatenate([of for _, of in reading.active])
    return values


def _goals(rule: DecisionRule) -> dict[Goal, Float64]:
    """Return the log odds of the thresholds; where no tag is given without a look, that of the one is the other's."""
    auto = np.where(np.isfinite(rule.auto_thresholds), rule.auto_thresholds, rule.thresholds)
    rules: dict[Goal, DecisionRule] = {"threshold": rule, "auto_threshold": replace(rule, thresholds=auto)}
    return {goal: rule.slope * of.score_thresholds() + rule.intercept for goal, of in rules.items()}


class TextMargins:
    """The margins of one text, made once and asked once per theme."""

    def __init__(
        self,
        margins: Margins,
        rows: Sequence[Ints],
        values: Sequence[Float64],
        kinds: Sequence[slice],
        terms: Ints,
        term_of: Ints,
    ) -> None:
        self._margins = margins
        self._rows = rows
        self._values = values
        self._kinds = kinds
        self._terms = terms
        self._term_of = term_of

    def change(self, themes: tuple[int, int], goal: Goal) -> MarginChange:
        """Return what moved the margin of a theme, given by its column in each version, to one of its thresholds."""
        weights = [self._margins.weights(side, themes[side], self._rows[side], self._kinds) for side in (0, 1)]
        (slope, bias, intercept, needed), (slope_, bias_, intercept_, needed_) = (
            self._margins.theme(side, themes[side], goal) for side in (0, 1)
        )
        values = self._values
        of_weight, of_value, of_slope = _split(slope, slope_, weights[0], weights[1], values[0], values[1])
        card = self._kinds[CARD]
        of_card = np.zeros_like(of_weight)
        of_card[card], of_weight[card] = of_weight[card], 0.0
        before, after = slope * weights[0] * values[0], slope_ * weights[1] * values[1]
        table = np.array([self._by_term(of) for of in (before, after, of_weight, of_card, of_value, of_slope)])
        sums = table.sum(axis=1)
        of_before, of_after, *of_parts = sums.tolist()
        parts = dict(zip(PARTS, of_parts, strict=True))
        parts["slope"] += (slope_ - slope) * (bias + bias_) / 2
        parts["bias"] = (bias_ - bias) * (slope + slope_) / 2
        parts["intercept"], parts["threshold"] = intercept_ - intercept, needed - needed_
        margins = of_before + slope * bias + intercept - needed, of_after + slope_ * bias_ + intercept_ - needed_
        return MarginChange(goal, *margins, parts, *self._named(table, sums))

    def _by_term(self, of_features: Float64) -> Float64:
        return np.asarray(np.bincount(self._term_of, of_features, len(self._terms)), np.float64)

    def _named(self, table: Float64, sums: Float64) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """Return the terms that moved most, up or down, and the sums of the others."""
        change = table[1] - table[0]
        order = np.argsort(-np.abs(change), kind="stable")
        up, down = change[order] > 0, change[order] < 0
        named = order[up & (np.cumsum(up) <= MOST_TERMS) | down & (np.cumsum(down) <= MOST_TERMS)]
        of_named = table[:, named]
        terms = [
            {"term": self._margins.term(number), **_columns(*of)}
            for number, of in zip(self._terms[named].tolist(), of_named.T.tolist(), strict=True)
        ]
        others = int(np.count_nonzero(change)) - len(named)
        return terms, {"terms": others, **_columns(*(sums - of_named.sum(axis=1)).tolist())}


def _columns(before: float, after: float, weight: float, card: float, value: float, slope: float) -> dict[str, float]:
    return {
        "before": before,
        "after": after,
        "change": after - before,
        "weight": weight,
        "card": card,
        "value": value,
        "slope": slope,
    }


def _split(s: float, s_: float, w: Float64, w_: Float64, v: Float64, v_: Float64) -> tuple[Float64, Float64, Float64]:
    """Return what is due to the change of w, of v and of s, in that of the product s * w * v."""
    return (
        (w_ - w) * (2 * (s * v + s_ * v_) + s * v_ + s_ * v) / 6,
        (v_ - v) * (2 * (s * w + s_ * w_) + s * w_ + s_ * w) / 6,
        (s_ - s) * (2 * (w * v + w_ * v_) + w * v_ + w_ * v) / 6,
    )
