"""The seeds that taught a theme: their shares make the score, and a seed's own text goes back to it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from tagger.corpus import Corpus, read_corpus
from tagger.decisions import NOTHING
from tagger.documents import Document
from tagger.features import CardTerms, read
from tagger.heldout import HeldOutSeeds, text_digest
from tagger.model import ThemeModel, teachers_of
from tagger.rules import cross_fitted_decisions
from tagger.scorer import Scorer
from tagger.selection import select
from tagger.tagging import MOST_TAUGHT, Tagger, Wanted
from tagger.teachers import Taught, Teachers
from tagger.themes import ThemeCard
from tagger.validation import Labelled

SOLVED = 0.02
"""What the sum over seeds misses of a score at most: LIBLINEAR stops at a tolerance of 1e-3 on its gradient.
Measured: at most .0035 on the tiny seeds and .017 on the 2,040 starter seeds, where half of all are within .0025."""

CARDS = [ThemeCard("fish", "Fish", keywords=("herring",)), ThemeCard("rail", "Rail"), ThemeCard("light", "Lighthouse")]
TEXTS = [
    "herring quota agreed by cod ministers at dawn", "herring boats landed mackerel near haven at dusk",
    "herring licence costs more for skippers of trawlers", "train timetable begins hourly valley stations",
    "train signalling replaced along coastal weekends", "train refund promised to delayed passengers",
    "soup served in canteen on thursdays", "umbrellas left behind at visitor desk",
]  # fmt: skip
TRUTH = np.array([[n < 3, 3 <= n < 6, False] for n in range(8)])


@pytest.fixture(scope="module")
def corpus(tiny_seeds: Path) -> Corpus:
    """The tiny seeds as a corpus."""
    return read_corpus(tiny_seeds)


@pytest.fixture(scope="module", params=[False, True], ids=["words", "words and pairs"])
def taught(request: pytest.FixtureRequest) -> tuple[Scorer, Teachers]:
    """A model of eight texts with few words in common, compiled, and its seeds."""
    model = ThemeModel(CARDS, pairs=request.param, rare_words=True, c=0.5)
    found = [read(text) for text in TEXTS]
    features, card_scores = model.fit_features(found, CardTerms(CARDS).count(found))
    model.fit_weights(features, card_scores, TRUTH)
    names = [(f"seed-{number}", None) for number in range(len(TEXTS))]
    return Scorer(model.compile()), teachers_of(model, features, card_scores, TRUTH, names)


def taught_by(scorer: Scorer, teachers: Teachers, text: str, theme: int, most: int) -> list[Taught]:
    """Return the seeds that a theme's score of a text goes back to."""
    reading = scorer.read(text)
    return teachers.taught(teachers.products(scorer.arrays, reading), float(reading.card[theme]), theme, most)


def test_the_shares_of_all_seeds_make_the_score(tiny_tagger: Tagger, corpus: Corpus) -> None:
    """For each theme with seeds they sum up to the score without its bias, within the tolerance of the solver."""
    texts = [*corpus.texts, "A trawler lands herring at the clinic.", "The keeper of the light", "", "zzzz"]
    for text in texts:
        reading = tiny_tagger.scorer.read(text)
        for theme in range(3):
            found = taught_by(tiny_tagger.scorer, tiny_tagger.teachers, text, theme, len(corpus.seeds))
            score = reading.learned[theme] + reading.card[theme]
            assert sum(seed.share for seed in found) == pytest.approx(score, abs=SOLVED)


def test_a_theme_without_seeds_was_taught_by_none(tiny_tagger: Tagger) -> None:
    """A theme that has only its card goes back to no seed."""
    text = "The keeper of the light sounded the foghorn."
    assert taught_by(tiny_tagger.scorer, tiny_tagger.teachers, text, 3, 10) == []
    found = tiny_tagger.tag(Document("x", "The keeper of the light and the foghorn."), Wanted(taught_by=True))
    assert [(tag.theme, tag.taught_by) for tag in found.tags if tag.theme == "lighthouses"] == [("lighthouses", ())]


def test_the_text_of_a_seed_goes_back_to_it_first(taught: tuple[Scorer, Teachers]) -> None:
    """Given again, the text of a seed with a theme was taught by that seed before all others, and in favour."""
    scorer, teachers = taught
    for number, text in enumerate(TEXTS[:6]):
        found = taught_by(scorer, teachers, text, number // 3, 8)
        assert found[0].id == f"seed-{number}"
        assert found[0].share > 0


def test_seeds_speak_for_their_themes_and_against_others(taught: tuple[Scorer, Teachers]) -> None:
    """A seed with a theme never lowers its score through shared words, a seed without it never raises it."""
    scorer, teachers = taught
    for text in ("herring train soup", "train timetable and herring boats", " ".join(TEXTS)):
        for theme in (0, 1):
            for seed in taught_by(scorer, teachers, text, theme, 8):
                with_theme = TRUTH[int(seed.id.removeprefix("seed-")), theme]
                assert seed.has_theme == with_theme
                assert seed.share >= -1e-9 if with_theme else seed.share <= 1e-9


def test_the_largest_shares_come_first(tiny_tagger: Tagger, corpus: Corpus) -> None:
    """As many seeds as asked for, the largest share first, for or against, under the names and titles they have."""
    titles = {seed.document.id: seed.document.title for seed in corpus.seeds}
    everything = taught_by(tiny_tagger.scorer, tiny_tagger.teachers, corpus.texts[0], 0, len(titles))
    sizes = [abs(seed.share) for seed in everything]
    assert sizes == sorted(sizes, reverse=True)
    assert {seed.id: seed.title for seed in everything}.items() <= titles.items()
    (tag, *_) = tiny_tagger.tag(Document("x", corpus.texts[0]), Wanted(taught_by=True)).tags
    assert tag.theme == "fisheries"
    assert tag.taught_by == tuple(everything[:MOST_TAUGHT])


def test_teachers_are_read_as_they_were_written(taught: tuple[Scorer, Teachers], tmp_path: Path) -> None:
    """Names, also odd ones, and all arrays come back from a version's folder."""
    scorer, teachers = taught
    names = [("é\u0000\n", "Ünï"), *teachers.names[1:]]
    written = Teachers(names, *(getattr(teachers, field.name) for field in fields(Teachers)[1:]))
    written.save(tmp_path)
    found = Teachers.load(tmp_path)
    assert list(found.names) == names
    assert taught_by(scorer, found, TEXTS[0], 0, 8) == taught_by(scorer, written, TEXTS[0], 0, 8)


def test_held_out_seeds_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Ids, digests and arrays come back from a version's folder, with their types."""
    written = HeldOutSeeds(
        ["é", "b\n"],
        [text_digest("é"), text_digest("b")],
        np.array([0, 1], dtype=np.int32),
        np.array([[True, False], [False, True]]),
        np.array([[0.25, 0.5], [0.0, 1.0]], dtype=np.float32),
        np.array([[False, True], [False, True]]),
    )
    written.save(tmp_path)
    found = HeldOutSeeds.load(tmp_path)
    assert (found.ids, found.digests) == (written.ids, written.digests)
    for name in ("groups", "theme_sets", "probabilities", "given"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name), strict=True)


def test_training_keeps_what_held_out_models_gave(tiny_tagger: Tagger, tiny_models: Path, corpus: Corpus) -> None:
    """Each version holds its seeds in order, with digests, probabilities and decisions of the stratified folds."""
    found = HeldOutSeeds.load(tiny_models / "v0001")
    assert list(found.ids) == [seed.document.id for seed in corpus.seeds]
    assert list(found.digests) == [text_digest(text) for text in corpus.texts]
    assert len(set(found.digests)) == len(set(corpus.texts))
    np.testing.assert_array_equal(found.theme_sets, corpus.theme_sets)
    labelled = Labelled.of(corpus)
    selected = select(labelled, "quick")
    stratified, by_source = selected.held_out["stratified"], selected.held_out["by_source"]
    expected, other = (tiny_tagger.rule.probabilities(part.scores) for part in (stratified, by_source))
    np.testing.assert_array_equal(found.probabilities, expected.astype(np.float32))
    assert (found.probabilities != other.astype(np.float32)).any()
    of_stratified, of_sources = cross_fitted_decisions(
        labelled, [stratified, by_source], selected.rule, [None] * 4, np.arange(3)
    )
    assert found.given[:, :3].tolist() == (of_stratified.decisions != NOTHING).tolist()
    assert not found.given[:, 3].any()
    assert (of_stratified.decisions != of_sources.decisions).any()
