import numpy as np
import pytest
import tensorflow as tf

from formats.hyperparameters import resolve
from models.network import ColumnStatistics, build_network, describe_layers
from models.training.checkpoints import Checkpoints
from models.training.event_survey import Splits
from models.training.hardware import Machine
from models.training.model_fit import WINDOW_EVENTS, choose_window, count_parameters, fit
from models.training.training_plan import size_hyperparameters


@pytest.mark.slow
def test_the_kaggle_preset_has_the_parameters_of_the_notebook():
    unit = ColumnStatistics(np.zeros(28, np.float32), np.ones(28, np.float32), None)
    network = build_network(size_hyperparameters(resolve("kaggle"), 1000), unit)
    blocks = (28 + 1) * 2048 + 4 * (2048 + 1) * 2048 + 5 * 4 * 2048
    expected = {"wide": 29, "deep": blocks + 2049, "total": blocks + 2049 + 29}
    assert count_parameters(describe_layers(network)).model_dump() == expected


@pytest.mark.parametrize(
    ("by_host", "memory", "window"),
    [
        # 28 columns, a label and an index of 4 bytes each: 120 bytes per event.
        ([1000], 120_000, None),
        ([1001], 120_000, 1000),
        ([10**8], 10**9, WINDOW_EVENTS),
        # The host with the most events decides, and each one has a window.
        ([1000, 999], 120_000, None),
        ([1001, 1000], 120_000, 2000),
    ],
)
def test_the_window_is_all_events_if_they_fit(by_host, memory, window):
    assert choose_window(by_host, memory, resolve("kaggle")) == window


def test_derived_columns_need_more_memory():
    hyperparameters = resolve("default")
    assert choose_window([1000], 468_000, hyperparameters) is None
    assert choose_window([1000], 467_000, hyperparameters) == 997


@pytest.fixture(scope="module")
def splits(make_events):
    return Splits.of_tables(make_events(900, seed=1), make_events(100, seed=2))


@pytest.fixture(scope="module")
def fit_tiny(splits, cpu, tmp_path_factory):
    def fit_tiny(refit_events=1000, checkpoint_dir=None):
        hyperparameters = resolve(
            "demo",
            refit_events=refit_events,
            derived_columns=False,
            buckets=0,
            trees=5,
            units=8,
            blocks=1,
            epochs=2,
            batch_size_per_replica=32,
        )
        return fit(
            splits,
            hyperparameters,
            seed=1,
            machine=Machine(tf.distribute.get_strategy(), cpu),
            log_dir=str(tmp_path_factory.mktemp("logs")),
            checkpoint_dir=checkpoint_dir,
        )

    return fit_tiny


@pytest.fixture(scope="module")
def refitted(fit_tiny):
    return fit_tiny()


def scores(fitted, splits):
    return fitted.model(splits.validation.features).numpy()


@pytest.mark.slow
def test_a_refit_keeps_epochs_and_blend_and_trains_both_parts_on_all_events(
    fit_tiny, refitted, splits
):
    first = fit_tiny(refit_events=999)
    assert first.to_record().refit is None
    record = refitted.to_record()
    assert record.blend == first.blend
    losses = [
        [epoch["val_loss"] for epoch in fitted.trained.epochs] for fitted in (first, refitted)
    ]
    assert losses[0] == losses[1]
    assert record.events == {"train": 900, "validation": 100}
    assert (record.refit.events, record.refit.steps_per_epoch) == (1000, 31)
    assert [epoch["epoch"] for epoch in record.refit.epochs] == [1, 2]
    assert (first.forest.events, refitted.forest.events) == (900, 1000)
    weights = [fitted.network.get_layer("dense_1").get_weights()[0] for fitted in (first, refitted)]
    assert np.abs(weights[0] - weights[1]).max() > 1e-3
    assert np.abs(scores(first, splits) - scores(refitted, splits)).max() > 1e-3
    seconds = sum(epoch["seconds"] for epoch in (*record.epochs, *record.refit.epochs))
    assert record.seconds == pytest.approx(seconds)


@pytest.mark.slow
def test_a_training_that_is_killed_in_both_fits_ends_like_an_uninterrupted_one(
    fit_tiny, refitted, splits, tmp_path, monkeypatch
):
    """Killed after the first epoch of each fit, when its checkpoint is complete."""
    save = Checkpoints.save
    saved = []

    def save_and_die(checkpoints):
        save(checkpoints)
        saved.append(checkpoints)
        # The second of three processes finishes the first fit.
        if len(saved) in {1, 3}:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", save_and_die)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fit_tiny(checkpoint_dir=str(tmp_path / "checkpoints"))
    resumed = fit_tiny(checkpoint_dir=str(tmp_path / "checkpoints"))
    assert len(saved) == 4
    record = resumed.to_record()
    assert (record.resumed_at, record.refit.resumed_at) == (2, 1)
    assert record.blend == refitted.blend
    np.testing.assert_array_equal(scores(resumed, splits), scores(refitted, splits))
