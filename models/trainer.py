"""TFX's entry to training: the one file of ``models`` that knows TFX.

The Trainer component names it by its dotted path, ``models.trainer.run_fn``. Its
``custom_config`` holds ``hyperparameters`` (every one by name) and ``seed``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras

from models.history import TrainingRecord
from models.hyperparameters import Hyperparameters
from models.input_data import Events, read_events
from models.network import OUTPUT, count_parameters, host_copy
from models.signatures import export
from models.strategy import find_strategy
from models.training import train

if TYPE_CHECKING:  # Importing TFX takes seconds, and only a type is needed of it.
    from tfx import v1 as tfx

REFERENCE_FILE_NAME = "reference_scores.npz"
REFERENCE_EVENTS = 1000


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains on the split ``train``, validates on ``eval`` and exports the best epoch.

    Writes the SavedModel to ``serving_model_dir``, and to ``model_run_dir`` TensorBoard's
    logs, ``training.json`` (see ``models.history``) and ``reference_scores.npz``.

    Raises:
      InputDataError: the Examples cannot be trained on.
      ValueError: a hyperparameter is unknown or out of bounds.
      TPUUnavailableError: there should be a TPU, and it cannot be initialised.
      DivergedError: the loss was never finite; nothing is exported.
    """
    hyperparameters = Hyperparameters(**fn_args.custom_config["hyperparameters"])
    seed = fn_args.custom_config["seed"]
    tf_keras.utils.set_random_seed(seed)
    strategy, hardware = find_strategy()
    train_events, eval_events = read_events(fn_args.train_files), read_events(fn_args.eval_files)
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    trained = train(
        train_events,
        eval_events,
        hyperparameters,
        seed=seed,
        strategy=strategy,
        log_dir=fn_args.model_run_dir,
    )
    network = host_copy(trained.network)
    TrainingRecord(
        seed=seed,
        strategy=hardware,
        hyperparameters=hyperparameters.model_dump(),
        parameters=count_parameters(network),
        events={"train": len(train_events), "eval": len(eval_events)},
        batch_size=trained.batch_size,
        steps_per_epoch=trained.steps_per_epoch,
        epochs=trained.epochs,
        epoch_kept=trained.epoch_kept,
        seconds=sum(epoch["seconds"] for epoch in trained.epochs),
    ).write(fn_args.model_run_dir)
    write_reference(network, eval_events, f"{fn_args.model_run_dir}/{REFERENCE_FILE_NAME}")
    export(network, fn_args.serving_model_dir)


def write_reference(network: tf_keras.Model, events: Events, path: str) -> None:
    """Writes what the export must reproduce: some events and the network's scores of them.

    The file is NumPy's ``.npz`` without pickles: ``features`` float32 [n, 28] of the
    first events, at most ``REFERENCE_EVENTS``, and ``signal_probability`` float32 [n, 1].
    """
    features = events.features[:REFERENCE_EVENTS]
    content = io.BytesIO()
    np.savez(content, **{"features": features, OUTPUT: network(features, training=False).numpy()})
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content.getvalue())
