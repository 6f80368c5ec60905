import types

import numpy as np
import pytest
import tf_keras

from formats.hyperparameters import resolve
from models.training import callbacks
from models.training.callbacks import Course, Guard
from models.training.sizing import sized


def follow(losses, **overrides):
    """A course led through epochs of these validation losses; weights are the epoch's number."""
    found = Course(sized(resolve("default", **overrides), 1000), 0.1, None)
    found.model = types.SimpleNamespace(
        optimizer=tf_keras.optimizers.SGD(0.5), stop_training=False, get_weights=lambda: [epoch]
    )
    for epoch, loss in enumerate(losses):
        found.on_epoch_begin(epoch)
        found.on_epoch_end(epoch, {"val_loss": loss})
    return found


def test_weights_of_the_best_epoch_are_kept_with_patience():
    found = follow([0.6, 0.4, 0.5], epochs=10, early_stopping_patience=5)
    assert (found.kept, found.kept_epoch) == ([1], 1)
    assert not found.model.stop_training


def test_weights_of_the_last_epoch_are_kept_without():
    found = follow([0.6, 0.4, 0.5], epochs=10)
    assert (found.kept, found.kept_epoch) == ([2], 2)


def test_course_is_over_after_the_last_epoch_or_without_improvement():
    assert follow([0.6, 0.5, 0.4], epochs=3).is_over
    assert not follow([0.6, 0.5], epochs=3).is_over
    assert follow([0.4, 0.5], epochs=9, early_stopping_patience=1).model.stop_training


def test_rate_is_set_before_each_epoch_on_a_plateau():
    found = follow(
        [0.5, 0.5, 0.5], epochs=9, schedule="plateau", plateau_patience=0, plateau_factor=0.5
    )
    # The first two epochs decided about the third's.
    assert float(found.model.optimizer.learning_rate) == pytest.approx(0.05)


def test_rate_is_left_to_the_cosine():
    found = follow([0.5, 0.5], epochs=9)
    assert float(found.model.optimizer.learning_rate) == 0.5


class DivergedError(Exception):
    pass


@pytest.fixture
def guard():
    return Guard(lambda epoch, step: DivergedError(epoch, step))


def test_finite_epoch_passes_and_its_counters_are_not_kept(guard):
    logs = {"loss": 0.5, "val_loss": 0.6, "finite_steps": 3.0, "val_finite_steps": 0.0}
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(2, logs)
    guard.on_epoch_end(0, logs)
    assert logs == {"loss": 0.5, "val_loss": 0.6}


def test_step_that_was_not_finite_is_named(guard):
    guard.on_epoch_begin(4)
    guard.on_train_batch_end(9, {"finite_steps": np.float32(6)})
    with pytest.raises(DivergedError) as caught:
        guard.on_epoch_end(4, {"finite_steps": np.float32(6), "val_loss": 0.5})
    assert caught.value.args == (4, 7)


def test_validation_that_was_not_finite_names_the_last_step(guard):
    guard.on_epoch_begin(1)
    guard.on_train_batch_end(9, {})
    with pytest.raises(DivergedError) as caught:
        guard.on_epoch_end(1, {"finite_steps": 10.0, "val_loss": float("nan")})
    assert caught.value.args == (1, 10)


def test_long_epoch_is_looked_at_in_between(guard, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    guard.on_epoch_begin(0)
    guard.on_train_batch_end(1, {"finite_steps": 1.0})
    now[0] = callbacks.SECONDS_BETWEEN_LOOKS
    with pytest.raises(DivergedError) as caught:
        guard.on_train_batch_end(2, {"finite_steps": 1.0})
    assert caught.value.args == (0, 2)
