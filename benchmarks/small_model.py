"""A small trained network: one that costs an Evaluator little, so that the rest is seen."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tfx.types import Artifact, standard_artifacts
from tfx.utils import path_utils

from benchmarks import data
from formats.hyperparameters import resolve
from formats.published.record import Events
from models.event_table import Array
from models.event_table import Events as TrainingEvents
from models.network import OUTPUT
from models.serving.signatures import export
from models.training.model_fit import fit
from models.training.strategy import find_strategy

TRAIN_EVENTS, VALIDATION_EVENTS = 40_000, 4_000


def make(folder: Path) -> Artifact:
    """Trains one epoch and exports, as a Model artifact."""
    fitted = fit(
        for_training(data.training_events(TRAIN_EVENTS)),
        for_training(data.evaluation_events(VALIDATION_EVENTS)),
        resolve("kaggle", units=64, blocks=2, epochs=1, batch_size_per_replica=512),
        seed=0,
        machine=find_strategy(),
        log_dir=str(folder / "logs"),
    )
    model = standard_artifacts.Model()
    model.uri = str(folder)
    export(fitted.model, path_utils.serving_model_path(model.uri))
    return model


def score(model: Artifact, events: Events) -> Array:
    """The model's probabilities of the events, [N]."""
    exported = tf.saved_model.load(path_utils.serving_model_path(model.uri))
    scores = exported.signatures["score_features"](features=tf.constant(events.features))
    return np.asarray(scores[OUTPUT])[:, 0]


def for_training(events: Events) -> TrainingEvents:
    """Events as the models take them."""
    return TrainingEvents(events.features, events.labels.reshape(-1, 1))
