"""Speed of training at the notebook's size, 5 blocks of 2048 units in batches of 2048.

Ours against the notebook's ``fit``, against the machine's own matrix products of the same shapes
in the same dtype, and how long the first step takes to come.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import tensorflow as tf
import tf_keras

from benchmarks import command, data
from benchmarks.harness import Measure, Measurement, Sense, rate, take_turns
from benchmarks.small_model import for_training
from formats.hyperparameters import resolve
from models.event_table import Events
from models.training.model_fit import fit
from models.training.precision import policy_of
from models.training.strategy import find_strategy

AGAINST_FIT = Measure("training", "events/s", 1.6, Sense.AT_LEAST)
OF_LIMIT = Measure("training_of_limit", "events/s", 0.85, Sense.AT_LEAST)
FIRST_STEP = Measure("training_first_step", "s", 6, Sense.AT_MOST)

BATCH, UNITS, BLOCKS = 2048, 2048, 5

STEPS = 8
"""Of an epoch: 16,384 events."""

VALIDATION_EVENTS = 2048

PRODUCTS_STEPS = 12


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures later epochs of a fit of each, the products, and the first step."""
    epochs = 1 if quick else 3
    training = for_training(data.training_events(STEPS * BATCH))
    validation = for_training(data.evaluation_events(VALIDATION_EVENTS))
    sizes = f"{epochs} epochs of {len(training):,} events"
    ours, fits, products = take_turns(
        partial(our_fit, training, validation, epochs),
        partial(notebook_fit, training, epochs),
        matrix_products,
    )
    yield Measurement(AGAINST_FIT, ours, fits, sizes)
    yield Measurement(OF_LIMIT, ours, products, sizes)
    (seconds,) = take_turns(first_step)
    yield Measurement(FIRST_STEP, seconds, sizes="from the begin of the first epoch")


def our_fit(training: Events, validation: Events, epochs: int) -> float:
    """Events a second of the preset ``kaggle`` after its first epoch."""
    hyperparameters = resolve(
        "kaggle", epochs=epochs + 1, early_stopping_patience=None, steps_per_execution=STEPS
    )
    with tempfile.TemporaryDirectory() as logs:
        fitted = fit(
            *(training, validation, hyperparameters),
            seed=0,
            machine=find_strategy(),
            log_dir=logs,
        )
    later = fitted.trained.epochs[1:]
    return float(np.median([epoch["events_per_second"] for epoch in later]))


def notebook_fit(training: Events, epochs: int) -> float:
    """Events a second of the notebook's network and ``fit`` after the first epoch."""
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
    """The notebook's network, compiled as there."""
    layers = tf_keras.layers
    inputs = tf_keras.Input([28])
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


def matrix_products() -> float:
    """Events a second if a training were its three matrix products a layer and nothing else."""
    dtype = tf.as_dtype("bfloat16" if _trains_in_bfloat16() else "float32")
    rng = np.random.default_rng(0)
    widths = [28, *[UNITS] * BLOCKS]
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


def _trains_in_bfloat16() -> bool:
    return "bfloat16" in policy_of("auto", find_strategy()[1])


def first_step() -> float:
    """Seconds that a fit's first step takes in a fresh process, tracing and compilation in it."""
    code = "from benchmarks.training import print_first_step; print_first_step()"
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout.split()[-1])


def print_first_step() -> None:
    """Fits a step of the preset ``kaggle``; prints how long it took once the network is built."""
    events = for_training(data.training_events(BATCH))
    with tempfile.TemporaryDirectory() as logs:
        fitted = fit(
            *(events, events, resolve("kaggle", epochs=1)),
            seed=0,
            machine=find_strategy(),
            log_dir=logs,
        )
    (epoch,) = fitted.trained.epochs
    print(BATCH / epoch["events_per_second"])


if __name__ == "__main__":
    command.main(measure)
