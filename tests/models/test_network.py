import numpy as np
import pytest

from models.hyperparameters import resolve
from models.network import build_network, count_parameters, host_copy
from models.normalization import Normalization, measure

UNIT = Normalization(np.zeros(28, np.float32), np.ones(28, np.float32))


def reference_forward(weights, normalization, features, blocks):
    """The network in plain NumPy, double precision."""
    inputs = (features - normalization.mean) / normalization.spread
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


def test_forward_pass_is_numpys(network, make_events):
    normalization = measure(make_events(500).features)
    rng = np.random.default_rng(5)
    # Small weights keep the sigmoid away from its flat ends.
    copy = host_copy(network)
    copy.set_weights([rng.uniform(0.01, 0.2, w.shape) for w in copy.get_weights()])
    weights = {layer.name: layer.get_weights() for layer in copy.layers}
    features = make_events(50, seed=6).features
    expected = reference_forward(weights, normalization, features.astype(np.float64), blocks=2)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(copy(features).numpy(), expected, atol=1e-6)


def test_raw_columns_of_any_scale_give_the_same_network(make_events):
    features = make_events(300).features
    scaled = features * 100 + 7
    hyperparameters = resolve("demo", units=4)
    one, other = (
        build_network(hyperparameters, measure(columns), seed=1)(columns).numpy()
        for columns in (features, scaled)
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_constant_column_gives_finite_scores(make_events):
    features = make_events(300).features
    features[:, 3] = 2.5
    scores = build_network(resolve("demo", units=4), measure(features))(features).numpy()
    assert np.isfinite(scores).all()


def test_weights_are_drawn_from_the_seed():
    one, same, other = (
        build_network(resolve("demo", units=4), UNIT, seed).get_weights() for seed in (1, 1, 2)
    )
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_blocks_of_one_shape_start_unlike():
    network = build_network(resolve("demo", units=4), UNIT)
    second, third = (network.get_layer(name).get_weights()[0] for name in ("dense_2", "dense_3"))
    assert (second != third).any()


def test_hyperparameters_shape_the_network():
    network = build_network(resolve("demo", units=7, blocks=4, dropout=0.3, activation="elu"), UNIT)
    assert [network.get_layer(f"dense_{block}").units for block in range(1, 5)] == [7] * 4
    assert network.get_layer("dropout_4").rate == 0.3
    assert network.get_layer("activation_1").activation.__name__ == "elu"
    assert network.output_shape == (None, 1)


def test_kaggle_preset_has_the_notebooks_parameters():
    blocks = (28 + 1) * 2048 + 4 * (2048 + 1) * 2048 + 5 * 4 * 2048
    expected = {"wide": 29, "deep": blocks + 2049, "total": blocks + 2049 + 29}
    assert count_parameters(build_network(resolve("kaggle"), UNIT)) == expected


def test_host_copy_scores_alike_and_lives_apart(network, make_events):
    features = make_events(20).features
    copy = host_copy(network)
    before = network(features).numpy()
    np.testing.assert_array_equal(copy(features).numpy(), before)
    copy.set_weights([np.zeros_like(weight) for weight in copy.get_weights()])
    np.testing.assert_array_equal(network(features).numpy(), before)


@pytest.mark.parametrize("count", [0, 1])
def test_few_events_are_scored(network, make_events, count):
    assert network(make_events(count).features).shape == [count, 1]
