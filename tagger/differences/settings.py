"""What two versions were made with and decide by, where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.differences.pairs import Pair, Theme
from tagger.heldout import HeldOutSeeds

MOST_SEEDS = 20
"""Seeds named of each kind; all are counted."""

_FIELDS_OF_RULE = ("seeds", "threshold", "auto_threshold")
_CURVE = ("slope", "intercept")
"""What a card says of its theme's probabilities; it is in each flip."""


def settings(pair: Pair) -> dict[str, Any]:
    """Return what differs between the versions as a whole."""
    manifests = [version.manifest for version in pair.versions]
    rules = [tagger.rule for tagger in pair.taggers]
    recipes = [manifest["settings"] for manifest in manifests]
    found = {
        "recipe": _fields(*recipes),
        "nearness": _both(*(rule.nearness for rule in rules)),
        "domain": _both(*(tagger.domain.as_record() for tagger in pair.taggers)),
        "seeds": _seeds(pair) if manifests[0]["seeds"] != manifests[1]["seeds"] else {},
    }
    return {name: what for name, what in found.items() if what}


def theme_settings(pair: Pair, theme: Theme) -> dict[str, Any]:
    """Return what differs in a theme: seeds, thresholds, and fields of its card; nothing where only one has it."""
    before, after = theme.columns
    if before is None or after is None:
        return {}
    cards = pair.taggers[0].themes[before], pair.taggers[1].themes[after]
    rule = [{name: card[name] for name in _FIELDS_OF_RULE} for card in cards]
    own = [{name: card[name] for name in card if name not in (*_FIELDS_OF_RULE, *_CURVE)} for card in cards]
    found = _fields(*rule)
    if card := _fields(*own):
        found["card"] = card
    return found


def _seeds(pair: Pair) -> dict[str, Any]:
    """Return which seeds only one version was trained on, and which of both have another text or other themes."""
    both = zip(pair.versions, pair.taggers, strict=True)
    before, after = (_seeds_of(version.folder, tagger.themes) for version, tagger in both)
    common = [seed for seed in after if seed in before]
    kinds = {
        "added": [seed for seed in after if seed not in before],
        "removed": [seed for seed in before if seed not in after],
        "rewritten": [seed for seed in common if before[seed][0] != after[seed][0]],
        "relabelled": [seed for seed in common if before[seed][1] != after[seed][1]],
    }
    named = {kind: {"count": len(seeds), "ids": seeds[:MOST_SEEDS]} for kind, seeds in kinds.items() if seeds}
    return {"before": len(before), "after": len(after), **named}


def _seeds_of(folder: Path, themes: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, frozenset[str]]]:
    """Return the digest of each seed's text, and its themes."""
    seeds = HeldOutSeeds.load(folder)
    ids = [theme["id"] for theme in themes]
    sets = [frozenset(ids[column] for column in row.nonzero()[0].tolist()) for row in seeds.theme_sets]
    return dict(zip(seeds.ids, zip(seeds.digests, sets, strict=True), strict=True))


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    names = dict.fromkeys((*before, *after))
    found = {name: _both(before.get(name), after.get(name)) for name in names}
    return {name: what for name, what in found.items() if what}


def _both(before: Any, after: Any) -> dict[str, Any]:
    """Return both values where they differ; of lists, what only one of them has."""
    if before == after:
        return {}
    if isinstance(before, list) and isinstance(after, list):
        added, removed = [one for one in after if one not in before], [one for one in before if one not in after]
        if added or removed:
            return {"added": added, "removed": removed}
    return {"before": before, "after": after}
