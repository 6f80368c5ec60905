"""How good scores are: the figures that the quality benchmark compares."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

CALIBRATION_BINS = 15

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quality:
    """Figures of one model on one sample.

    Attributes:
      auc: area under the ROC curve.
      accuracy: at a threshold of 0.5.
      background_rejection: 1 / false positive rate where half of the signal is kept.
      log_loss: in nats.
      calibration_error: expected, over bins of equal width (Naeini et al. 2015, AAAI).
    """

    auc: float
    accuracy: float
    background_rejection: float
    log_loss: float
    calibration_error: float


def judge(labels: Array, scores: Array) -> Quality:
    """Judges probabilities of signal, [N], by labels, [N], 1 signal and 0 background."""
    # As doubles, for a probability so near to 1 that it is no float32.
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
    false, true, _ = roc_curve(labels, scores)
    rate = np.interp(0.5, true, false)
    return float(1 / rate) if rate else float("inf")


def calibration_error(labels: Array, scores: Array) -> float:
    """The mean distance of a bin's mean score from its share of signal, weighted by its events."""
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.bincount(bins, labels - scores, CALIBRATION_BINS)
    return float(np.abs(gap).sum() / len(labels))
