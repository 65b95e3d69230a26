"""Theme cards: what a person wrote about each theme, read from one YAML file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tagger.errors import SeedsError

if TYPE_CHECKING:
    from yaml import Node

MATCH_KINDS = ("exactMatch", "closeMatch", "broadMatch", "narrowMatch", "relatedMatch")
"""How a concept of another vocabulary may relate to a theme."""

LEAST_PRECISION, MOST_PRECISION = 0.5, 0.99
"""What precision may be promised: of less nobody would be content, of more no number of seeds could assure them."""

MAX_DEPTH = 20
"""How deep the file may nest."""

_TEXT_FIELDS = {"id": "id", "label": "label", "group": "group", "scopeNote": "scope_note"}
_LIST_FIELDS = {
    "altLabels": "alt_labels",
    "keywords": "keywords",
    "related": "related",
    "include": "include",
    "exclude": "exclude",
}
_PRECISION = "precision"
_FIELDS = (*_TEXT_FIELDS, *_LIST_FIELDS, _PRECISION, *MATCH_KINDS)

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SHARE = re.compile(r"0?\.[0-9]{1,6}")
_MATCH = re.compile(r'(\S+)(?: +([^\s"]+))? +"(.+)"')


class Match(NamedTuple):
    """A concept of another vocabulary; `kind` says how it relates to the theme."""

    kind: str
    vocabulary: str
    code: str | None
    label: str


@dataclass(frozen=True, slots=True)
class ThemeCard:
    """All that a person wrote about a theme."""

    id: str
    label: str
    alt_labels: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    group: str | None = None
    related: tuple[str, ...] = ()
    scope_note: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    precision: float | None = None
    """What share of the tags given without a look is promised to be right."""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return a question for the nearest of the known names, to stand before another sentence; nothing if none is near.

    >>> did_you_mean("fishery", ["fisheries", "trade"])
    "Did you mean 'fisheries'? "
    """
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


def load_cards(path: str | Path) -> tuple[ThemeCard, ...]:
    """Return the cards of a file in its order; all that is wrong with it is raised as one SeedsError."""
    source = _Source(Path(path))
    cards = tuple(_cards(source))
    if source.problems:
        raise SeedsError(source.problems)
    return cards


class _Source:
    """The YAML tree of a file, and the problems met in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.root = self.mapping(_tree(path), "the file")

    def problem(self, node: Node, sentence: str) -> None:
        self.problems.append(f"{self.path}, line {node.start_mark.line + 1}: {sentence}")

    def mapping(self, node: Node, what: str) -> dict[str, Node]:
        """Return the fields of a mapping; a field written twice is a problem."""
        from yaml import MappingNode

        if not isinstance(node, MappingNode):
            self.problem(node, f"{what} should be a list of `field: value` lines.")
            return {}
        fields: dict[str, Node] = {}
        for key, value in node.value:
            name = self.text(key, "the name of a field")
            if name in fields:
                self.problem(key, f"the field {name!r} is written twice; keep one.")
            fields[name] = value
        return fields

    def items(self, node: Node, what: str) -> list[Node]:
        """Return the entries of a list; a field left blank is an empty list."""
        from yaml import SequenceNode

        if isinstance(node, SequenceNode):
            return list(node.value)
        if node.value:
            self.problem(node, f"{what} should be a list: [one, two] or lines beginning with `- `.")
        return []

    def text(self, node: Node, what: str) -> str:
        """Return a text as it is written: `no`, `5` and `2030` are words here."""
        from yaml import ScalarNode

        if not isinstance(node, ScalarNode):
            self.problem(node, f"{what} should be text; put it in quotes if it has a colon, bracket or comma in it.")
            return ""
        return " ".join(node.value.split())

    def texts(self, node: Node, what: str) -> tuple[str, ...]:
        """Return the texts of a list; an empty entry is a problem."""
        found = []
        for item in self.items(node, what):
            known_problems = len(self.problems)
            text = self.text(item, f"an entry of {what}")
            if text:
                found.append(text)
            elif len(self.problems) == known_problems:
                self.problem(item, f"an entry of {what} is empty; write it or take it out.")
        return tuple(found)


def _precision(source: _Source, fields: dict[str, Node], usual: float | None) -> float | None:
    """Return the precision that is promised, that of the scheme where a card says nothing."""
    if _PRECISION not in fields:
        return usual
    text = source.text(fields[_PRECISION], _PRECISION)
    if _SHARE.fullmatch(text) and LEAST_PRECISION <= float(text) <= MOST_PRECISION:
        return float(text)
    expected = f"a number from {LEAST_PRECISION} to {MOST_PRECISION}, such as 0.9, or no such line"
    source.problem(fields[_PRECISION], f"the promised precision is {text!r}; expected {expected}.")
    return usual


def _tree(path: Path) -> Node:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8-sig")
        depth = 0
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            # The C loader recurses for each level and would take the process down.
            if depth > MAX_DEPTH:
                raise SeedsError([f"{path} nests over {MAX_DEPTH} levels deep; a card needs three."])
        tree: Node | None = yaml.compose(text, loader)
    except OSError as error:
        raise SeedsError([f"The theme cards {path} cannot be read: {error.strerror}."]) from error
    except UnicodeDecodeError as error:
        raise SeedsError([f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8."]) from error
    except yaml.YAMLError as error:
        raise SeedsError([f"{path}{_place(error)}: not YAML ({_reason(error)})."]) from error
    if tree is None:
        raise SeedsError([f"{path} is empty; it should hold `themes:` and a list of cards."])
    return tree


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _reason(error: Exception) -> str:
    return getattr(error, "problem", None) or str(error).partition("\n")[0]


def _cards(source: _Source) -> Iterator[ThemeCard]:
    scheme = source.mapping(source.root["scheme"], "`scheme`") if "scheme" in source.root else {}
    groups = _groups(source, scheme)
    promised = _precision(source, scheme, None)
    known_problems = len(source.problems)
    nodes = source.items(source.root["themes"], "`themes`") if "themes" in source.root else []
    if not nodes and len(source.problems) == known_problems:
        source.problems.append(f"{source.path} holds no theme; it should hold `themes:` and a list of cards.")
    fields = [source.mapping(node, "a card") for node in nodes]
    cards = [_card(source, node, card, promised) for node, card in zip(nodes, fields, strict=True)]
    _check_unique(source, nodes, "id", [card.id for card in cards])
    _check_unique(source, nodes, "label", [card.label.casefold() for card in cards])
    ids = {card.id for card in cards}
    for card, card_fields in zip(cards, fields, strict=True):
        if card.group is not None:
            _check_known(source, card_fields["group"], "group", [card.group], groups)
        if card.related:
            _check_known(source, card_fields["related"], "related theme", card.related, ids - {card.id})
    yield from cards


def _groups(source: _Source, scheme: dict[str, Node]) -> dict[str, str]:
    nodes = source.items(scheme["groups"], "`groups`") if "groups" in scheme else []
    groups = {}
    for node in nodes:
        group = {name: source.text(value, name) for name, value in source.mapping(node, "a group").items()}
        if group.get("id") and group.get("label"):
            groups[group["id"]] = group["label"]
        else:
            source.problem(node, "a group needs an id and a label.")
    return groups


def _card(source: _Source, node: Node, fields: dict[str, Node], promised: float | None) -> ThemeCard:
    for name, value in fields.items():
        if name not in _FIELDS:
            source.problem(value, f"unknown field {name!r}; {_nearest(name, _FIELDS)}")
    texts = {ours: source.text(fields[name], name) for name, ours in _TEXT_FIELDS.items() if name in fields}
    lists = {ours: source.texts(fields[name], name) for name, ours in _LIST_FIELDS.items() if name in fields}
    theme_id, label = texts.pop("id", ""), texts.pop("label", "")
    if not _ID.fullmatch(theme_id):
        expected = "lower-case letters, digits and hyphens, beginning with a letter or digit, at most 64"
        source.problem(fields.get("id", node), f"the id {theme_id!r} should be {expected}.")
    if not label:
        source.problem(fields.get("label", node), f"the theme {theme_id!r} has no label; add `label: ...`.")
    matches = tuple(match for kind in MATCH_KINDS if kind in fields for match in _matches(source, fields[kind], kind))
    return ThemeCard(
        theme_id,
        label,
        group=texts.get("group") or None,
        scope_note=texts.get("scope_note", ""),
        matches=matches,
        precision=_precision(source, fields, promised),
        **lists,
    )


def _matches(source: _Source, node: Node, kind: str) -> Iterator[Match]:
    for line in source.texts(node, kind):
        parts = _MATCH.fullmatch(line)
        if parts:
            yield Match(kind, parts[1], parts[2], parts[3])
        else:
            source.problem(node, f'{kind}: {line!r} should be like `unbis 1005695 "SANCTIONS"`.')


def _check_unique(source: _Source, nodes: list[Node], field: str, values: list[str]) -> None:
    lines: dict[str, int] = {}
    for node, value in zip(nodes, values, strict=True):
        if value in lines:
            source.problem(node, f"the {field} {value!r} is that of the card on line {lines[value]} too; change one.")
        elif value:
            lines[value] = node.start_mark.line + 1


def _check_known(source: _Source, node: Node, what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            source.problem(node, f"unknown {what} {name!r}; {_nearest(name, known)}")


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    question = did_you_mean(name, names).strip().replace("Did", "did", 1)
    return question or f"known are {', '.join(names) or 'none'}."
