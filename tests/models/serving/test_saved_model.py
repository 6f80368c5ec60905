import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from formats.features import FEATURES
from models.serving.saved_model import (
    CHUNK_EVENTS,
    apply_by_chunk,
    decode_records,
    export,
    read_weights,
)

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "load_elsewhere.py"


def record(tensor, label=None):
    features = {"features": tf.train.Feature(bytes_list=tf.train.BytesList(value=[tensor]))}
    if label is not None:
        features["label"] = tf.train.Feature(float_list=tf.train.FloatList(value=[label]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def published(vector):
    return record(tf.io.serialize_tensor(vector).numpy(), label=1.0)


def as_float_val(vector):
    """Encodes the tensor as other writers do."""
    proto = tf.make_tensor_proto(vector)
    return record(
        type(proto)(
            dtype=proto.dtype, tensor_shape=proto.tensor_shape, float_val=vector
        ).SerializeToString()
    )


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(exported).signatures


@pytest.fixture(scope="module")
def features(make_events):
    """Events in three chunks; the last one is not full."""
    return make_events(2 * CHUNK_EVENTS + 40, seed=20).features


@pytest.fixture(scope="module")
def expected(network, features):
    return network(features, training=False).numpy()


def scores(signature, *args, **kwargs):
    outputs = signature(*args, **kwargs)
    assert list(outputs) == ["signal_probability"]
    return outputs["signal_probability"].numpy()


def test_every_signature_scores_like_the_model(signatures, features, expected):
    columns = {name: tf.constant(features[:, [i]]) for i, name in enumerate(FEATURES)}
    records = tf.constant([published(vector) for vector in features])
    for outputs in (
        scores(signatures["serving_default"], examples=records),
        scores(signatures["score_features"], features=tf.constant(features)),
        scores(signatures["score_columns"], **columns),
    ):
        assert outputs.dtype == np.float32
        np.testing.assert_allclose(outputs, expected, atol=1e-6)


def test_no_events_give_no_scores(signatures):
    empty = {name: tf.zeros([0, 1]) for name in FEATURES}
    assert scores(signatures["serving_default"], tf.constant([], tf.string)).shape == (0, 1)
    assert scores(signatures["score_features"], tf.zeros([0, 28])).shape == (0, 1)
    assert scores(signatures["score_columns"], **empty).shape == (0, 1)


@pytest.mark.parametrize("count", [1, CHUNK_EVENTS, CHUNK_EVENTS + 1, 2 * CHUNK_EVENTS])
def test_any_number_of_events_is_scored_in_order(signatures, features, expected, count):
    outputs = scores(signatures["score_features"], features=tf.constant(features[:count]))
    np.testing.assert_allclose(outputs, expected[:count], atol=1e-6)


def test_large_batches_are_scored_chunk_by_chunk():
    sizes = []

    def score(features):
        tf.numpy_function(lambda size: sizes.append(int(size)), [tf.shape(features)[0]], [])
        return features[:, :1]

    features = tf.range(5 * CHUNK_EVENTS + 3, dtype=tf.float32)[:, None] * tf.ones([1, 28])
    outputs = tf.function(lambda x: apply_by_chunk(score, x))(features)
    np.testing.assert_array_equal(outputs, features[:, :1])
    assert sorted(sizes) == [3, *5 * [CHUNK_EVENTS]]


@pytest.mark.slow
def test_the_export_scores_where_the_project_is_not_installed(
    exported, features, expected, tmp_path
):
    records = np.array([published(vector) for vector in features])
    np.savez(tmp_path / "in.npz", features=features, records=records)
    command = [sys.executable, SCRIPT, exported, tmp_path / "in.npz", tmp_path / "out.npz"]
    # Some imports of TFX set this variable, with which TensorFlow itself imports Keras.
    environment = {
        name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"
    }
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    outputs = np.load(tmp_path / "out.npz")
    assert outputs["keys"].tolist() == ["score_columns", "score_features", "serving_default"]
    assert outputs["names"].tolist() == sorted(FEATURES)
    for name in ("serving_default", "score_features", "session"):
        np.testing.assert_allclose(outputs[name], expected, atol=1e-6)


def test_saved_model_cli_runs_the_export(exported, features, expected, tmp_path):
    np.save(tmp_path / "in.npy", features)
    tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run"]
    which = ["--dir", exported, "--tag_set", "serve", "--signature_def", "score_features"]
    data = ["--inputs", f"features={tmp_path}/in.npy", "--outdir", tmp_path]
    subprocess.run([*tool, *which, *data], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "signal_probability.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("encode", [published, as_float_val])
def test_every_encoding_of_the_vector_is_decoded(features, encode):
    decoded = decode_records(tf.constant([encode(vector) for vector in features[:40]]))
    np.testing.assert_array_equal(decoded.numpy(), features[:40])


def test_encodings_may_be_mixed(features):
    records = [published(features[0]), as_float_val(features[1])]
    np.testing.assert_array_equal(decode_records(tf.constant(records)).numpy(), features[:2])


@pytest.mark.parametrize("shape", [[3, 27], [3, 29], [CHUNK_EVENTS + 1, 29], [28]])
def test_vectors_of_another_length_are_rejected(signatures, exported, shape):
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures["score_features"](features=tf.zeros(shape))
    # Sessions optimize the graph in another way.
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], exported)
        signature = loaded.signature_def["score_features"]
        feed = {signature.inputs["features"].name: np.zeros(shape)}
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            session.run(signature.outputs["signal_probability"].name, feed)


def test_columns_of_more_than_one_value_are_rejected(signatures):
    columns = {name: tf.zeros([3, 1]) for name in FEATURES}
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures["score_columns"](**{**columns, FEATURES[0]: tf.zeros([3, 2])})


def test_label_may_be_absent(features):
    unlabeled = record(tf.io.serialize_tensor(features[0]).numpy())
    np.testing.assert_array_equal(decode_records(tf.constant([unlabeled])).numpy(), features[:1])


@pytest.mark.parametrize(
    "tensor",
    [
        tf.io.serialize_tensor(tf.zeros([27])).numpy(),
        tf.io.serialize_tensor(tf.zeros([28], tf.float64)).numpy(),
        b"\x00" * 122,
        b"",
    ],
    ids=["27 values", "float64", "122 other bytes", "empty"],
)
def test_other_tensors_are_rejected(tensor, signatures):
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures["serving_default"](tf.constant([record(tensor)]))


def test_a_record_without_features_is_rejected(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="features"):
        signatures["serving_default"](tf.constant([tf.train.Example().SerializeToString()]))


def test_an_export_replaces_an_older_one_and_leaves_no_other_files(
    network, features, expected, tmp_path
):
    path = tmp_path / "Format-Serving"
    path.mkdir()
    (path / "leftover").touch()
    export(network, str(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["Format-Serving"]
    assert not (path / "leftover").exists()
    loaded = tf.saved_model.load(str(path)).signatures["score_features"]
    np.testing.assert_allclose(scores(loaded, tf.constant(features)), expected, atol=1e-6)


def test_an_interrupted_export_leaves_none(network, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(tf.io.gfile, "rename", fail)
    with pytest.raises(OSError, match="disk full"):
        export(network, str(tmp_path / "Format-Serving"))
    assert not (tmp_path / "Format-Serving").exists()


def test_weights_are_read_by_name(network, exported):
    weights = read_weights(exported)
    kernel, bias = network.get_layer("dense_1").get_weights()
    np.testing.assert_array_equal(weights["dense_1:kernel"], kernel)
    np.testing.assert_array_equal(weights["dense_1:bias"], bias)
    moving_variance = network.get_layer("batch_norm_2").get_weights()[3]
    np.testing.assert_array_equal(weights["batch_norm_2:moving_variance"], moving_variance)
