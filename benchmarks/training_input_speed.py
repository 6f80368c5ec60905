"""Training input: events to batches of 2048, against the notebook's tf.data pipeline.

The first epoch begins with the files; later ones with what the first one left in
memory. Batches are taken as a fit takes them, some steps in one graph call, but no
network sees them, so that the input alone is timed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from benchmarks import command, data, nodes
from benchmarks.harness import Measure, Measurement, Sense, rate, take_turns
from formats.features import NUM_FEATURES
from models.event_table import read_events
from models.training.batches import training_dataset

FIRST = Measure("input_first_epoch", "events/s", 20, Sense.AT_LEAST)
LATER = Measure("input_later_epochs", "events/s", 20, Sense.AT_LEAST)

BATCH = 2048

LATER_EPOCHS = 3

STEPS_PER_EXECUTION = 10

Rates = tuple[float, float]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the first epoch and those after it of both, from one iterator a run."""
    events = 600_000 if quick else 2_000_000
    with data.scratch() as folder:
        shards = data.write_shards(folder / "shards", train=events, evaluation=1)
        examples = nodes.ingest(shards, folder / "examples")
        our_runs, peer_runs = take_turns(
            lambda: epochs(lambda: project(f"{examples.uri}/Split-train/*"), events),
            lambda: epochs(lambda: notebook(shards / "training"), events),
        )
    sizes = f"{events:,} events"
    for of_epoch, our_rates, peer_rates in zip(
        (FIRST, LATER), zip(*our_runs, strict=True), zip(*peer_runs, strict=True), strict=True
    ):
        yield Measurement(of_epoch, our_rates, peer_rates, sizes)


def epochs(build: Callable[[], tf.data.Dataset], events: int) -> Rates:
    """Events a second of the first epoch and of later ones, in whole batches."""
    steps = events // BATCH // STEPS_PER_EXECUTION * STEPS_PER_EXECUTION
    batches: Iterator[object] = iter(())

    def first() -> None:
        nonlocal batches
        batches = iter(build())
        _take(batches, steps)

    later = LATER_EPOCHS * steps
    return rate(steps * BATCH, first), rate(later * BATCH, lambda: _take(batches, later))


def project(pattern: str) -> tf.data.Dataset:
    """Our input, from Parquet Examples."""
    return training_dataset(read_events([pattern]), BATCH, seed=0)


def notebook(folder: Path) -> tf.data.Dataset:
    """The notebook's input, from published shards."""
    options = tf.data.Options()
    options.deterministic = False
    shards = sorted(str(path) for path in folder.iterdir())
    return (
        tf.data.TFRecordDataset(shards, num_parallel_reads=tf.data.AUTOTUNE)
        .with_options(options)
        .map(_parse, num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .repeat()
        .shuffle(2**19)
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )


def _parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    layout = {
        "features": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.float32),
    }
    parsed = tf.io.parse_single_example(record, layout)
    features = tf.io.parse_tensor(parsed["features"], tf.float32)
    return tf.reshape(features, [NUM_FEATURES]), parsed["label"]


def _take(batches: Iterator[object], steps: int) -> None:
    for _ in range(steps // STEPS_PER_EXECUTION):
        _execute(batches)


@tf.function
def _execute(batches: Iterator[object]) -> None:
    for _ in tf.range(STEPS_PER_EXECUTION):
        next(batches)


if __name__ == "__main__":
    command.main(measure)
