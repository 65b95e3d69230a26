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
    "gov.uk press release": (GOV_UK, "UK and Marland reopen the northern ferry", "2021-12-03",
                             "Foreign, Commonwealth & Development Office and The Rt Hon Ada Penrose MP", "Press Release"),
    "gov.uk speech": (GOV_UK_SPEECH, "Foreign Secretary's speech at the Kessing harbour festival", "2022-11-09",
                      "Foreign, Commonwealth & Development Office", "Speech"),
    "gov.uk news story": (GOV_UK_NEWS, "New harbour lights for Port Alder", "2023-06-14", "Department for Transport", "News Story"),
    "United Nations": (UNITED_NATIONS, "Secretary-General, Opening Harbour Forum, Calls for Open Seas", "2021-12-03",
                       "Secretary-General", "Press Release"),
    "Canada": (CANADA, "Canada and Marland open a new chapter in harbour cooperation", "2021-12-03", "Global Affairs Canada", "News Release"),
    "European Union": (EUROPEAN_UNION, "EU and Marland conclude talks on harbour safety", "2021-12-03", None, "Statement"),
    "Australia": (AUSTRALIA, "Ferry link to Marland restored", "2021-12-03",
                  "Senator the Hon Ruth Dunmore, Minister for Foreign Affairs", "Media Release"),
    "Department of Defense": (DEFENSE, "Readout of Under Secretary Vale's Call With Marland's Defence Minister", "2021-12-03", None, None),
    "White House": (WHITE_HOUSE, "Fact Sheet on the Harbour Initiative", "2021-12-03", "THE WHITE HOUSE, Office of the Press Secretary", None),
    "Department of Justice": (JUSTICE, "Shipper Pleads Guilty to Dumping Oil Off Port Alder", "2021-12-03",
                              "Department of Justice, Office of Public Affairs", None),
}  # fmt: skip


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
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        return [json.loads(line) for line in file]


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
    for words in ("Share", "useful", "Crown", "official record", "Date modified", "555", "###", "Skip", "7946", "fcdo", "Topic"):
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
])  # fmt: skip
def test_concatenated_pages_are_cut_apart(names: list[str]) -> None:
    """Pages of other governments put one after the other give one release each."""
    page = "\n".join(day(PAGES[name][0]) for name in names)
    found = cut(page)
    check_invariants(page, found)
    assert [release.title for release in found.releases] == [PAGES[name][1] for name in names]
    assert [release.date for release in found.releases] == [PAGES[name][2] for name in names]
    assert all(squeezed(HARBOUR) in squeezed(release.text) for release in found.releases)
