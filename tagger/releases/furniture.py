"""Site furniture: what stands on a government page around its releases, by families of phrases."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from tagger.releases.blocks import MAX_SHORT, Line, paragraphs
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

# A phrase tells by itself: a sentence that holds it is furniture, and half of that sentence too. All in lower case.
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
        r"^(?:we|this (?:web ?)?site|gov\.uk) (?:also )?uses? (?:\w+ ){0,4}cookies|(?:accept|reject|manage|set) (?:\w+ ){0,3}cookies\b",
    ),
    (
        BANNER,
        r"^we(?:['’]d| would) like to (?:set|use) (?:\w+ ){0,3}cookies|^cookies on |cookie (?:policy|preferences|settings)$",
    ),
    (BANNER, r"^you(?:['’]ve| have) (?:accepted|rejected) (?:\w+ ){0,3}cookies|^(?:please )?enable javascript"),
    (
        FOOTER,
        r"as a portal for information|manages this site as|office of website management|^this (?:web ?)?site is (?:managed|maintained|operated) by",
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
        r"^is this page useful|^help us improve|^(?:there is something|is there anything) wrong with this page|^report a problem",
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

# A word or two of navigation: furniture where it is the whole line. All in lower case.
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

_PHRASES = tuple((kind, re.compile(pattern)) for kind, pattern in PHRASES)
_LINES = tuple((kind, re.compile(pattern)) for kind, pattern in LINES)
_SENTENCE_BREAK = re.compile(r"(?<=[^A-Z][.!?])[*_]{0,3}\s+(?=[*_]{0,3}[A-Z])")


@lru_cache(maxsize=8192)
def line_kind(words: str) -> str | None:
    """Return what kind of furniture a whole line is, or None.

    >>> line_kind("Share on Facebook"), line_kind("Share prices rose.")
    ('sharing', None)
    """
    return next((kind for kind, pattern in _LINES if pattern.fullmatch(words.lower())), None)


@lru_cache(maxsize=8192)
def sentence_kind(words: str) -> str | None:
    """Return what kind of furniture a sentence is, or None."""
    return next((kind for kind, pattern in _PHRASES if pattern.search(words.lower())), None)


def furniture(page: str, lines: Sequence[Line], learned: Boilerplate) -> list[str | None]:
    """Return for each line what kind of furniture it is, or None."""
    kinds = [line_kind(line.words) if line.is_short else None for line in lines]
    for first, end in paragraphs(lines):
        paragraph = lines[first:end]
        if _is_learned(page, paragraph, learned):
            kinds[first:end] = [FOOTER] * len(paragraph)
        else:
            pairs = zip(kinds[first:end], _kinds_by_sentence(paragraph), strict=True)
            kinds[first:end] = [by_line or by_sentence for by_line, by_sentence in pairs]
    return kinds


def is_agency_name(words: str) -> bool:
    """Return whether a line only names a government or one of its bodies."""
    return len(words) <= 80 and bool(AGENCY_NAME.fullmatch(words))


def _is_learned(page: str, paragraph: Sequence[Line], learned: Boilerplate) -> bool:
    opening = paragraph[0].words
    if not learned.hashes or read_field(opening) or attributed_to(opening) or is_contact(opening):
        return False
    return learned.knows(page[paragraph[0].start : paragraph[-1].end])


def _kinds_by_sentence(paragraph: Sequence[Line]) -> list[str | None]:
    """Return for each line of a paragraph the kind of the furniture sentence that makes up half of it or more.

    Sentences are looked at, and not lines, because a footer may be broken over lines anywhere.
    """
    text = " ".join(line.words for line in paragraph)
    starts = [0, *accumulate(len(line.words) + 1 for line in paragraph)]
    covered = [0] * len(paragraph)
    kinds: list[str | None] = [None] * len(paragraph)
    breaks = [0, *(match.end() for match in _SENTENCE_BREAK.finditer(text)), len(text)]
    for start, end in pairwise(breaks):
        kind = sentence_kind(text[start:end].strip("*_ ")) if end - start <= MAX_SHORT else None
        at = bisect_right(starts, start) - 1
        while kind and at < len(paragraph) and starts[at] < end:
            covered[at] += min(end, starts[at + 1]) - max(start, starts[at])
            if 2 * covered[at] >= len(paragraph[at].words):
                kinds[at] = kinds[at] or kind
            at += 1
    return kinds
