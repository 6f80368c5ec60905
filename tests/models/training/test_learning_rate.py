import numpy as np
import pytest
import tf_keras

from formats.hyperparameters import resolve
from models.training.learning_rate import best_epoch, cosine, peak_rate, plateau_rate, should_stop
from models.training.sizing import sized


def hyperparameters(**overrides):
    return sized(resolve("default", **overrides), 1000)


@pytest.fixture(params=range(30))
def losses(request):
    """Validation losses that fall, rise and stand still."""
    rng = np.random.default_rng(request.param)
    steps = rng.choice([-0.02, -5e-5, 0.0, 5e-5, 0.02], size=25)
    return list(0.7 + np.cumsum(steps))


class Stub(tf_keras.Model):
    """What a callback may ask of a model."""

    def __init__(self):
        super().__init__()
        self.compile(tf_keras.optimizers.SGD(0.1))


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("min_delta", [0.0, 1e-3])
def test_stops_and_keeps_as_keras_early_stopping(losses, patience, min_delta):
    theirs = tf_keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, min_delta=min_delta, restore_best_weights=True
    )
    theirs.set_model(Stub())
    theirs.model.get_weights = list
    theirs.model.set_weights = lambda _: None
    theirs.on_train_begin()
    ours = hyperparameters(early_stopping_patience=patience, early_stopping_min_delta=min_delta)
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        assert should_stop(losses[: epoch + 1], ours) == theirs.model.stop_training
        if theirs.model.stop_training:
            break
    assert best_epoch(losses[: epoch + 1], min_delta) == theirs.best_epoch


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_rate_falls_as_keras_reduces_it(losses, patience):
    theirs = tf_keras.callbacks.ReduceLROnPlateau(
        "val_loss", factor=0.2, patience=patience, min_lr=1e-4
    )
    theirs.set_model(Stub())
    theirs.on_train_begin()
    ours = hyperparameters(
        plateau_factor=0.2, plateau_patience=patience, min_learning_rate=1e-4, learning_rate=0.1
    )
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        rate = float(theirs.model.optimizer.learning_rate)
        assert plateau_rate(losses[: epoch + 1], 0.1, ours) == pytest.approx(rate, rel=1e-5)


def test_without_patience_nothing_stops_early():
    assert not should_stop([0.5, 0.6, 0.7, 0.8], hyperparameters())


def test_rate_rises_then_falls_to_zero():
    schedule = cosine(0.4, 100)
    assert float(schedule(0)) == 0
    assert float(schedule(5)) == pytest.approx(0.4)
    middle = 5 + 95 // 2
    assert float(schedule(middle)) == pytest.approx(0.2, abs=0.01)
    assert float(schedule(100)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("steps", [1, 2])
def test_shortest_trainings_have_a_finite_rate(steps):
    assert all(np.isfinite(float(cosine(0.1, steps)(step))) for step in range(steps + 1))


@pytest.mark.parametrize(("batch", "expected"), [(256, 2e-3), (1024, 4e-3), (64, 1e-3)])
def test_rate_grows_with_the_root_of_the_batch(batch, expected):
    chosen = hyperparameters(learning_rate=2e-3, learning_rate_batch=256)
    assert peak_rate(chosen, batch) == pytest.approx(expected)


def test_rate_stands_where_no_batch_is_named():
    assert peak_rate(hyperparameters(learning_rate=2e-3, learning_rate_batch=None), 8192) == 2e-3
