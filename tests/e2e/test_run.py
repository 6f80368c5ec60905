"""The main job on real input: shards in, a gated and pushed model out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from running import higgs
from sklearn.metrics import roc_auc_score, roc_curve
from tensorflow_model_analysis.writers.eval_config_writer import load_eval_run

from formats import names
from formats.features import FEATURES
from formats.gate_decision import read_decision
from formats.published.record import Events, encode_records

NODES = [
    "CollisionExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "HistogramGen",
    "ExampleValidator",
    "SchemaGen",
    "DataGate",
    "Trainer",
    "Baseline",
    "ServingCheck",
    "Evaluator",
    "TestEvaluator",
    "Pusher",
    "ServedModel",
    "Scorer",
]


@pytest.fixture(scope="module")
def outcome(first_run):
    return first_run.outcome


@pytest.fixture(scope="module")
def pushed(outcome):
    return tf.saved_model.load(outcome.push.destination)


@pytest.fixture(scope="module")
def score_split(outcome, pushed):
    """Scores a split as it was ingested; returns labels [N] and the probabilities [N]."""

    def score(split):
        table = pq.read_table(f"{outcome.uri(names.EXAMPLES)}/Split-{split}")
        labels, *features = (
            table[name].combine_chunks().flatten().to_numpy() for name in ("label", *FEATURES)
        )
        scores = pushed.signatures["score_features"](features=tf.constant(np.stack(features, 1)))
        return labels, scores["signal_probability"].numpy()[:, 0]

    return score


def test_every_node_ran_once(first_run, outcome):
    assert sorted(outcome.nodes) == sorted(NODES)
    assert {node.state for node in outcome.nodes.values()} == {"done"}
    assert first_run.done.states == dict.fromkeys(NODES, "done")


def test_counts_agree_from_shards_to_evaluator(outcome):
    examples = outcome.output(names.EXAMPLES)
    events = {"train": 4000, "eval": 2000, "test": 1000}
    for split, count in events.items():
        assert examples.properties[f"events_{split}"] == count
        assert pq.read_table(f"{examples.uri}/Split-{split}").num_rows == count
    gate = Path(outcome.uri(names.DATA_VERDICT), "verdict.json")
    expected = {"events": events, "duplicates": dict.fromkeys(events, 0)}
    assert json.loads(gate.read_text()) == expected
    assert read_decision(outcome.uri(names.EVALUATION)).events == 2000


@pytest.fixture(scope="module")
def scored(score_split):
    """Labels [N] and the pushed model's probabilities [N] of the eval split."""
    return score_split("eval")


def test_auc_equals_scikit_learns_on_the_same_predictions(outcome, scored, first_run):
    expected = roc_auc_score(*scored)
    decision = read_decision(outcome.uri(names.EVALUATION))
    assert decision.auc == pytest.approx(expected, abs=1e-6)
    assert decision.auc > 0.7
    assert decision.baseline_auc is None
    assert f"AUC {decision.auc:.4f} on 2,000 events" in first_run.done.output


def test_figure_to_publish_is_that_of_the_test_set_and_no_gate_uses_it(
    outcome, score_split, first_run, project
):
    test = f"{roc_auc_score(*score_split('test')):.4f}"
    gated = f"{roc_auc_score(*score_split('eval')):.4f}"
    assert test != gated
    (line,) = re.findall(r"^test AUC .*", first_run.done.output, re.MULTILINE)
    assert line.startswith(f"test AUC {test}, 95 % interval 0.")
    assert line.endswith("on 1,000 events that no gate depends on")
    assert "in test/" in first_run.done.output
    assert "for the figure to publish; no gate depends on it" in first_run.done.output
    run = outcome.run_id.replace(":", "-")
    page = (project.root / "reports" / f"{run}.html").read_text()
    assert f'<strong id="test-auc">{test}</strong>' in page
    assert "1,000 events of <em>test</em>: the figure to publish. No gate depends on it." in page
    assert "The AUC above is measured on <em>eval</em>, on which the gates decide" in page
    table = higgs("runs", "--root", project.root).output
    (row,) = (line for line in table.splitlines() if outcome.run_id in line)
    assert row.split()[3:5] == [gated, test]
    decision = read_decision(outcome.uri(names.EVALUATION))
    assert [check.value for check in decision.checks] == [2000, decision.auc]
    config, *_ = load_eval_run(outcome.uri(names.TEST_EVALUATION))
    assert not [m for m in config.metrics_specs[0].metrics if m.per_slice_thresholds]


def test_a_fresh_set_is_scored_by_the_pushed_model(outcome, scored, first_run):
    scores = outcome.output(names.SCORES)
    version = outcome.push.version
    assert scores.properties["rows"] == 2000
    assert scores.properties["model_version"] == version
    assert f"2,000 rows with version {version}, 0 of them invalid" in first_run.done.output
    table = pq.read_table(scores.uri)
    np.testing.assert_allclose(
        sorted(table["signal_probability"].to_numpy()), sorted(scored[1]), atol=1e-5
    )


def test_higgs_score_scores_as_the_pushed_model(outcome, scored, project, events, tmp_path):
    command = (
        *("score", "--model", outcome.push.version, "--config", project.config),
        *("--input", events / "validation", "--out", tmp_path / "scores", "--columns", "label"),
    )
    done = higgs(*command)
    assert done.code == 0, done.output
    assert f"Model version {outcome.push.version}, verified" in done.output
    assert "Read and wrote 2,000 rows in 2 files" in done.output
    table = pq.read_table(tmp_path / "scores")
    auc = roc_auc_score(table["label"], table["signal_probability"])
    assert auc == pytest.approx(roc_auc_score(*scored), abs=1e-6)
    assert "2 of them unchanged since an earlier command" in higgs(*command).output


def test_background_rejection_equals_scikit_learns(outcome, scored):
    mistags, efficiencies, _ = roc_curve(*scored)
    result = tfma.load_eval_result(outcome.uri(names.EVALUATION))
    rejection = result.get_metrics_for_slice()["background_rejection"]["doubleValue"]
    assert rejection == pytest.approx(1 / np.interp(0.5, efficiencies, mistags), rel=1e-3)


def test_pushed_model_scores_records_as_the_trained_one(outcome, pushed):
    run = outcome.uri(names.MODEL_RUN)
    reference = np.load(f"{run}/reference_scores.npz")
    records = encode_records(
        Events(reference["features"], np.zeros(len(reference["features"]), np.float32))
    )
    scores = pushed.signatures["serving_default"](examples=tf.constant(records))
    np.testing.assert_allclose(
        scores["signal_probability"], reference["signal_probability"], atol=1e-5
    )


def test_pushed_model_loads_where_the_project_is_not_installed(outcome, tmp_path):
    destination = outcome.push.destination
    code = (
        "import sys, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "print(sorted(model.signatures))\n"
        "assert not {'models', 'components', 'pipeline'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, destination],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['score_columns', 'score_features', 'serving_default']"


def test_evaluation_is_broken_down_by_b_tags(outcome):
    result = tfma.load_eval_result(outcome.uri(names.EVALUATION))
    slices = dict(result.slicing_metrics)
    by_number = {
        key[0][1]: value[""][""] for key, value in slices.items() if key and key[0][0] == "n_b_tags"
    }
    assert sum(metrics["example_count"]["doubleValue"] for metrics in by_number.values()) == 2000
    assert (("jet_1_b_tag", "tight"),) in slices
    plots = result.plots[0][1][""][""]
    assert {"calibrationHistogramBuckets", "confusionMatrixAtThresholds"} <= set(plots)


def test_logs_go_to_a_file_that_is_named(first_run, project):
    log = Path(re.search(r"^log +(\S+)$", first_run.done.output, re.MULTILINE)[1])
    assert log.parent == project.root / "logs"
    assert "Component Trainer is running" in log.read_text()
    assert "Component Trainer is running" not in first_run.done.output
    assert "FutureWarning" not in first_run.done.output
    assert "epoch 8/8" in first_run.done.output


def test_the_pushed_model_was_trained_again_on_all_training_events(first_run, outcome, project):
    record = json.loads(Path(outcome.uri(names.MODEL_RUN), "training.json").read_text())
    assert record["events"]["train"] < record["refit"]["events"] == 4000
    assert record["trees"]["events"] == 4000
    assert len(record["refit"]["epochs"]) == 8
    epochs = re.findall(r"^ *((?:refit )?epoch \d/8) ", first_run.done.output, re.MULTILINE)
    ends = ["epoch 1/8", "epoch 8/8", "refit epoch 1/8", "refit epoch 8/8"]
    # A long epoch has several lines.
    assert [epoch for epoch in dict.fromkeys(epochs) if epoch in ends] == ends
    page = (project.root / "reports" / f"{outcome.run_id.replace(':', '-')}.html").read_text()
    assert "trained again on all 4,000 events" in page


def test_no_secret_of_the_environment_is_written_anywhere(first_run, project):
    files = [file for file in project.root.rglob("*") if file.is_file()]
    assert {"metadata.sqlite", "saved_model.pb", "training.json"} <= {file.name for file in files}
    assert {".log", ".html"} <= {file.suffix for file in files}
    leaks = [str(file) for file in files if b"planted-" in file.read_bytes()]
    assert leaks == []
    assert "planted-" not in first_run.done.output


def test_no_file_of_a_run_can_be_changed_by_every_user(first_run, project):
    files = [file for file in project.root.rglob("*") if not file.is_symlink()]
    assert [str(file) for file in files if file.stat().st_mode & 0o002] == []
