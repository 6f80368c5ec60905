import logging
import math
import types

import numpy as np
import pytest
import tf_keras

from models.training import progress_callback
from models.training.progress_callback import Progress

METRICS = {"loss": 0.5, "auc": 0.8}


def made(**shape):
    """The callback of a network that steps at a rate of 0.5."""
    callback = Progress(**shape)
    callback.model = types.SimpleNamespace(optimizer=tf_keras.optimizers.SGD(0.5))
    return callback


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until a test moves it."""
    now = [100.0]
    monkeypatch.setattr(progress_callback.time, "perf_counter", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def test_epochs_line_and_metrics_tell_training_rate_and_whole_time(clock, caplog):
    callback = made(epochs=3, steps=2, batch_size=1000)
    logs = METRICS | {"val_loss": 0.6, "val_auc": 0.7}
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


def test_steps_are_told_only_now_and_then(clock, caplog):
    callback = made(epochs=3, steps=100, batch_size=1000)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callback.on_epoch_begin(0, {})
        for step in range(10):
            clock(4)
            callback.on_train_batch_end(step, METRICS)
    assert caplog.messages == [
        f"epoch 1/3  step {step}/100  loss 0.5000  auc 0.8000  250 events/s" for step in (3, 6, 9)
    ]


def epochs_told(caplog, clock, *, seconds, count):
    """The epochs that got a line, of so many that each took so long."""
    callback = made(epochs=5000, steps=1, batch_size=1000)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        for epoch in range(count):
            callback.on_epoch_begin(epoch, {})
            clock(seconds)
            callback.on_train_batch_end(0, METRICS)
            callback.on_epoch_end(epoch, METRICS | {"val_loss": 0.6, "val_auc": 0.7})
        callback.on_train_end({})
    return [int(line.split("/")[0].removeprefix("epoch ")) for line in caplog.messages]


def test_of_many_short_epochs_few_are_told_but_the_first_and_the_last(clock, caplog):
    told = epochs_told(caplog, clock, seconds=0.0625, count=1234)
    assert told == [*range(1, 1234, 32), 1234]


def test_last_epoch_is_told_once(clock, caplog):
    assert epochs_told(caplog, clock, seconds=0.5, count=9) == [1, 5, 9]


def test_each_long_epoch_is_told(clock, caplog):
    assert epochs_told(caplog, clock, seconds=2.5, count=4) == [1, 2, 3, 4]


def test_last_epoch_is_told_when_training_stops_early(monkeypatch, caplog):
    monkeypatch.setattr(progress_callback, "SECONDS_BETWEEN_STEPS", math.inf)
    monkeypatch.setattr(progress_callback, "SECONDS_BETWEEN_EPOCHS", math.inf)
    network = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=[1])])
    network.compile("sgd", "mse", weighted_metrics=[tf_keras.metrics.MeanSquaredError("auc")])
    data = np.ones([8, 1], np.float32)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callbacks = [
            Progress(epochs=50, steps=1, batch_size=8),
            # No loss falls by a million, so no epoch improves on the first.
            tf_keras.callbacks.EarlyStopping("val_loss", patience=3, min_delta=1e6),
        ]
        network.fit(data, data, 8, 50, verbose=0, callbacks=callbacks, validation_data=(data, data))
    assert [line.split("  ")[0] for line in caplog.messages] == ["epoch 1/50", "epoch 4/50"]


def test_rate_counts_until_the_device_is_done(clock):
    class Pending:
        """A metric that the device still works on, for two seconds."""

        def __float__(self):
            clock(2)
            return 0.5

    callback = made(epochs=1, steps=2, batch_size=1000)
    logs = METRICS | {"val_loss": 0.6, "val_auc": 0.7}
    callback.on_epoch_begin(0, {})
    callback.on_train_batch_end(0, METRICS | {"loss": Pending()})
    callback.on_train_batch_end(1, METRICS | {"loss": Pending()})
    callback.on_epoch_end(0, logs)
    assert logs["events_per_second"] == 1000
