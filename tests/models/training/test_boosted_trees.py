import logging

import lightgbm as lgb
import numpy as np
import pytest
import tensorflow as tf

from models.layers.forest_layer import ForestLayer
from models.training import boosted_trees
from models.training.boosted_trees import MAX_DEPTH, grow_forest, to_forest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def booster(make_events):
    events = make_events(3000)
    parameters = {"objective": "binary", "num_leaves": 16, "verbose": -1, "seed": 1}
    parameters["boost_from_average"] = False
    return lgb.train(parameters, lgb.Dataset(events.features, events.labels[:, 0]), 25)


@pytest.fixture(scope="module")
def forest(booster):
    return to_forest(booster.dump_model()["tree_info"], 3000)


def test_the_layer_computes_the_logit_of_lightgbm(booster, forest, make_events):
    columns = make_events(2000, seed=9).features
    logits = ForestLayer(forest)(tf.constant(columns)).numpy()
    np.testing.assert_allclose(logits[:, 0], booster.predict(columns, raw_score=True), atol=1e-5)


def test_an_event_on_a_threshold_takes_the_side_of_lightgbm(booster, forest, make_events):
    columns = make_events(400, seed=9).features
    rng = np.random.default_rng(3)
    inner = np.argwhere(forest.children[:, :, 0] != np.arange(forest.column.shape[1]))
    for row in columns:
        tree, node = inner[rng.integers(len(inner))]
        row[forest.column[tree, node]] = forest.threshold[tree, node]
    logits = ForestLayer(forest)(tf.constant(columns)).numpy()
    np.testing.assert_allclose(logits[:, 0], booster.predict(columns, raw_score=True), atol=1e-5)


@pytest.mark.slow
def test_xla_compiles_the_layer_for_any_number_of_events(forest, make_events):
    layer = ForestLayer(forest)
    compiled = tf.function(layer, jit_compile=True, autograph=False)
    for count in (0, 1, 7):
        columns = tf.constant(make_events(count).features)
        np.testing.assert_allclose(compiled(columns).numpy(), layer(columns).numpy(), atol=1e-6)


def test_the_forest_counts_its_leaves_and_cuts(booster, forest):
    trees = booster.dump_model()["tree_info"]
    assert forest.leaves == sum(tree["num_leaves"] for tree in trees)
    assert forest.events == 3000
    assert 4 <= forest.depth <= 15


def test_a_tree_without_a_cut_is_a_leaf(make_events):
    events = make_events(30)
    parameters = {"objective": "binary", "min_data_in_leaf": 100, "verbose": -1}
    stump = lgb.train(parameters, lgb.Dataset(events.features, events.labels[:, 0]), 1)
    forest = to_forest(stump.dump_model()["tree_info"], 30)
    expected = stump.predict(events.features, raw_score=True)
    np.testing.assert_allclose(
        ForestLayer(forest)(events.features).numpy()[:, 0], expected, atol=1e-6
    )


def test_the_same_seed_grows_the_same_trees(make_events, demo):
    events = make_events(3000)
    one, same, other = (
        grow_forest(events, demo(trees=5, tree_leaves=8, tree_events=500), seed)
        for seed in (1, 1, 2)
    )
    assert one.events == 500
    np.testing.assert_array_equal(one.threshold, same.threshold)
    assert one.threshold.shape != other.threshold.shape or (one.threshold != other.threshold).any()
    assert len(one.column) == 5
    assert one.depth <= MAX_DEPTH


def test_the_forest_separates_the_classes(make_events, demo):
    forest = grow_forest(make_events(3000), demo(trees=30), seed=1)
    events = make_events(2000, seed=9)
    logits = ForestLayer(forest)(tf.constant(events.features)).numpy()
    assert ((logits > 0) == events.labels).mean() > 0.75


def test_progress_is_logged(make_events, demo, monkeypatch, caplog):
    monkeypatch.setattr(boosted_trees, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        grow_forest(make_events(300), demo(trees=2), seed=1)
    assert caplog.messages == ["growing 2 trees on 300 events", "tree 1/2", "tree 2/2"]
