"""Counterfactuals: the sentences without which a text would not be given a theme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tagger.errors import InputError
from tagger.evidence import Explainer, Span
from tagger.scorer import Scorer
from tagger.sentences import sentence_spans

LONGEST_TEXT, MOST_SENTENCES = 20_000, 400
"""Characters and sentences: every sentence that goes costs a scoring of the rest."""

Lost = Callable[[float], bool]
"""Tells of a theme's score whether the theme is no longer given."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Sentences whose removal loses a theme, none of them in vain, and the score of the text without them."""

    sentences: tuple[Span, ...]
    score: float


def counterfactual(scorer: Scorer, text: str, theme: int, lost: Lost) -> Counterfactual | None:
    """Return an irreducible set of sentences whose removal loses a theme; None where the bias alone suffices for it.

    The sentence that adds most to the score goes first, and the text is scored anew after each; then every sentence
    that is not needed for the loss comes back (Martens and Provost 2014, best-first search with pruning). Raises
    InputError where the text is too long for that.
    """
    sentences = sentence_spans(text)
    if len(text) > LONGEST_TEXT or len(sentences) > MOST_SENTENCES:
        raise InputError(
            f"The text has {len(text):,} characters and {len(sentences):,} sentences; those that decide are searched "
            f"in texts of up to {LONGEST_TEXT:,} characters and {MOST_SENTENCES} sentences. Give a shorter text, or "
            "leave `counterfactual` out."
        )
    removed: list[int] = []
    score = float(scorer.scores(text)[theme])
    while not lost(score):
        kept = [number for number in range(len(sentences)) if number not in removed]
        if not kept:
            return None
        removed.append(kept[_strongest(scorer, text, sentences, removed, theme)])
        score = _score(scorer, text, sentences, removed, theme)
    before: list[int] = []
    while removed != before:  # what came back may have made another sentence needless
        before = removed
        for number in before:
            fewer = [other for other in removed if other != number]
            without = _score(scorer, text, sentences, fewer, theme)
            if lost(without):
                removed, score = fewer, without
    return Counterfactual(tuple(sentences[number] for number in sorted(removed)), score)


def _strongest(scorer: Scorer, text: str, sentences: Sequence[Span], removed: Sequence[int], theme: int) -> int:
    """Return the place, among the sentences that are left, of the one with the largest share."""
    starts, ends = np.array(sentences).T
    gone = np.zeros(len(sentences) + 1, dtype=np.intp)
    gone[np.array(removed, dtype=np.intp) + 1] = (ends - starts)[removed]
    starts = np.delete(starts - np.cumsum(gone)[:-1], removed)
    shares = np.zeros(len(starts))
    for sentence in Explainer(scorer, _without(text, sentences, removed)).explain(theme).sentences:
        # What is left may be cut into sentences otherwise; a share counts for the one it begins in.
        shares[max(0, int(np.searchsorted(starts, sentence.start, side="right")) - 1)] += sentence.share
    return int(shares.argmax())


def _score(scorer: Scorer, text: str, sentences: Sequence[Span], removed: Sequence[int], theme: int) -> float:
    return float(scorer.scores(_without(text, sentences, removed))[theme])


def _without(text: str, sentences: Sequence[Span], removed: Sequence[int]) -> str:
    """Return the text without some sentences; the space around them stays."""
    edges = [0, *(edge for number in sorted(removed) for edge in sentences[number]), len(text)]
    return "".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
