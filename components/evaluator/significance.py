"""How much a cut on the score is worth to a discovery, and how sure an AUC is.

Counts are expected events that pass a cut: ``signal`` and ``background``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

EXPECTED_SIGNAL, EXPECTED_BACKGROUND = 100.0, 1000.0
"""Expected events before any cut: those that Baldi et al. (2014, arXiv:1402.4735) quote
discovery significances for. The simulated sample holds far more signal than nature would."""

REGULARISATION = 10.0
"""Background events added in the AMS, so that cuts which few simulated events pass do not win."""

Z_95 = 1.959964
"""The 97.5 % quantile of the normal distribution."""


def naive_significance(signal: Any, background: Any) -> Array:
    """The discovery significance s / sqrt(b), in standard deviations; NaN without background."""
    s, b = np.asarray(signal, np.float64), np.asarray(background, np.float64)
    return np.divide(s, np.sqrt(b), out=np.full(np.broadcast(s, b).shape, np.nan), where=b > 0)


def median_significance(
    signal: Any, background: Any, regularisation: float = REGULARISATION
) -> Array:
    """The approximate median significance (AMS) of a discovery, in standard deviations.

    sqrt(2 ((s + b + r) ln(1 + s / (b + r)) - s): Cowan, Cranmer, Gross, Vitells 2011
    (arXiv:1007.1727, equation 97), with the regularisation r of Adam-Bourdarios et al. 2015
    (Proceedings of Machine Learning Research 42, equation 7).
    """
    s, b = np.asarray(signal, np.float64), np.asarray(background, np.float64) + regularisation
    # Rounding may take what is zero a little below.
    return np.sqrt(np.maximum(0.0, 2.0 * ((s + b) * np.log1p(s / b) - s)))


def auc_standard_error(signal: Array, background: Array) -> float:
    """The standard error of an AUC, from events counted by score.

    DeLong, DeLong, Clarke-Pearson 1988 (Biometrics 44, 837): the variance of the mean share of
    background events that a signal event outscores, and of signal events that outscore a
    background event; equal scores count half. No shape of the scores is assumed.

    Args:
      signal: events in each bin of the score [N], which rises.
      background: the same.

    Returns:
      The standard error; NaN with fewer than two events of a class.
    """
    n_signal, n_background = signal.sum(), background.sum()
    if n_signal < 2 or n_background < 2:
        return float("nan")
    outscored = (np.cumsum(background) - background / 2) / n_background
    outscoring = 1.0 - (np.cumsum(signal) - signal / 2) / n_signal
    variance = _variance(outscored, signal) / n_signal
    return float(np.sqrt(variance + _variance(outscoring, background) / n_background))


def _variance(values: Array, counts: Array) -> float:
    """The unbiased variance of values that occur so many times each."""
    total = counts.sum()
    mean = counts @ values / total
    return float(counts @ (values - mean) ** 2 / (total - 1))
