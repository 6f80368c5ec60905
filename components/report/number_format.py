"""Numbers and durations as text for readers."""

import math

MISSING = "–"
"""Shown for a number that is unknown or NaN."""

MAX_PLAIN = 1e15
"""Numbers from here on are written with a power of ten."""


def number(value: float | None, digits: int = 4) -> str:
    """Formats a number with significant digits; whole numbers in full.

    >>> number(12345), number(0.92771), number(None)
    ('12,345', '0.9277', '–')
    """
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    if abs(value) >= MAX_PLAIN:
        return f"{value:.{digits}g}"
    if isinstance(value, int) or abs(value) >= 1000 or value == 0:
        return f"{value:,.0f}"
    # With trailing zeros, so that a column of numbers lines up.
    return f"{value:#.{digits}g}".rstrip(".")


def fixed(value: float | None, digits: int = 4, signed: bool = False) -> str:
    """Formats a number with decimal places; ``signed`` writes the sign of positive numbers too.

    >>> fixed(0.92771), fixed(0.01, signed=True), fixed(1000, digits=0)
    ('0.9277', '+0.0100', '1,000')
    """
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    presentation = "g" if abs(value) >= MAX_PLAIN else "f"
    return f"{value:{'+' if signed else ''},.{digits}{presentation}}"


def interval(bounds: tuple[float, float]) -> str:
    """Formats an interval; ``MISSING`` if a bound is NaN."""
    low, high = bounds
    return MISSING if math.isnan(low + high) else f"{fixed(low)} to {fixed(high)}"


def duration(seconds: float | None) -> str:
    """Formats a duration; ``unknown`` if it is None or NaN.

    >>> duration(150)
    '150.0 s (2.5 min)'
    """
    if seconds is None or math.isnan(seconds):
        return "unknown"
    minutes = f" ({seconds / 60:.1f} min)" if seconds >= 120 else ""
    return f"{seconds:,.1f} s{minutes}"


def plural(count: int, noun: str) -> str:
    """Formats a count with its noun.

    >>> plural(1, "problem"), plural(2, "problem")
    ('1 problem', '2 problems')
    """
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def _not_finite(value: float | None) -> str:
    if value is None or math.isnan(value):
        return MISSING
    return "∞" if value > 0 else "−∞"
