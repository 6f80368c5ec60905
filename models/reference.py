"""What an export must reproduce: events, and the trained model's scores of them."""

import io

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras

from models.features import B_TAG_VALUES, FEATURES
from models.input_data import Array, Events
from models.network import OUTPUT
from models.serving import outputs_of

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
    (places,) = np.nonzero(steady(model, features))
    content = io.BytesIO()
    np.savez(
        content,
        **{
            "event": places,
            "features": features[places],
            OUTPUT: outputs_of(model, features[places]),
        },
    )
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content.getvalue())


def steady(model: tf_keras.Model, features: Array) -> npt.NDArray[np.bool_]:
    """Whether an event's score hangs on no last digit of its features.

    Trees and derived columns choose by thresholds. Another processor rounds otherwise, and of the
    millions of comparisons that a thousand events take some come out otherwise: such an event
    proves nothing of an export.

    Args:
      model: from features to probabilities, float32 [N, 1].
      features: as published, float32 [N, 28].

    Returns:
      A boolean [N]; all true for a model of which no event is steady.
    """
    rng = np.random.default_rng(0)
    measured = np.array([name not in B_TAG_VALUES for name in FEATURES])
    scores = outputs_of(model, features)
    found = np.ones(len(features), bool)
    for _ in range(DRAWS):
        noise = rng.uniform(-NOISE, NOISE, features.shape) * measured
        moved = outputs_of(model, (features * (1 + noise)).astype(np.float32))
        found &= np.abs(moved - scores)[:, 0] <= SMOOTH
    return found if found.any() else ~found
