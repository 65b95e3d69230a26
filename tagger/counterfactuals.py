"""Counterfactuals: the sentences without which a text would not be given a theme."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tagger.errors import InputError
from tagger.evidence import Explainer, Span
from tagger.scorer import Scorer
from tagger.sentences import sentence_spans

LONGEST_TEXT, MOST_SENTENCES = 20_000, 400
"""Characters and sentences: every sentence that goes costs a scoring of the rest."""

Gives = Callable[[str], bool]
"""Tells whether a text is given the theme in question."""


def counterfactual(scorer: Scorer, text: str, theme: int, gives: Gives) -> tuple[Span, ...] | None:
    """Return an irreducible set of sentences without which a text is not given a theme; None where there is none.

    The sentence that adds most to the score goes first, and the text is tagged anew after each; then every sentence
    that is not needed for the loss comes back (Martens and Provost 2014, best-first search with pruning). Raises
    InputError where the text is too long for that.
    """
    sentences = sentence_spans(text)
    if len(text) > LONGEST_TEXT or len(sentences) > MOST_SENTENCES:
        raise InputError(
            f"The text has {len(text):,} characters and {len(sentences):,} sentences; those that decide are searched "
            f"in texts of up to {LONGEST_TEXT:,} characters and {MOST_SENTENCES} sentences. Give a shorter text, or "
            "leave `counterfactual` (on the command line --counterfactual) out."
        )

    def spans(numbers: Sequence[int]) -> list[Span]:
        return [sentences[number] for number in sorted(numbers)]

    removed: list[int] = []
    while gives(without(text, spans(removed))):
        kept = [number for number in range(len(sentences)) if number not in removed]
        if not kept:
            return None
        removed.append(kept[_strongest(scorer, text, sentences, removed, theme)])
    before: list[int] = []
    while removed != before:  # what came back may have made another sentence needless
        before = removed
        for number in before:
            fewer = [other for other in removed if other != number]
            if not gives(without(text, spans(fewer))):
                removed = fewer
    return tuple(spans(removed))


def _strongest(scorer: Scorer, text: str, sentences: Sequence[Span], removed: Sequence[int], theme: int) -> int:
    """Return the place, among the sentences that are left, of the one with the largest share."""
    starts, ends = np.array(sentences).T
    gone = np.zeros(len(sentences) + 1, dtype=np.intp)
    gone[np.array(removed, dtype=np.intp) + 1] = (ends - starts)[removed]
    starts = np.delete(starts - np.cumsum(gone)[:-1], removed)
    shares = np.zeros(len(starts))
    for sentence in (
        Explainer(scorer, without(text, [sentences[number] for number in sorted(removed)])).explain(theme).sentences
    ):
        # What is left may be cut into sentences otherwise; a share counts for the one it begins in.
        shares[max(0, int(np.searchsorted(starts, sentence.start, side="right")) - 1)] += sentence.share
    return int(shares.argmax())


def without(text: str, spans: Sequence[Span]) -> str:
    """Return the text without some of its sentences, in order; the space around them stays."""
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return "".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
