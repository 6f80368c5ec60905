import pytest
from markupsafe import Markup

from components.report.feature_labels import axis_label, order, symbol, words
from formats.features import FEATURES


def test_every_column_has_words_a_symbol_and_an_axis():
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


def test_masses_are_over_gev_and_angles_over_radians():
    assert axis_label("m_bb").endswith("GeV)")
    assert axis_label("lepton_phi").endswith("rad)")


def test_name_that_is_none_of_ours_is_escaped_text():
    assert words("<b>") == "<b>"
    assert symbol("<b>") == Markup("&lt;b&gt;")


def test_published_order_then_others_by_name():
    assert order(["z", "m_bb", "lepton_pt", "a"]) == ["lepton_pt", "m_bb", "a", "z"]
