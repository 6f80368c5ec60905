import json
from importlib import metadata

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from formats.features import FEATURES
from models.event_table import EventTable
from models.network import build_network, measure_columns
from models.physics.input_columns import compute_columns
from models.serving.assembly import assemble, blend_on
from models.serving.onnx_model import CHUNK_EVENTS, to_onnx
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

    def make(*, derived=False, trees=8, buckets=6, activation="relu"):
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
        blend = forest and blend_on(network, forest, columns)
        return assemble(network, forest, blend, derived=derived)

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
        {"trees": 7, "buckets": 0},
        {"trees": 0, "buckets": 0, "activation": "gelu"},
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


@pytest.fixture(scope="module")
def derived(assembled):
    """A model with all parts, and its ONNX file."""
    model = assembled(derived=True)
    return model, to_onnx(model)


def test_onnx_runtime_scores_derived_columns_like_the_model(derived, toy):
    model, proto = derived
    scores, is_stable = stable_scores(model, toy.features[:500])
    assert is_stable.sum() > 300
    got = score(proto, toy.features[:500])
    np.testing.assert_allclose(got[is_stable], scores[is_stable], atol=2e-6)


def test_any_number_of_events_is_scored(derived, toy):
    model, proto = derived
    for count in (0, 1, 7, CHUNK_EVENTS, CHUNK_EVENTS + 1, 2 * CHUNK_EVENTS + 1):
        features = np.resize(toy.features, [count, len(FEATURES)])
        scores = score(proto, features)
        assert scores.shape == (count, 1)
        is_close = np.isclose(scores, model(features).numpy(), rtol=0, atol=1e-5)
        assert np.count_nonzero(~is_close) <= count // 500  # where rounding decides


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e6, 0])
def test_values_that_no_event_has_are_scored_as_by_the_model(derived, toy, value):
    model, proto = derived
    features = np.vstack([toy.features[:56], np.zeros([1, len(FEATURES)], np.float32)])
    features[np.arange(56), np.arange(56) % len(FEATURES)] = value
    features[-1] = value
    expected, got = model(features).numpy(), score(proto, features)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    assert np.isnan(got).all() if np.isnan(value) else np.isfinite(got).any()
    # One that rounding decides.
    assert np.count_nonzero(np.abs(got - expected) > 1e-5) <= 1


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros([2, 27], np.float32), "Got: 27 Expected: 28"),
        (np.zeros([2, 28]), "expected: .tensor.float"),
        (np.zeros([28], np.float32), "Invalid rank for input: features Got: 1 Expected: 2"),
    ],
)
def test_input_of_another_shape_or_type_is_refused(derived, features, message):
    with pytest.raises(InvalidArgument, match=message):
        score(derived[1], features)


def chunk_graph(proto):
    """Returns the graph that scores a chunk."""
    (scan,) = (node for node in proto.graph.node if node.op_type == "Scan")
    return scan.attribute[0].g


def test_large_batches_are_scored_in_equal_chunks(derived, toy):
    _, proto = derived
    proto = onnx.ModelProto.FromString(proto.SerializeToString())
    (scan,) = (node for node in proto.graph.node if node.op_type == "Scan")
    proto.graph.output.add().name = scan.input[0]
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def chunks(count):
        features = np.resize(toy.features, [count, len(FEATURES)])
        return session.run([scan.input[0]], {"features": features})[0].shape[:2]

    assert chunks(CHUNK_EVENTS) == (1, CHUNK_EVENTS)
    assert chunks(CHUNK_EVENTS + 1) == (2, CHUNK_EVENTS // 2 + 1)
    assert chunks(16 * CHUNK_EVENTS) == (16, CHUNK_EVENTS)


def test_a_model_has_few_operations(derived):
    """Each costs one event about a microsecond."""
    proto = derived[1]
    nodes = chunk_graph(proto).node
    assert len(proto.graph.node) + len(nodes) <= 315


def test_exponents_are_limited(derived):
    """Denormal exponentials take ten times as long in ONNX Runtime."""
    nodes = chunk_graph(derived[1]).node
    producers = {output: node for node in nodes for output in node.output}
    terms = [producers.get(node.input[0]) for node in nodes if node.op_type == "ReduceSum"]
    (exponential,) = (term for term in terms if term is not None and term.op_type == "Exp")
    assert producers[exponential.input[0]].op_type == "Max"


def test_the_indices_of_several_tables_are_rows_of_one_product(derived):
    """ONNX Runtime takes longer for products of one row."""
    model, proto = derived
    depth, trees = model.get_layer("leaves").get_weights()[1].shape
    edges, columns = model.get_layer("network").get_layer("buckets").get_weights()[0].shape
    graph = chunk_graph(proto)
    shapes = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulInteger"]
    rows = {node.name.split("/")[0]: shapes[node.input[0]] for node in products}
    assert (trees, columns) == (8, 115)
    assert rows == {"leaves": (8, 8 * depth), "log_odds": (5, 5 * edges)}


def test_values_on_an_edge_are_in_the_same_bucket_and_leaf(assembled, toy):
    model = assembled()
    features = toy.features[:200].copy()
    edges = model.get_layer("network").get_layer("buckets").get_weights()[0]
    features[: len(edges)] = edges
    borders = model.get_layer("leaves").get_weights()[0][..., 0]
    for row, (rank, column) in enumerate(zip(*np.nonzero(np.isfinite(borders)), strict=True)):
        features[len(edges) + row % 150, column] = borders[rank, column]
    # Unphysical values.
    features[-2:] = [[1e30], [-1e30]]
    np.testing.assert_allclose(score(to_onnx(model), features), model(features).numpy(), atol=2e-6)


def test_the_file_has_standard_operators_only_and_says_what_it_is(assembled):
    proto = to_onnx(assembled())
    onnx.checker.check_model(proto, full_check=True)
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", 17)]
    nodes = [*proto.graph.node, *chunk_graph(proto).node]
    assert {node.domain for node in nodes} == {""}
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
