"""What is kept of the texts that were tagged: numbers, by day, that survive whatever ends a process."""

from __future__ import annotations

import json
import os
import threading
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagger import observations
from tagger.decisions import Decision, Reason
from tagger.documents import Document
from tagger.errors import OutputError
from tagger.observations import Observations, Observer, Watched, read_observations, tidy
from tagger.tagging import Tagged, Tagger, Wanted

THEMES = ("fisheries", "railways", "vaccines")
DAY = date(2026, 11, 24)
LATER = DAY + timedelta(days=2)

DECIDED: dict[str, tuple[Decision, Reason]] = {
    "auto": ("auto", "above_threshold"),
    "review": ("review", "near_threshold"),
    "none": ("none", "near_threshold"),
}

watched_texts = st.builds(
    lambda probabilities, caution, decided, words, unknown: Watched(
        np.array(probabilities), caution, decided, words, min(words, unknown)
    ),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.sampled_from([None, "too_short", "language"]),
    st.dictionaries(st.integers(0, 2), st.sampled_from(list(DECIDED.values()))),
    st.integers(0, 400),
    st.integers(0, 400),
)


def text(theme: int = 0, decided: str = "auto") -> Watched:
    """Return what is told of a text of ten words that a theme is decided on."""
    return Watched(np.array([0.01, 0.02, 0.9]), None, {theme: DECIDED[decided]}, 10, 4)


class Days:
    """An observer's day, which can be moved on."""

    def __init__(self) -> None:
        self.day = DAY

    def __call__(self) -> date:
        return self.day


def seen(folder: Path, since: date | None = None) -> dict[date, int]:
    """Return how many texts were kept of each day."""
    return {day: of_day.texts for day, of_day in read_observations(folder, "v0001", THEMES, since).days.items()}


def observed(folder: Path, texts: int, days: Days) -> Observer:
    """Return an observer that was told of some texts and kept them."""
    observer = Observer("v0001", THEMES, days)
    for _ in range(texts):
        observer(text())
    observer.keep(folder)
    return observer


@given(st.lists(watched_texts), st.lists(watched_texts))
def test_observations_of_parts_add_up_to_those_of_the_whole(some: list[Watched], others: list[Watched]) -> None:
    """The numbers of texts are those of any two parts of them together, and come back from a file as they were."""
    whole = Observations.of(THEMES, some + others)
    added = Observations.of(THEMES, some) + Observations.of(THEMES, others)
    read = Observations.from_record(json.loads(json.dumps(whole.as_record())))
    assert whole.as_record() == added.as_record() == read.as_record()


def test_observations_count_decisions_words_and_bins() -> None:
    """Each text counts where it belongs; one of which only a refused theme is known has none."""
    texts = [text(2), text(2, "review"), text(1, "none"), Watched(np.array([0, 0.5, 1]), "too_short", {}, 0, 0)]
    found = Observations.of(THEMES, texts)
    assert found.totals() == {
        "texts": 4,
        "words": 30,
        "unknown_words": 12,
        "none": 2,
        "review_texts": 1,
        "cautions": {"too_short": 1},
        "auto": {"fisheries": 0, "railways": 0, "vaccines": 1},
        "review": {"fisheries": 0, "railways": 0, "vaccines": 1},
    }
    assert found.scores[1].nonzero()[0].tolist() == [6, 10]  # .02 is -3.9 in log-odds, .5 is 0
    assert found.scores[:, [0, -1]].tolist() == [[1, 0], [0, 0], [0, 1]]
    assert found.unseen[[8, -1]].tolist() == [3, 1]


def test_a_tagger_tells_of_each_text_it_tags_and_of_no_other(tiny_tagger: Tagger) -> None:
    """Documents and releases are told once, with what was decided; what is tried for an explanation is not."""
    told: list[Watched] = []
    document = Document("a", "Ministers agreed a lower catch quota for herring. Every trawler must report.")
    tiny_tagger.watch = told.append
    try:
        tagged: list[Tagged] = [tiny_tagger.tag(document, Wanted(explain=True, counterfactual=True))]
        tagged += [*tiny_tagger.tag_many([document, document]), *tiny_tagger.tag_page(document)]
    finally:
        tiny_tagger.watch = None
    assert len(told) == len(tagged) == 4
    for one, tags in zip(told, tagged, strict=True):
        given = {tiny_tagger.themes[theme]["id"]: decision for theme, (decision, _) in one.themes.items()}
        assert given == {tag.theme: tag.decision for tag in tags.tags} != {}
        assert one.probabilities.max() == tags.tags[0].probability
        assert one.caution == tags.caution
        assert (one.words, one.unknown_words) == (11, 0)


def test_no_text_is_lost_between_threads(tmp_path: Path) -> None:
    """What several threads tell while others ask and keep is all counted, once."""
    observer = Observer("v0001", THEMES, Days())

    def tell() -> None:
        for number in range(1500):
            observer(text())
            if number % 100 == 0:
                observer.totals()
                observer.keep(tmp_path)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    observer.keep(tmp_path)
    assert observer.totals()["texts"] == 6000
    assert seen(tmp_path) == {DAY: 6000}


def test_what_is_kept_is_by_day_and_adds_up_over_observers(tmp_path: Path) -> None:
    """A new day has a file of its own, an observer that starts anew another; totals go on from day to day."""
    days = Days()
    observed(tmp_path, 3, days)
    observer = observed(tmp_path, 2, days)
    observer(text())
    days.day += timedelta(days=1)
    observer(text())
    observer.keep(tmp_path)
    assert seen(tmp_path) == {DAY: 5, days.day: 2}
    assert seen(tmp_path, since=days.day) == {days.day: 2}
    days.day = DAY  # a clock that was set back
    observer(text())
    observer.keep(tmp_path)
    assert seen(tmp_path) == {DAY: 5, DAY + timedelta(days=1): 3}
    assert observer.totals()["texts"] == 5


def test_nothing_is_written_where_nothing_was_seen(tmp_path: Path) -> None:
    """A file is written only when there is something new."""
    days = Days()
    observer = observed(tmp_path, 0, days)
    assert list(tmp_path.iterdir()) == []
    observer(text())
    observer.keep(tmp_path)
    [file] = tmp_path.iterdir()
    file.unlink()
    observer.keep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_kept_the_next_time(tmp_path: Path) -> None:
    """A folder that refuses loses nothing."""
    place = tmp_path / "seen"
    place.write_text("no folder")
    observer = Observer("v0001", THEMES, Days())
    observer(text())
    with pytest.raises(OutputError):
        observer.keep(place)
    place.unlink()
    observer.keep(place)
    assert seen(place) == {DAY: 1}


@pytest.mark.parametrize("ends_after", range(5))
def test_a_merge_that_is_killed_counts_no_text_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends_after: int
) -> None:
    """Wherever a merge ends, at its write or at a removal, the day holds what it held; the next one ends it."""
    days = Days()
    for texts in (3, 2, 4):
        observed(tmp_path, texts, days)
    left = iter(range(ends_after))

    def killed(*_arguments: object, **_options: object) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    write, unlink = observations.replace_file, Path.unlink
    monkeypatch.setattr(observations, "replace_file", lambda *args: (killed(), write(*args)))
    monkeypatch.setattr(Path, "unlink", lambda *args, **options: (killed(), unlink(*args, **options)))
    try:
        tidy(tmp_path, LATER)
    except KeyboardInterrupt:
        assert ends_after < 4
    assert seen(tmp_path) == {DAY: 9}
    monkeypatch.undo()
    tidy(tmp_path, LATER)
    assert seen(tmp_path) == {DAY: 9}
    assert [path.name for path in tmp_path.iterdir()] == [f"v0001-{DAY}.json"]


def test_parts_that_come_late_are_merged_too(tmp_path: Path) -> None:
    """A day that was merged takes in what another process kept of it; the parts of days still written stay."""
    days = Days()
    observed(tmp_path, 3, days)
    tidy(tmp_path, LATER)
    observed(tmp_path, 2, days)
    tidy(tmp_path, DAY + timedelta(days=1))
    assert len(list(tmp_path.iterdir())) == 2
    assert seen(tmp_path) == {DAY: 5}
    tidy(tmp_path, LATER)
    assert len(list(tmp_path.iterdir())) == 1
    assert seen(tmp_path) == {DAY: 5}


def test_old_files_and_leftovers_are_removed(tmp_path: Path) -> None:
    """An observer removes what is older than ninety days, and what killed writers left; files of others it leaves."""
    days = Days()
    observed(tmp_path, 1, days)
    leftover, foreign = tmp_path / ".77.v0001-2026-11-24.json", tmp_path / "notes.txt"
    for path in (leftover, foreign):
        path.write_text("x")
        os.utime(path, (0, 0))
    days.day += timedelta(days=91)
    observed(tmp_path, 2, days)
    assert seen(tmp_path) == {days.day: 2}
    assert foreign.exists()
    assert not leftover.exists()


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "no object": lambda _content: b"[1]",
    "of another day": lambda content: content.replace(b"2026-11-24", b"2026-11-23"),
    "a number too many": lambda content: content.replace(b'"texts": 3', b'"texts": 4'),
    "negative": lambda content: content.replace(b'"none": 0', b'"none": -1'),
    "no number": lambda content: content.replace(b'"none": 0', b'"none": "0"'),
    "other themes": lambda content: content.replace(b"railways", b"tramways"),
    "an unknown caution": lambda content: content.replace(b'"cautions": {}', b'"cautions": {"odd": 1}'),
    "deep": lambda _content: b"[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_passed_over_and_told(tmp_path: Path, damage: str) -> None:
    """A file that cannot be what was kept is named, the others count, and putting in order leaves it where it is."""
    days = Days()
    observed(tmp_path, 3, days)
    [file] = tmp_path.iterdir()
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    observed(tmp_path, 2, days)
    for _ in range(2):
        found = read_observations(tmp_path, "v0001", THEMES)
        assert found.damaged == (file.name,)
        assert [of_day.texts for of_day in found.days.values()] == [2]
        if damage != "other themes":
            tidy(tmp_path, LATER)


def test_a_damaged_day_keeps_the_parts_it_may_hold(tmp_path: Path) -> None:
    """Where the file of a whole day is damaged, nothing is merged into it, and it is told."""
    days = Days()
    (tmp_path / f"v0001-{DAY}.json").write_text("{")
    observed(tmp_path, 2, days)
    tidy(tmp_path, LATER)
    assert read_observations(tmp_path, "v0001", THEMES).damaged == (f"v0001-{DAY}.json",)
    assert seen(tmp_path) == {DAY: 2}


def test_versions_are_kept_apart(tmp_path: Path) -> None:
    """What one version saw is none of another's; a folder that is not there holds nothing."""
    observed(tmp_path, 2, Days())
    assert read_observations(tmp_path, "v0002", THEMES).days == {}
    assert read_observations(tmp_path / "none", "v0001", THEMES).days == {}


def test_nothing_of_a_text_is_kept(tmp_path: Path, tiny_tagger: Tagger) -> None:
    """The file holds numbers and the names of themes, and no word of what was tagged."""
    observer = Observer("v0001", [theme["id"] for theme in tiny_tagger.themes], Days())
    tiny_tagger.watch = observer
    try:
        tiny_tagger.tag(Document("secret-7", "A zebra agreed a catch quota for herring.", title="Quartz"))
    finally:
        tiny_tagger.watch = None
    observer.keep(tmp_path)
    [file] = tmp_path.iterdir()
    content = file.read_text().lower()
    assert not [word for word in ("secret", "quartz", "zebra", "quota", "herring") if word in content]
