"""Reference events: events with scores of the trained model that an export must reproduce."""

import logging

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from formats.features import DISCRETE_VALUES, FEATURES
from formats.reference_scores import ReferenceScores
from models.event_table import Array, EventTable, apply_in_chunks

log = logging.getLogger("higgs.trainer")

REFERENCE_EVENTS = 1000

NOISE = 1e-6
"""Relative size of the noise, about ten times the rounding error of a float32."""

DRAWS = 8
"""Number of noisy copies of each event."""

STABLE_DIFFERENCE = 5e-6
"""Largest change of a stable score under the noise; crossing a threshold changes it by more."""


def write_reference(model: tf_keras.Model, events: EventTable, path: str) -> None:
    """Writes the first ``REFERENCE_EVENTS`` events whose scores are stable, with their scores."""
    features = events.features[:REFERENCE_EVENTS]
    scores, is_stable = stable_scores(model, features)
    log.info("reference: the scores of %d of %d events are stable", is_stable.sum(), len(features))
    if not is_stable.any():
        log.warning("reference: all events are used; scores may differ on another processor")
        is_stable[:] = True
    (positions,) = np.nonzero(is_stable)
    reference = ReferenceScores(positions, features[positions], scores[positions])
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(reference.to_bytes())


def stable_scores(model: tf_keras.Model, features: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Scores events, and tells whether each score is insensitive to float32 rounding.

    Trees and derived columns compare values with thresholds. Another processor rounds differently,
    so that some of the millions of comparisons for a thousand events have another result. The
    scores of such events prove nothing about an export.

    Args:
        model: from features to probabilities, float32 [N, 1].
        features: as published, float32 [N, 28].

    Returns:
        Probabilities, float32 [N, 1], and a boolean [N].
    """
    is_continuous = np.array([name not in DISCRETE_VALUES for name in FEATURES])
    noise = np.random.default_rng(0).uniform(-NOISE, NOISE, [DRAWS, *features.shape])
    noisy = (features * (1 + noise * is_continuous)).astype(np.float32)
    copies = np.concatenate([features[None], noisy]).reshape(-1, features.shape[1])
    with tf.device("CPU"):
        outputs = apply_in_chunks(model, copies)
    scores, *noisy_scores = outputs.reshape(1 + DRAWS, -1, 1)
    differences = np.abs(np.array(noisy_scores) - scores)
    return scores, np.all(differences <= STABLE_DIFFERENCE, axis=(0, 2))
