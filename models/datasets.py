"""Events to batches: what ``fit`` is fed, static in shape and whole in count.

Batches are gathered from memory by NumPy and are global, that is for all replicas
together; the strategy splits them.
"""

import logging
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from models.features import NUM_FEATURES
from models.input_data import Array, Events

log = logging.getLogger("higgs.trainer")

PREFETCHED_BATCHES = 8

Gather = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def global_batch_size(events: int, per_replica: int, replicas: int) -> int:
    """The events of one training step, over all replicas.

    Fewer events than one full batch make it smaller, and equal on each replica.

    Raises:
      ValueError: there are fewer events than replicas.
    """
    if events < replicas:
        raise ValueError(
            f"{events} training events cannot feed {replicas} replicas: "
            "train on more events or on fewer devices"
        )
    fitting = min(per_replica, events // replicas)
    if fitting < per_replica:
        log.info("only %d training events: %d a replica and step", events, fitting)
    return fitting * replicas


def training_dataset(events: Events, batch_size: int, seed: int) -> tf.data.Dataset:
    """Endless batches, each epoch a fresh permutation of all events.

    An epoch is ``len(events) // batch_size`` batches. Which permutation it gets
    depends on the seed and on the number of the epoch only; the events that do not
    fill a last batch differ from epoch to epoch.

    Returns:
      features float32 [batch_size, 28] and labels float32 [batch_size, 1].
    """
    steps = len(events) // batch_size

    def epoch_indices(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(events)), seed=key)
        batches = tf.reshape(order[: steps * batch_size], [steps, batch_size])
        return tf.data.Dataset.from_tensor_slices(batches)

    indices = tf.data.Dataset.counter().flat_map(epoch_indices)
    return _delivered(indices.map(_gather(events, batch_size)))


def evaluation_dataset(events: Events, batch_size: int) -> tf.data.Dataset:
    """Every event exactly once, in order; the last batch is filled with weight 0.

    The weights of the events average 1 over all batches, filling included, so that
    the mean of the batches' mean losses is the mean over the events.

    Returns:
      features float32 [batch_size, 28], labels float32 [batch_size, 1] and
      weights float32 [batch_size].
    """
    steps = -(-len(events) // batch_size)
    gather = _gather(events, batch_size)
    weight = np.float32(steps * batch_size / len(events))

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        indices = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        weights = tf.where(indices < len(events), weight, np.float32(0))
        return *gather(tf.minimum(indices, len(events) - 1)), weights

    return _delivered(tf.data.Dataset.range(steps).map(batch))


def _gather(events: Events, batch_size: int) -> Gather:
    def rows(indices: np.ndarray) -> tuple[Array, Array]:
        return events.features.take(indices, axis=0), events.labels.take(indices, axis=0)

    def gather(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # In NumPy, because a tensor of the events would be a second copy of them.
        features, labels = tf.numpy_function(
            rows, [indices], [tf.float32, tf.float32], stateful=False
        )
        return (
            tf.ensure_shape(features, [batch_size, NUM_FEATURES]),
            tf.ensure_shape(labels, [batch_size, 1]),
        )

    return gather


def _delivered(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # The events are in this process: there are no files to deal to workers.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # Nothing is left to tune, and the tuner's thread holds up the end of a fit for seconds.
    options.autotune.enabled = False
    return batches.prefetch(PREFETCHED_BATCHES).with_options(options)
