"""Site furniture: what stands on a government page around its releases, by families of phrases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from tagger.releases.blocks import Line
from tagger.releases.fields import read_field
from tagger.releases.learning import Boilerplate
from tagger.releases.markers import attributed_to, is_contact

RULE = "rule"
END_MARK = "end_mark"
BANNER = "banner"
FOOTER = "footer"
SHARING = "sharing"

_SITE = r"gov\.uk|canada\.ca|(?:www\.)?[\w-]+(?:\.[\w-]+){0,3}\.(?:gov|mil|int)(?:\.\w\w)?"

_AGENCY_NAME = (
    r"(?:the )?(?:(?:u\.?s\.?|united states|federal|uk|royal|australian|european) )?"
    r"(?:department|ministry|government|embassy|commission|council|parliament) (?:of|for) [\w.,&' ’-]{3,60}"
    r"|european (?:commission|union|external action service|parliament)|united nations|global affairs canada"
    r"|the white house"
)
AGENCY_NAME = re.compile(rf"{_AGENCY_NAME}|{_SITE}", re.IGNORECASE)
"""A line that only names the government or body whose site it is."""

# A phrase tells by itself: wherever a short line or paragraph holds it, that is furniture, a half of it too.
PHRASES: tuple[tuple[str, str], ...] = (
    (BANNER, r"an? (?:official|secure) (?:web ?)?sites? of (?:the )?(?:united states|u\.?s|european|\w+ government)"),
    (
        BANNER,
        r"here['’]?s how you know|^official websites? use |^secure \.?\w+ websites? use |^\(?a lock \W.{0,40}https://",
    ),
    (BANNER, r"website belongs to an official government|share sensitive information only on official"),
    (BANNER, r"safely connected to the \.\w+ website"),
    (
        BANNER,
        r"^(?:we|this (?:web ?)?site|gov\.uk) uses? (?:\w+ ){0,4}cookies|(?:accept|reject|manage|set) (?:\w+ ){0,3}cookies\b",
    ),
    (
        BANNER,
        r"^we(?:['’]d| would) like to (?:set|use) (?:\w+ ){0,3}cookies|^cookies on |cookie (?:policy|preferences|settings)$",
    ),
    (BANNER, r"^you(?:['’]ve| have) (?:accepted|rejected) (?:\w+ ){0,3}cookies|^(?:please )?enable javascript"),
    (
        FOOTER,
        r"as a portal for information|office of website management|^this (?:web ?)?site is (?:managed|maintained|operated) by",
    ),
    (
        FOOTER,
        r"\blinks to other (?:internet |web ?)?sites?\b|^external links\b|should not be construed as an endorsement",
    ),
    (FOOTER, r"privacy policies contained therein|^(?:the )?appearance of (?:external|hyperlinks?) .{0,80}endorsement"),
    (FOOTER, r"^(?:note: )?documents in portable document format|(?:adobe )?acrobat reader"),
    (
        FOOTER,
        r"(?:available|licensed) under (?:the )?(?:open government|creative commons)|^© ?crown copyright|open government licen[cs]e",
    ),
    (FOOTER, r"^(?:©|\(c\) (?:19|20)\d\d|copyright (?:©|\(c\)|(?:19|20)\d\d|notice))|all rights reserved\.?$"),
    (FOOTER, r"^for information media\W|not an official (?:record|document)|^for the use of (?:information )?media"),
    (
        FOOTER,
        r"^is this page useful|^help us improve|^(?:there is something|report a problem|is there anything) wrong with this page",
    ),
    (FOOTER, r"^did you find what you were looking for|^was this page (?:helpful|useful)|^thank you for your feedback"),
    (FOOTER, r"^(?:don['’]t include|to help us improve).{0,120}(?:national insurance|survey|visit)"),
    (
        FOOTER,
        r"^(?:sign up|subscribe|register) (?:now )?(?:for|to) .{0,60}(?:updates?|alerts?|newsletters?|e-?mails?|news)\b",
    ),
    (FOOTER, r"^get (?:e-?mails?|alerts|updates) (?:about|for|from|on) |^(?:un)?subscribe\b.{0,60}$"),
    (FOOTER, r"^(?:date modified|page last updated|last (?:modified|reviewed)|page updated|this page was last)\b"),
    (FOOTER, r"^this (?:content|page) (?:is|was) (?:archived|published under|no longer)|^archived content"),
    (FOOTER, r"^if you (?:need|use|require) .{0,60}(?:assistive technology|accessible format|alternative format)"),
)

# A word or two of navigation: furniture where it is the whole line.
LINES: tuple[tuple[str, str], ...] = (
    (RULE, r"(?:[-–—_=*~•·#.]\s*){3,}"),
    (END_MARK, r"(?:#\s*){3,}|[-–—]\s*(?:30|ends?|more)\s*[-–—]|\(?ends?\)?\.?|\*+\s*ends?\s*\*+"),
    (BANNER, r"(?:skip|jump) to (?:the )?(?:main |page )?(?:content|navigation|search|menu|footer)(?:\s+.{0,40})?"),
    (
        BANNER,
        r"(?:main |site )?(?:menu|navigation|search)|search (?:this site|gov\.uk|canada\.ca)|(?:open|close|toggle) (?:menu|navigation)",
    ),
    (
        BANNER,
        r"(?:language selection|français|español|english|العربية|русский|中文|deutsch|português)(?:\W+(?:fr|en|français|english))?",
    ),
    (
        BANNER,
        r"(?:you are here:? ?)?home(?:\s*[>/»›|→]\s*[^>/»›|→]{1,80}){1,8}|(?:[^>»›→]{2,60}\s[>»›→]\s){2,8}[^>»›→]{2,250}",
    ),
    (
        BANNER,
        r"you are here:?|home|diplomacy in action|an? official (?:us|u\.s\.) government site|breadcrumbs?|log ?in|sign in",
    ),
    (
        SHARING,
        r"(?:share|tweet|print|e-?mail|copy link|listen|like|save|download|rss|pin it)(?: (?:this )?(?:page|article|story|release))?",
    ),
    (
        SHARING,
        r"(?:share|send|post|follow|find|like|print|save)(?: (?:us|this|by|via|it|to|on|page|as|release|article))*"
        r"(?: (?:facebook|twitter|x|linkedin|whatsapp|e-?mail|instagram|youtube|reddit|pdf|social media))+\W*(?:\(opens in .{0,20}\))?",
    ),
    (
        SHARING,
        r"(?:(?:facebook|twitter|x|linked ?in|whats ?app|e-?mail|instagram|youtube|flickr|reddit|tumblr|telegram|pinterest|print|share|rss"
        r"|threads|bluesky|mastodon|weibo|copy link)\b[\s|,·•/&]*(?:and )?){2,}|facebook|twitter|linkedin|whatsapp|instagram|youtube|flickr",
    ),
    (
        SHARING,
        r"(?:read|see|view|show|hide|load) (?:more|all|less|all updates|full (?:text|story))|(?:print|printer)[ -]friendly(?: version)?",
    ),
    (
        FOOTER,
        r"(?:back to|return to|go to) (?:the )?(?:top|home(?:page)?|news|press releases?)(?: of page)?|top(?: of page)?|↑.{0,20}",
    ),
    (
        FOOTER,
        r"(?:previous|next)(?: (?:page|article|story|release|post))?|(?:page )?\d{1,4} (?:of|/) \d{1,4}|page \d{1,4}",
    ),
    (
        FOOTER,
        r"(?:(?:privacy|accessibility|terms|foia|contact us|site ?map|disclaimers?|copyright|cookies|help|feedback|no fear act|legal|about us"
        r"|usa\.gov|careers|inspector general|faqs?|glossary|archives?|rss|jobs|media)(?: (?:policy|notice|statement|of use|and conditions|act"
        r"|information|data|center|page|settings|reports))*[\s|,·•/&–-]*(?:and )?){2,}",
    ),
    (
        FOOTER,
        r"(?:privacy|accessibility|cookies?|legal|copyright|terms)(?: (?:policy|notice|statement|of use|and conditions|information|settings))+",
    ),
    (
        FOOTER,
        r"is this page (?:useful|not useful)\??|(?:yes|no),? this page is (?:not )?(?:useful|helpful)|maybe|site ?map|yes\W+no",
    ),
)

_PHRASES = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in PHRASES)
_LINES = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in LINES)


@lru_cache(maxsize=8192)
def furniture_kind(words: str) -> str | None:
    """Return what kind of furniture a short line or paragraph is, or None."""
    for kind, pattern in _LINES:
        if pattern.fullmatch(words):
            return kind
    for kind, pattern in _PHRASES:
        if pattern.search(words):
            return kind
    return None


def furniture(page: str, lines: Sequence[Line], learned: Boilerplate) -> list[str | None]:
    """Return for each line what kind of furniture it is, or None."""
    kinds: list[str | None] = []
    for position, line in enumerate(lines):
        kind = furniture_kind(line.words) if line.is_short else None
        if not kind and position and kinds[-1] in (BANNER, FOOTER) and _goes_on(lines[position - 1], line):
            kind = kinds[-1]
        kinds.append(kind)
    if learned.hashes:
        _mark_learned(page, lines, learned, kinds)
    return kinds


def is_agency_name(words: str) -> bool:
    """Return whether a line only names a government or one of its bodies."""
    return len(words) <= 80 and bool(AGENCY_NAME.fullmatch(words))


def _goes_on(above: Line, line: Line) -> bool:
    """Whether the line goes on with a sentence of the furniture above it in the same paragraph."""
    same = above.paragraph == line.paragraph and line.is_short
    return same and above.is_prose and not above.is_ended


def _mark_learned(page: str, lines: Sequence[Line], learned: Boilerplate, kinds: list[str | None]) -> None:
    first = 0
    while first < len(lines):
        last = first
        while last + 1 < len(lines) and lines[last + 1].paragraph == lines[first].paragraph:
            last += 1
        opening = lines[first].words
        means_something = read_field(opening) or attributed_to(opening) or is_contact(opening)
        if not means_something and learned.knows(page[lines[first].start : lines[last].end]):
            kinds[first : last + 1] = [kind or FOOTER for kind in kinds[first : last + 1]]
        first = last + 1
