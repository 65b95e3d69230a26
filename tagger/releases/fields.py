"""The lines of a release's header: kind, office or speaker, date, place, reference number and their labels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from tagger.documents import DatePrecision
from tagger.releases.dates import find_date
from tagger.releases.patterns import one_of

MAX_FIELD = 250

KINDS = (
    "Media Note", "Media Advisory", "Media Release", "Media Statement", "Press Statement", "Press Release",
    "Press Briefing", "Press Conference", "Press Advisory", "Press Availability", "Press Communiqué", "Press Notice",
    "Press Remarks", "News Release", "News Story", "News Article", "News Conference", "Notice to the Press",
    "Notice to the Media", "Notice to Editors", "Readout", "Fact Sheet", "Factsheet", "Backgrounder", "Remarks",
    "Opening Remarks", "Statement", "Joint Statement", "Joint Press Release", "Joint Media Release",
    "Joint News Release", "Joint Media Statement", "Joint Press Statement", "Joint Communiqué", "Communiqué",
    "Joint Declaration", "Declaration", "Speech", "Transcript", "Interview", "Op-Ed", "Authored Article",
    "Special Briefing", "Briefing", "Daily Press Briefing", "Department Press Briefing", "Daily News",
    "Public Schedule", "Taken Question", "Question Taken", "Press Guidance", "Oral Statement to Parliament",
    "Written Statement to Parliament", "Written Statement", "Oral Statement", "Announcement",
    "Statements and Releases", "Statements and Messages", "Statement by the Spokesperson", "Statement to the Media",
    "Briefing Room", "Questions and Answers", "Proclamation", "Presidential Action", "Executive Order", "Memorandum",
    "Letter", "Travel Advisory", "Newsletter", "Correspondence", "Government Response", "Guidance", "Policy Paper",
    "Ministerial Statement", "Parliamentary Statement",
)  # fmt: skip

# Labels of header lines by what their value is ("" and "updated" for one that is of no use).
LABELS = {
    "office": r"from|by|author\(?s?\)?|speakers?|(?:issued|released|delivered) by|organi[sz]ation|department|ministers?"
    r"|source|office",
    "date": r"published(?: on)?|first published|date(?: of (?:release|issue|publication))?|posted(?: on)?"
    r"|released(?: on)?|issued(?: on)?|(?:release|publication|publish) date|delivered on"
    r"|for immediate release|for release(?: on)?",
    "updated": r"(?:last |page )?updated(?: on)?|(?:date |last )modified",
    "kind": r"(?:document |news |content |release )?type",
    "": r"location|place|venue|part of|subject area|related to|applies to|reference|ref|prn|no|release (?:no|number)",
}

_ROLE = (
    r"(?:Spokes(?:person|man|woman)|Secretary(?:[- ]General)?|Minister|President|Ambassador|Envoy|Coordinator"
    r"|Director(?:[- ]General)?|Counsell?or|Commissioner|Chair(?:man|woman|person)?|Administrator|Representative"
    r"|Chief|Governor|Attorney General|Prosecutor|Chancellor|Premier|Chargé d['’]Affaires|Advis[eo]r|Undersecretary"
    r"|Inspector General|Deputy|Treasurer|Senator|Official|General|Admiral|Mayor|Principal)"
)
_RANK = (
    r"(?:Acting|Deputy|Assistant|Associate|Principal|Senior|Special|Presidential|Department|State|Under|Vice|Foreign|Prime"
    r"|First|Chief|Press|Permanent|High|Executive|Home|Defen[cs]e|Trade|Health|Federal|UK|U\.?S\.?|UN|EU|NATO|National|The"
    r"|Parliamentary|Cabinet|Lead|Global|\w+(?:ian|ish|ese|can|ch))"
)
_BODY = (
    r"(?:Office|Bureau|Department|Ministry|Embassy|Mission|Delegation|Directorate|Secretariat|Agency|Consulate|Service"
    r"|Division|Command|Cabinet|Team)"
)
_COUNCIL = r"(?:Council|Commission|Government|Committee|Parliament)"
_WORD = r"[A-Z0-9À-ÖØ-ÞĀ-Ž][\w.'’&()/-]*"
_SMALL = r"(?:of|for|the|and|de|la|le|du|van|von|der|den|bin|al|el|on|to|d['’]|[&+–—-])"
_NAME = rf"(?:{_WORD}|“\w+”)(?: (?:{_WORD}|de|la|van|von|der|den|bin|al|el|dos|da|di|ter)){{1,5}}"
_PHRASE = rf"(?:{_WORD}|{_SMALL}),?(?: (?:{_WORD}|{_SMALL}),?){{0,25}}"
_MORE = rf"(?:,? {_PHRASE})?"
_ROLE_LINE = rf"(?:{_RANK} )*{_ROLE}\b{_MORE}"
_LONG_ROLE = rf"{_ROLE}(?=[A-Z]|\b)(?:{_PHRASE})?{_MORE}"
_SIGNATURES = (
    re.compile(rf"(?:The )?(?:(?:Press|Public|Executive) )?(?:Office|Bureau) (?:of|for) {_PHRASE}"),
    re.compile(rf"{_NAME} ?, (?:(?:{_WORD}|{_SMALL}),? ){{0,8}}{_LONG_ROLE}"),
    re.compile(rf"(?:The )?(?:Rt\.? )?(?:Senator )?(?:the )?Hon(?:\.|ou?rable)? {_NAME}{_MORE}"),
)
_OFFICES = (
    *_SIGNATURES,
    re.compile(rf"(?:The )?(?:(?:{_RANK}|Public) )?(?:{_BODY}|{_COUNCIL}) (?:of|for|on|to) {_PHRASE}"),
    re.compile(
        rf"(?:{_WORD},? (?:{_SMALL} )?){{0,8}}(?:{_BODY}|{_COUNCIL}|Authority|Treasury|Canada)(?: and {_PHRASE})?"
    ),
    re.compile(rf"(?:The )?(?:{_WORD} )?(?:Republic|Kingdom|Commonwealth|Principality) of {_WORD}(?: and {_WORD})?"),
    re.compile(r"(?:THE|The) (?:WHITE HOUSE|White House)|United Nations|NATO|10 Downing Street"),
    re.compile(rf"(?:Prime Minister|President|Governor|Mayor|Spokesperson)['’]s Office{_MORE}"),
    re.compile(_ROLE_LINE),
)
_SPEAKER = re.compile(rf"(?:(?:{_WORD}|{_SMALL}),? ){{0,12}}{_LONG_ROLE}")
_SMALL_WORDS = re.compile(r"(?<= )(?:Of|For|The|And|On|To)\b")
_NO_OFFICE = re.compile(
    r"['’]s (?!Office)|s['’] "
    r"| (?:at|in|with|by|from|as|after|into|will|is|are|has|have|over|his|her|their|our|this|that|we)\b"
    r"| (?:To|At|With|By|In|From|Remarks|Statement|Readout)\b"
    r"| (?:Meet|Call|Travel|Visit|Host|Announce|Launch|Welcome)(?:e?s|ing)?\b"
    r"| (?:Address|Adopt|Agree|Appoint|Approve|Arrive|Attend|Back|Ban|Begin|Condemn|Conclude|Congratulate|Discuss|End"
    r"|Extend|Hold|Honou?r|Impose|Inaugurate|Join|Lift|Make|Name|Offer|Open|Pardon|Pledge|Praise|Present|Promise|Propose"
    r"|Publish|Ratif(?:y|ie)|Reaffirm|Receive|Reject|Renew|Return|Say|Seek|Send|Set|Sign|Speak|Start|Support|Take|Thank"
    r"|Unveil|Urge|Warn|Win)e?s\b"
)
_PLACE = re.compile(rf"{_WORD}(?:,? (?:{_WORD}|of|and|the|de)){{0,4}}")
_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-Ž][\w.'’-]*"
_KNOWN_PLACE = one_of(rf"""
    {_CAPITAL}( (of |de )?{_CAPITAL}){{0,3}}, {_CAPITAL}( (and |of )?{_CAPITAL}){{0,3}}
    (Via|VIA) \w+( \w+)?|Virtual( Event)?|Washington,? D\.?C\.?
    (?i:washington|new york|brussels|strasbourg|luxembourg|geneva|vienna|london|ottawa|canberra|wellington)
    (?i:paris|berlin|rome|tokyo|jerusalem)
""")
_TOWN = re.compile(rf"{_CAPITAL}(?: {_CAPITAL})?")
_VENUE = re.compile(
    rf"(?:{_CAPITAL}|\d+|of|the|de|and) ?(?:.{{0,60}}\b)?(?:Room|Hotel|Cent(?:er|re)|Headquarters|Palace|Residence"
    r"|Embassy|Auditorium|House|Hall|Airport|Building|Museum|Chancellery|University|Ministry(?: of .{3,30})?)\b.{0,30}"
)
_TIME = one_of(
    r"""
    \(?\d{1,2}[:.h]\d\d ?([ap]\.?m\.?)?( ?\(?([A-Z]{2,4}|local time)\)?)?\)?
    \d{1,2} ?[ap]\.?m\.?( [A-Z]{2,4})?
    \([^()]{2,40}\)|as (prepared|delivered)( for delivery)?
    """,
    ignore_case=True,
)
_MARKER = re.compile(
    r"(?:for )?(?:immediate|general|public) release|embargoed (?:until|for)\b.{0,60}|for release .{0,60}", re.IGNORECASE
)
_REFERENCE = re.compile(
    r"[A-Z]{1,12}(?:/[A-Z0-9.()-]{1,20}){1,5}|\d{1,5}/\d{2,4}(?: (?:PR|EN))?"
    r"|(?i:(?:no|nr|ref|prn|release|pr|jp|number)[.:#]*(?: no\.?)?) ?[\w/-]*\d[\w/-]*"
)
_WEEKDAY = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|tues?|wed|thurs?|fri|sat|sun)\.?)\b,?", re.IGNORECASE
)
_NO_FIELD = re.compile(r"""$|[-–—•*"“‘(]|\d{1,3}[.)] """)
_MARKS = ",–—|•·:;()-"
_SEPARATOR = re.compile(r"\s*[|•·;]\s*|\s+[–—-]+\s+")
_BEFORE_DATE = r"|\s+(?=\d|\w{3,9}\.? \d)"
_LABELS = tuple(
    (what, re.compile(rf"(?:{label})(?:\s*:\s*|${_BEFORE_DATE if what in ('date', 'updated') else ''})", re.IGNORECASE))
    for what, label in LABELS.items()
)
_KIND_WORDS = {kind.lower(): kind for kind in KINDS} | {f"{kind.lower()}s": kind for kind in KINDS}
_KIND_FIRST = re.compile(
    rf"({'|'.join(sorted((re.escape(kind) for kind in KINDS), key=len, reverse=True))})s?\s+(?=\S)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Field:
    """What one header line states; `awaits` names what the line below must be, when this one is its label."""

    what: frozenset[str]
    date: str | None = None
    precision: DatePrecision = "none"
    office: str | None = None
    kind: str | None = None
    awaits: str | None = None


@lru_cache(maxsize=8192)
def read_field(words: str) -> Field | None:
    """Return what a header line states, or None for any other line.

    >>> read_field("Media Note Office of the Spokesperson").office
    'Office of the Spokesperson'
    >>> read_field("The ministers met today.") is None
    True
    """
    if len(words) > MAX_FIELD or _NO_FIELD.match(words) or words.endswith(","):
        return None
    for what, label in _LABELS:
        match = label.match(words)
        if match:
            labelled = _labelled(what, match[0].strip(), words[match.end() :])
            if labelled:
                return labelled
    return _unlabelled(words)


def read_line(words: str, above: Field | None, words_below: str) -> Field | None:
    """Return what a header line states, by itself or by what stands around it.

    That is a value below its label, a name above a role, a further speaker below an office; and below any
    field an address for e-mail, a town above a date, a building or room below a place.

    >>> read_line("Ned Price", None, "Department Spokesperson").office
    'Ned Price'
    """
    if len(words) > MAX_FIELD:
        return None
    awaited = _VALUES[above.awaits](words) if above and above.awaits is not None else None
    if found := awaited or read_field(words):
        return found
    below = read_field(words_below)
    named = below and below.what == {"office"} and re.fullmatch(_ROLE_LINE, words_below) and re.fullmatch(_NAME, words)
    if named or (above and "office" in above.what and not _NO_OFFICE.search(words) and _SPEAKER.fullmatch(words)):
        return Field(frozenset({"office"}), office=words)
    is_address = "@" in words and " " not in words
    is_town = below and below.what == {"date"} and _TOWN.fullmatch(words) and not words.isupper()
    is_venue = above and above.what == {"place"} and _VENUE.fullmatch(words)
    return Field(frozenset({"place"})) if above and (is_address or is_town or is_venue) else None


def _labelled(what: str, label: str, value: str) -> Field | None:
    if not value:
        alone = label.endswith(":") or label.lower() in _LABELS_WITHOUT_COLON
        return Field(frozenset({"label"}), awaits=what) if alone else None
    field = _VALUES[what](value)
    return field and replace(field, what=field.what | {"label"})


def _date_value(value: str) -> Field | None:
    found = find_date(value)
    if not found or found.start > 20:
        return None
    return Field(frozenset({"date"}), found.date, found.precision)


def _office_value(value: str) -> Field | None:
    return Field(frozenset({"office"}), office=value)


def _kind_value(value: str) -> Field | None:
    return Field(frozenset({"kind"}), kind=_KIND_WORDS.get(value.lower(), value))


def _other_value(_value: str) -> Field | None:
    return Field(frozenset({"place"}))


_VALUES: dict[str, Callable[[str], Field | None]] = {
    "office": _office_value,
    "date": _date_value,
    "updated": _other_value,
    "kind": _kind_value,
    "": _other_value,
}
_LABELS_WITHOUT_COLON = {"from", "published", "posted", "delivered on", "last updated", "updated", "date"}


def _unlabelled(words: str) -> Field | None:
    found = find_date(words)
    sides = [words]
    if found:
        sides = [_WEEKDAY.sub("", words[: found.start]).strip(), _WEEKDAY.sub("", words[found.end :]).strip()]
        if any(map(find_date, sides)):
            return None
    # A place of any name may stand beside a date, but only with a mark between them: not `The July 25 Referendum`.
    set_off = [bool(found) and side.strip(_MARKS) != side for side in sides]
    what: set[str] = {"date"} if found else set()
    stated: dict[str, str] = {}
    for side, any_place in zip(sides, set_off, strict=True):
        for part in _SEPARATOR.split(side):
            part = part.strip(f"{_MARKS} ") if found else part
            if part and not _read_part(part, any_place, what, stated):
                return None
    if not what:
        return None
    date, precision = (found.date, found.precision) if found else (None, "none")
    return Field(frozenset(what), date, precision, stated.get("office"), stated.get("kind"))


def _read_part(part: str, any_place: bool, what: set[str], stated: dict[str, str]) -> bool:
    """Note what one part of a header line is; False when it is no part of a header."""
    part = part.rstrip(": ")
    kind_first = _KIND_FIRST.match(part)
    if part.lower() in _KIND_WORDS:
        stated.setdefault("kind", _KIND_WORDS[part.lower()])
        what.add("kind")
    elif _MARKER.fullmatch(part):
        what.add("marker")
    elif _REFERENCE.fullmatch(part):
        what.add("reference")
    elif _TIME.fullmatch(part) or (_KNOWN_PLACE.fullmatch(part) and not is_office(part)):
        what.add("place")
    elif is_office(part):
        stated["office"] = f"{stated['office']}, {part}" if "office" in stated else part
        what.add("office")
    elif kind_first and _read_part(part[kind_first.end() :], any_place, what, stated):
        stated.setdefault("kind", _KIND_WORDS[kind_first[1].lower()])
        what.add("kind")
    elif any_place and part.count(" ") < 4 and not _NO_OFFICE.search(part) and _PLACE.fullmatch(part):
        what.add("place")
    else:
        return False
    return True


def is_office(words: str) -> bool:
    """Return whether the words name an office, or a person and what they are.

    >>> is_office("Ned Price, Department Spokesperson"), is_office("Secretary Blinken's Call")
    (True, False)
    """
    if words.isupper():
        words = _SMALL_WORDS.sub(lambda match: match[0].lower(), words.title())
    if len(words) > MAX_FIELD or _NO_OFFICE.search(words):
        return False
    return any(pattern.fullmatch(words) for pattern in _OFFICES)


def is_post(words: str) -> bool:
    """Return whether a line opens with a post and what it is for: `Minister for Foreign Affairs`."""
    return bool(re.match(rf"(?:{_RANK} )*{_ROLE} (?:of|for)\b", words))


def is_signature(words: str) -> bool:
    """Return whether a line can only be an office or a speaker, never a headline that opens with one.

    >>> is_signature("Ned Price, Department Spokesperson"), is_signature("Minister of State Visits Oslo")
    (True, False)
    """
    return any(pattern.fullmatch(words) for pattern in _SIGNATURES) and is_office(words)
