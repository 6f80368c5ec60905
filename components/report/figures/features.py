"""Figures of the data: one feature by class."""

import numpy as np
from matplotlib.figure import Figure

from components.histogram_gen.records import ClassHistogram
from components.report.figures.style import BACKGROUND, DASHED, SIGNAL, new_axes
from components.report.physics import axis_label
from components.report.significance import Array
from models.features import B_TAG_VALUES


def class_histogram(name: str, histogram: ClassHistogram) -> Figure:
    """A feature's distribution in signal and in background, each of unit area."""
    figure, axes = new_axes(3.2, 2.1)
    binning = histogram.binning
    edges = np.linspace(binning.low, binning.high, binning.bins + 1)
    background, signal = (_density(counts, edges) for counts in histogram.counts)
    axes.stairs(signal, edges, color=SIGNAL, fill=True, alpha=0.25)
    axes.stairs(signal, edges, color=SIGNAL, lw=1.2)
    axes.stairs(background, edges, color=BACKGROUND, lw=1.2, ls=DASHED)
    axes.set(xlim=(binning.low, binning.high), ylim=(0, None), xlabel=axis_label(name))
    axes.set_ylabel("density")
    axes.tick_params(labelsize=8)
    if name in B_TAG_VALUES:
        axes.set_xticks(B_TAG_VALUES[name], ["none", "loose", "tight"])
    return figure


def _density(counts: Array, edges: Array) -> Array:
    """Counts as a density over the bins; what lies outside them counts in the total."""
    total = max(counts.sum(), 1)
    return counts[1:-1] / total / np.diff(edges)
