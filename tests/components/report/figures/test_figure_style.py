import re

import pytest

from components.report.figures.figure_style import (
    LONGEST_TEXT,
    SIGNAL,
    VARIABLES,
    draw,
    new_axes,
    printable,
)


def make(text="a text", colour=SIGNAL):
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], color=colour)
    axes.set_xlabel(text)
    return figure


def test_figure_follows_the_colours_of_the_page():
    svg = draw("name", "What it shows", make)
    assert "stroke: var(--signal)" in svg
    assert "var(--ink)" in svg
    assert not [placeholder for placeholder in VARIABLES if placeholder in svg]


def test_figure_is_an_element_with_a_text_in_its_place():
    svg = draw("name", 'A "line" & <more>', make)
    assert svg.startswith('<svg viewBox="0 0 ')
    assert 'role="img" aria-label="A &quot;line&quot; &amp; &lt;more&gt;"' in svg
    for left_out in ("<?xml", "<!DOCTYPE", "<metadata", '<g id="'):
        assert left_out not in svg


def test_text_stays_text_and_is_escaped():
    svg = draw("name", "alternative", make, '<b> & "viewBox="1" $x^2$')
    assert "&lt;b&gt; &amp;" in svg
    assert "$x^2$" in svg
    assert "<b>" not in svg


def test_figure_is_the_same_each_time_and_its_ids_are_its_own():
    one, again, other = (draw(name, "a", make) for name in ("one", "one", "other"))
    assert one == again
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_margins_are_the_same_in_figures_of_all_sizes():
    figure, axes = new_axes(10.0, 5.0)
    assert figure.get_size_inches().tolist() == [10.0, 5.0]
    left, bottom, width, height = axes.get_position().bounds
    assert (left * 10, bottom * 5) == pytest.approx((0.62, 0.5))
    assert (width * 10, height * 5) == pytest.approx((10 - 0.77, 5 - 0.65))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("pT / (54.64 GeV)", "pT / (54.64 GeV)"),
        ("two\nlines", "two\nlines"),
        ("a\x00b\x1b\ud800", "a\ufffdb\ufffd\ufffd"),
        ("x" * 1000, "x" * LONGEST_TEXT + "…"),
    ],
)
def test_texts_are_printable_and_fit(text, printed):
    assert printable(text) == printed
