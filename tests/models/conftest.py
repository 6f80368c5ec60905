import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tf_keras

from formats.features import FEATURES, LABEL
from formats.hyperparameters import resolve
from models.event_table import Events
from models.network import build_network, prepare
from models.serving.signatures import export
from models.trainer import run_fn
from models.training.sizing import sized


def _make_events(count, seed=0, noise=0.0):
    """Signal where a bent surface in three columns is passed; `noise` flips labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=[count, len(FEATURES)])
    signal = x[:, 0] + x[:, 1] * x[:, 2] > 0
    labels = signal ^ (rng.random(count) < noise)
    # Columns of unlike offsets and scales, as raw columns are.
    features = x * np.linspace(0.1, 5, len(FEATURES)) + np.linspace(-3, 3, len(FEATURES))
    return Events(features.astype(np.float32), labels.astype(np.float32)[:, None])


def _make_table(events):
    offsets = pa.array(np.arange(len(events) + 1, dtype=np.int64))
    columns = [events.labels[:, 0], *np.ascontiguousarray(events.features.T)]
    lists = [pa.LargeListArray.from_arrays(offsets, pa.array(column)) for column in columns]
    return pa.table(lists, names=[LABEL, *FEATURES])


@pytest.fixture(scope="session")
def make_events():
    return _make_events


@pytest.fixture(scope="session")
def make_table():
    return _make_table


@pytest.fixture(scope="session")
def demo():
    """The demo preset's hyperparameters with some replaced, none of them open."""

    def size(**overrides):
        return sized(resolve("demo", **overrides), 1000)

    return size


@pytest.fixture(scope="session")
def network(make_events, demo):
    """A network on published columns whose every weight, moving averages included, is drawn."""
    hyperparameters = demo(units=8, blocks=2, buckets=0)
    built = build_network(hyperparameters, prepare(make_events(500), hyperparameters), seed=1)
    rng = np.random.default_rng(2)
    built.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in built.get_weights()])
    return built


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("export") / "Format-Serving")
    export(network, path)
    return path


@pytest.fixture(scope="session")
def prepare_run():
    """Writes the splits into a folder; returns what TFX would hand to the trainer."""

    def prepare(
        folder: Path, train: Events, evaluation: Events, seed=3, base_model=None, **overrides
    ):
        for split, events in (("train", train), ("eval", evaluation)):
            (folder / f"Split-{split}").mkdir(parents=True)
            pq.write_table(_make_table(events), folder / f"Split-{split}" / "data.parquet")
        return types.SimpleNamespace(
            train_files=[f"{folder}/Split-train/*"],
            eval_files=[f"{folder}/Split-eval/*"],
            model_run_dir=f"{folder}/model_run",
            serving_model_dir=f"{folder}/model/Format-Serving",
            base_model=base_model,
            custom_config={
                "hyperparameters": resolve("demo", **overrides).model_dump(),
                "seed": seed,
                "checkpoint_root": f"{folder}/checkpoints",
            },
        )

    return prepare


@pytest.fixture(scope="session")
def start_run(prepare_run):
    """Runs the trainer as TFX would, in a folder of its own."""

    def start(*args, **options):
        fn_args = prepare_run(*args, **options)
        run_fn(fn_args)
        tf_keras.backend.clear_session()
        return fn_args

    return start


RUN = {
    "derived_columns": False,
    "buckets": 8,
    "trees": 20,
    "tree_leaves": 16,
    "units": 32,
    "blocks": 2,
    "batch_size_per_replica": 128,
    "epochs": 4,
}
"""What the finished run changes of the demo preset."""


@pytest.fixture(scope="session")
def run_overrides():
    return RUN


@pytest.fixture(scope="session")
def run_data():
    return _make_events(6000, seed=10), _make_events(1100, seed=11)


@pytest.fixture(scope="session")
def finished_run(start_run, run_data, tmp_path_factory):
    """One whole run on events that can be told apart."""
    folder = tmp_path_factory.mktemp("run")
    return start_run(folder, *run_data, **RUN)
