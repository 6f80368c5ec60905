import math

import pytest

from components.report.number_format import duration, fixed, interval, number, plural


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0, "0"),
        (12345, "12,345"),
        (0.92771, "0.9277"),
        (0.5, "0.5000"),
        (1234.5, "1,234"),
        (3.4e38, "3.4e+38"),
        (10**30, "1e+30"),
    ],
)
def test_significant_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (0.92771, {}, "0.9277"),
        (0.92771, {"digits": 3}, "0.928"),
        (0.01, {"signed": True}, "+0.0100"),
        (-0.01, {"signed": True}, "-0.0100"),
        (None, {"signed": True}, "–"),
        (math.nan, {}, "–"),
        (-math.inf, {}, "−∞"),
        (1e300, {}, "1e+300"),
    ],
)
def test_decimal_places(value, options, text):
    assert fixed(value, **options) == text


def test_interval_needs_both_bounds():
    assert interval((0.79, 0.81)) == "0.7900 to 0.8100"
    assert interval((math.nan, 0.81)) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.25, "1.2 s"), (150, "150.0 s (2.5 min)"), (math.nan, "unknown"), (None, "unknown")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 events"), (1, "1 event"), (2_000, "2,000 events")]
)
def test_plurals(count, text):
    assert plural(count, "event") == text
