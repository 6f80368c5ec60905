import numpy as np
import pytest

from components.histogram_gen.class_counts import Binning
from components.report.figures.feature_figures import class_histogram
from formats.features import DISCRETE_VALUES
from formats.histograms import ClassHistogram

BACKGROUND, SIGNAL = [2, 1, 3, 0, 4], [0, 5, 5, 0, 0]


def stairs(figure):
    """Signal filled, signal, background: what is drawn, in this order."""
    return [patch.get_data() for patch in figure.axes[0].patches]


def test_each_class_has_unit_area_with_what_lies_outside():
    histogram = ClassHistogram(Binning(0.0, 1.5, 3), np.array([BACKGROUND, SIGNAL]))
    filled, signal, background = stairs(class_histogram("m_bb", histogram))
    assert signal.edges.tolist() == pytest.approx([0, 0.5, 1.0, 1.5])
    # Shares of 10 events over bins of 0.5.
    assert background.values.tolist() == pytest.approx([0.2, 0.6, 0.0])
    assert signal.values.tolist() == pytest.approx([1.0, 1.0, 0.0])
    assert filled.values.tolist() == signal.values.tolist()


def test_codes_are_shares_and_have_names():
    name = "jet_1_b_tag"
    histogram = ClassHistogram(Binning(-0.5, 2.7, 3), np.array([BACKGROUND, SIGNAL]))
    figure = class_histogram(name, histogram)
    assert stairs(figure)[2].values.tolist() == pytest.approx([0.1, 0.3, 0.0])
    axes = figure.axes[0]
    assert axes.get_ylabel() == "share"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", "loose", "tight"]
    assert axes.get_xticks().tolist() == pytest.approx(list(DISCRETE_VALUES[name]))


def test_axis_has_the_quantity_and_its_unit():
    histogram = ClassHistogram(Binning(0.0, 1.5, 3), np.array([BACKGROUND, SIGNAL]))
    axes = class_histogram("m_bb", histogram).axes[0]
    assert axes.get_xlabel() == "m(bb) / (126 GeV)"
    assert axes.get_ylabel() == "density"
    assert axes.get_xlim() == (0.0, 1.5)
