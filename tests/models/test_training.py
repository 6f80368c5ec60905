import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from models.hyperparameters import resolve
from models.input_data import Events
from models.training import DivergedError, train

SCRIPT = Path(__file__).parent / "train_mirrored.py"


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    def fit(events, evaluation, **overrides):
        tf_keras.utils.set_random_seed(1)
        return train(
            events,
            evaluation,
            resolve("demo", **overrides),
            seed=1,
            strategy=tf.distribute.get_strategy(),
            log_dir=str(tmp_path_factory.mktemp("logs")),
        )

    return fit


@pytest.fixture(scope="module")
def noise(make_events):
    """Labels that no feature tells: what is learned of them must make validation worse."""
    return make_events(256, seed=30, noise=0.5), make_events(1000, seed=31, noise=0.5)


@pytest.fixture(scope="module")
def overfitted(fit, noise):
    """A training that runs to its last epoch though an early one was best."""
    return fit(
        *noise,
        epochs=8,
        batch_size_per_replica=32,
        learning_rate=0.01,
        dropout=0.0,
        early_stopping_patience=8,
        plateau_patience=0,
        min_learning_rate=1e-3,
    )


def test_best_epoch_is_kept_when_training_runs_to_the_end(overfitted, noise):
    losses = [epoch["val_loss"] for epoch in overfitted.epochs]
    assert len(losses) == 8
    assert overfitted.epoch_kept == 1 + int(np.argmin(losses)) < 8
    evaluation = noise[1]
    scores = overfitted.network(evaluation.features, training=False)
    loss = tf_keras.losses.BinaryCrossentropy()(evaluation.labels, scores)
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)


def test_rate_falls_on_the_plateau_to_its_floor(overfitted):
    rates = [epoch["learning_rate"] for epoch in overfitted.epochs]
    assert rates[0] == pytest.approx(0.01)
    assert rates[overfitted.epoch_kept + 1] == pytest.approx(0.002)
    assert rates[-1] == pytest.approx(0.001)


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
    assert (trained.batch_size, trained.steps_per_epoch) == (50, 1)


def test_values_that_are_not_finite_end_in_words(fit, make_events):
    events = make_events(50)
    broken = Events(np.where(events.features > 5, np.nan, events.features), events.labels)
    with pytest.raises(DivergedError, match="validation loss was nan"):
        fit(broken, broken, epochs=1, units=4)


def test_replicas_on_several_devices_learn_as_one(fit, make_events, tmp_path):
    events = make_events(2048, seed=40)
    np.savez(tmp_path / "events.npz", features=events.features, labels=events.labels)
    command = [sys.executable, SCRIPT, tmp_path / "events.npz", "2", "128", tmp_path / "logs"]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    mirrored = json.loads(finished.stdout)
    single = fit(events, events, units=16, epochs=3, batch_size_per_replica=128)
    assert mirrored["batch_size"] == single.batch_size == 128
    assert mirrored["finite"]
    # Not equal: each replica normalises its own part of the batch, and drops its own units.
    for one, several in zip(single.epochs, mirrored["epochs"], strict=True):
        assert several["val_loss"] == pytest.approx(one["val_loss"], abs=0.05)
        assert several["val_auc"] == pytest.approx(one["val_auc"], abs=0.03)
