"""The gate: what keeps a version from going live, what does not, and what the history keeps of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagger import promotion
from tagger.documents import Document
from tagger.errors import DamagedVersion, ModelError, NoLiveVersion, OptionError, PromotionRefused, SeedsError
from tagger.evaluation import evaluate
from tagger.heldout import HeldOutSeeds
from tagger.pins import Pin
from tagger.promotion import Verdict, judge, promote, rollback
from tagger.registry import LIVE, Registry
from tagger.tagging import Tagger

Run = Callable[..., tuple[int, str, str]]
Change = Callable[[Path], None]

THEMES = ["fisheries", "railways", "vaccines", "lighthouses"]
TRAIN = Document("train", "The new timetable brings an hourly train to the valley stations.")
SOUP = Document("soup", "The canteen serves soup on Thursdays, the notice adds.")
REASON = "the seeds of railways are being redone"


def another(registry: Registry, change: Change = lambda _folder: None, **manifest: object) -> str:
    """Save the first version anew with changes to its files and manifest; return its name."""
    first = registry.get("v0001")

    def write(folder: Path) -> dict[str, Any]:
        for name in first.manifest["files"]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(first.folder / name, folder / name)
        change(folder)
        return {**first.manifest, **manifest}

    return registry.save(write).name


def gives(theme: str, answer: bool) -> Change:
    """Return the change that makes held-out models give a theme to all seeds that have it, or to none of them."""

    def change(folder: Path) -> None:
        held_out = HeldOutSeeds.load(folder)
        held_out.given[:, THEMES.index(theme)] = held_out.theme_sets[:, THEMES.index(theme)] & answer
        np.save(folder / "held_out" / "given.npy", held_out.given)

    return change


def threshold(theme: str, value: float) -> Change:
    """Return the change that sets the threshold of a theme, and keeps a text without a theme from being given one."""

    def change(folder: Path) -> None:
        saved = json.loads((folder / "themes.json").read_text(encoding="utf-8"))
        saved["nearness"] = 1.0
        saved["themes"][THEMES.index(theme)] |= {"threshold": value, "auto_threshold": None}
        (folder / "themes.json").write_text(json.dumps(saved), encoding="utf-8")

    return change


@pytest.fixture
def registry(models: Path) -> Registry:
    """A registry of one's own whose first version is live and gives railways to all its seeds, held out."""
    registry = Registry(models)
    registry.promote(another(registry, gives("railways", answer=True)))
    return registry


def kinds(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the kind and the theme of each objection."""
    return [(objection.kind, objection.theme) for objection in verdict.objections]


def test_a_version_as_good_as_the_live_one_is_promoted(registry: Registry, seeds: Path) -> None:
    """Without a fall and without pins nothing is said, the version goes live, and the history says by whom."""
    name = another(registry, gives("railways", answer=True))
    done = promote(registry, name, seeds, by="anna")
    assert (done.promoted, done.verdict.objections, done.verdict.remarks) == (True, (), ())
    last = registry.history()[-1]
    assert (last["version"], last["action"], last["by"], set(last)) == (name, "promote", "anna", {*last, "at"})
    assert "reason" not in last


def test_a_theme_that_falls_is_an_objection(registry: Registry, seeds: Path) -> None:
    """A version that loses a theme on held-out seeds is refused with figures and remedy, and nothing has changed."""
    name = another(registry, gives("railways", answer=False))
    before = (registry.folder / LIVE).read_bytes()
    with pytest.raises(PromotionRefused) as caught:
        promote(registry, name, seeds, by="anna")
    (said,) = caught.value.objections
    assert "F1 of railways falls from 1.000" in said
    assert "to 0.000" in said
    assert said in str(caught.value)
    assert str(caught.value).endswith(f'tagger models promote {name} --force "REASON"')
    assert (registry.folder / LIVE).read_bytes() == before


def test_a_theme_that_lost_its_seeds_is_an_objection(registry: Registry, seeds: Path) -> None:
    """Where a version learned a theme from next to nothing, it does not go live without a word."""

    def forget(folder: Path) -> None:
        saved = json.loads((folder / "themes.json").read_text(encoding="utf-8"))
        saved["themes"][THEMES.index("railways")]["seeds"] = 1
        (folder / "themes.json").write_text(json.dumps(saved), encoding="utf-8")
        held_out = HeldOutSeeds.load(folder)
        held_out.theme_sets[:, THEMES.index("railways")] = False
        np.save(folder / "held_out" / "theme_sets.npy", held_out.theme_sets)

    with pytest.raises(PromotionRefused) as caught:
        promote(registry, another(registry, forget), seeds, by="anna")
    (said,) = caught.value.objections
    assert "railways from 10 seeds" in said
    assert "from 1:" in said


def test_a_forced_promotion_keeps_who_and_why(registry: Registry, seeds: Path) -> None:
    """With a reason the version goes live, and the history keeps reason, objections and who."""
    name = another(registry, gives("railways", answer=False))
    done = promote(registry, name, seeds, by="anna", force=REASON)
    last = registry.history()[-1]
    assert (last["version"], last["by"], last["reason"]) == (name, "anna", REASON)
    assert last["objections"] == [objection.detail for objection in done.verdict.objections] != []


def test_where_nothing_is_forced_no_reason_is_kept(registry: Registry, seeds: Path) -> None:
    """A reason given for a version without objections is no forced promotion."""
    promote(registry, another(registry, gives("railways", answer=True)), seeds, by="anna", force=REASON)
    assert "reason" not in registry.history()[-1]


@pytest.mark.parametrize("reason", ["", " ", "yes", "\ud800 is half", "one\nof two lines", "too long " * 200])
def test_a_reason_is_a_sentence(registry: Registry, seeds: Path, reason: str) -> None:
    """What is no reason is refused before anything is done."""
    name = another(registry, gives("railways", answer=False))
    with pytest.raises(OptionError, match="expected a sentence"):
        promote(registry, name, seeds, by="anna", force=reason)
    assert registry.live_name() != name


def test_the_figures_are_those_of_the_seeds_in_both(registry: Registry) -> None:
    """The F1 of both versions is that of `evaluate` on the shared seeds, with the candidate's labels as truth."""

    def change(folder: Path) -> None:
        held_out = HeldOutSeeds.load(folder)
        held_out.theme_sets[:3, 0] ^= True
        np.save(folder / "held_out" / "theme_sets.npy", held_out.theme_sets)
        digests = [*held_out.digests[:-5], *("new" for _ in range(5))]
        names = {"ids": held_out.ids, "digests": digests}
        (folder / "held_out" / "seeds.json").write_text(json.dumps(names), encoding="utf-8")

    name = another(registry, change)
    verdict = judge(registry, name, [])
    old, new = (HeldOutSeeds.load(registry.get(version).folder) for version in ("v0002", name))
    for found, given_now in (("live", old.given), ("candidate", new.given)):
        expected = evaluate(given_now[:-5], new.theme_sets[:-5], THEMES)["themes"]
        for theme in verdict.themes:
            row = expected[theme.theme]
            assert (theme.seeds, round(getattr(theme, found), 6)) == (row["examples"], row["f1"])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_objection_is_a_fall_below_the_interval(registry: Registry, data: st.DataObject) -> None:
    """Whatever was given: an objection falls below the interval of the live version and has seeds enough; the order of
    the seeds is nothing; and what a version is refused for, the other way round it is not.
    """
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    share = data.draw(st.sampled_from([0.02, 0.2, 0.5]))

    def noise(folder: Path) -> None:
        held_out = HeldOutSeeds.load(folder)
        np.save(folder / "held_out" / "given.npy", held_out.given ^ (random.random(held_out.given.shape) < share))

    def shuffle(folder: Path) -> None:
        shutil.copytree(registry.get(name).folder / "held_out", folder / "held_out", dirs_exist_ok=True)
        held_out = HeldOutSeeds.load(folder)
        order = random.permutation(len(held_out.ids))
        shutil.rmtree(folder / "held_out")
        HeldOutSeeds(
            [held_out.ids[row] for row in order],
            [held_out.digests[row] for row in order],
            *(getattr(held_out, array)[order] for array in ("groups", "theme_sets", "probabilities", "given")),
        ).save(folder)

    name = another(registry, noise)
    verdict = judge(registry, name, [])
    worse = [theme for theme in verdict.themes if theme.worse]
    assert all(theme.candidate < theme.low <= theme.live and theme.seeds >= 5 for theme in worse)
    assert kinds(verdict) == [("quality", theme.theme) for theme in worse]
    assert [theme._replace(low=0) for theme in judge(registry, another(registry, shuffle), []).themes] == [
        theme._replace(low=0) for theme in verdict.themes
    ]
    live = registry.live_name()
    registry.promote(name)
    assert not {theme.theme for theme in judge(registry, str(live), []).themes if theme.worse} & {
        theme.theme for theme in worse
    }
    registry.promote(str(live))


def test_few_seeds_cannot_object(registry: Registry) -> None:
    """A theme of fewer than five of the compared seeds falls without an objection; of five it is one."""

    def digests(kept: int) -> Change:
        def change(folder: Path) -> None:
            gives("railways", answer=False)(folder)
            held_out = HeldOutSeeds.load(folder)
            gone = np.flatnonzero(held_out.theme_sets[:, THEMES.index("railways")])[kept:]
            digests = ["gone" if row in gone else digest for row, digest in enumerate(held_out.digests)]
            content = json.dumps({"ids": held_out.ids, "digests": digests})
            (folder / "held_out" / "seeds.json").write_text(content, encoding="utf-8")

        return change

    assert kinds(judge(registry, another(registry, digests(4)), [])) == []
    assert kinds(judge(registry, another(registry, digests(5)), [])) == [("quality", "railways")]


def test_the_first_version_has_nothing_to_fall_from(models: Path, seeds: Path) -> None:
    """Where no version is live, pins that are broken are remarks, and the version is promoted."""
    (models / LIVE).unlink()
    (seeds / "pins.jsonl").write_text('{"id": "soup", "text": "Soup.", "must": ["railways"]}\n', encoding="utf-8")
    done = promote(Registry(models), "v0001", seeds, by=None)
    (remark,) = done.verdict.remarks
    assert remark.startswith("The pin 'soup' must have railways, but v0001 does not give it (probability 0.")
    assert (done.promoted, done.verdict.live, done.verdict.pins[0].live) == (True, None, None)


def test_what_the_live_version_keeps_must_be_kept(registry: Registry) -> None:
    """A pin is an objection where the live version keeps it and the candidate does not, whichever way it goes."""
    never, always = another(registry, threshold("railways", 0.999999)), another(registry, threshold("railways", 1e-5))
    must, must_not = Pin(TRAIN, ("railways",)), Pin(SOUP, (), ("railways",))
    verdict = judge(registry, never, [must, must_not])
    assert kinds(verdict) == [("pin", "railways")]
    assert "The pin 'train' must have railways, but v0003 does not give it" in verdict.objections[0].detail
    assert "threshold 1.000); v0002 keeps the pin." in verdict.objections[0].detail
    assert [(one.claim, one.live and one.live.kept, one.candidate.kept) for one in verdict.pins] == [
        ("must", True, False),
        ("must_not", True, True),
    ]
    verdict = judge(registry, always, [must, must_not])
    assert "The pin 'soup' must not have railways, but v0004 gives it" in verdict.objections[0].detail


def test_what_both_break_is_a_remark(registry: Registry) -> None:
    """A pin that neither version keeps is told, with theme and figures, and stops nothing."""
    verdict = judge(registry, another(registry, gives("railways", answer=True)), [Pin(SOUP, ("fisheries",))])
    assert verdict.objections == ()
    (remark,) = verdict.remarks
    assert "'soup' must have fisheries" in remark
    assert remark.endswith("v0002 breaks it, too.")


def test_a_theme_that_a_version_does_not_know_breaks_what_must_have_it(registry: Registry) -> None:
    """A pin of a theme newer than both versions is a remark that says so; that it must not have it is kept."""
    name = another(registry, gives("railways", answer=True))
    verdict = judge(registry, name, [Pin(SOUP, ("canals",), ()), Pin(TRAIN, (), ("canals",))])
    assert [one.candidate.kept for one in verdict.pins] == [False, True]
    (remark,) = verdict.remarks
    assert "it does not know the theme" in remark


def test_themes_that_disappear_are_remarks(registry: Registry, seeds: Path) -> None:
    """A version whose cards lack a theme of the live one is promoted, and the theme is named."""
    from tagger.training import train

    cards = (seeds / "themes.yaml").read_text(encoding="utf-8")
    (seeds / "themes.yaml").write_text(cards[: cards.index("- id: lighthouses")], encoding="utf-8")
    trained = train(seeds, registry.folder, by="anna")
    assert trained.promotion
    assert trained.promotion.promoted
    assert trained.promotion.verdict.remarks == ("v0003 does not know the theme lighthouses, which v0002 gives.",)


@pytest.mark.parametrize("gone", ["seeds.json", "digests"])
def test_nothing_to_compare_is_a_remark(registry: Registry, gone: str) -> None:
    """A version without seeds of the live one, or with no held-out seeds at all, is judged by its pins alone."""

    def change(folder: Path) -> None:
        place = folder / "held_out" / "seeds.json"
        if gone == "seeds.json":
            place.unlink()
        else:
            names = json.loads(place.read_text(encoding="utf-8"))
            place.write_text(json.dumps({**names, "digests": ["gone"] * len(names["ids"])}), encoding="utf-8")

    verdict = judge(registry, another(registry, change), [])
    assert verdict.objections == verdict.themes == ()
    (remark,) = verdict.remarks
    assert remark.startswith("No F1 was compared: ")


def test_a_live_version_that_is_damaged_stops_nothing(registry: Registry, seeds: Path) -> None:
    """Where the live version does not load, another can take its place, and it is said that nothing was compared."""
    name = another(registry, gives("railways", answer=False))
    (registry.folder / "v0002" / "themes.json").write_text("{}", encoding="utf-8")
    done = promote(registry, name, seeds, by=None)
    (remark,) = done.verdict.remarks
    assert remark.startswith("Nothing was compared with v0002, which is live but does not load. ")
    assert registry.live_name() == name


def test_what_does_not_load_cannot_be_forced(registry: Registry, seeds: Path) -> None:
    """A version that scores its canaries otherwise is refused whatever the reason."""
    canaries = registry.get("v0001").manifest["canaries"]
    other = [{**canary, "probabilities": [0.5] * len(THEMES)} for canary in canaries]
    name = another(registry, canaries=other)
    with pytest.raises(DamagedVersion, match="scores a known text otherwise"):
        promote(registry, name, seeds, by=None, force=REASON)
    assert registry.live_name() == "v0002"


def test_broken_pins_stop_a_promotion(registry: Registry, seeds: Path) -> None:
    """Pins that cannot be read are an error, not pins that are kept."""
    (seeds / "pins.jsonl").write_text('{"id": "soup", "text": "Soup.", "must": ["rail"]}\n', encoding="utf-8")
    with pytest.raises(SeedsError, match="unknown theme 'rail'"):
        promote(registry, another(registry), seeds, by=None)


def test_promoting_the_live_version_again_changes_nothing(registry: Registry, seeds: Path) -> None:
    """The live version has no objection to itself, and the history stays as it is."""
    before = registry.history()
    done = promote(registry, "v0002", seeds, by="anna")
    assert (done.promoted, done.verdict.objections, registry.history()) == (True, (), before)


def test_a_version_is_judged_against_the_one_it_replaces(
    registry: Registry, seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another version goes live between judging and promoting, the judging begins anew."""
    worse, good = another(registry, gives("railways", answer=False)), another(registry, gives("railways", answer=True))
    registry.promote(worse)
    judged: list[Verdict] = []

    def judge_slowly(*arguments: Any) -> Verdict:
        judged.append(judge(*arguments))
        if len(judged) == 1:
            registry.promote(good)
        return judged[-1]

    third = another(registry, gives("railways", answer=False))
    monkeypatch.setattr(promotion, "judge", judge_slowly)
    with pytest.raises(PromotionRefused):
        promote(registry, third, seeds, by=None)
    assert [(verdict.live, bool(verdict.objections)) for verdict in judged] == [(worse, False), (good, True)]
    assert registry.live_name() == good


def test_a_rollback_needs_only_that_the_version_loads(registry: Registry) -> None:
    """Going back asks for no objections, says by whom, and refuses a version that does not load or is not there."""
    registry.promote(another(registry, gives("railways", answer=True)))
    registry.promote(another(registry, gives("railways", answer=False)))
    assert rollback(registry, by="anna").name == "v0003"
    assert registry.history()[-1]["by"] == "anna"
    (registry.folder / "v0002" / "themes.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DamagedVersion):
        rollback(registry, by="anna")
    assert registry.live_name() == "v0003"
    (registry.folder / LIVE).unlink()
    with pytest.raises(NoLiveVersion):
        rollback(registry, by="anna")


def test_two_rollbacks_at_once_are_one(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback that another overtakes is refused: it goes back from what is no longer live."""
    load = Tagger.load
    registry.promote(another(registry))

    def load_slowly(version: Any) -> Tagger:
        monkeypatch.setattr(Tagger, "load", load)
        rollback(registry, by="ben")
        return load(version)

    monkeypatch.setattr(Tagger, "load", load_slowly)
    with pytest.raises(ModelError, match="another promotion was faster"):
        rollback(registry, by="anna")
    assert registry.live_name() == "v0002"
    assert [entry.get("by") for entry in registry.history()[-2:]] == [None, "ben"]


def test_a_history_of_an_earlier_tagger_is_read(models: Path) -> None:
    """Entries that do not say by whom are as good as others."""
    entry = {"version": "v0001", "action": "promote", "at": "2026-01-01T00:00:00+00:00"}
    (models / LIVE).write_text(json.dumps({"version": "v0001", "history": [entry]}), encoding="utf-8")
    assert Registry(models).history() == [entry]


# The command line


@pytest.fixture
def refused(registry: Registry, seeds: Path) -> tuple[object, ...]:
    """The options for a registry whose third version loses railways, and seeds with a pin for it."""
    another(registry, gives("railways", answer=False))
    pins = [
        {"id": "train", "text": TRAIN.text, "must": ["railways"]},
        {"id": "s", "text": "Soup.", "must": ["vaccines"]},
    ]
    (seeds / "pins.jsonl").write_text("".join(f"{json.dumps(pin)}\n" for pin in pins), encoding="utf-8")
    return "--models", registry.folder, "--seeds", seeds


def test_check_shows_what_was_compared(run: Run, refused: tuple[object, ...]) -> None:
    """`models check` judges the newest version without promoting it, fails with objections, and shows all of it."""
    code, out, _ = run("models", "check", *refused)
    record = json.loads(out)
    assert (code, record["version"], record["live"]) == (1, "v0003", "v0002")
    assert [(row["kind"], row["theme"]) for row in record["objections"]] == [("quality", "railways")]
    assert {row["theme"] for row in record["themes"]} == {"fisheries", "railways", "vaccines"}
    assert [(row["pin"], row["live"]["kept"], row["candidate"]["kept"]) for row in record["pins"]] == [
        ("train", True, True),
        ("s", False, False),
    ]
    code, out, said = run("models", "check", "--json=no", *refused)
    assert (code, "train" in out, "broken" in out, "railways" in out) == (1, True, True, True)
    assert said.endswith("v0003: 1 objection against promoting it instead of v0002.\n")
    assert run("models", "check", "v0002", *refused)[0] == 0
    assert Registry(Path(str(refused[1]))).live_name() == "v0002"


def test_check_without_a_version_says_how_to_train_one(run: Run, tmp_path: Path) -> None:
    """`models check` in an empty folder fails with the command that makes a version."""
    code, _, said = run("models", "check", "--models", tmp_path / "models")
    assert (code, "tagger train" in said) == (1, True)


def test_promote_refuses_and_is_forced(run: Run, refused: tuple[object, ...]) -> None:
    """`models promote` says the objections and the way out, takes it, and `models history` shows who and why."""
    code, out, said = run("models", "promote", "v0003", *refused)
    assert (code, out, "F1 of railways falls" in said, '--force "REASON"' in said) == (1, "", True, True)
    code, _, said = run("models", "promote", "v0003", "--force", REASON, *refused)
    assert (code, said.splitlines()[-1]) == (0, "v0003 is live instead of v0002.")
    last = json.loads(run("models", "history", *refused[:2])[1].splitlines()[-1])
    assert (last["version"], last["reason"], last["by"].endswith(" (command line)")) == ("v0003", REASON, True)
    shown = run("models", "history", "--json=no", *refused[:2])[1]
    assert f"was forced: {REASON}\n  F1 of railways falls" in shown


def test_a_history_of_nothing_is_said(run: Run, tmp_path: Path) -> None:
    """`models history` of an empty folder is empty in a pipe, and says so to people."""
    assert run("models", "history", "--models", tmp_path) == (0, "", "")
    code, out, said = run("models", "history", "--json=no", "--models", tmp_path)
    assert (code, out, "tagger train" in said) == (0, "", True)


def test_who_has_no_name_is_a_number(run: Run, refused: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a login name, as in a container, can promote and roll back."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert run("models", "rollback", *refused[:2])[0] == 0
    assert json.loads(run("models", "history", *refused[:2])[1].splitlines()[-1])["by"].startswith("user ")


def test_training_goes_through_the_gate(run: Run, registry: Registry, seeds: Path) -> None:
    """A version that breaks a pin of the live one is saved and not live; `train` fails with the way out."""
    registry.promote(another(registry, threshold("lighthouses", 1e-5)))
    pin = {"id": "soup", "text": SOUP.text, "must": ["lighthouses"]}
    (seeds / "pins.jsonl").write_text(f"{json.dumps(pin)}\n", encoding="utf-8")
    code, _, said = run("train", "--models", registry.folder, "--seeds", seeds)
    lines = said.splitlines()
    assert code == 1
    assert any("The pin 'soup' must have lighthouses, but v0004 does not give it" in line for line in lines)
    remedy = 'not live, for 1 objection. To promote it all the same: tagger models promote v0004 --force "REASON".'
    assert lines[-1].endswith(remedy)
    assert (registry.live_name(), registry.names()[-1]) == ("v0003", "v0004")
    code, _, said = run("models", "promote", "v0004", "--force", REASON, "--models", registry.folder, "--seeds", seeds)
    assert (code, registry.live_name()) == (0, "v0004")
