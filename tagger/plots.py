"""The plots of an assessment, as SVG to stand in a page: the same bytes for the same figures, colours from the page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tagger.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_THEMES = 40
"""Themes drawn at most, those with the lowest F1."""

SHOWN_CONFUSED = 14
"""Themes drawn at most on each side of the confusions."""

_COLOURS = ("ink", "muted", "line", "accent", "second")
INK, MUTED, LINE, ACCENT, SECOND = (f"#00000{number}" for number in range(1, 6))
"""Stand for the page's colours while drawing, so that one plot is legible in light and dark."""

_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,  # a theme may be called "$"
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": f"cycler('color', ['{ACCENT}'])",
    "axes.unicode_minus": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": MUTED,
    "svg.fonttype": "none",
}


def check_installed() -> None:
    """Raise OutputError where the library that draws is not installed."""
    if not find_spec("matplotlib"):
        raise OutputError("Plots need matplotlib, which is not installed; install it: scripts/setup report")


def reliability(calibration: Mapping[str, Any]) -> str:
    """Return the plot of what share of pairs is true by the probability they were given, over how many there are."""

    def draw(figure: Figure) -> None:
        curve = calibration["all"]["curve"]
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        x, y = [row["mean_probability"] for row in curve], [row["share_true"] for row in curve]
        ends = [[row["share_true"] - row["low"] for row in curve], [row["high"] - row["share_true"] for row in curve]]
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        upper.errorbar(x, y, yerr=ends, color=ACCENT, marker="o", markersize=4.5, linewidth=1.4, elinewidth=1)
        upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share true")
        upper.grid(True)
        middles, counts = [(row["from"] + row["to"]) / 2 for row in curve], [row["pairs"] for row in curve]
        lower.bar(middles, counts, width=0.9 / calibration["bins"], color=ACCENT, alpha=0.5)
        lower.set(yscale="log", ylim=(0.7, 2 * max(counts, default=1)), xlabel="probability", ylabel="pairs")
        lower.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        lower.minorticks_off()

    return _svg(draw, "reliability", "Share of pairs that are true, by probability", (4.8, 4.6))


def themes_by_f1(themes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the plot of the F1 of each theme with its interval, the lowest first, and precision and recall on it."""
    met = sorted((row for row in themes.values() if row["f1"]), key=lambda row: (row["f1"]["value"], row["label"]))
    shown = met[:SHOWN_THEMES]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = range(len(shown))
        f1, ends = [row["f1"]["value"] for row in shown], _ends([row["f1"] for row in shown])
        axes.barh(places, f1, height=0.62, color=ACCENT, alpha=0.35, label="F1")
        axes.errorbar(f1, places, xerr=ends, fmt="none", ecolor=ACCENT, elinewidth=1.3, capsize=2, label="95% interval")
        for name, marker, colour in (("precision", "|", INK), ("recall", "x", SECOND)):
            known = [(row[name]["value"], place) for place, row in zip(places, shown, strict=True) if row[name]]
            x, y = [value for value, _ in known], [place for _, place in known]
            axes.scatter(x, y, marker=marker, s=26, linewidths=1.5, color=colour, label=name)
        axes.set_yticks(places, [f"{row['label']} ({row['examples']})" for row in shown])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set(xlim=(-0.01, 1.01), ylim=(len(shown) - 0.4, -0.6))
        axes.grid(True, axis="x")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, handletextpad=0.4, columnspacing=1.4)

    return _svg(draw, "themes", "F1, precision and recall of each theme", (7.2, 0.9 + 0.235 * len(shown)))


def learning(curve: Mapping[str, Any]) -> str:
    """Return the plot of how F1 grew with the number of seeds."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, label, colour in (("micro_f1", "micro F1", ACCENT), ("macro_f1", "macro F1", SECOND)):
            points = curve[name]
            band = [point["low"] for point in points], [point["high"] for point in points]
            axes.fill_between(curve["texts"], *band, color=colour, alpha=0.18, linewidth=0)
            means = [point["mean"] for point in points]
            axes.plot(curve["texts"], means, color=colour, marker="o", markersize=4.5, linewidth=1.6, label=label)
        axes.set(xlabel="seeds trained on", ylabel="F1 on held-out seeds")
        axes.set_xticks(curve["texts"], [f"{count:,}" for count in curve["texts"]])
        axes.grid(True, axis="y")
        axes.legend(loc="lower right")

    return _svg(draw, "learning", "F1 by the number of seeds", (4.8, 4.6))


def confused(confusions: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> str:
    """Return the plot of which theme was given wrongly (across) where which was missed (down)."""
    missed, given = (_most_often(confusions, side) for side in ("missed", "given"))
    cells = [row for row in confusions if row["missed"] in missed and row["given"] in given]

    def draw(figure: Figure) -> None:
        from matplotlib.patches import Rectangle

        axes = figure.subplots()
        axes.set_aspect("equal")
        most = max((row["documents"] for row in cells), default=1)
        for row in cells:
            x, y = given.index(row["given"]), missed.index(row["missed"])
            shade = 0.12 + 0.5 * row["documents"] / most
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=ACCENT, alpha=shade, linewidth=0))
            axes.text(x, y, str(row["documents"]), ha="center", va="center_baseline", color=INK)
        _label_cells(axes, [labels[theme] for theme in given], [labels[theme] for theme in missed])

    inches = 0.6 + 0.42 * len(given), 0.6 + 0.42 * len(missed)
    return _svg(draw, "confused", "Themes missed and themes given in their place", inches)


def _label_cells(axes: Axes, across: Sequence[str], down: Sequence[str]) -> None:
    axes.set_xticks(range(len(across)), across, rotation=40, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(down)), down)
    axes.tick_params(length=0, labelcolor=INK, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.set(xlim=(-0.5, len(across) - 0.5), ylim=(len(down) - 0.5, -0.5), ylabel="missed")
    axes.set_xlabel("given wrongly in the same documents")
    axes.spines[:].set_visible(False)
    axes.set_xticks([place + 0.5 for place in range(len(across) - 1)], minor=True)
    axes.set_yticks([place + 0.5 for place in range(len(down) - 1)], minor=True)
    axes.grid(True, which="minor")
    axes.tick_params(which="minor", length=0)


def _most_often(confusions: Sequence[Mapping[str, Any]], side: str) -> list[str]:
    counts: dict[str, int] = {}
    for row in confusions:
        counts[row[side]] = counts.get(row[side], 0) + row["documents"]
    return sorted(counts, key=lambda theme: (-counts[theme], theme))[:SHOWN_CONFUSED]


def _ends(figures: Sequence[Mapping[str, float]]) -> list[list[float]]:
    """Return how far the interval of each figure reaches below and above it."""
    # A draw's average may lie a hair's breadth from the figure itself; a length is never negative.
    return [
        [max(figure["value"] - figure["low"], 0.0) for figure in figures],
        [max(figure["high"] - figure["value"], 0.0) for figure in figures],
    ]


def _svg(draw: Callable[[Figure], None], name: str, description: str, inches: tuple[float, float]) -> str:
    """Draw a figure and return it as an SVG element that refers to nothing outside itself."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    written = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's own font draws what the one measured with lacks.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = Figure(figsize=inches)
        draw(figure)
        figure.savefig(written, format="svg", bbox_inches="tight", pad_inches=0.04, metadata={"Date": None})
    return _inlined(written.getvalue(), name, description)


def _inlined(svg: str, name: str, description: str) -> str:
    """Return the element of an SVG file as part of a page: its ids are its own, colours and font those of the page."""
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>", "", svg, flags=re.DOTALL)
    head = f'<svg class="plot" role="img" aria-label="{description}" viewBox="\\1" style="max-width: \\2pt">'
    svg = re.sub(r'<svg [^>]*viewBox="(0 0 ([\d.]+) [\d.]+)"[^>]*>', head, svg, count=1)
    svg = re.sub(r' id="', f' id="{name}-', svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg).replace("url(#", f"url(#{name}-")
    svg = re.sub(r"; font-family: [^;\"]*", "", svg)
    return re.sub(r"#00000([1-5])\b", lambda found: f"var(--{_COLOURS[int(found[1]) - 1]})", svg)
