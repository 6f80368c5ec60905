"""Entry point of TFX's Trainer: the only file of ``models`` that uses TFX.

The component names it by its dotted path, ``models.trainer.run_fn``. Its ``custom_config`` holds
``hyperparameters`` (all of them by name), ``seed``, ``cluster_timeout_minutes``,
``memory``, the bytes that training events may use (None for a quarter of the machine's),
``ingested_events``, the number of events by split, and ``checkpoint_root``, the folder for the
checkpoints of unfinished trainings.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras

from formats import reference_scores, training_record
from formats.event_counts import check_events
from formats.hyperparameters import Hyperparameters
from formats.names import INGESTED_EVENTS, ONNX_FILE, SAVED_MODEL_FILE, TRAIN_SPLIT
from models.event_table import EventTable
from models.row_groups import ParquetSource
from models.serving import warmup_requests
from models.serving.onnx_model import to_onnx
from models.serving.reference_events import write_reference
from models.serving.saved_model import NamedWeights, export, is_exported, read_weights
from models.training.checkpoints import checkpoint_folder, discard_checkpoints
from models.training.event_survey import SAMPLE_EVENTS, Splits, check_parts, survey
from models.training.hardware import Machine, default_memory, find_machine, gather
from models.training.model_fit import FittedModel, choose_window, fit

if TYPE_CHECKING:  # Importing TFX takes seconds, and only a type is needed.
    from tfx import v1 as tfx

EXPORT_TIMEOUT = 1800.0
"""Seconds that the first host may take to assemble and export the model after the last epoch."""


def run_fn(fn_args: tfx.components.FnArgs) -> None:
    """Trains on a part of the split ``train``, validates on the rest of it, exports the model.

    A small split is trained on a second time as a whole. The split ``eval``, on which the gate
    decides, is not read.

    The exported network has the weights of the last epoch, or with a patience those of the best;
    after a second training, those of its last epoch. Writes the SavedModel, ``model.onnx`` and
    TensorFlow Serving's warm-up requests to ``serving_model_dir``, and TensorBoard's logs,
    ``training.json`` and ``reference_scores.npz`` to ``model_run_dir``. A training that was killed
    resumes at its last checkpoint when it is started again. With a ``base_model`` it starts with
    that model's weights. If several hosts train together, the first one writes and the others wait
    for it.

    Raises:
        InputDataError: the Examples cannot be trained on.
        EventCountError: there are more or fewer events than were ingested.
        ValueError: a hyperparameter is unknown or out of bounds.
        ClusterConfigError: ``TF_CONFIG`` does not describe a cluster.
        HostUnreachableError: another host did not answer in time.
        TPUUnavailableError: a TPU is expected but cannot be initialized.
        AcceleratorMissingError: fewer GPUs or TPU devices are visible than were requested.
        DivergedError: the loss was not finite; nothing is exported.
    """
    settings = fn_args.custom_config
    hyperparameters, seed = Hyperparameters(**settings["hyperparameters"]), settings["seed"]
    machine = find_machine(
        required=settings.get("accelerator"),
        required_count=settings.get("accelerator_count", 1),
        timeout=60 * settings["cluster_timeout_minutes"],
    )
    tf_keras.utils.set_random_seed(seed)
    source = ParquetSource(fn_args.train_files)
    ingested = settings[INGESTED_EVENTS][TRAIN_SPLIT]
    check_events(TRAIN_SPLIT, sum(source.counts), ingested, source.name)
    splits = _survey(source, hyperparameters, machine)
    # The hosts must agree on the window, even if they have different memories.
    memory = gather(machine.strategy, np.array([settings["memory"] or default_memory()])).min()
    window = choose_window(splits.train.by_host, int(memory), hyperparameters)
    tf.io.gfile.makedirs(fn_args.model_run_dir)
    initial_weights = read_initial_weights(fn_args.base_model)
    determining = {
        "hyperparameters": hyperparameters.model_dump(mode="json"),
        "seed": seed,
        # The policy of all hosts, which may have different CPUs.
        "devices": f"{machine.hardware.replicas} {machine.hardware.kind}",
        "events": splits.fingerprint,
        "window": window,
    }
    checkpoint_dir = checkpoint_folder(settings["checkpoint_root"], determining, initial_weights)
    fitted = fit(
        splits,
        hyperparameters,
        seed=seed,
        machine=machine,
        log_dir=fn_args.model_run_dir,
        window=window,
        checkpoint_dir=checkpoint_dir,
        initial_weights=initial_weights,
    )
    if machine.hardware.host:
        wait_for_export(fn_args.serving_model_dir)
        return
    _write(fitted, splits.validation, fn_args.model_run_dir, fn_args.serving_model_dir)
    discard_checkpoints(checkpoint_dir)


def _survey(source: ParquetSource, hyperparameters: Hyperparameters, machine: Machine) -> Splits:
    splits = survey(
        source,
        hyperparameters.validation_share,
        sample_events=max(SAMPLE_EVENTS, hyperparameters.tree_events),
        hosts=machine.hardware.hosts,
        own_hosts=machine.own_hosts,
        gather=functools.partial(gather, machine.strategy),
    )
    check_parts(splits, hyperparameters.validation_share)
    return splits


def _write(fitted: FittedModel, validation: EventTable, run_dir: str, model_dir: str) -> None:
    """Writes the training record and the reference scores, then the model."""
    with tf.io.gfile.GFile(f"{run_dir}/{training_record.FILE_NAME}", "w") as file:
        file.write(fitted.to_record().to_json())
    write_reference(fitted.model, validation, f"{run_dir}/{reference_scores.FILE_NAME}")
    others = {
        ONNX_FILE: to_onnx(fitted.model).SerializeToString(),
        warmup_requests.FILE_NAME: warmup_requests.warmup_file(validation.features[:1]),
    }
    export(fitted.model, model_dir, others)


def read_initial_weights(base_model: str | None) -> NamedWeights:
    """Reads the weights to start from; none without a base model, or if it is a placeholder.

    Args:
        base_model: the SavedModel's folder, which is missing if no model is in service yet.
    """
    if base_model and tf.io.gfile.exists(f"{base_model}/{SAVED_MODEL_FILE}"):
        return read_weights(base_model)
    return {}


def wait_for_export(path: str) -> None:
    """Waits until the first host has exported, because TFX expects a model on every host.

    Args:
        path: the SavedModel's folder.

    Raises:
        TimeoutError: there is no export after ``EXPORT_TIMEOUT``.
    """
    deadline = time.monotonic() + EXPORT_TIMEOUT
    while not is_exported(path):
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"no model at {path} after {EXPORT_TIMEOUT:.0f} s: see the first host's log"
            )
        time.sleep(1)
