"""Pages are cut into their releases: starts, titles, dates, offices and clean text."""

from __future__ import annotations

import datetime
import gzip
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagger.documents import Release
from tagger.readers import html_to_text
from tagger.releases import NOTHING_LEARNED, Boilerplate, Cut, clean, cut, learn
from tagger.releases.dates import find_date

SHARED = Path(__file__).resolve().parents[2] / "shared"
SEEDS = SHARED / "seeds"
STATE = SHARED / "data" / "state_releases_unlabelled.jsonl.gz"
needs_seeds = pytest.mark.skipif(not SEEDS.exists(), reason="the owner's seed pages are not here")
needs_state = pytest.mark.skipif(not STATE.exists(), reason="the unlabelled State Department releases are not here")

HARBOUR = "The two ministers agreed today that the ferry between Port Alder and Kessing will run again from the spring."
GRANT = "A grant of four million will pay for new quays, and for training sixty pilots over the next three years."
THANKS = "Both governments thanked the harbour masters for keeping the lights burning during the long closure."

GOV_UK = """Skip to main content
GOV.UK
Home > World > Marland and the UK
Press release
UK and Marland reopen the northern ferry
Ministers have signed an agreement that restores the crossing after nine years.

From:
Foreign, Commonwealth & Development Office and The Rt Hon Ada Penrose MP
Published
3 December 2021
Last updated
4 December 2021 — See all updates

{first}

Notes to editors

{second}

Media enquiries

Email newsdesk@fcdo.example

Telephone 020 7946 0000

Share this page
The following links open in a new tab
Share on Facebook (opens in new tab)
Share on Twitter (opens in new tab)
Is this page useful?
Maybe
Yes this page is useful
No this page is not useful
All content is available under the Open Government Licence v3.0, except where otherwise stated
© Crown copyright
"""
GOV_UK_SPEECH = """Speech
Foreign Secretary's speech at the Kessing harbour festival
Speech given by the Foreign Secretary at the opening of the festival in Kessing.

From:
Foreign, Commonwealth & Development Office
Published
9 November 2022
Location:
Kessing Town Hall
Delivered on:
8 November 2022 (Transcript of the speech, exactly as it was delivered)

{first}

{second}

Is this page useful?
All content is available under the Open Government Licence v3.0, except where otherwise stated
"""
GOV_UK_NEWS = """News story
New harbour lights for Port Alder
The lights will be lit for the first time at midsummer.

From:
Department for Transport
Published 14 June 2023

{first}

{second}

Back to top
"""
UNITED_NATIONS = """Press Release
Secretary-General
SG/SM/29045
3 DECEMBER 2021

Secretary-General, Opening Harbour Forum, Calls for Open Seas

Following is the message of the Secretary-General to the Harbour Forum, held in Kessing today:

{first}

{second}

For information media. Not an official record.
"""
CANADA = """Language selection
Français fr
Home > News
# Canada and Marland open a new chapter in harbour cooperation

From: Global Affairs Canada

## News release

December 3, 2021 – Ottawa, Ontario – Global Affairs Canada

{first}

## Quick facts

- The crossing carried 40,000 people a year.
- It closed in 2012.

{second}

## Contacts

Media Relations Office
Global Affairs Canada
343-555-0100
media@international.example
Follow us on Twitter: @HarbourCanada

Date modified: 2021-12-03
"""
EUROPEAN_UNION = """Statement | 3 December 2021 | Brussels

EU and Marland conclude talks on harbour safety

{first}

{second}

For more information

Press contacts
Ida Brandt, +32 2 555 01 00, ida.brandt@ec.example
"""
AUSTRALIA = """# Ferry link to Marland restored

Media release

Senator the Hon Ruth Dunmore
Minister for Foreign Affairs

3 December 2021

{first}

{second}

Media enquiries
Minister's office: (02) 5550 0100
"""
DEFENSE = """IMMEDIATE RELEASE
Readout of Under Secretary Vale's Call With Marland's Defence Minister
Dec. 3, 2021

{first}

{second}

###
"""
WHITE_HOUSE = """THE WHITE HOUSE
Office of the Press Secretary
FOR IMMEDIATE RELEASE
Friday, December 3, 2021
Fact Sheet on the Harbour Initiative

{first}

{second}

# # #
"""
WHITE_HOUSE_LATER = """Readout of the President's Call with the President of Marland

December 03, 2021
•
Statements and Releases

{first}

{second}

###
"""
OLD_STATE = """U.S. DEPARTMENT OF STATE
Office of the Spokesman

For Immediate Release                    November 9, 1998

Ferry Accident in Marland

{first}

{second}

[end of document]
"""
JUSTICE = """JUSTICE NEWS

Department of Justice
Office of Public Affairs

FOR IMMEDIATE RELEASE
Friday, December 3, 2021

Shipper Pleads Guilty to Dumping Oil Off Port Alder

{first}

{second}

Topic(s):
Environment
"""
BODIES = {"first": HARBOUR, "second": f"{GRANT} {THANKS}"}


def day(text: str) -> str:
    """A page of the table below, with the invented body put in."""
    return text.format(**BODIES)


PAGES = {
    "gov.uk press release": (
        GOV_UK,
        "UK and Marland reopen the northern ferry",
        "2021-12-03",
        "Foreign, Commonwealth & Development Office and The Rt Hon Ada Penrose MP",
        "Press Release",
    ),
    "gov.uk speech": (
        GOV_UK_SPEECH,
        "Foreign Secretary's speech at the Kessing harbour festival",
        "2022-11-09",
        "Foreign, Commonwealth & Development Office",
        "Speech",
    ),
    "gov.uk news story": (
        GOV_UK_NEWS,
        "New harbour lights for Port Alder",
        "2023-06-14",
        "Department for Transport",
        "News Story",
    ),
    "United Nations": (
        UNITED_NATIONS,
        "Secretary-General, Opening Harbour Forum, Calls for Open Seas",
        "2021-12-03",
        "Secretary-General",
        "Press Release",
    ),
    "Canada": (
        CANADA,
        "Canada and Marland open a new chapter in harbour cooperation",
        "2021-12-03",
        "Global Affairs Canada",
        "News Release",
    ),
    "European Union": (
        EUROPEAN_UNION,
        "EU and Marland conclude talks on harbour safety",
        "2021-12-03",
        None,
        "Statement",
    ),
    "Australia": (
        AUSTRALIA,
        "Ferry link to Marland restored",
        "2021-12-03",
        "Senator the Hon Ruth Dunmore, Minister for Foreign Affairs",
        "Media Release",
    ),
    "Department of Defense": (
        DEFENSE,
        "Readout of Under Secretary Vale's Call With Marland's Defence Minister",
        "2021-12-03",
        None,
        None,
    ),
    "White House": (
        WHITE_HOUSE,
        "Fact Sheet on the Harbour Initiative",
        "2021-12-03",
        "THE WHITE HOUSE, Office of the Press Secretary",
        None,
    ),
    "White House, later": (
        WHITE_HOUSE_LATER,
        "Readout of the President's Call with the President of Marland",
        "2021-12-03",
        None,
        "Statements and Releases",
    ),
    "State Department, 1998": (
        OLD_STATE,
        "Ferry Accident in Marland",
        "1998-11-09",
        "U.S. DEPARTMENT OF STATE, Office of the Spokesman",
        None,
    ),
    "Department of Justice": (
        JUSTICE,
        "Shipper Pleads Guilty to Dumping Oil Off Port Alder",
        "2021-12-03",
        "Department of Justice, Office of Public Affairs",
        None,
    ),
}


def squeezed(text: str) -> str:
    """The text without its spaces."""
    return "".join(text.split())


def check_invariants(page: str, found: Cut) -> None:
    """Releases and removed stretches cover the page in order, and anchors point at the characters of the text."""
    stretches = sorted([(r.start, r.end) for r in found.releases] + [(r.start, r.end) for r in found.removed])
    end = 0
    for start, stretch_end in stretches:
        assert start >= end
        assert not page[end:start].strip()
        end = stretch_end
    assert not page[end:].strip()
    for release in found.releases:
        check_release(page, release)


def check_release(page: str, release: Release) -> None:
    """The text stands in the page where the anchors say, and the rest of the release is accounted for."""
    assert not page[release.start].isspace()
    assert not page[release.end - 1].isspace()
    used: list[int] = []
    for offset, character in enumerate(release.text):
        if not character.isspace():
            position = release.page_span(offset, offset + 1)[0]
            assert page[position] == character
            used.append(position)
    assert used == sorted(set(used))
    gone = [position for removal in release.removed for position in range(removal.start, removal.end)]
    assert gone == sorted(set(gone))
    missing = set(range(release.start, release.end)) - set(used) - set(gone)
    assert all(page[position].isspace() for position in missing)
    assert not set(used) & set(gone)
    assert (release.date is None) == (release.date_precision == "none")
    if release.date:
        datetime.date.fromisoformat(release.date.replace("--", "2000-"))


def as_records(path: Path) -> list[dict]:
    """The objects of a JSON Lines file."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.decode("utf-8").split("\n") if line]


def seed_page(name: str) -> str:
    """A seed page as it is in the file, its line ends unchanged."""
    return (SEEDS / name).read_bytes().decode("utf-8")


# The owner's pages


@needs_seeds
def test_gold_releases_are_cut_exactly() -> None:
    """All 18 releases of the owner's pages come out as labelled, with nothing learned."""
    gold = as_records(SEEDS / "seeds_gold.jsonl")
    assert len(gold) == 18
    pages = {record["source_file"]: cut(seed_page(record["source_file"])) for record in gold}
    assert sum(len(found.releases) for found in pages.values()) == 18
    for record in gold:
        release = next(r for r in pages[record["source_file"]].releases if r.start == record["start"])
        assert release.end == record["end"]
        assert release.title == record["title"]
        assert (release.date, release.date_precision) == (record["date"], record["date_precision"])
        assert release.office == record["office_or_speaker"]
        assert release.kind == record["release_type"]
        assert release.text == record["text"]


@needs_seeds
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_gold_pages_keep_the_invariants_with_any_line_break(line_break: str) -> None:
    """Offsets are measured in the page as it is, whatever its line breaks."""
    for path in sorted(SEEDS.glob("*.txt")):
        page = seed_page(path.name)
        found = cut(page.replace("\n", line_break))
        check_invariants(page.replace("\n", line_break), found)
        assert [r.text for r in found.releases] == [r.text for r in cut(page).releases]


# Pages in the manner of other governments


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_many_governments_are_read(name: str) -> None:
    """Title, date, office and kind are found on one-release pages of many governments, and no furniture is left."""
    template, title, date, office, kind = PAGES[name]
    page = day(template)
    found = cut(page)
    check_invariants(page, found)
    (release,) = found.releases
    assert (release.title, release.date, release.office, release.kind) == (title, date, office, kind)
    assert HARBOUR in release.text
    assert THANKS in release.text
    for words in (
        "Share",
        "useful",
        "Crown",
        "official record",
        "Date modified",
        "555",
        "###",
        "Skip",
        "7946",
        "fcdo",
        "Topic",
    ):
        assert words not in release.text


@pytest.mark.parametrize("names", [
    ["gov.uk press release", "gov.uk speech", "gov.uk news story"],
    ["gov.uk news story", "gov.uk press release", "gov.uk press release"],
    ["United Nations", "United Nations"],
    ["Canada", "Australia", "Canada"],
    ["European Union", "European Union"],
    ["Australia", "Australia"],
    ["Department of Defense", "Department of Defense", "Department of Defense"],
    ["White House", "White House"],
    ["Department of Justice", "Department of Justice"],
    ["White House, later", "White House, later", "White House, later"],
    ["State Department, 1998", "State Department, 1998"],
])  # fmt: skip
def test_concatenated_pages_are_cut_apart(names: list[str]) -> None:
    """Pages of other governments put one after the other give one release each."""
    page = "\n".join(day(PAGES[name][0]) for name in names)
    found = cut(page)
    check_invariants(page, found)
    assert [release.title for release in found.releases] == [PAGES[name][1] for name in names]
    assert [release.date for release in found.releases] == [PAGES[name][2] for name in names]
    assert all(squeezed(HARBOUR) in squeezed(release.text) for release in found.releases)


def test_state_department_like_list_is_cut_without_separators() -> None:
    """A title, a date without a year and a speaker start a release, with nothing between the releases."""
    page = "\n\n".join(
        f"{title}\n\n{date}\n\n{office}\n\n{HARBOUR}\n\n{GRANT}"
        for title, date, office in (
            ("Marland Independence Day", "4 Jul", "Ada Penrose, Secretary of State"),
            ("Harbour Talks Conclude in Kessing", "Jul 3", "Office of the Spokesperson"),
            ("On the Passing of Admiral Brandt", "July 3rd", "Ida Brandt, Principal Deputy Spokesperson"),
        )
    )
    found = cut(page)
    check_invariants(page, found)
    assert [release.date for release in found.releases] == ["--07-04", "--07-03", "--07-03"]
    assert [release.title for release in found.releases][2] == "On the Passing of Admiral Brandt"
    assert {release.text for release in found.releases} == {f"{HARBOUR}\n\n{GRANT}"}


def test_markdown_headings_with_date_and_office_are_releases() -> None:
    """Two Markdown headings, each with its date and office, are two releases; their marks are no part of the title."""
    header = "# {}\n\n**3 December 2021**\n\n*Ministry of Harbours*\n\n"
    item = header + "{} [More](https://a.example/a_b).\n\n## Costs\n\n{}\n\n"
    page = item.format("Talks **Open**", HARBOUR, GRANT) + item.format("Talks Close", THANKS, GRANT)
    found = cut(page)
    check_invariants(page, found)
    assert [release.title for release in found.releases] == ["Talks Open", "Talks Close"]
    assert [release.office for release in found.releases] == ["Ministry of Harbours"] * 2
    assert found.releases[0].text == f"{HARBOUR} More.\n\nCosts\n\n{GRANT}"


def test_windows_page_without_empty_lines_is_cut() -> None:
    """Header lines may stand one below the other with Windows line breaks, the next title right below the text."""
    release = f"Harbour Talks Conclude\r\n3 December 2021\r\nOffice of the Spokesperson\r\n{HARBOUR}\r\n{GRANT}\r\n"
    found = cut(release * 3)
    check_invariants(release * 3, found)
    assert [r.title for r in found.releases] == ["Harbour Talks Conclude"] * 3
    assert [r.start for r in found.releases] == [0, len(release), 2 * len(release)]


# Lists of dated releases

ITEMS = [
    ("Ferry leaves on its first crossing", "14 May 2023", HARBOUR),
    ("Quays of Port Alder to be renewed", "9 May 2023", GRANT),
    ("Harbour masters are thanked", "2 May 2023", THANKS),
]


def listed(item: str, items: list[tuple[str, str, str]] = ITEMS) -> str:
    """Items of a list, each in the same form."""
    return "\n\n".join(item.format(title=title, date=date, body=body) for title, date, body in items)


@pytest.mark.parametrize(
    "above", ["", "Home > News\n\n", "Ministry of Harbours\n\nLatest news\n\n", "Press releases\n\n"]
)
@pytest.mark.parametrize("items", [ITEMS, ITEMS[::-1]], ids=["newest first", "oldest first"])
@pytest.mark.parametrize(
    "item",
    [
        "{title}\n\n{date}\n\n{body}",
        "{title}\n{date}\n\n{body}\n\n{body}",
        "{date}\n\n{title}\n\n{body}",
        "{date}\n{title}\n\n{body}",
        "{title}\n\nKessing, {date}\n\n{body}",
        "{title}\n\nPublished: {date}\n\n{body}\n\nRead more",
        "## {title}\n\n{date}\n\n{body}",
    ],
)
def test_dated_list_is_cut_without_offices(item: str, items: list[tuple[str, str, str]], above: str) -> None:
    """Titles and dates that repeat in one shape from the top of the page on, each with its text, are releases."""
    page = f"{above}{listed(item, items)}\n\nOlder news\n1 2 3 Next\n"
    found = cut(page)
    check_invariants(page, found)
    assert [release.title for release in found.releases] == [title for title, _, _ in items]
    assert [str(release.date)[-2:] for release in found.releases] == [f"{int(date[:2]):02}" for _, date, _ in items]
    assert [release.text.split("\n\n")[0] for release in found.releases] == [body for _, _, body in items]
    assert not found.releases[-1].text.endswith("Next")


def test_equal_headings_with_dates_are_releases_in_any_order() -> None:
    """Sections of one release are never of its title's level, so headings of one level need no order."""
    items = [ITEMS[1], ITEMS[0], ITEMS[2]]
    html = listed("<article><h3>{title}</h3><time>{date}</time><p>{body}</p></article>", items)
    found = cut(html_to_text(f"<h1>News</h1>{html}"))
    assert [release.title for release in found.releases] == [title for title, _, _ in items]


EVENTS = [(title, date, "It was signed.") for title, date, _ in ITEMS]
PAST = [
    (title, f"{date[:-4]}{year}", body) for (title, date, body), year in zip(ITEMS, (1950, 1971, 2012), strict=True)
]
LIST_ITEM = "{title}\n\n{date}\n\n{body}"
HEADED = "The Northern Ferry\n\n3 December 2021\n\n"


@pytest.mark.parametrize(
    "page",
    [
        listed(LIST_ITEM, EVENTS),
        listed("{date}\n\n{title}", EVENTS * 3),
        listed("{date}\t{title}") + f"\n\n{HARBOUR}",
        f"History of the ferry\n\n{listed(LIST_ITEM, PAST)}",
        f"# The Northern Ferry\n\n{listed('## ' + LIST_ITEM)}",
        f"{HEADED}{HARBOUR}\n\n{listed(LIST_ITEM, PAST)}",
        f"# {HEADED}{HARBOUR}\n\n{listed('## ' + LIST_ITEM)}",
        f"{HEADED}Office of the Spokesperson\n\n{HARBOUR}\n\n{listed(LIST_ITEM)}",
        f"{HARBOUR}\n\n{listed(LIST_ITEM)}",
        f"{HEADED}{HARBOUR}\n\nKessing\n\n4 December\n\n{GRANT}\n\nPort Alder\n\n5 December\n\n{THANKS}",
        f"{HEADED}MINISTER: {HARBOUR}\n\nQUESTION: And then?\n\n2 December 2021\n\nMINISTER: {GRANT}",
    ],
)
def test_dates_within_one_release_do_not_cut_it(page: str) -> None:
    """Chronologies, tables, itineraries, dated sections and transcripts are one release."""
    found = cut(page)
    check_invariants(page, found)
    assert len(found.releases) == 1


# Titles below letterheads, and letterheads


@pytest.mark.parametrize(
    ("header", "title", "office"),
    [
        (
            "MINISTRY OF PORTS\nKINGDOM OF MARLAND\n\nPRESS RELEASE\nKessing, 2nd May 2020\n\nMINISTER OPENS QUAY",
            "MINISTER OPENS QUAY",
            "MINISTRY OF PORTS, KINGDOM OF MARLAND",
        ),
        (
            "Republic of Marland\nMinistry of Ports\n\nPress Release\n\nKessing, 2 May 2020\n\nPremier Vale Cuts Tape",
            "Premier Vale Cuts Tape",
            "Republic of Marland, Ministry of Ports",
        ),
        (
            "Council of Ports\n\nPress release\n\n2 May 2020\n\nCouncil of Ports Adopts Rules on Nets",
            "Council of Ports Adopts Rules on Nets",
            "Council of Ports",
        ),
        ("2 May 2020\n\nNews release no. 12/2020\n\nMinister opens quay", "Minister opens quay", None),
        ("Press Release\n\n2 May 2020\n\nMinistry of Ports", None, "Ministry of Ports"),
        (
            "Ministry of Ports\n\n2 May 2020\n\nMinister for Ports and Lights",
            None,
            "Ministry of Ports, Minister for Ports and Lights",
        ),
        (
            "Ministry of Ports\nGovernment of Marland\n\nHome | About | Media\n\nQuay opened\n\n2 May 2020",
            "Quay opened",
            "Ministry of Ports, Government of Marland",
        ),
        (
            "You are here:\n1. News\n2. Ministry of Ports\n\nQuay opened\n\nFrom: Ministry of Ports\n2 May 2020",
            "Quay opened",
            "Ministry of Ports",
        ),
    ],
)
def test_letterheads_are_told_from_titles(header: str, title: str | None, office: str | None) -> None:
    """A headline that opens with an office is the title; a letterhead is the office, also above the navigation."""
    (release,) = cut(f"{header}\n\n{HARBOUR}").releases
    assert (release.title, release.office, release.date) == (title, office, "2020-05-02")
    assert release.text == HARBOUR


# What stands below a text


@pytest.mark.parametrize(
    "below",
    [
        "- Ends -\n\nIssued by the Ministry of Ports, Kessing",
        "- Share on Facebook\n- Share by email\n- Print this page\n\nMedia contact: Ida Brandt, 021 555 0123",
        "Media contact: Ida Brandt, 021 555 0123\n\n12 Old Harbour Street, Kessing 1001",
        "© 2020 Government of Marland\n\n- Privacy\n- Terms\n\nPrivate Bag 7, Kessing",
        "Press enquiries\nEmail press@ports.example\n\nContact the Ports press team by email first, and we will reply.",
        "Back to top\nSite last updated on: 3 May 2020",
        "This page was last updated on 3 May 2020.\n\nSource: Ministry of Ports",
        "Sign up for email alerts\n\nEnter your email.\n\nTake our survey\n\nIt will take a minute to complete.",
        "If you use assistive technology and need an accessible format, write to us.",
        "Earlier posts\n1 2 3 Last",
    ],
)
def test_what_stands_below_a_text_is_none_of_it(below: str) -> None:
    """Who issued a release, contacts, addresses, sharing, sign-ups and surveys are no text, and are accounted for."""
    page = f"Quay opened\n\n2 May 2020\n\n{HARBOUR}\n\n{below}\n"
    found = cut(page)
    check_invariants(page, found)
    assert [release.text for release in found.releases] == [HARBOUR]


@pytest.mark.parametrize(
    "end",
    [
        "The networks that took part:\n\n- Facebook\n- YouTube",
        "Quick facts\n\n- 40,000 people\n- 12 ships",
        "Kessing\n2 May 2020",
        "Date: 3 May 2020\nTime: noon\nPlace: Kessing Town Hall",
    ],
)
def test_lists_and_details_that_end_a_text_are_kept(end: str) -> None:
    """Facts, where and when, and names in a list are text although nothing follows them."""
    (release,) = cut(f"Quay opened\n\n2 May 2020\n\n{HARBOUR}\n\n{end}").releases
    assert squeezed(release.text) == squeezed(HARBOUR + end)


@pytest.mark.parametrize("skip", ["", "Skip to main content\n"])
@pytest.mark.parametrize(
    "bar",
    [
        "Cookies on this site\nWe use a few essential cookies to make it work.\nAccept all cookies\nView cookies",
        "We use cookies\n\nThis site stores some cookies on your device.\n\nReject cookies",
    ],
)
def test_cookie_bar_is_no_release(bar: str, skip: str) -> None:
    """A cookie bar above a release is a banner, also right below a line of navigation."""
    page = f"{skip}{bar}\n\nMenu\n\n{GOV_UK_NEWS.format(**BODIES)}"
    found = cut(page)
    assert [release.title for release in found.releases] == ["New harbour lights for Port Alder"]
    assert {removal.kind for removal in found.removed if "ookies" in page[removal.start : removal.end]} == {"banner"}


def test_what_html_calls_furniture_is_taken_away() -> None:
    """Navigation is a banner, asides and footers are footers, also with whole sentences in them; nothing is lost."""
    page = html_to_text(
        "<header>Government of Marland<nav><ul><li>Home<li>News</ul></nav></header><main><article>"
        f"<h1>Quay opened</h1><p>2 May 2020</p><p>{HARBOUR}</p><aside><h2>Elsewhere</h2><p>{GRANT}</p></aside>"
        f"<p>{THANKS}</p></article></main><footer><p>12 Quay</p><ul><li>Privacy<li>Terms</ul></footer>"
    )
    found = cut(page)
    check_invariants(page, found)
    (release,) = found.releases
    assert (release.text, release.office) == (f"{HARBOUR}\n\n{THANKS}", "Government of Marland")
    assert [removal.kind for removal in release.removed] == ["header", "footer"]
    assert [removal.kind for removal in found.removed] == ["banner", "footer"]


def test_marks_without_an_end_take_nothing_away() -> None:
    """A page whose tags are never closed loses no text."""
    (release,) = cut(html_to_text(f"<nav>Home<h1>Quay opened</h1><p>{HARBOUR}</p>")).releases
    assert HARBOUR in release.text


# Pages that are one release

SECTIONS = "\n\n".join(
    f"{heading}\n\n{text}"
    for heading, text in (
        ("Statement", HARBOUR),
        ("Department of Harbours", GRANT),
        ("## Background", THANKS),
        ("Key Dates", "- 3 December 2021: signing of the agreement\n- 4 March 2022: first crossing"),
        ("Signed in Kessing\n3 December 2021", GRANT),
        ("Remarks", THANKS),
        ("1. Safety at sea", HARBOUR),
        ("Press Release", THANKS),
    )
)
TRANSCRIPT = "\n\n".join(
    [
        "MODERATOR: Good morning, everyone.",
        f"SECRETARY PENROSE: {HARBOUR}",
        "QUESTION: Thank you. December 3?",
        "SECRETARY PENROSE: Yes.",
    ]
    * 5
)
DATES = "\n\n".join(
    f"{event}\n{date} {year}"
    for year in range(2001, 2021)
    for event, date in (("Round of talks", "3 May"), ("Vote", "9 June"))
)
LETTER = f"Dear Minister,\n\n{HARBOUR}\n\nYours sincerely,\n\nAda Penrose\n\nSecretary of State\n\n3 December 2021"
QUOTES = "“The lights burn.”\n\n– Secretary Penrose, January 27, 2021\n\n“All.”\n\n– President Vale,\n\nMarch 11, 2021"
HEAD = "Fact Sheet: The Northern Ferry\n\nMedia Note\n\nOffice of the Spokesperson\n\nDecember 3, 2021\n\n"


@pytest.mark.parametrize(
    "body", [SECTIONS, TRANSCRIPT, DATES, LETTER, QUOTES], ids=["sections", "transcript", "dates", "letter", "quotes"]
)
@pytest.mark.parametrize("head", ["", HEAD, "# The Northern Ferry\n\n"], ids=["no header", "header", "heading"])
def test_a_body_is_not_cut(head: str, body: str) -> None:
    """Section headings, transcripts, lists of dates, letters and quotations inside one release do not cut it."""
    page = f"{head}{HARBOUR}\n\n{body}\n\n{THANKS}"
    found = cut(page)
    check_invariants(page, found)
    assert len(found.releases) == 1
    assert squeezed(found.releases[0].text).endswith(squeezed(THANKS))
    assert squeezed(body).replace("##", "") in squeezed(found.releases[0].text)


def test_page_with_only_a_body_is_all_text() -> None:
    """A page with neither title nor date keeps all its text and states nothing."""
    release = cut(f"{HARBOUR}\n\n{GRANT}").releases[0]
    assert release.text == f"{HARBOUR}\n\n{GRANT}"
    assert (release.title, release.date, release.office, release.kind, release.removed) == (None, None, None, None, ())


FURNITURE = """An official website of the United States government
Here's how you know
Skip to main content

Home > News > Releases

Share
Facebook | Twitter | LinkedIn

Privacy Policy | Accessibility | FOIA

---

The Office of Website Management, Bureau of Public Affairs, manages this site as a portal for information.

Back to top
"""


@pytest.mark.parametrize(
    "page", ["", " \n\t\r\n\u00a0", FURNITURE, "---\n\n###\n"], ids=["empty", "spaces", "furniture", "rules"]
)
def test_page_without_content_has_no_release(page: str) -> None:
    """An empty page, or one of furniture only, gives no release, and all of it is accounted for."""
    found = cut(page)
    check_invariants(page, found)
    assert found.releases == ()
    assert clean(page) is None


def test_headline_below_the_agency_name_is_no_release() -> None:
    """A headline that a page promotes in its footer is neither a release nor text."""
    found = cut(f"The Northern Ferry\n\n{HARBOUR}\n\nMinistry of Harbours\n\nTen Years of Open Seas")
    assert [release.text for release in found.releases] == [HARBOUR]
    assert [removal.kind for removal in found.removed] == ["footer"]


def test_list_of_headlines_before_the_releases_is_no_release() -> None:
    """An index of titles with dates and offices, with no text below them, is not cut into releases."""
    index = "".join(
        f"Talks in {place}\n\n3 Dec\n\nOffice of the Spokesperson\n\n" for place in ("Kessing", "Alder", "Vale")
    )
    found = cut(f"{index}Harbour Talks Conclude\n\n3 Dec\n\nOffice of the Spokesperson\n\n{HARBOUR}")
    assert [release.title for release in found.releases] == ["Harbour Talks Conclude"]


# What is taken out of a release


def test_contacts_markers_and_attribution_are_removed_by_kind() -> None:
    """What is no text inside a release is named: header, attribution, text markers, footer and contact."""
    page = (
        "Call with the Minister\n\n3 Dec\n\nOffice of the Spokesperson\n\n"
        "The below is attributable to Deputy Spokesperson Ida Brandt:\n\nBegin text:\n\n"
        f"{HARBOUR}\n\nBack to top\n\n{GRANT}\n\n"
        "*End text.*\n\nFor further information, please contact the press office at press@harbours.example."
    )
    release = cut(page).releases[0]
    check_release(page, release)
    assert release.text == f"{HARBOUR}\n\n{GRANT}"
    assert release.office == "Office of the Spokesperson (attributable to Deputy Spokesperson Ida Brandt)"
    assert [removal.kind for removal in release.removed] == [
        "header",
        "attribution",
        "text_marker",
        "footer",
        "text_marker",
        "contact",
    ]


def test_sentence_broken_by_a_page_break_is_made_whole() -> None:
    """A sentence goes on over the end of a page, also over a footer, and over odd spaces."""
    start, end = HARBOUR.split(" from the ")
    page = f"{THANKS}\n\n{start}\n\nPage 3\n\nfrom the\u00a0\u202f {end}"
    release = cut(page).releases[0]
    check_release(page, release)
    assert release.text == f"{THANKS}\n\n{HARBOUR}"


FOOTER = (
    "The Office of Website Management, Bureau of Public Affairs, manages this site as a portal for information from "
    "the U.S. State Department. External links to other Internet sites should not be construed as an endorsement of "
    "the views or privacy policies contained therein."
)


@pytest.mark.parametrize("width", [34, 60, 72])
@pytest.mark.parametrize("start", [0, 54, 130])
def test_damaged_footer_is_removed(start: int, width: int) -> None:
    """A footer cut at its start, wrapped in asterisks and broken over lines is still a footer."""
    words = f"*{FOOTER[start:]}*".split()
    lines = [""]
    for word in words:
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width else [lines[-1], word]
    found = cut(f"{HARBOUR}\n\n" + "\n".join(lines))
    assert [release.text for release in found.releases] == [HARBOUR]
    assert {removal.kind for removal in found.removed} == {"footer"}


def test_clean_never_cuts() -> None:
    """A page declared to be one document stays one, its header and footer taken off."""
    page = "\n\n".join(
        [
            "Harbour Talks",
            "3 Dec",
            "Office of the Spokesperson",
            HARBOUR,
            "Second Talks",
            "4 Dec",
            "Office of the Spokesperson",
            GRANT,
        ]
    )
    assert len(cut(page).releases) == 2
    release = clean(f"{page}\n\n{FOOTER}")
    assert release is not None
    assert (release.title, release.date, release.end) == ("Harbour Talks", "--12-03", len(page))
    assert "Second Talks" in release.text


# Dates


@pytest.mark.parametrize(("text", "date"), [
    ("November 9, 2017", "2017-11-09"),
    ("9 November 2017", "2017-11-09"),
    ("9 Nov 2017", "2017-11-09"),
    ("9th of November 2017", "2017-11-09"),
    ("Published 9 November 2017", "2017-11-09"),
    ("Washington, DC November 9, 2017", "2017-11-09"),
    ("Thursday, 9 November 2017", "2017-11-09"),
    ("2017-11-09", "2017-11-09"),
    ("29/11/2017", "2017-11-29"),
    ("11/29/2017", "2017-11-29"),
    ("29.11.2017", "2017-11-29"),
    ("3 Dec", "--12-03"),
    ("Dec. 3", "--12-03"),
    ("Friday, December 3", "--12-03"),
    ("29 February", "--02-29"),
    ("09/11/2017", None),
])  # fmt: skip
def test_dates_of_many_forms_are_read(text: str, date: str | None) -> None:
    """A date line is read in the forms of many governments; where day and month are in doubt there is no date."""
    release = cut(f"Harbour Talks Conclude\n\n{text}\n\nOffice of the Spokesperson\n\n{HARBOUR}").releases[0]
    assert release.date == date
    assert release.text == HARBOUR


@pytest.mark.parametrize(
    "text", ["31 February 2021", "February 30", "2021-13-01", "32 December", "0 May", "99/99/2021", "29 February 2021"]
)
def test_impossible_dates_are_none(text: str) -> None:
    """A day that no calendar has is no date."""
    assert find_date(text) is None


def test_dateline_gives_the_date() -> None:
    """A dateline that opens the text gives the date and stays in the text."""
    release = cut(f"Harbour Talks Conclude\n\nOTTAWA, Ontario, 3 December 2021 – {HARBOUR}").releases[0]
    assert (release.date, release.text[:6]) == ("2021-12-03", "OTTAWA")


# Learned boilerplate

NOTICE = (
    "Readers of this harbour gazette may copy every notice in it as long as the gazette is named as where it came from."
)


def greeting(country: int) -> str:
    """One of many greetings that share their formula but not their paragraph."""
    return (
        "On behalf of the Government of Marland, I extend my best wishes "
        f"to the people of Land{'abcdefghijklmn'[country]} on their day."
    )


def test_learned_paragraphs_are_removed_also_by_half() -> None:
    """A paragraph that stands in many pages is learned, half of it is recognised; a shared formula is not learned."""
    learned = learn((f"page {number}", f"{greeting(number)}\n\n{NOTICE}") for number in range(12))
    page = f"Ferry Day\n\n{greeting(0)}\n\n{' '.join(NOTICE.split()[:12])}"
    assert NOTICE.split()[11] in cut(page).releases[0].text
    assert cut(page, learned).releases[0].text == greeting(0)


def test_copies_within_one_group_teach_nothing() -> None:
    """A paragraph must stand in five groups to be learned, however often it stands in one."""
    assert learn(("one page", NOTICE) for _ in range(50)) == NOTHING_LEARNED
    assert learn((f"page {number}", NOTICE) for number in range(4)) == Boilerplate()


def test_headers_and_markers_are_never_learned_away() -> None:
    """An attribution that stands in every page is an attribution still."""
    line = "The following is attributable to the Acting Principal Deputy Spokesperson Ida Brandt:"
    learned = learn((f"page {number}", line) for number in range(9))
    assert learned.hashes
    release = cut(f"A Call\n\n3 Dec\n\nOffice of the Spokesperson\n\n{line}\n\n{HARBOUR}", learned).releases[0]
    assert "attributable to" in str(release.office)


# Real releases


@needs_state
def test_real_releases_alone_stay_whole() -> None:
    """More than 99 in 100 real releases are not cut, and their title is found."""
    records = as_records(STATE)
    found = [cut(record["text"]).releases for record in records]
    assert sum(len(releases) == 1 for releases in found) > 0.99 * len(records)
    titled = [
        squeezed(str(releases[0].title)) == squeezed(r["title"]) for r, releases in zip(records, found, strict=True)
    ]
    assert sum(titled) > 0.99 * len(records)


@needs_state
@pytest.mark.parametrize("footer", ["", f"\n\n{FOOTER}", "\n\n---"], ids=["nothing", "footer", "rule"])
@pytest.mark.parametrize("form", ["{day} {month:.3}", "{month} {day}, {year}", "Washington, DC\n{month} {day}, {year}"])
def test_real_releases_put_together_are_cut_apart(form: str, footer: str) -> None:
    """Real releases put together at random, with dates in several forms, are cut where they start."""
    rng = random.Random(7)
    records = [
        record
        for record in as_records(STATE)
        if record["text"].startswith(f"{record['title']}\n\n{record['author']}\n\n")
    ]
    right = wrong = missed = 0
    for _ in range(25):
        page, starts = "", set()
        for record in rng.sample(records, rng.randint(2, 12)):
            title, author, body = re.split(r"\n\n", record["text"].strip(), maxsplit=2)
            date = datetime.date.fromisoformat(record["date"])
            starts.add(len(page))
            stated = form.format(day=date.day, month=f"{date:%B}", year=date.year)
            page += f"{title}\n\n{stated}\n\n{author}\n\n{body}{footer}\n\n"
        found = {release.start for release in cut(page).releases}
        right, wrong, missed = right + len(found & starts), wrong + len(found - starts), missed + len(starts - found)
    assert right > 0.99 * (right + wrong)
    assert right > 0.99 * (right + missed)


# Any text at all

SPACES = ["\n", "\n\n", "\r\n\r\n", "\r", " ", "\u00a0", "\u202f", "\f", "\u2028", "\ufeff", "\u200e", "İ"]
MARKUP = ["# ", "**", "*", "_", "[a](b)", "---", "###", "1. "]
HEADERS = """Press Releases: |Media Note|Office of the Spokesperson|Ada Penrose, Secretary of State|3 Dec|From:
December 3, 2021|31/02/2021|Published|FOR IMMEDIATE RELEASE|SG/SM/21045|Begin text:|End text.|Contacts|Share|Back to top
The below is attributable to Ida Brandt:|press@harbours.example|Harbour Talks Conclude|U.S. Department of State"""
PIECES = st.sampled_from([*SPACES, *MARKUP, *re.split(r"[|\n]", HEADERS), HARBOUR, GRANT, FOOTER])
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | ANY_TEXT, max_size=30).map("".join))
def test_any_page_keeps_the_invariants(page: str) -> None:
    """Whatever the page, nothing fails, every character is accounted for once, and anchors are exact."""
    check_invariants(page, cut(page))
    release = clean(page)
    if release:
        check_release(page, release)


@settings(deadline=None)
@given(ANY_TEXT | st.from_regex(r"\d{1,4}[-/. ](\d{1,2}|May|Feb)[-/. ]\d{0,4}"))
def test_found_dates_exist(text: str) -> None:
    """A date that is found is one that a calendar has."""
    found = find_date(text)
    if found and found.date:
        datetime.date.fromisoformat(found.date.replace("--", "2000-"))


@pytest.mark.parametrize(
    "line",
    [
        "\n",
        "Office of the Spokesperson\n",
        "3 December 2021\n\n",
        f"{HARBOUR} ",
        "Media Note ",
        "*a ",
        "[",
        "[a](",
        "A > ",
    ],
)
def test_large_repetitive_pages_are_cut(line: str) -> None:
    """A page of one repeated piece, megabytes long, is no trouble."""
    page = line * (2_000_000 // len(line))
    found = cut(page)
    assert sum(release.end - release.start for release in found.releases) <= len(page)


@pytest.mark.parametrize(
    "line", ["Ministry of " + "& " * 25 + "q\x01", "Office of " + "A & " * 25 + "@", "B, " * 60 + "%"]
)
def test_a_line_of_repeated_marks_is_read_at_once(line: str) -> None:
    """A line that fits no header only at its end is given up without trying every way to read it."""
    found = cut(f"A Title of Some Words\n\n{line[:240]}\n\n{'The ministers met today in the capital. ' * 5}")
    assert found.releases
