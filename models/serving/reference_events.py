"""What an export must reproduce: events, and the trained model's scores of them."""

import io
import logging

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from formats.features import DISCRETE_VALUES, FEATURES
from models.event_table import Array, Events
from models.network import OUTPUT
from models.serving.assembly import outputs_of

log = logging.getLogger("higgs.trainer")

REFERENCE_EVENTS = 1000

NOISE = 1e-6
"""Relative, some ten times what a float32 is rounded by."""

DRAWS = 8

SMOOTH = 5e-6
"""What so little noise may move a probability by; a threshold that is crossed moves it by more."""


def write_reference(model: tf_keras.Model, events: Events, path: str) -> None:
    """Writes the first events whose scores are steady, and the scores.

    The file is NumPy's ``.npz`` without pickles: ``event`` int64 [n], their places among
    ``events``, ``features`` float32 [n, 28] and ``signal_probability`` float32 [n, 1]; n is
    at most ``REFERENCE_EVENTS``.
    """
    features = events.features[:REFERENCE_EVENTS]
    scores, are_steady = steady_scores(model, features)
    log.info("reference: the scores of %d of %d events are steady", are_steady.sum(), len(features))
    if not are_steady.any():
        log.warning("reference: all events are taken, for another processor may score otherwise")
        are_steady[:] = True
    (places,) = np.nonzero(are_steady)
    content = io.BytesIO()
    np.savez(content, **{"event": places, "features": features[places], OUTPUT: scores[places]})
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content.getvalue())


def steady_scores(model: tf_keras.Model, features: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Scores, and whether each hangs on no last digit of its event's features.

    Trees and derived columns choose by thresholds. Another processor rounds otherwise, and of the
    millions of comparisons that a thousand events take some come out otherwise: such an event
    proves nothing of an export.

    Args:
      model: from features to probabilities, float32 [N, 1].
      features: as published, float32 [N, 28].

    Returns:
      Probabilities, float32 [N, 1], and a boolean [N].
    """
    measured = np.array([name not in DISCRETE_VALUES for name in FEATURES])
    noise = np.random.default_rng(0).uniform(-NOISE, NOISE, [DRAWS, *features.shape]) * measured
    moved = (features * (1 + noise)).astype(np.float32)
    everything = np.concatenate([features[None], moved]).reshape(-1, features.shape[1])
    scores, *others = outputs_of(model, everything).reshape(1 + DRAWS, -1, 1)
    return scores, np.all(np.abs(np.array(others) - scores) <= SMOOTH, axis=(0, 2))
