"""Batches of events as ``tf.data`` datasets, with static shapes.

Batches are gathered from memory. Each host draws the part of a global batch that its own replicas
need; together the hosts draw every event of it once.
"""

import numpy as np
import tensorflow as tf

from models.event_table import EventTable, as_tensor

PREFETCHED_BATCHES = 8

SINGLE_REPLICA = tf.distribute.InputContext()
"""One host with one replica."""


def training_dataset(
    events: EventTable,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    context: tf.distribute.InputContext = SINGLE_REPLICA,
) -> tf.data.Dataset:
    """Yields endless batches; each epoch is a new permutation of all events.

    An epoch has ``len(events) // batch_size`` global batches. Its permutation depends only on the
    seed and on the number of the epoch; the events beyond the last whole batch differ from epoch
    to epoch.

    Args:
        events: with any number of columns as features.
        batch_size: events per global batch.
        seed: seed of the permutations.
        first_epoch: the epoch at which a resumed training continues, from 0.
        context: number of hosts and replicas, and the index of this host.

    Returns:
        Columns float32 [n, columns] and labels float32 [n, 1], where n is the number of events
        per replica.
    """
    steps = len(events) // batch_size
    share = _HostShare(context, batch_size)

    def epoch_indices(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(events)), seed=key)
        batches = tf.reshape(order[: steps * batch_size], [steps, batch_size])
        return tf.data.Dataset.from_tensor_slices(share.of(batches))

    indices = tf.data.Dataset.counter(first_epoch).flat_map(epoch_indices)
    columns, labels = as_tensor(events.features), as_tensor(events.labels)

    def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(columns, batch), tf.gather(labels, batch)

    return _with_options(indices.map(gather, num_parallel_calls=2))


def validation_dataset(
    events: EventTable, batch_size: int, context: tf.distribute.InputContext = SINGLE_REPLICA
) -> tf.data.Dataset:
    """Yields every event exactly once, in order; the last batch is padded with weight 0.

    The weights average 1 over all batches, padding included, so that the mean of the mean losses
    of the batches is the mean over the events.

    Returns:
        Columns float32 [n, columns], labels float32 [n, 1] and weights float32 [n], where n is the
        number of events per replica.
    """
    steps = -(-len(events) // batch_size)
    weight = np.float32(steps * batch_size / len(events))
    share = _HostShare(context, batch_size)
    columns, labels = as_tensor(events.features), as_tensor(events.labels)

    def indices(step: tf.Tensor) -> tf.data.Dataset:
        batch = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices(share.of(batch[None]))

    def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        weights = tf.where(batch < len(events), weight, np.float32(0))
        batch = tf.minimum(batch, len(events) - 1)
        return tf.gather(columns, batch), tf.gather(labels, batch), weights

    return _with_options(tf.data.Dataset.range(steps).flat_map(indices).map(gather))


class _HostShare:
    """The part of global batches that this host's replicas need, one row per replica's batch."""

    def __init__(self, context: tf.distribute.InputContext, batch_size: int):
        self._host = context.input_pipeline_id
        self._shape = [
            context.num_input_pipelines,
            context.num_replicas_in_sync // context.num_input_pipelines,
            context.get_per_replica_batch_size(batch_size),
        ]

    def of(self, batches: tf.Tensor) -> tf.Tensor:
        """Selects from indices [steps, batch_size]: [steps x local replicas, events]."""
        selected = tf.reshape(batches, [-1, *self._shape])[:, self._host]
        return tf.reshape(selected, [-1, self._shape[-1]])


def _with_options(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # The events are in this process, so there are no files to shard.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # There is nothing to tune, and the tuner's thread delays the end of a fit by seconds.
    options.autotune.enabled = False
    return batches.prefetch(PREFETCHED_BATCHES).with_options(options)
