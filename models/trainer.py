"""TFX's entry to training: the one file of ``models`` that knows TFX.

The Trainer component names it by its dotted path, ``models.trainer.run_fn``. Its
``custom_config`` holds ``hyperparameters`` (every one by name), ``seed``, and ``checkpoint_root``,
the folder where the states of trainings that are not finished are kept.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras

from formats.hyperparameters import Hyperparameters
from models.event_table import read_events
from models.serving.reference_events import write_reference
from models.serving.signatures import export, is_exported
from models.training.checkpoints import discard, training_folder
from models.training.model_fit import fit
from models.training.strategy import find_strategy
from models.training.training_summary import describe
from models.training.warm_start import read_weights

if TYPE_CHECKING:  # Importing TFX takes seconds, and only a type is needed of it.
    from tfx import v1 as tfx

REFERENCE_FILE_NAME = "reference_scores.npz"

SECONDS_TO_EXPORT = 1800.0
"""What the first host may take to put model and export together, after the last epoch."""


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains on the split ``train``, validates on ``eval`` and exports the best epoch.

    Writes the SavedModel to ``serving_model_dir``, and to ``model_run_dir`` TensorBoard's
    logs, ``training.json`` and ``reference_scores.npz``. A training that
    was killed goes on after its last finished epoch when the same one is started again; with a
    ``base_model`` it begins with that model's weights. Of several hosts that train together the
    first writes, and the others wait until it has.

    Raises:
      InputDataError: the Examples cannot be trained on.
      ValueError: a hyperparameter is unknown or out of bounds.
      TPUUnavailableError: there should be a TPU, and it cannot be initialised.
      DivergedError: the loss was not finite; nothing is exported.
    """
    settings = fn_args.custom_config
    hyperparameters, seed = Hyperparameters(**settings["hyperparameters"]), settings["seed"]
    machine = find_strategy()
    tf_keras.utils.set_random_seed(seed)
    train_events, eval_events = read_events(fn_args.train_files), read_events(fn_args.eval_files)
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    beginning = read_weights(fn_args.base_model) if fn_args.base_model else {}
    states = training_folder(
        settings["checkpoint_root"],
        {
            "hyperparameters": hyperparameters.model_dump(mode="json"),
            "seed": seed,
            # Of all hosts, of which one may have another CPU than the next.
            "devices": f"{machine[1].replicas} {machine[1].kind}",
        },
        *(beginning, train_events, eval_events),
    )
    fitted = fit(
        *(train_events, eval_events, hyperparameters),
        seed=seed,
        machine=machine,
        log_dir=fn_args.model_run_dir,
        checkpoint_dir=states,
        initial_weights=beginning,
    )
    if machine[1].host:
        wait_for(fn_args.serving_model_dir)
        return
    describe(fitted).write(fn_args.model_run_dir)
    write_reference(fitted.model, eval_events, f"{fn_args.model_run_dir}/{REFERENCE_FILE_NAME}")
    export(fitted.model, fn_args.serving_model_dir)
    discard(states)


def wait_for(export: str, seconds: float = SECONDS_TO_EXPORT) -> None:
    """Waits until the first host has exported: TFX looks for a model on every host.

    Raises:
      TimeoutError: it has not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not is_exported(export):
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"no model at {export} after {seconds:.0f} s: see the first host's log"
            )
        time.sleep(1)
