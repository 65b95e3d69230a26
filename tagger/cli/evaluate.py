"""`tagger evaluate`: how good a version is on documents whose themes are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tagger.cli.options import Input, Json, Model, Models, check_inputs

SHOWN_ERRORS = 5
SHOWN_CONFUSIONS = 8
SHOWN_THEMES = 60

_OF_GROUPS = ("micro_f1", "macro_f1", "samples_f1", "precision_at_1", "ndcg")


def evaluate(
    *labelled: Input,
    html: Annotated[Path | None, Parameter(help="Write one web page with plots, too.")] = None,
    model: Model = None,
    models: Models = Path("models"),
    json: Json = None,
) -> int:
    """Measure a version on documents whose themes are known, which are taken as they are.

    Each document states its `themes` (or `labels`), and may state `optional` ones, which neither help nor hurt. Files
    and folders of JSON lines, CSV, pages with front matter, or - for standard input.

    Example: tagger evaluate reviewed.jsonl --html report.html
    """
    from tagger import page, plots
    from tagger.assessment import assess
    from tagger.cli import output
    from tagger.files import check_writable, replace_file
    from tagger.readers import documents
    from tagger.registry import Registry

    check_inputs(labelled, "tagger evaluate reviewed.jsonl")
    if html:
        plots.check_installed()
        check_writable(html)
    registry = Registry(models)
    version = registry.live() if model is None else registry.get(model)
    with output.ProgressLine() as line:
        assessment = assess(
            version, documents(labelled), lambda phase, done: line.show(f"{phase} {done:.0%}" if done else phase)
        )
        if html:
            line.show("drawing")
            replace_file(html, page.render(assessment).encode())
    if output.as_json(json):
        output.write_json_lines([assessment])
    else:
        _show(assessment)
    if assessment["seen_in_training"]:
        seen = output.counted(assessment["seen_in_training"], "document")
        output.say(f"{version.name} was trained on {seen} of these, so the figures flatter it.")
    if html:
        output.say(f"{html}: written.")
    return 0


def _show(assessment: Mapping[str, Any]) -> None:
    from tagger.cli.output import counted, write

    left_out = f", {assessment['unreviewed']:,} unreviewed left out" if assessment["unreviewed"] else ""
    optional = counted(assessment["optional_pairs"], "optional pair")
    write(f"{assessment['version']} on {counted(assessment['documents'], 'document')}{left_out}; {optional}", "bold")
    _show_averages(assessment)
    _show_themes(assessment["themes"])
    _show_calibration(assessment["calibration"])
    _show_confusions(assessment["confusions"])
    for kind, rows in assessment["worst"].items():
        _show_errors(kind.replace("_", " "), rows[:SHOWN_ERRORS])


def _show_averages(assessment: Mapping[str, Any]) -> None:
    from tagger.cli.output import write, write_table
    from tagger.evaluation import AVERAGES

    averages = assessment["averages"]
    rows = [(label, _value(averages[name]), _interval(averages[name])) for name, label in AVERAGES.items()]
    write_table(("", "all themes", "95% interval"), rows, ("all themes", "95% interval"))
    if assessment["groups"]:
        head = ("", *(AVERAGES[name] for name in _OF_GROUPS))
        write("")
        write_table(head, _group_rows(assessment["groups"]), head[1:])


def _group_rows(groups: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for how, words in (("without", "without {}"), ("alone", "{} alone")):
        for group, part in groups.items():
            yield words.format(group), *(_value(part[how][name]) for name in _OF_GROUPS)


def _show_themes(themes: Mapping[str, Any]) -> None:
    from tagger.cli.output import say, write, write_table

    met = sorted((item for item in themes.items() if item[1]["f1"]), key=lambda item: (item[1]["f1"]["value"], item[0]))
    head = ("theme", "examples", "given", "precision", "recall", "F1", "95% interval")
    write("")
    rows = [
        (
            theme,
            str(row["examples"]),
            str(row["given"]),
            *(_value(row[name]) for name in ("precision", "recall", "f1")),
            _interval(row["f1"]),
        )
        for theme, row in met[:SHOWN_THEMES]
    ]
    write_table(head, rows, head[1:])
    if len(met) > SHOWN_THEMES:
        say(f"{len(met) - SHOWN_THEMES:,} themes of higher F1 are not shown; --json and --html have them all.")


def _show_calibration(calibration: Mapping[str, Any]) -> None:
    from tagger.cli.output import write, write_table

    head = ("probabilities", "pairs", "Brier score", "calibration error")
    names = {"all": "all pairs", "likely": f"{calibration['likely_from']} and more"}
    rows = [
        (name, f"{part['pairs']:,}", _number(part["brier"]), _number(part["expected_calibration_error"]))
        for name, part in ((name, calibration[part]) for part, name in names.items())
    ]
    write("")
    write_table(head, rows, head[1:])


def _show_confusions(confusions: Sequence[Mapping[str, Any]]) -> None:
    from tagger.cli.output import write, write_table

    if confusions:
        rows = [(row["missed"], row["given"], str(row["documents"])) for row in confusions[:SHOWN_CONFUSIONS]]
        write("")
        write_table(("missed", "given instead", "documents"), rows, ("documents",))


def _show_errors(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    from tagger.cli.output import write

    if rows:
        write(f"\nworst {name}", "bold")
    for row in rows:
        write(f"{row['theme']} {row['probability']:.3f} of {row['threshold']:.3f}: {row['title'] or row['id']}")
        write(f"  score {row['score']:+.2f} from a bias of {row['bias']:+.2f}", "dim")
        for kind in ("for", "against"):
            terms = ", ".join(f"{term['term']} {term['share']:+.2f}" for term in row[kind])
            write(f"  {kind}: {terms or 'no term'}", "dim")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _value(figure: Mapping[str, float] | None) -> str:
    return _number(figure["value"] if figure else None)


def _interval(figure: Mapping[str, float] | None) -> str:
    return f"{figure['low']:.3f}–{figure['high']:.3f}" if figure else "–"
