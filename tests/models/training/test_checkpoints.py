import errno
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import models.physics
from formats import features, splitmix64
from models.training.checkpoints import (
    REFIT_FOLDER,
    Checkpoints,
    TrainingState,
    checkpoint_folder,
    discard_checkpoints,
)

INPUT = np.ones([8, 3], np.float32)


class Training:
    """A small network, and what it has reached."""

    def __init__(self, seed=1):
        tf_keras.utils.set_random_seed(seed)
        self.network = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=[3])])
        self.network.compile(
            tf_keras.optimizers.AdamW(0.1, jit_compile=False), "mse", run_eagerly=True
        )
        self.state = TrainingState()

    def train(self, steps):
        for _ in range(steps):
            self.network.optimizer.minimize(self._loss, self.network.trainable_variables)

    def _loss(self):
        return tf.reduce_mean((self.network(INPUT) - 1) ** 2)

    def checkpoints(self, folder, **options):
        return Checkpoints(str(folder), self.network, self.state, **options)

    def save(self, folder, count, value=1.0, **options):
        self.set_state(count, value)
        self.checkpoints(folder, **options).save()

    def set_state(self, count, value=1.0):
        self.state.epochs = [{"epoch": epoch + 1, "val_loss": 0.5} for epoch in range(count)]
        self.state.kept_weights = [np.full([3, 2], value, np.float32), np.int32(7)]

    def restore(self, folder):
        self.checkpoints(folder).restore()
        return self


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "a"


@pytest.mark.slow
def test_a_resumed_training_continues_like_an_uninterrupted_one(folder):
    first = Training(1)
    first.train(steps=3)
    first.save(folder, 3)
    second = Training(2).restore(folder)
    assert second.state.epochs == first.state.epochs
    for training in (first, second):
        training.train(steps=2)
    weights = zip(first.network.get_weights(), second.network.get_weights(), strict=True)
    for one, other in weights:
        np.testing.assert_array_equal(one, other)


def test_checkpoints_are_for_their_owner_alone(folder):
    Training(1).save(folder, 1)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_kept_weights_are_restored(folder):
    Training().save(folder, 1, value=4.0)
    kernel, steps = Training().restore(folder).state.kept_weights
    np.testing.assert_array_equal(kernel, np.full([3, 2], 4.0))
    assert kernel.dtype == np.float32
    assert steps == 7


@pytest.mark.slow
def test_the_step_within_an_epoch_and_its_metrics_are_restored(folder):
    training = Training()
    training.set_state(2)
    training.state.step, training.state.metrics = 30, [np.float32(0.5), np.ones(3)]
    training.checkpoints(folder).save()
    state = Training().restore(folder).state
    assert (len(state.epochs), state.step) == (2, 30)
    assert [values.tolist() for values in state.metrics] == [0.5, [1, 1, 1]]
    assert len(state.kept_weights) == 2


def test_only_the_last_checkpoint_stays(folder):
    training = Training()
    saved = training.checkpoints(folder)
    for count in (1, 2, 3):
        training.set_state(count)
        saved.save()
    names = {path.name.partition(".")[0] for path in folder.iterdir()}
    assert names == {"checkpoint", "ckpt-3000000000"}


@pytest.mark.slow
def test_a_resumed_training_deletes_the_checkpoint_it_started_from(folder):
    Training().save(folder, 1)
    training = Training().restore(folder)
    training.save(folder, 2)
    assert not [*folder.glob("ckpt-1*")]
    assert len(Training().restore(folder).state.epochs) == 2


@pytest.mark.slow
def test_checkpoints_in_an_object_store(tmp_path):
    folder = f"ram:/{tmp_path}"
    for count in (1, 2):
        Training().save(folder, count)
    assert len(Training().restore(folder).state.epochs) == 2
    assert not [name for name in tf.io.gfile.listdir(folder) if name.startswith("ckpt-1")]
    discard_checkpoints(folder)
    assert not tf.io.gfile.exists(folder)


def test_without_a_checkpoint_nothing_is_restored(folder):
    training = Training()
    before = training.network.get_weights()
    training.restore(folder)
    assert training.state.epochs == []
    np.testing.assert_array_equal(training.network.get_weights()[0], before[0])


@pytest.mark.slow
@pytest.mark.parametrize("suffixes", [[".data-00000-of-00001"], [".data-00000-of-00001", ".index"]])
def test_a_checkpoint_that_the_manager_does_not_name_is_ignored(folder, suffixes):
    """As if the training was killed while it wrote the second checkpoint."""
    Training().save(folder, 1)
    for suffix in suffixes:
        (folder / f"ckpt-2{suffix}").write_bytes(b"incomplete")
    training = Training().restore(folder)
    assert len(training.state.epochs) == 1
    training.save(folder, 2)
    assert len(Training().restore(folder).state.epochs) == 2


def cut_short(file):
    os.truncate(file, file.stat().st_size // 2)


def flip_a_byte(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "weights cut short": ("*.data*", cut_short),
    "weights flipped": ("*.data*", flip_a_byte),
    "weights deleted": ("*.data*", Path.unlink),
    "index emptied": ("*.index", lambda file: file.write_bytes(b"")),
    "index cut short": ("*.index", cut_short),
    "name emptied": ("checkpoint", lambda file: file.write_bytes(b"")),
    "name is garbage": ("checkpoint", lambda file: file.write_bytes(b"\xff\x00")),
    "index deleted": ("*.index", Path.unlink),
    "name is text": ("checkpoint", lambda file: file.write_text("garbage")),
    "name of nothing": (
        "checkpoint",
        lambda file: file.write_text('model_checkpoint_path: "ckpt-7"'),
    ),
    "name of another file": (
        "checkpoint",
        lambda file: file.write_text('model_checkpoint_path: "/etc/passwd"'),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_after_a_damaged_checkpoint_the_training_starts_over(folder, caplog, damage):
    pattern, spoil = DAMAGES[damage]
    Training().save(folder, 1)
    [file] = folder.glob(pattern)
    spoil(file)
    training = Training()
    before = training.network.get_weights()
    training.checkpoints(folder, writes=False).restore()
    assert file.exists() or spoil is Path.unlink
    training.restore(folder)
    assert f"damaged checkpoint in {folder}, training starts anew: " in caplog.text
    assert training.state.epochs == []
    np.testing.assert_array_equal(training.network.get_weights()[0], before[0])
    training.save(folder, 2)
    assert len(Training().restore(folder).state.epochs) == 2


@pytest.mark.slow
def test_a_checkpoint_in_a_store_that_cannot_be_read_is_kept(tmp_path):
    folder = f"ram:/{tmp_path}/kept"
    Training().save(folder, 1)
    tf.io.gfile.rename(f"{folder}/checkpoint", f"{folder}/hidden")
    # Beside it, a folder of this name cannot be read, as if the store were down.
    tf.io.gfile.makedirs(f"{folder}/checkpoint")
    with pytest.raises((ValueError, tf.errors.OpError)):
        Training().restore(folder)
    tf.io.gfile.rmtree(f"{folder}/checkpoint")
    tf.io.gfile.rename(f"{folder}/hidden", f"{folder}/checkpoint")
    assert len(Training().restore(folder).state.epochs) == 1


@pytest.mark.slow
def test_another_host_may_delete_a_damaged_checkpoint_at_the_same_time(folder, monkeypatch):
    Training().save(folder, 1)
    [file] = folder.glob("*.index")
    cut_short(file)
    read = Path.read_bytes

    def read_late(path):
        discard_checkpoints(str(folder))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_late)
    training = Training()
    training.checkpoints(folder, writes=False).restore()
    assert training.state.epochs == []


@pytest.mark.slow
def test_a_folder_instead_of_the_file_checkpoint_is_damage(folder):
    Training().save(folder, 1)
    (folder / "checkpoint").unlink()
    (folder / "checkpoint").mkdir()
    assert Training().restore(folder).state.epochs == []
    Training().save(folder, 1)
    assert len(Training().restore(folder).state.epochs) == 1


def fail_to_load(_):
    raise tf.errors.UnknownError(None, None, "Input/output error")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unreadable", "function", "result"),
    [
        ("ckpt-1000000000.index", "load_checkpoint", fail_to_load),
        ("checkpoint", "latest_checkpoint", lambda _: None),  # as if there were none
    ],
)
def test_a_checkpoint_on_a_disk_that_cannot_be_read_is_kept(
    folder, monkeypatch, unreadable, function, result
):
    Training().save(folder, 1)
    read = Path.read_bytes

    def fail_to_read(path):
        if path.name == unreadable:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return read(path)

    with monkeypatch.context() as patched:
        patched.setattr(tf.train, function, result)
        patched.setattr(Path, "read_bytes", fail_to_read)
        with pytest.raises(OSError, match="Input/output error"):
            Training().restore(folder)
    assert len(Training().restore(folder).state.epochs) == 1


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(folder, monkeypatch):
    training = Training()
    training.save(folder, 1)

    def fail(*_, **__):
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(TrainingState, "serialize", fail)
        with pytest.raises(OSError, match="killed"):
            training.save(folder, 2)
    assert len(Training().restore(folder).state.epochs) == 1


@pytest.mark.slow
def test_checkpoints_are_discarded_and_may_be_discarded_again(folder):
    Training().save(folder, 1)
    Training().save(folder / REFIT_FOLDER, 1)
    discard_checkpoints(str(folder))
    discard_checkpoints(str(folder))
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["", REFIT_FOLDER])
def test_a_partly_discarded_checkpoint_is_not_restored(folder, monkeypatch, part):
    Training().save(folder, 1)
    Training().save(folder / REFIT_FOLDER, 1)

    def fail(*_):
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(tf.io.gfile, "rmtree", fail)
        with pytest.raises(OSError, match="killed"):
            discard_checkpoints(str(folder))
    assert Training().restore(folder / part).state.epochs == []


def test_a_host_that_does_not_write_leaves_nothing(folder):
    Training().save(folder, 1, writes=False)
    assert not folder.exists()


def test_a_host_that_does_not_write_restores_what_another_wrote(folder):
    Training().save(folder, 3)
    training = Training()
    training.checkpoints(folder, writes=False).restore()
    assert len(training.state.epochs) == 3


def test_the_folder_depends_on_settings_and_weights():
    settings = {"seed": 1, "events": 7, "hyperparameters": {"units": 8, "blocks": 2}}
    weights = {"a": np.zeros(3), "b": np.ones(3)}
    folder = checkpoint_folder("r", settings, weights)
    reordered = dict(reversed(settings.items())), dict(reversed(weights.items()))
    assert checkpoint_folder("r", *reordered) == folder
    assert folder not in {
        checkpoint_folder("r", settings | {"seed": 2}, weights),
        checkpoint_folder("r", settings | {"events": 8}, weights),
        checkpoint_folder("r", settings, {}),
        checkpoint_folder("r", settings, {"a": np.ones(3), "b": np.zeros(3)}),
        checkpoint_folder("r", settings, {"a": np.zeros(3), "c": np.ones(3)}),
        checkpoint_folder("q", settings, weights),
    }


def test_the_folder_depends_on_the_code_of_models_and_formats(monkeypatch):
    folder, read = checkpoint_folder("r", {}, {}), Path.read_bytes
    for changed in map(Path, (models.physics.__file__, features.__file__, splitmix64.__file__)):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", lambda p, c=changed: read(p) + b"#" * (p == c))
            assert checkpoint_folder("r", {}, {}) != folder
    assert checkpoint_folder("r", {}, {}) == folder
