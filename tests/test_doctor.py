"""The doctor: each kind of finding on seeds where the right answer is known, and the command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.cleaning import tokens
from tagger.corpus import Corpus, Seed, read_corpus
from tagger.doctor import examine
from tagger.doctor.cardwords import card_words
from tagger.doctor.case import Case, Finding, gather
from tagger.doctor.curves import fit_curves, seeds_needed
from tagger.doctor.firing import firing
from tagger.doctor.names import kinds_of_names, names
from tagger.doctor.shortcuts import shortcuts
from tagger.doctor.twins import near_twins
from tagger.documents import Document
from tagger.errors import ModelError
from tagger.model import Recipe, ThemeModel
from tagger.registry import Registry, Version
from tagger.releases import NOTHING_LEARNED, learn
from tagger.themes import ThemeCard

Run = Callable[..., tuple[int, str, str]]

WORDS = {
    "fish": ["herring", "trawler", "quota", "nets", "harbour", "skipper", "catch", "cod"],
    "rail": ["train", "timetable", "station", "signalling", "locomotive", "track", "freight", "tunnel"],
    "health": ["vaccine", "clinic", "nurse", "measles", "dose", "vial", "booster", "fever"],
    "tax": ["levy", "revenue", "refund", "audit", "filing", "deduction", "treasury", "bracket"],
}


def text_about(themes: Sequence[str], number: int, extra: str = "") -> str:
    """Return a text with some words of each theme, others for each number."""
    chosen = [WORDS[theme][(number + step) % 8] for theme in themes for step in (0, 1, 3, 6)]
    return f"The office said on this matter that {' and '.join(chosen)} were seen again. {extra}"


def corpus_of(
    labelled: Sequence[tuple[Sequence[str], str]], cards: Sequence[ThemeCard], office: str | None = None
) -> Corpus:
    """Return a corpus of texts with their themes."""
    ids = [card.id for card in cards]
    metadata = {"office": office} if office else {}
    seeds = [Seed(Document(f"s{n}", text, metadata=metadata), tuple(of)) for n, (of, text) in enumerate(labelled)]
    theme_sets = np.array([[theme in of for theme in ids] for of, _ in labelled], dtype=bool)
    return Corpus(tuple(cards), tuple(seeds), tuple(text for _, text in labelled), theme_sets, NOTHING_LEARNED, 0)


def case_of(corpus: Corpus, tags: Any = None, report: dict[str, Any] | None = None) -> Case:
    """Return the case of a model fitted on a corpus, with given held-out tags; by default all of them are right."""
    read = [tokens(text) for text in corpus.texts]
    model = ThemeModel.for_corpus(corpus.cards, len(read), Recipe()).fit(read, corpus.theme_sets)
    rows = np.arange(len(read))
    tags = corpus.theme_sets if tags is None else tags
    return gather(corpus, model.compile(), rows, tags, Recipe(), report or {}, nothing)


def nothing(_phase: str, _done: float) -> None:
    """Show no progress."""


def cards(*themes: str) -> list[ThemeCard]:
    """Return bare cards."""
    return [ThemeCard(theme, theme.capitalize()) for theme in themes]


def of_kind(findings: Sequence[Finding], kind: str) -> list[Finding]:
    """Return the findings of a kind."""
    return [finding for finding in findings if finding.kind == kind]


def simple_corpus() -> Corpus:
    """Return sixty texts: twenty each of fish, rail and health."""
    labelled = [((theme,), text_about([theme], n)) for theme in ("fish", "rail", "health") for n in range(20)]
    return corpus_of(labelled, cards("fish", "rail", "health"))


# ---- Near-twins


def test_themes_of_their_own_are_no_twins() -> None:
    """Themes that never meet, and whose tags are right, give no finding."""
    assert list(near_twins(case_of(simple_corpus()))) == []


def test_themes_of_the_same_seeds_are_said_to_be_the_same() -> None:
    """Two themes that the same seeds have are one finding, with the seeds that have both."""
    labelled = [(("fish", "rail"), text_about(["fish"], n)) for n in range(20)]
    labelled += [(("health",), text_about(["health"], n)) for n in range(30)]
    (found,) = near_twins(case_of(corpus_of(labelled, cards("fish", "rail", "health"))))
    assert found.themes == ("fish", "rail")
    assert "are given to the same seeds: 20 have both" in found.message
    assert found.evidence["seeds_jaccard"] == found.evidence["held_out_jaccard"] == 1.0
    assert found.evidence["cosine"] == pytest.approx(1.0, abs=1e-3)
    assert set(found.evidence["words"]) & set(WORDS["fish"])


def test_a_theme_within_another_is_told_from_one_that_is_the_same() -> None:
    """Where nearly all seeds of one theme have a larger one, the larger contains it, and not the other way."""
    labelled = [(("fish", "rail"), text_about(["fish", "rail"], n)) for n in range(15)]
    labelled += [(("rail",), text_about(["rail"], n)) for n in range(25)]
    labelled += [(("health",), text_about(["health"], n)) for n in range(60)]
    (found,) = near_twins(case_of(corpus_of(labelled, cards("rail", "fish", "health"))))
    assert found.themes == ("fish", "rail")
    assert found.message.startswith("fish lies within rail: 15 of the 15 seeds with fish also have rail, which has 40.")


def test_a_theme_that_most_seeds_have_contains_no_other() -> None:
    """That nearly all seeds of a theme have one that nearly all seeds have says nothing of the two."""
    labelled = [(("fish", "rail"), text_about(["fish", "rail"], n)) for n in range(15)]
    labelled += [(("rail",), text_about(["rail"], n)) for n in range(60)] + [((), text_about(["tax"], 1))]
    assert list(near_twins(case_of(corpus_of(labelled, cards("fish", "rail"))))) == []


def test_a_theme_taken_for_another_names_the_seeds() -> None:
    """Where held-out seeds of one theme are given another, the finding counts and names them."""
    corpus = simple_corpus()
    tags = corpus.theme_sets.copy()
    tags[:7, 1] = True
    (found,) = near_twins(case_of(corpus, tags))
    assert found.themes == ("fish", "rail")
    assert "of 20 held-out seeds with fish and without rail, 7 were given rail." in found.message
    assert found.evidence["seeds"] == [f"s{n}" for n in range(7)]
    assert found.touched == 7


def test_a_theme_given_to_everything_is_no_twin_of_every_theme() -> None:
    """A theme that is wrongly given all over is one finding of its own, not one with each other theme."""
    corpus = simple_corpus()
    tags = corpus.theme_sets.copy()
    tags[:, 1] = True
    case = case_of(corpus, tags)
    assert list(near_twins(case)) == []
    assert [found.kind for found in firing(case)] == ["given-too-often"]


# ---- Never and always


def test_a_theme_that_is_never_given_is_found() -> None:
    """A theme whose held-out seeds were not given it is named with their number; one that is found is not."""
    corpus = simple_corpus()
    tags = corpus.theme_sets.copy()
    tags[:, 2] = False
    (found,) = firing(case_of(corpus, tags))
    assert (found.kind, found.themes, found.touched) == ("never-given", ("health",), 20)
    assert "of 20 held-out seeds that have it, 0 were given it" in found.message


def test_rare_themes_that_are_never_given_are_named_together() -> None:
    """Themes of one or two seeds make one finding, not one each."""
    labelled = [(("fish",), text_about(["fish"], n)) for n in range(20)]
    labelled += [(("rail",), text_about(["rail"], 0)), (("tax",), text_about(["tax"], 0))]
    labelled += [((), text_about(["health"], n)) for n in range(20)]
    corpus = corpus_of(labelled, cards("fish", "rail", "tax"))
    tags = corpus.theme_sets & np.array([True, False, False])
    (found,) = firing(case_of(corpus, tags))
    assert found.themes == ("rail", "tax")


def test_a_theme_without_seeds_that_is_given_to_none_is_mentioned_last() -> None:
    """A theme that has only its card and fits no seed may be right: it touches no seed."""
    labelled = [(of, text_about([word], n)) for of, word in ((("fish",), "fish"), ((), "tax")) for n in range(20)]
    (found,) = firing(case_of(corpus_of(labelled, cards("fish", "rail"))))
    assert (found.kind, found.themes, found.touched) == ("no-seeds", ("rail",), 0)


# ---- Card words


def card_case(**fields: Any) -> Case:
    """Return a case of fish, with this card, and of texts without it that hold `peace` and `16`."""
    labelled = [(("fish",), text_about(["fish"], n)) for n in range(20)]
    labelled += [((), text_about(["rail"], n, "They spoke of peace in room 16.")) for n in range(60)]
    return case_of(corpus_of(labelled, [ThemeCard("fish", "Fish", **fields)]))


def test_a_card_word_that_stands_elsewhere_is_found_with_the_entry_it_comes_from() -> None:
    """A word of another name that stands in seeds without the theme is told with counts; the remedy names its entry."""
    found = of_kind(list(card_words(card_case(alt_labels=("peace catch",)), {})), "card-words")
    assert len(found) == 1
    assert "'peace' (60 seeds, 0 with the theme)" in found[0].message
    assert "'catch'" not in found[0].message
    assert found[0].remedy.startswith("Move 'peace catch' from altLabels to keywords")
    assert found[0].evidence["terms"][0]["from"] == {"field": "altLabels", "text": "peace catch"}


REMEDIES = {
    "a keyword of its own": ({"keywords": ("peace",)}, "Take out 'peace'"),
    "a long keyword": ({"keywords": ("the herring peace treaty",)}, "Make of 'the herring peace treaty' a keyword"),
    "a keyword with a single letter": ({"keywords": ("e-peace",)}, "'e-peace' is read without its single letters"),
}


@pytest.mark.parametrize(("fields", "remedy"), REMEDIES.values(), ids=REMEDIES)
def test_the_remedy_fits_the_entry(fields: dict[str, Any], remedy: str) -> None:
    """What to do depends on whether the term is an entry, a word of one, or what is left of one."""
    (found,) = of_kind(list(card_words(card_case(**fields), {})), "card-words")
    assert found.remedy.startswith(remedy)


def test_a_keyword_of_three_words_does_not_mislead_by_one_of_them() -> None:
    """A keyword that counts as a whole only is not blamed for its words."""
    assert of_kind(list(card_words(card_case(keywords=("herring peace treaty",)), {})), "card-words") == []


def test_terms_in_no_seed_are_one_finding() -> None:
    """Card terms that no seed holds are counted once for all cards."""
    (found,) = of_kind(list(card_words(card_case(keywords=("mackerel", "haddock")), {})), "unseen-card-words")
    assert found.evidence["terms"] == {"fish": ["fish", "mackerel", "haddock"]}
    assert found.message.startswith("3 of the 3 terms")


def test_words_to_add_are_those_that_speak_for_the_theme_and_are_no_names() -> None:
    """A word that stands with the theme only is proposed, unless the card has it or it is a name."""
    (found,) = of_kind(list(card_words(card_case(keywords=("herring",)), {"cod": "names"})), "words-to-add")
    words = {word["word"] for word in found.evidence["words"]["fish"]}
    assert words <= set(WORDS["fish"]) - {"herring", "cod"}
    assert words


# ---- Names


def test_names_are_told_by_their_capitals_inside_sentences() -> None:
    """A word with a capital inside sentences is a name; at their beginning, in headings and at random it is not."""
    texts = [
        "The harbour of Oslo remains closed this week. Fish is sold there when people come to Oslo, or near Oslo.",
        "Fish Landed At Port Today\n\nFish was landed. Later fish and the Fish were sold with fish.",
    ]
    assert names(texts) == {"oslo"}


def test_where_every_noun_has_a_capital_none_is_a_name() -> None:
    """In a language that writes nouns with a capital, capitals tell nothing."""
    assert names(["Wir sahen das Haus und das Haus und ein Haus und der Hund mit dem Hund ohne Hund."]) == set()


def test_names_have_a_kind() -> None:
    """Months are dates, words of the field `office` those of offices, and the others names."""
    text = "People from Oslo said this again when they came in March because the Ministry met them there. " * 3
    corpus = corpus_of([(("fish",), text)], cards("fish"), office="Ministry of Fish")
    assert kinds_of_names(corpus) == {"oslo": "names", "march": "dates", "ministry": "offices"}


def test_words_of_boilerplate_are_known_by_its_hashes() -> None:
    """A word that stands only in paragraphs known as boilerplate is one of boilerplate."""
    footer = "for further details kindly telephone our enquiry desk on weekdays"
    corpus = corpus_of([(("fish",), f"{text_about(['fish'], n)}\n\n{footer}") for n in range(8)], cards("fish"))
    learned = learn((str(n), text) for n, text in enumerate(corpus.texts))
    kinds = kinds_of_names(replace(corpus, learned=learned))
    assert kinds["telephone"] == "boilerplate"
    assert "herring" not in kinds


@given(st.lists(st.text(max_size=200), max_size=5))
def test_names_are_words_of_the_texts(texts: list[str]) -> None:
    """Whatever the texts hold, a name is one of their words, lower-cased."""
    assert all(any(name in text.lower() for text in texts) for name in names(texts))


# ---- Shortcuts


def told_by(name: str, number: int) -> str:
    """Return a text like no other, of which only the name says what theme it has."""
    words = np.random.default_rng(number).permutation([word for words in WORDS.values() for word in words]).tolist()
    return f"{' '.join(words[:12])} then met {name} and {' '.join(words[12:24])}"


def named_case(keywords: Sequence[str] = ()) -> Case:
    """Return a case where half the seeds of a theme are known by a name alone; its card has these keywords."""
    labelled = [(("fish",), told_by("Okafor", n)) for n in range(20)]
    labelled += [(("fish",), text_about(["fish"], n)) for n in range(20)]
    labelled += [((), told_by("Meyer", n)) for n in range(20)]
    labelled += [((), text_about(["rail"], n)) for n in range(40)]
    return case_of(corpus_of(labelled, [ThemeCard("fish", "Fishing", keywords=tuple(keywords))]))


def test_a_theme_known_by_a_name_is_a_shortcut_and_loses_without_it() -> None:
    """A name that stands for a theme is named with its share, and the F1 without it is lower."""
    case = named_case()
    phases = []
    (found,) = shortcuts(case, kinds_of_names(case.corpus), lambda phase, done: phases.append((phase, done)))
    assert found.themes == ("fish",)
    assert "okafor" in found.evidence["words"]
    assert found.evidence["share"] >= 0.15
    assert found.evidence["f1_without"] < found.evidence["f1"]
    assert found.touched > 0
    assert phases[-1] == ("measuring themes without names", 1.0)


def test_a_name_on_the_card_is_no_shortcut() -> None:
    """What a person wrote on the card belongs to the theme."""
    case = named_case(["Okafor"])
    assert list(shortcuts(case, {"okafor": "names"}, nothing)) == []


# ---- Learning curves


def curve(ceiling: float, gap: float, width: float = 0.002) -> list[dict[str, float]]:
    """Return points on a power law with exponent .5, with a narrow range."""
    points = [(n, ceiling - gap * n**-0.5) for n in (25, 50, 100)]
    return [{"examples": n, "f1": f1, "low": f1 - width, "high": f1 + width} for n, f1 in points]


def with_curves(curves: dict[str, list[dict[str, float]]]) -> list[Finding]:
    """Return what is found of fish, rail and tax, which has no seeds, with these curves."""
    labelled = [((theme,), text_about([theme], n)) for theme in ("fish", "rail") for n in range(20)]
    corpus = corpus_of(labelled, cards("fish", "rail", "tax"))
    return list(seeds_needed(case_of(corpus, report={"learning_curve": {"themes": curves}})))


def test_a_rising_curve_says_how_many_seeds_a_point_costs() -> None:
    """The true number of examples to another point lies in the range that is told."""
    (found,) = of_kind(with_curves({"fish": curve(0.95, 2.0)}), "needs-seeds")
    low, high = found.evidence["examples_to_a_point"]
    true = (2.0 / (2.0 * 100**-0.5 - 0.01)) ** 2 - 100
    assert low - 1 <= true <= high + 1
    assert "more are worth another point" in found.message


def test_a_flat_curve_says_that_more_no_longer_helps() -> None:
    """A theme that twice the examples would not lift by a point needs none."""
    found = with_curves({"fish": curve(0.95, 2.0), "rail": curve(0.9, 0.05)})
    (enough,) = of_kind(found, "enough-seeds")
    assert enough.themes == ("rail",)


def test_an_uneven_curve_promises_nothing() -> None:
    """Where the range is wide, no number is promised."""
    (found,) = of_kind(with_curves({"fish": curve(0.95, 0.3, width=0.1)}), "needs-seeds")
    assert "cannot be told" in found.message


def test_themes_without_seeds_are_told_when_seeds_begin_to_matter() -> None:
    """Of a theme that lives from its card, the finding says from how many seeds on the others did better."""
    (found,) = of_kind(with_curves({"fish": curve(0.95, 2.0), "rail": curve(0.95, 2.0)}), "first-seeds")
    assert found.themes == ("tax",)
    low, high = found.evidence["seeds_to_beat_the_card"]
    assert 0 < low <= high


@given(
    ceiling=st.floats(0.3, 1.0),
    gap=st.floats(0.1, 2.0),
    examples=st.lists(st.integers(1, 5000), min_size=3, max_size=5, unique=True),
)
@settings(max_examples=50)
def test_a_curve_gives_back_the_examples_of_its_f1(ceiling: float, gap: float, examples: list[int]) -> None:
    """Examples and F1 of a fitted curve are each other's inverse, and the ceiling is never above 1."""
    points = [{"examples": n, "f1": ceiling - gap * n**-0.5, "low": 0.0, "high": 0.0} for n in sorted(examples)]
    fitted = fit_curves({"fish": points})["fish"]
    assert (fitted.ceiling <= 1).all()
    rising = fitted.gap > 1e-3
    assert fitted.examples(fitted.f1(200))[rising] == pytest.approx(200, rel=1e-3)


# ---- All of it


@pytest.fixture(scope="module")
def version(tiny_models: Path) -> Version:
    """The tiny version."""
    return Registry(tiny_models).live()


def test_findings_come_most_consequential_first(version: Version, tiny_seeds: Path) -> None:
    """Findings are in the order of the seeds they touch, name themes there are, and say what to do."""
    examination = examine(tiny_seeds, version)
    touched = [finding.touched for finding in examination.findings]
    assert touched == sorted(touched, reverse=True)
    known = {card.id for card in read_corpus(tiny_seeds).cards}
    for finding in examination.findings:
        assert set(finding.themes) <= known
        assert finding.message.endswith(".")
        assert finding.remedy.endswith((".", "comes.")) or "tagger" in finding.remedy
        json.dumps(finding.as_record())
    assert "lighthouses" in {theme for finding in examination.findings for theme in finding.themes}


def test_seeds_that_changed_since_are_counted_not_judged(version: Version, seeds: Path) -> None:
    """Seeds that were not held out in training are left out of what is said of held-out tags, and this is said."""
    record = {"id": "new", "text": "A trawler landed herring.", "themes": ["fisheries"]}
    (seeds / "new.jsonl").write_text(json.dumps(record), encoding="utf-8")
    assert "1 seeds are new or changed" in " ".join(examine(seeds, version).notes)


def test_other_themes_than_those_of_the_version_are_refused(version: Version, seeds: Path) -> None:
    """Where a card was added since, the message names it and says to train first."""
    with (seeds / "themes.yaml").open("a", encoding="utf-8") as file:
        file.write("- id: harbours\n  label: Harbours\n")
    with pytest.raises(ModelError, match=r"new: harbours; gone: none.*tagger train"):
        examine(seeds, version)


def test_a_version_without_held_out_tags_is_refused(version: Version, tiny_seeds: Path, tmp_path: Path) -> None:
    """A version of an earlier tagger cannot be examined; the message says to train again."""
    bare = replace(version, folder=Path(shutil.copytree(version.folder, tmp_path / "bare")))
    shutil.rmtree(bare.folder / "held_out")
    bare = replace(bare, manifest={**bare.manifest, "files": without_held_out(bare.manifest["files"])})
    with pytest.raises(ModelError, match=r"holds no tags of held-out seeds.*tagger train"):
        examine(tiny_seeds, bare)


def without_held_out(files: dict[str, str]) -> dict[str, str]:
    """Return the files of a manifest but those of held-out tags."""
    return {name: digest for name, digest in files.items() if not name.startswith("held_out")}


def test_the_command_prints_findings_as_json_lines(run: Run, version: Version, tiny_seeds: Path) -> None:
    """In a pipe each finding is one JSON object with its themes, what was found, and what to do next."""
    code, out, _ = run("themes", "doctor", "--seeds", tiny_seeds, "--models", version.folder.parent)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert records
    assert all(set(row) == {"kind", "themes", "finding", "next", "touched", "evidence"} for row in records)


def test_the_command_numbers_findings_for_people(run: Run, version: Version, tiny_seeds: Path) -> None:
    """Without JSON each finding has its number, kind and themes above it."""
    models = version.folder.parent
    code, out, said = run("themes", "doctor", "--no-json", "--seeds", tiny_seeds, "--models", models)
    assert code == 0
    assert out.startswith("1. ")
    if not json.loads((version.folder / "report" / "report.json").read_text(encoding="utf-8")).get("learning_curve"):
        assert "tagger train --effort full measures it" in said
