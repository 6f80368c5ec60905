"""Pictures of the report and its figures, compared with reference images.

`make pictures` rewrites the references and the README's picture.
"""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from example_reports import pushed_report, refused_report
from PIL import Image

from components.report.figures.figure_style import STYLE
from components.report.figures.gallery import plan_figures
from components.report.html_page import render

REFERENCES = Path(__file__).parent / "reference"
README_PICTURE = Path(__file__).parents[3] / "docs" / "images" / "report.png"
README_HEIGHT = 1380
"""Pixels of the pushed page that the README shows."""

WIDTH = 1000
FIGURE_DPI = 60

BLOCK = 20
"""Differences are averaged over square blocks of pixels, so that a small change shows."""

TOLERANCE = 16
"""Largest mean absolute difference of a block, of 255: twice that of the references' palettes."""

REPORTS = {"pushed": pushed_report, "refused": refused_report}
FIGURES = {plan.name: plan for plan in plan_figures(pushed_report())}


def compare(picture, reference, write):
    """Compares a picture with a reference image, or writes the reference."""
    if write:
        # A palette makes the files a third of their size.
        colours = picture.convert("RGB").quantize(64, Image.Quantize.MAXCOVERAGE, kmeans=3)
        colours.save(reference, optimize=True)
        return
    pixels, expected = (
        np.asarray(image.convert("RGB"), np.int16) for image in (picture, Image.open(reference))
    )
    assert pixels.shape == expected.shape
    difference = largest_difference(pixels, expected)
    assert difference < TOLERANCE, f"{reference.name} differs by {difference:.0f} of 255"


def largest_difference(pixels, expected):
    differences = np.abs(pixels - expected).mean(axis=2)
    rows, columns = differences.shape
    sums = np.add.reduceat(differences, np.arange(0, rows, BLOCK), axis=0)
    sums = np.add.reduceat(sums, np.arange(0, columns, BLOCK), axis=1)
    return sums.max() / BLOCK**2


@pytest.fixture(scope="module")
def write(request):
    return request.config.getoption("golden")


@pytest.fixture(scope="module")
def screenshots(browser, tmp_path_factory):
    """Pictures of whole pages by name of the report."""
    folder = tmp_path_factory.mktemp("pages")
    for name, make in REPORTS.items():
        page = folder / f"{name}.html"
        page.write_text(render(make()))
        browser.screenshot(page, folder / f"{name}.png", WIDTH)
    return {name: Image.open(folder / f"{name}.png") for name in REPORTS}


@pytest.mark.slow
@pytest.mark.parametrize("plan", FIGURES.values(), ids=FIGURES)
def test_figures_look_like_their_references(plan, tmp_path, write):
    with matplotlib.rc_context({**STYLE, "figure.facecolor": "white"}):
        plan.make(*plan.data).savefig(tmp_path / "figure.png", dpi=FIGURE_DPI, facecolor="white")
    compare(Image.open(tmp_path / "figure.png"), REFERENCES / f"{plan.name}.png", write)


@pytest.mark.slow
@pytest.mark.parametrize("name", REPORTS)
def test_pages_look_like_their_references(screenshots, name, write):
    compare(screenshots[name], REFERENCES / f"{name}-page.png", write)


@pytest.mark.slow
def test_readme_shows_the_pushed_page(screenshots, write):
    picture = screenshots["pushed"].crop((0, 0, WIDTH, README_HEIGHT))
    compare(picture, README_PICTURE, write)


def test_small_changes_are_detected():
    page = np.full((200, 300, 3), 255, np.int16)
    changed = page.copy()
    changed[50:54, 100:110] = (0, 105, 78)
    assert largest_difference(page, changed) > TOLERANCE
    assert largest_difference(page, page) == 0
