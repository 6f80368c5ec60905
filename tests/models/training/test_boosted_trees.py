import json
import logging

import numpy as np
import pytest
import tensorflow as tf
from catboost import CatBoost

from models.event_table import InputDataError
from models.layers.forest_layer import ForestLayer
from models.training import boosted_trees
from models.training.boosted_trees import grow_forest, to_forest

pytestmark = pytest.mark.slow


def to_json(booster, folder):
    booster.save_model(str(folder / "model.json"), format="json")
    return json.loads((folder / "model.json").read_text())


def grow(events, **settings):
    """Grows trees with CatBoost itself."""
    settings = {"loss_function": "Logloss", "border_count": 32, "random_seed": 1, **settings}
    settings |= {"logging_level": "Silent", "allow_writing_files": False}
    return CatBoost(settings).fit(events.features, events.labels[:, 0])


def raw_scores(booster, columns):
    return booster.predict(columns, prediction_type="RawFormulaVal")


@pytest.fixture(scope="module")
def booster(make_events):
    return grow(make_events(3000), iterations=25, depth=4)


@pytest.fixture(scope="module")
def forest(booster, tmp_path_factory):
    return to_forest(to_json(booster, tmp_path_factory.mktemp("trees")), 3000)


def test_the_layer_computes_the_logit_of_catboost(booster, forest, make_events):
    columns = make_events(2000, seed=9).features
    logits = ForestLayer(forest)(tf.constant(columns)).numpy()
    assert logits.shape == (2000, 1)
    np.testing.assert_allclose(logits[:, 0], raw_scores(booster, columns), atol=1e-5)


def test_an_event_beside_a_border_takes_the_side_of_catboost(booster, forest, make_events):
    columns = make_events(2000, seed=9).features
    rng = np.random.default_rng(3)
    cuts = np.argwhere(np.isfinite(forest.border))
    for number, row in enumerate(columns):
        tree, level = cuts[rng.integers(len(cuts))]
        border = forest.border[tree, level]
        sides = border, np.nextafter(border, np.float32(np.inf)), np.nextafter(border, -np.inf)
        row[forest.column[tree, level]] = sides[number % 3]
    logits = ForestLayer(forest)(tf.constant(columns)).numpy()
    np.testing.assert_allclose(logits[:, 0], raw_scores(booster, columns), atol=1e-5)


def test_scale_and_bias_are_part_of_the_weights(make_events, tmp_path):
    booster = grow(make_events(300), iterations=3, depth=2)
    columns = make_events(100, seed=9).features
    before = raw_scores(booster, columns)
    booster.set_scale_and_bias(0.5, [2.0])
    logits = ForestLayer(to_forest(to_json(booster, tmp_path), 300))(tf.constant(columns)).numpy()
    np.testing.assert_allclose(logits[:, 0], 0.5 * before + 2, atol=1e-5)


def test_xla_compiles_the_layer_for_any_number_of_events(forest, make_events):
    layer = ForestLayer(forest)
    compiled = tf.function(layer, jit_compile=True, autograph=False)
    for count in (0, 1, 7):
        columns = tf.constant(make_events(count).features)
        np.testing.assert_allclose(compiled(columns).numpy(), layer(columns).numpy(), atol=1e-6)


def test_the_forest_counts_its_leaves_and_cuts(booster, forest, tmp_path):
    trees = to_json(booster, tmp_path)["oblivious_trees"]
    assert forest.leaves == sum(2 ** len(tree["splits"]) for tree in trees)
    assert forest.events == 3000
    assert forest.column.shape == forest.border.shape == (25, 4)
    assert forest.weight.shape == (25, 16)


def test_trees_of_fewer_cuts_are_filled_up(make_events, tmp_path):
    events = make_events(300)
    events.features[:] = 0
    events.features[::2, 0] = 1
    booster = grow(events, iterations=3, depth=4)
    trees = to_json(booster, tmp_path)["oblivious_trees"]
    assert {len(tree["splits"]) for tree in trees} == {1}
    # As if another tree had a depth of 2.
    deeper = {"splits": 2 * trees[0]["splits"], "leaf_values": [1, 9, 9, 1]}
    model = {"oblivious_trees": [*trees, deeper], "scale_and_bias": [1, [0]]}
    forest = to_forest(model, 300)
    assert forest.leaves == 3 * 2 + 4
    logits = ForestLayer(forest)(events.features).numpy()[:, 0]
    np.testing.assert_allclose(logits, raw_scores(booster, events.features) + 1, atol=1e-6)


@pytest.mark.parametrize("depth", [1, 8])
def test_trees_of_any_depth_are_evaluated(make_events, depth, tmp_path):
    events = make_events(3000)
    booster = grow(events, iterations=4, depth=depth)
    forest = to_forest(to_json(booster, tmp_path), 3000)
    assert forest.column.shape == (4, depth)
    logits = ForestLayer(forest)(events.features).numpy()[:, 0]
    np.testing.assert_allclose(logits, raw_scores(booster, events.features), atol=1e-5)


def test_trees_without_a_cut_are_leaves(make_events):
    events = make_events(30)
    events.features[:] = 1
    model = {
        "oblivious_trees": [{"leaf_values": [0.25]}, {"splits": None, "leaf_values": [0.5]}],
        "scale_and_bias": [1, [0]],
    }
    logits = ForestLayer(to_forest(model, 30))(events.features).numpy()
    np.testing.assert_allclose(logits, np.full([30, 1], 0.75), atol=1e-6)


def test_the_same_seed_grows_the_same_trees(make_events, demo):
    events = make_events(3000)
    one, same, other = (
        grow_forest(events, demo(trees=5, tree_depth=3, tree_events=500), seed)
        for seed in (1, 1, 2)
    )
    assert one.events == 500
    np.testing.assert_array_equal(one.border, same.border)
    np.testing.assert_array_equal(one.weight, same.weight)
    assert one.border.shape == other.border.shape == (5, 3)
    assert (one.border != other.border).any()


def test_the_number_of_threads_does_not_change_the_trees(make_events, demo, monkeypatch):
    events = make_events(20_000)
    forests = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(
            boosted_trees, "SETTINGS", {**boosted_trees.SETTINGS, "thread_count": threads}
        )
        forests.append(grow_forest(events, demo(trees=10, tree_depth=6), seed=1))
    for forest in forests[1:]:
        for field in ("column", "border", "weight"):
            np.testing.assert_array_equal(getattr(forest, field), getattr(forests[0], field))


def test_the_forest_separates_the_classes(make_events, demo):
    forest = grow_forest(make_events(3000), demo(trees=30), seed=1)
    events = make_events(2000, seed=9)
    logits = ForestLayer(forest)(tf.constant(events.features)).numpy()
    assert ((logits > 0) == events.labels).mean() > 0.75


@pytest.mark.parametrize(("part", "reason"), [("labels", "Target"), ("features", "constant")])
def test_events_that_no_tree_can_separate_are_refused(make_events, demo, part, reason):
    events = make_events(300)
    getattr(events, part)[:] = 1
    with pytest.raises(InputDataError, match=rf"300 events: .*{reason}.*trainer.trees to 0"):
        grow_forest(events, demo(trees=2), seed=1)


def test_growing_writes_no_file(make_events, demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grow_forest(make_events(300), demo(trees=2), seed=1)
    assert [*tmp_path.iterdir()] == []


def test_progress_is_logged(make_events, demo, monkeypatch, caplog):
    monkeypatch.setattr(boosted_trees, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        grow_forest(make_events(300), demo(trees=2), seed=1)
    assert caplog.messages == ["growing 2 trees on 300 events", "tree 1/2", "tree 2/2"]
