"""Standard errors, by the delta method, of metrics that depend on the ranking of unweighted events.

They need only the counts of events by score, so their cost does not grow with the events.
"""

import math

import numpy as np

from components.evaluator import significance
from components.evaluator.score_counts import ScoreCounts, passing_shares


def rejection_error(counts: ScoreCounts, signal_efficiency: float = 0.5) -> float:
    """Estimates the standard error of ``score_counts.background_rejection``.

    Hsieh, Turnbull 1996 (Annals of Statistics 24, 25): the background that passes is a binomial
    share, and the cut itself is estimated from the signal. The slope of the ROC curve is taken
    over one standard deviation of the signal efficiency to either side.

    Returns:
        The standard error; NaN where the rejection is undefined or infinite.
    """
    if not counts.is_ordered:
        return math.nan
    signal, background = passing_shares(counts)
    total_signal, total_background = counts.signal.sum(), counts.background.sum()
    spread = math.sqrt(signal_efficiency * (1 - signal_efficiency) / total_signal)
    low, share, high = np.interp(
        [signal_efficiency - spread, signal_efficiency, signal_efficiency + spread],
        signal,
        background,
    )
    if share == 0:
        return math.nan
    variance = share * (1 - share) / total_background + ((high - low) / 2) ** 2
    return float(math.sqrt(variance) / share**2)


def significance_error(counts: ScoreCounts) -> float:
    """Estimates the standard error of the maximum expected significance.

    The efficiencies of both classes at the best cut are binomial shares. The cut itself adds
    nothing to first order, because the significance is largest there. The maximum of few events
    is slightly too large, which an error does not show.

    Returns:
        The standard error; NaN where the significance is undefined.
    """
    if not counts.is_ordered:
        return math.nan
    shares = passing_shares(counts)
    values = significance.expected_significance(*shares)
    best = int(values.argmax())
    maximum = float(values[best])
    efficiencies = np.array([share[best] for share in shares])
    expected = np.array([significance.EXPECTED_SIGNAL, significance.EXPECTED_BACKGROUND])
    signal, background = efficiencies * expected + [0.0, significance.REGULARISATION]
    logarithm = math.log1p(signal / background)
    slopes = np.array([logarithm, logarithm - signal / background]) / maximum * expected
    events = np.array([counts.signal.sum(), counts.background.sum()])
    return float(np.sqrt(np.sum(slopes**2 * efficiencies * (1 - efficiencies) / events)))
