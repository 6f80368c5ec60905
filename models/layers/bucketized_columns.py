"""The wide part's buckets: what each column's value alone says about an event.

Each column is cut at its quantiles, and a bucket's weight is the logarithm of the odds of signal in
it: the linear model over bucketised columns of Cheng et al. 2016 (arXiv:1606.07792), its weights
counted as in a naive Bayes classifier rather than learned. A step function is a sum of steps,

    w(x) = w_0 + sum_k (w_k - w_(k-1)) [x > edge_k],

which has static shapes and no look-up.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from models.event_table import Array, Events

PRIOR_EVENTS = 50
"""Events of average odds that are added to each bucket, so that few events say little."""

SAMPLE = 200_000
"""Events that the quantiles are taken of at most."""


@dataclass(frozen=True)
class Buckets:
    """Edges and weights of every column's buckets.

    Attributes:
      edges: rising, float32 [columns, buckets - 1]; infinite where a column has fewer values.
      weights: log odds, centred and scaled over the training events, float32 [columns, buckets].
    """

    edges: Array
    weights: Array


def measure_buckets(events: Events, buckets: int) -> Buckets:
    """Cuts columns at their quantiles and counts signal and background in between.

    Args:
      events: of the training, N at least 1.
      buckets: how many a column, at least 2.
    """
    signal = events.labels[:, 0] > 0.5
    stride = -(-len(events) // SAMPLE)
    ranks = np.linspace(0, 1, buckets + 1)[1:-1]
    edges = np.full([events.features.shape[1], buckets - 1], np.inf, np.float32)
    weights = np.zeros([events.features.shape[1], buckets], np.float32)
    for column, values in enumerate(events.features.T):
        cuts = np.unique(np.quantile(values[::stride], ranks).astype(np.float32))
        edges[column, : len(cuts)] = cuts
        weights[column] = _weights(np.searchsorted(cuts, values), signal, buckets)
    return Buckets(edges, weights)


def _weights(bucket: np.ndarray, signal: np.ndarray, buckets: int) -> np.ndarray:
    """Scaled log odds by bucket, from each event's bucket and whether it is signal."""
    counts = np.bincount(bucket, minlength=buckets)
    rate = signal.mean()
    chance = np.bincount(bucket[signal], minlength=buckets) + PRIOR_EVENTS * rate
    chance = np.clip(chance / (counts + PRIOR_EVENTS), 1e-6, 1 - 1e-6)
    odds = np.log(chance / (1 - chance))
    mean = np.average(odds, weights=counts)
    spread = np.sqrt(np.average((odds - mean) ** 2, weights=counts))
    return (odds - mean) / max(spread, 1e-6)


EDGES_AT_ONCE = 8
"""Of each column, compared with all events together: what XLA does not compile holds them all."""


class BucketWeights(tf_keras.layers.Layer):
    """Columns, float32 [N, columns], to their buckets' weights, float32 [N, columns]."""

    def __init__(self, buckets: Buckets, **options: Any):
        """Holds the buckets as weights that are not trained."""
        super().__init__(trainable=False, **options)
        self._buckets = buckets
        self._edges = self._hold("edges", buckets.edges)
        self._first = self._hold("first", buckets.weights[:, 0])
        self._steps = self._hold("steps", np.diff(buckets.weights, axis=1))

    def _hold(self, name: str, values: Array) -> tf.Variable:
        constant = tf_keras.initializers.Constant(values)
        return self.add_weight(
            f"{self.name}/{name}", values.shape, initializer=constant, trainable=False
        )

    def call(self, columns: tf.Tensor) -> tf.Tensor:
        """Sums the steps below each value."""
        weights = tf.zeros_like(columns) + self._first
        for start in range(0, self._edges.shape[1], EDGES_AT_ONCE):
            some = slice(start, start + EDGES_AT_ONCE)
            above = columns[:, :, None] > self._edges[:, some]
            weights += tf.reduce_sum(tf.cast(above, tf.float32) * self._steps[:, some], axis=2)
        return weights

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return super().get_config() | {"buckets": self._buckets}
