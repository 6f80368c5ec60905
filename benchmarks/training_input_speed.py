"""Training input speed: batches of 2048 events, against the notebook's tf.data pipeline.

The first epoch starts from the files, with the survey, later ones from the events in memory.
Batches are drawn as in a fit, several steps per graph call, but no network uses them, so that only
the input is timed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from benchmarks import command_line, generated_events
from benchmarks.measurement import Measure, Measurement, Sense, rate, take_turns
from benchmarks.single_node import ingest
from formats.features import NUM_FEATURES
from formats.hyperparameters import resolve
from formats.training_record import StrategyRecord
from models.row_groups import ParquetSource
from models.training.batches import Blocks, training_dataset
from models.training.event_survey import survey
from models.training.training_plan import plan_training, size_hyperparameters

FIRST = Measure("input_first_epoch", "events/s", 20, Sense.AT_LEAST)
LATER = Measure("input_later_epochs", "events/s", 20, Sense.AT_LEAST)

BATCH = 2048

LATER_EPOCHS = 3

STEPS_PER_EXECUTION = 10

Rates = tuple[float, float]


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the first and the later epochs of both, with one iterator per run."""
    events = 600_000 if quick else 2_000_000
    with generated_events.scratch_folder() as folder:
        shards = generated_events.write_shards(folder / "shards", num_train=events, num_eval=1)
        examples = ingest(shards, folder / "examples")
        our_runs, peer_runs = take_turns(
            lambda: epoch_rates(lambda: our_dataset(f"{examples.uri}/Split-train/*"), events),
            lambda: epoch_rates(lambda: notebook_dataset(shards / "training"), events),
        )
    sizes = f"{events:,} events"
    our_first, our_later = zip(*our_runs, strict=True)
    peer_first, peer_later = zip(*peer_runs, strict=True)
    yield Measurement(FIRST, our_first, peer_first, sizes)
    yield Measurement(LATER, our_later, peer_later, sizes)


def epoch_rates(build: Callable[[], tf.data.Dataset], events: int) -> Rates:
    """Events per second of the first epoch and of later ones, in whole batches."""
    steps = events // BATCH // STEPS_PER_EXECUTION * STEPS_PER_EXECUTION
    batches: Iterator[object] = iter(())

    def first_epoch() -> None:
        nonlocal batches
        batches = iter(build())
        _draw(batches, steps)

    later_steps = LATER_EPOCHS * steps
    return (
        rate(steps * BATCH, first_epoch),
        rate(later_steps * BATCH, lambda: _draw(batches, later_steps)),
    )


def our_dataset(pattern: str) -> tf.data.Dataset:
    """Our input, from Parquet Examples."""
    splits = survey(ParquetSource([pattern]), 0.0)
    hyperparameters = size_hyperparameters(
        resolve("kaggle", batch_size_per_replica=BATCH), len(splits.train)
    )
    cpu = StrategyRecord(kind="cpu", replicas=1, devices=("/device:CPU:0",))
    plan = plan_training(len(splits.train), hyperparameters, 0, cpu)
    return training_dataset(Blocks(splits.train, plan))


def notebook_dataset(folder: Path) -> tf.data.Dataset:
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


def _draw(batches: Iterator[object], steps: int) -> None:
    for _ in range(steps // STEPS_PER_EXECUTION):
        _execute(batches)


@tf.function
def _execute(batches: Iterator[object]) -> None:
    for _ in tf.range(STEPS_PER_EXECUTION):
        next(batches)


if __name__ == "__main__":
    command_line.main(measure)
