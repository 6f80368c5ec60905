import re

import pytest

from components.report.figures.figure_style import (
    MAX_TEXT_LENGTH,
    SIGNAL,
    VARIABLES,
    new_axes,
    printable,
    to_svg,
)


def make(text="a text", colour=SIGNAL):
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], color=colour)
    axes.set_xlabel(text)
    return figure


def test_figure_follows_the_colours_of_the_page():
    svg = to_svg("name", "What it shows", make)
    assert "stroke: var(--signal)" in svg
    assert "var(--ink)" in svg
    assert not [colour for colour in VARIABLES if colour in svg]


def test_figure_is_an_element_with_alternative_text():
    svg = to_svg("name", 'A "line" & <more>', make)
    assert svg.startswith('<svg viewBox="0 0 ')
    assert 'role="img" aria-label="A &quot;line&quot; &amp; &lt;more&gt;"' in svg
    for removed in ("<?xml", "<!DOCTYPE", "<metadata", '<g id="'):
        assert removed not in svg


def test_text_stays_text_and_is_escaped():
    svg = to_svg("name", "alternative", make, '<b> & "viewBox="1" $x^2$')
    assert "&lt;b&gt; &amp;" in svg
    assert "$x^2$" in svg
    assert "<b>" not in svg


@pytest.mark.slow
def test_figure_is_deterministic_and_its_ids_are_unique():
    first, again, other = (to_svg(name, "a", make) for name in ("first", "first", "other"))
    assert first == again
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pT / (54.64 GeV)", "pT / (54.64 GeV)"),
        ("two\nlines", "two\nlines"),
        ("a\x00b\x1b\ud800", "a\ufffdb\ufffd\ufffd"),
        ("x" * 1000, "x" * MAX_TEXT_LENGTH + "…"),
    ],
)
def test_texts_are_printable_and_fit(text, expected):
    assert printable(text) == expected
