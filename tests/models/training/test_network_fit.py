import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from forks import run_script

from models.network import WideAndDeep, build_network, measure_columns
from models.serving.saved_model import read_weights, weight_name
from models.training import network_fit
from models.training.event_survey import Splits
from models.training.network_fit import (
    DivergedError,
    TrainingEnvironment,
    assign_weights,
    compile_network,
    refit,
    train,
)

SCRIPT = Path(__file__).parent / "train_mirrored.py"


@pytest.fixture(scope="module")
def fit(tmp_path_factory, make_plan):
    def fit(splits, log_dir=None, restartable=False, **overrides):
        tf_keras.utils.set_random_seed(1)
        defaults = {"units": 32, "precision": "float32", "buckets": 8, "derived_columns": False}
        return train(
            splits,
            make_plan(len(splits.train), **defaults | overrides),
            TrainingEnvironment(
                tf.distribute.get_strategy(), str(log_dir or tmp_path_factory.mktemp("logs"))
            ),
            restartable=restartable,
        )

    return fit


def fit_again(trained, splits):
    return refit(trained, splits.united())


@pytest.fixture(scope="module")
def noise(make_events):
    """Labels that no feature predicts: learning them makes validation worse."""
    train, validation = (make_events(count, count, noise=0.5) for count in (256, 1000))
    return Splits.of_tables(train, validation)


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
def overfitted(fit, noise, used_blocks):
    """A training that runs to its last epoch though an early one was the best."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "Blocks", used_blocks)
        return fit(noise, **OVERFIT, early_stopping_patience=8)


@pytest.fixture(scope="module")
def used_blocks():
    """Blocks of events that are kept, as a leak would keep them."""

    class UsedBlocks(network_fit.Blocks):
        all: ClassVar = []

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.all.append(self)

    return UsedBlocks


@pytest.mark.slow
def test_no_event_stays_in_memory_after_the_fit(overfitted, noise, used_blocks):
    [part] = used_blocks.all
    assert part.count_seen(0) == len(noise.train)
    tensors = [value for value in vars(part).values() if isinstance(value, tf.Tensor)]
    assert tensors
    assert sum(tf.size(tensor).numpy() for tensor in tensors) == 0


def loss_of(network, events):
    scores = network(events.features, training=False)
    return float(tf_keras.losses.BinaryCrossentropy()(events.labels, scores))


@pytest.mark.slow
def test_with_patience_the_best_epoch_is_kept_at_the_end(overfitted, noise):
    losses = [epoch["val_loss"] for epoch in overfitted.epochs]
    assert len(losses) == 8
    assert overfitted.epoch_kept == 1 + int(np.argmin(losses)) < 8
    assert loss_of(overfitted.network, noise.validation) == pytest.approx(min(losses), rel=1e-5)


@pytest.fixture(scope="module")
def planned(fit, noise):
    """A restartable training along the cosine, without patience; and the loss of its network."""
    rates = {"schedule": "cosine", "learning_rate": 0.005, "learning_rate_batch": 8}
    trained = fit(noise, restartable=True, **OVERFIT | rates)
    return trained, loss_of(trained.network, noise.validation)


@pytest.mark.slow
def test_without_patience_the_last_epoch_is_kept(planned):
    trained, loss = planned
    losses = [epoch["val_loss"] for epoch in trained.epochs]
    assert trained.epoch_kept == len(losses) == 8
    assert min(losses) < losses[-1]
    assert loss == pytest.approx(losses[-1], rel=1e-5)


@pytest.mark.slow
def test_on_a_plateau_the_learning_rate_falls_to_its_minimum(overfitted):
    rates = [epoch["learning_rate"] for epoch in overfitted.epochs]
    assert rates[0] == pytest.approx(0.01)
    assert rates[overfitted.epoch_kept + 1] == pytest.approx(0.002)
    assert rates[-1] == pytest.approx(0.001)


@pytest.mark.slow
def test_the_learning_rate_ends_at_zero_along_the_cosine(planned):
    rates = [epoch["learning_rate"] for epoch in planned[0].epochs]
    # The batch is four times that of the learning rate, which doubles it; 3 of 64 steps are
    # warm-up.
    peak = 0.005 * 2
    expected = [peak * (1 + np.cos(np.pi * (step - 3) / 61)) / 2 for step in range(7, 64, 8)]
    np.testing.assert_allclose(rates, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.slow
def test_epochs_are_numbered_and_have_all_metrics(overfitted):
    assert [epoch["epoch"] for epoch in overfitted.epochs] == [*range(1, 9)]
    metrics = {"loss", "auc", "binary_accuracy"}
    others = {"epoch", "learning_rate", "seconds", "events_per_second"}
    assert set(overfitted.epochs[0]) == metrics | {f"val_{m}" for m in metrics} | others


@pytest.mark.slow
def test_training_stops_early_without_improvement(fit, noise, caplog):
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        trained = fit(noise, epochs=30, learning_rate=0.01, early_stopping_patience=1)
    assert len(trained.epochs) == trained.epoch_kept + 1 < 30
    # The last epoch is logged although it is not the thirtieth.
    assert any(line.startswith(f"epoch {len(trained.epochs)}/30") for line in caplog.messages)


def layer_weights(trained):
    """The weights without those of the metrics."""
    return [weight for layer in trained.network.layers for weight in layer.get_weights()]


@pytest.mark.slow
def test_a_step_is_traced_once_and_a_refit_is_a_first_training_on_all_events(
    fit, make_events, monkeypatch
):
    traced, step = [], WideAndDeep.train_step
    monkeypatch.setattr(WideAndDeep, "train_step", lambda *a: traced.append(1) or step(*a))
    splits = Splits.of_tables(make_events(300, seed=5), make_events(60, seed=6))
    united = splits.united()
    options = {"epochs": 3, "batch_size_per_replica": 32, "precision": "bfloat16"}
    trained = fit(splits, restartable=True, **options)
    assert trained.plan.steps_per_execution > 1
    refitted = fit_again(trained, splits)
    assert traced == [1]
    weights = layer_weights(refitted)
    assert (refitted.plan.steps_per_epoch, len(refitted.epochs)) == (360 // 32, 3)
    monkeypatch.undo()
    # Its columns are those of the training before.
    monkeypatch.setattr(network_fit, "measure_columns", lambda *_: trained.statistics)
    other = replace(united, validation=splits.validation)
    expected = fit(other, **options)
    for weight, same in zip(weights, layer_weights(expected), strict=True):
        np.testing.assert_array_equal(weight, same)
    for epoch, same in zip(refitted.epochs, expected.epochs, strict=True):
        for metric in ("epoch", "loss", "auc", "learning_rate"):
            assert epoch[metric] == same[metric]
        assert "val_loss" not in epoch


@pytest.fixture(scope="module")
def stopped_early(planned):
    """A restartable training whose third epoch is kept, of eight that were planned."""
    return replace(planned[0], epoch_kept=3)


@pytest.mark.slow
def test_a_refit_of_fewer_epochs_has_the_learning_rates_that_were_planned(stopped_early, noise):
    refitted = fit_again(stopped_early, noise)
    steps = (256 + 1000) // 32
    assert (refitted.plan.steps_per_epoch, len(refitted.epochs)) == (steps, 3)
    rising = round(0.05 * 8 * steps)
    progress = [(steps * epoch - 1 - rising) / (8 * steps - rising) for epoch in (1, 2, 3)]
    rates = [epoch["learning_rate"] for epoch in refitted.epochs]
    np.testing.assert_allclose(
        rates, 0.01 * (1 + np.cos(np.pi * np.array(progress))) / 2, rtol=1e-4
    )


@pytest.mark.slow
def test_a_refit_whose_last_step_is_not_finite_is_refused(stopped_early, noise, monkeypatch):
    weights = stopped_early.network.get_weights()
    broken = [weight * np.nan if weight.dtype.kind == "f" else weight for weight in weights]

    def end(_network, tracker, *_, **__):
        tracker._state.kept_weights = broken

    monkeypatch.setattr(network_fit, "_fit", end)
    with pytest.raises(DivergedError, match="a weight is not finite after the last refit epoch"):
        fit_again(stopped_early, noise)


@pytest.mark.slow
def test_metrics_count_every_validation_event_once(overfitted, noise):
    kept = overfitted.epochs[overfitted.epoch_kept - 1]
    scores = overfitted.network(noise.validation.features, training=False).numpy()
    accuracy = ((scores > 0.5) == noise.validation.labels).mean()
    assert kept["val_binary_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_weights_decay_except_biases_and_the_wide_part(make_events, make_plan):
    options = {"weight_decay": 5.0, "learning_rate": 0.1, "schedule": "plateau"}
    plan = make_plan(32, units=4, blocks=2, buckets=3, learning_rate_batch=None, **options)
    network = build_network(plan.hyperparameters, measure_columns(make_events(32), buckets=3))
    compile_network(network, plan)
    variables = network.trainable_variables
    for variable in variables:
        variable.assign(tf.ones_like(variable))
    network.optimizer.apply_gradients((tf.zeros_like(variable), variable) for variable in variables)
    decayed = {weight_name(variable) for variable in variables if (variable.numpy() == 0.5).all()}
    assert decayed == {"dense_1:kernel", "dense_2:kernel", "deep:kernel"}
    others = [variable for variable in variables if weight_name(variable) not in decayed]
    assert all((variable.numpy() == 1).all() for variable in others)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_reported_with_step_rate_and_batch(fit, make_events):
    events = make_events(320, seed=4)
    with pytest.raises(DivergedError) as caught:
        fit(
            Splits.of_tables(events, events),
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


@pytest.mark.slow
def test_low_precision_has_the_auc_of_float32(fit, make_events):
    splits = Splits.of_tables(make_events(6000, seed=50), make_events(4000, seed=51))
    options = {"epochs": 8, "batch_size_per_replica": 64}
    exact, low, scaled = (
        fit(splits, **options, precision=precision)
        for precision in ("float32", "bfloat16", "float16")
    )
    assert isinstance(scaled.network.optimizer, tf_keras.mixed_precision.LossScaleOptimizer)
    expected = exact.epochs[-1]["val_auc"]
    assert expected > 0.88
    for trained in (low, scaled):
        assert trained.epochs[-1]["val_auc"] == pytest.approx(expected, abs=4e-3)


@pytest.mark.slow
def test_fewer_events_than_a_batch_are_one_step_which_tensorboard_profiles(
    fit, make_events, tmp_path
):
    events = make_events(50)
    trained = fit(Splits.of_tables(events, events), tmp_path, epochs=2, units=4, profile_steps=2)
    assert (trained.plan.batch_size, trained.plan.steps_per_epoch) == (50, 1)
    assert [*tmp_path.rglob("*.xplane.pb")]


@pytest.mark.slow
def test_two_replicas_train_to_the_loss_of_one(fit, make_events, tmp_path):
    events = make_events(4096, seed=40)
    overrides = {"units": 16, "blocks": 1, "epochs": 3, "buckets": 8, "precision": "float32"}
    overrides |= {"derived_columns": False}
    # Several steps per execution take twice as long to trace.
    overrides |= {"dropout": 0.0, "input_dropout": 0.0, "steps_per_execution": 1}
    np.savez(tmp_path / "events.npz", features=events.features, labels=events.labels)
    command = [SCRIPT, tmp_path / "events.npz", "2", "512", tmp_path / "logs"]
    code, output = run_script(*command, json.dumps(overrides))
    assert code == 0, output
    mirrored = json.loads(output.splitlines()[-1])
    single = fit(Splits.of_tables(events, events), **overrides, batch_size_per_replica=512)
    assert mirrored["batch_size"] == single.plan.batch_size == 512
    assert mirrored["peak"] == single.plan.peak_learning_rate
    assert np.isfinite(mirrored["scores"]).all()
    # Not equal: each replica normalizes by its own 256 of the 512 events of a batch.
    for one, several in zip(single.epochs, mirrored["epochs"], strict=True):
        assert several["val_loss"] == pytest.approx(one["val_loss"], abs=0.03)
        assert several["val_auc"] == pytest.approx(one["val_auc"], abs=0.02)


@pytest.fixture
def build_fresh(make_events, demo):
    """Builds a network with other weights for the columns of the exported one."""

    def build(**overrides):
        hyperparameters = demo(units=8, **overrides)
        statistics = measure_columns(make_events(500), hyperparameters.buckets)
        return build_network(hyperparameters, statistics, seed=7)

    return build


@pytest.mark.slow
def test_a_warm_start_assigns_all_weights_of_the_same_shape(
    network, exported, build_fresh, make_events, caplog
):
    fresh = build_fresh(blocks=2, buckets=0)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        assigned = assign_weights(fresh, read_weights(exported))
    assert caplog.messages == ["warm start: took 16 of 16 weights"]
    assert len(assigned) == 16
    features = make_events(50).features
    np.testing.assert_allclose(fresh(features), network(features), atol=1e-6)


@pytest.mark.slow
def test_a_warm_start_leaves_and_names_weights_of_another_shape(exported, build_fresh, caplog):
    fresh = build_fresh(blocks=3, buckets=6)
    before = fresh.get_layer("dense_1").get_weights()[0]
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        assigned = assign_weights(fresh, read_weights(exported))
    (line,) = caplog.messages
    assert line.startswith("warm start: took 14 of 22 weights; new or of another shape: ")
    for name in ("dense_1:kernel", "wide:kernel", "batch_norm_3:gamma"):
        assert name in line
        assert name not in assigned
    assert "dense_2:kernel" in assigned
    np.testing.assert_array_equal(fresh.get_layer("dense_1").get_weights()[0], before)


def test_without_an_earlier_model_nothing_is_assigned_or_logged(network, caplog):
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        assert assign_weights(network, {}) == []
    assert not caplog.messages
