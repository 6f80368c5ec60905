"""Scale of momenta and masses: whether the columns are in the published units.

The published momenta and masses were divided by their means, so that their means are 1. A mean far
below 1 indicates another unit, not another selection of events: `MIN_MEAN` is 8 GeV for the softest
jet, and detectors reconstruct neither leptons nor jets below some 10 GeV.
"""

from collections.abc import Mapping

from formats.features import FEATURES, LABELS

SCALED = tuple(name for name in FEATURES if LABELS[name].unit == "GeV")
"""The momenta and masses, which are positive."""

MIN_MEAN = 0.2
"""Smallest plausible mean, in published units."""

MIN_EVENTS = 20
"""Minimum number of events for judging a mean."""


def small_means(means: Mapping[str, float], events: int) -> dict[str, float]:
    """Returns the means that are too small for published units.

    Args:
        means: means of columns in published units, by name; those not in `SCALED` are ignored.
        events: number of events.

    >>> small_means({FEATURES[0]: 0.05, FEATURES[1]: 0.0}, 100) == {FEATURES[0]: 0.05}
    True
    """
    if events < MIN_EVENTS:
        return {}
    return {name: means[name] for name in SCALED if name in means and means[name] < MIN_MEAN}


def describe_means(means: Mapping[str, float]) -> str:
    """Describes means that are too small, as a clause with value and limit."""
    name = min(means, key=means.__getitem__)
    others = f" (and {len(means) - 1} more columns are as small)" if means.keys() - {name} else ""
    return (
        f"{name} has the mean {means[name]:.3g} in published units{others}; at least {MIN_MEAN:g} "
        "is expected"
    )
