"""Figures of the data: one feature by class."""

import numpy as np
from matplotlib.figure import Figure

from components.report.feature_labels import axis_label
from components.report.figures import figure_style as style
from formats.evaluation_record import Array
from formats.features import DISCRETE_VALUES, LEVELS
from formats.histograms import ClassHistogram, Counts


def class_histogram(name: str, histogram: ClassHistogram) -> Figure:
    """Draws a feature's distribution in signal and in background, each of unit area."""
    figure, axes = style.new_axes(3.2, 2.1)
    binning = histogram.binning
    is_discrete = name in DISCRETE_VALUES
    widths = np.ones(binning.bins) if is_discrete else np.diff(binning.edges)
    background, signal = (_shares(counts) / widths for counts in histogram.counts)
    axes.stairs(signal, binning.edges, color=style.SIGNAL, fill=True, alpha=0.25)
    axes.stairs(signal, binning.edges, color=style.SIGNAL, lw=1.2)
    axes.stairs(background, binning.edges, color=style.BACKGROUND, lw=1.2, ls=style.DASHED)
    axes.set(xlim=(binning.low, binning.high), ylim=(0, None), xlabel=axis_label(name))
    axes.set_ylabel("fraction" if is_discrete else "density")
    axes.tick_params(labelsize=8)
    if is_discrete:
        axes.set_xticks(DISCRETE_VALUES[name], LEVELS)
    return figure


def _shares(counts: Counts) -> Array:
    """Computes the share of a class in each bin; events outside the bins are in the total."""
    return counts[1:-1] / max(counts.sum(), 1)
