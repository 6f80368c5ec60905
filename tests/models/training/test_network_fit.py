import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from formats.hyperparameters import resolve
from models.training.network_fit import DivergedError, plan_training, train
from models.training.sizing import sized
from models.training.strategy import Hardware

SCRIPT = Path(__file__).parent / "train_mirrored.py"

CPU = Hardware("cpu", 1, ("/device:CPU:0",))


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    def fit(events, evaluation, log_dir=None, **overrides):
        tf_keras.utils.set_random_seed(1)
        defaults = {"units": 32, "precision": "float32", "buckets": 8}
        hyperparameters = sized(resolve("demo", **defaults | overrides), len(events))
        return train(
            *(events, evaluation, plan_training(len(events), hyperparameters, 1, CPU)),
            strategy=tf.distribute.get_strategy(),
            log_dir=str(log_dir or tmp_path_factory.mktemp("logs")),
        )

    return fit


@pytest.fixture(scope="module")
def noise(make_events):
    """Labels that no feature tells: what is learned of them must make validation worse."""
    return make_events(256, seed=30, noise=0.5), make_events(1000, seed=31, noise=0.5)


OVERFIT = {
    "epochs": 8,
    "batch_size_per_replica": 32,
    "learning_rate": 0.01,
    "learning_rate_batch": None,
    "dropout": 0.0,
    "schedule": "plateau",
    "plateau_patience": 0,
    "min_learning_rate": 1e-3,
}


@pytest.fixture(scope="module")
def overfitted(fit, noise):
    """A training that runs to its last epoch though an early one was best."""
    return fit(*noise, **OVERFIT, early_stopping_patience=8)


def loss_of(network, events):
    scores = network(events.features, training=False)
    return float(tf_keras.losses.BinaryCrossentropy()(events.labels, scores))


def test_best_epoch_is_kept_when_training_with_patience_runs_to_the_end(overfitted, noise):
    losses = [epoch["val_loss"] for epoch in overfitted.epochs]
    assert len(losses) == 8
    assert overfitted.epoch_kept == 1 + int(np.argmin(losses)) < 8
    assert loss_of(overfitted.network, noise[1]) == pytest.approx(min(losses), rel=1e-5)


def test_last_epoch_is_kept_without_patience(fit, noise):
    trained = fit(*noise, **OVERFIT)
    losses = [epoch["val_loss"] for epoch in trained.epochs]
    assert trained.epoch_kept == len(losses) == 8
    assert min(losses) < losses[-1]
    assert loss_of(trained.network, noise[1]) == pytest.approx(losses[-1], rel=1e-5)


def test_rate_falls_on_the_plateau_to_its_floor(overfitted):
    rates = [epoch["learning_rate"] for epoch in overfitted.epochs]
    assert rates[0] == pytest.approx(0.01)
    assert rates[overfitted.epoch_kept + 1] == pytest.approx(0.002)
    assert rates[-1] == pytest.approx(0.001)


def test_rate_ends_at_zero_along_the_cosine(fit, noise):
    trained = fit(*noise, epochs=4, batch_size_per_replica=64, learning_rate_batch=16)
    rates = [epoch["learning_rate"] for epoch in trained.epochs]
    # Four times the batch that the rate is meant for doubles it; of 16 steps, the first is warm-up.
    peak = 2e-3 * 2
    expected = [peak * (1 + np.cos(np.pi * (step - 1) / 15)) / 2 for step in (3, 7, 11, 15)]
    np.testing.assert_allclose(rates, expected, rtol=1e-4, atol=1e-9)


def test_epochs_are_numbered_and_hold_every_metric(overfitted):
    assert [epoch["epoch"] for epoch in overfitted.epochs] == [*range(1, 9)]
    metrics = {"loss", "auc", "binary_accuracy"}
    expected = {"epoch", "learning_rate", "seconds", "events_per_second"}
    assert set(overfitted.epochs[0]) == metrics | {f"val_{m}" for m in metrics} | expected


def test_training_stops_early_without_improvement(fit, noise):
    trained = fit(*noise, epochs=30, learning_rate=0.01, early_stopping_patience=1)
    assert len(trained.epochs) == trained.epoch_kept + 1 < 30


def test_metrics_count_every_validation_event_once(overfitted, noise):
    evaluation, kept = noise[1], overfitted.epochs[overfitted.epoch_kept - 1]
    scores = overfitted.network(evaluation.features, training=False).numpy()
    accuracy = ((scores > 0.5) == evaluation.labels).mean()
    assert kept["val_binary_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_fewer_events_than_a_batch_train_in_one_step(fit, make_events):
    events = make_events(50)
    trained = fit(events, events, epochs=1, units=4)
    assert (trained.plan.batch_size, trained.plan.steps) == (50, 1)


def test_weights_decay_but_for_biases_and_the_wide_part(fit, make_events):
    events = make_events(512)
    free, decayed = (
        fit(events, events, epochs=3, weight_decay=decay, batch_size_per_replica=32).network
        for decay in (0.0, 100.0)
    )
    kernels = [network.get_layer("dense_1").get_weights()[0] for network in (free, decayed)]
    assert np.abs(kernels[1]).mean() < 0.5 * np.abs(kernels[0]).mean()
    wide = [network.get_layer("wide").get_weights()[0] for network in (free, decayed)]
    assert np.abs(wide[1]).mean() > 0.7 * np.abs(wide[0]).mean()


def test_loss_that_is_not_finite_names_step_rate_and_batch(fit, make_events):
    events = make_events(320, seed=4)
    with pytest.raises(DivergedError) as caught:
        fit(
            *(events, events),
            epochs=40,
            batch_size_per_replica=32,
            learning_rate=1e30,
            schedule="plateau",
            learning_rate_batch=None,
        )
    pattern = (
        r"the loss was not finite at step (\d+) of epoch (\d+), at a learning rate of 1e\+30; the "
        r"batch's columns run from (\S+) to (\S+), and 0 of 896 values are NaN or infinite: lower "
        "learning_rate, .*"
    )
    step, epoch, low, high = re.fullmatch(pattern, str(caught.value)).groups()
    assert (1 <= int(step) <= 10, int(epoch)) == (True, 1)
    assert events.features.min() <= float(low) + 1e-3 < 0 < float(high) <= events.features.max() + 1


def test_bfloat16_ranks_as_float32(fit, make_events):
    splits = make_events(6000, seed=50), make_events(4000, seed=51)
    aucs = [
        fit(*splits, epochs=8, batch_size_per_replica=64, precision=precision).epochs[-1]["val_auc"]
        for precision in ("float32", "bfloat16")
    ]
    assert aucs[0] > 0.88
    assert aucs[1] == pytest.approx(aucs[0], abs=4e-3)


def test_float16_with_scaled_loss_learns(fit, make_events):
    events = make_events(3000, seed=50)
    trained = fit(events, events, epochs=5, batch_size_per_replica=64, precision="float16")
    assert isinstance(trained.network.optimizer, tf_keras.mixed_precision.LossScaleOptimizer)
    assert trained.epochs[-1]["val_auc"] > 0.85


def test_profile_of_some_steps_goes_to_tensorboard(fit, make_events, tmp_path):
    events = make_events(256)
    fit(events, events, tmp_path, epochs=2, units=4, batch_size_per_replica=32, profile_steps=2)
    assert [*tmp_path.rglob("*.xplane.pb")]


def test_eight_replicas_train_to_the_loss_of_one(fit, make_events, tmp_path):
    events = make_events(4096, seed=40)
    overrides = {"units": 16, "blocks": 1, "epochs": 3, "buckets": 8, "precision": "float32"}
    overrides |= {"dropout": 0.0, "input_dropout": 0.0}
    np.savez(tmp_path / "events.npz", features=events.features, labels=events.labels)
    command = [sys.executable, SCRIPT, tmp_path / "events.npz", "8", "512", tmp_path / "logs"]
    finished = subprocess.run([*command, json.dumps(overrides)], check=True, stdout=subprocess.PIPE)
    mirrored = json.loads(finished.stdout)
    single = fit(events, events, **overrides, batch_size_per_replica=512)
    assert mirrored["batch_size"] == single.plan.batch_size == 512
    assert mirrored["peak"] == single.plan.peak
    assert np.isfinite(mirrored["scores"]).all()
    # Not equal: each replica normalises by its own 64 events of the batch's 512.
    for one, several in zip(single.epochs, mirrored["epochs"], strict=True):
        assert several["val_loss"] == pytest.approx(one["val_loss"], abs=0.03)
        assert several["val_auc"] == pytest.approx(one["val_auc"], abs=0.02)


def test_plan_tells_batch_rate_and_precision(caplog):
    hyperparameters = sized(resolve("demo", learning_rate=1e-3, precision="bfloat16"), 10_000)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        plan = plan_training(10_000, hyperparameters, 1, Hardware("tpu", 8, ("TPU:0",) * 8))
    assert (plan.batch_size, plan.steps, plan.policy) == (4096, 2, "mixed_bfloat16")
    assert plan.peak == pytest.approx(1e-3 * 4)
