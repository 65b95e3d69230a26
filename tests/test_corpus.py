"""Seeds: what is read of them in each form, and that everything wrong with them is said at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tagger.corpus import Corpus, Seed, read_corpus, seed_files
from tagger.errors import SeedsError

Run = Callable[..., tuple[int, str, str]]

HERRING = "Ministers agreed a lower catch quota for herring in the northern waters."


def problems(folder: Path, **options: str) -> tuple[str, ...]:
    """Return all that is wrong with seeds."""
    with pytest.raises(SeedsError) as caught:
        read_corpus(folder, **options)  # type: ignore[arg-type]
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems


def seed(corpus: Corpus, identifier: str) -> Seed:
    """Return the one seed of this id."""
    (found,) = (seed for seed in corpus.seeds if seed.document.id == identifier)
    return found


def write(path: Path, content: str | bytes) -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FORMS = {
    "new.jsonl": '{"id": "new", "title": "Herring", "text": "Quota.", "source": "n", "themes": '
    '["fisheries", "vaccines"]}',
    "new.csv": "id,title,text,themes,source\nnew,Herring,Quota.,fisheries;vaccines,n\n",
    "new.tsv": "id\ttitle\ttext\tthemes\tsource\nnew\tHerring\tQuota.\tfisheries ; vaccines;\tn\n",
    "deep/er/new.md": "---\nid: new\ntitle: Herring\nthemes: [fisheries, vaccines]\nsource: n\n---\nQuota.\n",
    "deep/new.txt": "---\nid: new\ntitle: Herring\nthemes:\n- fisheries\n- vaccines\nsource: n\n---\nQuota.\n",
}
"""One seed in each way of writing it."""


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_seed(seeds: Path, name: str) -> None:
    """A seed has its text, themes and source, whichever form it is written in."""
    write(seeds / name, FORMS[name])
    corpus = read_corpus(seeds)
    new = seed(corpus, "new")
    assert (new.themes, new.source) == (("fisheries", "vaccines"), "n")
    assert new.document.where.partition(",")[0] == f"{seeds}/{name}"
    row = corpus.seeds.index(new)
    assert corpus.texts[row] == "Herring\n\nQuota."
    assert corpus.theme_sets[row].tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("new.jsonl", '{"id": "new", "text": "Quota.", "themes": []}\n'),
        ("new.csv", "id,text,themes\nnew,Quota.,none\n"),
        ("new.md", "---\nid: new\nthemes: []\n---\nQuota.\n"),
    ],
)
def test_no_theme_is_an_answer(seeds: Path, name: str, content: str) -> None:
    """An empty list of themes is a seed of no theme."""
    write(seeds / name, content)
    assert seed(read_corpus(seeds), "new").themes == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("new.jsonl", '{"text": "Quota.", "themes": ["nonsense"], "reviewed": false}\n'),
        ("new.csv", "text,themes,reviewed\nQuota.,fisheries,false\n"),
        ("new.csv", "text,themes,reviewed\nQuota.,fisheries,FALSE\n"),
        ("new.md", "---\nthemes: [fisheries]\nreviewed: false\n---\nQuota.\n"),
        ("new.md", "---\nthemes: [fisheries]\nreviewed: no\n---\nQuota.\n"),
    ],
)
def test_what_nobody_reviewed_is_left_out(seeds: Path, name: str, content: str) -> None:
    """`reviewed: false` keeps a seed out of training in every form."""
    before = len(read_corpus(seeds).seeds)
    write(seeds / name, content)
    corpus = read_corpus(seeds)
    assert (len(corpus.seeds), corpus.unreviewed) == (before, 1)


@pytest.mark.parametrize("stated", ["true", '"true"', '""', "null"])
def test_what_is_reviewed_is_taken(seeds: Path, stated: str) -> None:
    """Any other value of `reviewed` means that a person has looked at the themes."""
    write(seeds / "new.jsonl", f'{{"id": "new", "text": "Quota.", "themes": [], "reviewed": {stated}}}\n')
    assert seed(read_corpus(seeds), "new")


def test_guides_hidden_files_and_cards_are_no_seeds(seeds: Path) -> None:
    """What explains the seeds may stand beside them, in any folder."""
    for name in ("README.md", "GUIDELINE.md", "more/readme.md", ".hidden/a.txt", ".a.txt", "other.yaml"):
        write(seeds / name, "No seed.")
    assert [path.name for path in seed_files(seeds)] == ["tiny.jsonl"]
    assert read_corpus(seeds)


def test_a_page_is_read_without_its_furniture(seeds: Path) -> None:
    """A seed that is a page gives its clean text, with the title found in it."""
    page = (
        "Skip to main content\n\nHerring Quota Falls\n\n3 December 2019\n\nOffice of the Spokesperson\n\nMinisters met."
    )
    write(seeds / "page.txt", f"---\nthemes: [fisheries]\n---\n{page}")
    corpus = read_corpus(seeds)
    text = corpus.texts[corpus.seeds.index(seed(corpus, "page.txt"))]
    assert "Skip" not in text
    assert text.startswith("Herring Quota Falls\n\n")
    assert "Ministers met." in text


# ---- What is wrong


WRONG: dict[str, tuple[str, str | bytes, tuple[str, ...]]] = {
    "an unknown theme": (
        "new.jsonl",
        '{"text": "Some boats.", "themes": []}\n{"id": "x", "text": "Quota.", "themes": ["fishery"]}\n',
        ("new.jsonl, line 2:", "'x'", "unknown theme 'fishery'", "Did you mean 'fisheries'?", "add a card"),
    ),
    "no themes": ("new.jsonl", '{"text": "Quota."}\n', ("new.jsonl, line 1:", "no themes", "or [] for a document")),
    "themes that are no list": (
        "new.jsonl",
        '{"text": "a", "themes": 5}\n',
        ("line 1", "themes 5", "expected theme ids"),
    ),
    "themes that are no text": (
        "new.jsonl",
        '{"text": "a", "themes": [5]}\n',
        ("line 1", "themes [5]", "expected theme ids"),
    ),
    "no column of themes": ("new.csv", "text\nQuota.\n", ("new.csv, line 2:", "no themes", "expected theme ids")),
    "front matter without themes": (
        "new.md",
        "---\ntitle: A\n---\nQuota.\n",
        ("new.md:", "no themes", "expected theme ids"),
    ),
    "no front matter": ("sub/new.txt", "Quota.\n", ("sub/new.txt:", "no themes", "expected theme ids")),
    "front matter that is no YAML": ("new.md", "---\na: b: c\n---\nQuota.\n", ("new.md", "line 2", "quotes")),
    "an empty text": ("new.jsonl", '{"text": " ", "themes": []}\n', ("new.jsonl, line 1:", "empty")),
    "no text": ("new.csv", "title,themes\na,b\n", ("new.csv", "no column `text`")),
    "bytes that are no text": ("new.txt", b"---\nthemes: []\n---\nca\xff\n", ("new.txt", "not UTF-8 at byte 21")),
    "a binary file": ("new.docx", b"PK\x03\x04\x00\x00", ("new.docx", "NUL")),
    "an id twice": (
        "new.jsonl",
        '{"id": "rail", "text": "Trains.", "themes": []}\n{"id": "rail", "text": "Rails.", "themes": []}\n',
        ("new.jsonl, line 2:", "'rail' was used before at", "new.jsonl, line 1", "another id"),
    ),
    "an id of another file": (
        "new.csv",
        "id,text,themes\nfisheries-0,Quota.,none\n",
        ("tiny.jsonl, line 1:", "'fisheries-0' was used before at", "new.csv, line 2"),
    ),
    "damaged JSON": ("new.jsonl", '{"text": "a", "themes": []', ("new.jsonl, line 1:", "not valid JSON")),
    "a damaged table": ("new.csv", 'text,themes\n"Quota,\n', ("new.csv, line 2:", "quote")),
    "only furniture": (
        "new.txt",
        "---\nthemes: []\n---\nSkip to main content\n",
        ("new.txt:", "furniture", "Remove it"),
    ),
}
"""A mistake: the file it stands in, its content, and what must be said of it."""


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named_with_its_place_and_remedy(seeds: Path, mistake: str) -> None:
    """One mistake gives one sentence that names the file, the line where there is one, and what to do."""
    name, content, parts = WRONG[mistake]
    write(seeds / name, content)
    (problem,) = problems(seeds)
    assert [part for part in parts if part not in problem] == []


def test_all_mistakes_are_said_at_once(run: Run, seeds: Path) -> None:
    """The check lists every mistake, in the cards too, one a line, and fails; nothing is trained."""
    for number, (name, content, _) in enumerate(WRONG.values()):
        write(seeds / f"{number:02}" / name, content)
    cards = seeds / "themes.yaml"
    expected = len(problems(seeds))
    assert expected >= len(WRONG) - 1  # one mistake, the furniture, is met by another: two seeds of one text
    code, out, said = run("seeds", "check", "--seeds", seeds)
    assert (code, out, len(said.splitlines())) == (1, "", expected)
    cards.write_text(cards.read_text(encoding="utf-8") + "- id: trade\n", encoding="utf-8")
    code, _, said = run("train", "--seeds", seeds, "--models", seeds.parent / "models")
    assert code == 1
    assert "has no label" in said
    assert len(said.splitlines()) > expected
    assert not list((seeds.parent / "models").glob("v*"))


def test_a_theme_in_every_seed_is_refused(seeds: Path) -> None:
    """A theme that all seeds have is named, since nothing tells it apart."""
    lines = "".join(f'{{"text": "Herring {number}.", "themes": ["fisheries"]}}\n' for number in range(9))
    (seeds / "tiny.jsonl").write_text(lines, encoding="utf-8")
    (problem,) = problems(seeds)
    assert "'fisheries' stands in every seed" in problem
    assert "Add seeds without it" in problem


def test_no_seed_at_all_is_told(seeds: Path) -> None:
    """A folder of cards alone is refused with the way to add seeds."""
    (seeds / "tiny.jsonl").unlink()
    (problem,) = problems(seeds)
    assert "there is no seed here" in problem
    assert "tagger seeds add" in problem


def test_no_folder_at_all_is_told(tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    assert "missing/themes.yaml cannot be read" in problems(tmp_path / "missing")[0]


# ---- The same text twice


def twice(seeds: Path, *themes: list[str]) -> None:
    """Write seeds of one text with these themes; spaces do not make another text."""
    rows = [{"id": f"{n}", "text": HERRING.replace(" ", " " * (n + 1)), "themes": t} for n, t in enumerate(themes)]
    write(seeds / "twice.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))


def test_one_text_with_other_themes_is_refused(seeds: Path) -> None:
    """Two opinions on one text are a mistake: both places are named, and both ways out."""
    twice(seeds, ["fisheries"], ["vaccines"])
    (problem,) = problems(seeds)
    assert "twice.jsonl, line 2" in problem
    assert "twice.jsonl, line 1)" in problem
    assert "--merge union" in problem
    assert "--merge first" in problem


@pytest.mark.parametrize(
    ("merge", "expected"), [("union", {"fisheries", "vaccines", "railways"}), ("first", {"fisheries", "vaccines"})]
)
def test_opinions_are_merged_as_told(seeds: Path, merge: str, expected: set[str]) -> None:
    """With `union` the text is one seed of all their themes, with `first` it has those of the first."""
    before = len(read_corpus(seeds).seeds)
    twice(seeds, ["fisheries", "vaccines"], ["railways"], ["fisheries"])
    corpus = read_corpus(seeds, merge)  # type: ignore[arg-type]
    assert len(corpus.seeds) == before + 1
    assert set(seed(corpus, "0").themes) == expected


def test_one_text_with_the_same_themes_is_one_seed(seeds: Path) -> None:
    """A copy is no mistake and does not count twice, in whatever order its themes stand."""
    before = len(read_corpus(seeds).seeds)
    twice(seeds, ["fisheries", "vaccines"], ["vaccines", "fisheries"])
    assert len(read_corpus(seeds).seeds) == before + 1


def test_an_empty_cell_of_themes_is_a_mistake(seeds: Path) -> None:
    """A row whose cell of themes is empty may have been forgotten: it is told, and `none` is the way to say none."""
    write(seeds / "new.csv", "id,text,themes\nnew,Quota.,\n")
    (problem,) = problems(seeds)
    assert "new.csv, line 2: the seed 'new' has no themes" in problem
    assert "or none" in problem


def test_seeds_without_any_theme_are_refused(seeds: Path) -> None:
    """Where no seed has a theme there is nothing to learn, and the check says so."""
    write(seeds / "tiny.jsonl", '{"text": "Quota falls.", "themes": []}\n{"text": "Trains run.", "themes": []}\n')
    (problem,) = problems(seeds)
    assert "No seed has a theme" in problem
    write(seeds / "tiny.jsonl", '{"text": "Quota falls.", "themes": ["fishery"]}\n{"text": "Trains.", "themes": []}\n')
    (problem,) = problems(seeds)  # the only theme is misspelt: that is what is wrong
    assert "fishery" in problem
    assert "No seed has a theme" not in problem


def test_a_seed_without_a_word_is_refused(seeds: Path) -> None:
    """A text of marks alone has nothing to learn from; it is named with its place."""
    write(seeds / "new.jsonl", '{"text": "!!! ...", "themes": []}\n')
    (problem,) = problems(seeds)
    assert "new.jsonl, line 1" in problem
    assert "no word" in problem
