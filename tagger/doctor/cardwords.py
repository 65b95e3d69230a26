"""Words of the cards that the seeds speak against, that no seed holds, or that a card lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.cleaning import LONGEST_TERM, tokens
from tagger.doctor.case import Case, Finding, listed, theme_columns
from tagger.features import card_term_weights
from tagger.intervals import wilson
from tagger.scorer import Scorer
from tagger.themes import ThemeCard

FIGHTING, UNSEEN, MISSING = "card-words", "unseen-card-words", "words-to-add"

MOSTLY = 0.25
"""A term misleads when surely a smaller share than this of the seeds that hold it has the theme ..."""

LIFT = 2.0
"""... and it stands with the theme less than this many times as often as by chance."""

TAKEN_BACK = 0.3
"""A word misleads, too, when learning takes back this share of what the card gives it."""

LEAST_WITHOUT = 5
"""Seeds without the theme that must hold a term before it is doubted."""

SUGGESTED = 8
NAMED = 3
LEAST_WITH = 8
LEAST_PRECISION = 0.8
"""A word is proposed when so many seeds of the theme hold it, and such a share of all that do has the theme."""


class _Entry(NamedTuple):
    """Where on a card a term comes from: a field, what is written there, and whether that is the term itself."""

    field: str
    text: str
    whole: bool


class _Term(NamedTuple):
    """A card term of a theme: the seeds that hold it, those of them with the theme, and what one occurrence adds."""

    term: str
    entry: _Entry
    seeds: int
    with_theme: int
    card: float
    learned: float

    def misleads(self, base: float) -> bool:
        """Tell whether the seeds speak against the term, for a theme that this share of them has."""
        if self.seeds - self.with_theme < LEAST_WITHOUT:
            return False
        most = float(wilson(self.with_theme, self.seeds)[1])
        elsewhere = most < MOSTLY and self.with_theme < LIFT * base * self.seeds
        # Of several words each may be spoken against for another reason: only of one is the term's own weight known.
        return elsewhere or (" " not in self.term and self.learned <= -TAKEN_BACK * self.card)

    def as_record(self) -> dict[str, Any]:
        return {
            "term": self.term,
            "from": {"field": self.entry.field, "text": self.entry.text},
            "seeds": self.seeds,
            "with_theme": self.with_theme,
            "card": round(self.card, 2),
            "learned": round(self.learned, 2),
        }


def card_words(case: Case, kinds: Mapping[str, str]) -> Iterator[Finding]:
    """Yield for each theme the card terms that mislead; once, those in no seed; then words that cards lack.

    Themes that are not wrongly given for it are named together. `kinds` are the words that are names, which are no
    words to propose.
    """
    stated = _terms(case)
    shares = case.corpus.theme_sets.mean(axis=0).tolist()
    misleading = {
        theme: _misleading(case, theme, found)
        for theme, (terms, share) in enumerate(zip(stated, shares, strict=True))
        if share and (found := [term for term in terms if term.misleads(share)])
    }
    yield from (finding for finding in misleading.values() if finding.touched)
    if harmless := [finding for finding in misleading.values() if not finding.touched]:
        yield harmless[0] if len(harmless) == 1 else _harmless(harmless)
    unseen = {case.themes[theme]: [term.term for term in terms if not term.seeds] for theme, terms in enumerate(stated)}
    if any(unseen.values()):
        yield _unseen({theme: terms for theme, terms in unseen.items() if terms}, sum(map(len, stated)))
    yield from _lacking(case, kinds)


def _terms(case: Case) -> list[list[_Term]]:
    """Return the terms of each card that the version knows, with their counts and weights."""
    block, arrays = case.blocks["card"], case.arrays
    seeds = block.active.getnnz(axis=0)
    with_theme = _with_theme(case, block.active)
    rows = {term: row for row, term in enumerate(arrays.card_terms)}
    found = []
    columns = zip(theme_columns(case.blocks["words"].weights), theme_columns(block.weights), strict=True)
    terms_of_cards = zip(case.corpus.cards, card_term_weights(case.corpus.cards), columns, strict=True)
    for card, terms, ((theme, weights), (_, card_weights)) in terms_of_cards:
        counts = with_theme[[theme]].toarray()[0]
        entries = _entries(card)
        found.append(
            [
                _Term(
                    term,
                    entries[term],
                    int(seeds[rows[term]]),
                    int(counts[rows[term]]),
                    float(card_weights[rows[term]] * arrays.card_idf[rows[term]]),
                    _learned(case.scorer, term, weights),
                )
                for term in terms
                if term in rows
            ]
        )
    return found


def _learned(scorer: Scorer, term: str, weights: NDArray[np.float32]) -> float:
    """Return what the seeds taught of the words of a term: like the card, per occurrence and over the same norm."""
    rows = [row for row in scorer.occurrences(term).words.tolist() if row >= 0]
    return float(weights[rows] @ scorer.arrays.word_idf[rows])


def _with_theme(case: Case, active: sp.csr_matrix) -> sp.csr_matrix:
    """Return how many seeds of each theme hold each feature, (T, n_features)."""
    return sp.csr_matrix(case.theme_sets.T @ (active > 0).astype(np.float64))


def _entries(card: ThemeCard) -> dict[str, _Entry]:
    """Return for each term of a card the entry it comes from; of several, one that is the term as a whole."""
    wholes: dict[str, _Entry] = {}
    parts: dict[str, _Entry] = {}
    for name, texts in (("keywords", card.keywords), ("label", (card.label,)), ("altLabels", card.alt_labels)):
        for text in texts:
            raw = tokens(text).raw
            wholes.setdefault(" ".join(raw), _Entry(name, text, True))
            if name != "keywords" or len(raw) > LONGEST_TERM:
                for word in raw:
                    parts.setdefault(word, _Entry(name, text, False))
    return parts | wholes


def _misleading(case: Case, theme: int, terms: Sequence[_Term]) -> Finding:
    name = case.themes[theme]
    terms = sorted(terms, key=lambda term: term.with_theme - term.seeds)
    false = case.rows[case.given[:, theme] & ~case.truth[:, theme]]
    rows = [case.arrays.card_terms.index(term.term) for term in terms]
    holds = case.blocks["card"].active[:, rows].getnnz(axis=1) > 0
    in_false, everywhere = int(holds[false].sum()), float(holds.mean())
    told = listed([f"{term.term!r} ({term.seeds} seeds, {term.with_theme} with the theme)" for term in terms])
    message = (
        f"Card words of {name} that the seeds speak against: {told}. One of them stands in {in_false} of the "
        f"{len(false)} held-out seeds it is wrongly given to, and in {everywhere:.0%} of all."
    )
    record = {"terms": [term.as_record() for term in terms], "false_tags": len(false), "with_a_term": in_false}
    touched = max(0.0, in_false - everywhere * len(false))
    return Finding(FIGHTING, (name,), message, _remedy(terms), touched, record)


def _harmless(findings: Sequence[Finding]) -> Finding:
    """Return what was found of themes that no held-out seed was given because of it."""
    themes = [finding.themes[0] for finding in findings]
    told = [
        f"{theme}: {', '.join(term['term'] for term in finding.evidence['terms'])}"
        for theme, finding in zip(themes, findings, strict=True)
    ]
    message = f"More card words that the seeds speak against; no held-out seed was misled: {listed(told, '; ')}."
    remedy = "What to do about each stands in the evidence (--json)."
    evidence = {
        theme: {"next": finding.remedy, **finding.evidence} for theme, finding in zip(themes, findings, strict=True)
    }
    return Finding(FIGHTING, tuple(themes), message, remedy, 0.0, evidence)


def _remedy(terms: Sequence[_Term]) -> str:
    """Return what to do about each kind of entry that the terms come from."""
    groups: dict[str, list[str]] = {}
    for term in terms:
        texts = groups.setdefault(_way(term), [])
        if (text := f"{term.entry.text!r}") not in texts:
            texts.append(text)
    return " ".join(_WAYS[way].format(listed(texts)) for way, texts in groups.items())


_WAYS = {
    "label": "The words of the label {} always count singly: choose another label, or let the seeds outweigh them.",
    "long": "Make of {} a keyword of at most three words; of more, each counts by itself.",
    "name": "Move {} from altLabels to keywords: there the whole counts, not each word; a word that does tell the "
    "theme can be a keyword of its own.",
    "clipped": "{} is read without its single letters: write a longer phrase.",
    "alone": "Take out {}, or write a longer phrase that is said of this theme only.",
}
"""What to do, by where a term comes from."""


def _way(term: _Term) -> str:
    if term.entry.field == "label":
        return "label"
    if not term.entry.whole:
        return "long" if len(tokens(term.entry.text).raw) > LONGEST_TERM else "name"
    return "clipped" if _clipped(term) else "alone"


def _clipped(term: _Term) -> bool:
    """Tell whether a letter of the entry is no part of the term: single letters are no words."""
    return sum(map(str.isalnum, term.term)) < sum(map(str.isalnum, term.entry.text))


def _unseen(unseen: Mapping[str, Sequence[str]], n_terms: int) -> Finding:
    count = sum(map(len, unseen.values()))
    message = f"{count} of the {n_terms} terms on the cards stand in no seed; what they do was measured on none."
    remedy = "Nothing, if releases to come may hold them. A word no release would use can go."
    return Finding(UNSEEN, tuple(unseen), message, remedy, 0.0, {"terms": dict(unseen)})


def _lacking(case: Case, kinds: Mapping[str, str]) -> Iterator[Finding]:
    """Yield, once, the words that speak most for each theme in its seeds and do not stand on its card."""
    block = case.blocks["words"]
    seeds = block.active.getnnz(axis=0)
    with_theme = _with_theme(case, block.active)
    no_words = np.array([not word.isalpha() or word in kinds for word in case.arrays.words])
    lacking: dict[str, list[dict[str, Any]]] = {}
    for card, (theme, weights) in zip(case.corpus.cards, theme_columns(block.weights), strict=True):
        counts = with_theme[[theme]].toarray()[0]
        telling = (counts >= LEAST_WITH) & (counts >= LEAST_PRECISION * seeds) & ~no_words
        use = np.where(telling, case.used["words"][[theme]].toarray()[0] * weights, 0.0)
        best = np.argsort(-use, kind="stable")[: (use > 0).sum()].tolist()
        own = card_tokens(card)
        found = [row for row in best if case.arrays.words[row] not in own][:SUGGESTED]
        if found:
            lacking[card.id] = [
                {"word": case.arrays.words[row], "seeds": int(seeds[row]), "with_theme": int(counts[row])}
                for row in found
            ]
    if lacking:
        yield _words_to_add(lacking)


def card_tokens(card: ThemeCard) -> set[str]:
    """Return the words of a card that text is matched with."""
    return {word for text in (card.label, *card.alt_labels, *card.keywords) for word in tokens(text).words}


def _words_to_add(lacking: Mapping[str, Sequence[Mapping[str, Any]]]) -> Finding:
    told = [f"{theme}: {', '.join(word['word'] for word in words[:NAMED])}" for theme, words in lacking.items()]
    message = f"Words that speak for a theme in its seeds, and do not stand on its card: {listed(told, '; ')}."
    remedy = "The seeds have taught them. Put those on the card that would speak for the theme in other years, too."
    return Finding(MISSING, tuple(lacking), message, remedy, 0.0, {"words": dict(lacking)})
