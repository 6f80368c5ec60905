"""The figure of the gate's error rates in docs/measurements.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.ticker import FuncFormatter
from scipy.stats import beta

from components.report.figures.figure_style import (
    ACCENT,
    BACKGROUND,
    CANDIDATE,
    DASHED,
    DOTTED,
    MUTED,
    STYLE,
    new_axes,
)

PATH = Path(__file__).parents[1] / "docs" / "images" / "gate_errors.svg"

LINES = {
    0: ("equal to the baseline", ACCENT, "-", "o"),
    1: ("worse by auc_max_drop", CANDIDATE, DASHED, "s"),
    2: ("worse by twice auc_max_drop", BACKGROUND, DOTTED, "^"),
}
"""Label, colour, line and marker by times the tolerated drop."""


@dataclass(frozen=True)
class Rates:
    """The shares of pairs by decision.

    Attributes:
        events: of the eval split.
        times: the candidate's true drop, in tolerated drops.
        pushed: the share that was pushed.
        interval: its 95 % interval.
        undecided: the share whose difference passed, but not its bounds; NaN if it is not known.
    """

    events: int
    times: int
    pushed: float
    interval: tuple[float, float]
    undecided: float


def binomial_interval(count: int, pairs: int) -> tuple[float, float]:
    """Computes the exact 95 % interval of a share (Clopper, Pearson 1934)."""
    others = pairs - count
    low = beta.ppf(0.025, count, others + 1) if count else 0.0
    return float(low), float(beta.ppf(0.975, count + 1, others) if others else 1.0)


def draw(points: Sequence[Rates], path: Path = PATH) -> None:
    """Draws the shares of models pushed against the number of events, as SVG."""
    style = {**STYLE, "svg.fonttype": "path", "svg.hashsalt": path.stem, "savefig.facecolor": "w"}
    with matplotlib.rc_context(style):
        figure, axes = new_axes(6.4, 3.8)
        for goal in (0.001, 0.05):
            axes.axhline(goal, color=MUTED, lw=0.8, ls=DOTTED)
        for times, (label, colour, line, marker) in LINES.items():
            chosen = [point for point in points if point.times == times]
            errors = [
                (point.pushed - point.interval[0], point.interval[1] - point.pushed)
                for point in chosen
            ]
            axes.errorbar(
                [point.events for point in chosen],
                [point.pushed for point in chosen],
                yerr=list(zip(*errors, strict=True)),
                color=colour,
                ls=line,
                marker=marker,
                ms=4,
                lw=1.4,
                elinewidth=0.8,
                label=label,
            )
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=1e-4, linscale=0.6)
        axes.set(ylim=(0, 1.1), xlabel="events of the eval split")
        axes.set_yticks([0, 1e-4, 1e-3, 0.01, 0.05, 0.2, 1])
        axes.set_ylabel("candidates pushed")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda events, _: f"{events:,.0f}"))
        # Below the lines of models that are equal or worse by the drop.
        axes.legend(loc="center right", bbox_to_anchor=(1, 0.2))
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"Date": None, "Creator": None}
        figure.savefig(path, format="svg", metadata=metadata, bbox_inches="tight")
