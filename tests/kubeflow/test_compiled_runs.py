"""Runs of the compiled files as in the engines: every node's command, in the image."""

import functools
import itertools
import json

import pytest
import tensorflow as tf
from engine.kubeflow import LAUNCHER_FOLDERS

from formats.gate_decision import read_decision

pytestmark = pytest.mark.e2e

SUCCEEDED = {"succeeded", "cached"}


def states(run):
    return {name: task.state for name, task in run.items()}


def explain(run):
    """The ends of the logs of failed tasks."""
    return "\n".join(
        f"{name}:\n{task.log.read_text()[-2000:]}" for name, task in run.items() if task.code
    )


# Reading a decision takes seconds.
_read = functools.cache(read_decision)


def decision(history, run):
    return _read(str(history.file(run, "Evaluator", "evaluation")))


def test_a_first_run_pushes_a_model_without_a_baseline(history):
    first = history.runs["first"]
    assert set(states(first).values()) == {"succeeded"}, explain(first)
    assert first["Evaluator"].output("blessing").metadata["blessed"] == 1
    assert first["ServingCheck"].output("blessing").metadata["blessed"] == 1
    assert decision(history, "first").baseline_auc is None
    assert decision(history, "first").auc > 0.7
    assert len(history.versions["first"]) == 1


def test_counts_agree_from_shards_to_evaluator(history):
    examples = history.runs["first"]["CollisionExampleGen"].output("examples").metadata
    assert (examples["events_train"], examples["events_eval"]) == (4000, 2000)
    gate = history.file("first", "DataGate", "verdict") / "verdict.json"
    expected = {"events": {"train": 4000, "eval": 2000}, "duplicates": {"train": 0, "eval": 0}}
    assert json.loads(gate.read_text()) == expected
    assert decision(history, "first").events == 2000


def test_the_pushed_model_scores_records(history):
    [version] = history.versions["first"]
    model = tf.saved_model.load(str(history.push_directory / version))
    assert set(model.signatures) == {"serving_default", "score_features", "score_columns"}
    scores = model.signatures["score_features"](features=tf.zeros([2, 28]))
    assert scores["signal_probability"].shape == [2, 1]


def test_another_model_is_compared_with_the_first(history):
    _, later, *_ = history.runs
    assert history.runs[later]["Trainer"].state == "succeeded"
    assert decision(history, later).baseline_auc == pytest.approx(decision(history, "first").auc)
    assert decision(history, later).auc != decision(history, "first").auc


def test_a_second_run_pushes_a_second_version(vertex):
    second = vertex.runs["second"]
    assert set(states(second).values()) <= SUCCEEDED, explain(second)
    assert len(vertex.versions["second"]) == 2
    assert vertex.versions["second"][0] == vertex.versions["first"][0]


def test_an_unblessed_model_is_not_pushed_and_fails_the_run(history):
    run = history.runs["unblessed"]
    assert run["Evaluator"].output("blessing").metadata["blessed"] == 0
    assert run["Pusher"].output("pushed_model").metadata["pushed"] == 0
    *_, before, unblessed, _ = history.versions.values()
    assert unblessed == before
    assert [name for name, task in run.items() if task.state == "failed"] == ["PushGate"]
    assert "Evaluator or ServingCheck withheld its blessing" in run["PushGate"].log.read_text()


def test_refused_data_end_the_run_with_the_reasons(history):
    run = history.runs["refused"]
    ingestion = run["CollisionExampleGen"]
    assert ingestion.state == "failed"
    assert "DATA REFUSED" in ingestion.log.read_text()
    assert "extra-shard" in ingestion.log.read_text()
    for name in ("StatisticsGen", "DataGate", "Trainer", "Evaluator", "Pusher", "PushGate"):
        assert run[name].state == "not triggered"


def test_vertex_reports_the_exit_code_and_kubeflows_launcher_hides_it(vertex, kubeflow):
    for run, node, code in (("refused", "CollisionExampleGen", 4), ("unblessed", "PushGate", 3)):
        assert vertex.runs[run][node].code == code
        assert kubeflow.runs[run][node].code == 1


def test_vertex_reuses_unchanged_nodes_and_notices_new_data(vertex):
    second, unblessed = vertex.runs["second"], vertex.runs["unblessed"]
    for name in ("CollisionExampleGen", "StatisticsGen", "DataGate"):
        assert second[name].state == "cached"
    assert unblessed["Trainer"].state == "cached"
    assert unblessed["Evaluator"].state == "succeeded"
    assert vertex.runs["refused"]["CollisionExampleGen"].state != "cached"


def test_kubeflow_never_caches_ingestion_the_schema_or_the_baseline(kubeflow):
    unblessed = kubeflow.runs["unblessed"]
    for name in ("CollisionExampleGen", "ImportSchemaGen", "Baseline"):
        assert unblessed[name].state == "succeeded"


def test_vertex_trains_in_a_custom_job(vertex):
    jobs = vertex.cloud.requests["CreateCustomJob"]
    assert len(jobs) == 2
    assert {job.parent for job in jobs} == {"projects/my-project/locations/us-central1"}
    [pool] = jobs[0].custom_job.job_spec.worker_pool_specs
    command = list(pool.container_spec.command)
    assert command[:3] == ["python", "-m", "tfx.scripts.run_executor"]
    assert pool.machine_spec.machine_type == "n1-standard-8"


def page(history, run):
    return (history.file(run, "Report", "report") / "report.html").read_text()


def test_the_page_of_a_pushed_run_names_the_version(history):
    [version] = history.versions["first"]
    text = page(history, "first")
    assert f"as version {version}" in text
    assert "unknown" not in text.split('id="splits"')[1].split("</table>")[0]
    assert text.count("✓ passed") == 4


def test_the_page_of_an_unblessed_run_names_the_gate(history):
    text = page(history, "unblessed")
    assert "refused by Evaluator: AUC, missed by 0." in text
    assert "as version" not in text


def test_refused_data_leave_no_page_on_an_engine(history):
    assert "Report" not in {
        name for name, task in history.runs["refused"].items() if task.state != "not triggered"
    }


# The history on Kubeflow has runs on 2.4 and on a later release, with a root on minio://. The
# other combinations take most of a minute each, and differ in the folder alone: `make clouds`.
COMBINATIONS = [
    *itertools.product(("2.4", "2.5 and later"), LAUNCHER_FOLDERS),
    # These differ in the places of the log and of the output file.
    ("2.5 to 2.14", "s3"),
    ("2.15 and later, without logs", "minio"),
]


@pytest.mark.matrix
@pytest.mark.parametrize(("release", "scheme"), COMBINATIONS)
def test_every_node_succeeds_on_every_release_and_store(tiny_run, release, scheme):
    history = tiny_run(release, scheme)
    run = history.runs["first"]
    assert set(states(run).values()) == {"succeeded"}, explain(run)
    assert len(run) == 14
    for name, task in run.items():
        for key in task.outputs:
            artifact = task.output(key)
            assert artifact.uri.startswith(f"{scheme}://bucket/higgs/artifacts/")
            # A baseline that does not exist has no files.
            is_absent = artifact.metadata.get("absent") == 1
            assert history.file("first", name, key).exists() != is_absent, artifact.uri
    [version] = [path.name for path in history.push_directory.glob("[0-9]*")]
    assert f"as version {version}" in page(history, "first")
