"""The page of damaged, degenerate or hostile artifacts: it still says what is known."""

import dataclasses
import html
import json
import math
import re
import shutil

import numpy as np
import pytest

from components.histogram_gen.class_counts import Binning
from components.report import html_page
from components.report.data_section import FeatureStatistics, Split
from components.report.figures.network_figure import plan
from components.report.report_data import ReportData, read_report
from components.report.report_tables import training_facts
from formats.evaluation_record import Evaluation, Measured, ModelEvaluation, Scores
from formats.gate_decision import Check, Verdict
from formats.histograms import ClassHistogram
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from formats.training_record import parse_training

NAN, INF = math.nan, math.inf

SCHEMA = "schema/schema.pbtxt"

# Files of a run, each with the part of the report that is read from it.
FILES = {
    "statistics/Split-train/FeatureStats.pb": "statistics of train",
    "statistics/Split-eval/FeatureStats.pb": "statistics of eval",
    "anomalies/Split-train/SchemaDiff.pb": "anomalies of train",
    SCHEMA: "anomalies of train",
    "histograms/histograms.json": "histograms",
    "model_run/training.json": "training",
    "evaluation/metrics-00000-of-00001.tfrecord": "evaluation",
    "evaluation/plots-00000-of-00001.tfrecord": "scores",
    "evaluation/validations.tfrecord": "verdict",
    "evaluation/eval_config.json": "verdict",
}


def render(report):
    """The page; a warning of Matplotlib, which is an error here, would be a figure's fault."""
    text = html_page.render(report)
    assert "<strong>figure: " not in text
    return text


def page_of(outcome, earlier=None):
    return render(read_report(outcome, earlier))


def damage(file, kind):
    content = file.read_bytes()
    if kind == "missing":
        file.unlink()
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif kind == "garbage":
        file.write_bytes(b"\x00\xff<script>")
    else:
        file.write_text(kind)


def test_complete_run_has_nothing_unread(make, run_folder):
    report = read_report(make.run(run_folder))
    assert report.unread == {}
    text = render(report)
    for words in ("Pushed", "0.8000", "Loss by epoch", "ROC curve", "m_bb", "No anomaly against"):
        assert words in text


@pytest.mark.parametrize(("path", "part"), FILES.items())
def test_file_that_is_gone_is_named_and_the_rest_stands(make, run_folder, path, part):
    (run_folder / path).unlink()
    report = read_report(make.run(run_folder))
    text = render(report)
    assert f"<strong>{part}</strong>: " in text
    assert "as version 17" in text
    kept = {
        "training": "Loss by epoch",
        "evaluation": "metric-binary_accuracy",
        "scores": 'aria-label="ROC curve"',
        "histograms": "Every feature by class",
        "verdict": 'id="auc"',
    }
    gone = {part, "scores", "verdict"} if part == "evaluation" else {part}
    for other, words in kept.items():
        assert (words in text) == (other not in gone), other


@pytest.mark.parametrize("kind", ["garbage", "truncated", "empty"])
@pytest.mark.parametrize(("path", "part"), FILES.items())
def test_file_that_is_damaged_takes_no_other_with_it(make, run_folder, path, part, kind):
    damage(run_folder / path, kind)
    report = read_report(make.run(run_folder))
    # Half a text may be a whole one, and nothing a schema of nothing.
    assert part in report.unread or kind == "truncated" or (path, kind) == (SCHEMA, "empty")
    with_it = {
        "evaluation": {"verdict"},
        "anomalies of train": {"anomalies of eval"} if path == SCHEMA else set(),
    }
    assert set(report.unread) <= {part} | with_it.get(part, set())
    assert all(len(reason) > len("ValueError: ") for reason in report.unread.values())


@pytest.mark.parametrize("kind", ["null", "[]", "3", '"x"', "{}", "[1, 2]", '{"bins": NaN}', "{"])
@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("histograms/histograms.json", "histograms"),
        ("model_run/training.json", "training"),
        ("evaluation/eval_config.json", "verdict"),
    ],
)
def test_json_of_another_kind_leaves_the_rest(make, run_folder, path, part, kind):
    damage(run_folder / path, kind)
    report = read_report(make.run(run_folder))
    # A training may hold anything by name; a configuration of TFMA's may ask for nothing.
    assert set(report.unread) <= {part}
    assert part in report.unread or (part == "training" and kind.startswith("{"))


def test_folders_that_are_gone_leave_a_page(make, run_folder):
    shutil.rmtree(run_folder)
    text = page_of(make.run(run_folder))
    assert "as version 17" in text
    assert "No anomaly" not in text


def test_no_claim_is_made_of_what_could_not_be_read(make, run_folder):
    for path in ("anomalies", "evaluation", "model_run", "statistics"):
        shutil.rmtree(run_folder / path)
    text = page_of(make.run(run_folder))
    for claim in (
        "No anomaly against",
        "never asked",
        "Nothing was evaluated",
        "Nothing was train",
    ):
        assert claim not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bins", {"m_bb": {"low": 1.0, "high": 1.0, "bins": 3}}),
        ("bins", {"m_bb": {"low": 2.0, "high": 1.0, "bins": 3}}),
        ("bins", {"m_bb": {"low": 0.0, "high": 1.0, "bins": 0}}),
        ("bins", {"m_bb": {"low": -1.7e308, "high": 1.7e308, "bins": 3}}),
        ("bins", {"m_bb": {"low": NAN, "high": 1.0, "bins": 3}}),
        ("bins", {"m_bb": {"low": "0", "high": 1.0, "bins": 3}}),
        ("bins", {"m_bb": {"low": 0.0, "high": 1.0, "bins": 2.5}}),
        ("bins", {"m_bb": {"low": 0.0, "high": 1.0}}),
        ("counts", {"background": [1, 2, 3], "signal": [1, 2, 3]}),
        ("counts", {"background": [1, 2, 3, 4, 5], "signal": [1, 2]}),
        ("counts", {"background": [1, 2, 3, 4, 5], "signal": [1, 2, NAN, 4, 5]}),
        ("counts", {"background": [1, 2, 3, 4, 5], "signal": [-1, 2, 3, 4, 5]}),
        ("counts", {"background": "many", "signal": "few"}),
        ("counts", {"signal": [1, 2, 3, 4, 5]}),
        ("counts", None),
    ],
)
def test_impossible_histograms_are_named(make, run_folder, key, value):
    counts = {"background": [0, 1, 2, 3, 0], "signal": [0, 3, 2, 1, 0]}
    content = {
        "bins": {"m_bb": {"low": 0.0, "high": 1.0, "bins": 3}},
        "splits": {"train": {"fingerprint": "00", "counts": {"m_bb": counts}}},
    }
    if key == "counts":
        content["splits"]["train"]["counts"]["m_bb"] = value
    else:
        content[key] = value
    (run_folder / "histograms" / "histograms.json").write_text(json.dumps(content))
    assert "m_bb" in read_report(make.run(run_folder)).unread["histograms"]


HISTORIES = {
    "none": [],
    "one": [{"epoch": 1, "loss": 0.5, "val_loss": 0.6, "auc": 0.7, "learning_rate": 0.0}],
    "not a number": [{"epoch": n, "loss": NAN, "val_loss": NAN, "auc": NAN} for n in (1, 2)],
    "infinite": [{"epoch": 1, "loss": INF, "auc": -INF}, {"epoch": 2, "loss": 1e308, "auc": 0}],
    "null": [{"epoch": 1, "loss": None, "auc": None, "learning_rate": None}],
    "text": [{"epoch": "first", "loss": "low", "auc": [], "events_per_second": "fast"}],
    "no number": [{"loss": 0.5}, {"loss": 0.4}],
    "other metrics": [{"epoch": 1, "accuracy": 0.5}],
    "rate alone": [{"epoch": 1, "learning_rate": NAN}],
    "no mapping": [1, None, "x"],
    "a mapping": {"loss": 0.5},
    "a number": 3,
}


@pytest.mark.parametrize("epochs", HISTORIES.values(), ids=HISTORIES)
def test_histories_of_all_kinds(make, epochs):
    training = parse_training(make.training | {"epochs": epochs})
    assert "8 x TPU" in render(make.report(training=training, evaluation=None, splits=()))


@pytest.mark.parametrize(
    "value", [None, "x", "<b>", [], [1], {}, {"a": 1}, NAN, INF, -1, True, 10**30]
)
@pytest.mark.parametrize(
    "key",
    [
        *("strategy", "precision", "hyperparameters", "parameters", "layers", "trees", "blend"),
        *("seed", "batch_size", "steps_per_epoch", "epoch_kept", "resumed_at", "warm_start"),
        *("events_per_second", "seconds"),
    ],
)
def test_every_fact_of_a_training_may_be_anything(make, key, value):
    training = parse_training(make.training | {key: value})
    assert plan(training).deep
    assert training_facts(make.report(training=training))["Epochs"].startswith("2, ")


@pytest.mark.parametrize("value", [None, "<b>", [1], {"a": 1}, NAN, 10**30], ids=repr)
def test_all_facts_of_a_training_may_be_anything(make, value):
    training = parse_training(dict.fromkeys(make.training, value))
    text = render(make.report(training=training, evaluation=None, splits=()))
    assert "The network" in text
    assert "<b>" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": [{}]},
        {"layers": [None]},
        {"layers": [{"name": None, "parameters": "x", "output_shape": {"a": 1}}]},
        {"layers": [{"part": "inputs", "kind": "$x^2$", "output_shape": [None, 3]}]},
        {"hyperparameters": {"blocks": 10**9, "units": None}},
        {"hyperparameters": {"blocks": 0}},
        {"hyperparameters": {"blocks": "x"}},
        {"parameters": {"wide": "x", "deep": None, "total": NAN}},
        {"trees": {"trees": None, "leaves": None}},
        {"trees": {"trees": "x", "leaves": "y"}},
        {"blend": {"network": "a"}},
        {"strategy": {"devices": [1, None], "kind": None, "replicas": None}},
        {"strategy": {"devices": "TPU:0"}},
    ],
    ids=str,
)
def test_networks_of_all_kinds(make, changes):
    training = parse_training(make.training | changes)
    text = render(make.report(training=training, evaluation=None, splits=()))
    assert "whole network" in text


def histogram(counts, low=0.0, high=2.0):
    counts = np.asarray(counts, np.int64)
    return ClassHistogram(Binning(low, high, counts.shape[1] - 2), counts)


FEATURE_HISTOGRAMS = {
    "constant": histogram([[0, 0, 9, 0, 0], [0, 0, 7, 0, 0]], 0.5, 1.5),
    "no signal": histogram([[0, 1, 2, 3, 0], [0] * 5]),
    "no background": histogram([[0] * 5, [0, 1, 2, 3, 0]]),
    "no events": histogram([[0] * 5, [0] * 5]),
    "all outside": histogram([[9, 0, 0, 0, 8], [7, 0, 0, 0, 6]]),
    "one bin": histogram([[0, 5, 0], [0, 6, 0]]),
    "huge counts": histogram([[0, 10**18, 1, 2, 0], [0, 1, 10**18, 2, 0]]),
    "narrow": histogram([[0, 1, 2, 3, 0]] * 2, 1.0, 1.0 + 1e-12),
    "tiny": histogram([[0, 1, 2, 3, 0]] * 2, 0.0, 1e-300),
    "float32": histogram([[0, 1, 2, 3, 0]] * 2, -3.4e38, 3.4e38),
    "denormal": histogram([[0, 1, 2, 3, 0]] * 2, 0.0, 1.4e-45),
}


@pytest.mark.parametrize("found", FEATURE_HISTOGRAMS.values(), ids=FEATURE_HISTOGRAMS)
@pytest.mark.parametrize("name", ["m_bb", "jet_1_b_tag"])
def test_features_of_all_shapes(make, name, found):
    split = dataclasses.replace(make.split(feature=name), histograms={name: found})
    text = render(make.report(evaluation=None, training=None, splits=(split,)))
    assert text.count("<figure>") == 1


@pytest.mark.parametrize("number", [NAN, INF, -INF, 0.0, 1e-45, 3.4e38, -1e308])
def test_statistics_of_all_sizes(make, number):
    numbers = FeatureStatistics("m_bb", number, number, number, number, number, 2**62, 2**62)
    split = dataclasses.replace(make.split(), features={"m_bb": numbers})
    text = render(make.report(evaluation=None, training=None, splits=(split,)))
    # Nobody reads 39 digits.
    assert not re.search(r"[\d,]{30}", text)


@pytest.mark.parametrize(
    "split",
    [
        Split("train", 0, 0, {}, (), {}, ""),
        Split("train", 0, None, {}, ("train: no event",), {}, ""),
        Split("train", 10, 0, {}, (), {}, ""),
        Split("train", 10, 10, {}, (), {}, ""),
        Split("train", 10**18, 10**17, {}, (), {}, ""),
    ],
    ids=["empty", "empty and unmeasured", "no signal", "no background", "huge"],
)
def test_splits_of_all_kinds(make, split):
    assert "The splits" in render(make.report(evaluation=None, training=None, splits=(split,)))


def test_split_without_statistics_of_its_own(make, run_folder):
    shutil.rmtree(run_folder / "statistics" / "Split-eval")
    report = read_report(make.run(run_folder))
    train, evaluated = report.splits
    assert train.signal == 200
    assert (evaluated.events, evaluated.signal) == (200, None)
    assert "statistics of eval" in report.unread


NOTHING = np.zeros(100)
SOME = np.arange(100.0)
SCORES = {
    "no events": (NOTHING, NOTHING),
    "no signal": (NOTHING, SOME),
    "no background": (SOME, NOTHING),
    "one of each": (np.eye(100)[90], np.eye(100)[10]),
    "one score": (np.eye(100)[50] * 500, np.eye(100)[50] * 500),
    "apart": (np.eye(100)[99] * 500, np.eye(100)[0] * 500),
    "the wrong way": (np.eye(100)[0] * 500, np.eye(100)[99] * 500),
    "few background": (SOME, np.eye(100)[3] * 5),
    "huge": (SOME * 1e15, SOME[::-1] * 1e15),
}


def measure(signal, background, name="all events", **metrics):
    events = float(signal.sum() + background.sum())
    score_sum = (np.arange(100) + 0.5) / 100 * (signal + background)
    values = {"auc": 0.8, "example_count": events, "binary_accuracy": 0.75} | metrics
    return Measured(name, values, Scores(signal, background, score_sum))


@pytest.mark.parametrize("found", SCORES.values(), ids=SCORES)
def test_evaluations_of_all_kinds(make, found):
    overall = measure(*found, auc=NAN)
    aucs = (NAN, 0.0, 0.5, 1.0)
    slices = tuple(measure(*found, name=f"s = {n}", auc=auc) for n, auc in enumerate(aucs))
    model = ModelEvaluation(overall, slices)
    verdict = Verdict(True, overall.events, NAN, None, (Check("AUC", NAN, 0.7),))
    text = render(
        make.report(verdict=verdict, evaluation=Evaluation(model, None), training=None, splits=())
    )
    assert "Every slice" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


@pytest.mark.parametrize("then", SCORES.values(), ids=SCORES)
def test_baselines_of_all_kinds(make, then):
    candidate = ModelEvaluation(measure(SOME, SOME[::-1]), (measure(SOME, SOME, name="s = 1"),))
    baseline = ModelEvaluation(measure(*then, auc=NAN), ())
    verdict = Verdict(True, 9900, 0.8, NAN, (Check("AUC above the baseline's", NAN, -0.1, True),))
    evaluation = Evaluation(candidate, baseline)
    text = render(make.report(verdict=verdict, evaluation=evaluation, training=None, splits=()))
    assert "ROC curve" in text


@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.0, 1e300])
@pytest.mark.parametrize("metric", [*("auc", "binary_accuracy", "background_rejection"), "other"])
def test_metrics_of_all_sizes(make, metric, value):
    overall = measure(NOTHING, NOTHING, **{metric: value})
    evaluation = Evaluation(ModelEvaluation(overall, ()), ModelEvaluation(overall, ()))
    assert "AUC" in render(make.report(evaluation=evaluation, training=None, splits=()))


def test_metrics_that_were_not_measured_are_dashes(make):
    bare = Measured("all events", {}, measure(NOTHING, NOTHING).scores)
    full = measure(NOTHING, NOTHING)
    for candidate, baseline in ((bare, full), (full, bare), (bare, bare)):
        evaluation = Evaluation(ModelEvaluation(candidate, ()), ModelEvaluation(baseline, ()))
        text = render(make.report(evaluation=evaluation, training=None, splits=()))
        assert '<td class="n">–</td>' in text or ">–<" in text


@pytest.mark.parametrize(
    "check",
    [
        Check("AUC", NAN, 0.7),
        Check("AUC", 0.8, -INF),
        Check("AUC", 0.8, INF),
        Check("AUC", 0.8, NAN),
        Check("AUC above the baseline's", NAN, -0.002, True),
    ],
)
def test_thresholds_of_all_sizes(make, check):
    verdict = Verdict(check.margin >= 0, 100, check.value, None, (check,))
    report = make.report(verdict=verdict, evaluation=None, training=None, splits=())
    assert "AUC" in render(report)


@pytest.mark.parametrize("text", ["{", "[]", "3", "null", '"x"', '{"data_root": NaN}', "{} x"])
def test_configurations_of_all_kinds(make, text):
    outcome = make.outcome(record=RunRecord(text, "0.1.0"))
    text = page_of(outcome)
    assert "as version 17" in text
    assert "/root/Trainer/model/8" in text


HOSTILE_NAMES = {
    "markup": "<script>alert('x')</script>\"><img src=x onerror=alert(1)>",
    "control": "a\x00b\x07c\x1bd\x7f",
    "lines": "a\nb\r\nc\td",
    "svg": 'viewBox="0 0 1 1"',
    "placeholder": "#000001 #000005",
    "mathematics": "$\\frac{1}{0}$ \\alpha_{",
    "template": "{{ 7 * 7 }}{% raw %}",
    "comment": "--> <!-- ]]>",
    "other scripts": "質量 \u202e\U0001f600",
    "surrogate": "a\ud800b",
    "nothing": "",
    "long": "x" * 5000,
    "underscore": "_hidden",
    "braces": "{0} %s %d {name!r}",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_names_of_all_kinds(make, name):
    training = make.training | {
        "precision": name,
        "hyperparameters": {name: name},
        "strategy": {"kind": name, "replicas": name, "devices": [name]},
        "layers": [{"name": name, "part": "deep", "kind": name, "output_shape": [name]}],
    }
    values = measure(NOTHING, NOTHING, name=name)
    record = RunRecord(json.dumps({name: name, "data_root": name}), name, {name: name})
    report = make.report(
        outcome=make.outcome(record=record, **{name: {name: Output(name, {name: name})}}),
        training=parse_training(training),
        splits=(make.split(feature=name, problems=[name]),),
        evaluation=Evaluation(ModelEvaluation(values, (values,)), None),
        unread={name: name},
    )
    text = render(report)
    assert "<img" not in text
    assert "49" not in re.findall(r"<td>([^<]*)</td>", text)
    # What cannot be written as UTF-8 cannot be kept.
    assert len(text.encode()) < 3_000_000


@pytest.mark.parametrize("state", ["done", "cached", "failed", "running", "unknown", "", "?"])
def test_states_of_all_kinds(make, state):
    outcome = RunOutcome("r", {"Pusher": NodeRun("Pusher", state, NAN, {}, NAN)})
    assert f"<td>{html.escape(state)}" in page_of(outcome)


def test_drift_against_other_features_and_fewer_splits(make, run_folder, tmp_path):
    earlier = shutil.copytree(run_folder, tmp_path / "earlier")
    file = earlier / "histograms" / "histograms.json"
    content = json.loads(file.read_text())
    for changed in (
        {"bins": {}, "splits": {"train": {"fingerprint": "00", "counts": {}}}},
        content | {"splits": {"eval": content["splits"]["eval"]}},
        {"bins": {}, "splits": {}},
    ):
        file.write_text(json.dumps(changed))
        report = read_report(make.run(run_folder), make.run(earlier))
        assert "There is no earlier run" in render(ReportData(report.outcome, splits=report.splits))
        assert not report.drift or not report.drift.distances
    file.unlink()
    report = read_report(make.run(run_folder), make.run(earlier))
    assert "earlier histograms" in report.unread


def test_drift_of_features_without_events_or_bins_in_common(make, run_folder, tmp_path):
    earlier = shutil.copytree(run_folder, tmp_path / "earlier")
    file = earlier / "histograms" / "histograms.json"
    content = json.loads(file.read_text())
    content["bins"]["m_bb"] = {"low": 1e6, "high": 2e6, "bins": 60}
    counts = content["splits"]["train"]["counts"]
    counts["jet_1_b_tag"] = {kind: [0] * 5 for kind in ("background", "signal")}
    file.write_text(json.dumps(content))
    report = read_report(make.run(run_folder), make.run(earlier))
    assert report.drift.distances["m_bb"].value > 0.95
    assert "jet_1_b_tag" not in report.drift.distances
    text = render(ReportData(report.outcome, splits=report.splits, drift=report.drift))
    assert "1 of 1 features moved notably" in text


def test_run_that_knows_properties_of_other_kinds(make, run_folder):
    outcome = make.run(run_folder)
    nodes = dict(outcome.nodes)
    for node, key in (("CollisionExampleGen", "examples"), ("ServingCheck", "blessing")):
        output = nodes[node].outputs[key]
        properties = dict.fromkeys(output.properties, "x") if key == "examples" else {}
        nodes[node] = dataclasses.replace(
            nodes[node], outputs={key: Output(output.uri, properties)}
        )
    report = read_report(dataclasses.replace(outcome, nodes=nodes))
    assert report.splits == ()
    text = render(dataclasses.replace(report, evaluation=None))
    assert "as version 17" in text
    assert "How many events were ingested is not known." in text


def test_evaluation_without_an_overall_slice_is_named(make, run_folder):
    shutil.rmtree(run_folder / "evaluation")
    values = make.metrics(), make.scores()
    make.evaluation_files(run_folder / "evaluation", {"": {"n_b_tags = 2": values}})
    report = read_report(make.run(run_folder))
    assert "all events" in report.unread["evaluation"]
    assert "Loss by epoch" in render(report)


def test_evaluation_of_a_model_of_another_name_is_named(make, run_folder):
    shutil.rmtree(run_folder / "evaluation")
    values = make.metrics(), make.scores()
    make.evaluation_files(run_folder / "evaluation", {"stranger": {"": values}})
    assert "stranger" in read_report(make.run(run_folder)).unread["evaluation"]


@pytest.mark.parametrize("bins", [1, 7, 150])
def test_scores_in_bins_that_cannot_be_joined_are_named(make, run_folder, bins):
    shutil.rmtree(run_folder / "evaluation")
    scores = Scores(*(np.ones(bins) for _ in range(3)))
    make.evaluation_files(run_folder / "evaluation", {"": {"": (make.metrics(), scores)}})
    report = read_report(make.run(run_folder))
    assert f"{bins} bins" in report.unread["scores"]
    text = render(report)
    assert "0.8000" in text
    assert "ROC curve</figcaption>" not in text


def test_scores_that_are_no_number_are_named(make, run_folder):
    shutil.rmtree(run_folder / "evaluation")
    scores = Scores(*(np.full(100, NAN) for _ in range(3)))
    make.evaluation_files(run_folder / "evaluation", {"": {"": (make.metrics(), scores)}})
    assert "scores" in read_report(make.run(run_folder)).unread


def test_baseline_with_fewer_slices(make, run_folder):
    shutil.rmtree(run_folder / "evaluation")
    values = make.metrics(), make.scores()
    models = {"candidate": {"": values, "n = 1": values}, "baseline": {"": values}}
    make.evaluation_files(run_folder / "evaluation", models)
    report = read_report(make.run(run_folder))
    assert report.unread == {}
    assert report.verdict.baseline_auc == 0.8
    assert "n = 1" in render(report)
