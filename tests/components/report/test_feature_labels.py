import pytest
from markupsafe import Markup

from components.report.feature_labels import axis_label, published_order, symbol, words
from formats.features import FEATURES


def test_every_column_has_words_a_symbol_and_an_axis_label():
    for name in FEATURES:
        assert words(name) != name
        assert "<i>" in symbol(name)
        assert axis_label(name) != name


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lepton_pt", "lepton, transverse momentum"), ("jet_3_b_tag", "jet 3, b-tag")],
)
def test_columns_in_words(name, expected):
    assert words(name) == expected


def test_axes_show_units():
    assert axis_label("m_bb").endswith("GeV)")
    assert axis_label("lepton_phi").endswith("rad)")


def test_unknown_names_are_escaped():
    assert words("<b>") == "<b>"
    assert symbol("<b>") == Markup("&lt;b&gt;")


def test_published_order_comes_before_other_names():
    assert published_order(["z", "m_bb", "lepton_pt", "a"]) == ["lepton_pt", "m_bb", "a", "z"]
