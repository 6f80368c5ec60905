import contextlib
import functools
import json
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from forks import run_script
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from formats import reference_scores, training_record
from formats.cluster import Host
from formats.event_counts import EventCountError
from formats.hyperparameters import resolve
from formats.names import FEATURES_SIGNATURE, SIGNAL_PROBABILITY
from formats.reference_scores import ReferenceScores
from formats.training_record import TrainingRecord
from models.trainer import read_initial_weights, run_fn, wait_for_export
from models.training.checkpoints import MANAGER_FILE
from models.training.hardware import AcceleratorMissingError
from models.training.network_fit import DivergedError
from models.training.rendezvous import wait_for
from models.training.training_plan import size_hyperparameters

SCRIPT = Path(__file__).parent / "run_trainer.py"
SLICE_SCRIPT = SCRIPT.with_name("run_slice.py")
TPU_HOST_SCRIPT = SCRIPT.with_name("run_tpu_host.py")


def read_record(fn_args):
    path = Path(fn_args.model_run_dir, training_record.FILE_NAME)
    return TrainingRecord.from_json(path.read_text())


def read_reference(fn_args):
    with Path(fn_args.model_run_dir, reference_scores.FILE_NAME).open("rb") as file:
        return ReferenceScores.read(file)


def score(fn_args, features):
    signatures = tf.saved_model.load(fn_args.serving_model_dir).signatures
    return signatures[FEATURES_SIGNATURE](tf.constant(features))[SIGNAL_PROBABILITY]


@pytest.fixture(scope="module")
def record(finished_run):
    return read_record(finished_run)


@pytest.fixture(scope="module")
def reference(finished_run):
    return read_reference(finished_run)


@pytest.mark.slow
def test_the_network_learns_to_separate_the_classes(record):
    kept = record.epochs[record.epoch_kept - 1]
    assert kept["val_auc"] > 0.83
    assert kept["val_binary_accuracy"] > 0.75


@pytest.mark.slow
def test_the_model_is_better_than_its_network(record, reference, run_validation):
    labels = run_validation.labels[reference.positions]
    assert roc_auc_score(labels, reference.scores) > 0.01 + record.epochs[-1]["val_auc"]


@pytest.mark.slow
def test_the_record_describes_the_training(record, run_overrides, run_validation):
    validation = len(run_validation)
    train = 7100 - validation
    expected = size_hyperparameters(resolve("demo", **run_overrides), train).model_dump()
    assert record.hyperparameters == expected
    assert record.seed == 3
    devices = {"replicas": 1, "devices": ("/device:CPU:0",), "hosts": 1, "host": 0}
    assert record.strategy.model_dump() == {"kind": "cpu", **devices}
    assert record.precision in {"float32", "mixed_bfloat16"}
    assert record.events == {"train": train, "validation": validation}
    assert record.events_in_memory == train
    assert (record.batch_size, record.steps_per_epoch) == (128, train // 128)
    assert record.events_per_second > 0
    assert (record.resumed_at, record.warm_start) == (0, ())
    assert (record.trees.trees, record.trees.events) == (20, train)
    assert record.blend.leaves > 0


@pytest.mark.slow
def test_the_record_names_the_packages_that_trained_the_model(record):
    assert record.packages["tensorflow"] == tf.__version__
    assert record.packages["numpy"] == np.__version__
    assert {"catboost", "python", "tf_keras"} <= set(record.packages)


@pytest.mark.slow
def test_the_record_counts_the_weights_of_both_parts(record):
    deep = 57 * 32 + 33 * 32 + 2 * 4 * 32 + 33
    # A linear weight for each of 56 inputs, and a bias; 7 edges, first value and 7 steps of the 8
    # buckets of each column.
    wide = 57 + 28 * (7 + 1 + 7) + record.trees.leaves
    counts = record.parameters
    assert (counts.wide, counts.deep, counts.total) == (wide, deep, deep + wide)
    assert sum(layer.parameters for layer in record.layers) == deep + wide - record.trees.leaves


@pytest.mark.slow
def test_the_record_numbers_epochs_by_integers(finished_run):
    text = Path(finished_run.model_run_dir, training_record.FILE_NAME).read_text()
    assert '"epoch": 4,' in text


@pytest.mark.slow
def test_reference_events_are_the_first_validation_events(reference, run_validation):
    positions = reference.positions
    np.testing.assert_array_equal(reference.features, run_validation.features[positions])
    # Except those close to a border of a tree.
    assert 900 < len(positions) <= 1000
    assert positions.max() < 1000
    assert reference.scores.shape == (len(positions), 1)
    assert reference.scores.dtype == np.float32


@pytest.mark.slow
def test_a_loss_that_is_not_finite_leaves_no_model(
    prepare_run, run_events, run_overrides, tmp_path
):
    rates = {"learning_rate": 1e30, "learning_rate_batch": None}
    fn_args = prepare_run(tmp_path, run_events, **run_overrides, **rates)
    with pytest.raises(DivergedError, match="the loss was not finite at step"):
        run_fn(fn_args)
    assert not Path(fn_args.serving_model_dir).exists()
    assert not Path(fn_args.model_run_dir, training_record.FILE_NAME).exists()


@pytest.mark.slow
def test_the_export_scores_like_the_trained_model(finished_run, reference):
    scores = score(finished_run, reference.features)
    np.testing.assert_allclose(scores, reference.scores, atol=1e-6)


@pytest.mark.slow
def test_the_export_contains_weights_and_no_optimizer(finished_run):
    variables = tf.train.list_variables(f"{finished_run.serving_model_dir}/variables/variables")
    names = {name for name, _ in variables if not name.startswith(("_CHECKPOINTABLE", "save_"))}
    blocks = {
        f"{layer}_{block}:{weight}"
        for block in (1, 2)
        for layer, weights in (
            ("dense", ("kernel", "bias")),
            ("batch_norm", ("gamma", "beta", "moving_mean", "moving_variance")),
        )
        for weight in weights
    }
    outputs = {f"{part}:{weight}" for part in ("wide", "deep") for weight in ("kernel", "bias")}
    buckets = {f"buckets:{weight}" for weight in ("edges", "first", "steps")}
    forest = {f"leaves:{weight}" for weight in ("borders", "cut", "weight")}
    steps = {f"{name}:step" for name in ("input_dropout", "dropout_1", "dropout_2")}
    expected = blocks | outputs | buckets | forest | steps
    assert {name.split("/")[1] for name in names} == expected


@pytest.mark.slow
def test_tensorboard_gets_both_splits(finished_run):
    folder = Path(finished_run.model_run_dir)
    assert [*folder.glob("train/events*")]
    assert [*folder.glob("validation/events*")]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(
    start_run, run_events, run_overrides, reference, tmp_path
):
    repeated = read_reference(start_run(tmp_path, run_events, **run_overrides))
    np.testing.assert_array_equal(repeated.scores, reference.scores)


def test_an_unknown_hyperparameter_stops_the_trainer_first(start_run, run_events, tmp_path):
    with pytest.raises(ValidationError, match="unit"):
        start_run(tmp_path, run_events, unit=3)


def test_a_requested_accelerator_that_is_missing_stops_the_trainer(
    prepare_run, make_events, tmp_path, monkeypatch
):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda *_: [])
    fn_args = prepare_run(tmp_path, make_events(1000))
    fn_args.custom_config["accelerator"] = "gpu"
    with pytest.raises(AcceleratorMissingError, match="1 GPU requested, but TensorFlow sees only"):
        run_fn(fn_args)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("lost", ["some", "all"])
def test_missing_events_stop_the_trainer_before_it_trains(prepare_run, make_events, tmp_path, lost):
    fn_args = prepare_run(tmp_path, make_events(1000))
    fn_args.custom_config["ingested_events"]["train"] = 4800
    if lost == "all":
        (tmp_path / "Split-train" / "data.parquet").unlink()
    with pytest.raises(EventCountError) as error:
        run_fn(fn_args)
    found = "0" if lost == "all" else "1,000"
    assert f"split train: found {found} events in {tmp_path}/Split-train/*" in str(error.value)
    assert "but ingestion wrote 4,800; files were deleted" in str(error.value)
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_a_finished_training_leaves_no_checkpoints(finished_run):
    root = Path(finished_run.custom_config["checkpoint_root"])
    assert not root.exists() or not [*root.iterdir()]


def test_without_a_model_in_service_the_training_starts_from_the_seed(tmp_path):
    assert read_initial_weights(None) == {}
    assert read_initial_weights(str(tmp_path / "absent" / "Format-Serving")) == {}


@pytest.mark.slow
def test_a_warm_start_begins_with_the_earlier_model(
    start_run, run_events, run_overrides, finished_run, record, tmp_path
):
    changes = {"epochs": 1, "learning_rate": 1e-9, "min_learning_rate": 0, "trees": 0}
    base_model = finished_run.serving_model_dir
    options = run_overrides | changes
    warm = read_record(start_run(tmp_path, run_events, base_model=base_model, **options))
    assert "dense_1:kernel" in warm.warm_start
    # Without training, a network that starts from random weights has an AUC of about 0.5.
    assert record.epochs[-1]["val_auc"] > 0.8
    assert warm.epochs[0]["val_auc"] == pytest.approx(record.epochs[-1]["val_auc"], abs=0.01)


@pytest.mark.slow
def test_a_killed_training_resumes_and_ends_like_an_uninterrupted_one(
    prepare_run, run_events, run_overrides, record, reference, tmp_path
):
    fn_args = prepare_run(tmp_path, run_events, **run_overrides)
    code, output = run_script(SCRIPT, json.dumps(vars(fn_args)), "killed")
    assert code == -signal.SIGKILL, output
    run_fn(fn_args)
    resumed = read_record(fn_args)
    assert 1 <= resumed.resumed_at <= 4
    assert len(resumed.epochs) == len(record.epochs) == 4
    for epoch, expected in zip(resumed.epochs, record.epochs, strict=True):
        assert epoch["val_auc"] == pytest.approx(expected["val_auc"], abs=1e-5)
    np.testing.assert_allclose(read_reference(fn_args).scores, reference.scores, atol=1e-5)


WINDOW = {"memory": 240_000, "row_group_size": 500}
"""Row groups, and memory for a third of the training events."""

SMALL = {"units": 16, "blocks": 1, "buckets": 0, "trees": 5}
"""A model that takes little time to trace and export."""


@pytest.mark.slow
def test_a_training_killed_within_an_epoch_ends_like_an_uninterrupted_one(
    start_run, prepare_run, run_events, run_overrides, tmp_path
):
    overrides = run_overrides | SMALL | {"epochs": 2}
    whole = start_run(tmp_path / "whole", run_events, **WINDOW, **overrides)
    fn_args = prepare_run(tmp_path / "killed", run_events, **WINDOW, **overrides)
    code, output = run_script(SCRIPT, json.dumps(vars(fn_args)), "killed")
    assert code == -signal.SIGKILL, output
    assert not Path(fn_args.serving_model_dir).exists()
    assert not Path(fn_args.model_run_dir, training_record.FILE_NAME).exists()
    (checkpoint,) = Path(fn_args.custom_config["checkpoint_root"]).glob(f"*/{MANAGER_FILE}")
    assert re.search(r"ckpt-\d0\b", checkpoint.read_text()), "killed at the end of an epoch"
    run_fn(fn_args)
    expected, resumed = read_record(whole), read_record(fn_args)
    assert resumed.resumed_step in {10, 20, 30, 40}
    assert resumed.events_in_memory == 2 * 10 * 128 < resumed.events["train"] / 2
    for epoch, other in zip(resumed.epochs, expected.epochs, strict=True):
        for metric in ("loss", "auc", "val_loss", "val_auc"):
            assert epoch[metric] == pytest.approx(other[metric], abs=1e-6), metric
    np.testing.assert_allclose(
        read_reference(fn_args).scores, read_reference(whole).scores, atol=1e-6
    )


@pytest.mark.slow
def test_hosts_train_together_and_the_first_one_exports(
    prepare_run, run_events, run_overrides, tmp_path
):
    overrides = run_overrides | SMALL | {"precision": "float32", "epochs": 2}
    overrides |= {"refit_events": 7100}
    fn_args = prepare_run(tmp_path / "run", run_events, **WINDOW, **overrides)
    addresses = [f"localhost:{port}" for port in find_ports(2)]
    with ThreadPoolExecutor() as pool:
        ends = [*pool.map(functools.partial(run_host, fn_args, addresses), range(2))]
    assert [code for code, _ in ends] == [0, 0], ends
    record, reference = read_record(fn_args), read_reference(fn_args)
    assert (record.strategy.replicas, record.strategy.hosts) == (2, 2)
    assert record.batch_size == 256
    assert record.events_in_memory == 2 * 10 * 256
    assert sum(record.events.values()) == len(run_events)
    assert record.epochs[-1]["val_auc"] > 0.7
    assert (record.refit.events, record.refit.steps_per_epoch) == (7100, 7100 // 256)
    assert (record.trees.events, len(record.refit.epochs)) == (7100, 2)
    scores = score(fn_args, reference.features)
    np.testing.assert_allclose(scores, reference.scores, atol=1e-6)


@pytest.mark.slow
def test_one_process_trains_on_the_hosts_of_a_slice(
    prepare_run, run_events, run_overrides, tmp_path
):
    overrides = run_overrides | SMALL | {"precision": "float32", "epochs": 2}
    fn_args = prepare_run(tmp_path / "run", run_events, **WINDOW, **overrides)
    ports = find_ports(2)
    with subprocess.Popen([sys.executable, TPU_HOST_SCRIPT, *map(str, ports)]) as hosts:
        try:
            for port in ports:
                wait_for_port(port)
            addresses = [f"localhost:{port}" for port in ports]
            code, output = run_script(SLICE_SCRIPT, json.dumps(vars(fn_args)), *addresses)
        finally:
            hosts.kill()
    assert code == 0, output
    record, reference = read_record(fn_args), read_reference(fn_args)
    assert (record.strategy.replicas, record.strategy.hosts) == (2, 2)
    assert record.batch_size == 256
    assert record.events_in_memory == 2 * 10 * 256
    assert sum(record.events.values()) == len(run_events)
    assert record.epochs[-1]["val_auc"] > 0.7
    np.testing.assert_allclose(score(fn_args, reference.features), reference.scores, atol=1e-6)
    assert not [*Path(fn_args.custom_config["checkpoint_root"]).iterdir()]


def find_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for_port(port, timeout=240):
    wait_for([Host("worker", 0, "localhost", port)], timeout, "see its output")


def run_host(fn_args, addresses, index):
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    return run_script(SCRIPT, json.dumps(vars(fn_args)), TF_CONFIG=json.dumps(cluster))


def test_a_host_that_waits_too_long_names_the_missing_model(tmp_path, monkeypatch):
    monkeypatch.setattr("models.trainer.EXPORT_TIMEOUT", 0)
    with pytest.raises(TimeoutError, match=r"no model at .*/none after 0 s: see the first host"):
        wait_for_export(f"{tmp_path}/none")
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model").mkdir()
    with pytest.raises(TimeoutError, match="no model at"):
        wait_for_export(f"{tmp_path}/model")
    (tmp_path / "model.partial").rmdir()
    wait_for_export(f"{tmp_path}/model")
