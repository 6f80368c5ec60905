"""Bucketized columns: each column's value is replaced by the log odds of signal in its bucket.

Each column is cut at its quantiles, and the weight of a bucket is the logarithm of the odds of
signal in it. This is the linear model over bucketized columns of Cheng et al. 2016
(arXiv:1606.07792), whose weights are counted, as in a naive Bayes classifier, and not learned. The
step function is a sum of steps,

    w(x) = w_0 + sum_k (w_k - w_(k-1)) [x > edge_k],

which has static shapes and needs no look-up. Keras' ``Discretization`` with an ``Embedding`` does
the same with a look-up; delete this layer when XLA compiles those for every device.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.event_table import Array, EventTable

PRIOR_EVENTS = 50
"""Events of average odds that are added to each bucket; they limit the influence of few events."""

SAMPLE = 200_000
"""Maximum number of events from which the quantiles are computed."""

EDGES_AT_ONCE = 12
"""Edges of each column compared at a time; without XLA all these comparisons are in memory."""


@dataclass(frozen=True)
class Buckets:
    """Edges and log odds of the buckets of every column.

    Attributes:
        edges: ascending, float32 [columns, buckets - 1]; infinite where a column has fewer values.
        log_odds: standardized over the training events, float32 [columns, buckets].
    """

    edges: Array
    log_odds: Array


def fit_buckets(events: EventTable, count: int) -> Buckets:
    """Cuts the columns at their quantiles and counts signal and background in each bucket.

    Args:
        events: training events, at least 1.
        count: number of buckets per column, at least 2.
    """
    is_signal = events.labels[:, 0] > 0.5
    stride = -(-len(events) // SAMPLE)
    ranks = np.linspace(0, 1, count + 1)[1:-1]
    edges = np.full([events.features.shape[1], count - 1], np.inf, np.float32)
    log_odds = np.zeros([events.features.shape[1], count], np.float32)
    for column, values in enumerate(events.features.T):
        quantiles = np.unique(np.quantile(values[::stride], ranks).astype(np.float32))
        edges[column, : len(quantiles)] = quantiles
        log_odds[column] = _log_odds(np.searchsorted(quantiles, values), is_signal, count)
    return Buckets(edges, log_odds)


def _log_odds(bucket: np.ndarray, is_signal: np.ndarray, count: int) -> np.ndarray:
    """Computes standardized log odds by bucket from the bucket and the class of each event."""
    events = np.bincount(bucket, minlength=count)
    signal = np.bincount(bucket[is_signal], minlength=count)
    probability = (signal + PRIOR_EVENTS * is_signal.mean()) / (events + PRIOR_EVENTS)
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    log_odds = np.log(probability / (1 - probability))
    mean = np.average(log_odds, weights=events)
    std = np.sqrt(np.average((log_odds - mean) ** 2, weights=events))
    return (log_odds - mean) / max(std, 1e-6)


class BucketWeights(tf_keras.layers.Layer):
    """Maps columns, float32 [N, columns], to the log odds of their buckets, of the same shape."""

    def __init__(self, buckets: Buckets, **options: Any):
        """Creates weights from the buckets; they are not trained."""
        super().__init__(trainable=False, **options)
        self._buckets = buckets
        self._edges = self._add("edges", buckets.edges.T)
        self._first = self._add("first", buckets.log_odds[:, 0])
        self._steps = self._add("steps", np.diff(buckets.log_odds, axis=1).T)

    def _add(self, name: str, values: Array) -> tf.Variable:
        constant = tf_keras.initializers.Constant(values)
        return self.add_weight(
            f"{self.name}/{name}", values.shape, initializer=constant, trainable=False
        )

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Sums the steps below each value."""
        log_odds = tf.zeros_like(columns) + self._first
        for start in range(0, len(self._buckets.edges.T), EDGES_AT_ONCE):
            chunk = slice(start, start + EDGES_AT_ONCE)
            is_above = columns > self._edges[chunk, None]  # [edges, N, columns]
            log_odds += tf.reduce_sum(
                tf.cast(is_above, tf.float32) * self._steps[chunk, None], axis=0
            )
        return log_odds

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments from which Keras makes a copy."""
        return super().get_config() | {"buckets": self._buckets}
