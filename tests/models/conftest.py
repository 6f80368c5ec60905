import types
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tf_keras

from formats.examples import to_table
from formats.features import FEATURES
from formats.hyperparameters import resolve
from formats.names import EVAL_SPLIT, TRAIN_SPLIT
from formats.published.record import Events
from formats.training_record import StrategyRecord
from models.event_table import EventTable
from models.network import build_network, measure_columns
from models.serving.saved_model import export
from models.trainer import run_fn
from models.training.event_survey import below, event_keys, sort_keys
from models.training.training_plan import plan_training, size_hyperparameters


def _make_events(count, seed=0, noise=0.0):
    """Makes events whose classes a curved surface in three columns separates.

    Args:
        count: number of events.
        seed: seed of the events.
        noise: share of flipped labels.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[count, len(FEATURES)])
    signal = x[:, 0] + x[:, 1] * x[:, 2] > 0
    labels = signal ^ (rng.random(count) < noise)
    # The columns have different offsets and scales, like published ones.
    features = x * np.linspace(0.1, 5, len(FEATURES)) + np.linspace(-3, 3, len(FEATURES))
    return EventTable(features.astype(np.float32), labels.astype(np.float32)[:, None])


def _make_table(events):
    return to_table(Events(events.features, events.labels[:, 0]))


@pytest.fixture(scope="session")
def make_events():
    return _make_events


@pytest.fixture(scope="session")
def make_table():
    """Makes Parquet columns as ingestion writes them."""
    return _make_table


@pytest.fixture(scope="session")
def cpu():
    return StrategyRecord(kind="cpu", replicas=1, devices=("/device:CPU:0",))


@pytest.fixture(scope="session")
def demo():
    """Returns the hyperparameters of the demo preset with some replaced, all of them sized."""

    def size(**overrides):
        return size_hyperparameters(resolve("demo", **overrides), 1000)

    return size


@pytest.fixture(scope="session")
def make_plan(cpu):
    """Plans a training with the demo preset on one CPU."""

    def make(events=1000, seed=1, window=None, **overrides):
        hyperparameters = size_hyperparameters(resolve("demo", **overrides), events)
        return plan_training(events, hyperparameters, seed, cpu, window=window)

    return make


@pytest.fixture(scope="session")
def network(make_events, demo):
    """A network on published columns with random weights, moving averages included."""
    network = build_network(
        demo(units=8, blocks=2), measure_columns(make_events(500), buckets=0), seed=1
    )
    rng = np.random.default_rng(2)
    network.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("export") / "Format-Serving")
    export(network, path)
    return path


@pytest.fixture(scope="session")
def prepare_run():
    """Writes the training split to a folder; returns the arguments that TFX passes."""

    def prepare(
        folder: Path,
        events: EventTable,
        seed=3,
        base_model=None,
        memory=None,
        row_group_size=None,
        **overrides,
    ):
        for split in (TRAIN_SPLIT, EVAL_SPLIT):
            (folder / f"Split-{split}").mkdir(parents=True)
        path = folder / f"Split-{TRAIN_SPLIT}" / "data.parquet"
        pq.write_table(_make_table(events), path, row_group_size=row_group_size)
        # Reading the split that tests the model would fail.
        (folder / f"Split-{EVAL_SPLIT}" / "data.parquet").write_text("not for the Trainer")
        return types.SimpleNamespace(
            train_files=[f"{folder}/Split-{TRAIN_SPLIT}/*"],
            eval_files=[f"{folder}/Split-{EVAL_SPLIT}/*"],
            model_run_dir=f"{folder}/model_run",
            serving_model_dir=f"{folder}/model/Format-Serving",
            base_model=base_model,
            custom_config={
                "hyperparameters": resolve("demo", **overrides).model_dump(),
                "seed": seed,
                "checkpoint_root": f"{folder}/checkpoints",
                "cluster_timeout_minutes": 5,
                "memory": memory,
                "ingested_events": {TRAIN_SPLIT: len(events), EVAL_SPLIT: 1000},
            },
        )

    return prepare


@pytest.fixture(scope="session")
def start_run(prepare_run):
    """Runs the trainer as TFX does, in a folder of its own."""

    def start(*args, **options):
        fn_args = prepare_run(*args, **options)
        run_fn(fn_args)
        tf_keras.backend.clear_session()
        return fn_args

    return start


RUN = {
    "refit_events": 0,
    "validation_share": 0.16,
    "derived_columns": False,
    "buckets": 8,
    "trees": 20,
    "tree_depth": 4,
    "units": 32,
    "blocks": 2,
    "batch_size_per_replica": 128,
    "epochs": 4,
}
"""How the finished run differs from the demo preset."""


@pytest.fixture(scope="session")
def run_overrides():
    return RUN


@pytest.fixture(scope="session")
def run_events():
    return _make_events(7100, seed=10)


@pytest.fixture(scope="session")
def run_validation(run_events):
    """The validation events of the finished run."""
    keys = event_keys(run_events.features)
    order = np.argsort(sort_keys(keys, run_events.labels))
    return run_events[order[below(keys[order], RUN["validation_share"])]]


@pytest.fixture(scope="session")
def finished_run(start_run, run_events, tmp_path_factory):
    """One complete run on separable events."""
    return start_run(tmp_path_factory.mktemp("run"), run_events, **RUN)
