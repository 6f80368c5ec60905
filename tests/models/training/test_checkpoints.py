import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from models.training.checkpoints import Checkpoints, Saved, discard, training_folder

INPUT = np.ones([8, 3], np.float32)


@pytest.fixture
def made():
    def make(seed):
        tf_keras.utils.set_random_seed(seed)
        network = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=[3])])
        network.compile(tf_keras.optimizers.AdamW(0.1), "mse")
        return network

    return make


def saved(count, value=1.0):
    return Saved(
        [{"epoch": epoch + 1, "val_loss": 0.5} for epoch in range(count)],
        [np.full([3, 2], value, np.float32), np.int32(7)],
    )


def test_training_goes_on_as_if_it_had_not_stopped(made, tmp_path):
    first = made(1)
    checkpoints = Checkpoints(f"{tmp_path}/a", first)
    first.fit(INPUT, INPUT[:, :2], epochs=3, verbose=0)
    checkpoints.save(saved(3))
    second = made(2)
    state = Checkpoints(f"{tmp_path}/a", second).restore()
    assert state.epochs == saved(3).epochs
    for network in (first, second):
        network.fit(INPUT, INPUT[:, :2], epochs=2, verbose=0)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_kept_weights_come_back(made, tmp_path):
    Checkpoints(f"{tmp_path}/a", made(1)).save(saved(1, value=4.0))
    kept = Checkpoints(f"{tmp_path}/a", made(1)).restore().kept
    np.testing.assert_array_equal(kept[0], np.full([3, 2], 4.0))
    assert kept[1] == 7


def test_only_the_last_state_stays(made, tmp_path):
    checkpoints = Checkpoints(f"{tmp_path}/a", made(1))
    for count in (1, 2, 3):
        checkpoints.save(saved(count))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["000003"]


def test_nothing_is_restored_where_nothing_was_saved(made, tmp_path):
    network = made(1)
    before = network.get_weights()
    assert Checkpoints(f"{tmp_path}/none", network).restore() is None
    np.testing.assert_array_equal(network.get_weights()[0], before[0])


@pytest.mark.parametrize("written", ["state", "write", "rename"])
def test_state_that_was_not_finished_is_not_taken(made, tmp_path, monkeypatch, written):
    checkpoints = Checkpoints(f"{tmp_path}/a", made(1))
    checkpoints.save(saved(1))

    def fail(*_):
        raise OSError("killed")

    with monkeypatch.context() as patched:
        if written == "rename":
            patched.setattr(tf.io.gfile, "rename", fail)
        elif written == "state":
            patched.setattr(tf.train.Checkpoint, "write", fail)
        else:
            patched.setattr(np, "savez", fail)
        with pytest.raises(OSError, match="killed"):
            checkpoints.save(saved(2))
    again = Checkpoints(f"{tmp_path}/a", made(1))
    assert len(again.restore().epochs) == 1
    again.save(saved(2))
    assert len(again.restore().epochs) == 2


def test_folder_is_that_of_settings_weights_and_events(make_events):
    events, others = make_events(50), make_events(50, seed=1)
    settings = {"seed": 1, "hyperparameters": {"units": 8, "blocks": 2}}
    first, second = {"a": np.zeros(3), "b": np.ones(3)}, {"b": np.ones(3), "a": np.zeros(3)}
    same = training_folder("r", dict(reversed(settings.items())), first, events, others)
    assert training_folder("r", settings, second, events, others) == same
    changed = dataclasses.replace(events, labels=1 - events.labels)
    assert same not in {
        training_folder("r", settings | {"seed": 2}, first, events, others),
        training_folder("r", settings, {}, events, others),
        training_folder("r", settings, {"a": np.ones(3), "b": np.zeros(3)}, events, others),
        training_folder("r", settings, {"a": np.zeros(3), "c": np.ones(3)}, events, others),
        training_folder("r", settings, first, changed, others),
        training_folder("r", settings, first, others, events),
        training_folder("q", settings, first, events, others),
    }


def test_folder_is_another_one_for_other_code(make_events, tmp_path, monkeypatch):
    package = tmp_path / "models"
    (package / "physics").mkdir(parents=True)
    (package / "physics" / "columns.py").write_text("a = 1\n")
    monkeypatch.setattr("models.training.checkpoints.__file__", str(package / "checkpoints.py"))
    arguments = "r", {}, {}, make_events(5)
    before = training_folder(*arguments)
    assert training_folder(*arguments) == before
    (package / "physics" / "columns.py").write_text("a = 2\n")
    assert training_folder(*arguments) != before


def test_states_are_discarded_once_and_again(made, tmp_path):
    Checkpoints(f"{tmp_path}/a", made(1)).save(saved(1))
    discard(f"{tmp_path}/a")
    discard(f"{tmp_path}/a")
    assert not (tmp_path / "a").exists()


def test_state_that_is_only_partly_discarded_is_not_taken(made, tmp_path, monkeypatch):
    Checkpoints(f"{tmp_path}/a", made(1)).save(saved(1))

    def fail(*_):
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(tf.io.gfile, "rmtree", fail)
        with pytest.raises(OSError, match="killed"):
            discard(f"{tmp_path}/a")
    assert Checkpoints(f"{tmp_path}/a", made(1)).restore() is None


def test_host_that_does_not_write_leaves_nothing(made, tmp_path):
    Checkpoints(f"{tmp_path}/a", made(1), writes=False).save(saved(1))
    assert not (tmp_path / "a").exists()
