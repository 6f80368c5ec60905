import numpy as np
import pytest

from components.report.figures.feature_figures import class_histogram
from formats.features import DISCRETE_VALUES
from formats.histograms import Binning, ClassHistogram

BACKGROUND, SIGNAL = [2, 1, 3, 0, 4], [0, 5, 5, 0, 0]


def make_histogram(low, high):
    return ClassHistogram(Binning(low, high, 3), np.array([BACKGROUND, SIGNAL]))


def drawn_steps(figure):
    """What is drawn, in this order: signal filled, signal, background."""
    return [patch.get_data() for patch in figure.axes[0].patches]


def test_classes_have_unit_area_including_events_outside():
    filled, signal, background = drawn_steps(class_histogram("m_bb", make_histogram(0.0, 1.5)))
    assert signal.edges.tolist() == pytest.approx([0, 0.5, 1.0, 1.5])
    # Shares of 10 events over bins of 0.5.
    assert background.values.tolist() == pytest.approx([0.2, 0.6, 0.0])
    assert signal.values.tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert filled.values.tolist() == signal.values.tolist()


def test_discrete_features_have_fractions_at_named_values():
    name = "jet_1_b_tag"
    figure = class_histogram(name, make_histogram(-0.5, 2.7))
    assert drawn_steps(figure)[2].values.tolist() == pytest.approx([0.1, 0.3, 0.0])
    axes = figure.axes[0]
    assert axes.get_ylabel() == "fraction"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", "loose", "tight"]
    assert axes.get_xticks().tolist() == pytest.approx(list(DISCRETE_VALUES[name]))


def test_axis_shows_the_quantity_and_its_unit():
    axes = class_histogram("m_bb", make_histogram(0.0, 1.5)).axes[0]
    assert axes.get_xlabel() == "m(bb) / (126 GeV)"
    assert axes.get_ylabel() == "density"
    assert axes.get_xlim() == (0.0, 1.5)
