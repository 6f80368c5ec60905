import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from formats.hyperparameters import PRESETS, resolve
from models import network as network_module
from models.event_table import EventTable
from models.network import (
    CLIP,
    ColumnStatistics,
    build_network,
    describe_layers,
    measure_columns,
)
from models.training.network_fit import compile_network
from models.training.training_plan import plan_training, size_hyperparameters

UNIT = ColumnStatistics(np.zeros(28, np.float32), np.ones(28, np.float32), None)


def build(hyperparameters, events, seed=0, policy="float32"):
    statistics = measure_columns(events, hyperparameters.buckets)
    return build_network(hyperparameters, statistics, seed, policy)


def test_mean_and_std_are_numpys(make_events, monkeypatch):
    monkeypatch.setattr(network_module, "STATISTICS_CHUNK", 7)
    events = make_events(100)
    features = events.features.copy()
    statistics = measure_columns(events, buckets=0)
    np.testing.assert_allclose(statistics.mean, features.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(statistics.std, features.std(axis=0, dtype=np.float64), rtol=1e-6)
    assert statistics.mean.dtype == statistics.std.dtype == np.float32
    np.testing.assert_array_equal(events.features, features)


@pytest.mark.parametrize("value", [0.0, 0.1, -123456.7])
def test_a_constant_column_has_std_one(value):
    features = np.full([1001, 2], value, np.float32)
    features[:, 1] = np.arange(1001)
    statistics = measure_columns(EventTable(features, np.zeros([1001, 1], np.float32)), buckets=0)
    assert statistics.std[0] == 1
    assert statistics.mean[0] == np.float32(value)
    assert statistics.std[1] > 200


def reference_forward(weights, statistics, columns, blocks):
    """Computes the network in NumPy and double precision."""
    inputs = np.clip((columns - statistics.mean) / statistics.std, -CLIP, CLIP)
    if statistics.buckets:
        indices = [
            np.searchsorted(edges, values)
            for edges, values in zip(statistics.buckets.edges, columns.T, strict=True)
        ]
        log_odds = [
            table[index] for table, index in zip(statistics.buckets.log_odds, indices, strict=True)
        ]
        inputs = np.hstack([inputs, np.transpose(log_odds)])
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


@pytest.mark.slow
@pytest.mark.parametrize("buckets", [0, 6])
def test_forward_pass_is_that_of_numpy(demo, make_events, buckets):
    statistics = measure_columns(make_events(500), buckets)
    network = build_network(demo(units=8, blocks=2), statistics)
    rng = np.random.default_rng(5)
    for variable in network.trainable_variables:
        # Small weights, for which the sigmoid is not saturated.
        variable.assign(rng.uniform(-0.2, 0.3, variable.shape))
    weights = {layer.name: layer.get_weights() for layer in network.layers}
    columns = make_events(50, seed=6).features
    columns[0] *= 100
    expected = reference_forward(weights, statistics, columns, blocks=2)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(network(columns).numpy(), expected, atol=1e-5)


@pytest.mark.slow
def test_scale_and_offset_of_the_columns_do_not_matter(make_events, demo):
    events = make_events(300)
    scaled = dataclasses.replace(events, features=events.features * 100 + 7)
    one, other = (
        build(demo(units=4), table, seed=1)(table.features).numpy() for table in (events, scaled)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.slow
def test_a_constant_column_gives_finite_scores(make_events, demo):
    events = make_events(300)
    events.features[:, 3] = 2.5
    assert np.isfinite(build(demo(units=4), events)(events.features).numpy()).all()


@pytest.mark.slow
def test_weights_follow_from_the_seed(demo):
    one, same, other = (
        build_network(demo(units=4), UNIT, seed).get_weights() for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.slow
def test_blocks_of_the_same_shape_start_with_different_weights(demo):
    network = build_network(demo(units=4, blocks=3), UNIT)
    second, third = (network.get_layer(name).get_weights()[0] for name in ("dense_2", "dense_3"))
    assert (second != third).any()


@pytest.mark.slow
def test_hyperparameters_shape_the_network(demo):
    network = build_network(demo(units=7, blocks=4, dropout=0.3, activation="elu"), UNIT)
    assert [network.get_layer(f"dense_{block}").units for block in range(1, 5)] == [7] * 4
    assert network.get_layer("dropout_4").rate == 0.3
    assert network.get_layer("activation_1").activation.__name__ == "elu"
    assert network.output_shape == (None, 1)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_only_the_blocks_compute_in_low_precision(demo, policy):
    network = build_network(demo(units=4, blocks=2), UNIT, policy=policy)
    assert {v.dtype for v in network.trainable_variables} == {tf.float32}
    low = {layer.name for layer in network.layers if layer.compute_dtype != "float32"}
    assert low == {"input_dropout"} | {
        f"{kind}_{block}"
        for kind in ("dense", "batch_norm", "activation", "dropout")
        for block in (1, 2)
    }
    assert network(np.zeros([3, 28], np.float32)).dtype == tf.float32


@pytest.mark.slow
def test_low_precision_changes_scores_little(demo, make_events):
    events = make_events(400)
    exact, low = (
        build(demo(units=64, buckets=0), events, 1, policy)(events.features).numpy()
        for policy in ("float32", "mixed_bfloat16")
    )
    assert 0 < np.abs(exact - low).max() < 0.02


@pytest.mark.parametrize("count", [0, 1])
def test_few_events_are_scored(network, make_events, count):
    assert network(make_events(count).features).shape == [count, 1]


def test_layers_are_described_in_order(make_events, demo):
    layers = describe_layers(build(demo(units=8, blocks=1, buckets=6), make_events(100)))
    assert [(x.name, x.part, x.output_shape, x.parameters) for x in layers] == [
        ("columns", "inputs", (28,), 0),
        ("normalization", "inputs", (28,), 0),
        ("clip", "inputs", (28,), 0),
        ("buckets", "wide", (28,), 28 * (5 + 1 + 5)),
        ("inputs", "inputs", (56,), 0),
        ("input_dropout", "deep", (56,), 0),
        ("dense_1", "deep", (8,), 57 * 8),
        ("batch_norm_1", "deep", (8,), 4 * 8),
        ("activation_1", "deep", (8,), 0),
        ("dropout_1", "deep", (8,), 0),
        ("wide", "wide", (1,), 57),
        ("deep", "deep", (1,), 9),
        ("logits", "output", (1,), 0),
        ("signal_probability", "output", (1,), 0),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_xla_compiles_a_training_step_of_every_preset(make_events, cpu, preset, precision):
    events = make_events(64)
    # The depth is that of the preset; XLA compiles any width.
    overrides = {"units": 16, "batch_size_per_replica": 32, "precision": precision, "buckets": 5}
    if preset == "kaggle":
        del overrides["buckets"]
    hyperparameters = size_hyperparameters(resolve(preset, **overrides), len(events))
    plan = plan_training(len(events), hyperparameters, 1, cpu)
    network = build(hyperparameters, events, 1, plan.policy)
    compile_network(network, plan)
    before = [variable.numpy() for variable in network.trainable_variables]
    optimizer_variables = len(network.optimizer.variables)

    @tf.function(jit_compile=True, autograph=False)
    def step(columns, labels):
        network.train_step((columns, labels))

    step(tf.constant(events.features[:32]), tf.constant(events.labels[:32]))
    step(tf.constant(events.features[32:]), tf.constant(events.labels[32:]))
    is_changed = [
        (a != b.numpy()).any() for a, b in zip(before, network.trainable_variables, strict=True)
    ]
    assert np.mean(is_changed) > 0.7
    assert float(network.finite_steps.result()) == 2
    # A step that creates variables is traced twice.
    assert len(network.optimizer.variables) == optimizer_variables > 2 * len(before)


@pytest.mark.slow
def test_finite_steps_are_counted_up_to_the_first_that_is_not(make_events, make_plan):
    events = make_events(64)
    plan = make_plan(64, units=4, buckets=0)
    network = build(plan.hyperparameters, events)
    compile_network(network, plan)
    broken = EventTable(np.full_like(events.features, np.nan), events.labels)
    for table in (events, events, broken, events):
        network.train_step((tf.constant(table.features), tf.constant(table.labels)))
    assert float(network.finite_steps.result()) == 2
    network.reset_metrics()
    assert float(network.finite_steps.result()) == 0
