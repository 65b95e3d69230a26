"""Themes that are known by who, where and when rather than by what, and what they score without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tagger.classifiers import fit_themes
from tagger.doctor.cardwords import card_tokens
from tagger.doctor.case import LEARNED, Case, Finding, Progress, listed
from tagger.features import CardTerms
from tagger.folds import group_texts, stratified_folds
from tagger.model import Recipe, ThemeModel
from tagger.thresholds import best_f1_threshold

KIND = "shortcuts"

LARGE_SHARE = 0.15
"""From this share of a theme's learned score on, it is measured what its names are worth."""

POINT = 0.01
"""What a theme must lose in F1 without its names to be told of by itself ..."""

FAR = 2.0
"""... unless its share of names is so many times the usual one."""

LEAST_SEEDS = 10
"""With fewer seeds, any word is a name to the theme, and a held-out F1 says little."""

MOST_MASKED = 20
"""Themes that are trained again without their names; each takes ten fits."""

SHOWN = 8

_Features = tuple[sp.csr_matrix, NDArray[np.float64]]
"""Word features of texts, and their card scores for one theme."""


class _Shortcuts(NamedTuple):
    """The share of a theme's learned score that is names, by their kind; and the names, by the share of each."""

    kinds: dict[str, float]
    words: dict[str, float]

    @property
    def share(self) -> float:
        return sum(self.kinds.values())


def shortcuts(case: Case, kinds: Mapping[str, str], progress: Progress) -> Iterator[Finding]:
    """Yield themes whose seeds are told by names, offices, dates or boilerplate, with their F1 without these.

    `kinds` are such words and which of these they are. Words of a theme's own card are none to it. Themes that
    lose nothing without them are named together.
    """
    sizes = case.corpus.theme_sets.sum(axis=0)
    found = {theme: _shortcuts(case, theme, kinds) for theme in np.flatnonzero(sizes >= LEAST_SEEDS).tolist()}
    large = [theme for theme in found if found[theme].share >= LARGE_SHARE]
    large.sort(key=lambda theme: -found[theme].share * sizes[theme])
    scores = _masked_f1(case, large[:MOST_MASKED], kinds, progress) if large else {}
    usual = float(np.median([shortcut.share for shortcut in found.values()])) if found else 0.0
    telling = [t for t in scores if scores[t][0] - scores[t][1] >= POINT or found[t].share >= FAR * usual]
    for theme in telling:
        yield _finding(case.themes[theme], int(sizes[theme]), found[theme], usual, scores[theme])
    if rest := [theme for theme in large if theme not in telling]:
        yield _harmless({case.themes[theme]: found[theme].share for theme in rest}, len(large) > MOST_MASKED)


def _shortcuts(case: Case, theme: int, kinds: Mapping[str, str]) -> _Shortcuts:
    own = card_tokens(case.corpus.cards[theme])
    of_kinds: Counter[str] = Counter()
    of_words: Counter[str] = Counter()
    total = 0.0
    for block in LEARNED:
        used = case.used[block][[theme]]
        shares = used.data * case.blocks[block].weights[used.indices, theme]
        speaking = np.flatnonzero(shares > 0)
        total += float(shares[speaking].sum())
        for name, share in zip(
            case.feature_names(block, used.indices[speaking]), shares[speaking].tolist(), strict=True
        ):
            if kind := _kind(name, kinds, own):
                of_kinds[kind] += share
                of_words[name] += share
    total = total or 1.0
    return _Shortcuts(
        {kind: share / total for kind, share in of_kinds.most_common()},
        {word: share / total for word, share in of_words.most_common(SHOWN)},
    )


def _kind(name: str, kinds: Mapping[str, str], own: set[str]) -> str | None:
    """Return the kind of name a word or a pair of words is; None where it is none, or the card has it."""
    return next((kinds[word] for word in name.split(" ") if word in kinds and word not in own), None)


def _finding(theme: str, seeds: int, found: _Shortcuts, usual: float, scores: tuple[float, float]) -> Finding:
    parts = ", ".join(f"{kind} {share:.0%}" for kind, share in found.kinds.items())
    message = (
        f"{found.share:.0%} of what speaks for {theme} in its seeds is no matter of its topic ({parts}; half of the "
        f"themes have under {usual:.0%}): {', '.join(found.words)}. Without them its held-out F1 is {scores[1]:.3f} "
        f"instead of {scores[0]:.3f}."
    )
    remedy = (
        "Where the names belong to the theme, leave it so. Where they only happen to stand in its seeds, add seeds of "
        "the theme with other names, and seeds with these names and without the theme."
    )
    evidence = {
        "share": round(found.share, 3),
        "kinds": {kind: round(share, 3) for kind, share in found.kinds.items()},
        "words": {word: round(share, 4) for word, share in found.words.items()},
        "f1": round(scores[0], 3),
        "f1_without": round(scores[1], 3),
    }
    return Finding(KIND, (theme,), message, remedy, seeds * max(0.0, scores[0] - scores[1]), evidence)


def _harmless(shares: Mapping[str, float], some_unmeasured: bool) -> Finding:
    told = listed([f"{theme} {share:.0%}" for theme, share in shares.items()])
    unmeasured = f" (only the {MOST_MASKED} that names tell most were measured)" if some_unmeasured else ""
    message = f"These owe much of their weight to names, and lose less than a point without them{unmeasured}: {told}."
    remedy = "Nothing; among releases of other years and places they may lose more."
    return Finding(KIND, tuple(shares), message, remedy, 0.0, {"shares": {t: round(s, 3) for t, s in shares.items()}})


def _masked_f1(
    case: Case, themes: Sequence[int], kinds: Mapping[str, str], progress: Progress
) -> dict[int, tuple[float, float]]:
    """Return the held-out F1 of themes with all words, and with each theme's names taken away: on the same folds."""
    progress("measuring themes without names", 0)
    cards, truth, read = case.corpus.cards, case.corpus.theme_sets, case.read
    counts = CardTerms(cards).count(read)
    folds = stratified_folds(truth, group_texts(read, [seed.page for seed in case.corpus.seeds]), 0)
    own = {theme: card_tokens(cards[theme]) for theme in themes}
    scores = {theme: np.zeros((2, len(read))) for theme in themes}
    for number, (train, test) in enumerate(folds):
        model = ThemeModel.for_corpus(cards, len(read), case.recipe)
        seen, seen_cards = model.fit_features([read[row] for row in train], counts.of(train))
        unseen, unseen_cards = model.features([read[row] for row in test], counts.of(test))
        named = _named(model, kinds)
        for done, theme in enumerate(themes):
            one = [theme]
            kept = sp.diags_array([float(not words - own[theme]) for words in named], format="csr")
            for masked, (known, new) in enumerate(((seen, unseen), (seen @ kept, unseen @ kept))):
                scores[theme][masked, test] = _held_out_scores(
                    (known, seen_cards[:, one]), (new, unseen_cards[:, one]), truth[train][:, one], case.recipe
                )
            progress("measuring themes without names", (number + (done + 1) / len(themes)) / len(folds))
    return {
        theme: (best_f1_threshold(whole, truth[:, theme])[1], best_f1_threshold(without, truth[:, theme])[1])
        for theme, (whole, without) in scores.items()
    }


def _held_out_scores(
    seen: _Features, unseen: _Features, truth: NDArray[np.bool_], recipe: Recipe
) -> NDArray[np.float64]:
    """Return the scores of unseen texts for one theme; none where no text it is learned from has it."""
    for fitted in fit_themes(*seen, truth, card_strength=recipe.card_strength, c=recipe.c):
        return np.asarray(unseen[0] @ fitted.coef + unseen[1][:, 0] * fitted.card_coef + fitted.intercept)
    return np.zeros(unseen[0].shape[0])


def _named(model: ThemeModel, kinds: Mapping[str, str]) -> list[frozenset[str]]:
    """Return for each feature of a model the names in it."""
    return [
        frozenset(word for word in str(name).split(" ") if word in kinds)
        for vectorizer in model.blocks_.vectorizers_.values()
        for name in vectorizer.get_feature_names_out()
    ]
