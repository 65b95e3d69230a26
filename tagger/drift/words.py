"""What is said of a change, and what to do about it."""

from __future__ import annotations

from tagger.drift.comparison import MUCH_SHIFT, Change, Rate

SHARES = {
    "none": "texts without a theme",
    "review": "texts with a theme for review",
    "cautions": "texts unlike the seeds",
    "unknown_words": "words that stand in no seed",
}

ADVICE = {
    "more": "Read a sample of what gets it now (tagger tag FILE --explain): where it is right, the news has moved; "
    "where it is wrong, add some as seeds (tagger seeds add PAGE --themes ...) and train.",
    "fewer": "Read a sample of what should have it: where its words have changed, add recent texts as seeds and train. "
    "Seeds that miss it: tagger seeds doubt --theme THEME",
    "as many": "Its tags have not surely changed with its probabilities. Read texts near its threshold, add those it "
    "gets wrong as seeds, and train.",
    "none": "Read a sample of them: what a theme fits needs seeds; for what none fits: tagger themes propose ARCHIVE",
    "review": "Look at which themes they are; what people decide on them makes the best seeds. Add some and train.",
    "cautions": "Another kind of text, or another language, comes in or stays away. Read some: what belongs here needs "
    "seeds, what does not is better kept out.",
    "unknown_words": "The vocabulary has moved. Add recent texts as seeds and train, so that their words are known.",
}
"""What to do, by what has moved."""


def sentence(change: Change) -> str:
    """Return what it is, what it was, and how sure a change is."""
    what = f"{change.name} given to" if change.kind == "theme" else f"{SHARES[change.name]}:"
    rate = f"{what} {_percent(change.now)}, then {_percent(change.then)}"
    if change.rate_moved:
        rate += f", {_chance(change.rate_p)}"
    return f"{rate}{_shift(change)}."


def advice(change: Change) -> str:
    """Return what to do about a change."""
    return ADVICE[change.name if change.kind == "share" else _way(change)]


def _way(change: Change) -> str:
    if not change.rate_moved:
        return "as many"
    return "more" if change.now.value > change.then.value else "fewer"


def _shift(change: Change) -> str:
    if not change.shift_moved:
        return ""
    what = "probabilities" if change.kind == "theme" else "texts"
    much = "much" if (change.shift or 0.0) >= MUCH_SHIFT else "somewhat"
    way = "up" if change.upwards else "down"
    return f"; {what} moved {much} {way}, PSI {change.shift:.2f}, {_chance(change.shift_p)}"


def _percent(rate: Rate) -> str:
    between = "" if rate.low is None or rate.high is None else f" ({100 * rate.low:.1f}–{100 * rate.high:.1f})"
    return f"{100 * rate.value:.1f}%{between}"


def _chance(p: float | None) -> str:
    return "p < 0.0001" if p is None or p < 0.0001 else f"p = {p:.4f}"
