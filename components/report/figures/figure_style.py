"""Style of all figures, and their conversion to SVG in the colours of the page.

Matplotlib draws in the colours of the light page; in the SVG they become the page's CSS variables,
so that the figures follow its dark and print styles. Lines differ in dashes as well as in colour,
for colour-blind readers and for grey printing.
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

# The light colours of style.css, all different.
INK, MUTED, GRID, PAPER = "#16191d", "#646d78", "#dde1e5", "#ffffff"
SIGNAL, BACKGROUND = "#0072b2", "#c4500a"
CANDIDATE, BASELINE, ACCENT = "#0b5c94", "#7a6a9e", "#00805f"

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    PAPER: "--paper",
    SIGNAL: "--signal",
    BACKGROUND: "--background",
    CANDIDATE: "--candidate",
    BASELINE: "--baseline",
    ACCENT: "--accent",
}

STYLE: dict[str, Any] = {
    # Text stays text, so that it can be searched and is drawn in the page's fonts.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    # Texts may come from data and must not be read as formulas.
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.color": BACKGROUND,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}

MAX_TEXT_LENGTH = 80
"""Characters of a text that fit into a figure."""

DASHED, DOTTED = (0, (5, 2)), (0, (1.2, 1.6))


def new_axes(width: float = 5.4, height: float = 3.5) -> tuple[Figure, Axes]:
    """Makes a figure with one pair of axes; sizes are in inches."""
    figure = Figure(figsize=(width, height))
    left, bottom, right, top = 0.62, 0.5, 0.15, 0.15
    axes = figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    )
    return figure, axes


def to_svg(name: str, alternative: str, make: Callable[..., Figure], *data: Any) -> Markup:
    """Makes a figure and converts it to SVG.

    Args:
        name: the figure's name, unique on the page.
        alternative: text for readers who cannot see the figure.
        make: makes the figure from ``data``.
        data: arguments of ``make``.
    """
    salt = name.encode("utf-8", "replace").decode("utf-8")
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": salt}):
        buffer = io.StringIO()
        figure = make(*data)
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_text(printable(text.get_text()))
        with warnings.catch_warnings():
            # The text is drawn in the page's fonts, which may have more glyphs than Matplotlib's.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return inline(buffer.getvalue(), alternative)


def printable(text: str) -> str:
    """Replaces unprintable characters and truncates long texts."""
    characters = (c if c.isprintable() or c == "\n" else "\ufffd" for c in text[:MAX_TEXT_LENGTH])
    return "".join(characters) + ("…" if len(text) > MAX_TEXT_LENGTH else "")


def inline(svg: str, alternative: str) -> Markup:
    """Converts Matplotlib's SVG to an element of a page with alternative text."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Matplotlib numbers the groups of each figure from 1, so their ids would not be unique.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    # The first match; later ones may be texts of the figure.
    size = re.findall(r'viewBox="[^"]*"', svg)[0]
    label = escape(alternative, {'"': "&quot;"})
    head = f'<svg {size} xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{label}"'
    svg = re.sub(r"<svg[^>]*", lambda _: head, svg, count=1)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return Markup(svg)  # noqa: S704 (escaped by Matplotlib and above)
