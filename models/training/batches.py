"""Batches of events as ``tf.data`` datasets, with static shapes.

The training events of a host pass through memory in blocks. The row groups are put in an order
drawn from seed and epoch, the sequence of their events is cut into blocks of whole batches, and the
events of a block are shuffled. While the batches of one block are drawn, the next one is read and
its columns are computed, so that two blocks are in memory: the window. If the window can hold all
events, there is a single block, which stays in memory from epoch to epoch.

Seed, epoch and number determine a block, so a training can resume at any step.
"""

from collections import Counter
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from formats.features import NUM_FEATURES
from formats.splitmix64 import Words
from models.event_table import EventTable, apply_in_chunks, as_tensor, empty
from models.physics.input_columns import column_layer, column_names
from models.training.event_survey import TrainingEvents
from models.training.training_plan import TrainingPlan

PREFETCHED_BATCHES = 8

SINGLE_REPLICA = tf.distribute.InputContext()
"""One host with one replica."""


Rows = tuple[tuple[int, int, int], ...]
"""Index of a piece, and first row and end among its training events."""


class Blocks:
    """The blocks of one host's training events.

    Attributes:
        per_epoch: number of blocks of an epoch.
        steps_per_block: number of batches of a block; the last one of an epoch may have fewer.
        batch_size: events per batch of this host.
        seen: number of events that were read, by epoch from 0.
        parallel_calls: number of batches that are assembled at a time.
    """

    parallel_calls = 2

    def __init__(self, events: TrainingEvents, plan: TrainingPlan):
        """Prepares the blocks.

        Args:
            events: those of one host.
            plan: decides on columns, batches, seed and the size of blocks.
        """
        self._events = events
        self._seed = plan.seed
        self._derived = plan.hyperparameters.derived_columns
        # Traced once: the shapes are static.
        self._layer = tf.function(column_layer(derived=self._derived), autograph=False)
        self._steps = plan.steps_per_epoch
        self.release()
        self.width = len(column_names(derived=self._derived))
        self.steps_per_block = plan.steps_per_block
        self.per_epoch = -(-self._steps // self.steps_per_block)
        self.batch_size = plan.batch_size // len(events.by_host)
        self.seen: Counter[int] = Counter()

    def release(self) -> None:
        """Forgets the block in memory.

        TensorFlow keeps the function of ``load_in_graph``, and with it this object, for as long as
        the process lives.
        """
        self._rows: Rows = ()
        self._divided: dict[int, tuple[EventTable, Words]] = {}
        self._columns, self._labels = tf.zeros([0, 0]), tf.zeros([0, 1])

    def load(self, epoch: int, block: int) -> tuple[tf.Tensor, tf.Tensor, npt.NDArray[np.int32]]:
        """Reads a block, unless it has the same events as the one before.

        Returns:
            Columns float32 [N, columns], labels float32 [N, 1], and the indices of the events of
            each batch, int32 [steps, events].

        Raises:
            EventCountError: the files changed since the survey.
        """
        rows, self.seen[epoch] = self._select(epoch, block)
        if self._rows != rows:
            self._rows, self._columns, self._labels = rows, *self._read(rows)
        steps = min(self.steps_per_block, self._steps - block * self.steps_per_block)
        order = np.arange(len(self._labels), dtype=np.int32)
        np.random.default_rng([self._seed, epoch, block]).shuffle(order)
        batches = order[: steps * self.batch_size].reshape(steps, self.batch_size)
        return self._columns, self._labels, batches

    def count_seen(self, epoch: int) -> int:
        """Returns the number of events that were read in an epoch, from 0."""
        return self.seen[epoch]

    def load_in_graph(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Calls ``load``; blocks are numbered through all epochs."""
        loaded: tuple[tf.Tensor, tf.Tensor, tf.Tensor] = tf.py_function(
            lambda number: self.load(*divmod(int(number), self.per_epoch)),
            [number],
            [tf.float32, tf.float32, tf.int32],
        )
        return loaded

    def derive(self, columns: tf.Tensor) -> tf.Tensor:
        """Returns the columns of a batch from those of its block."""
        return columns

    def _select(self, epoch: int, block: int) -> tuple[Rows, int]:
        """Returns the rows of a block, and the number of events of the epoch up to its end."""
        pieces = self._events.pieces
        order = np.random.default_rng([self._seed, epoch]).permutation(len(pieces)).tolist()
        ends = [*accumulate(pieces[index].count for index in order)]
        first = block * self.steps_per_block * self.batch_size
        # The last block also has the events beyond the last whole batch.
        is_last = block == self.per_epoch - 1
        end = ends[-1] if is_last else first + self.steps_per_block * self.batch_size
        rows = [
            (index, max(first - start, 0), min(end, stop) - start)
            for index, start, stop in zip(order, [0, *ends], ends, strict=False)
            if start < end and stop > first
        ]
        return tuple(sorted(rows)), end

    def _read(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Reads events, and sorts them by their hashes, so that the files do not matter."""
        count = sum(stop - start for _, start, stop in rows)
        table = EventTable(np.empty([count, NUM_FEATURES], np.float32), empty(count, 1))
        keys, filled = np.empty(count, np.uint64), 0
        for index, start, stop in rows:
            part = slice(filled, filled + stop - start)
            events, keys[part] = self._read_piece(index, start, stop)
            table.features[part] = events.features
            table.labels[part] = events.labels
            filled = part.stop
        # Pieces whose rest belongs to the next block.
        kept = {index for index, _, stop in rows if stop < self._events.pieces[index].count}
        self._divided = {index: self._divided[index] for index in kept}
        order = np.argsort(keys)
        features = np.take(table.features, order, axis=0, out=empty(count, NUM_FEATURES))
        labels = np.take(table.labels, order, axis=0, out=empty(count, 1))
        with tf.device("CPU"):
            columns = apply_in_chunks(self._layer, features) if self._derived else features
            return as_tensor(columns), as_tensor(labels)

    def _read_piece(self, index: int, start: int, stop: int) -> tuple[EventTable, Words]:
        """Reads events of a piece and their keys; a piece of two blocks is read once."""
        piece = self._events.pieces[index]
        if stop - start == piece.count:
            return self._events.read(piece)
        if index not in self._divided:
            events, keys = self._events.read(piece)
            order = np.argsort(keys)
            self._divided[index] = events[order], keys[order]
        events, keys = self._divided[index]
        return events[start:stop], keys[start:stop]


def training_dataset(
    blocks: Blocks,
    first_epoch: int = 0,
    first_step: int = 0,
    context: tf.distribute.InputContext = SINGLE_REPLICA,
) -> tf.data.Dataset:
    """Yields batches endlessly; each epoch has the host's events once, in another order.

    The events beyond the last whole batch are left out; they differ from epoch to epoch.

    Args:
        blocks: those of this host.
        first_epoch: the epoch at which a resumed training continues, from 0.
        first_step: the step of this epoch, from 0.
        context: number of hosts and replicas.

    Returns:
        Columns float32 [n, columns] and labels float32 [n, 1], where n is the number of events
        per replica.
    """
    first_block, skipped = divmod(first_step, blocks.steps_per_block)
    replicas = context.num_replicas_in_sync // context.num_input_pipelines

    def load(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        columns, labels, order = blocks.load_in_graph(number)
        order = tf.reshape(order, [-1, blocks.batch_size // replicas])
        columns, labels = (
            tf.ensure_shape(values, [None, width])
            for values, width in ((columns, blocks.width), (labels, 1))
        )
        return columns, labels, order

    def batches(columns: tf.Tensor, labels: tf.Tensor, order: tf.Tensor) -> tf.data.Dataset:
        def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return blocks.derive(tf.gather(columns, batch)), tf.gather(labels, batch)

        return tf.data.Dataset.from_tensor_slices(order).map(
            gather, num_parallel_calls=blocks.parallel_calls
        )

    numbers = tf.data.Dataset.counter(first_epoch * blocks.per_epoch + first_block)
    loaded = numbers.map(load).prefetch(1)
    return _with_options(loaded.flat_map(batches).skip(skipped * replicas))


def validation_dataset(
    events: EventTable, plan: TrainingPlan, context: tf.distribute.InputContext = SINGLE_REPLICA
) -> tf.data.Dataset:
    """Yields every event exactly once, in order; the last batch is padded with weight 0.

    The weights average 1 over all batches, padding included, so that the mean of the mean losses
    of the batches is the mean over the events. The columns are computed batch by batch; they are
    kept from epoch to epoch if those of the training events are.

    Args:
        events: the validation events, with the features as published.
        plan: decides on columns and batches.
        context: number of hosts and replicas, and the index of this host.

    Returns:
        Columns float32 [n, columns], labels float32 [n, 1] and weights float32 [n], where n is the
        number of events per replica.
    """
    size = plan.batch_size
    steps = -(-len(events) // size)
    weight = np.float32(steps * size / len(events))
    hosts = context.num_input_pipelines
    shape = [hosts, context.num_replicas_in_sync // hosts, context.get_per_replica_batch_size(size)]
    layer = tf.function(column_layer(derived=plan.hyperparameters.derived_columns), autograph=False)
    features, labels = as_tensor(events.features), as_tensor(events.labels)

    def indices(step: tf.Tensor) -> tf.data.Dataset:
        batch = step * size + tf.range(size, dtype=tf.int64)
        return tf.data.Dataset.from_tensor_slices(
            tf.reshape(batch, shape)[context.input_pipeline_id]
        )

    def gather(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        weights = tf.where(batch < len(events), weight, np.float32(0))
        batch = tf.minimum(batch, len(events) - 1)
        return layer(tf.gather(features, batch)), tf.gather(labels, batch), weights

    batches = tf.data.Dataset.range(steps).flat_map(indices).map(gather, num_parallel_calls=2)
    return _with_options(batches.cache() if plan.is_in_memory else batches)


def _with_options(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Each host reads its own events, so there is nothing to shard.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # There is nothing to tune, and the tuner's thread delays the end of a fit by seconds.
    options.autotune.enabled = False
    return batches.prefetch(PREFETCHED_BATCHES).with_options(options)
