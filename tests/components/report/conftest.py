import json

import numpy as np
import pytest

from components.histogram_gen.counting import Binning
from components.histogram_gen.records import ClassHistogram
from components.report.data import FeatureStatistics, Split
from components.report.evaluation import Evaluation, Measured, ModelEvaluation, Scores
from components.report.outcome import NodeRun, Output, RunOutcome, RunRecord
from components.report.read import ReportData
from components.report.training import parse_training
from components.report.verdict import Check, Verdict

BINS = 100


def make_scores(seed=1, events=20_000, power=2.0):
    """Scores of events that a classifier of some power can tell apart."""
    rng = np.random.default_rng(seed)
    signal, background = rng.beta(power, 1, events // 2), rng.beta(1, power, events // 2)
    counts = [np.histogram(s, BINS, (0, 1))[0].astype(float) for s in (signal, background)]
    both = np.concatenate([signal, background])
    return Scores(*counts, np.histogram(both, BINS, (0, 1), weights=both)[0])


def make_measured(name="all events", auc=0.8, events=20_000, **options):
    metrics = {
        "auc": auc,
        "example_count": float(events),
        "binary_accuracy": 0.75,
        "binary_crossentropy": 0.5,
        "background_rejection": 20.0,
        "maximal_significance": 5.0,
        "expected_calibration_error": 0.01,
    }
    return Measured(name, metrics, make_scores(events=events, **options))


def make_evaluation(baseline=None, names=("n_b_tags = 1", "n_b_tags = 2")):
    slices = tuple(make_measured(name, 0.7, events=400) for name in names)
    then = ModelEvaluation(make_measured(auc=baseline), slices) if baseline else None
    return Evaluation(ModelEvaluation(make_measured(), slices), then)


TRAINING = {
    "seed": 7,
    "precision": "mixed_bfloat16",
    "strategy": {"kind": "tpu", "replicas": 8, "devices": ["TPU:0"]},
    "hyperparameters": {"units": 64, "blocks": 2},
    "parameters": {"wide": 29, "deep": 300, "total": 329},
    "epochs": [
        {"epoch": 1, "loss": 0.6, "val_loss": 0.5, "auc": 0.7, "val_auc": 0.75},
        {"epoch": 2, "loss": 0.5, "val_loss": 0.4, "auc": 0.75, "val_auc": 0.8},
    ],
    "epoch_kept": 2,
    "events_per_second": 12_345.0,
    "seconds": 12.5,
    "trees": {"trees": 100, "leaves": 2400, "events": 1000},
    "blend": {"network": 0.9, "leaves": 0.2, "bias": 0.0},
}


def make_split(name="train", events=1000, problems=(), feature="m_bb"):
    counts = np.tile(np.arange(12), [2, 1])
    return Split(
        name,
        events,
        signal=530,
        features={feature: FeatureStatistics(feature, 1.0, 0.5, 0.1, 0.9, 4.0, 3, 2)},
        problems=tuple(problems),
        histograms={feature: ClassHistogram(Binning(0.0, 2.0, 10), counts)},
        fingerprint="0123456789abcdef",
    )


def make_outcome(pushed=1, record=None, **outputs):
    nodes = {
        "Trainer": {"model": Output("/root/Trainer/model/8", {})},
        "DataGate": {"verdict": Output("/root/DataGate/verdict/7", {})},
        "ServingCheck": {"blessing": Output("/root/ServingCheck/blessing/9", {"blessed": 1})},
        "Pusher": {
            "pushed_model": Output(
                "/root/Pusher/12",
                {"pushed": pushed, "pushed_version": "17", "pushed_destination": "/serving/17"},
            )
        },
    }
    nodes |= outputs
    runs = {name: NodeRun(name, "done", 1.5, made, 1.8e9) for name, made in nodes.items()}
    default = RunRecord(json.dumps({"seed": 7, "data_root": "/data"}), "0.1.0, sources abc")
    return RunOutcome("run-1", runs, record or default)


def make_report(value=0.8, limit=0.7, **changes):
    checks = (Check("AUC", value, limit),)
    parts = {
        "outcome": make_outcome(pushed=int(value >= limit)),
        "verdict": Verdict(value >= limit, 20_000, value, None, checks),
        "evaluation": make_evaluation(),
        "training": parse_training(TRAINING),
        "splits": (make_split(), make_split("eval", 500)),
    }
    return ReportData(**parts | changes)


@pytest.fixture(scope="session")
def make():
    """Makers of a report's parts, by name."""

    class Makers:
        scores = staticmethod(make_scores)
        measured = staticmethod(make_measured)
        evaluation = staticmethod(make_evaluation)
        split = staticmethod(make_split)
        outcome = staticmethod(make_outcome)
        report = staticmethod(make_report)
        training = TRAINING

    return Makers
