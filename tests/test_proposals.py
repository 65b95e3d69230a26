"""Themes that are missing: a world in which nobody thought of chess and volcanoes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger import proposals
from tagger.documents import Document, Unreadable
from tagger.errors import OutputError
from tagger.proposals import Example, Proposal, card_file, propose, releases
from tagger.registry import Registry
from tagger.tagging import Tag, Tagged, Tagger
from tagger.themes import ThemeCard, load_cards
from tagger.training import train

Run = Callable[..., tuple[int, str, str]]

SUBJECTS = {
    "chess": """grandmaster gambit pawn checkmate rook bishop endgame knight castling opening board arbiter rating
        stalemate tournament queen king zugzwang blunder clock""",
    "volcanoes": """volcano lava crater eruption magma ash tremor seismometer observatory caldera basalt plume vent
        sulphur geyser cone summit slope airfield alert""",
    "fisheries": """herring trawler quota catch net cod mackerel skipper harbour tuna landing mesh whiting scallop
        stock boat licence observer freezer season""",
    "railways": """train locomotive timetable signalling tunnel carriage freight passenger platform track operator
        junction sleeper station gauge driver viaduct ticket delay service""",
}
EVERYWHERE = "the ministry said that it will and for with from this year office people new more has been"


def release(subject: str, number: int | str) -> str:
    """Return a release on a subject, another one for each number: its words in any order, others between."""
    draw = Random(f"{subject} {number}")
    chosen = draw.sample(SUBJECTS[subject].split(), 12) * 2
    draw.shuffle(chosen)
    return "Notice of the day\n\n" + " ".join(f"{draw.choice(EVERYWHERE.split())} {word}" for word in chosen)


def archive(
    each: int = 20, subjects: Sequence[str] = ("fisheries", "railways", "chess", "volcanoes")
) -> list[Document]:
    """Return so many releases on each of the subjects."""
    return [
        Document(
            f"{subject}-{number}", release(subject, number), metadata={"given": _GIVEN.get(subject, ())}, where="x"
        )
        for subject in subjects
        for number in range(each)
    ]


_GIVEN: Mapping[str, tuple[str, ...]] = {"fisheries": ("fisheries",), "railways": ("railways",)}


class Oracle:
    """Stands in for a tagger: gives each document the themes that its metadata says."""

    version = "v0007"

    def __init__(self, keywords: Sequence[Sequence[str]] = ((), ())) -> None:
        self.themes = [
            {"id": name, "label": name.title(), "alt_labels": [], "keywords": list(words), "threshold": 0.5}
            for name, words in zip(("fisheries", "railways"), keywords, strict=True)
        ]

    def tag(self, document: Document) -> Tagged:
        tags = tuple(_tag(theme, 0.9) for theme in document.metadata["given"])
        return Tagged(document.id, self.version, tags, document.title)

    def probabilities(self, text: str) -> np.ndarray:
        return np.array([0.1, 0.3 if "volcano" in text or "lava" in text or "ash" in text else 0.05])


def _tag(theme: str, probability: float) -> Tag:
    return Tag(theme, theme, probability, 0.5, 0.5, "auto", "above_threshold")


def survey(documents: Sequence[Document | Unreadable], oracle: Any = None, **options: Any) -> proposals.Survey:
    """Propose with an oracle."""
    return propose(documents, oracle or Oracle(), **options)


def subjects(proposal: Proposal) -> set[str]:
    """Return what the examples of a cluster are about."""
    return {example.id.partition("-")[0] for example in proposal.examples}


def test_missing_themes_come_back() -> None:
    """Releases that no theme fits are clustered by subject, and the phrases say which."""
    found = survey(archive())
    assert (found.releases, found.unfitted) == (80, 40)
    assert {frozenset(subjects(proposal)) for proposal in found.proposals} == {
        frozenset({"chess"}),
        frozenset({"volcanoes"}),
    }
    for proposal in found.proposals:
        assert set(proposal.phrases) & set(SUBJECTS[subjects(proposal).pop()].split())


def test_what_a_theme_fits_is_in_no_cluster() -> None:
    """Releases with a theme are neither counted nor shown."""
    found = survey(archive())
    assert not {"fisheries", "railways"} & {subject for proposal in found.proposals for subject in subjects(proposal)}
    assert sum(proposal.releases for proposal in found.proposals) <= found.unfitted


def test_the_nearest_theme_is_named() -> None:
    """A cluster says which theme its releases come nearest to, and how much of the threshold they reach."""
    volcanoes = next(one for one in survey(archive()).proposals if subjects(one) == {"volcanoes"})
    assert volcanoes.nearest == "railways"
    assert 0.3 < volcanoes.reach <= 0.6


def test_a_tag_below_its_threshold_does_not_fit() -> None:
    """The best theme of a bad lot, given for review below its threshold, leaves a release without a fitting theme."""

    class Hesitant(Oracle):
        def tag(self, document: Document) -> Tagged:
            return Tagged(document.id, self.version, (_tag("fisheries", 0.45),))

    assert survey(archive(3), Hesitant()).unfitted == 12


def test_a_theme_beside_most_others_fits_nothing() -> None:
    """A theme that accompanies most of the others tells the occasion: releases that have it alone are looked at."""
    named = [f"theme-{number}" for number in range(6)]
    documents = [
        Document(
            f"{theme}-{number}", release("railways", number), metadata={"given": (theme, "meetings")[: 1 + number % 2]}
        )
        for theme in named
        for number in range(10)
    ]
    documents += [
        Document(f"chess-{number}", release("chess", number), metadata={"given": ("meetings",)}) for number in range(20)
    ]
    found = survey(documents)
    assert found.companions == ("meetings",)
    assert found.unfitted == 20
    assert {frozenset(subjects(proposal)) for proposal in found.proposals} == {frozenset({"chess"})}
    assert all(proposal.untagged == 0 for proposal in found.proposals)


def test_near_duplicates_make_no_cluster() -> None:
    """One release sent out thirty times is one text, and one text is no cluster."""
    copies = [
        Document(f"copy-{number}", f"{release('chess', 0)} Copy {number}.", metadata={"given": ()})
        for number in range(30)
    ]
    volcanoes = archive(20, ["volcanoes"])
    found = survey([*copies, *volcanoes])
    assert found.unfitted == 50
    assert all(subjects(proposal) == {"volcanoes"} for proposal in found.proposals)


def test_copies_count_where_their_cluster_is_one() -> None:
    """A cluster's releases are counted with their near-duplicates, its texts without."""
    copies = [
        Document(f"{item.id}-{number}", item.text, metadata=item.metadata) for item in archive() for number in range(2)
    ]
    found = survey(copies)
    assert found.proposals
    assert all(proposal.releases >= 2 * proposal.texts for proposal in found.proposals)
    assert all(proposal.share == pytest.approx(proposal.releases / 160) for proposal in found.proposals)


@pytest.mark.parametrize("documents", [[], archive(2, ["chess"]), archive(8, ["railways"])], ids=["none", "few", "fit"])
def test_nothing_is_proposed_where_little_is_left(documents: list[Document]) -> None:
    """An empty archive, a handful of releases, or themes for all of them: no cluster, and no failure."""
    assert survey(documents).proposals == ()


def test_texts_without_repeated_words_are_no_failure() -> None:
    """Texts that share no word give no cluster."""
    documents = [
        Document(str(number), " ".join(chr(97 + number) * length for length in range(2, 9)), metadata={"given": ()})
        for number in range(20)
    ]
    assert survey(documents).proposals == ()


def test_the_same_archive_gives_the_same_proposals() -> None:
    """Nothing depends on chance."""
    assert survey(archive()) == survey(archive())


def test_a_large_archive_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a number of documents a sample is looked at, the same from any order, and the notes say so."""
    monkeypatch.setattr(releases, "MOST_DOCUMENTS", 50)
    documents = archive()
    found, backwards = survey(documents), survey(documents[::-1])
    assert (found.documents, found.sampled, found.releases) == (80, 50, 50)
    assert found.unfitted == backwards.unfitted > 0
    assert "A sample of 50 of the 80 documents was looked at." in list(found.notes())


def test_at_most_so_many_are_proposed() -> None:
    """`most` bounds the proposals."""
    assert len(survey(archive(), most=1).proposals) == 1


def test_unreadable_documents_are_told() -> None:
    """What could not be read is counted and told, and the rest is looked at."""
    found = survey([Unreadable("bad.jsonl:3", "bad.jsonl, line 3: not JSON."), *archive()])
    assert found.documents == 81
    assert "bad.jsonl, line 3: not JSON." in list(found.notes())
    assert found.proposals


def test_a_draft_takes_no_term_from_the_cards() -> None:
    """A term that stands on two cards counts for none once it is on a third: drafts leave it out."""
    free = {term for one in survey(archive()).proposals for term in (*one.card.keywords, *one.card.alt_labels)}
    free |= {one.card.label.lower() for one in survey(archive()).proposals}
    shared = ["crater", "bishop"]
    assert free.issuperset(shared)
    assert {one.card.alt_labels for one in survey(archive()).proposals} == {()}  # their words would count one by one
    for proposal in survey(archive(), Oracle([shared, shared])).proposals:
        terms = (proposal.card.label.lower(), *proposal.card.keywords, *proposal.card.alt_labels)
        assert not set(shared) & {word for term in terms[:1] for word in term.split()}
        assert not set(shared) & set(terms)


words = st.from_regex(r"[^\W\d_]{2,12}", fullmatch=True).map(str.lower)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)


@given(
    label=phrases,
    keywords=st.lists(phrases, max_size=12),
    title=st.text(),
    identifier=st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
)
def test_drafts_are_theme_cards(
    tmp_path_factory: pytest.TempPathFactory,
    label: str,
    keywords: list[str],
    title: str,
    identifier: str,
) -> None:
    """Whatever the words and the titles are, the file of drafts is read back as the same cards."""
    card = ThemeCard(identifier, label, keywords=tuple(keywords))
    draft = Proposal(card, 9, 8, 8, 0.1, 0.5, (label,), (Example("a", title, title),), "trade", 0.2)
    path = tmp_path_factory.mktemp("drafts") / "drafts.yaml"
    path.write_text(card_file([draft]), encoding="utf-8")
    assert load_cards(path) == (card,)


# ---- With a trained version, from the command line


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The archive as JSON lines."""
    path = tmp_path / "archive.jsonl"
    lines = (json.dumps({"id": item.id, "text": item.text}) for item in archive(20))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_pasted_draft_finds_its_releases(run: Run, tmp_path: Path, seeds: Path, models: Path, records: Path) -> None:
    """The drafts, pasted into the theme cards and trained with, give releases nobody labelled their theme."""
    drafts = tmp_path / "drafts.yaml"
    code, out, said = run("themes", "propose", records, "--cards", drafts, "--models", models)
    assert code == 0, said
    found = [json.loads(line) for line in out.splitlines()]
    chess = {one["card"]["id"] for one in found if one["examples"][0]["id"].startswith("chess-")}
    assert chess
    assert [card.id for card in load_cards(drafts)] == [one["card"]["id"] for one in found]
    with (seeds / "themes.yaml").open("a", encoding="utf-8") as cards:
        cards.write(drafts.read_text(encoding="utf-8").split("\nthemes:\n")[1])
    train(seeds, models)
    tagger = Tagger.load(Registry(models).live())
    fresh = [Document("fresh", release("chess", f"fresh {number}")) for number in range(10)]
    assert all(chess & {tag.theme for tag in tagger.tag(document).tags} for document in fresh)


def test_pages_are_cut(run: Run, tmp_path: Path, models: Path) -> None:
    """Each release of a page counts by itself."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(4):
        parts = [
            f"{body}\n\nOffice of the Spokesperson\n"
            for body in (release("chess", number), release("volcanoes", number))
        ]
        (folder / f"{number}.txt").write_text("Skip to main content\n\n" + "\n\n".join(parts), encoding="utf-8")
    code, _, said = run("themes", "propose", folder, "--models", models)
    assert code == 0, said
    assert " releases; clusters found" in said


def test_drafts_replace_no_file(run: Run, tmp_path: Path, models: Path, records: Path) -> None:
    """A file that exists is left as it is, and that is said before anything is read."""
    path = tmp_path / "drafts.yaml"
    path.write_text("mine\n", encoding="utf-8")
    code, out, said = run("themes", "propose", records, "--cards", path, "--models", models)
    assert (code, out) == (1, "")
    assert "exists already" in said
    assert path.read_text(encoding="utf-8") == "mine\n"


def test_drafts_need_a_folder(tmp_path: Path) -> None:
    """A path in a folder that does not exist is an error that names the folder."""
    with pytest.raises(OutputError, match="no folder"):
        proposals.check_new(tmp_path / "nowhere" / "drafts.yaml")


@pytest.mark.parametrize("arguments", [(), ("--most", "0", "."), ("--fast", ".")], ids=["nothing", "most", "unknown"])
def test_wrong_usage_is_said(run: Run, models: Path, arguments: tuple[str, ...]) -> None:
    """No archive, a number that makes no sense or an unknown option ends with exit code 2 or 1 and a sentence."""
    code, out, said = run("themes", "propose", *arguments, "--models", models)
    assert code in (1, 2)
    assert out == ""
    assert said


def test_a_damaged_line_is_told(run: Run, models: Path, records: Path) -> None:
    """A line that cannot be read costs exit code 1, not the proposals."""
    with records.open("a", encoding="utf-8") as lines:
        lines.write("{broken\n")
    code, out, said = run("themes", "propose", records, "--models", models)
    assert code == 1
    assert out
    assert "line 81" in said


def test_people_get_a_list(run: Run, models: Path, records: Path) -> None:
    """Asked for no JSON, the command prints each cluster with its phrases, its nearest theme and examples."""
    code, out, said = run("themes", "propose", records, "--no-json", "--models", models)
    assert code == 0, said
    assert "phrases: " in out
    assert "nearest: " in out
    assert "archive.jsonl, line " in out
