"""A small trained model, cheap to evaluate, so that the Evaluator's other work is visible."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tfx.types import Artifact, standard_artifacts
from tfx.utils import path_utils

from benchmarks.generated_events import evaluation_events, to_table, training_events
from benchmarks.trainings import train
from formats.hyperparameters import resolve
from formats.names import FEATURES_SIGNATURE, SIGNAL_PROBABILITY
from formats.published.record import Events
from models.event_table import Array
from models.serving.saved_model import export
from models.training.event_survey import Splits

TRAIN_EVENTS, VALIDATION_EVENTS = 40_000, 4_000


def train_small_model(folder: Path) -> Artifact:
    """Trains for one epoch and exports the model, as a Model artifact."""
    splits = Splits.of_tables(
        to_table(training_events(TRAIN_EVENTS)), to_table(evaluation_events(VALIDATION_EVENTS))
    )
    fitted = train(
        splits, resolve("kaggle", units=64, blocks=2, epochs=1, batch_size_per_replica=512)
    )
    model = standard_artifacts.Model()
    model.uri = str(folder)
    export(fitted.model, path_utils.serving_model_path(model.uri))
    return model


def score(model: Artifact, events: Events) -> Array:
    """The model's probabilities of signal, [N]."""
    exported = tf.saved_model.load(path_utils.serving_model_path(model.uri))
    scores = exported.signatures[FEATURES_SIGNATURE](features=tf.constant(events.features))
    return np.asarray(scores[SIGNAL_PROBABILITY])[:, 0]
