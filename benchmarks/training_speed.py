"""Training speed at the notebook's size: 5 blocks of 2048 units, batches of 2048.

Compares our fit with the notebook's ``fit`` and with the machine's matrix products of the same
shapes and dtype, and measures the duration of the first step. The default network for more than
3 million events is trained through a window as well, against itself with all events in memory.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import tensorflow as tf
import tf_keras

from benchmarks import command_line
from benchmarks.generated_events import evaluation_events, to_table, training_events
from benchmarks.measurement import Measure, Measurement, Sense, rate, take_turns
from benchmarks.trainings import train
from formats.features import NUM_FEATURES
from formats.hyperparameters import Hyperparameters, resolve
from models.event_table import EventTable
from models.training.event_survey import Splits
from models.training.hardware import choose_policy, find_machine
from models.training.training_plan import size_hyperparameters

AGAINST_FIT = Measure("training", "events/s", 1.6, Sense.AT_LEAST)
OF_LIMIT = Measure("training_of_limit", "events/s", 0.85, Sense.AT_LEAST)
FIRST_STEP = Measure("training_first_step", "s", 6, Sense.AT_MOST)

STREAMED = Measure("training_streamed", "events/s", 0.9, Sense.AT_LEAST)

BATCH, UNITS, BLOCKS = 2048, 2048, 5

STEPS = 8
"""Steps per epoch, which has 16,384 events."""

VALIDATION_EVENTS = 2048

STREAMED_EVENTS, WINDOW = 80 * BATCH, 40 * BATCH
"""Number of events, and of those that are in memory at a time."""

PRODUCTS_STEPS = 12


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures later epochs of both fits, the matrix products, and the first step."""
    epochs = 1 if quick else 3
    training = to_table(training_events(STEPS * BATCH))
    splits = Splits.of_tables(training, to_table(evaluation_events(VALIDATION_EVENTS)))
    sizes = f"{epochs} epochs of {len(splits.train):,} events"
    ours, fits, products = take_turns(
        partial(our_rate, splits, epochs),
        partial(notebook_rate, training, epochs),
        matrix_product_rate,
    )
    yield Measurement(AGAINST_FIT, ours, fits, sizes)
    yield Measurement(OF_LIMIT, ours, products, sizes)
    streamed, held = take_turns(
        partial(default_rate, WINDOW, epochs), partial(default_rate, None, epochs)
    )
    yield Measurement(STREAMED, streamed, held, f"{epochs} epochs of {STREAMED_EVENTS:,} events")
    (seconds,) = take_turns(first_step_seconds)
    yield Measurement(FIRST_STEP, seconds, sizes="from the start of the first epoch")


def our_rate(splits: Splits, epochs: int) -> float:
    """Events per second of the preset ``kaggle`` after its first epoch."""
    hyperparameters = resolve(
        "kaggle", epochs=epochs + 1, early_stopping_patience=None, steps_per_execution=STEPS
    )
    return _later_rate(splits, hyperparameters)


def default_rate(window: int | None, epochs: int) -> float:
    """Events per second of the default network for many events after its first epoch.

    Args:
        window: number of events in memory; None for all.
        epochs: number of epochs after the first.
    """
    splits = Splits.of_tables(
        to_table(training_events(STREAMED_EVENTS)), to_table(evaluation_events(VALIDATION_EVENTS))
    )
    sizes = size_hyperparameters(resolve("default", trees=0, epochs=epochs + 1), 10**7)
    return _later_rate(splits, sizes, window)


def _later_rate(
    splits: Splits, hyperparameters: Hyperparameters, window: int | None = None
) -> float:
    later_epochs = train(splits, hyperparameters, window=window).trained.epochs[1:]
    return float(np.median([epoch["events_per_second"] for epoch in later_epochs]))


def notebook_rate(training: EventTable, epochs: int) -> float:
    """Events per second of the notebook's network and ``fit`` after the first epoch."""
    network = notebook_network()
    batches = (
        tf.data.Dataset.from_tensor_slices((training.features, training.labels))
        .cache()
        .repeat()
        .batch(BATCH)
        .prefetch(tf.data.AUTOTUNE)
    )
    network.fit(batches, epochs=1, steps_per_epoch=STEPS, verbose=0)
    return rate(
        epochs * len(training),
        lambda: network.fit(batches, epochs=epochs, steps_per_epoch=STEPS, verbose=0),
    )


def notebook_network() -> tf_keras.Model:
    """The notebook's network, compiled as in the notebook."""
    layers = tf_keras.layers
    inputs = tf_keras.Input([NUM_FEATURES])
    x = inputs
    for _ in range(BLOCKS):
        x = layers.Dense(UNITS)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.Dropout(0.1)(x)
    network = tf_keras.experimental.WideDeepModel(
        tf_keras.experimental.LinearModel(),
        tf_keras.Model(inputs, layers.Dense(1)(x)),
        activation="sigmoid",
    )
    network.compile(
        loss="binary_crossentropy",
        optimizer="adam",
        metrics=["AUC", "binary_accuracy"],
        steps_per_execution=STEPS,
    )
    return network


def matrix_product_rate() -> float:
    """Events per second of a training's three matrix products per layer alone."""
    policy = choose_policy("auto", find_machine().hardware)
    dtype = tf.as_dtype("bfloat16" if "bfloat16" in policy else "float32")
    rng = np.random.default_rng(0)
    widths = [NUM_FEATURES, *[UNITS] * BLOCKS]
    kernels = [tf.constant(rng.normal(size=shape), dtype) for shape in pairwise(widths)]
    inputs = [tf.constant(rng.normal(size=[BATCH, width]), dtype) for width in widths]

    @tf.function(jit_compile=True, autograph=False)
    def step(inputs: list[tf.Tensor], kernels: list[tf.Tensor]) -> list[tf.Tensor]:
        products = []
        for x, kernel, gradient in zip(inputs, kernels, inputs[1:], strict=False):
            products.append(tf.matmul(x, kernel))
            products.append(tf.matmul(gradient, kernel, transpose_b=True))
            products.append(tf.matmul(x, gradient, transpose_a=True))
        return products

    step(inputs, kernels)

    def steps() -> None:
        for _ in range(PRODUCTS_STEPS):
            step(inputs, kernels)[-1].numpy()

    return rate(PRODUCTS_STEPS * BATCH, steps)


def first_step_seconds() -> float:
    """Duration of a fit's first step in a new process, with tracing and compilation."""
    code = "from benchmarks.training_speed import print_first_step; print_first_step()"
    process = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(process.stdout.split()[-1])


def print_first_step() -> None:
    """Trains the preset ``kaggle`` for one step; prints its duration after the network is built."""
    events = to_table(training_events(BATCH))
    (epoch,) = train(Splits.of_tables(events, events), resolve("kaggle", epochs=1)).trained.epochs
    print(BATCH / epoch["events_per_second"])


if __name__ == "__main__":
    command_line.main(measure)
