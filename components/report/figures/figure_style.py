"""How all figures look, and how one becomes SVG that follows the page: light, dark or printed.

Matplotlib draws with placeholder colours, which become CSS variables of the page. Lines differ in
dashes as well as in colour, so that they survive colour-blindness and grey printing.
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

INK, MUTED, GRID, PAPER = "#000001", "#000002", "#000003", "#000004"
SIGNAL, BACKGROUND = "#000005", "#000006"
CANDIDATE, BASELINE, ACCENT = "#000007", "#000008", "#000009"

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
    # Text stays text: it can be searched, and the page's fonts are used.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    # What is drawn may come from data, and is no formula.
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

LONGEST_TEXT = 80
"""Characters of a text in a figure, more than which no figure is wide enough for."""

DASHED, DOTTED = (0, (5, 2)), (0, (1.2, 1.6))


def new_axes(width: float = 5.4, height: float = 3.5) -> tuple[Figure, Axes]:
    """A figure of one pair of axes, in inches; the margins leave room for labels."""
    figure = Figure(figsize=(width, height))
    left, bottom, right, top = 0.62, 0.5, 0.15, 0.15
    axes = figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    )
    return figure, axes


def draw(name: str, alternative: str, make: Callable[..., Figure], *data: Any) -> Markup:
    """Makes a figure and gives it as SVG.

    Args:
      name: of the figure, unique on the page.
      alternative: what it shows, in words, for those who cannot see it.
      make: from data to a figure.
      data: what ``make`` takes.
    """
    salt = name.encode("utf-8", "replace").decode("utf-8")
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": salt}):
        buffer = io.StringIO()
        figure = make(*data)
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_text(printable(text.get_text()))
        with warnings.catch_warnings():
            # The page's fonts draw the text, and they may well have what Matplotlib's has not.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return inline(buffer.getvalue(), alternative)


def printable(text: str) -> str:
    """A text for a figure: what cannot be printed is replaced, what is too long is cut off."""
    characters = (c if c.isprintable() or c == "\n" else "\ufffd" for c in text[:LONGEST_TEXT])
    return "".join(characters) + ("…" if len(text) > LONGEST_TEXT else "")


def inline(svg: str, alternative: str) -> Markup:
    """Matplotlib's SVG as an element of a page, with alternative text and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Groups are numbered anew in each figure, so their ids would occur many times on the page.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    # The first one; what follows may be a text of the figure.
    size = re.findall(r'viewBox="[^"]*"', svg)[0]
    label = escape(alternative, {'"': "&quot;"})
    head = f'<svg {size} xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{label}"'
    svg = re.sub(r"<svg[^>]*", lambda _: head, svg, count=1)
    for placeholder, variable in VARIABLES.items():
        svg = svg.replace(placeholder, f"var({variable})")
    return Markup(svg)  # noqa: S704 (Matplotlib escapes what it writes, and we what we add)
