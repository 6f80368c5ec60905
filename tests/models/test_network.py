import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from formats.hyperparameters import PRESETS, resolve
from models.event_table import Events
from models.network import CLIP, Preparation, build_network, prepare
from models.training.network_fit import compile_network, plan_training
from models.training.normalization import Normalization
from models.training.sizing import sized
from models.training.strategy import Hardware

UNIT = Preparation(Normalization(np.zeros(28, np.float32), np.ones(28, np.float32)), None)


def reference_forward(weights, preparation, columns, blocks):
    """The network in plain NumPy, double precision."""
    measured = preparation.normalization
    inputs = np.clip((columns - measured.mean) / measured.spread, -CLIP, CLIP)
    if preparation.buckets:
        places = [
            np.searchsorted(edges, values)
            for edges, values in zip(preparation.buckets.edges, columns.T, strict=True)
        ]
        bucket_weights = [w[p] for w, p in zip(preparation.buckets.weights, places, strict=True)]
        inputs = np.hstack([inputs, np.transpose(bucket_weights)])
    x = inputs
    for block in range(1, blocks + 1):
        kernel, bias = weights[f"dense_{block}"]
        gamma, beta, mean, variance = weights[f"batch_norm_{block}"]
        x = x @ kernel + bias
        x = np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta, 0)
    logits = sum(
        part @ kernel + bias
        for part, (kernel, bias) in ((inputs, weights["wide"]), (x, weights["deep"]))
    )
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("buckets", [0, 6])
def test_forward_pass_is_numpys(demo, make_events, buckets):
    events = make_events(500)
    hyperparameters = demo(units=8, blocks=2, buckets=buckets)
    preparation = prepare(events, hyperparameters)
    network = build_network(hyperparameters, preparation)
    rng = np.random.default_rng(5)
    for variable in network.trainable_variables:
        # Small weights keep the sigmoid away from its flat ends.
        variable.assign(rng.uniform(-0.2, 0.3, variable.shape))
    weights = {layer.name: layer.get_weights() for layer in network.layers}
    columns = make_events(50, seed=6).features
    columns[0] *= 100
    expected = reference_forward(weights, preparation, columns, blocks=2)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(network(columns).numpy(), expected, atol=1e-5)


def test_raw_columns_of_any_scale_give_the_same_network(make_events, demo):
    events = make_events(300)
    scaled = dataclasses.replace(events, features=events.features * 100 + 7)
    hyperparameters = demo(units=4)
    one, other = (
        build_network(hyperparameters, prepare(some, hyperparameters), 1)(some.features).numpy()
        for some in (events, scaled)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_constant_column_gives_finite_scores(make_events, demo):
    events = make_events(300)
    events.features[:, 3] = 2.5
    hyperparameters = demo(units=4)
    network = build_network(hyperparameters, prepare(events, hyperparameters))
    assert np.isfinite(network(events.features).numpy()).all()


def test_weights_are_drawn_from_the_seed(demo):
    one, same, other = (
        build_network(demo(units=4), UNIT, seed).get_weights() for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_blocks_of_one_shape_start_unlike(demo):
    network = build_network(demo(units=4, blocks=3), UNIT)
    second, third = (network.get_layer(name).get_weights()[0] for name in ("dense_2", "dense_3"))
    assert (second != third).any()


def test_hyperparameters_shape_the_network(demo):
    network = build_network(demo(units=7, blocks=4, dropout=0.3, activation="elu"), UNIT)
    assert [network.get_layer(f"dense_{block}").units for block in range(1, 5)] == [7] * 4
    assert network.get_layer("dropout_4").rate == 0.3
    assert network.get_layer("activation_1").activation.__name__ == "elu"
    assert network.output_shape == (None, 1)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_only_the_blocks_compute_in_less_than_float32(demo, policy):
    network = build_network(demo(units=4, blocks=2), UNIT, policy=policy)
    assert {v.dtype for v in network.trainable_variables} == {tf.float32}
    low = {layer.name for layer in network.layers if layer.compute_dtype != "float32"}
    assert low == {"input_dropout"} | {
        f"{kind}_{block}"
        for kind in ("dense", "batch_norm", "activation", "dropout")
        for block in (1, 2)
    }
    assert network(np.zeros([3, 28], np.float32)).dtype == tf.float32


def test_low_precision_scores_nearly_alike(demo, make_events):
    events = make_events(400)
    hyperparameters = demo(units=64, buckets=0)
    preparation = prepare(events, hyperparameters)
    exact, low = (
        build_network(hyperparameters, preparation, 1, policy)(events.features).numpy()
        for policy in ("float32", "mixed_bfloat16")
    )
    assert 0 < np.abs(exact - low).max() < 0.02


@pytest.mark.parametrize("count", [0, 1])
def test_few_events_are_scored(network, make_events, count):
    assert network(make_events(count).features).shape == [count, 1]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_training_step_of_every_preset_is_compiled_by_xla(make_events, preset, precision):
    events = make_events(64)
    # The depth is the preset's; the width says nothing about what XLA can compile.
    overrides = {"units": 16, "batch_size_per_replica": 32, "precision": precision, "buckets": 5}
    if preset == "kaggle":
        del overrides["buckets"]
    hyperparameters = sized(resolve(preset, **overrides), len(events))
    plan = plan_training(len(events), hyperparameters, 1, Hardware("cpu", 1, ("CPU:0",)))
    network = build_network(hyperparameters, prepare(events, hyperparameters), 1, plan.policy)
    compile_network(network, plan)
    before = [variable.numpy() for variable in network.trainable_variables]
    made = len(network.optimizer.variables)

    @tf.function(jit_compile=True, autograph=False)
    def step(columns, labels):
        network.train_step((columns, labels))

    step(tf.constant(events.features[:32]), tf.constant(events.labels[:32]))
    step(tf.constant(events.features[32:]), tf.constant(events.labels[32:]))
    moved = [
        (a != b.numpy()).any() for a, b in zip(before, network.trainable_variables, strict=True)
    ]
    assert np.mean(moved) > 0.7
    assert float(network.finite_steps.result()) == 2
    # A step that makes variables is traced twice.
    assert len(network.optimizer.variables) == made > 2 * len(before)


def test_metric_counts_steps_up_to_the_first_that_is_not_finite(make_events, demo):
    events = make_events(64)
    hyperparameters = demo(units=4, buckets=0)
    plan = plan_training(len(events), hyperparameters, 1, Hardware("cpu", 1, ("CPU:0",)))
    network = build_network(hyperparameters, prepare(events, hyperparameters))
    compile_network(network, plan)
    broken = Events(np.full_like(events.features, np.nan), events.labels)
    for some in (events, events, broken, events):
        network.train_step((tf.constant(some.features), tf.constant(some.labels)))
    assert float(network.finite_steps.result()) == 2
    network.reset_metrics()
    assert float(network.finite_steps.result()) == 0
