"""The page of damaged, degenerate or hostile artifacts still shows the rest."""

import dataclasses
import json
import math
import re
import shutil

import numpy as np
import pytest
from report_parts import binned_scores
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.report import html_page
from components.report.data_section import Split
from components.report.report_data import read_report
from formats import names
from formats.evaluation_record import (
    OVERALL,
    Evaluation,
    ModelEvaluation,
    SliceEvaluation,
)
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.histograms import Binning, ClassHistogram
from formats.run_outcome import Output, RunRecord

pytestmark = pytest.mark.slow

PARTS = {
    "statistics/Split-train/FeatureStats.pb": "statistics of train",
    "anomalies/Split-train/SchemaDiff.pb": "anomalies of train",
    "histograms/histograms.json": "histograms",
    "model_run/training.json": "training",
    "evaluation/metrics-00000-of-00001.tfrecord": "evaluation",
    "evaluation/plots-00000-of-00001.tfrecord": "scores",
    "evaluation/validations.tfrecord": "gate decision",
    "evaluation/eval_config.json": "gate decision",
}
"""Files of a run, and the part of the report that is read from each."""


def render(report):
    """Renders the page; Matplotlib's warnings, errors in tests, would be faults of figures."""
    page = html_page.render(report)
    assert "<strong>figure: " not in page
    return page


@pytest.mark.parametrize(
    "content", [None, b"", b"\x00\xff<script>"], ids=["no file", "empty", "garbage"]
)
@pytest.mark.parametrize(("path", "part"), PARTS.items())
def test_unreadable_file_is_named_and_the_other_parts_are_read(
    make, run_folder, path, part, content
):
    (run_folder / path).unlink() if content is None else (run_folder / path).write_bytes(content)
    report = read_report(make.run(run_folder))
    # The decision is read from the metrics too.
    unread = {part, "gate decision"} if part == "evaluation" else {part}
    assert set(report.unread) == unread
    assert all(len(reason) > len("ValueError: ") for reason in report.unread.values())


def test_training_record_of_another_form_leaves_the_rest_of_the_page(make, run_folder):
    (run_folder / "model_run" / "training.json").write_text('{"seed": "<b>", "layers": []}')
    page = render(read_report(make.run(run_folder)))
    assert "<strong>training</strong>: seed: Input should be a valid integer" in page
    assert "The training record could not be read; the reason is above." in page
    for text in ("as version 17", "0.8000", 'aria-label="ROC curve"', "Features by class"):
        assert text in page


def test_no_claims_are_made_without_artifacts(make, run_folder):
    shutil.rmtree(run_folder)
    page = render(read_report(make.run(run_folder)))
    assert "as version 17" in page
    for claim in ("No anomalies", "not run", "No model was"):
        assert claim not in page


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"data_root": NaN}', "{} x"])
def test_configuration_of_another_form_leaves_the_rest(make, text):
    page = render(read_report(make.outcome(record=RunRecord(configuration=text))))
    assert "/root/Trainer/model/8" in page


def test_properties_of_another_kind_leave_the_rest(make, run_folder):
    changes = {
        names.EXAMPLES: {names.events_property("train"): "many"},
        names.INFRA_BLESSING: {},
    }
    report = read_report(make.run(run_folder, changes))
    assert report.splits == ()
    page = render(dataclasses.replace(report, evaluation=None, training=None))
    assert "as version 17" in page
    assert "The number of ingested events is not known." in page


HOSTILE_NAMES = {
    "markup": "<script>alert('x')</script>\"><img src=x onerror=alert(1)>",
    "control characters": "a\x00b\x07c\x1bd\x7f\ne\r\nf",
    "svg": 'viewBox="0 0 1 1" #0072b2',
    "mathematics": "$\\frac{1}{0}$ \\alpha_{",
    "template": "{{ 7 * 7 }}{% raw %} {0} %s %d {name!r}",
    "other scripts": "質量 \u202e\U0001f600",
    "surrogate": "a\ud800b",
    "empty": "",
    "long": "x" * 5000,
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_hostile_names_are_shown_as_text(make, name):
    scores = binned_scores(np.zeros(100), np.zeros(100), np.zeros(100))
    row = SliceEvaluation(name, {}, scores)
    record = RunRecord(
        configuration=json.dumps({name: name, "data_root": name}),
        code_version="0.1.0",
        ending="refused",
        failure=f"{name}\n",
    )
    report = make.report(
        outcome=make.outcome(
            record=record.model_copy(update={"code_version": name, "packages": {name: name}}),
            outputs={names.MODEL: Output(name, {name: name})},
        ),
        decision=GateDecision(False, 10, 0.5, None, (ThresholdCheck(name, 0.5, 0.7),)),
        training=make.training().model_copy(
            update={
                "precision": name,
                "hyperparameters": {name: name},
                "packages": {name: name},
            }
        ),
        splits=(make.split(feature=name, problems=[name]),),
        evaluation=Evaluation(ModelEvaluation(row, (row,)), None),
        serving_fault=name,
        unread={name: name},
    )
    page = render(report)
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "49" not in re.findall(r"<td>([^<]*)</td>", page)
    assert len(page.encode()) < 3_000_000


NONE, FIRST, LAST, RISING = np.zeros(100), np.eye(100)[0], np.eye(100)[99], np.arange(100.0)
SCORES = {
    "no events": (NONE, NONE),
    "no signal": (NONE, RISING),
    "no background": (RISING, NONE),
    "one event per class": (LAST, FIRST),
    "all scores equal": (500 * FIRST, 500 * FIRST),
    "separated": (500 * LAST, 500 * FIRST),
    "little background": (RISING, 5 * FIRST),
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_degenerate_evaluations_have_a_page(make, scores):
    signal, background = scores
    histogram = binned_scores(signal, background, (signal + background) / 2)
    slices = [
        SliceEvaluation(name, {"auc": auc, "example_count": 10.0}, histogram)
        for name, auc in ((OVERALL, math.nan), ("s = 1", 0.0), ("s = 2", 1.0), ("s = 3", math.inf))
    ]
    model = ModelEvaluation(slices[0], tuple(slices[1:]))
    check = ThresholdCheck("AUC", math.nan, -math.inf)
    report = make.report(
        decision=GateDecision(True, 10, math.nan, math.nan, (check,)),
        evaluation=Evaluation(model, model),
        training=None,
        splits=(),
    )
    page = render(report)
    assert "Slices" in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


HISTOGRAMS = {
    "constant": ([[0, 0, 9, 0, 0], [0, 0, 7, 0, 0]], 0.5, 1.5),
    "no signal": ([[0, 1, 2, 3, 0], [0] * 5], 0.0, 2.0),
    "no events": ([[0] * 5, [0] * 5], 0.0, 2.0),
    "all outside": ([[9, 0, 0, 0, 8], [7, 0, 0, 0, 6]], 0.0, 2.0),
    "narrow": ([[0, 1, 2, 3, 0]] * 2, 1.0, 1.0 + 1e-12),
    "float32": ([[0, 1, 2, 3, 0]] * 2, -3.4e38, 3.4e38),
    "denormal": ([[0, 1, 2, 3, 0]] * 2, 0.0, 1.4e-45),
}


@pytest.mark.parametrize("shape", HISTOGRAMS.values(), ids=HISTOGRAMS)
def test_degenerate_histograms_and_splits_have_a_page(make, shape):
    counts, low, high = shape
    histogram = ClassHistogram(Binning(low, high, 3), np.array(counts))
    statistics = statistics_pb2.NumericStatistics(
        mean=math.nan, std_dev=math.inf, min=-1e308, max=3.4e38, num_zeros=2**62
    )
    splits = (
        Split("train", 0, 0, {"m_bb": statistics}, (), {"m_bb": histogram}, ""),
        Split("eval", 10**18, None, {}, None, {}, ""),
    )
    page = render(make.report(evaluation=None, training=None, splits=splits))
    assert page.count("<figure>") == 1
    assert not re.search(r"[\d,]{30}", page)  # unreadable numbers
