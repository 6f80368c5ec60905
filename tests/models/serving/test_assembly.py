import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from models.layers.forest_layer import ForestLayer
from models.network import build_network, measure_columns
from models.physics.input_columns import compute_columns
from models.serving.assembly import PRIOR_EVENTS, assemble, blend_on, copy_to_host, fit_blend
from models.training.boosted_trees import grow_forest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parts(make_events, demo):
    hyperparameters = demo(units=8, trees=10, buckets=6)
    events = make_events(2000)
    network = build_network(hyperparameters, measure_columns(events, buckets=6), seed=1)
    return network, grow_forest(events, hyperparameters, seed=1), events


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def test_the_blend_of_many_events_is_that_of_sklearn():
    rng = np.random.default_rng(1)
    true = rng.normal(size=200_000)
    labels = (rng.random(200_000) < sigmoid(true)).astype(np.float32)[:, None]
    logits = [(scale * true + rng.normal(size=200_000))[:, None] for scale in (0.5, 2)]
    blend = fit_blend(*logits, labels)
    reference = LogisticRegression(C=1e9, tol=1e-8).fit(np.hstack(logits), labels[:, 0])
    expected = [*reference.coef_[0], *reference.intercept_]
    np.testing.assert_allclose([blend.network, blend.leaves, blend.bias], expected, atol=0.01)


@pytest.mark.parametrize("scale", [6, 10, 100])
def test_the_blend_with_an_overconfident_network_is_optimal(scale):
    rng = np.random.default_rng(2)
    true = 1.5 * rng.normal(size=[2400, 1])
    labels = (rng.random([2400, 1]) < sigmoid(true)).astype(np.float32)
    network = scale * (true + rng.normal(size=true.shape))
    forest = true + 0.5 * rng.normal(size=true.shape)
    blend = fit_blend(network, forest, labels)
    weights = np.array([blend.network, blend.leaves, blend.bias])
    inputs = np.hstack([network, forest, np.ones_like(labels)])
    # The gradient of the loss with its prior is 0 only at its minimum.
    gradient = inputs.T @ (sigmoid(inputs @ weights) - labels[:, 0])
    gradient += PRIOR_EVENTS * (weights - [0.5, 0.5, 0])
    np.testing.assert_allclose(gradient, 0, atol=1e-3)
    assert 0 < blend.network * scale < 1 < 2 * blend.leaves


def test_the_blend_of_a_single_class_is_finite():
    logits = np.float32([[3], [-2], [8]])
    blend = fit_blend(logits, logits, np.zeros([3, 1], np.float32))
    assert np.isfinite([blend.network, blend.leaves, blend.bias]).all()


def test_the_blend_of_few_events_has_nearly_equal_shares():
    labels = np.float32([[1], [0], [1]])
    blend = fit_blend(8 * labels, -8 * labels, labels)
    np.testing.assert_allclose([blend.network, blend.leaves, blend.bias], [0.5, 0.5, 0], atol=0.15)


def test_the_model_is_the_blend_of_its_parts(parts, make_events):
    network, forest, validation = parts
    blend = blend_on(network, forest, validation)
    model = assemble(network, forest, blend, derived=False)
    features = make_events(100, seed=7).features
    score = network(features).numpy().astype(np.float64)
    forest_logit = ForestLayer(forest)(tf.constant(features)).numpy()
    network_logit = np.log(score / (1 - score))
    expected = blend.bias + blend.network * network_logit + blend.leaves * forest_logit
    np.testing.assert_allclose(model(features).numpy(), sigmoid(expected), atol=1e-5)


def test_a_model_without_trees_is_the_network(parts, make_events):
    network, *_ = parts
    model = assemble(network, None, None, derived=False)
    features = make_events(100, seed=7).features
    np.testing.assert_allclose(model(features).numpy(), network(features).numpy(), atol=1e-6)


@pytest.mark.slow
def test_derived_columns_are_computed_inside_the_model(make_events, demo):
    events = make_events(300)
    columns = compute_columns(events, derived=True)
    hyperparameters = demo(units=8, buckets=6)
    network = build_network(hyperparameters, measure_columns(columns, buckets=6), seed=1)
    model = assemble(network, None, None, derived=True)
    assert model.input_shape == (None, 28)
    expected = network(columns.features).numpy()
    np.testing.assert_allclose(model(events.features).numpy(), expected, atol=1e-5)


def test_the_copy_on_the_host_scores_equally_and_is_independent(parts, demo, make_events):
    network, _, events = parts
    hyperparameters = demo(units=8, buckets=6)
    copy = copy_to_host(network, hyperparameters, measure_columns(events, buckets=6))
    features = make_events(20).features
    before = network(features).numpy()
    np.testing.assert_array_equal(copy(features).numpy(), before)
    copy.set_weights([np.zeros_like(weight) for weight in copy.get_weights()])
    np.testing.assert_array_equal(network(features).numpy(), before)
