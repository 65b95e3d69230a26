"""HTML pages, one document each: what a reader sees, as text with Markdown headings and list marks.

A page is read as a run of tags, not as a tree. Text needs no more, and the time stays in proportion to the
page: the trees of hostile pages, and of careless ones, grow with the square of their length.

What a page itself calls navigation, an aside or its footer stays in the text, so that nothing is lost unseen,
but between the marks of `documents.APART`; cutting a page into releases takes it away.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from html import unescape
from typing import BinaryIO

from tagger.documents import APART, Document, Unreadable
from tagger.readers.streams import READ_FAILURES, OverLimit, decoded, page

_TAG = re.compile(
    r"""<(?:
        !--(?:-?>|.*?(?:--!?>|\Z))
      | (?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)
        (?P<attributes>(?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|))*+)(?:>|\Z)
      | [!?/][^>]*+(?:>|\Z)
    )""",
    re.DOTALL | re.VERBOSE,
)
_TITLE = re.compile(r"<title(?:\s[^>]{0,200})?>([^<]*+)", re.IGNORECASE)
_CONTENT = re.compile(r"""content\s*+=\s*+(?:"([^"]*)|'([^']*))""", re.IGNORECASE)

_CHARSET = re.compile(rb"""(?:<meta[^>]+charset|<\?xml[^>]+encoding)\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)
_CHARSET_WITHIN = 4096
_PAGE_CODECS = re.compile(r"cp\d+|iso8859-\d+|koi8-.|mac-.+|gb.+|big5.*|euc_.+|shift_jis.*|iso2022_.+|tis-620")
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# What a page calls Latin-1 or ASCII is Windows-1252: so browsers read it, and so it was typed.
_CODECS = {"iso8859-1": "cp1252", "ascii": "cp1252"}

_MAX_TABLES = 10
_NOTHING_APART = re.compile("|".join(rf"{begin}\s*{end}\s*" for begin, end in APART.values()))
_DROPPED = frozenset(["iframe", "noembed", "noframes", "noscript", "script", "style", "svg", "template", "title"])


def read(stream: BinaryIO, name: str, limit: int) -> Iterator[Document | Unreadable]:
    """Yield the one document of a page; its title tag is metadata, `html_title`."""
    try:
        html = _decoded(page(stream, limit))
        text, title = html_to_text(html), html_title(html)
        if text:
            yield Document(name, text, metadata={"html_title": title} if title else {}, raw_page=True, where=name)
        else:
            yield Unreadable(name, f"{name} holds no text; a document needs some.")
    except (OverLimit, ValueError) as error:
        yield Unreadable(name, f"{name} {error}.")
    except READ_FAILURES as error:
        yield Unreadable(name, f"{name} cannot be read ({error}).")


def html_to_text(html: str) -> str:
    r"""Return what a reader sees of a page: blocks apart by an empty line, headings and list items marked.

    >>> html_to_text("<h1>Ministers &amp; quotas</h1><ul><li>cod<li>hake</ul><script>x()</script>")
    '# Ministers & quotas\n\n- cod\n- hake'
    """
    flows, apart = _Flows(), _Apart()
    for content, tag in _pieces(html):
        flows.innermost.write(unescape(content) if "&" in content else content)
        mark = apart.mark(tag)
        if mark:
            flows.innermost.own_paragraph(mark)
        elif tag in _FLOW_TAGS:
            _FLOW_TAGS[tag](flows.innermost)
        elif tag in _TABLE_TAGS:
            _TABLE_TAGS[tag](flows)
    return _NOTHING_APART.sub("", flows.finished()).rstrip()


def html_title(html: str) -> str | None:
    """Return the content of a page's title tag, or else of its `og:title`."""
    found = _TITLE.search(html)
    title = found[1] if found and found[1].strip() else _og_title(html)
    return " ".join(unescape(title).split()) or None


def _og_title(html: str) -> str:
    for tag in _TAG.finditer(html):
        if tag["name"] and tag["name"].lower() == "meta" and "og:title" in tag["attributes"]:
            content = _CONTENT.search(tag["attributes"])
            return (content[1] or content[2] or "") if content else ""
    return ""


def _decoded(content: bytes) -> str:
    marked = next((codec for bom, codec in _BOMS.items() if content.startswith(bom)), None)
    codec = marked or _declared_codec(content)
    if codec == "utf-8":
        return decoded(content)
    try:
        return content.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not {codec}, which it says it is, at byte {error.start:,}; convert it to UTF-8") from None


def _declared_codec(content: bytes) -> str:
    """Return the codec a page names, or UTF-8 if that is none that pages are written in."""
    declared = _CHARSET.search(content, 0, _CHARSET_WITHIN)
    try:
        name = codecs.lookup(declared[1].decode("ascii", "replace")).name if declared else ""
    except LookupError:
        return "utf-8"
    codec = _CODECS.get(name, name)
    return codec if _PAGE_CODECS.fullmatch(codec) else "utf-8"


def _pieces(html: str) -> Iterator[tuple[str, str]]:
    """Yield each tag, as `p` or `/p`, with the text before it, and the text after the last."""
    position = 0
    never_closed: set[str] = set()
    while tag := _TAG.search(html, position):
        name = (tag["name"] or "").lower()
        yield html[position : tag.start()], f"{tag['end'] or ''}{name}"
        position = tag.end()
        opens = not tag["end"] and not (tag["attributes"] or "").endswith("/")
        if opens and name in _DROPPED and name not in never_closed:
            close = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(html, position)
            if close:
                position = close.start()
            else:
                # Without this the rest of the page would be lost, and searched again for each such tag.
                never_closed.add(name)
    yield html[position:], ""


class _Apart:
    """Where the page's navigation, asides and footer begin and end; one within another is part of it.

    The footer of an article or a quotation says who wrote it, and is none of the page.
    """

    def __init__(self) -> None:
        self._outermost = ""
        self._depth = 0
        self._articles = 0

    def mark(self, tag: str) -> str | None:
        """Return the mark to set where a tag begins or ends such a part."""
        name = tag.removeprefix("/")
        step = -1 if tag.startswith("/") else 1
        if name in ("article", "blockquote"):
            self._articles = max(0, self._articles + step)
        if name not in APART or (name != self._outermost if self._depth else step < 0):
            return None
        if not self._depth and name == "footer" and self._articles:
            return None
        self._outermost, self._depth = name, self._depth + step
        if step > 0 and self._depth == 1:
            return APART[name][0]
        return None if self._depth else APART[name][1]


class _Flow:
    """Running text in the making: breaks and marks wait until words follow them."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._breaks = 0
        self._space = False
        self._mark = ""
        self._in_heading = False
        self._lists = 0
        self._pres = 0

    def finished(self) -> str:
        return "".join(self._pieces).strip()

    def write(self, text: str) -> None:
        if self._pres and not self._in_heading:
            lines = text.replace("\r\n", "\n")
            self.add(lines.lstrip("\n") if self._breaks else lines)
        elif words := " ".join(text.split()):
            self._space = self._space or text[0].isspace()
            self.add(words)
            self._space = text[-1].isspace()
        else:
            self._space = self._space or bool(text)

    def add(self, text: str) -> None:
        """Add text as it is."""
        if text:
            self._pieces += ("\n" * self._breaks or " " * self._space, self._mark, text)
            self._breaks, self._space, self._mark = 0, False, ""

    def own_paragraph(self, text: str) -> None:
        """Add text as a paragraph."""
        self._breaks, self._mark, self._in_heading = 2, "", False
        self.add(text)
        self.block()

    def block(self) -> None:
        if not self._mark:
            self._in_heading = False
            self._breaks = 2

    def line(self) -> None:
        self._break(1)

    def line_break(self) -> None:
        # Two in a row are how older pages part their paragraphs.
        self._break(self._breaks + 1)

    def _break(self, breaks: int) -> None:
        if self._in_heading:
            self._space = True
        else:
            self._breaks = min(2, max(breaks, self._breaks))

    def heading(self, mark: str) -> None:
        self._breaks, self._mark, self._in_heading = 2, mark, True

    def end_heading(self) -> None:
        if self._in_heading:
            self._mark, self._in_heading = "", False
        self._breaks = 2

    def list_(self) -> None:
        self._part_list()
        self._lists += 1

    def end_list(self) -> None:
        self._mark = ""
        self._lists = max(0, self._lists - 1)
        self._part_list()

    def _part_list(self) -> None:
        (self.line if self._lists else self.block)()

    def item(self) -> None:
        if self._in_heading:
            self.end_heading()
        self.line()
        self._mark = "- "

    def end_item(self) -> None:
        self._mark = ""
        self.line()

    def preformatted(self) -> None:
        self.block()
        self._pres += 1

    def end_preformatted(self) -> None:
        self._pres = max(0, self._pres - 1)
        if self._pieces:
            self._pieces[-1] = self._pieces[-1].rstrip()
        self.block()


class _Flows:
    """The page's text and, within it, those of the table cells that are open.

    A row of plain cells becomes a line with tabs; one with paragraphs, lists or headings in a cell is there for
    the layout, and its cells become blocks. Tables in tables beyond `_MAX_TABLES` count as layout at once,
    since each level copies its text.
    """

    def __init__(self) -> None:
        self._page = self.innermost = _Flow()
        self._tables: list[_Table] = []
        self._deeper = 0

    def finished(self) -> str:
        self._deeper = 0
        while self._tables:
            self.end_table()
        return self._page.finished()

    def table(self) -> None:
        self.innermost.block()
        if len(self._tables) < _MAX_TABLES:
            self._tables.append(_Table(self.innermost))
        else:
            self._deeper += 1

    def end_table(self) -> None:
        if self._deeper:
            self._deeper -= 1
        elif self._tables:
            self.row()
            self.innermost = self._tables.pop().around
        self.innermost.block()

    def row(self) -> None:
        if self._deeper or not self._tables:
            self.innermost.block()
        else:
            self.end_cell()
            self._tables[-1].end_row()

    def cell(self) -> None:
        if self._deeper or not self._tables:
            self.innermost.block()
        else:
            self.end_cell()
            self._tables[-1].cells.append(_Flow())
            self.innermost = self._tables[-1].cells[-1]

    def end_cell(self) -> None:
        if not self._deeper and self._tables:
            self.innermost = self._tables[-1].around


class _Table:
    """An open table: the flow it stands in, and the cells of the present row."""

    def __init__(self, around: _Flow) -> None:
        self.around = around
        self.cells: list[_Flow] = []

    def end_row(self) -> None:
        texts = [cell.finished() for cell in self.cells]
        self.cells = []
        if any("\n\n" in text or text.startswith(("#", "- ")) for text in texts):
            for text in texts:
                self.around.block()
                self.around.add(text)
            self.around.block()
        elif any(texts):
            self.around.line()
            self.around.add("\t".join(" ".join(text.split()) for text in texts).rstrip())
            self.around.line()


# fmt: off
_BLOCKS = (
    "address", "article", "aside", "blockquote", "body", "caption", "center", "details", "dialog", "div", "dl",
    "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "legend", "main", "nav", "p",
    "search", "section", "summary",
)
# fmt: on
_LINES = ("dd", "dt", "option")
_LISTS = ("dir", "menu", "ol", "ul")
_CELLS = ("td", "th")

_FLOW_TAGS: Mapping[str, Callable[[_Flow], None]] = {
    **dict.fromkeys([tag for name in _BLOCKS for tag in (name, f"/{name}")], _Flow.block),
    **dict.fromkeys([tag for name in _LINES for tag in (name, f"/{name}")], _Flow.line),
    **dict.fromkeys(_LISTS, _Flow.list_),
    **dict.fromkeys([f"/{name}" for name in _LISTS], _Flow.end_list),
    **{f"h{level}": partial(_Flow.heading, mark="#" * level + " ") for level in range(1, 7)},
    **{f"/h{level}": _Flow.end_heading for level in range(1, 7)},
    "br": _Flow.line_break,
    "li": _Flow.item,
    "/li": _Flow.end_item,
    "pre": _Flow.preformatted,
    "/pre": _Flow.end_preformatted,
}
_TABLE_TAGS: Mapping[str, Callable[[_Flows], None]] = {
    "table": _Flows.table,
    "/table": _Flows.end_table,
    **dict.fromkeys(["tr", "/tr"], _Flows.row),
    **dict.fromkeys(_CELLS, _Flows.cell),
    **dict.fromkeys([f"/{name}" for name in _CELLS], _Flows.end_cell),
}
