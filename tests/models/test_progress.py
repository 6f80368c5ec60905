import logging

import pytest

from models import progress
from models.progress import Progress

METRICS = {"loss": 0.5, "auc": 0.8}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until a test moves it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def test_epochs_line_and_metrics_tell_training_rate_and_whole_time(clock, caplog):
    callback = Progress(epochs=3, steps=2, batch_size=1000)
    logs = METRICS | {"val_loss": 0.6, "val_auc": 0.7}
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callback.on_epoch_begin(1, {})
        clock(4)
        callback.on_train_batch_end(1, METRICS)
        clock(1.5)
        callback.on_epoch_end(1, logs)
    assert logs["seconds"] == 5.5
    assert logs["events_per_second"] == 500
    assert caplog.messages == [
        "epoch 2/3  loss 0.5000  auc 0.8000  val_loss 0.6000  val_auc 0.7000  500 events/s  5.5 s"
    ]


def test_steps_are_told_only_now_and_then(clock, caplog):
    callback = Progress(epochs=3, steps=100, batch_size=1000)
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        callback.on_epoch_begin(0, {})
        for step in range(10):
            clock(4)
            callback.on_train_batch_end(step, METRICS)
    assert caplog.messages == [
        f"epoch 1/3  step {step}/100  loss 0.5000  auc 0.8000  250 events/s" for step in (3, 6, 9)
    ]
