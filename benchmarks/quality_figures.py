"""Quality figures of scores, which the quality benchmark compares."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

CALIBRATION_BINS = 15

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quality:
    """Quality figures of one model on one sample.

    Attributes:
        auc: area under the ROC curve.
        accuracy: accuracy at a threshold of 0.5.
        background_rejection: 1 / false positive rate at a signal efficiency of 0.5.
        log_loss: mean log loss in nats.
        calibration_error: expected calibration error over bins of equal width
            (Naeini et al. 2015, AAAI).
    """

    auc: float
    accuracy: float
    background_rejection: float
    log_loss: float
    calibration_error: float


def measure_quality(labels: Array, scores: Array) -> Quality:
    """Compares probabilities of signal, [N], with labels, [N], 1 for signal, 0 for background."""
    # In float64, because a float32 cannot be so close to 1.
    scores = np.clip(scores, 1e-12, 1 - 1e-12, dtype=np.float64)
    return Quality(
        auc=float(roc_auc_score(labels, scores)),
        accuracy=float(np.mean((scores > 0.5) == (labels > 0.5))),
        background_rejection=background_rejection(labels, scores),
        log_loss=float(log_loss(labels, scores)),
        calibration_error=calibration_error(labels, scores),
    )


def background_rejection(labels: Array, scores: Array) -> float:
    """1 / false positive rate at a signal efficiency of 0.5."""
    false_positive_rates, true_positive_rates, _ = roc_curve(labels, scores)
    background_efficiency = np.interp(0.5, true_positive_rates, false_positive_rates)
    return float(1 / background_efficiency) if background_efficiency else float("inf")


def calibration_error(labels: Array, scores: Array) -> float:
    """Mean of |mean score - signal fraction| over bins, weighted by the events in each bin."""
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, labels - scores, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))
