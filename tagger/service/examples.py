"""Requests that work as they are, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

PAGE = (
    "Ministers Agree Fishing Quotas\n\n4 May 2031\n\nOffice of the Spokesperson\n\n"
    "Ministers agreed today on fishing quotas for cod and hake in the northern waters.\n\n"
    "New Rules for Export Controls\n\n5 May 2031\n\nOffice of the Spokesperson\n\n"
    "The ministry published rules on the export of machine tools and dual-use goods.\n"
)

DOCUMENTS: dict[str, Any] = {
    "text": {
        "summary": "A text",
        "value": {"text": "Ministers agreed today on fishing quotas for cod and hake.", "title": "Fishing quotas"},
    },
    "explained": {
        "summary": "With the evidence and the score of every theme",
        "value": {
            "id": "release-7",
            "text": "The ministry published rules on the export of machine tools.",
            "metadata": {"office": "Trade", "year": 2031},
            "explain": True,
            "include": "all",
        },
    },
    "page": {"summary": "A page, cut into its releases", "value": {"text": PAGE, "split": "auto"}},
    "html": {
        "summary": "A page in HTML",
        "value": {"text": "<h1>Fishing quotas</h1><p>Ministers agreed on cod &amp; hake.</p>", "format": "html"},
    },
}

BATCHES: dict[str, Any] = {
    "two": {
        "summary": "Two documents",
        "value": {
            "documents": [
                {"id": "a", "text": "Ministers agreed today on fishing quotas for cod and hake."},
                {"id": "b", "title": "Export controls", "text": "New rules on the export of machine tools."},
            ]
        },
    },
    "one-wrong": {
        "summary": "The second has its own error",
        "value": {"documents": [{"id": "a", "text": "Ministers agreed on quotas."}, {"id": "b", "text": ""}]},
    },
}
