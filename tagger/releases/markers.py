"""Lines of a release that are not its text: text markers, attributions and contacts."""

from __future__ import annotations

import re

_TEXT_MARKER = re.compile(
    r"(begin|start|end) (?:of )?(?:the )?(?:official |full )?(?:text|transcript|statement)[\s.:*]*", re.IGNORECASE
)
_ATTRIBUTION = re.compile(
    r"(?:the |this )?(?:following|below|readout|statement|above)?.{0,60}?\battribut(?:able|ed) to (?:the )?(?P<who>[^:]{3,160}?)[\s:.\u200e]*",
    re.IGNORECASE,
)
_REACH = r"(?:contact|e-?mail|call|telephone|phone|write to|reach|get in touch|direct|submit|send|speak)"
_CONTACT = re.compile(
    rf"for (?:(?:any|all|further|more|additional|general|other|press|media|public|interview|journalist)\b.{{0,60}}?)"
    rf"?(?:information|details|inquir\w+|enquir\w+|quer\w+|questions|requests?)\b.{{0,200}}\b{_REACH}\b"
    r"|(?:media|press|public|general|journalist|news)s? ?(?:and public )?(?:inquir\w+|enquir\w+|contacts?|quer(?:y|ies)|relations?|office|desk)\b.{0,80}"
    rf"|please {_REACH} .{{0,60}}(?:inquir|enquir|quer|questions?|requests?)"
    r"|(?:if you have|with) (?:any )?(?:questions|queries|enquiries)"
    r"|contacts?(?: (?:us|details|information|person|for media|for the media|points?))?\s*(?::.*)?$"
    r"|(?:tel|telephone|phone|fax|e-?mail|mobile|cell|twitter)\b\s*(?:[.:]|[\d(+])"
    r"|to (?:arrange|request|schedule) .{0,60}interview",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:(?:press|media|news|general|public|for) )?(?:contacts?|enquiries|inquiries|queries|media enquiries)(?: (?:details|information|us|for media"
    r"|for the media))?:?|for (?:more|further|additional|press|media) (?:information|enquiries|inquiries)(?:,? (?:please )?contact)?:?"
    r"|media (?:relations|contacts?)(?: office)?:?|press (?:office|team|contacts?):?",
    re.IGNORECASE,
)
_EMAIL_OR_PHONE = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}|\+\d[\d ().-]{6,18}\d|\(\d{2,4}\)[ .-]?\d{3,4}[ .-]?\d{3,4}"
    r"|(?<!\d)0\d{1,4}[ .-]\d{3,4}[ .-]\d{3,4}|(?<!\d)\d{3}[-. ]\d{3}[-.]\d{4}"
)
_INFORMATION = re.compile(
    r"for (?:further|more|additional|press|media) (?:information|details)|for (?:press|media|any)|questions|rsvp\b",
    re.IGNORECASE,
)
_RELATED = re.compile(
    r"(?:related|associated|useful|external|relevant|helpful) (?:content|links?|documents?|products?|pages?|news|articles?|items?|information|topics?|"
    r"resources|stories|releases?|websites?|publications?|materials?)|see also|explore the topic|(?:document|topic|tag|keyword)(?:s|\(s\))?|"
    r"share(?: this)?(?: page| article)?|follow us(?: on)?|more (?:news|stories|from .{3,40}|on this topic)|(?:latest|recent|other) (?:news|press releases|releases)"
    r"|links",
    re.IGNORECASE,
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
        _CONTACT.match(words) or reachable and (len(words) - len(reachable[0]) < 60 or _INFORMATION.match(words))
    )


def is_contact_heading(words: str) -> bool:
    """Return whether a line heads a list of contacts."""
    return len(words) <= 80 and bool(_HEADING.fullmatch(words))


def is_related_heading(words: str) -> bool:
    """Return whether a line heads a list of links that follows a release."""
    return len(words) <= 60 and bool(_RELATED.fullmatch(words.rstrip(": ")))


def follows_text(words: str) -> bool:
    """Return whether a short line belongs below a text: contacts and lists of links, never a title."""
    return is_contact_heading(words) or is_related_heading(words) or bool(_EMAIL_OR_PHONE.search(words))
