"""A small trained network: one that costs an Evaluator little, so that the rest is seen."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from tfx.types import Artifact, standard_artifacts
from tfx.utils import path_utils

from benchmarks import data
from components.example_gen.records import Events
from models.hyperparameters import resolve
from models.input_data import Array
from models.input_data import Events as TrainingEvents
from models.network import OUTPUT
from models.signatures import export
from models.training import train

TRAIN_EVENTS, VALIDATION_EVENTS = 40_000, 4_000


def make(folder: Path) -> Artifact:
    """Trains one epoch and exports, as a Model artifact."""
    tf_keras.utils.set_random_seed(0)
    trained = train(
        _for_training(data.training_events(TRAIN_EVENTS)),
        _for_training(data.evaluation_events(VALIDATION_EVENTS)),
        resolve("demo", units=64, blocks=2, epochs=1),
        seed=0,
        strategy=tf.distribute.get_strategy(),
        log_dir=str(folder / "logs"),
    )
    model = standard_artifacts.Model()
    model.uri = str(folder)
    export(trained.network, path_utils.serving_model_path(model.uri))
    return model


def score(model: Artifact, events: Events) -> Array:
    """The model's probabilities of the events, [N]."""
    exported = tf.saved_model.load(path_utils.serving_model_path(model.uri))
    scores = exported.signatures["score_features"](features=tf.constant(events.features))
    return np.asarray(scores[OUTPUT])[:, 0]


def _for_training(events: Events) -> TrainingEvents:
    return TrainingEvents(events.features, events.labels.reshape(-1, 1))
