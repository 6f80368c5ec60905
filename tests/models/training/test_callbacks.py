import logging
import time
import types

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from formats.event_counts import EventCountError
from formats.hyperparameters import resolve
from models.training import callbacks
from models.training.callbacks import (
    EpochTracker,
    NanGuard,
    ProgressLog,
    best_epoch,
    event_check,
    plateau_rate,
    should_stop,
)
from models.training.checkpoints import TrainingState

METRICS = {"loss": 0.5, "auc": 0.8}
VALIDATION = {"val_loss": 0.6, "val_auc": 0.7}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test advances."""
    now = [100.0]
    for name in ("perf_counter", "monotonic"):
        monkeypatch.setattr(time, name, lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


@pytest.fixture(params=range(30))
def losses(request):
    """Validation losses that fall, rise and stay constant."""
    rng = np.random.default_rng(request.param)
    steps = rng.choice([-0.02, -5e-5, 0.0, 5e-5, 0.02], size=25)
    return list(0.7 + np.cumsum(steps))


@pytest.fixture(scope="module")
def stub():
    """A model for Keras' own callbacks."""
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=[1])])
    model.compile(tf_keras.optimizers.SGD(0.1))
    return model


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("min_delta", [0.0, 1e-3])
def test_decisions_are_those_of_keras_early_stopping(losses, stub, patience, min_delta):
    keras = tf_keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, min_delta=min_delta, restore_best_weights=True
    )
    keras.set_model(stub)
    stub.stop_training = False
    keras.on_train_begin()
    ours = resolve("default", early_stopping_patience=patience, early_stopping_min_delta=min_delta)
    for epoch, loss in enumerate(losses):
        keras.on_epoch_end(epoch, {"val_loss": loss})
        assert should_stop(losses[: epoch + 1], ours) == stub.stop_training
        if stub.stop_training:
            break
    assert best_epoch(losses[: epoch + 1], min_delta) == keras.best_epoch


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_learning_rates_are_those_of_keras_reduce_on_plateau(losses, stub, patience):
    keras = tf_keras.callbacks.ReduceLROnPlateau(
        "val_loss", factor=0.2, patience=patience, min_lr=1e-4
    )
    keras.set_model(stub)
    stub.optimizer.learning_rate.assign(0.1)
    keras.on_train_begin()
    ours = resolve(
        "default",
        plateau_factor=0.2,
        plateau_patience=patience,
        min_learning_rate=1e-4,
        learning_rate=0.1,
    )
    for epoch, loss in enumerate(losses):
        keras.on_epoch_end(epoch, {"val_loss": loss})
        rate = float(stub.optimizer.learning_rate)
        assert plateau_rate(losses[: epoch + 1], 0.1, ours) == pytest.approx(rate, rel=1e-5)


def test_without_patience_a_training_never_stops_early():
    assert not should_stop([0.5, 0.6, 0.7, 0.8], resolve("default"))


@pytest.fixture
def track(make_plan):
    """Tracks epochs with some validation losses; the weights are the number of the epoch."""

    def run(losses, **overrides):
        plan = make_plan(learning_rate=0.1, learning_rate_batch=None, **overrides)
        state = TrainingState()
        tracker = EpochTracker(plan, state)
        tracker.model = types.SimpleNamespace(
            optimizer=tf_keras.optimizers.SGD(0.5), stop_training=False, get_weights=lambda: [epoch]
        )
        for epoch, loss in enumerate(losses):
            tracker.on_epoch_begin(epoch)
            tracker.on_epoch_end(epoch, {"val_loss": loss})
        return tracker, state

    return run


def test_with_patience_the_weights_of_the_best_epoch_are_kept(track):
    tracker, state = track([0.6, 0.4, 0.5], epochs=10, early_stopping_patience=5)
    assert (state.kept_weights, tracker.kept_epoch) == ([1], 1)
    assert not tracker.model.stop_training


def test_without_patience_the_weights_of_the_last_epoch_are_kept(track):
    tracker, state = track([0.6, 0.4, 0.5], epochs=10)
    assert (state.kept_weights, tracker.kept_epoch) == ([2], 2)


def test_a_training_is_finished_after_the_last_epoch_or_without_improvement(track):
    assert track([0.6, 0.5, 0.4], epochs=3)[0].is_finished
    assert not track([0.6, 0.5], epochs=3)[0].is_finished
    stopped, _ = track([0.4, 0.5], epochs=9, early_stopping_patience=1)
    assert stopped.model.stop_training


def test_on_a_plateau_the_learning_rate_is_set_before_each_epoch(track):
    tracker, _ = track(
        [0.5, 0.5, 0.5], epochs=9, schedule="plateau", plateau_patience=0, plateau_factor=0.5
    )
    # The first two epochs determine the learning rate of the third.
    assert float(tracker.model.optimizer.learning_rate) == pytest.approx(0.05)


def test_given_losses_determine_the_learning_rate_of_each_epoch(make_plan):
    options = {"schedule": "plateau", "plateau_patience": 0, "plateau_factor": 0.5}
    plan = make_plan(epochs=4, learning_rate=0.1, learning_rate_batch=None, **options)
    tracker = EpochTracker(plan, TrainingState(), losses=[0.5, 0.5, 0.4, 0.4])
    tracker.model = types.SimpleNamespace(
        optimizer=tf_keras.optimizers.SGD(0.1), get_weights=lambda: [epoch]
    )
    rates = []
    for epoch in range(4):
        tracker.on_epoch_begin(epoch)
        rates.append(float(tracker.model.optimizer.learning_rate))
        tracker.on_epoch_end(epoch, METRICS)
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05])
    assert (tracker.kept_epoch, tracker.model.stop_training) == (3, True)


def test_a_cosine_leaves_the_learning_rate_to_the_optimizer(track):
    tracker, _ = track([0.5, 0.5], epochs=9)
    assert float(tracker.model.optimizer.learning_rate) == 0.5


def test_within_an_epoch_the_state_is_saved_after_each_block(make_plan, stub):
    plan = make_plan(1000, window=400, batch_size_per_replica=10, steps_per_execution=10)
    assert (plan.steps_per_epoch, plan.steps_per_block) == (100, 20)
    state, saved = TrainingState(), []
    tracker = EpochTracker(plan, state, lambda: saved.append((len(state.epochs), state.step)))
    tracker.set_model(stub)
    for epoch in range(2):
        tracker.on_epoch_begin(epoch)
        for step in range(10, 101, 10):
            tracker.on_train_batch_end(step - 1)
        tracker.on_epoch_end(epoch, METRICS | VALIDATION)
    within = [20, 40, 60, 80]
    assert saved == [
        *((0, step) for step in within),
        (1, 0),
        *((1, step) for step in within),
        (2, 0),
    ]
    assert state.metrics == []


def test_a_resumed_epoch_continues_its_metrics(make_plan):
    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=[1])])
    model.compile(metrics=[tf_keras.metrics.MeanSquaredError()])
    model.compiled_metrics.build(tf.zeros([1, 1]), tf.zeros([1, 1]))
    (metric,) = [metric for metric in model.metrics if metric.name == "mean_squared_error"]
    state = TrainingState()
    others = [weight for other in model.metrics if other is not metric for weight in other.weights]
    state.metrics = [np.float32(7)] * len(others) + [np.float32(12), np.float32(4)]
    tracker = EpochTracker(make_plan(), state)
    tracker.set_model(model)
    tracker.on_epoch_begin(0)
    assert float(metric.result()) == 3


def test_events_that_no_host_read_stop_the_training():
    check = event_check(100, {0: 100, 1: 99}.get, "here")
    check.on_epoch_end(0, {})
    with pytest.raises(EventCountError, match="split train: found 99 events in here"):
        check.on_epoch_end(1, {})


class DivergedError(Exception):
    pass


@pytest.fixture
def guard():
    return NanGuard(DivergedError)


def test_a_finite_epoch_passes_and_its_counters_are_removed(guard):
    logs = {"loss": 0.5, "val_loss": 0.6, "finite_steps": 3.0, "val_finite_steps": 0.0}
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(2, logs)
    guard.on_epoch_end(0, logs)
    assert logs == {"loss": 0.5, "val_loss": 0.6}


def test_the_first_step_that_is_not_finite_is_named(guard):
    guard.on_epoch_begin(4)
    guard.on_train_batch_end(9, {"finite_steps": np.float32(6)})
    with pytest.raises(DivergedError) as caught:
        guard.on_epoch_end(4, {"finite_steps": np.float32(6), "val_loss": 0.5})
    assert caught.value.args == (4, 7)


def test_a_validation_that_is_not_finite_names_the_last_step(guard):
    guard.on_epoch_begin(1)
    guard.on_train_batch_end(9, {})
    with pytest.raises(DivergedError) as caught:
        guard.on_epoch_end(1, {"finite_steps": 10.0, "val_loss": float("nan")})
    assert caught.value.args == (1, 10)


def test_an_epoch_without_validation_is_checked(guard):
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(0, {})
    guard.on_epoch_end(0, {"finite_steps": 1.0, "loss": 0.5})
    with pytest.raises(DivergedError):
        guard.on_epoch_end(0, {"finite_steps": 1.0, "loss": float("inf")})


def test_a_long_epoch_is_checked_before_its_end(guard, clock):
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(1, {"finite_steps": 1.0})
    clock(callbacks.SECONDS_BETWEEN_CHECKS)
    with pytest.raises(DivergedError) as caught:
        guard.on_train_batch_end(2, {"finite_steps": 1.0})
    assert caught.value.args == (0, 2)


@pytest.fixture
def make_progress_log(make_plan):
    """Makes the callback of a training with a learning rate of 0.5 and batches of 1000 events."""

    def make(steps, epochs=3, **options):
        events = 1000 * steps
        plan = make_plan(events, epochs=epochs, batch_size_per_replica=1000)
        callback = ProgressLog(plan, **options)
        callback.model = types.SimpleNamespace(optimizer=tf_keras.optimizers.SGD(0.5))
        return callback

    return make


def test_the_line_of_an_epoch_has_the_training_rate_and_the_total_time(
    make_progress_log, clock, caplog
):
    callback = make_progress_log(steps=2)
    logs = METRICS | VALIDATION
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callback.on_epoch_begin(1, {})
        clock(4)
        callback.on_train_batch_end(1, METRICS)
        clock(1.5)
        callback.on_epoch_end(1, logs)
    assert logs["seconds"] == 5.5
    assert logs["events_per_second"] == 500
    assert logs["learning_rate"] == 0.5
    assert caplog.messages == [
        "epoch 2/3  loss 0.5000  auc 0.8000  val_loss 0.6000  val_auc 0.7000  500 events/s  5.5 s"
    ]


def test_the_lines_of_a_refit_name_it_and_have_no_validation(make_progress_log, clock, caplog):
    callback = make_progress_log(steps=2, name="refit epoch")
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callback.on_epoch_begin(1, {})
        clock(10)
        callback.on_train_batch_end(0, METRICS)
        clock(10)
        callback.on_train_batch_end(1, METRICS)
        callback.on_epoch_end(1, dict(METRICS))
    step = "refit epoch 2/3  step {}/2  loss 0.5000  auc 0.8000  100 events/s"
    whole = "refit epoch 2/3  loss 0.5000  auc 0.8000  100 events/s  20.0 s"
    assert caplog.messages == [step.format(1), step.format(2), whole]


def test_steps_are_logged_every_ten_seconds(make_progress_log, clock, caplog):
    callback = make_progress_log(steps=100)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callback.on_epoch_begin(0, {})
        for step in range(10):
            clock(4)
            callback.on_train_batch_end(step, METRICS)
    assert caplog.messages == [
        f"epoch 1/3  step {step}/100  loss 0.5000  auc 0.8000  250 events/s" for step in (3, 6, 9)
    ]


@pytest.mark.parametrize(
    ("seconds", "count", "expected"),
    [
        (0.0625, 1234, [*range(1, 1234, 32), 1234]),
        (0.5, 9, [1, 5, 9]),
        (2.5, 4, [1, 2, 3, 4]),
    ],
    ids=["many short epochs", "the last one is logged once", "long epochs"],
)
def test_epochs_are_logged_every_two_seconds_and_the_last_one(
    make_progress_log, clock, caplog, seconds, count, expected
):
    callback = make_progress_log(steps=1, epochs=5000)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        for epoch in range(count):
            callback.on_epoch_begin(epoch, {})
            clock(seconds)
            callback.on_train_batch_end(0, METRICS)
            callback.on_epoch_end(epoch, METRICS | VALIDATION)
        callback.on_train_end({})
    logged = [int(line.split("/")[0].removeprefix("epoch ")) for line in caplog.messages]
    assert logged == expected


def test_the_rate_includes_the_work_that_the_device_still_has_to_do(make_progress_log, clock):
    class Pending:
        """A metric that the device computes for two more seconds."""

        def __float__(self):
            clock(2)
            return 0.5

    callback = make_progress_log(steps=2, epochs=1)
    logs = METRICS | VALIDATION
    callback.on_epoch_begin(0, {})
    callback.on_train_batch_end(0, METRICS | {"loss": Pending()})
    callback.on_train_batch_end(1, METRICS | {"loss": Pending()})
    callback.on_epoch_end(0, logs)
    assert logs["events_per_second"] == 1000
