"""Numbers as a person writes them: what is no number is a dash, and infinity a sign."""

import math

NONE = "–"
"""In the place of a number that is not known, or is none."""

MOST_DIGITS = 1e15
"""Numbers from here on are written with a power of ten."""


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; whole numbers in full."""
    if (sign := _no_digits(value)) is not None:
        return sign
    assert value is not None
    if abs(value) >= MOST_DIGITS:
        return f"{value:.{digits}g}"
    if isinstance(value, int) or abs(value) >= 1000 or value == 0:
        return f"{value:,.0f}"
    # With its trailing zeros, so that a column of numbers lines up.
    return f"{value:#.{digits}g}".rstrip(".")


def fixed(value: float | None, digits: int = 4, signed: bool = False) -> str:
    """A number with so many digits after the point; with its sign always, if it is a change."""
    if (sign := _no_digits(value)) is not None:
        return sign
    assert value is not None
    kind = "g" if abs(value) >= MOST_DIGITS else "f"
    return f"{value:{'+' if signed else ''}.{digits}{kind}}"


def interval(bounds: tuple[float, float]) -> str:
    """An interval by its bounds; a dash if one of them is no number."""
    low, high = bounds
    return NONE if math.isnan(low + high) else f"{fixed(low)} to {fixed(high)}"


def _no_digits(value: float | None) -> str | None:
    """What is written for a value that has no digits; None for one that has."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return None
