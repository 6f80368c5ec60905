"""Reuse by later runs, and refusals by the gates."""

import fcntl
import os
import shutil
from io import StringIO

import pytest
from rich.console import Console
from tfx import v1 as tfx

from components.serving_check.component import ServingCheck
from formats import names
from formats.features import FEATURES
from formats.published.record import Events, encode_events, read_events
from pipeline.exit_codes import ExitCode
from pipeline.local_run import print_outcome
from pipeline.metadata_store import latest_run

DATA_NODES = (
    "CollisionExampleGen",
    "StatisticsGen",
    "HistogramGen",
    "ExampleValidator",
    "DataGate",
)


@pytest.fixture(scope="module")
def later(refused_run, moved_root, project):
    """A second run with nothing changed, and one without its push; a copy has no part in them."""
    del refused_run, moved_root
    again = project.run()
    serving = project.root / "serving"
    versions = sorted(path.name for path in serving.glob("[0-9]*"))
    shutil.move(serving, project.root / "kept")
    lost = project.run()
    # Other tests use the model that the first run pushed.
    for version in versions:
        shutil.move(project.root / "kept" / version, serving / version)
    return {"again": again, "versions": versions, "lost": lost}


def test_a_second_run_reuses_every_node(later, first_run):
    again = later["again"]
    assert again.code == 0
    assert set(again.states.values()) == {"cached"}
    assert again.version == first_run.done.version
    assert "by an earlier run; nothing changed since" in again.output
    assert "\nbaseline    none, because no model is in service" in again.output


def test_missed_gates_push_nothing_and_say_by_how_much(refused_run, later, first_run):
    done = refused_run.done
    assert "gate: AUC 0." in done.output
    assert "at least 0.9950 needed: MISSED by 0." in done.output
    assert "gate: events 2,000, at least 2,001 needed: MISSED by 1" in done.output
    assert "NOT PUSHED" in done.output
    assert done.states["Trainer"] == "cached"
    assert done.states["Evaluator"] == "done"
    assert later["versions"] == [first_run.done.version]


def test_new_hyperparameters_run_only_what_depends_on_them(moved_root):
    states = moved_root.worse.states
    assert {states[node] for node in DATA_NODES} == {"cached"}
    assert {states[node] for node in ("Trainer", "ServingCheck", "Evaluator", "Pusher")} == {"done"}


def test_a_model_worse_than_the_baseline_is_not_pushed(moved_root, first_run):
    worse = moved_root.worse
    assert worse.code == 3
    assert "needed: passed by" in worse.output
    assert "gate: difference in AUC -0." in worse.output
    assert "at least -0.0020 needed: MISSED by 0." in worse.output
    assert f"\nbaseline    version {first_run.done.version}\n" in worse.output
    versions = [path.name for path in (moved_root.root / "serving").glob("[0-9]*")]
    assert versions == [first_run.done.version]


def test_a_model_that_is_gone_from_its_serving_folder_is_pushed_again(later, project):
    lost = later["lost"]
    assert lost.code == 0
    assert {state for node, state in lost.states.items() if node != "Pusher"} == {"cached"}
    assert lost.states["Pusher"] == "done"
    assert int(lost.version) > int(later["versions"][0])
    assert (project.root / "serving" / lost.version / "saved_model.pb").exists()


def test_a_broken_export_is_not_pushed(tmp_path, first_run):
    """Real ServingCheck and Pusher on a model whose graph was cut short."""
    trained = first_run.outcome
    broken = tmp_path / "model" / "Format-Serving"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"cut short")
    model = tfx.dsl.Importer(
        source_uri=str(tmp_path / "model"), artifact_type=tfx.types.standard_artifacts.Model
    ).with_id("Model")
    model_run = tfx.dsl.Importer(
        source_uri=trained.uri(names.MODEL_RUN),
        artifact_type=tfx.types.standard_artifacts.ModelRun,
    ).with_id("ModelRun")
    check = ServingCheck(model=model.outputs["result"], model_run=model_run.outputs["result"])
    pusher = tfx.components.Pusher(
        model=model.outputs["result"],
        infra_blessing=check.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(
                base_directory=str(tmp_path / "serving")
            )
        ),
    )
    metadata = tmp_path / "metadata.sqlite"
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="broken",
            pipeline_root=str(tmp_path / "root"),
            components=[model, model_run, check, pusher],
            metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
                str(metadata)
            ),
        )
    )
    outcome = latest_run(str(metadata))
    assert outcome.output(names.INFRA_BLESSING).is_blessed is False
    assert outcome.push is None
    assert not (tmp_path / "serving").exists()

    screen = StringIO()
    assert (
        print_outcome(outcome, Console(file=screen, width=160, soft_wrap=True))
        == ExitCode.NOT_BLESSED
    )
    assert (
        "serving check: FAILED, the SavedModel could not be loaded and scored" in screen.getvalue()
    )
    assert "NOT PUSHED" in screen.getvalue()


def rewrite_first_event(shard, **values):
    with shard.open("rb") as stream:
        (events,) = read_events(stream, str(shard))
    features = events.features.copy()
    for name, value in values.items():
        features[0, FEATURES.index(name)] = value
    shard.write_bytes(encode_events(Events(features, events.labels)))


def test_anomalous_data_is_refused_with_reasons(own_data):
    shard = sorted((own_data.data / "training").iterdir())[0]
    rewrite_first_event(shard, lepton_eta=77.0, jet_1_b_tag=0.5)
    leaked = sorted((own_data.data / "validation").iterdir())[-1]
    shutil.copy(leaked, own_data.data / "training" / "z.tfrecord")
    (own_data.data / "training" / "empty.tfrecord").touch()
    done = own_data.run()
    assert done.code == 4, done.output
    assert "DATA REFUSED" in done.output
    assert "train: lepton_eta: Unexpectedly high value: 77>3.2" in done.output, done.output
    assert "train: jet_1_b_tag: 1 event has an invalid value, such as 0.5" in done.output
    assert "train and eval: 500 of 2000 eval events are also in train" in done.output
    copied = own_data.data / "training" / "z.tfrecord"
    assert f"the first is {leaked}, record 0, the same as {copied}, record 0" in done.output
    assert f"skipped without records: {own_data.data}/training/empty.tfrecord" in done.output
    assert "Trainer" not in done.output
    assert not (own_data.root / "serving").exists()


def test_a_second_run_on_a_busy_root_is_refused_with_a_sentence(own_data):
    own_data.root.mkdir()
    with (own_data.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        done = own_data.run()
    assert done.code == 1
    assert f"is in use by another run (process {os.getpid()})" in done.output
    assert "Traceback" not in done.output


def test_missing_data_is_bad_usage_with_the_remedy(own_data):
    done = own_data.run(data_root=own_data.folder / "nowhere")
    assert done.code == 2
    assert "nowhere does not exist" in done.output
    assert "higgs generate --events 200000 --out" in done.output
