"""Discovery significance of a cut on the score.

``signal`` and ``background`` are the expected numbers of events that pass the cut.
"""

from typing import Any

import numpy as np

from formats.evaluation_record import Array

EXPECTED_SIGNAL, EXPECTED_BACKGROUND = 100.0, 1000.0
"""Expected events before any cut, for which Baldi et al. (2014, arXiv:1402.4735) quote discovery
significances. The simulated sample contains a far larger share of signal than nature."""

REGULARISATION = 10.0
"""Background events added in the AMS, so that cuts passed by few simulated events do not win."""


def naive_significance(signal: Any, background: Any) -> Array:
    """Computes the discovery significance s / sqrt(b), in standard deviations; NaN for b = 0.

    >>> naive_significance([10.0], [25.0]).tolist()
    [2.0]
    """
    s, b = np.asarray(signal, np.float64), np.asarray(background, np.float64)
    return np.divide(s, np.sqrt(b), out=np.full(np.broadcast(s, b).shape, np.nan), where=b > 0)


def expected_significance(signal_efficiency: Any, background_efficiency: Any) -> Array:
    """Computes the AMS of the expected events by the share of each class that passes the cut."""
    return median_significance(
        signal_efficiency * EXPECTED_SIGNAL, background_efficiency * EXPECTED_BACKGROUND
    )


def expected_naive_significance(signal_efficiency: Any, background_efficiency: Any) -> Array:
    """Computes s / sqrt(b) of the expected events, as ``expected_significance`` does the AMS."""
    return naive_significance(
        signal_efficiency * EXPECTED_SIGNAL, background_efficiency * EXPECTED_BACKGROUND
    )


def median_significance(signal: Any, background: Any) -> Array:
    """Computes the approximate median significance (AMS), in standard deviations.

    sqrt(2 ((s + b + r) ln(1 + s / (b + r)) - s): Cowan, Cranmer, Gross, Vitells 2011
    (arXiv:1007.1727, equation 97), with the ``REGULARISATION`` r of Adam-Bourdarios et al. 2015
    (Proceedings of Machine Learning Research 42, equation 7).
    """
    s, b = np.asarray(signal, np.float64), np.asarray(background, np.float64) + REGULARISATION
    # Rounding can make the difference negative if the signal is far below the background.
    return np.sqrt(np.maximum(0.0, 2.0 * ((s + b) * np.log1p(s / b) - s)))
