"""Lines of a release that are not its text: text markers, attributions and contacts."""

from __future__ import annotations

import re

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
    more (news|stories|from .{3,40}|on this topic)|(latest|recent|other) (news|press releases|releases)
    """,
    ignore_case=True,
)


def is_text_marker(words: str) -> bool:
    """Return whether a line only says where a quoted text begins or ends.

    >>> is_text_marker("Begin text:"), is_text_marker("End of text.")
    (True, True)
    """
    return len(words) <= 60 and bool(_TEXT_MARKER.fullmatch(words))


def is_end_marker(words: str) -> bool:
    """Return whether a line says that a quoted text ends."""
    return is_text_marker(words) and words[:3].lower() == "end"


def attributed_to(words: str) -> str | None:
    """Return to whom a line attributes the text below it, or None for any other line.

    >>> attributed_to("The below is attributable to Spokesperson Ned Price:")
    'Spokesperson Ned Price'
    """
    match = _ATTRIBUTION.fullmatch(words) if len(words) <= 250 else None
    return match["who"] if match else None


def is_contact(words: str) -> bool:
    """Return whether a paragraph at the end of a release only says whom to ask."""
    if len(words) > 500:
        return False
    reachable = _EMAIL_OR_PHONE.search(words)
    return bool(
        _CONTACT.match(words) or (reachable and (len(words) - len(reachable[0]) < 60 or _INFORMATION.match(words)))
    )


def is_contact_heading(words: str) -> bool:
    """Return whether a line heads a list of contacts."""
    return len(words) <= 80 and bool(_CONTACT_HEADING.fullmatch(words.rstrip(": ")))


def is_related_heading(words: str) -> bool:
    """Return whether a line heads a list of links that follows a release."""
    return len(words) <= 60 and bool(_RELATED_HEADING.fullmatch(words.rstrip(": ")))


def follows_text(words: str) -> bool:
    """Return whether a short line belongs below a text: contacts and lists of links, never a title."""
    return is_contact_heading(words) or is_related_heading(words) or bool(_EMAIL_OR_PHONE.search(words))
