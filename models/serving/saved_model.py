"""The export: a SavedModel that scores records, feature vectors or named columns.

It contains the model's weights and three signatures, but no code of Keras or this project, so that
any TensorFlow can load it. Each signature returns ``signal_probability``, float32 [N, 1], for any
N, including 0.
"""

import posixpath
from collections.abc import Callable, Mapping
from types import MappingProxyType

import tensorflow as tf
import tf_keras

from formats import names
from formats.features import FEATURES, NUM_FEATURES
from formats.published.record_parser import FEATURE_BYTES
from models.event_table import Array

RECORD_HEADER = b"\x08\x01\x12\x04\x12\x02\x08\x1c\x22\x70"
"""What ``tf.io.serialize_tensor`` writes before the 112 bytes of a float32 [28]: data type, shape,
and the tag and length of the content."""

WEIGHT_PREFIX, WEIGHT_SUFFIX = "weights/", "/.ATTRIBUTES/VARIABLE_VALUE"
"""Prefix and suffix of a weight's name in the export's checkpoint."""

CHUNK_EVENTS = 2048
"""Events that the export scores at a time: their intermediate values, some 30 KB each, then stay in
the processor's cache and need the same memory for any number of events."""

CHUNKS_AT_ONCE = 2
"""Chunks in progress: while one waits for a small operation, another keeps the processor busy."""

Scores = dict[str, tf.Tensor]

NamedWeights = Mapping[str, Array]
"""Weights by name."""


FEATURE_VECTORS = tf.TensorSpec([None, NUM_FEATURES], tf.float32, "features")


def export(
    model: tf_keras.Model, path: str, others: Mapping[str, bytes] = MappingProxyType({})
) -> None:
    """Writes the model as a SavedModel, to a temporary folder first.

    On a disk the export is therefore complete or absent.

    Args:
        model: from float32 [N, 28] to float32 [N, 1], with its variables on this host.
        path: the SavedModel's folder; an existing one is replaced.
        others: other files of the folder by their relative paths.
    """
    module = tf.Module()
    # Only the weights: with the model itself, Keras would add its own functions.
    module.weights = {weight_name(variable): variable for variable in model.variables}
    temporary = _temporary(path)
    tf.saved_model.save(module, temporary, signatures=signatures(model))
    for name, content in others.items():
        tf.io.gfile.makedirs(posixpath.dirname(f"{temporary}/{name}"))
        with tf.io.gfile.GFile(f"{temporary}/{name}", "wb") as file:
            file.write(content)
    if tf.io.gfile.exists(path):
        tf.io.gfile.rmtree(path)
    tf.io.gfile.rename(temporary, path)


def is_exported(path: str) -> bool:
    """Returns whether the SavedModel is complete; object stores move it file by file."""
    return tf.io.gfile.exists(path) and not tf.io.gfile.exists(_temporary(path))


def _temporary(path: str) -> str:
    return f"{path}.partial"


def weight_name(variable: tf.Variable) -> str:
    """Returns the name of a weight in the export, such as ``dense_1:kernel``."""
    name: str = variable.name
    return name.partition(":")[0].replace("/", ":")


def read_weights(path: str) -> NamedWeights:
    """Reads the weights of an exported model.

    Args:
        path: the SavedModel's folder.
    """
    reader = tf.train.load_checkpoint(f"{path}/variables/variables")
    return {
        key.removeprefix(WEIGHT_PREFIX).removesuffix(WEIGHT_SUFFIX): reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if key.startswith(WEIGHT_PREFIX)
    }


def signatures(model: tf_keras.Model) -> dict[str, Callable[..., Scores]]:
    """Traces the three signatures of the model; returns them by name."""

    # Keras needs no autograph, which would take seconds.
    @tf.function(autograph=False, input_signature=[FEATURE_VECTORS])
    def score(features: tf.Tensor) -> tf.Tensor:
        return model(features, training=False)

    @tf.function(autograph=False)
    def score_features(features: tf.Tensor) -> Scores:
        # TensorFlow does not compare what it gets with the signature: of a row with a label it
        # would take the first 28 values.
        features = tf.ensure_shape(features, FEATURE_VECTORS.shape)
        return {names.SIGNAL_PROBABILITY: apply_by_chunk(score, features)}

    @tf.function(autograph=False)
    def score_columns(**columns: tf.Tensor) -> Scores:
        return score_features(tf.concat([columns[name] for name in FEATURES], axis=1))

    @tf.function(autograph=False)
    def score_records(examples: tf.Tensor) -> Scores:
        return score_features(decode_records(examples))

    columns = {name: tf.TensorSpec([None, 1], tf.float32, name) for name in FEATURES}
    records = tf.TensorSpec([None], tf.string, "examples")
    return {
        names.SERVING_SIGNATURE: score_records.get_concrete_function(records),
        names.FEATURES_SIGNATURE: score_features.get_concrete_function(FEATURE_VECTORS),
        names.COLUMNS_SIGNATURE: score_columns.get_concrete_function(**columns),
    }


def apply_by_chunk(score: Callable[[tf.Tensor], tf.Tensor], features: tf.Tensor) -> tf.Tensor:
    """Scores any number of events in a graph, ``CHUNK_EVENTS`` at a time.

    Args:
        score: from float32 [n, 28] to float32 [n, 1], for any n.
        features: float32 [N, 28].

    Returns:
        float32 [N, 1].
    """
    count = tf.shape(features)[0]

    def score_all() -> tf.Tensor:
        chunks = -(-count // CHUNK_EVENTS)
        scores = tf.TensorArray(tf.float32, chunks, element_shape=[None, 1], infer_shape=False)

        def score_next(chunk: tf.Tensor, scores: tf.TensorArray) -> tuple[tf.Tensor, ...]:
            start = chunk * CHUNK_EVENTS
            return chunk + 1, scores.write(chunk, score(features[start : start + CHUNK_EVENTS]))

        _, scores = tf.while_loop(
            lambda chunk, _: chunk < chunks,
            score_next,
            (0, scores),
            parallel_iterations=CHUNKS_AT_ONCE,
        )
        return tf.ensure_shape(scores.concat(), [None, 1])

    return tf.cond(count <= CHUNK_EVENTS, lambda: score(features), score_all)


def decode_records(examples: tf.Tensor) -> tf.Tensor:
    """Decodes records of the published layout, string [N], to features, float32 [N, 28].

    The label is ignored and may be absent. If all records have the layout that TensorFlow itself
    writes, they are decoded at once, otherwise one by one.

    Raises:
        InvalidArgumentError: a record is not valid; raised when the graph runs.
    """
    layout = {"features": tf.io.FixedLenFeature([], tf.string)}
    tensors = tf.io.parse_example(examples, layout)["features"]
    header = tf.strings.substr(tensors, 0, len(RECORD_HEADER))
    sizes = tf.strings.length(tensors)
    is_usual = (header == RECORD_HEADER) & (sizes == len(RECORD_HEADER) + FEATURE_BYTES)
    return tf.cond(
        tf.reduce_all(is_usual), lambda: _decode_content(tensors), lambda: _parse_each(tensors)
    )


def _decode_content(tensors: tf.Tensor) -> tf.Tensor:
    content = tf.strings.substr(tensors, len(RECORD_HEADER), FEATURE_BYTES)
    return tf.reshape(tf.io.decode_raw(content, tf.float32), [tf.size(tensors), NUM_FEATURES])


def _parse_each(tensors: tf.Tensor) -> tf.Tensor:
    def parse(tensor: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.io.parse_tensor(tensor, tf.float32), [NUM_FEATURES])

    features = tf.TensorSpec([NUM_FEATURES], tf.float32)
    return tf.map_fn(parse, tensors, fn_output_signature=features)
