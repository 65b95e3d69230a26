"""The Tagger: a document in, its tags out, by one version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagger.cleaning import content
from tagger.counterfactuals import counterfactual, without
from tagger.decisions import NOT_GIVEN, Caution, Decision, DecisionRule, Reason
from tagger.documents import Document, Release
from tagger.domain import Domain, Limits
from tagger.errors import DamagedVersion, OutdatedVersion
from tagger.evidence import Evidence, Explainer, Span, WhyNot
from tagger.language import language_of, usual_language
from tagger.observations import Watched
from tagger.places import DocumentPlaces, Place, ReleasePlaces
from tagger.registry import Registry, Version
from tagger.saved import Rule, decoded
from tagger.scorer import Reading, Scorer, ScorerArrays
from tagger.teachers import Taught, Teachers

if TYPE_CHECKING:
    from tagger.releases import Boilerplate, Cut

SCORER, THEMES, BOILERPLATE, DOMAIN = "scorer", "themes.json", "boilerplate.npy", "domain.npy"
"""What a version's folder holds for tagging."""

NEAR_MISSES = 3
MOST_TAUGHT = 5
"""Seeds named for each tag, where it is asked which ones taught it."""

WHY_NOT_TERMS = 5
"""Terms named of either kind for a theme that was not given."""

CANARY_TOLERANCE = 2e-6
"""Two roundings to six digits of nearly the same number differ by at most one unit; this leaves room for that."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the tags of a document, beside themselves.

    `explain` gives the evidence of each tag and the themes that came nearest, `counterfactual` the sentences without
    which a tag is lost, `taught_by` the seeds it goes back to, `every_theme` the score of every theme.
    """

    explain: bool = False
    counterfactual: bool = False
    taught_by: bool = False
    every_theme: bool = False


NOTHING_MORE = Wanted()


@dataclass(frozen=True, slots=True)
class Lost:
    """Sentences without which a theme is not given, none of them in vain, and its probability then."""

    sentences: tuple[Place, ...]
    probability: float


class Tag(NamedTuple):
    """A theme that was given to a document, or could have been, and why.

    Of a given theme's evidence `term_places` and `sentence_places` say where its terms and sentences stand.
    """

    theme: str
    label: str
    probability: float
    threshold: float
    auto_threshold: float | None
    decision: Decision
    reason: Reason
    evidence: Evidence | None = None
    term_places: tuple[tuple[Place, ...], ...] = ()
    sentence_places: tuple[tuple[Place, ...], ...] = ()
    why_not: WhyNot | None = None
    without: Lost | None = None
    taught_by: tuple[Taught, ...] | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the tag as JSON-able values, with whatever else there is."""
        record: dict[str, Any] = {
            "theme": self.theme,
            "label": self.label,
            "probability": self.probability,
            "threshold": self.threshold,
            "auto_threshold": self.auto_threshold,
            "decision": self.decision,
            "reason": self.reason,
        }
        if self.evidence:
            record["evidence"] = self._evidence_record(self.evidence)
        if self.why_not:
            record["why_not"] = {
                "score": self.why_not.score,
                "gap": self.why_not.gap,
                "for": [term._asdict() for term in self.why_not.spoke_for],
                "against": [term._asdict() for term in self.why_not.against],
            }
        if self.without:
            sentences = [_place_record(place) for place in self.without.sentences]
            record["counterfactual"] = {"without": sentences, "probability": self.without.probability}
        if self.taught_by is not None:
            record["taught_by"] = [seed._asdict() for seed in self.taught_by]
        return record

    def _evidence_record(self, evidence: Evidence) -> dict[str, Any]:
        terms = [
            {
                "term": term.term,
                "share": term.share,
                "card": term.card,
                "learned": term.learned,
                "spans": [_place_record(place) for place in places],
            }
            for term, places in zip(evidence.terms, self.term_places, strict=True)
        ]
        sentences = [
            {"share": sentence.share, "spans": [_place_record(place) for place in places]}
            for sentence, places in zip(evidence.sentences, self.sentence_places, strict=True)
        ]
        return {
            "score": evidence.score,
            "bias": evidence.bias,
            "card": evidence.card,
            "learned": evidence.learned,
            "terms": terms,
            "sentences": sentences,
        }


def _place_record(place: Place) -> dict[str, Any]:
    return {"start": place.start, "end": place.end, "in": place.part}


class Tagged(NamedTuple):
    """A document's tags, the most probable first, and the version that gave them.

    `near_misses` are the themes nearest to being given; `scores` holds every theme, where asked for. `caution` says
    why no theme is given without a look, where that lies in the document as a whole.
    """

    id: str
    version: str
    tags: tuple[Tag, ...]
    title: str | None = None
    metadata: Mapping[str, Any] = MappingProxyType({})
    near_misses: tuple[Tag, ...] = ()
    scores: tuple[Tag, ...] = ()
    release: Release | None = None
    caution: Caution | None = None

    def as_record(self) -> dict[str, Any]:
        """Return the record of JSON lines: id, tags, version, and whatever else there is."""
        record: dict[str, Any] = {"id": self.id}
        if self.title is not None:
            record["title"] = self.title
        record["tags"] = [tag.as_record() for tag in self.tags]
        record["version"] = self.version
        if self.caution:
            record["caution"] = self.caution
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
    """Tags documents with one version; safe to share between threads. `watch`, where set, is told of each of them."""

    watch: Callable[[Watched], None] | None = None

    def __init__(self, version: Version, saved: Mapping[str, Any]) -> None:
        self.version = version.name
        self.themes: tuple[Mapping[str, Any], ...] = tuple(saved["themes"])
        self.rule = _read_rule(saved)
        self.scorer = Scorer(ScorerArrays.load(version.folder / SCORER))
        mean = np.load(version.folder / DOMAIN, allow_pickle=False)
        self.domain = Domain(mean, saved["domain"]["least_words"], _limits(saved["domain"]["limits"]))
        self._version = version
        self.score_thresholds = self.rule.score_thresholds()

    @classmethod
    def load(cls, version: Version) -> Tagger:
        """Load a version: check its files, map its arrays, recompute its canaries. Raises DamagedVersion."""
        version.check()
        try:
            saved = decoded((version.folder / THEMES).read_bytes(), Rule)
            with np.errstate(all="ignore"):
                tagger = cls(version, saved)
                tagger._check(version)
        except DamagedVersion:
            raise
        except Exception as error:  # what a forged version may lead to cannot be listed; none of its code has run
            raise OutdatedVersion(
                f"Version {version.name} was saved by another tagger: {_told(error)}.", "Train again: tagger train"
            ) from error
        return tagger

    def _check(self, version: Version) -> None:
        """Raise an error unless all parts are of one model, which scores known texts as it did."""
        columns, words = len(self.scorer.arrays.bias), len(self.scorer.arrays.words)
        learned = np.load(version.folder / BOILERPLATE, mmap_mode="r", allow_pickle=False)
        if len(self.themes) != columns or self.domain.mean.shape != (words,) or self.domain.mean.dtype != np.float64:
            raise ValueError(f"{THEMES} or {DOMAIN} is of another model than the arrays in {SCORER}")
        if learned.ndim != 1 or learned.dtype != np.uint64:
            raise ValueError(f"{BOILERPLATE} is {learned.dtype} {learned.shape}, expected uint64 in one row")
        if not np.isfinite([self.score_thresholds, self.rule.slope]).all():
            raise ValueError(f"a curve in {THEMES} gives no probabilities")
        for canary in version.manifest["canaries"]:
            difference = np.abs(self.probabilities(canary["text"]) - np.array(canary["probabilities"])).max()
            if not difference <= CANARY_TOLERANCE:  # nor is it where it is no number
                raise OutdatedVersion(
                    f"Version {version.name} scores a known text otherwise than when it was saved (by "
                    f"{difference:.6f}); this tagger reads texts in another way.",
                    "Train again: tagger train",
                )

    def probabilities(self, text: str) -> NDArray[np.float64]:
        """Return the probability of each theme for what the model reads, (n_themes,)."""
        return self.rule.probabilities(self.scorer.scores(text))

    def tag(self, document: Document, wanted: Wanted = NOTHING_MORE) -> Tagged:
        """Return the tags of one document, taken as it is."""
        read = content(document.title, document.text)
        return self._tagged(document, read, self.scorer.read(read), partial(DocumentPlaces, document, read), wanted)

    def tag_many(self, documents: Sequence[Document]) -> Iterator[Tagged]:
        """Yield the tags of documents, taken as they are; the NumPy engine reads many in less time than one by one."""
        texts = [content(document.title, document.text) for document in documents]
        for document, read, reading in zip(documents, texts, self.scorer.read_many(texts), strict=True):
            yield self._tagged(document, read, reading, partial(DocumentPlaces, document, read), NOTHING_MORE)

    def cut(self, page: str) -> Cut:
        """Return the releases of a page, by the fixed rules and what this version learned of boilerplate."""
        from tagger.releases import cut

        return cut(page, self._learned)

    def tag_page(self, document: Document, wanted: Wanted = NOTHING_MORE) -> Iterator[Tagged]:
        """Yield the tags of each release of a page; ids are `id#1`, `id#2`, or the id alone where there is one."""
        return self.tag_cut(document, self.cut(document.text), wanted)

    def tag_cut(self, document: Document, found: Cut, wanted: Wanted = NOTHING_MORE) -> Iterator[Tagged]:
        """Yield the same for a page that was cut before; a title given with the page is that of its only release."""
        releases = found.releases
        if len(releases) == 1 and document.title:
            releases = (replace(releases[0], title=document.title, title_start=None),)
        for number, release in enumerate(releases, 1):
            read = content(release.title, release.text)
            identifier = document.id if len(releases) == 1 else f"{document.id}#{number}"
            part = replace(document, id=identifier, title=release.title)
            places = partial(ReleasePlaces, release, read, document.text)
            yield self._tagged(part, read, self.scorer.read(read), places, wanted, release)

    def _tagged(
        self,
        document: Document,
        read: str,
        reading: Reading,
        places: Callable[[], DocumentPlaces],
        wanted: Wanted,
        release: Release | None = None,
    ) -> Tagged:
        text = _Text(self, read, reading, places)
        if self.watch:
            self.watch(text.watched())
        return Tagged(
            document.id,
            self.version,
            tuple([text.given(theme, wanted) for theme in text.ranked(text.decided.given)]),
            document.title,
            document.metadata,
            near_misses=text.near_misses() if wanted.explain else (),
            scores=tuple(map(text.tag, text.ranked(range(len(self.themes))))) if wanted.every_theme else (),
            release=release,
            caution=text.decided.caution,
        )

    def decide(self, text: str, reading: Reading, probabilities: NDArray[np.float64]) -> Decided:
        """Return what is decided on a text that was read, given the probability of each theme."""
        caution = self._caution(text, reading)
        learned, card = reading.learned, reading.card
        decided = self.rule.settle(probabilities, lambda theme: bool(learned[theme] < 0 < card[theme]), caution)
        if not len(reading.active.words[0]) and not len(reading.active.card[0]):
            # No word of the text is known, and a bias alone is no reason for a theme.
            decided = {theme: ("none", reason) for theme, (_, reason) in decided.items()}
        return Decided(caution, decided)

    def _caution(self, read: str, reading: Reading) -> Caution | None:
        caution = self.domain.caution(reading)
        # The same texts are set apart with and without the extra `lang`; it only tells why.
        if caution == "out_of_domain" and self._language and language_of(read) not in (None, self._language):
            return "language"
        return caution

    # What a single text seldom needs, and what takes longer to load than all the rest, is loaded when it is needed.

    @cached_property
    def teachers(self) -> Teachers:
        """The seeds that taught this version."""
        return Teachers.load(self._version.folder)

    @cached_property
    def _learned(self) -> Boilerplate:
        return read_boilerplate(self._version.folder)

    @cached_property
    def _language(self) -> str | None:
        return usual_language([canary["text"] for canary in self._version.manifest["canaries"]])

    def warm_up(self) -> None:
        """Load all that a later page or text might wait for."""
        self.cut("")
        language_of(self._language or "")


def _told(error: Exception) -> str:
    """Return what an error says, without the paths of the machine that those of the system hold."""
    if isinstance(error, OSError) and error.filename:
        return f"{Path(error.filename).name}: {error.strerror}"
    return str(error) or type(error).__name__


def _limits(saved: Sequence[Mapping[str, Any]]) -> list[Limits]:
    return [Limits(**limits) for limits in saved]


def _read_rule(saved: Mapping[str, Any]) -> DecisionRule:
    themes = saved["themes"]
    curves = {name: np.array([theme[name] for theme in themes]) for name in ("slope", "intercept")}
    auto = [theme["auto_threshold"] for theme in themes]
    return DecisionRule(
        **curves,
        thresholds=np.array([theme["threshold"] for theme in themes]),
        auto_thresholds=np.array([np.inf if threshold is None else threshold for threshold in auto]),
        nearness=saved["nearness"],
    )


class Decided(NamedTuple):
    """What is decided on a text: as a whole, and of each theme by column, with the reason; others are NOT_GIVEN."""

    caution: Caution | None
    themes: Mapping[int, tuple[Decision, Reason]]

    @property
    def given(self) -> list[int]:
        """The themes that are given."""
        return [theme for theme, (decision, _) in self.themes.items() if decision != "none"]


class _Text:
    """One text on its way to tags."""

    def __init__(self, tagger: Tagger, read: str, reading: Reading, places: Callable[[], DocumentPlaces]) -> None:
        self._tagger = tagger
        self._read = read
        self._reading = reading
        self._make_places = places
        self._found: dict[tuple[Span, ...], tuple[Place, ...]] = {}
        self.scores = tagger.scorer.sum(self._reading)
        self.probabilities = tagger.rule.probabilities(self.scores)
        self.decided = tagger.decide(read, self._reading, self.probabilities)

    def watched(self) -> Watched:
        """Return what a watcher is told."""
        words = self._reading.n_different
        unknown = words - len(self._reading.active.words[0])
        return Watched(self.probabilities, self.decided.caution, self.decided.themes, words, unknown)

    def ranked(self, themes: Iterable[int]) -> list[int]:
        """Return themes, by their columns, the most probable first."""
        return sorted(themes, key=lambda theme: -self.probabilities[theme])

    def tag(self, theme: int) -> Tag:
        """Return a theme, by its column, with what was decided."""
        decision, reason = self.decided.themes.get(theme, NOT_GIVEN)
        card = self._tagger.themes[theme]
        return Tag(
            theme=card["id"],
            label=card["label"],
            probability=float(self.probabilities[theme]),
            threshold=float(self._tagger.rule.thresholds[theme]),
            auto_threshold=card["auto_threshold"],
            decision=decision,
            reason=reason,
        )

    def given(self, theme: int, wanted: Wanted) -> Tag:
        """Return a theme that is given, with what is wanted of it."""
        tag = self.tag(theme)
        if wanted.explain:
            evidence = self._explainer.explain(theme)
            tag = tag._replace(
                evidence=evidence,
                term_places=tuple(self._places_of(term.spans) for term in evidence.terms),
                sentence_places=tuple(self._places_of(((part.start, part.end),)) for part in evidence.sentences),
            )
        if wanted.counterfactual:
            tag = tag._replace(without=self._without(theme))
        if wanted.taught_by:
            card = float(self._reading.card[theme])
            taught = self._tagger.teachers.taught(self._products, card, theme, MOST_TAUGHT)
            tag = tag._replace(taught_by=tuple(taught))
        return tag

    def near_misses(self) -> tuple[Tag, ...]:
        """Return the themes that came nearest to being given, and why they were not."""
        share, needed = self.probabilities / self._tagger.rule.thresholds, self._tagger.score_thresholds.tolist()
        given = self.decided.given
        missed = [theme for theme in np.argsort(-share, kind="stable").tolist() if theme not in given]
        return tuple(
            self.tag(theme)._replace(why_not=self._explainer.why_not(theme, needed[theme], WHY_NOT_TERMS))
            for theme in missed[:NEAR_MISSES]
        )

    def _places_of(self, spans: tuple[Span, ...]) -> tuple[Place, ...]:
        """Return where spans stand; themes share their terms, so each is looked up once."""
        if spans not in self._found:
            self._found[spans] = self._places.of(spans)
        return self._found[spans]

    @cached_property
    def _places(self) -> DocumentPlaces:
        return self._make_places()

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._tagger.scorer, self._read, self._reading)

    @cached_property
    def _products(self) -> NDArray[np.float64]:
        return self._tagger.teachers.products(self._tagger.scorer.arrays, self._reading)

    def _without(self, theme: int) -> Lost | None:
        """Return the sentences without which the text, tagged anew, is not given a theme."""
        tagger = self._tagger
        found = counterfactual(tagger.scorer, self._read, theme, lambda text: self._gives(text, theme))
        if found is None:
            return None
        rest = float(tagger.probabilities(without(self._read, found))[theme])
        return Lost(tuple(self._places.of(found)), rest)

    def _gives(self, text: str, theme: int) -> bool:
        reading = self._tagger.scorer.read(text)
        probabilities = self._tagger.rule.probabilities(self._tagger.scorer.sum(reading))
        return theme in self._tagger.decide(text, reading, probabilities).given


def save_rule(folder: Path, themes: Sequence[Mapping[str, Any]], rule: DecisionRule, domain: Domain) -> None:
    """Write a version's cards with what was decided for each, and its domain."""
    settled = [
        {
            **theme,
            "slope": float(rule.slope[column]),
            "intercept": float(rule.intercept[column]),
            "threshold": float(rule.thresholds[column]),
            "auto_threshold": _finite(rule.auto_thresholds[column]),
        }
        for column, theme in enumerate(themes)
    ]
    content = {"nearness": rule.nearness, "domain": domain.as_record(), "themes": settled}
    (folder / THEMES).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    np.save(folder / DOMAIN, domain.mean, allow_pickle=False)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def save_boilerplate(folder: Path, learned: Boilerplate) -> None:
    """Write a version's learned boilerplate."""
    np.save(folder / BOILERPLATE, np.array(sorted(learned.hashes), dtype=np.uint64), allow_pickle=False)


def read_boilerplate(folder: Path) -> Boilerplate:
    """Return what a version learned of boilerplate."""
    from tagger.releases import Boilerplate

    return Boilerplate(frozenset(np.load(folder / BOILERPLATE, allow_pickle=False).tolist()))


def live_boilerplate(models: Path) -> Boilerplate:
    """Return what the live version learned of boilerplate; nothing where there is no live version."""
    from tagger.releases import NOTHING_LEARNED

    registry = Registry(models)
    if registry.live_name() is None:
        return NOTHING_LEARNED
    version = registry.live()
    version.check()
    return read_boilerplate(version.folder)
