"""Figures of the data: one feature by class."""

import numpy as np
from matplotlib.figure import Figure

from components.evaluator.significance import Array
from components.report.feature_labels import axis_label
from components.report.figures.figure_style import BACKGROUND, DASHED, SIGNAL, new_axes
from formats.features import DISCRETE_VALUES
from formats.histograms import ClassHistogram


def class_histogram(name: str, histogram: ClassHistogram) -> Figure:
    """A feature's distribution in signal and in background, each of unit area."""
    figure, axes = new_axes(3.2, 2.1)
    binning = histogram.binning
    edges = np.linspace(binning.low, binning.high, binning.bins + 1)
    is_code = name in DISCRETE_VALUES
    widths = np.ones(binning.bins) if is_code else np.diff(edges)
    background, signal = (_shares(counts) / widths for counts in histogram.counts)
    axes.stairs(signal, edges, color=SIGNAL, fill=True, alpha=0.25)
    axes.stairs(signal, edges, color=SIGNAL, lw=1.2)
    axes.stairs(background, edges, color=BACKGROUND, lw=1.2, ls=DASHED)
    axes.set(xlim=(binning.low, binning.high), ylim=(0, None), xlabel=axis_label(name))
    axes.set_ylabel("share" if is_code else "density")
    axes.tick_params(labelsize=8)
    if is_code:
        axes.set_xticks(DISCRETE_VALUES[name], ["none", "loose", "tight"])
    return figure


def _shares(counts: Array) -> Array:
    """The share of a class in each bin; what lies outside the bins counts in the total."""
    return counts[1:-1] / max(counts.sum(), 1)
