"""Requests that work as they are, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

PAGE = (
    "Ministers Sign a Trade Agreement\n\n4 May 2031\n\nOffice of the Spokesperson\n\n"
    "The trade agreement signed today removes tariffs on steel and dairy products over four years.\n\n"
    "New Rules for Export Controls\n\n5 May 2031\n\nOffice of the Spokesperson\n\n"
    "The ministry published rules on the export of machine tools and dual-use goods.\n"
)

DOCUMENTS: dict[str, Any] = {
    "text": {
        "summary": "A text",
        "value": {
            "text": "The agreement removes tariffs on steel and dairy products.",
            "title": "Trade agreement signed",
        },
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
        "value": {
            "text": "<h1>Trade agreement signed</h1><p>It removes tariffs on steel &amp; dairy.</p>",
            "format": "html",
        },
    },
}

BATCHES: dict[str, Any] = {
    "two": {
        "summary": "Two documents",
        "value": {
            "documents": [
                {"id": "a", "text": "The agreement removes tariffs on steel and dairy products."},
                {"id": "b", "title": "Export controls", "text": "New rules on the export of machine tools."},
            ]
        },
    },
    "one-wrong": {
        "summary": "The second has its own error",
        "value": {"documents": [{"id": "a", "text": "Tariffs on steel fall."}, {"id": "b", "text": ""}]},
    },
}
