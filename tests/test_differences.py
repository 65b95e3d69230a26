"""Differences: every tag that another version gives or takes, in order of consequence, with what made it so."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.differences import Differences, compare, tallies
from tagger.differences.margins import MOST_TERMS, Goal
from tagger.differences.pairs import Pair
from tagger.differences.texts import Part, cut
from tagger.documents import Document
from tagger.errors import InputError, OptionError, UnknownVersion
from tagger.readers import documents
from tagger.registry import Registry
from tagger.tagging import Tagger
from tagger.training import train
from tests.conftest import CARDS, RELEASE, SENTENCES, tiny_documents, write_seeds

Run = Callable[..., tuple[int, str, str]]

BEFORE, AFTER = "v0001", "v0002"
OTHER_CARDS = CARDS.replace("herring, catch quota", "lobster pots, catch quota").split("- id: lighthouses")[0] + (
    "- id: bridges\n  label: Bridges\n  group: all\n  keywords: [span, viaduct, beacon]\n"
)
"""Fisheries with another keyword, lighthouses gone, bridges new."""

BEACONS = (
    "The beacon and the foghorn of the lighthouse, a light station, have a new keeper of the light and lantern room."
)
ALL_SENTENCES = [sentence for sentences in SENTENCES.values() for sentence in sentences]
TOLERANCE = 1e-9


@pytest.fixture(scope="session")
def registry(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The tiny world's version, and one with other cards, fewer seeds of railways, a seed relabelled, word pairs."""
    folder = tmp_path_factory.mktemp("two")
    models = Path(shutil.copytree(tiny_models, folder / "models"))
    seeds = write_seeds(folder / "seeds")
    (seeds / "themes.yaml").write_text(OTHER_CARDS, encoding="utf-8")
    kept = [seed for seed in tiny_documents() if str(seed["id"]) not in {f"railways-{n}" for n in range(6)}]
    kept[0]["themes"] = []
    (seeds / "tiny.jsonl").write_text("".join(f"{json.dumps(seed)}\n" for seed in kept), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tagger.model.PAIRS_FROM", 1)
        train(seeds, models, promote=False)
    assert Registry(models).get(AFTER).manifest["settings"]["pairs"]
    return Registry(models)


@pytest.fixture(scope="session")
def pair(registry: Registry) -> Pair:
    """Both versions."""
    return Pair(registry.get(BEFORE), registry.get(AFTER))


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some megabytes of records, most of it in a field that is not read, so that there are several parts; two bad."""
    rows: list[dict[str, Any]] = []
    for number in range(120):
        chosen = [ALL_SENTENCES[(7 * number + step * (number % 5 + 1)) % len(ALL_SENTENCES)] for step in range(4)]
        rows.append({"id": f"d{number}", "title": f"Notice {number}", "text": " ".join(chosen), "more": "x" * 30_000})
    rows[70] |= {"text": BEACONS}
    rows[20:20] = [{"id": "bad", "text": ""}]
    path = tmp_path_factory.mktemp("archive") / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + "nonsense\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def found(registry: Registry, archive: Path) -> Differences:
    """What the versions differ in, found in this process."""
    return compare(registry, BEFORE, AFTER, [str(archive)], workers=1)


def told(found: Differences) -> list[Any]:
    """Return all that is said of differences."""
    return [found.summary(), *found.as_records(), *found.unreadable_records()]


def of_theme(found: Differences, theme: str) -> dict[str, Any]:
    """Return what a summary says of a theme."""
    return next(of for of in found.summary()["themes"] if of["theme"] == theme)


# ---- Flips


def test_flips_are_what_the_two_taggers_say(registry: Registry, archive: Path, found: Differences) -> None:
    """There is a flip wherever a document is given a theme otherwise by the two versions, and nowhere else."""
    taggers = [Tagger.load(registry.get(name)) for name in (BEFORE, AFTER)]
    expected = {}
    for document in documents([archive]):
        if isinstance(document, Document):
            tags = [{tag.theme: tag for tag in tagger.tag(document).tags} for tagger in taggers]
            for theme in tags[0].keys() | tags[1].keys():
                decisions = tuple(of[theme].decision if theme in of else "none" for of in tags)
                if decisions[0] != decisions[1]:
                    expected[document.id, theme] = decisions
    flips = {
        (flip["id"], flip["theme"]): tuple(flip[side]["decision"] if flip[side] else "none" for side in SIDES)
        for flip in found.as_records()
    }
    assert flips == expected
    assert len(flips) > 20


SIDES = ("before", "after")


def test_the_summary_counts_the_flips(found: Differences) -> None:
    """Counts, consequence and causes of a theme are those of its flips, and the tags given differ by them."""
    summary, flips = found.summary(), list(found.as_records())
    assert (summary["documents"], summary["unreadable"], summary["texts"]) == (122, 2, 120)
    assert summary["texts_changed"] == len({flip["id"] for flip in flips})
    for theme in summary["themes"]:
        own = [flip for flip in flips if flip["theme"] == theme["theme"]]
        assert theme["kept"] == len(own)
        changes = Counter(flip["change"] for flip in own)
        assert {name: theme[name] for name in ("gained", "lost", "to_auto", "to_review")} == {
            name: changes[name] for name in ("gained", "lost", "to_auto", "to_review")
        }
        assert theme["causes"] == Counter(flip["cause"] for flip in own)
        assert theme["consequence"] == pytest.approx(sum(flip["consequence"] for flip in own))
        given = {side: theme["auto"][side] + theme["review"][side] for side in SIDES}
        assert given["after"] - given["before"] == theme["net"] == theme["gained"] - theme["lost"]


def test_flips_come_by_consequence(found: Differences) -> None:
    """Themes come by their total consequence; within one, tags that nobody looks at come first, then by what moved."""
    summary, flips = found.summary(), list(found.as_records())
    totals = [theme["consequence"] for theme in summary["themes"]]
    assert totals == sorted(totals, reverse=True)
    order = [theme["theme"] for theme in summary["themes"]]
    assert [order.index(flip["theme"]) for flip in flips] == sorted(order.index(flip["theme"]) for flip in flips)
    levels = {("auto", "none"): 3, ("auto", "review"): 2, ("none", "review"): 1}
    for theme in order:
        own = [flip for flip in flips if flip["theme"] == theme]
        assert [flip["consequence"] for flip in own] == sorted((flip["consequence"] for flip in own), reverse=True)
        for flip in own:
            states = [flip[side] or {"decision": "none", "probability": 0} for side in SIDES]
            level = levels[tuple(sorted(state["decision"] for state in states))]  # type: ignore[index]
            moved = abs(states[1]["probability"] - states[0]["probability"])
            assert flip["consequence"] == pytest.approx(level + moved, abs=1e-6)


def test_a_version_does_not_differ_from_itself(registry: Registry, archive: Path) -> None:
    """Between a version and itself there is no flip and no other setting."""
    found = compare(registry, AFTER, AFTER, [str(archive)], workers=1)
    assert list(found.as_records()) == []
    assert found.summary()["settings"] == {}
    assert not any(theme["settings"] for theme in found.summary()["themes"])


def test_the_other_way_round_is_the_opposite(registry: Registry, archive: Path, found: Differences) -> None:
    """From the second version to the first the same tags flip back, and each part of a margin changes its sign."""
    back = {(flip["id"], flip["theme"]): flip for flip in compare(registry, AFTER, BEFORE, [str(archive)]).as_records()}
    opposite = {"gained": "lost", "lost": "gained", "to_auto": "to_review", "to_review": "to_auto"}
    flips = list(found.as_records())
    assert len(flips) == len(back)
    for flip in flips:
        other = back[flip["id"], flip["theme"]]
        assert (other["change"], other["consequence"]) == (opposite[flip["change"]], flip["consequence"])
        if flip["margin"]:
            parts = {name: -part for name, part in other["margin"]["parts"].items()}
            assert parts == pytest.approx(flip["margin"]["parts"], abs=TOLERANCE)


# ---- Margins


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_parts_sum_up_to_the_change_of_the_margin(pair: Pair, data: st.DataObject) -> None:
    """For any text and theme, parts, and terms with the rest, are exactly the change of slope * (score - needed)."""
    words = st.sampled_from(
        [*" ".join(ALL_SENTENCES).split(), "lobster", "catch quota", "beacon", "unheard", "7", "\n\n"]
    )
    text = " ".join(data.draw(st.lists(words, max_size=40)))
    other = data.draw(st.sampled_from([text, f"{text} herring", ""]))
    theme = data.draw(st.sampled_from([theme for theme in pair.themes if None not in theme.columns]))
    goal: Goal = data.draw(st.sampled_from(["threshold", "auto_threshold"]))
    readings = [tagger.scorer.read(read) for tagger, read in zip(pair.taggers, (text, other), strict=True)]
    margin = pair.margins.of_text(readings).change(theme.columns, goal)  # type: ignore[arg-type]
    if goal == "threshold":
        expected = [
            tagger.rule.slope[column] * (tagger.scorer.sum(reading)[column] - tagger.score_thresholds[column])
            for tagger, column, reading in zip(pair.taggers, theme.columns, readings, strict=True)
        ]
        assert [margin.before, margin.after] == pytest.approx(expected, abs=TOLERANCE)
    change = margin.after - margin.before
    assert sum(margin.parts.values()) == pytest.approx(change, abs=TOLERANCE)
    rows = [*margin.terms, margin.others]
    for row in rows:
        assert sum(row[part] for part in ("weight", "card", "value", "slope")) == pytest.approx(
            row["change"], abs=TOLERANCE
        )
    for part in ("weight", "card", "value"):
        assert sum(row[part] for row in rows) == pytest.approx(margin.parts[part], abs=TOLERANCE)
    # What the terms did not move is the bias's, with its own part of the slope, the intercept's and the threshold's.
    slopes = [tagger.rule.slope[column] for tagger, column in zip(pair.taggers, theme.columns, strict=True)]
    biases = [tagger.scorer.arrays.bias[column] for tagger, column in zip(pair.taggers, theme.columns, strict=True)]
    rest = slopes[1] * biases[1] - slopes[0] * biases[0] + margin.parts["intercept"] + margin.parts["threshold"]
    assert sum(row["change"] for row in rows) + rest == pytest.approx(change, abs=TOLERANCE)


def test_a_flip_by_the_margin_has_it_on_two_sides_of_zero(found: Differences) -> None:
    """Where a decision changed by a probability, the margin to the threshold in question changed its sign."""
    flips = [flip for flip in found.as_records() if flip["cause"] == "margin"]
    assert {flip["margin"]["to"] for flip in flips} >= {"threshold"}
    for flip in flips:
        up = flip["change"] in ("gained", "to_auto")
        assert (flip["margin"]["before"] < 0 <= flip["margin"]["after"]) if up else (
            flip["margin"]["after"] < 0 <= flip["margin"]["before"]
        )  # fmt: skip


def test_the_terms_that_moved_most_are_named(found: Differences) -> None:
    """At most eight terms each way are named, the largest first, none of the others with nothing to it."""
    for flip in found.as_records():
        if flip["margin"]:
            changes = [term["change"] for term in flip["margin"]["terms"]]
            assert [abs(change) for change in changes] == sorted(map(abs, changes), reverse=True)
            assert max(sum(change > 0 for change in changes), sum(change < 0 for change in changes)) <= MOST_TERMS
            assert all(changes)


def test_a_new_keyword_is_a_part_of_the_card(pair: Pair) -> None:
    """A word that only one version has on a card counts as a change of the card's weight, not of its value."""
    text = "The lobster pots were lifted; lobster pots for all, and boats for the lobster pots and the catch quota."
    margins = pair.margins.of_text([tagger.scorer.read(text) for tagger in pair.taggers])
    fisheries = next(theme for theme in pair.themes if theme.id == "fisheries")
    terms = margins.change(fisheries.columns, "threshold").terms  # type: ignore[arg-type]
    term = next(term for term in terms if term["term"] == "lobster pots")
    assert (term["before"], term["weight"], term["value"]) == (0, 0, 0)
    assert term["card"] + term["slope"] == pytest.approx(term["after"])
    assert term["card"] > 0


# ---- Settings and themes


def test_the_summary_says_what_differs(found: Differences) -> None:
    """Seeds by name, and of each theme its number of seeds, thresholds and card, where the versions differ in them."""
    seeds = found.summary()["settings"]["seeds"]
    assert (seeds["before"], seeds["after"]) == (46, 40)
    assert seeds["removed"] == {"count": 6, "ids": [f"railways-{number}" for number in range(6)]}
    assert seeds["relabelled"] == {"count": 1, "ids": ["fisheries-0"]}
    assert "rewritten" not in seeds
    assert of_theme(found, "railways")["settings"]["seeds"] == {"before": 10, "after": 4}
    fisheries = of_theme(found, "fisheries")["settings"]
    assert fisheries["card"] == {"keywords": {"added": ["lobster pots"], "removed": ["herring"]}}
    assert {"before", "after"} == set(fisheries["threshold"])


def test_tags_of_themes_that_one_version_has_are_gained_or_lost(found: Differences) -> None:
    """All tags of a theme that is new or gone count, and are told without a margin."""
    lighthouses, bridges = of_theme(found, "lighthouses"), of_theme(found, "bridges")
    assert (lighthouses["in"], bridges["in"]) == ("before", "after")
    assert lighthouses["lost"] == lighthouses["causes"]["theme_removed"] > 0
    flip = next(flip for flip in found.as_records() if flip["theme"] == "lighthouses")
    assert (flip["id"], flip["after"], flip["margin"], flip["cause"]) == ("d70", None, None, "theme_removed")


# ---- Workers, and what is kept


def test_workers_find_the_same(registry: Registry, archive: Path, found: Differences) -> None:
    """Three processes find what one does, to the last digit, and say how far they are."""
    seen: list[tuple[int, int]] = []
    shared = compare(
        registry, BEFORE, AFTER, [str(archive)], workers=3, progress=lambda *state: seen.append(state)
    )  # fmt: skip
    assert told(shared) == told(found)
    assert len(seen) > 2
    assert seen[-1] == (122, 2)
    assert seen == sorted(seen)


@pytest.mark.parametrize("most", [1, 4])
def test_the_most_consequential_flips_are_kept(
    registry: Registry, archive: Path, found: Differences, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Where there are more flips of a theme than are kept, those kept come first among all, and all are counted."""
    monkeypatch.setattr(tallies, "MOST_KEPT", most)
    few = compare(registry, BEFORE, AFTER, [str(archive)], workers=1)
    themes = [theme["theme"] for theme in found.summary()["themes"]]
    by_theme = {theme: [flip for flip in found.as_records() if flip["theme"] == theme] for theme in themes}
    assert list(few.as_records()) == [flip for theme in themes for flip in by_theme[theme][:most]]
    summary = few.summary()
    kept = [theme.pop("kept") for theme in summary["themes"]]
    assert kept == [min(most, len(by_theme[theme])) for theme in themes]
    whole = found.summary()
    for theme in whole["themes"]:
        del theme["kept"]
    assert {**summary, "kept": 0} == {**whole, "kept": 0}


# ---- Pages


PAGE = f"""{RELEASE}
{" ".join(SENTENCES["fisheries"])}
"""


def test_pages_are_cut_as_an_archive_cuts_them(registry: Registry, tmp_path: Path, pair: Pair) -> None:
    """A page's releases have the ids, titles and places they are tagged with; one of furniture only is unreadable."""
    (tmp_path / "page.txt").write_text(PAGE, encoding="utf-8")
    (tmp_path / "raw.txt").write_bytes(b"\xff\xfe\x00")
    found = compare(registry, BEFORE, AFTER, [str(tmp_path)])
    assert (found.documents, found.unreadable) == (2, 1)
    assert [record["id"] for record in found.unreadable_records()] == ["raw.txt"]
    tagged = list(pair.taggers[1].tag_page(Document("page.txt", PAGE)))
    assert found.summary()["texts"] == len(tagged)
    places = {(one.id, one.title, one.release.start, one.release.end) for one in tagged if one.release}
    for flip in found.as_records():
        assert (flip["id"], flip["title"], flip["start"], flip["end"]) in places
        assert flip["same_text"]


def test_a_page_that_is_cut_otherwise_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that only one version finds gains or loses all its tags; a common one counts with what each reads."""
    (tmp_path / "page.txt").write_text(f"{PAGE}\n\n{PAGE}", encoding="utf-8")
    real = Tagger.cut

    def other(tagger: Tagger, page: str) -> Any:
        whole = real(tagger, page)
        return whole if tagger.version == BEFORE else real(tagger, page[: len(PAGE) // 2])

    monkeypatch.setattr(Tagger, "cut", other)
    monkeypatch.setattr(Pair, "cuts_alike", property(lambda _: False))
    found = compare(registry, BEFORE, AFTER, [str(tmp_path)], workers=1)
    summary = found.summary()
    assert summary["cut_otherwise"]["pages"] == 1
    alone = summary["cut_otherwise"]["only_before"] + summary["cut_otherwise"]["only_after"]
    assert alone > 0
    flips = list(found.as_records())
    assert {flip["cause"] for flip in flips} >= {"cut_otherwise"}
    assert all(flip["margin"] is None for flip in flips if flip["cause"] == "cut_otherwise")


def spans(data: st.DataObject) -> list[Part]:
    """Return parts one after the other."""
    ends = sorted(data.draw(st.sets(st.integers(0, 60), max_size=12)))
    pairs = zip(ends[::2], ends[1::2], strict=False)
    return [Part(start, end, f"{start}", None, f"{start}-{end}") for start, end in pairs]


@given(data=st.data())
def test_each_release_is_compared_once(data: st.DataObject) -> None:
    """Each release of either version is in one text, in order; two that are more the same than not are together."""
    before, after = spans(data), spans(data)
    texts = list(cut(0, before, after))
    assert [text.reads[0] for text in texts if text.reads[0]] == [part.read for part in before]
    assert [text.reads[1] for text in texts if text.reads[1]] == [part.read for part in after]
    together = {text.reads for text in texts if None not in text.reads}
    for left in before:
        for right in after:
            common = min(left.end, right.end) - max(left.start, right.start)
            alike = 2 * common > max(left.end - left.start, right.end - right.start)
            assert ((left.read, right.read) in together) == alike


# ---- The command


@pytest.fixture
def diff(run: Run, registry: Registry, archive: Path) -> Iterator[Run]:
    """The command on the archive."""
    return lambda *options: run("models", "diff", BEFORE, AFTER, "--models", registry.folder, "--on", archive, *options)  # type: ignore[return-value]


def test_a_pipe_gets_the_summary_then_the_flips(diff: Run, found: Differences) -> None:
    """JSON lines of three kinds: the summary, the flips, what could not be read; which is told, and fails."""
    code, out, err = diff()
    assert [json.loads(line) for line in out.splitlines()] == told(found)
    assert [line["kind"] for line in (json.loads(out.splitlines()[0]), json.loads(out.splitlines()[-1]))] == [
        "summary",
        "unreadable",
    ]
    assert "2 could not be read" in err
    assert code == 1


def test_a_person_gets_a_table_and_the_first_flips(diff: Run, found: Differences) -> None:
    """A row for each theme that changes, and so many of its flips as wanted, each with why."""
    code, out, err = diff("--no-json", "--most", "1")
    assert f"{BEFORE} -> {AFTER}" in out
    assert "6 removed, 1 relabelled" in out
    changed = [theme for theme in found.summary()["themes"] if theme["consequence"]]
    assert sum(line.startswith("  ") and not line.startswith("    ") for line in out.splitlines()) == len(changed)
    for theme in changed:
        assert theme["theme"] in out
    first = next(found.as_records())
    assert f"{first['id']}: {first['title']}" in out
    assert "margin to the threshold" in out
    assert "line 21: `text` is empty" in err
    assert code == 1


def test_what_cannot_be_compared_is_said(run: Run, registry: Registry, archive: Path, tmp_path: Path) -> None:
    """Unknown versions, no document, no worker: each is told in a sentence."""
    with pytest.raises(UnknownVersion, match=r"no version 'v0009'; known are: v0001, v0002"):
        compare(registry, BEFORE, "v0009", [str(archive)])
    with pytest.raises(OptionError, match="expected 1 or more"):
        compare(registry, BEFORE, AFTER, [str(archive)], workers=0)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="holds no document"):
        compare(registry, BEFORE, AFTER, [str(tmp_path / "empty.jsonl")])
    code, out, err = run("models", "diff", BEFORE, AFTER, "--models", registry.folder, "--on", tmp_path / "nix")
    assert (code, out) == (1, "")
    assert "no file or folder" in err
