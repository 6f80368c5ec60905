"""Accuracy of the gate's AUC where scores crowd: the difference from scikit-learn's.

The sizes name the difference of an AUC from 10,000 equal bins of the score, as TFMA computes it.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from benchmarks import command_line
from benchmarks.measurement import Measure, Measurement, Sense
from components.evaluator import score_counts
from components.evaluator.score_counts import count_scores, merge_counts

BATCH = 50_000
GOAL = 1e-4

Array = npt.NDArray[np.float64]

CASES: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "half signal": (0.5, lambda logits: logits),
    "signal share 1e-4": (1e-4, lambda logits: logits + np.log(1e-4)),
    "signal share 1e-5": (1e-5, lambda logits: logits + np.log(1e-5)),
    "logits times ten": (0.5, lambda logits: 10 * logits),
    "logits times sixty": (0.5, lambda logits: 60 * logits),
    "one in ten equal": (0.5, lambda logits: np.where(np.arange(len(logits)) % 10, logits, 0.3)),
    "two scales": (
        0.5,
        lambda logits: np.where(np.arange(len(logits)) % 10, 1e-4 * logits, 10 * logits),
    ),
}
"""Share of signal, and logits of the scores from logits that separate with an AUC of 0.86."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the error of the AUC in each case."""
    events = 1_000_000 if quick else 10_000_000
    for name, (signal_share, transform) in CASES.items():
        rng = np.random.default_rng(1)
        labels = (rng.random(events) < signal_share).astype(np.float64)
        scores = expit(transform(rng.normal(1.5 * labels, 1.0))).astype(np.float32)
        exact = roc_auc_score(labels, scores)
        ours = abs(score_counts.auc(_count(labels, scores)) - exact)
        binned = abs(roc_auc_score(labels, np.floor(scores * 10_000)) - exact)
        yield Measurement(
            Measure(f"AUC error, {name}", "", GOAL, Sense.AT_MOST),
            (float(ours),),
            sizes=f"{events:,} events; error from 10,000 equal bins: {binned:.1e}",
        )


def _count(labels: Array, scores: npt.NDArray[np.float32]) -> score_counts.ScoreCounts:
    starts = range(0, len(labels), BATCH)
    weights = np.ones(BATCH)
    parts = (slice(start, start + BATCH) for start in starts)
    total = merge_counts([])
    for rows in parts:
        total = merge_counts([total, count_scores(labels[rows], scores[rows], weights)])
    return total


if __name__ == "__main__":
    command_line.main(measure)
