import logging

import numpy as np
import pytest

from models.network import build_network, prepare
from models.serving.signatures import export
from models.training.warm_start import read_weights, take_weights


@pytest.fixture(scope="module")
def earlier(make_events, demo, tmp_path_factory):
    """An exported network and its weights' values."""
    hyperparameters = demo(units=8, blocks=2, buckets=0)
    network = build_network(hyperparameters, prepare(make_events(100), hyperparameters), seed=1)
    rng = np.random.default_rng(1)
    network.set_weights([rng.uniform(0.1, 1, w.shape) for w in network.get_weights()])
    path = str(tmp_path_factory.mktemp("earlier") / "model")
    export(network, path)
    return network, path


def test_weights_are_read_by_name(earlier):
    network, path = earlier
    weights = read_weights(path)
    kernel, bias = network.get_layer("dense_1").get_weights()
    np.testing.assert_array_equal(weights["dense_1:kernel"], kernel)
    np.testing.assert_array_equal(weights["dense_1:bias"], bias)
    np.testing.assert_array_equal(
        weights["batch_norm_2:moving_variance"], network.get_layer("batch_norm_2").get_weights()[3]
    )


def test_weights_of_the_same_shape_are_all_taken(earlier, make_events, demo, caplog):
    network, path = earlier
    hyperparameters = demo(units=8, blocks=2, buckets=0)
    fresh = build_network(hyperparameters, prepare(make_events(100), hyperparameters), seed=2)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        taken = take_weights(fresh, read_weights(path))
    assert caplog.messages == ["warm start: took 16 of 16 weights"]
    assert len(taken) == 16
    features = make_events(50).features
    np.testing.assert_allclose(fresh(features), network(features), atol=1e-6)


def test_what_has_another_shape_starts_anew_and_is_told(earlier, make_events, demo, caplog):
    _, path = earlier
    hyperparameters = demo(units=8, blocks=3, buckets=6)
    fresh = build_network(hyperparameters, prepare(make_events(100), hyperparameters), seed=2)
    before = fresh.get_layer("dense_1").get_weights()[0]
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        taken = take_weights(fresh, read_weights(path))
    (line,) = caplog.messages
    assert line.startswith("warm start: took 14 of 22 weights; new or of another shape: ")
    for name in ("dense_1:kernel", "wide:kernel", "batch_norm_3:gamma"):
        assert name in line
        assert name not in taken
    assert "dense_2:kernel" in taken
    np.testing.assert_array_equal(fresh.get_layer("dense_1").get_weights()[0], before)


def test_without_an_earlier_model_nothing_is_taken_or_told(earlier, caplog):
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        assert take_weights(earlier[0], {}) == []
    assert not caplog.messages
