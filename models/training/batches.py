"""Events to batches: what ``fit`` is fed, static in shape and whole in count.

Batches are gathered from memory; each host draws its own replicas' part of a global batch, and all
hosts together every event of it once.
"""

import logging

import numpy as np
import tensorflow as tf

from models.event_table import Events, as_tensor

log = logging.getLogger("higgs.trainer")

PREFETCHED_BATCHES = 8

ALONE = tf.distribute.InputContext()
"""One host with one replica."""


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


def training_dataset(
    events: Events,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    context: tf.distribute.InputContext = ALONE,
) -> tf.data.Dataset:
    """Endless batches, each epoch a fresh permutation of all events.

    An epoch is ``len(events) // batch_size`` global batches. Which permutation it gets
    depends on the seed and on the number of the epoch only; the events that do not
    fill a last batch differ from epoch to epoch.

    Args:
      events: with any number of columns as features.
      batch_size: events of a global batch.
      seed: of the permutations.
      first_epoch: where a training goes on, from 0.
      context: which host this is of how many.

    Returns:
      Columns float32 [n, columns] and labels float32 [n, 1], n the events of a replica's batch.
    """
    steps = len(events) // batch_size
    place = _Place(context, batch_size)

    def epoch_indices(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(events)), seed=key)
        batches = tf.reshape(order[: steps * batch_size], [steps, batch_size])
        return tf.data.Dataset.from_tensor_slices(place.of(batches))

    indices = tf.data.Dataset.counter(first_epoch).flat_map(epoch_indices)
    columns, labels = as_tensor(events.features), as_tensor(events.labels)

    def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.gather(columns, batch), tf.gather(labels, batch)

    return _delivered(indices.map(gather, num_parallel_calls=2))


def evaluation_dataset(
    events: Events, batch_size: int, context: tf.distribute.InputContext = ALONE
) -> tf.data.Dataset:
    """Every event exactly once, in order; the last batch is filled with weight 0.

    The weights of the events average 1 over all batches, filling included, so that
    the mean of the batches' mean losses is the mean over the events.

    Returns:
      Columns float32 [n, columns], labels float32 [n, 1] and weights float32 [n], n the events of
      a replica's batch.
    """
    steps = -(-len(events) // batch_size)
    weight = np.float32(steps * batch_size / len(events))
    place = _Place(context, batch_size)
    columns, labels = as_tensor(events.features), as_tensor(events.labels)

    def indices(step: tf.Tensor) -> tf.data.Dataset:
        batch = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices(place.of(batch[None]))

    def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        weights = tf.where(batch < len(events), weight, np.float32(0))
        batch = tf.minimum(batch, len(events) - 1)
        return tf.gather(columns, batch), tf.gather(labels, batch), weights

    return _delivered(tf.data.Dataset.range(steps).flat_map(indices).map(gather))


class _Place:
    """This host's part of global batches, a replica's batch at a time."""

    def __init__(self, context: tf.distribute.InputContext, batch_size: int):
        self._host = context.input_pipeline_id
        self._shape = [
            context.num_input_pipelines,
            context.num_replicas_in_sync // context.num_input_pipelines,
            context.get_per_replica_batch_size(batch_size),
        ]

    def of(self, batches: tf.Tensor) -> tf.Tensor:
        """Indices [steps, batch_size] to [steps x replicas here, a replica's batch]."""
        mine = tf.reshape(batches, [-1, *self._shape])[:, self._host]
        return tf.reshape(mine, [-1, self._shape[-1]])


def _delivered(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # The events are in this process: there are no files to deal to workers.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # Nothing is left to tune, and the tuner's thread holds up the end of a fit for seconds.
    options.autotune.enabled = False
    return batches.prefetch(PREFETCHED_BATCHES).with_options(options)
