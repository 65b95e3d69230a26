"""The Tagger: a document in, its tags out, by one version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import content
from tagger.decisions import NOTHING, Decision, DecisionRule, decision_name
from tagger.documents import Document, Release
from tagger.errors import DamagedVersion
from tagger.evidence import Evidence, Explainer
from tagger.registry import Registry, Version
from tagger.releases import NOTHING_LEARNED, Boilerplate, Cut, cut
from tagger.scorer import Scorer, ScorerArrays

SCORER, THEMES, BOILERPLATE = "scorer", "themes.json", "boilerplate.npy"
"""What a version's folder holds for tagging."""

NEAR_MISSES = 3
CANARY_TOLERANCE = 2e-6
"""Two roundings to six digits of nearly the same number differ by at most one unit; this leaves room for that."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term stands: offsets into the title or the text as they were given, end exclusive."""

    start: int
    end: int
    part: Literal["title", "text"]


@dataclass(frozen=True, slots=True)
class Tag:
    """A theme a document is given, or could be given: with `decision` None it was not."""

    theme: str
    label: str
    probability: float
    threshold: float
    decision: Decision | None
    evidence: Evidence | None = None
    places: tuple[tuple[Place, ...], ...] = ()

    def as_record(self) -> dict[str, Any]:
        """Return the tag as JSON-able values; `decision` and `evidence` where there are any."""
        record: dict[str, Any] = {
            "theme": self.theme,
            "label": self.label,
            "probability": self.probability,
            "threshold": self.threshold,
        }
        if self.decision:
            record["decision"] = self.decision
        if self.evidence:
            record["evidence"] = self._evidence_record(self.evidence)
        return record

    def _evidence_record(self, evidence: Evidence) -> dict[str, Any]:
        terms = [
            {
                "term": term.term,
                "share": term.share,
                "card": term.card,
                "learned": term.learned,
                "spans": [{"start": place.start, "end": place.end, "in": place.part} for place in places],
            }
            for term, places in zip(evidence.terms, self.places, strict=True)
        ]
        return {
            "score": evidence.score,
            "bias": evidence.bias,
            "card": evidence.card,
            "learned": evidence.learned,
            "terms": terms,
        }


@dataclass(frozen=True, slots=True)
class Tagged:
    """A document's tags, the most probable first, and the version that gave them.

    `near_misses` are the themes nearest to being given; `scores` holds every theme, where asked for.
    """

    id: str
    version: str
    tags: tuple[Tag, ...]
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    near_misses: tuple[Tag, ...] = ()
    scores: tuple[Tag, ...] = ()
    release: Release | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the record of JSON lines: id, tags, version, and whatever else there is."""
        record: dict[str, Any] = {"id": self.id}
        if self.title is not None:
            record["title"] = self.title
        record["tags"] = [tag.as_record() for tag in self.tags]
        record["version"] = self.version
        if self.release:
            record |= release_record(self.release)
        if self.metadata:
            record["metadata"] = dict(self.metadata)
        if self.near_misses:
            record["near_misses"] = [tag.as_record() for tag in self.near_misses]
        if self.scores:
            record["scores"] = [tag.as_record() for tag in self.scores]
        return record


def release_record(release: Release) -> dict[str, Any]:
    """Return where a release stands in its page and what its header says."""
    return {
        "start": release.start,
        "end": release.end,
        "title": release.title,
        "date": release.date,
        "date_precision": release.date_precision,
        "office": release.office,
        "kind": release.kind,
    }


class Tagger:
    """Tags documents with one version; safe to share between threads."""

    def __init__(
        self,
        version: str,
        themes: Sequence[Mapping[str, Any]],
        rule: DecisionRule,
        scorer: Scorer,
        learned: Boilerplate,
    ) -> None:
        self.version = version
        self.themes = tuple(themes)
        self._rule = rule
        self._scorer = scorer
        self._learned = learned

    @classmethod
    def load(cls, version: Version) -> Tagger:
        """Load a version: check its files, map its arrays, recompute its canaries. Raises DamagedVersion."""
        version.check()
        tagger = cls._read(version)
        for canary in version.manifest["canaries"]:
            difference = np.abs(tagger.probabilities(canary["text"]) - np.array(canary["probabilities"]))
            if difference.max() > CANARY_TOLERANCE:
                raise DamagedVersion(
                    f"Version {version.name} scores a known text otherwise than when it was saved (by "
                    f"{difference.max():.6f}); this tagger reads texts in another way. Train again: tagger train"
                )
        return tagger

    @classmethod
    def _read(cls, version: Version) -> Tagger:
        saved = json.loads((version.folder / THEMES).read_text(encoding="utf-8"))
        curves = {name: np.array([theme[name] for theme in saved["themes"]]) for name in ("slope", "intercept")}
        thresholds = np.array([theme["threshold"] for theme in saved["themes"]])
        return cls(
            version.name,
            saved["themes"],
            DecisionRule(**curves, thresholds=thresholds, nearness=saved["nearness"]),
            Scorer(ScorerArrays.load(version.folder / SCORER)),
            read_boilerplate(version.folder),
        )

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """Return the probability of each theme for what the model reads, (n_themes,)."""
        return self._rule.probabilities(self._scorer.scores(text))

    def tag(self, document: Document, *, explain: bool = False, every_theme: bool = False) -> Tagged:
        """Return the tags of one document, taken as it is."""
        read = content(document.title, document.text)
        places = _DocumentPlaces(document, read)
        tags, near_misses, scores = self._tags(read, places, explain, every_theme)
        return Tagged(document.id, self.version, tags, document.title, document.metadata, near_misses, scores)

    def cut(self, page: str) -> Cut:
        """Return the releases of a page, by the fixed rules and what this version learned of boilerplate."""
        return cut(page, self._learned)

    def tag_page(self, document: Document, *, explain: bool = False, every_theme: bool = False) -> Iterator[Tagged]:
        """Yield the tags of each release of a page; ids are `id#1`, `id#2`, or the id alone where there is one."""
        return self.tag_cut(document, self.cut(document.text), explain=explain, every_theme=every_theme)

    def tag_cut(
        self, document: Document, found: Cut, *, explain: bool = False, every_theme: bool = False
    ) -> Iterator[Tagged]:
        """Yield the same for a page that was cut before; a title given with the page is that of its only release."""
        releases = found.releases
        if len(releases) == 1 and document.title:
            releases = (replace(releases[0], title=document.title, title_start=None),)
        for number, release in enumerate(releases, 1):
            read = content(release.title, release.text)
            tags, near_misses, scores = self._tags(
                read, _ReleasePlaces(release, read, document.text), explain, every_theme
            )
            identifier = document.id if len(releases) == 1 else f"{document.id}#{number}"
            yield Tagged(identifier, self.version, tags, release.title, document.metadata, near_misses, scores, release)

    def _tags(
        self, read: str, places: _DocumentPlaces, explain: bool, every_theme: bool
    ) -> tuple[tuple[Tag, ...], tuple[Tag, ...], tuple[Tag, ...]]:
        scores = self._scorer.scores(read)
        probabilities = self._rule.probabilities(scores)
        decisions = self._rule.decide(probabilities[None, :])[0]
        if np.array_equal(scores, self._scorer.arrays.bias):
            decisions[:] = NOTHING  # no word of the text is known, and a bias alone is no reason for a theme
        by_probability = np.argsort(-probabilities, kind="stable").tolist()
        explainer = Explainer(self._scorer, read) if explain else None

        def tag(theme: int, explainer: Explainer | None = None) -> Tag:
            evidence = explainer.explain(theme) if explainer else None
            return Tag(
                theme=self.themes[theme]["id"],
                label=self.themes[theme]["label"],
                probability=float(probabilities[theme]),
                threshold=float(self._rule.thresholds[theme]),
                decision=decision_name(decisions[theme]) if decisions[theme] else None,
                evidence=evidence,
                places=tuple(places.of(term.spans) for term in evidence.terms) if evidence else (),
            )

        given = tuple(tag(theme, explainer) for theme in by_probability if decisions[theme])
        share = probabilities / self._rule.thresholds
        missed = [theme for theme in np.argsort(-share, kind="stable").tolist() if not decisions[theme]]
        near_misses = tuple(tag(theme) for theme in missed[:NEAR_MISSES]) if explain else ()
        return given, near_misses, tuple(tag(theme) for theme in by_probability) if every_theme else ()


class _DocumentPlaces:
    """Offsets of what the model reads, told as offsets into a document's title and text."""

    def __init__(self, document: Document, read: str) -> None:
        title = document.title or ""
        has_title = read is not document.text
        self._title_shift = len(title) - len(title.lstrip())
        self._title_end = len(title.strip()) if has_title else 0
        self._text_start = self._title_end + 2 if has_title else 0

    def of(self, spans: Sequence[tuple[int, int]]) -> tuple[Place, ...]:
        return tuple(place for span in spans for place in self._place(*span))

    def _place(self, start: int, end: int) -> Iterator[Place]:
        if start < self._title_end:
            yield self._in_title(start, min(end, self._title_end))
        if end > self._text_start:
            yield self._in_text(max(start, self._text_start) - self._text_start, end - self._text_start)

    def _in_title(self, start: int, end: int) -> Place:
        return Place(start + self._title_shift, end + self._title_shift, "title")

    def _in_text(self, start: int, end: int) -> Place:
        return Place(start, end, "text")


class _ReleasePlaces(_DocumentPlaces):
    """The same for a release: offsets into the page it was cut from."""

    def __init__(self, release: Release, read: str, page: str) -> None:
        super().__init__(Document("", release.text, release.title), read)
        self._release = release
        self._title = _places_of((release.title or "").strip(), page, release.title_start)

    def _in_title(self, start: int, end: int) -> Place:
        if not self._title:  # the title was given beside the page
            return super()._in_title(start, end)
        return Place(self._title[start], self._title[end - 1] + 1, "text")

    def _in_text(self, start: int, end: int) -> Place:
        return Place(*self._release.page_span(start, end), "text")


def _places_of(title: str, page: str, start: int | None) -> list[int]:
    """Return where each character of a title stands in its page, which may hold marks and odd spaces between them."""
    places: list[int] = []
    at = -1 if start is None else start
    for character in title if start is not None else "":
        # What is no character of the page is a space that stands for other white space.
        found = at if character.isspace() else page.find(character, at)
        places.append(at if found < 0 else found)
        at = places[-1] + (not character.isspace())
    return places


def theme_file(themes: Sequence[Mapping[str, Any]], nearness: float) -> str:
    """Return the content of a version's theme file: cards, probability curves and thresholds."""
    return json.dumps({"nearness": nearness, "themes": list(themes)}, indent=1, ensure_ascii=False) + "\n"


def save_boilerplate(folder: Path, learned: Boilerplate) -> None:
    """Write a version's learned boilerplate."""
    np.save(folder / BOILERPLATE, np.array(sorted(learned.hashes), dtype=np.uint64), allow_pickle=False)


def read_boilerplate(folder: Path) -> Boilerplate:
    """Return what a version learned of boilerplate."""
    return Boilerplate(frozenset(np.load(folder / BOILERPLATE, allow_pickle=False).tolist()))


def live_boilerplate(models: Path) -> Boilerplate:
    """Return what the live version learned of boilerplate; nothing where there is no live version."""
    registry = Registry(models)
    if registry.live_name() is None:
        return NOTHING_LEARNED
    version = registry.live()
    version.check()
    return read_boilerplate(version.folder)
