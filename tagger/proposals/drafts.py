"""Proposals: a cluster of releases each, with the draft of a theme card, and the file of drafts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import yaml

from tagger.errors import OutputError
from tagger.features import MOST_CARDS, card_term_weights
from tagger.files import check_writable, replace_file
from tagger.proposals.releases import Example
from tagger.themes import ThemeCard

LABELS, KEYWORDS = 4, 18
"""Phrases a label is chosen from, and keywords of a draft."""

SHOWN_PHRASES = 8
"""Phrases of a cluster that are told."""

LONGEST_ID = 60

_HEAD = """\
# Drafts of theme cards, from releases that no theme fits. Not in use: look at the examples, give a card a better id
# and label, write its scopeNote, take out keywords that do not belong, and paste it into the file of theme cards.

themes:
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A cluster of releases that no theme fits, and the draft of a card for it.

    `releases` counts near-duplicates too, `texts` does not; of these, `untagged` have no theme at all, the others a
    companion. `share` is the part of the archive. `coherence` is the mean similarity (cosine) of two
    texts. `reach` is how much of the threshold of `nearest`, the theme most like them, the texts reach on average.
    """

    card: ThemeCard
    releases: int
    texts: int
    untagged: int
    share: float
    coherence: float
    phrases: tuple[str, ...]
    examples: tuple[Example, ...]
    nearest: str
    reach: float

    def as_record(self) -> dict[str, Any]:
        """Return JSON-able values; `card` has the fields of the file of theme cards."""
        return {**asdict(self), "card": _card_fields(self.card)}


def draft_card(telling: Sequence[str], cards: Sequence[ThemeCard]) -> ThemeCard:
    """Draft a card from phrases, one that takes no term away from the cards there are.

    A term on too many cards counts for none of them; the words of a label are terms too.
    """
    uses = Counter(term for card in cards for term in card_term_weights([card])[0])
    free = [phrase for phrase in telling if all(uses[part] < MOST_CARDS for part in (phrase, *phrase.split()))]
    label = next(iter(sorted(free[:LABELS], key=lambda phrase: " " not in phrase)), telling[0])
    # Keywords, for the words of other labels would count one by one.
    keywords = [phrase for phrase in telling if uses[phrase] < MOST_CARDS and phrase != label]
    return ThemeCard(
        _unused(_identifier(label), {card.id for card in cards}),
        _unused(label.capitalize(), {card.label for card in cards}),
        keywords=tuple(keywords[:KEYWORDS]),
    )


def _identifier(label: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", ascii_only))[:LONGEST_ID].strip("-") or "theme"


def _unused(name: str, used: Collection[str]) -> str:
    """Return a name, with a number after it if there is one like it."""
    taken = {other.casefold() for other in used}
    numbered = (f"{name}-{number}" for number in count(2))
    return next(candidate for candidate in chain([name], numbered) if candidate.casefold() not in taken)


def _card_fields(card: ThemeCard) -> dict[str, Any]:
    return {
        "id": card.id,
        "label": card.label,
        "keywords": list(card.keywords),
    }


# ---- The file


def check_new(path: Path) -> None:
    """Raise OutputError where drafts cannot be written to a path: a person may have worked on what is there."""
    if path.exists():
        raise OutputError(f"{path} exists already. Choose another name for the drafts, or remove it first.")
    check_writable(path)


def write_cards(path: Path, proposals: Sequence[Proposal]) -> None:
    """Write drafts into a new file, all of it or nothing."""
    check_new(path)
    replace_file(path, card_file(proposals).encode(errors="replace"))


def card_file(proposals: Sequence[Proposal]) -> str:
    """Return drafts as a file of theme cards, with what a person should know in comments."""
    return _HEAD + "".join(f"\n{_commented(proposal)}" for proposal in proposals)


def _commented(proposal: Proposal) -> str:
    examples = "".join(
        f"#   {_one_line(f'{example.place}: {example.title or example.id}')}\n" for example in proposal.examples
    )
    size = f"{proposal.releases} releases, {proposal.share:.1%} of the archive"
    near = f"nearest theme: {proposal.nearest}, {proposal.reach:.0%} of its threshold"
    card = yaml.safe_dump(
        [_card_fields(proposal.card)], default_flow_style=None, sort_keys=False, allow_unicode=True, width=110
    )
    return f"# {size}; {near}.\n{examples}{card}  # scopeNote: what the theme is about, in one or two sentences\n"


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
