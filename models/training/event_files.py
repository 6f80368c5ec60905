"""Event files that TensorFlow reads without Python, for hosts that do not run this program.

One process drives all TPUs of a slice. TensorFlow runs a ``tf.data`` pipeline on each host, in a
server that cannot call Python (documentation of ``tf.py_function``). So before the first step the
program writes the training events of each host to files, and each pipeline reads those of its host
with TensorFlow's operations. The blocks are those of ``models.training.batches``: the same events,
shuffled by TensorFlow instead of NumPy.
"""

import numpy as np
import tensorflow as tf

from formats.errors import one_line
from formats.features import NUM_FEATURES
from models.training.batches import Blocks
from models.training.event_survey import TrainingEvents
from models.training.hardware import TPUUnavailableError
from models.training.training_plan import TrainingPlan

WORDS = 2 + NUM_FEATURES + 1
"""int32 words per event: sort key (a little-endian int64), features and label (float32)."""

SIGN = np.uint64(1 << 63)
"""Flipping this bit maps uint64 keys to int64 keys in the same order."""


class FileBlocks(Blocks):
    """The blocks of one host's training events, read by a pipeline on that host."""

    # Columns are computed batch by batch; a TPU's host has many cores.
    parallel_calls = 32

    def __init__(self, events: TrainingEvents, plan: TrainingPlan, folder: str):
        """Writes the events; must be called in the device scope of the host.

        Args:
            events: those of one host.
            plan: decides on columns, batches, seed and the size of blocks.
            folder: on an object store, or on a disk that all hosts mount.

        Raises:
            EventCountError: the files of the Examples changed since the survey.
            TPUUnavailableError: the host cannot read the folder.
        """
        super().__init__(events, plan)
        self.width = NUM_FEATURES
        paths = write_pieces(events, folder)
        check_readable(paths[0])
        numbers = range(plan.hyperparameters.epochs * self.per_epoch)
        blocks = [self._select(*divmod(number, self.per_epoch))[0] for number in numbers]
        self._paths = tf.constant(paths)
        self._rows_by_block = tf.RaggedTensor.from_row_lengths(
            tf.constant([row for rows in blocks for row in rows]), [len(rows) for rows in blocks]
        )
        self._seen_on_host = tf.Variable(tf.zeros(plan.hyperparameters.epochs, tf.int64))

    def count_seen(self, epoch: int) -> int:
        """Returns the number of events that were read in an epoch, from 0."""
        return int(self._seen_on_host[epoch])

    def load_in_graph(self, number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Reads a block; see ``Blocks.load``. The columns are those as published."""
        # The next block is read ahead, even after the last one.
        number = tf.minimum(number, self._rows_by_block.nrows() - 1)
        records = tf.map_fn(
            self._read_rows,
            self._rows_by_block[number],
            fn_output_signature=tf.RaggedTensorSpec([None, WORDS], tf.int32, ragged_rank=0),
        ).values
        order = tf.argsort(tf.bitcast(records[:, :2], tf.int64))
        values = tf.bitcast(tf.gather(records[:, 2:], order), tf.float32)
        count = tf.shape(values, tf.int64)[0]
        epoch, first_step = number // self.per_epoch, number % self.per_epoch * self.steps_per_block
        count_update = self._seen_on_host.scatter_nd_update(
            [[epoch]], [first_step * self.batch_size + count]
        )
        with tf.control_dependencies([count_update]):
            shuffled = tf.random.experimental.stateless_shuffle(
                tf.range(tf.cast(count, tf.int32)), seed=[self._seed, number]
            )
        steps = tf.minimum(self._steps - first_step, self.steps_per_block)
        return values[:, :-1], values[:, -1:], shuffled[: steps * self.batch_size]

    def derive(self, columns: tf.Tensor) -> tf.Tensor:
        """Computes the columns of a batch, float32 [n, columns], from float32 [n, 28]."""
        return self._layer(columns) if self._derived else columns

    def _read_rows(self, row: tf.Tensor) -> tf.Tensor:
        """Reads rows of one file: int32 [n, WORDS]."""
        content = tf.io.decode_raw(tf.io.read_file(self._paths[row[0]]), tf.int32)
        return tf.reshape(content, [-1, WORDS])[row[1] : row[2]]


def write_pieces(events: TrainingEvents, folder: str) -> list[str]:
    """Writes one file per piece, sorted by ``sort_keys``; returns the paths."""
    tf.io.gfile.makedirs(folder)
    paths = [f"{folder}/{piece.host}-{piece.group}" for piece in events.pieces]
    for piece, path in zip(events.pieces, paths, strict=True):
        table, keys = events.read(piece)
        order = np.argsort(keys)
        records = np.empty([len(order), WORDS], np.int32)
        records[:, :2] = (keys[order] ^ SIGN).view(np.int32).reshape(-1, 2)
        records[:, 2:-1] = table.features[order].view(np.int32)
        records[:, -1:] = table.labels[order].view(np.int32)
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(records.tobytes())
    return paths


def check_readable(path: str) -> None:
    """Reads a file on the host of the current device scope.

    Raises:
        TPUUnavailableError: the host cannot read it.
    """
    try:
        tf.strings.length(tf.io.read_file(path)).numpy()
    except tf.errors.OpError as error:
        raise TPUUnavailableError(
            f"a host of the TPU cannot read {path} ({one_line(error.message)}): set "
            "trainer.checkpoints to an object store, or to a disk that all hosts mount"
        ) from error
