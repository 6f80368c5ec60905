"""Cuts on the score for a model's curves: dense where the events are, not equally spaced.

A curve of equally spaced cuts is wrong where scores crowd, because most events then lie between
two cuts. These follow the counts of events by score, which are exact there.
"""

import numpy as np
import numpy.typing as npt
from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import ConfusionMatrixAtThresholds

from components.evaluator.score_counts import Array, ScoreCounts, scores_of_keys
from components.evaluator.significance import expected_significance

STEPS = 500
"""Parts of each class, of equal numbers of events, between which there is a cut."""

FINE_STEPS = 32
"""Cuts for each factor of e in the background that passes: the rejection is known to 3 %."""

SCORE_THRESHOLD = 0.5
"""Events with at least this score are classified as signal; there is always a cut at it."""


def score_cuts(counts: ScoreCounts) -> ConfusionMatrixAtThresholds:
    """Counts the events of each class that pass cuts on the score, as confusion matrices.

    Between two neighbouring cuts lies about 1 / ``STEPS`` of each class at most, and the passing
    background changes by about 1 part in ``FINE_STEPS``, unless more events share a score. The cuts
    at ``SCORE_THRESHOLD``, at half of the signal and at the largest approximate median significance
    are among them.

    Returns:
        About 1,700 matrices at most, by rising threshold. Events with a score of at least the
        threshold pass: at the first one all, at the last one none.
    """
    signal, background = (
        np.append(0.0, np.cumsum(events[::-1])) for events in (counts.signal, counts.background)
    )
    scores = scores_of_keys(counts.lowest[::-1])
    middle = int(np.count_nonzero(scores >= SCORE_THRESHOLD))
    is_kept = np.zeros(len(signal), bool)
    is_kept[[0, middle, -1]] = True
    for passing in (signal, background):
        _keep_steps(is_kept, STEPS * passing / max(passing[-1], 1.0))
    with np.errstate(divide="ignore"):
        _keep_steps(is_kept, FINE_STEPS * np.log(background))
    if counts.has_both_classes:
        shares = signal / signal[-1], background / background[-1]
        is_kept[np.searchsorted(shares[0], 0.5)] = True
        is_kept[expected_significance(*shares).argmax()] = True
    # Between the scores on either side.
    highest = scores_of_keys(counts.highest[::-1])
    thresholds = np.concatenate([[1.0 + 1e-6], (scores[:-1] + highest[1:]) / 2, [-1e-6]])
    thresholds[middle] = SCORE_THRESHOLD
    return _matrices(thresholds, signal, background, np.flatnonzero(is_kept)[::-1])


def _keep_steps(is_kept: npt.NDArray[np.bool_], values: Array) -> None:
    """Keeps the first cut of each step of 1, and the last one before a larger jump."""
    with np.errstate(invalid="ignore"):
        steps = np.diff(np.floor(values))
    is_kept[1:] |= steps >= 1
    is_kept[:-1] |= steps > 1


def _matrices(
    thresholds: Array, signal: Array, background: Array, cuts: npt.NDArray[np.int64]
) -> ConfusionMatrixAtThresholds:
    matrices = ConfusionMatrixAtThresholds()
    for cut in cuts.tolist():
        matrices.matrices.add(
            threshold=thresholds[cut],
            true_positives=signal[cut],
            false_negatives=signal[-1] - signal[cut],
            false_positives=background[cut],
            true_negatives=background[-1] - background[cut],
        )
    return matrices
