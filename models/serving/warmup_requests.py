"""Requests with which TensorFlow Serving warms up a new version before it serves it.

Without them the first request of each signature waits until its graph is ready.
"""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from formats import names
from formats.features import FEATURES
from formats.published.record import Events, encode_records
from formats.published.tfrecord import frame_equal
from models.event_table import Array

FILE_NAME = "assets.extra/tf_serving_warmup_requests"
"""Path in the SavedModel's folder: a TFRecord file of ``PredictionLog``."""

MODEL_NAME = "higgs"
"""A request names its model; the server takes the one that it loads."""


def warmup_requests(features: Array) -> list[PredictionLog]:
    """Makes one request for each signature.

    Args:
        features: the events to score, float32 [N, 28].
    """
    records = encode_records(Events(features, np.zeros(len(features), np.float32)))
    inputs = {
        names.SERVING_SIGNATURE: {"examples": np.array(records, object)},
        names.FEATURES_SIGNATURE: {"features": features},
        names.COLUMNS_SIGNATURE: {
            name: features[:, [index]] for index, name in enumerate(FEATURES)
        },
    }
    return [_request(signature, arrays) for signature, arrays in inputs.items()]


def _request(signature: str, arrays: dict[str, np.ndarray]) -> PredictionLog:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = MODEL_NAME
    request.model_spec.signature_name = signature
    for name, array in arrays.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return log


def warmup_file(features: Array) -> bytes:
    """Returns the content of ``FILE_NAME``, with ``warmup_requests`` of the events."""
    # With a fixed order of the inputs, so that equal models have equal files.
    requests = (log.SerializeToString(deterministic=True) for log in warmup_requests(features))
    return b"".join(frame_equal(np.frombuffer(request, np.uint8)[None]) for request in requests)
