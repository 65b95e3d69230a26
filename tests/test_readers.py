"""The readers: what each format gives, and that nothing in a file is lost without a word."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagger.documents import Document, Unreadable
from tagger.errors import InputError
from tagger.readers import READERS, documents, html_to_text, read_path, read_stdin
from tagger.readers.html import html_title

LIMIT = 10_000


def parquet(**columns: list[object]) -> bytes:
    """Return a table as Parquet."""
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, row_group_size=2)
    return stream.getvalue()


SAMPLES = {
    ".jsonl": b'{"id": 7, "title": "Quotas", "text": "Ministers met.", "office": "Fisheries"}\n',
    ".csv": b'id,title,text,office\n7,Quotas,"Ministers met.",Fisheries\n',
    ".tsv": b"id\ttitle\ttext\toffice\n7\tQuotas\tMinisters met.\tFisheries\n",
    ".md": b"---\nid: 7\ntitle: Quotas\noffice: Fisheries\n---\nMinisters met.",
    ".parquet": parquet(id=["7"], title=["Quotas"], text=["Ministers met."], office=["Fisheries"]),
    ".html": b"<title>Quotas</title><p>Ministers met.</p>",
}
"""One document in each way of writing it."""

WAYS = {
    ".ndjson": ".jsonl",
    ".jsonl.gz": ".jsonl",
    ".ndjson.gz": ".jsonl",
    ".csv.gz": ".csv",
    ".txt": ".md",
    ".markdown": ".md",
    ".htm": ".html",
}
"""Which sample a further file name is for."""


def sample(suffix: str) -> bytes:
    """Return a file of this kind."""
    content = SAMPLES[WAYS.get(suffix, suffix)]
    return gzip.compress(content) if suffix.endswith(".gz") else content


def read(suffix: str, content: bytes | str, limit: int = LIMIT) -> list[Document | Unreadable]:
    """Return all that a format's reader yields for a file named after it."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return list(READERS[suffix](stream, f"june{suffix}", limit))


def only_problem(items: list[Document | Unreadable]) -> str:
    """Return the message of the one thing read, which is unreadable."""
    (item,) = items
    assert isinstance(item, Unreadable)
    return item.message


def texts(items: list[Document | Unreadable]) -> list[str]:
    """Return the texts of documents, and `!` in the place of what is unreadable."""
    return [item.text if isinstance(item, Document) else "!" for item in items]


# ---- Every format


def test_there_is_a_sample_of_every_format() -> None:
    """A new reader needs a sample here."""
    assert set(SAMPLES) | set(WAYS) == set(READERS)


@pytest.mark.parametrize("suffix", READERS)
def test_a_sample_gives_its_document(suffix: str) -> None:
    """Each format gives the text, and the id, title and metadata where it can hold them."""
    (document,) = read(suffix, sample(suffix))

    assert isinstance(document, Document)
    assert document.text == "Ministers met."
    if suffix.startswith(".htm"):
        assert (document.id, document.title, document.metadata) == (f"june{suffix}", None, {"html_title": "Quotas"})
    else:
        assert (document.id, document.title, document.metadata) == ("7", "Quotas", {"office": "Fisheries"})
    assert document.raw_page is (WAYS.get(suffix, suffix) in (".md", ".html"))


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_over_the_limit_is_reported_with_limit_and_remedy(suffix: str) -> None:
    """What is longer than the limit is not read, and the message says what to do."""
    content = sample(suffix).replace(b"met", b"met" * 100) if not suffix.endswith(".gz") else sample(suffix)
    content = parquet(text=["met" * 100]) if suffix == ".parquet" else content
    message = only_problem(read(suffix, content, limit=30))

    assert "over the limit of 30" in message
    assert "split it" in message


@pytest.mark.parametrize("suffix", READERS)
@given(content=st.binary(max_size=300))
@settings(max_examples=60)
def test_any_bytes_are_read_or_reported(suffix: str, content: bytes) -> None:
    """No content of a file of any kind raises, alone or in the middle of a good file, and what comes out is JSON."""
    middle = len(sample(suffix)) // 2
    for file in (content, sample(suffix)[:middle] + content + sample(suffix)[middle:], sample(suffix)[:-1] + content):
        for item in read(suffix, file, limit=250):
            if isinstance(item, Document):
                json.dumps([item.id, item.title, item.text, dict(item.metadata)], allow_nan=False).encode()
                item.text.encode()
            else:
                assert item.message.startswith("june")
                item.message.encode()


@pytest.mark.parametrize("suffix", READERS)
def test_the_stream_is_left_open(suffix: str) -> None:
    """A reader does not close what it did not open."""
    stream = io.BytesIO(sample(suffix))
    list(READERS[suffix](stream, "june", LIMIT))
    assert not stream.closed


# ---- JSON lines

PLAIN = st.text(st.characters(exclude_categories=["Cs"]))
METADATA = st.dictionaries(
    PLAIN.filter(lambda key: key not in ("id", "title", "text")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN,
        lambda values: st.lists(values, max_size=3) | st.dictionaries(PLAIN, values, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


@given(st.lists(st.tuples(PLAIN.filter(bool), st.none() | PLAIN, PLAIN.filter(str.strip), METADATA), max_size=4))
@settings(max_examples=60)
def test_json_lines_come_back_as_written(records: list[tuple[str, str | None, str, dict]]) -> None:
    """Id, title, text and metadata of every record are read as they were written, in order."""
    rows = [{"id": key, "title": title, "text": text, **more} for key, title, text, more in records]
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)

    found = read(".jsonl", content, limit=1_000_000)

    assert [(item.id, item.title, item.text, item.metadata) for item in found] == records


BAD_LINES = {
    "not valid JSON": b'{"text": "a"',
    "invalid character": b'{"text": NaN}',
    "malformed": b'{"text": "a", "x": -Infinity}',
    "half a surrogate pair": b'{"text": "\\ud800"}',
    "not UTF-8": b'{"text": "caf\xe9"}',
    "nested too deep": b'{"text": ' + b"[" * 100_000,
    "no JSON object but a list": b'["text"]',
    "`text` is missing": b'{"id": "a", "body": "b"}',
    "`text` is 5": b'{"text": 5}',
    "`text` is empty": b'{"text": " \\n"}',
    "`title` is ['T']": b'{"text": "a", "title": ["T"]}',
    "`id` is True": b'{"text": "a", "id": true}',
    "over the limit": b'{"text": "' + b"a" * 500_000 + b'"}',
}


@pytest.mark.parametrize(("words", "line"), BAD_LINES.items())
def test_a_bad_line_is_reported_and_the_next_one_read(words: str, line: bytes) -> None:
    """A line that is no document is told with its number; those around it are read."""
    found = read(".jsonl", b'{"text": "one"}\n\n' + line + b'\r\n{"text": "two"}', limit=400_000)

    assert texts(found) == ["one", "!", "two"]
    assert words in found[1].message
    assert "june.jsonl, line 3:" in found[1].message


def test_a_record_without_id_is_named_by_its_line() -> None:
    """The line number stands in for an id, blank lines counted, and a byte order mark is no part of the first."""
    found = read(".jsonl", b'\xef\xbb\xbf{"text": "one"}\n  \n{"id": "", "text": "two"}')
    assert [item.id for item in found] == ["june.jsonl:1", "june.jsonl:3"]


def test_an_over_long_line_is_told_with_its_size() -> None:
    """The size is that of the whole line, though it is never held."""
    assert "has 300,011 bytes" in only_problem(read(".jsonl", b'{"text":"' + b"a" * 300_000 + b'"}\n'))


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".csv.gz"])
def test_a_truncated_gzip_file_gives_its_whole_records_and_a_report(suffix: str) -> None:
    """What was compressed before the cut is read, and the cut is told."""
    rows = {
        ".jsonl.gz": b"".join(b'{"text": "%064d"}\n' % n for n in range(9000)),
        ".csv.gz": b"text\n" + b"".join(b"%064d\n" % n for n in range(9000)),
    }
    *good, bad = read(suffix, gzip.compress(rows[suffix])[:-30])

    assert len(good) > 100
    assert texts(good) == [f"{n:064d}" for n in range(len(good))]
    assert isinstance(bad, Unreadable)
    assert "cannot be read from here on" in bad.message


# ---- Tables


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ("cells, the header has 3", "2,b"),
        ("cells, the header has 3", "2,b,c,d"),
        ("NUL", "2,b,c\0d"),
        ("not UTF-8", "2,b,caf\udce9"),
        ("`text` is empty", "2,b, "),
        ("no valid CSV", '2,b,"c" d'),
        ("no valid CSV", '2,b,"open'),
        ("no valid CSV", '2,"open,c'),
        ("over the limit", f"2,b,{'c' * 20_000}"),
        ("over the limit", f'2,b,"{"c" * 20_000}"'),
    ],
)
def test_a_bad_row_is_reported_and_the_next_ones_read(words: str, row: str) -> None:
    """A row that is no document is told with its line; those around it are read, even after an open quote."""
    content = f'id,title,text\n1,a,"one\nmore"\n{row}\n3,,three\n4,d,"four, ""4"""\n'
    found = read(".csv", content.encode("utf-8", "surrogateescape"))

    assert texts(found) == ["one\nmore", "!", "three", 'four, "4"']
    assert found[1].message.startswith("june.csv, line 4: ")
    assert words in found[1].message


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ("columns found are 'id', 'body'", b"id,body\n1,a\n"),
        ("columns found are 'id;text'", b"id;text\n1;a\n"),
        ("columns found are none", b""),
        ("two columns have the name 'text'", b"text,text\na,b\n"),
        ("the header is not UTF-8", "café,text\n1,a\n".encode("cp1252")),
        ("the header has a NUL", "id,text\n1,a\n".encode("utf-16-be")),
        ("no valid CSV", b'id,"text\n1,a\n'),
        ("over the limit", b"text," * 5000),
    ],
)
def test_a_table_without_a_text_column_is_one_report(words: str, content: bytes) -> None:
    """A header that is none of ours is told once, with what was found."""
    assert words in only_problem(read(".csv", content))


def test_cells_are_text_and_rows_without_any_are_passed_over() -> None:
    """Metadata stays as written, a column without a name gets one, an empty id is the line, an empty title none."""
    (document,) = read(".csv", b"\xef\xbb\xbfid, text ,title,n,\r\n,,,,\r\n\r\n,a,,05,x\r\n")

    assert document.id == "june.csv:4"
    assert document.title is None
    assert document.metadata == {"n": "05", "column 5": "x"}


def test_a_table_with_old_macintosh_line_ends_is_read() -> None:
    """A carriage return alone ends a row too."""
    assert texts(read(".csv", b"text\rone\rtwo")) == ["one", "two"]


def test_a_long_cell_is_read_whole() -> None:
    """The csv module's own limit of 131,072 characters does not cut a document off."""
    assert texts(read(".csv", "text\n" + "a" * 200_000, limit=1_000_000)) == ["a" * 200_000]


def test_a_file_of_open_quotes_is_reported_without_reading_it_over_and_over() -> None:
    """When every line swallows the rest, what is left of the file is told in one report in the end."""
    found = read(".csv", 'text,b\n"' + 'a","b\n' * 5000, limit=40_000)
    assert 2 < len(found) < 10


# ---- Parquet


def test_rows_are_documents_with_values_that_json_can_hold() -> None:
    """A row gives its fields but for nulls; dates, decimals and what is no number become what JSON can hold."""
    day, nothing = datetime.date(2021, 5, 22), float("nan")
    found = read(
        ".parquet",
        parquet(id=[1, None, 3], text=["One.", "Two.", None], day=[day, None, None], share=[0.5, nothing, None]),
    )
    assert [(item.id, item.metadata) for item in found if isinstance(item, Document)] == [
        ("1", {"day": "2021-05-22", "share": 0.5}),
        ("june.parquet:2", {}),
    ]
    assert found[2] == Unreadable("3", "june.parquet, line 3: `text` is missing; a document needs it.")


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ("no column `text`; the columns found are 'body'", parquet(body=["One."])),
        ("cannot be read as Parquet", b"PAR1"),
        ("cannot be read as Parquet", b""),
    ],
)
def test_a_file_that_is_no_table_of_documents_is_one_report(words: str, content: bytes) -> None:
    """Without a column `text`, or without a table, there is one report for the file."""
    assert words in only_problem(read(".parquet", content))


def test_a_damaged_row_group_costs_its_rows_only() -> None:
    """Rows that cannot be read are reported one by one, and the next row group is read."""
    content = parquet(text=["a" * 40, "b" * 40, "c" * 40])
    at = content.index(b"a" * 20) - 30
    found = read(".parquet", content[:at] + b"\xff" * 60 + content[at + 60 :])
    assert texts(found) == ["!", "!", "c" * 40]


def test_parquet_without_its_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is not installed, nothing is read and the message names the extra: the file is not to blame."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match="scripts/setup parquet"):
        read(".parquet", SAMPLES[".parquet"])


# ---- Pages


def test_a_page_without_front_matter_is_the_file_itself() -> None:
    """Line ends and spaces stay, so that offsets into the text are offsets into the file."""
    (document,) = read(".txt", b"\xef\xbb\xbf One \r\n\r\nTwo\r\n---\r\n\n")
    assert document.text == " One \r\n\r\nTwo\r\n---\r\n\n"


def test_front_matter_is_metadata_that_json_can_hold() -> None:
    """Values keep their kind where JSON has it; dates are ISO text, and what JSON cannot say stays as written."""
    front = """\
themes: [trade, sanctions]
date: 2017-11-09
at: 10:30
reviewed: false
none:
count: 3
share: 1.5
big: 123456789012345678901234567890
nan: .nan
bad: 2017-13-45
deep: {a: [1, {b: yes}]}
"""
    (document,) = read(".md", f"---\r\n{front}--- \r\n\r\nText.\r\n")

    assert document.text == "\r\nText.\r\n"
    assert document.id == "june.md"
    assert document.metadata == {
        "themes": ["trade", "sanctions"],
        "date": "2017-11-09",
        "at": "10:30",
        "reviewed": False,
        "none": None,
        "count": 3,
        "share": 1.5,
        "big": "123456789012345678901234567890",
        "nan": ".nan",
        "bad": "2017-13-45",
        "deep": {"a": [1, {"b": True}]},
    }


def test_front_matter_may_be_empty_and_a_rule_is_none() -> None:
    """Two `---` lines with nothing between are front matter; one `---` line at the top is text."""
    assert texts(read(".md", "---\n---\nText")) == ["Text"]
    assert texts(read(".md", "---\nText")) == ["---\nText"]


@pytest.mark.parametrize(
    ("words", "content"),
    [
        ("not YAML, at line 3", b"---\nid: a\ntitle: b: c\n---\nText"),
        ("from line 2, that is no list of", b"---\nWords\n---\nText"),
        ("an alias, *x", b"---\na: &x [1]\nb: *x\n---\nText"),
        ("levels deep", b"---\na: " + b"[" * 100_000 + b"\n---\nText"),
        ("whose 'title'", b"---\ntitle: [a]\n---\nText"),
        ("NUL byte at byte 2", b"ab\0c"),
        ("not UTF-8 at byte 3", b"caf\xe9"),
        ("holds no text", b" \n"),
        ("holds no text", b"---\nid: a\n---\n"),
        ("has 2,000,000 bytes", b"a" * 2_000_000),
    ],
)
def test_a_page_that_cannot_be_read_is_reported(words: str, content: bytes) -> None:
    """A page with wrong bytes, wrong front matter or nothing in it is told with the place."""
    assert words in only_problem(read(".md", content, limit=1_000_000))


# ---- HTML


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One\n  <b>big</b>word.</p><div>Two<br>three</div>", "One bigword.\n\nTwo\nthree"),
        ("a<br><br>b<br/><br/><br/>c", "a\n\nb\n\nc"),
        ("<h1>Fish &amp;\n chips</h1><h3> <br></h3>text<h2>A<br>B</h2>", "# Fish & chips\n\ntext\n\n## A B"),
        ("<h2><div>In a box</div></h2>x<h2>Left open<p>para", "## In a box\n\nx\n\n## Left open\n\npara"),
        ("<ul><li>a<li><p>b</p></ul>after", "- a\n- b\n\nafter"),
        ("<ol><li>a<ul><li>b</li></ul></li><li></li><li>c</li></ol>", "- a\n- b\n- c"),
        ("<table><tr><td>a<td><p>b</p><tr><td><td>d</table>", "a\tb\n\td"),
        ("<table><tr><td>menu</td><td><h1>T</h1><p>x<p>y</td></tr></table>z", "menu\n\n# T\n\nx\n\ny\n\nz"),
        ("<table><tr><td><table><tr><td>in<td>side</table></table>", "in side"),
        ("x<pre>\n one\n  two <i>2</i>\n</pre>y", "x\n\n one\n  two 2\n\ny"),
        ("<head><title>T</title><style>s</style></head><script>'<p>'</script>a<noscript>n</noscript>", "a"),
        ("a<svg><title>t</title><text>t</text></svg>b<svg/>c<template><p>t</p></template>d", "abcd"),
        ("a<svg>b<p>c", "ab\n\nc"),
        ("a<!-- <p>x</p> -->b<!---->c<!doctype html><?xml?>d", "abcd"),
        ("<p title='a > b' x=it's>5 < 6&nbsp;&lt;p&gt; &#8212; &unknown;</p>", "5 < 6 <p> — &unknown;"),
        ("</p></table></td>a</ul></h2>b<td>c</td>", "a\n\nb\n\nc"),
        ("text <unfinished tag", "text"),
    ],
)
def test_html_is_text_as_a_reader_sees_it(html: str, text: str) -> None:
    """Blocks, breaks, headings, lists and tables come out as text, and what is not seen stays out."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<nav>Home</nav><main>M</main>", "\ue000\n\nHome\n\n\ue001\n\nM"),
        ("M<aside><nav>See</nav> also</aside>", "M\n\n\ue002\n\nSee\n\nalso\n\n\ue003"),
        ("M<footer>A<footer>B</footer>C</footer>", "M\n\n\ue004\n\nA\n\nB\n\nC\n\n\ue005"),
        ("<ul><li><nav>a</nav><li>b</ul>", "\ue000\n\na\n\n\ue001\n\n- b"),
        ("<h2>T<nav>Home</nav>y", "## T\n\n\ue000\n\nHome\n\n\ue001\n\ny"),
        ("M<nav> <aside></aside></nav>x", "M\n\nx"),
        ("<article>M<footer>By Ada</footer></article>", "M\n\nBy Ada"),
        ("<blockquote>Q<footer>Ada</footer></blockquote><footer>F", "Q\n\nAda\n\n\ue004\n\nF"),
        ("</nav></footer>a", "a"),
    ],
)
def test_what_a_page_calls_furniture_is_kept_between_marks(html: str, text: str) -> None:
    """Navigation, asides and the page's footer stand between lines that say so, outermost only, and never empty."""
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>\n Fish &amp; chips </title>", "Fish & chips"),
        ("<TITLE lang=en>Fish</TITLE>", "Fish"),
        ("<title></title><meta property='og:title' content=\"Fish's\">", "Fish's"),
        ("<meta content='Fish' property=og:title>", "Fish"),
        ("<meta property='og:title'><p>title", None),
    ],
)
def test_the_title_of_a_page_is_its_title_tag_or_that_for_sharing(html: str, title: str | None) -> None:
    """The title tag comes first; entities and spaces are resolved."""
    assert html_title(html) == title


@pytest.mark.parametrize(
    "content",
    [
        "<p>café €".encode(),
        "\ufeff<p>café €".encode(),
        "\ufeff<meta charset=iso-8859-1><p>café €".encode(),
        "<p>café €".encode("utf-16"),
        b'<meta charset="windows-1252"><p>' + "café €".encode("cp1252"),
        b"<META http-equiv=x content='text/html; charset=ISO-8859-1'><p>" + "café €".encode("cp1252"),
        b"<meta charset=no-such><p>" + "café €".encode(),
        b"<meta charset=punycode><p>" + "café €".encode(),
    ],
)
def test_a_page_is_decoded_as_it_says(content: bytes) -> None:
    """A byte order mark comes before what the page declares, and UTF-8 is taken where neither helps."""
    assert texts(read(".html", content)) == ["café €"]


def test_a_page_in_another_encoding_than_it_says_is_reported() -> None:
    """A byte that the declared encoding does not have is told with its place."""
    assert "not UTF-8 at byte 6" in only_problem(read(".html", b"<p>caf\xe9"))
    assert "is not euc_jp" in only_problem(read(".html", b"<meta charset=euc-jp>\xff\xff"))


@pytest.mark.parametrize("opening", ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<h1>", "<pre>", "<svg>", "<nav>"])
def test_deep_nesting_is_only_text(opening: str) -> None:
    """A page nested a hundred thousand levels deep is read like any other."""
    assert "deep" in html_to_text(opening * 100_000 + "deep")


TAGS = ["p", "td", "tr", "table", "h1", "li", "ul", "br", "pre", "svg", "script", "nav", "aside", "footer", "article"]
MARKUP = st.lists(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS])
    | st.sampled_from(["word", " ", "\n", "<", "<!--", ">", "&amp;", "'", '"', "<a b='"]),
    max_size=30,
).map("".join)


@given(MARKUP)
@example("<table><tr><td><table><td>a<h1>")
def test_any_markup_gives_clean_text(html: str) -> None:
    """Text from any order of tags has no empty lines in a row outside preformatted text, and none at its ends."""
    text = html_to_text(html)
    assert text == text.strip()
    assert "<pre>" in html or "\n\n\n" not in text


@given(st.lists(st.text("abc", min_size=1), min_size=1, max_size=8))
def test_every_word_of_a_page_is_kept(words: list[str]) -> None:
    """Words in paragraphs, cells, items and headings all come out, in their order."""
    tags = ["p", "td", "li", "h2", "b", "div", "tr", "table"]
    html = "".join(f"<{tags[n % 8]}>{word} " for n, word in enumerate(words))
    assert [word for word in html_to_text(html).split() if word not in ("-", "##")] == words


# ---- Files and folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with pages, records, a sub-folder, a hidden file and a file of another kind."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "deep.md").write_text("Deep.")
    (tmp_path / "b.txt").write_text("B.")
    (tmp_path / "a.JSONL").write_text('{"text": "A."}')
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.txt").write_text("Hidden.")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.txt").write_text("Hidden.")
    return tmp_path


def test_a_folder_is_read_in_the_order_of_its_paths(folder: Path) -> None:
    """Ids are paths in the folder; a file of another kind is reported, a hidden one passed over."""
    found = list(read_path(folder))

    assert [item.id for item in found] == ["a.JSONL:1", "b.txt", "b/c/deep.md", "photo.png"]
    assert texts(found) == ["A.", "B.", "Deep.", "!"]
    assert "no reader for .png; known are .jsonl" in found[-1].message


def test_links_in_a_folder_do_not_run_in_circles(folder: Path) -> None:
    """A link to a folder above is passed over, and one to nothing is reported."""
    (folder / "b" / "loop").symlink_to(folder)
    (folder / "b" / "self.txt").symlink_to(folder / "b" / "self.txt")

    found = list(read_path(folder))

    assert [item.id for item in found] == ["a.JSONL:1", "b.txt", "b/c/deep.md", "b/self.txt", "photo.png"]
    assert texts(found)[3] == "!"


def test_a_pipe_in_a_folder_is_not_waited_for(folder: Path) -> None:
    """What is no file is reported and not opened."""
    os.mkfifo(folder / "pipe.txt")
    assert texts(list(read_path(folder)))[-1] == "!"


def test_a_file_name_that_is_no_text_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    """An id can always be written out, whatever bytes a name is made of."""
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("A.")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    (document,) = read_path(tmp_path)
    assert document.id == "caf\ufffd.txt"


@pytest.mark.parametrize("name", ["absent.txt", "a" * 5000, "nul\0"])
def test_a_missing_input_is_an_error_at_once(folder: Path, name: str) -> None:
    """An input that is not there is refused before anything is read."""
    with pytest.raises(InputError, match="There is no file or folder"):
        documents([folder, folder / name])


def test_a_folder_without_a_document_is_an_error_at_once(tmp_path: Path) -> None:
    """A folder that holds nothing, or only hidden files, is refused."""
    (tmp_path / ".hidden.txt").write_text("Hidden.")
    with pytest.raises(InputError, match="holds no document"):
        read_path(tmp_path)


def test_a_single_file_of_another_kind_is_read_if_it_is_text(tmp_path: Path) -> None:
    """A file that a person names is read as JSON lines or text, whatever its ending; what is neither is reported."""
    (tmp_path / "release").write_text("A release.")
    (tmp_path / "records.log").write_text('\n{"text": "One."}\n{"text": "Two."}')
    (tmp_path / "paper.pdf").write_bytes(b"%PDF\0")

    found = list(documents([tmp_path / "release", tmp_path / "records.log", tmp_path / "paper.pdf"]))

    assert texts(found) == ["A release.", "One.", "Two.", "!"]
    assert "No reader for .pdf" in found[-1].message


def test_a_name_may_be_given_to_a_file(folder: Path) -> None:
    """Ids and messages use the name a caller knows the file by."""
    (item,) = read_path(folder / "a.JSONL", name="seeds/a.JSONL")
    assert (item.id, item.where) == ("seeds/a.JSONL:1", "seeds/a.JSONL, line 1")


# ---- The standard input


class Pipe(io.BytesIO):
    """A stream that cannot go back."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'\xef\xbb\xbf\n \n{"text": "One."}\nnonsense\n{"text": "Two."}', ["One.", "!", "Two."]),
        (b'{"title": "T"}\n{"text": "Two."}', ["!", "Two."]),
        (b"One.\r\n\r\nTwo.", ["One.\r\n\r\nTwo."]),
        (b"\n\n{not JSON}\nTwo.", ["\n\n{not JSON}\nTwo."]),
        (b"", ["!"]),
        (b"\xff", ["!"]),
        (b'{"text": "' + b"a" * 900 + b'"}\n{"text": "Two."}', ["!", "Two."]),
        (b"a" * 900, ["!"]),
    ],
)
def test_the_standard_input_is_records_or_one_page(content: bytes, expected: list[str]) -> None:
    """JSON lines if the first line is an object, else the whole as one text."""
    assert texts(list(read_stdin(Pipe(content), limit=500))) == expected


def test_a_page_from_the_standard_input_is_named_so() -> None:
    """The one text has the id `stdin` and may hold several releases."""
    (document,) = read_stdin(io.BytesIO(b"One."))
    assert (document.id, document.raw_page) == ("stdin", True)


def test_a_dash_among_the_inputs_is_the_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs are read one after the other, in the order given."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"From a pipe.")))
    assert texts(list(documents(["-", folder / "b.txt"]))) == ["From a pipe.", "B."]


class Failing(io.RawIOBase):
    """A stream that fails after its first bytes."""

    def __init__(self, content: bytes) -> None:
        self.contents: Iterator[bytes] = iter([content])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        content = next(self.contents, None)
        if content is None:
            raise OSError("the disk is gone")
        buffer[: len(content)] = content
        return len(content)


@pytest.mark.parametrize("suffix", [suffix for suffix in READERS if not suffix.endswith((".gz", ".parquet"))])
def test_a_stream_that_fails_is_reported(suffix: str) -> None:
    """What fails below us is told like a bad record, after the records before it."""
    content = SAMPLES[WAYS.get(suffix, suffix)]
    *_, last = READERS[suffix](io.BufferedReader(Failing(content)), "june", LIMIT)

    assert isinstance(last, Unreadable)
    assert "the disk is gone" in last.message
