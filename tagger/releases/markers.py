"""Lines of a release that are not its text: text markers, attributions and contacts."""

from __future__ import annotations

import re
from functools import lru_cache

from tagger.releases.patterns import one_of

_TEXT_MARKER = re.compile(
    r"(begin|start|end) (of )?(the )?(official |full )?(text|transcript|statement)[\s.:*]*", re.IGNORECASE
)
_ATTRIBUTION = re.compile(
    r"((the|this) )?(following|below|above|readout|statement)?.{0,60}?\battribut(able|ed) to (the )?"
    r"(?P<who>[^:]{3,160}?)[\s:.\u200e]*",
    re.IGNORECASE,
)
_EMAIL_OR_PHONE = one_of(r"""
    [\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}
    \+\d[\d ().-]{6,18}\d
    \(\d{2,4}\)[ .-]?\d{3,4}[ .-]?\d{3,4}
    (?<!\d)0\d{1,4}[ .-]\d{3,4}[ .-]\d{3,4}
    (?<!\d)\d{3}[-. ]\d{3}[-.]\d{4}
""")

# How a paragraph begins that only says whom to ask; one pattern a line.
_CONTACT = one_of(
    r"""
    for ((any|all|further|more|additional|general|other|press|media|public|interview)\b.{0,60}?)?ASK\b.{0,200}\bREACH\b
    (media|press|public|general|journalist|news)s? ?(and public )?(ASK|contacts?|relations?|office|desk)\b.{0,80}
    please REACH .{0,60}ASK\b
    (if you have|with) (any )?(questions|queries|enquiries)
    contacts?( (us|details|information|person|points?|for (the )?media))?\s*(:.*)?$
    (tel|telephone|phone|fax|e-?mail|mobile|cell|twitter)\b\s*([.:]|[\d(+]|(us|the) )
    to (arrange|request|schedule) .{0,60}interview
    (contact|call|e-?mail|write to) (the|our) .{0,60}\b(team|office|desk|unit)\b.{0,30}\b(via|by|at|on|through)\b
    \d{1,5}[\w-]* (\w+ ){1,4}(street|road|avenue|quay|lane|square|drive|boulevard|terrace|way)\b.{0,60}$
    (private bag|p\.? ?o\.? box)\b.{0,60}$
    """.replace("ASK", r"(information|details|inquir\w+|enquir\w+|quer\w+|questions|requests?)").replace(
        "REACH", r"(contact|e-?mail|call|telephone|phone|write to|reach|get in touch|direct|submit|send|speak)"
    ),
    ignore_case=True,
)
# With an address or a number in it, these are enough.
_INFORMATION = one_of(
    r"""
    for (further|more|additional|press|media) (information|details)|for (press|media|any)
    questions|rsvp\b
    """,
    ignore_case=True,
)
_IMPRINT = one_of(
    r"""
    (issued|released|published|distributed) (by|on behalf of)\b.*|source: .*|(first )?published( on)?:? \d.*
    (last )?updated( on)?:? \d.*
    """,
    ignore_case=True,
)
_CONTACT_HEADING = one_of(
    r"""
    ((press|media|news|general|public|for) )?(contacts?|enquiries|inquiries|queries)( (details|information|us))?
    for media enquiries
    (contacts?|enquiries|inquiries) for (the )?media
    for (more|further|additional|press|media) (information|enquiries|inquiries)(,? (please )?contact)?
    media (relations|contacts?)( office)?|press (office|team|contacts?)
    """,
    ignore_case=True,
)
_RELATED_HEADING = one_of(
    r"""
    (related|associated|useful|external|relevant|helpful) (content|links?|documents?|products?|pages?|news|articles?)
    (related|associated|useful|external|relevant|helpful) (items?|topics?|resources|stories|releases?|publications?)
    see also|links|explore the topic|(document|topic|tag|keyword)(s|\(s\))?
    share( this)?( page| article)?|follow us( on)?
    more (news|stories|from .{3,40}|on this topic)|((latest|recent|other|all) )?(news|press releases|releases)
    news ?room|(press|media) (centre|center)|news archive
    """,
    ignore_case=True,
)
_BELOW = (("contact", _CONTACT_HEADING), ("related", _RELATED_HEADING), ("imprint", _IMPRINT))


@lru_cache(maxsize=8192)
def is_text_marker(words: str) -> bool:
    """Return whether a line only says where a quoted text begins or ends.

    >>> is_text_marker("Begin text:"), is_text_marker("End of text.")
    (True, True)
    """
    return len(words) <= 60 and bool(_TEXT_MARKER.fullmatch(words))


def attributed_to(words: str) -> str | None:
    """Return to whom a line attributes the text below it, or None for any other line.

    >>> attributed_to("The below is attributable to Spokesperson Ned Price:")
    'Spokesperson Ned Price'
    """
    match = _ATTRIBUTION.fullmatch(words)
    return match["who"] if match else None


@lru_cache(maxsize=8192)
def is_contact(words: str) -> bool:
    """Return whether a paragraph at the end of a release only says whom to ask."""
    if len(words) > 500:
        return False
    reachable = _EMAIL_OR_PHONE.search(words)
    return bool(
        _CONTACT.match(words) or (reachable and (len(words) - len(reachable[0]) < 60 or _INFORMATION.match(words)))
    )


@lru_cache(maxsize=8192)
def below_kind(words: str) -> str | None:
    """Return what a short line is that stands below a text: `contact` or `related`, a heading, or `imprint`.

    >>> below_kind("Media enquiries:"), below_kind("See also"), below_kind("Issued by the Ministry of Ports")
    ('contact', 'related', 'imprint')
    """
    words = words.rstrip(": ")
    return next((kind for kind, pattern in _BELOW if len(words) <= 120 and pattern.fullmatch(words)), None)
