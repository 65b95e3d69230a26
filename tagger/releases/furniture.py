"""Site furniture: what stands on a government page around its releases, by families of phrases."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from tagger.documents import APART
from tagger.releases.blocks import MAX_SHORT, Line, paragraphs
from tagger.releases.fields import read_field
from tagger.releases.learning import Boilerplate
from tagger.releases.markers import attributed_to
from tagger.releases.patterns import one_of

RULE = "rule"
END_MARK = "end_mark"
BANNER = "banner"
FOOTER = "footer"
SHARING = "sharing"

MAX_AGENCY_SPACES = 6

_BEGINS = {begin: (name, BANNER if name == "nav" else FOOTER) for name, (begin, _) in APART.items()}
_ENDS = {end: _BEGINS[begin] for begin, end in APART.values()}

_SITE = r"gov\.uk|canada\.ca|(www\.)?[\w-]+(\.[\w-]+){0,3}\.(gov|mil|int)(\.\w\w)?"

_NETWORK = (
    r"(facebook|twitter|x|linked ?in|whats ?app|e-?mail|instagram|youtube|flickr|reddit|tumblr|telegram|pinterest"
    r"|threads|bluesky|mastodon|weibo|rss|print|pdf|share|copy link|social media)"
)
_NOTICE = r"(policy|notice|statement|of use|and conditions|act|information|data|center|page|settings|reports)"
_PAGE = (
    r"(privacy|accessibility|terms|foia|contact us|site ?map|disclaimers?|copyright|cookies|help|feedback|no fear act"
    r"|legal|about us|usa\.gov|careers|inspector general|faqs?|glossary|archives?|rss|jobs|media)"
)

# A phrase tells by itself: a sentence that holds it is furniture, and half of that sentence too.
# All patterns: one a line, in lower case. A phrase starts with a letter, not with a choice: that keeps the search fast.
PHRASES = {
    BANNER: r"""
        an? (official|secure) (web ?)?sites? of (the )?(united states|u\.?s|european|\w+ government)
        here['’]?s how you know
        website belongs to an official government
        share sensitive information only on official
        safely connected to the \.\w+ website
    """,
    FOOTER: r"""
        as a portal for information
        manages this site as
        office of website management
        links to other (internet |web ?)?sites?\b
        should not be construed as an endorsement
        privacy policies contained therein
        acrobat reader
        available under (the )?(open government|creative commons)
        open government licen[cs]e
        all rights reserved\.?$
        not an official (record|document)
    """,
}

# How a sentence of furniture begins.
OPENINGS = {
    BANNER: r"""
        (official|secure \.?\w+) websites? use |\(?a lock \W.{0,40}https://
        (we|this (web ?)?site|gov\.uk) (also )?uses? (\w+ ){0,4}cookies
        cookies on |(view )?cookie(s|s? (policy|preferences|settings|notice))$
        (this|our) (web ?)?site (also )?(stores|places|sets) (\w+ ){0,4}cookies|by (continuing|using) .{0,60}cookies
        (accept|reject|manage|set) (\w+ ){0,3}cookies\b|we(['’]d| would) like to (set|use) (\w+ ){0,3}cookies
        you(['’]ve| have) (accepted|rejected) (\w+ ){0,3}cookies
        (please )?enable javascript
    """,
    FOOTER: r"""
        this (web ?)?site is (managed|maintained|operated) by|external links\b
        (the )?appearance of (external|hyperlinks?) .{0,80}endorsement
        (note: )?documents in portable document format
        © ?crown copyright|(©|\(c\) (19|20)\d\d|copyright (©|\(c\)|(19|20)\d\d|notice))
        for information media\W|for the use of (information )?media
        is this page useful|help us improve|(there is something|is there anything) wrong with this page|report a problem
        (take|complete|answer|fill in) (our|a|this) .{0,30}survey|(tell us|let us know) what you think (of|about) th
        (give|leave|send) (us )?(your )?feedback\b|enter your e-?mail|stay (informed|connected|up to date)\b.{0,60}$
        it will (only )?take .{0,40}\bto (fill in|complete)
        did you find what you were looking for|was this page (helpful|useful)|thank you for your feedback
        (don['’]t include|to help us improve).{0,120}(national insurance|survey|visit)
        the following links? opens? in a new (tab|window)
        (sign up|subscribe|register) (now )?(for|to) .{0,60}(updates?|alerts?|newsletters?|e-?mails?|news)\b
        get (e-?mails?|alerts|updates) (about|for|from|on) |(un)?subscribe\b.{0,60}$
        date modified\b|page updated\b|((this|web ?site|page|site) ){0,2}(was )?last (modified|reviewed|changed)\b
        ((this|web ?site|page|site) ){1,2}(was )?last updated\b
        this (content|page) (is|was) (archived|published under|no longer)|archived content
        if you (need|use|require) .{0,60}(assistive technology|accessible format|alternative format)
    """,
}

# Navigation: furniture where one of these is the whole line.
LINES = {
    RULE: r"""
        ([-–—_=*~•·#.]\s*){3,}|(page )?\d{1,4} (of|/) \d{1,4}|page \d{1,4}
    """,
    END_MARK: r"""
        (#\s*){3,}|[-–—]\s*(30|ends?|more)\s*[-–—]|\(?ends?\)?\.?|\*+\s*ends?\s*\*+
    """,
    BANNER: rf"""
        {_SITE}
        (skip|jump) to (the )?(main |page )?(content|navigation|search|menu|footer)(\s+.{{0,40}})?
        (main |site )?(menu|navigation|search)|(open|close|toggle) (menu|navigation)
        search (this site|gov\.uk|canada\.ca)
        (language selection|français|español|english|العربية|русский|中文|deutsch|português)
        (français|english)\W+(fr|en|français|english)
        (you are here:? ?)?home(\s*[>/»›|→]\s*[^>/»›|→]{{1,80}}){{1,8}}
        ([^>»›→]{{2,60}}\s[>»›→]\s){{2,8}}[^>»›→]{{2,250}}
        [•|·]
        you are here:?|home|breadcrumbs?|log ?in|sign in|diplomacy in action|an? official (us|u\.s\.) government site
    """,
    SHARING: r"""
        (share|tweet|print|e-?mail|listen|like|save|download)( (this )?(page|article|story|release))?
        copy link|rss|pin it
        (share|send|post|follow|find|like|print|save)( (us|this|by|via|it|to|on|page|as|release|article))*NETWORKS+OPENS
        (NETWORK\b[\s|,·•/&]*(and )?){2,}|facebook|twitter|linkedin|whatsapp|instagram|youtube|flickr
        (read|see|view|show|hide|load) (more|all|less|all updates|full (text|story))|print(er)?[ -]friendly( version)?
    """.replace("NETWORKS", "( NETWORK)")
    .replace("OPENS", r"\W*(\(opens in .{0,20}\))?")
    .replace("NETWORK", _NETWORK),
    FOOTER: r"""
        \[?end of (the )?(document|release)\]?
        (back to|return to|go to) (the )?(top|home(page)?|news|press releases?)( of page)?|top( of page)?|↑.{0,20}
        (previous|next) (page|article|story|release|post|next)
        ((privacy|accessibility|cookies?|legal|copyright|terms)( NOTICE)+|(PAGE( NOTICE)*[\s|,·•/&–-]*(and )?){2,})
        (older|newer|earlier|later) (posts|entries|news|items|releases)|(\d{1,3}\s+){2,}\d{0,3}\s*(next|last)?\W*
        prn:? ?\d{4}/\d{1,5}|print version
        is this page (useful|not useful)\??|(yes|no),? this page is (not )?(useful|helpful)|maybe|site ?map|yes\W+no
    """.replace("NOTICE", _NOTICE).replace("PAGE", _PAGE),
}


_PHRASES = [(kind, one_of(table)) for kind, table in PHRASES.items()]
_OPENINGS = [(kind, one_of(table)) for kind, table in OPENINGS.items()]
_LINES = [(kind, one_of(table)) for kind, table in LINES.items()]
_AGENCY_NAME = re.compile(
    r"(?:the )?(?:(?:u\.?s\.?|united states|federal|uk|royal|australian|european) )?"
    r"(?:department|ministry|government|embassy|commission|council|parliament) (?:of|for) [\w.,&' ’-]{3,60}"
    r"|european (?:commission|union|external action service|parliament)|united nations|global affairs canada"
    r"|(?:\w+ )?(?:republic|kingdom|commonwealth|principality) of \w+(?: and \w+)?"
    rf"|the white house|{_SITE}",
    re.IGNORECASE,
)
_SENTENCE_BREAK = re.compile(r"(?<=[^A-Z][.!?])[*_]{0,3}\s+(?=[*_]{0,3}[A-Z])")


@lru_cache(maxsize=8192)
def line_kind(words: str) -> str | None:
    """Return what kind of furniture a whole line is, or None; a line of invisible characters is a rule.

    >>> line_kind("Share on Facebook"), line_kind("Share prices rose.")
    ('sharing', None)
    """
    words = words.lower()
    if not words:
        return RULE
    return next((kind for kind, pattern in _LINES if pattern.fullmatch(words)), None)


@lru_cache(maxsize=8192)
def sentence_kind(words: str) -> str | None:
    """Return what kind of furniture a sentence is, or None."""
    words = words.lower()
    opening = next((kind for kind, pattern in _OPENINGS if pattern.match(words)), None)
    return opening or next((kind for kind, pattern in _PHRASES if pattern.search(words)), None)


def furniture(page: str, lines: Sequence[Line], learned: Boilerplate) -> list[str | None]:
    """Return for each line what kind of furniture it is, or None."""
    kinds = [line_kind(line.words) if line.is_short else None for line in lines]
    for first, end in paragraphs(lines):
        paragraph = lines[first:end]
        if _is_learned(page, paragraph, learned):
            kinds[first:end] = [FOOTER] * len(paragraph)
        else:
            kinds[first:end] = _with_sentences(paragraph, kinds[first:end])
    for first, end, kind in _set_apart(lines):
        kinds[first:end] = [kind] * (end - first)
    return kinds


def _set_apart(lines: Sequence[Line]) -> Iterator[tuple[int, int, str]]:
    """Yield the stretches that the reader of HTML has set apart, marks included; of one without an end its mark."""
    opened: dict[str, int] = {}
    for position, line in enumerate(lines):
        if line.words in _BEGINS:
            name, kind = _BEGINS[line.words]
            opened.setdefault(name, position)
            yield position, position + 1, kind
        elif line.words in _ENDS:
            name, kind = _ENDS[line.words]
            yield opened.pop(name, position), position + 1, kind


def is_agency_name(words: str) -> bool:
    """Return whether a line only names a government or one of its bodies."""
    return words.count(" ") <= MAX_AGENCY_SPACES and bool(_AGENCY_NAME.fullmatch(words))


def _is_learned(page: str, paragraph: Sequence[Line], learned: Boilerplate) -> bool:
    opening = paragraph[0].words
    if not learned.hashes or read_field(opening) or attributed_to(opening):
        return False
    return learned.knows(page[paragraph[0].start : paragraph[-1].end])


def _with_sentences(paragraph: Sequence[Line], kinds: list[str | None]) -> list[str | None]:
    """Return the kinds of a paragraph's lines, each also by the furniture sentence that makes up half of it or more.

    Sentences are looked at, and not lines, because a footer may be broken over lines anywhere; but not over
    a line that is furniture by itself.
    """
    text = " ".join(line.words for line in paragraph)
    starts = [0, *accumulate(len(line.words) + 1 for line in paragraph)]
    covered = [0] * len(paragraph)
    breaks = {0, len(text), *(match.end() for match in _SENTENCE_BREAK.finditer(text))}
    breaks.update(edge for at, kind in enumerate(kinds) if kind for edge in starts[at : at + 2])
    for start, end in pairwise(sorted(breaks)):
        kind = sentence_kind(text[start:end].strip("*_ ")) if end - start <= MAX_SHORT else None
        at = bisect_right(starts, start) - 1
        while kind and at < len(paragraph) and starts[at] < end:
            covered[at] += min(end, starts[at + 1]) - max(start, starts[at])
            if 2 * covered[at] >= len(paragraph[at].words):
                kinds[at] = kinds[at] or kind
            at += 1
    return kinds
