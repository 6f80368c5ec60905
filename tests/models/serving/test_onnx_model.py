import json
from importlib import metadata

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from formats.features import FEATURES
from models.event_table import EventTable
from models.network import build_network, measure_columns
from models.physics.input_columns import compute_columns
from models.serving.assembly import assemble
from models.serving.onnx_model import to_onnx
from models.serving.reference_events import stable_scores
from models.serving.warmup_requests import FILE_NAME
from models.training.boosted_trees import grow_forest
from pipeline.sample_data import monte_carlo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def toy():
    return next(monte_carlo.generate(600, 11))


@pytest.fixture(scope="module")
def assembled(toy, demo):
    """Assembles a model of random weights."""

    def make(*, derived=False, trees=7, buckets=6, activation="relu"):
        hyperparameters = demo(
            units=8, blocks=2, trees=trees or 1, buckets=buckets, activation=activation
        )
        columns = compute_columns(EventTable(toy.features, toy.labels[:, None]), derived=derived)
        network = build_network(hyperparameters, measure_columns(columns, buckets), seed=1)
        rng = np.random.default_rng(2)
        for layer in network.layers:
            if layer.name.startswith(("dense", "batch_norm", "deep", "wide")):
                layer.set_weights([rng.uniform(0.1, 0.3, w.shape) for w in layer.get_weights()])
        forest = grow_forest(columns, hyperparameters, seed=1) if trees else None
        return assemble(network, forest, columns, derived=derived)[0]

    return make


def score(proto, features):
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["signal_probability"], {"features": features})[0]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"trees": 0},
        {"buckets": 0},
        {"trees": 0, "buckets": 0, "activation": "gelu"},
        {"derived": True},
    ],
    ids=str,
)
def test_onnx_runtime_scores_like_the_model(assembled, toy, parts):
    model = assembled(**parts)
    features = toy.features[:500]
    scores, is_stable = stable_scores(model, features)
    got = score(to_onnx(model), features)
    assert got.dtype == np.float32
    assert is_stable.sum() > 300
    np.testing.assert_allclose(got[is_stable], scores[is_stable], atol=2e-6)


def test_values_on_an_edge_are_in_the_same_bucket_and_leaf(assembled, toy):
    model = assembled()
    features = toy.features[:200].copy()
    edges = model.get_layer("network").get_layer("buckets").get_weights()[0].T
    features[: len(edges)] = edges
    columns, borders, *_ = model.get_layer("leaves").get_weights()
    for row, (column, border) in enumerate(zip(columns, borders, strict=True)):
        features[len(edges) + row % 150, column] = border
    # Values that no event has.
    features[-2:] = [[1e30], [-1e30]]
    np.testing.assert_allclose(score(to_onnx(model), features), model(features).numpy(), atol=2e-6)


def test_the_file_has_standard_operators_only_and_says_what_it_is(assembled):
    proto = to_onnx(assembled())
    onnx.checker.check_model(proto, full_check=True)
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", 17)]
    assert {node.domain for node in proto.graph.node} == {""}
    (features,), (scores,) = proto.graph.input, proto.graph.output
    for value, name, width in ((features, "features", 28), (scores, "signal_probability", 1)):
        events, columns = value.type.tensor_type.shape.dim
        assert (value.name, events.dim_param, columns.dim_value) == (name, "events", width)
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(properties["features"]) == list(FEATURES)
    assert json.loads(properties["units"])["m_bb"] == 126.04
    assert properties["version"] == metadata.version("higgs-pipeline")


@pytest.fixture(scope="module")
def export_folder(finished_run):
    return finished_run.serving_model_dir


def test_the_trainer_writes_the_file_beside_the_savedmodel(export_folder, run_validation):
    features = run_validation.features[:100]
    signature = tf.saved_model.load(export_folder).signatures["score_features"]
    expected = signature(features=tf.constant(features))["signal_probability"].numpy()
    got = score(onnx.load(f"{export_folder}/model.onnx"), features)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_each_signature_answers_its_warmup_request(export_folder):
    signatures = tf.saved_model.load(export_folder).signatures
    path = f"{export_folder}/{FILE_NAME}"
    requests = [
        PredictionLog.FromString(record.numpy()).predict_log.request
        for record in tf.data.TFRecordDataset(path)
    ]
    assert sorted(request.model_spec.signature_name for request in requests) == sorted(signatures)
    scores = []
    for request in requests:
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = signatures[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        scores.append(outputs["signal_probability"].numpy())
    assert scores[0].shape == (1, 1)
    np.testing.assert_allclose(scores[1:], [scores[0]] * 2, atol=1e-6)
