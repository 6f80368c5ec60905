import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from models.input_columns import compute_columns
from models.layers.tree_leaves import Leaves
from models.network import build_network, prepare
from models.serving.assembly import PRIOR_EVENTS, assemble, fit_blend, on_host, outputs_of
from models.training.boosted_trees import grow


@pytest.fixture(scope="module")
def parts(make_events, demo):
    hyperparameters = demo(units=8, trees=10, buckets=6)
    events = make_events(2000)
    network = build_network(hyperparameters, prepare(events, hyperparameters), seed=1)
    return network, grow(events, hyperparameters, seed=1), events


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def test_blend_of_many_events_is_sklearns_logistic_regression():
    rng = np.random.default_rng(1)
    true = rng.normal(size=200_000)
    labels = (rng.random(200_000) < sigmoid(true)).astype(np.float32)[:, None]
    logits = [(scale * true + rng.normal(size=200_000))[:, None] for scale in (0.5, 2)]
    found = fit_blend(*logits, labels)
    theirs = LogisticRegression(C=1e9, tol=1e-8).fit(np.hstack(logits), labels[:, 0])
    expected = [*theirs.coef_[0], *theirs.intercept_]
    np.testing.assert_allclose([found.network, found.leaves, found.bias], expected, atol=0.01)


@pytest.mark.parametrize("spread", [6, 10, 100])
def test_blend_of_a_network_that_is_far_too_sure_is_still_the_best_one(spread):
    rng = np.random.default_rng(2)
    true = 1.5 * rng.normal(size=[2400, 1])
    labels = (rng.random([2400, 1]) < sigmoid(true)).astype(np.float32)
    network = spread * (true + rng.normal(size=true.shape))
    leaves = true + 0.5 * rng.normal(size=true.shape)
    found = fit_blend(network, leaves, labels)
    weights = np.array([found.network, found.leaves, found.bias])
    inputs = np.hstack([network, leaves, np.ones_like(labels)])
    # The gradient of the loss with its prior is 0 at its one minimum, and nowhere else.
    gradient = inputs.T @ (sigmoid(inputs @ weights) - labels[:, 0])
    gradient += PRIOR_EVENTS * (weights - [0.5, 0.5, 0])
    np.testing.assert_allclose(gradient, 0, atol=1e-3)
    assert 0 < found.network * spread < 1 < 2 * found.leaves


def test_blend_of_one_class_alone_is_finite():
    logits = np.float32([[3], [-2], [8]])
    found = fit_blend(logits, logits, np.zeros([3, 1], np.float32))
    assert np.isfinite([found.network, found.leaves, found.bias]).all()


def test_blend_of_few_events_stays_near_equal_shares():
    labels = np.float32([[1], [0], [1]])
    found = fit_blend(8 * labels, -8 * labels, labels)
    np.testing.assert_allclose([found.network, found.leaves, found.bias], [0.5, 0.5, 0], atol=0.15)


def test_model_is_the_blend_of_its_parts(parts, make_events):
    network, forest, evaluation = parts
    model, blend = assemble(network, forest, evaluation, derived=False)
    features = make_events(100, seed=7).features
    score = network(features).numpy().astype(np.float64)
    leaves = Leaves(forest)(tf.constant(features)).numpy()
    expected = blend.bias + blend.network * np.log(score / (1 - score)) + blend.leaves * leaves
    np.testing.assert_allclose(model(features).numpy(), sigmoid(expected), atol=1e-5)


def test_model_without_trees_is_the_network(parts, make_events):
    network, _, evaluation = parts
    model, blend = assemble(network, None, evaluation, derived=False)
    features = make_events(100, seed=7).features
    assert blend is None
    np.testing.assert_allclose(model(features).numpy(), network(features).numpy(), atol=1e-6)


def test_derived_columns_are_computed_inside_the_model(make_events, demo):
    events = make_events(300)
    columns = compute_columns(events, derived=True)
    hyperparameters = demo(units=8, buckets=6)
    network = build_network(hyperparameters, prepare(columns, hyperparameters), seed=1)
    model, _ = assemble(network, None, columns, derived=True)
    assert model.input_shape == (None, 28)
    expected = network(columns.features).numpy()
    np.testing.assert_allclose(model(events.features).numpy(), expected, atol=1e-5)


def test_host_copy_scores_alike_and_lives_apart(parts, demo, make_events):
    network, _, events = parts
    hyperparameters = demo(units=8, buckets=6)
    copy = on_host(network, hyperparameters, prepare(events, hyperparameters))
    features = make_events(20).features
    before = network(features).numpy()
    np.testing.assert_array_equal(copy(features).numpy(), before)
    copy.set_weights([np.zeros_like(weight) for weight in copy.get_weights()])
    np.testing.assert_array_equal(network(features).numpy(), before)


def test_outputs_of_many_events_are_found_by_parts(parts, monkeypatch):
    network, _, events = parts
    monkeypatch.setattr("models.serving.assembly.EVENTS", 300)
    score = network.predict(events.features, verbose=0)
    np.testing.assert_allclose(outputs_of(network, events.features), score, atol=1e-6)
