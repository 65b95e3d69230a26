"""An assessment as one web page that needs nothing outside itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from tagger import plots
from tagger.evaluation import AVERAGES

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_CSS = """\
:root { color-scheme: light dark; --page: #fbfbfa; --card: #ffffff; --ink: #1d2227; --muted: #59636e; --line: #dfe3e7;
  --accent: #2467a8; --second: #b8482f; --good: #2467a81f; --bad: #b8482f1f; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --card: #1b1f23; --ink: #e4e8ec; --muted: #98a3ae;
  --line: #343b43; --accent: #6cb0ee; --second: #f08f74; --good: #6cb0ee2b; --bad: #f08f742b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; } p { margin: .3rem 0 .8rem; max-width: 48rem; }
.note { color: var(--muted); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .7rem; margin: 1.4rem 0; }
.figures div, .error { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem .9rem; }
.figures b { display: block; font-size: 1.55rem; font-weight: 600; line-height: 1.25; }
.figures span { color: var(--muted); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { text-align: right; padding: .28rem .45rem; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } th { color: var(--muted); font-weight: 500; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td small { color: var(--muted); margin-left: .35rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem 2rem; }
svg.plot { display: block; width: 100%; height: auto; margin: .6rem 0; font-family: inherit; }
svg.plot * { stroke-linejoin: round; stroke-linecap: butt; }
.error { margin: .6rem 0; } .error p { margin: 0 0 .35rem; }
.terms span { display: inline-block; border-radius: .35rem; padding: .05rem .45rem; margin: .12rem .25rem .12rem 0;
  font-size: .85rem; background: var(--good); } .terms .against { background: var(--bad); }
.terms i { font-style: normal; color: var(--muted); margin-left: .3rem; }
"""


def render(assessment: Mapping[str, Any]) -> str:
    """Return the page of an assessment; the same bytes for the same figures. Raises OutputError without matplotlib."""
    plots.check_installed()
    sections = (_head, _summary, _groups, _probabilities, _themes, _confusions, _errors)
    body = "\n".join(section(assessment) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(assessment['version'])} evaluated</title>\n<style>\n{_CSS}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _head(assessment: Mapping[str, Any]) -> str:
    left_out = f" {assessment['unreviewed']:,} unreviewed documents were left out." if assessment["unreviewed"] else ""
    seen = assessment["seen_in_training"]
    warning = (
        f"<p><strong>{seen:,} of the documents were trained on: the figures flatter the model.</strong></p>"
        if seen
        else ""
    )
    return (
        f"<h1>{_text(assessment['version'])} on {assessment['documents']:,} labelled documents</h1>\n"
        f'<p class="note">{assessment["optional_pairs"]:,} optional pairs of document and theme neither help nor hurt.'
        f"{left_out} Intervals are 95% (bootstrap over documents, {assessment['draws']:,} draws).</p>{warning}"
    )


def _summary(assessment: Mapping[str, Any]) -> str:
    cards = "".join(
        f"<div><span>{label}</span><b>{_value(figure)}</b><span>{_interval(figure)}</span></div>"
        for figure, label in ((assessment["averages"][name], label) for name, label in AVERAGES.items())
    )
    return f'<section class="figures">{cards}</section>'


def _groups(assessment: Mapping[str, Any]) -> str:
    if not assessment["groups"]:
        return ""
    rows = [("all themes", assessment["averages"])]
    for how in ("without", "alone"):
        for group, part in assessment["groups"].items():
            rows.append((f"without {group}" if how == "without" else f"{group} alone", part[how]))
    table = _table(
        ["themes", *AVERAGES.values()],
        [[_text(name), *(_value(averages[figure]) for figure in AVERAGES)] for name, averages in rows],
    )
    return f"<h2>With and without each group of themes</h2>{table}"


def _probabilities(assessment: Mapping[str, Any]) -> str:
    found, curve = assessment["calibration"], assessment["learning_curve"]
    table = _table(
        ["pairs of document and theme", "pairs", "Brier score", "calibration error"],
        [
            [name, f"{part['pairs']:,}", _number(part["brier"]), _number(part["expected_calibration_error"])]
            for name, part in (
                ("all", found["all"]),
                (f"probability at least {found['likely_from']}", found["likely"]),
            )
        ],
    )
    probabilities = (
        "<div><h2>Do the probabilities mean what they say?</h2>"
        '<p class="note">Dots on the dashed line do; above it the model is too modest, below it too sure.</p>'
        f"{plots.reliability(found)}{table}</div>"
    )
    learning = (
        "<div><h2>What do more seeds bring?</h2>"
        '<p class="note">As training found it on held-out seeds; not of the documents of this page.</p>'
        f"{plots.learning(curve)}</div>"
        if curve
        else ""
    )
    return f'<div class="pair">{probabilities}{learning}</div>'


def _themes(assessment: Mapping[str, Any]) -> str:
    met = {theme: row for theme, row in assessment["themes"].items() if row["f1"]}
    head = "<h2>Themes</h2>"
    if not met:
        return f'{head}<p class="note">No document has a theme, and none was given one.</p>'
    some = f"The {plots.SHOWN_THEMES} with the lowest F1. " if len(met) > plots.SHOWN_THEMES else ""
    table = _table(
        ["theme", "examples", "given", "precision", "recall", "F1", "threshold"],
        [
            [
                _text(row["label"]),
                f"{row['examples']:,}",
                f"{row['given']:,}",
                *(
                    f"{_value(row[name])}<small>{_interval(row[name])}</small>"
                    for name in ("precision", "recall", "f1")
                ),
                _number(row["threshold"]),
            ]
            for row in met.values()
        ],
    )
    unmet = len(assessment["themes"]) - len(met)
    rest = f" Not shown: {unmet:,} that are neither true nor given anywhere here." if unmet else ""
    return (
        f'{head}<p class="note">{some}In brackets the documents that have the theme; of few, little can be said.'
        f"{rest}</p>"
        f"{plots.themes_by_f1(met)}{table}"
    )


def _confusions(assessment: Mapping[str, Any]) -> str:
    if not assessment["confusions"]:
        return ""
    labels = {theme: row["label"] for theme, row in assessment["themes"].items()}
    return (
        '<h2>Which theme was given where which was missed?</h2><p class="note">Documents in which the theme on the '
        "left was missed and the one above was given wrongly; at most the "
        f"{plots.SHOWN_CONFUSED} most frequent of each.</p>"
        f"{plots.confused(assessment['confusions'], labels)}"
    )


def _errors(assessment: Mapping[str, Any]) -> str:
    labels = {theme: row["label"] for theme, row in assessment["themes"].items()}
    heads = {"false_positives": "Given wrongly, and most surely", "false_negatives": "Missed, and by most"}
    return "<h2>Worst errors</h2>" + "".join(
        f"<h3>{head}</h3>" + ("".join(_error(row, labels) for row in assessment["worst"][kind]) or "<p>None.</p>")
        for kind, head in heads.items()
    )


def _error(row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    named = {name: ", ".join(_text(labels[theme]) for theme in row[name]) or "none" for name in ("themes", "given")}
    terms = [
        f'<span class="{kind}">{_text(term["term"])}<i>{term["share"]:+.2f}</i></span>'
        for kind in ("for", "against")
        for term in row[kind]
    ]
    return (
        f'<div class="error"><p><strong>{_text(labels[row["theme"]])}</strong> {_number(row["probability"])} '
        f'<span class="note">threshold {_number(row["threshold"])}, score {row["score"]:+.2f} from a bias of '
        f"{row['bias']:+.2f}</span></p>"
        f"<p><bdi>{_text(row['title'] or row['id'])}</bdi></p>"
        f'<p class="note">has {named["themes"]}; was given {named["given"]}</p>'
        f'<div class="terms">{"".join(terms) or "no term speaks for or against it"}</div></div>'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; its cells are HTML already."""
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    names = "".join(f"<th>{name}</th>" for name in head)
    return f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>\n{lines}</tbody></table></div>'


def _text(value: str) -> str:
    return escape(_CONTROL.sub("\ufffd", value))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _value(figure: Mapping[str, float] | None) -> str:
    return _number(figure["value"] if figure else None)


def _interval(figure: Mapping[str, float] | None) -> str:
    return f"{figure['low']:.2f}–{figure['high']:.2f}" if figure else ""
