"""The export: a SavedModel that scores records, feature vectors or named columns.

It holds the network's weights and three signatures and nothing of Keras or of this
project, so that any TensorFlow can load it. Each signature returns
``signal_probability``, float32 [N, 1], for any N, 0 included.
"""

from collections.abc import Callable

import tensorflow as tf
import tf_keras

from formats.features import FEATURES, NUM_FEATURES
from models.network import OUTPUT
from models.training.warm_start import weight_name

RECORD_HEADER = b"\x08\x01\x12\x04\x12\x02\x08\x1c\x22\x70"
"""What ``tf.io.serialize_tensor`` writes before the 112 bytes of a float32 [28]: dtype,
shape, and the tag and length of the content."""

CONTENT_BYTES = 4 * NUM_FEATURES

Scores = dict[str, tf.Tensor]


def export(network: tf_keras.Model, path: str) -> None:
    """Writes the network as a SavedModel, aside first, so that on a disk it is there whole or not.

    Args:
      network: from float32 [N, 28] to float32 [N, 1], with its variables on this host.
      path: the SavedModel's folder; one that is there already is replaced.
    """
    module = tf.Module()
    # The weights alone: with the network itself, Keras would add its own functions.
    module.weights = {weight_name(variable): variable for variable in network.variables}
    aside = _aside(path)
    tf.saved_model.save(module, aside, signatures=signatures(network))
    if tf.io.gfile.exists(path):
        tf.io.gfile.rmtree(path)
    tf.io.gfile.rename(aside, path)


def is_exported(path: str) -> bool:
    """Whether a whole SavedModel is there; an object store moves it file by file."""
    return tf.io.gfile.exists(path) and not tf.io.gfile.exists(_aside(path))


def _aside(path: str) -> str:
    return f"{path}.partial"


def signatures(network: tf_keras.Model) -> dict[str, Callable[..., Scores]]:
    """The three signatures of the network, traced, by name."""

    # Keras needs no autograph, and would spend seconds in it.
    @tf.function(autograph=False)
    def score_features(features: tf.Tensor) -> Scores:
        return {OUTPUT: network(features, training=False)}

    @tf.function(autograph=False)
    def score_columns(**columns: tf.Tensor) -> Scores:
        return score_features(tf.concat([columns[name] for name in FEATURES], axis=1))

    @tf.function(autograph=False)
    def serving_default(examples: tf.Tensor) -> Scores:
        return score_features(decode_records(examples))

    vectors = tf.TensorSpec([None, NUM_FEATURES], tf.float32, "features")
    columns = {name: tf.TensorSpec([None, 1], tf.float32, name) for name in FEATURES}
    records = tf.TensorSpec([None], tf.string, "examples")
    return {
        "serving_default": serving_default.get_concrete_function(records),
        "score_features": score_features.get_concrete_function(vectors),
        "score_columns": score_columns.get_concrete_function(**columns),
    }


def decode_records(examples: tf.Tensor) -> tf.Tensor:
    """Decodes records of the published layout, string [N], to features, float32 [N, 28].

    The label is not looked at and may be absent. All records of the layout that
    TensorFlow itself writes are decoded at once, any others one by one.

    Raises:
      InvalidArgumentError: while it runs, if a record is no such record.
    """
    layout = {"features": tf.io.FixedLenFeature([], tf.string)}
    tensors = tf.io.parse_example(examples, layout)["features"]
    header = tf.strings.substr(tensors, 0, len(RECORD_HEADER))
    sizes = tf.strings.length(tensors)
    usual = (header == RECORD_HEADER) & (sizes == len(RECORD_HEADER) + CONTENT_BYTES)
    return tf.cond(
        tf.reduce_all(usual), lambda: _decode_content(tensors), lambda: _parse_each(tensors)
    )


def _decode_content(tensors: tf.Tensor) -> tf.Tensor:
    content = tf.strings.substr(tensors, len(RECORD_HEADER), CONTENT_BYTES)
    return tf.reshape(tf.io.decode_raw(content, tf.float32), [tf.size(tensors), NUM_FEATURES])


def _parse_each(tensors: tf.Tensor) -> tf.Tensor:
    def parse(tensor: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.io.parse_tensor(tensor, tf.float32), [NUM_FEATURES])

    features = tf.TensorSpec([NUM_FEATURES], tf.float32)
    return tf.map_fn(parse, tensors, fn_output_signature=features)
