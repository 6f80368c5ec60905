"""Complete reports of a pushed and of a refused run, the same on every machine, for pictures."""

import json
import math

import numpy as np
from report_parts import make_scores, make_training
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.evaluator import score_counts
from components.evaluator.score_counts import ScoreCounts
from components.evaluator.significance import (
    EXPECTED_BACKGROUND,
    EXPECTED_SIGNAL,
    median_significance,
)
from components.report.data_section import Split
from components.report.drift import Distance, Drift
from components.report.report_data import ReportData
from formats import names
from formats.evaluation_record import (
    AUC,
    AUC_STANDARD_ERROR,
    EVENT_COUNT,
    OVERALL,
    SIGNAL_COUNT,
    Evaluation,
    ModelEvaluation,
    SliceEvaluation,
)
from formats.features import DISCRETE_VALUES, LEVEL_COUNT
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.histograms import Binning, ClassHistogram
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord

ROOT = "runs/demo/artifacts"
VERSION = "1795726594"
TRAIN_EVENTS, EVAL_EVENTS = 180_000, 20_000

SECONDS = {
    names.EXAMPLE_GEN: 2.9,
    names.SCHEMA_IMPORT: 0.1,
    names.STATISTICS_GEN: 4.8,
    names.HISTOGRAM_GEN: 1.2,
    names.EXAMPLE_VALIDATOR: 0.3,
    names.DATA_GATE: 0.1,
    names.TRAINER: 41.6,
    names.EVALUATOR: 9.7,
    names.SERVING_CHECK: 8.4,
    names.PUSHER: 0.2,
}

OUTPUTS = (
    names.EXAMPLES,
    names.SCHEMA,
    names.STATISTICS,
    names.HISTOGRAMS,
    names.ANOMALIES,
    names.DATA_VERDICT,
    names.MODEL,
    names.MODEL_RUN,
    names.EVALUATION,
    names.BLESSING,
    names.INFRA_BLESSING,
    names.PUSHED_MODEL,
)

DRAWN_FEATURES = ("lepton_pt", "lepton_eta", "lepton_phi", "jet_1_b_tag", "m_jj", "m_bb")

CONFIGURATION = {
    "data_root": "data/demo",
    "root": "runs/demo",
    "seed": 42,
    "trainer": {"preset": "demo"},
    "evaluation": {"auc_lower_bound": 0.75, "auc_max_drop": 0.002},
}

RECORD = RunRecord(
    configuration=json.dumps(CONFIGURATION),
    code_version="0.1.0, sources 1f0e5a7c",
    packages={"python": "3.10.18", "tensorflow": "2.16.2", "tfx": "1.16.0"},
)

HYPERPARAMETERS = {"units": 128, "blocks": 2, "epochs": 6, "learning_rate": 0.002, "trees": 100}

LAYERS = (
    ("columns", "InputLayer", "inputs", 28, 0),
    ("derived", "DerivedColumns", "inputs", 115, 0),
    ("normalization", "Normalization", "inputs", 115, 0),
    ("buckets", "BucketWeights", "wide", 115, 2_760),
    ("wide", "Dense", "wide", 1, 116),
    ("dense_1", "Dense", "deep", 128, 29_568),
    ("batch_norm_1", "BatchNormalization", "deep", 128, 512),
    ("activation_1", "Activation", "deep", 128, 0),
    ("dropout_1", "Dropout", "deep", 128, 0),
    ("dense_2", "Dense", "deep", 128, 16_512),
    ("batch_norm_2", "BatchNormalization", "deep", 128, 512),
    ("activation_2", "Activation", "deep", 128, 0),
    ("dropout_2", "Dropout", "deep", 128, 0),
    ("deep", "Dense", "deep", 1, 129),
)


def pushed_report():
    """A run with a baseline and an earlier run's data; everything passed."""
    evaluation = Evaluation(_model(power=1.9, seed=1), _model(power=1.85, seed=2))
    candidate, baseline = evaluation.candidate.overall.auc, evaluation.baseline.overall.auc
    checks = (
        ThresholdCheck("AUC", candidate, 0.75),
        ThresholdCheck("difference in AUC", candidate - baseline, -0.002, is_change=True),
    )
    return ReportData(
        _outcome(pushed=True),
        decision=GateDecision(True, EVAL_EVENTS, candidate, baseline, checks),
        evaluation=evaluation,
        training=_training(),
        splits=_splits(DRAWN_FEATURES),
        drift=_drift(),
        configuration=CONFIGURATION,
    )


def refused_report():
    """A run without a baseline that missed the lower bound of the AUC."""
    evaluation = Evaluation(_model(power=1.3, seed=3), None)
    auc = evaluation.candidate.overall.auc
    checks = (ThresholdCheck("AUC", auc, 0.75),)
    return ReportData(
        _outcome(pushed=False),
        decision=GateDecision(False, EVAL_EVENTS, auc, None, checks),
        evaluation=evaluation,
        training=_training(),
        splits=_splits(DRAWN_FEATURES[:3]),
        configuration=CONFIGURATION,
    )


def _model(power, seed):
    slices = tuple(
        _slice(f"{LEVEL_COUNT} = {level}", events, power + 0.1 * level, seed + level)
        for level, events in enumerate((6_400, 8_100, 4_300, 1_100, 100))
    )
    return ModelEvaluation(_slice(OVERALL, EVAL_EVENTS, power, seed), slices)


def _slice(name, events, power, seed):
    scores = make_scores(seed, events, power, bins=1000)
    return SliceEvaluation(name, _metrics(scores), scores)


def _metrics(scores):
    """The metrics of the Evaluator, from the histogram of the scores."""
    signal, background = scores.cuts.signal, scores.cuts.background
    events = signal[0] + background[0]
    efficiency, mistag = signal / signal[0], background / background[0]
    middle = len(scores.signal) // 2
    centres = (np.arange(len(scores.signal)) + 0.5) / len(scores.signal)
    log_loss = -(scores.signal @ np.log(centres) + scores.background @ np.log1p(-centres))
    coarse = scores.rebinned(10)
    bins = np.arange(len(scores.signal), dtype=np.int32)
    counts = ScoreCounts(0, bins, bins, scores.signal, scores.background)
    return {
        AUC: score_counts.auc(counts),
        AUC_STANDARD_ERROR: score_counts.auc_standard_error(counts),
        EVENT_COUNT: float(events),
        SIGNAL_COUNT: float(signal[0]),
        "binary_accuracy": float((signal[middle] + background[0] - background[middle]) / events),
        "binary_crossentropy": float(log_loss / events),
        "background_rejection": float(1 / mistag[np.flatnonzero(efficiency >= 0.5)[-1]]),
        "maximal_significance": float(
            median_significance(EXPECTED_SIGNAL * efficiency, EXPECTED_BACKGROUND * mistag).max()
        ),
        "expected_calibration_error": float(
            np.abs(coarse.score_sum - coarse.signal).sum() / events
        ),
    }


def _training():
    epochs = [
        {
            "epoch": epoch,
            "loss": 0.52 + 0.11 * math.exp(-epoch / 2),
            "val_loss": 0.51 + 0.09 * math.exp(-epoch / 1.5),
            "auc": 0.81 - 0.08 * math.exp(-epoch / 2),
            "val_auc": 0.82 - 0.07 * math.exp(-epoch / 1.5),
            "learning_rate": 0.001 * (1 + math.cos(math.pi * epoch / 6)),
        }
        for epoch in range(1, 7)
    ]
    layers = [
        {"name": name, "kind": kind, "part": part, "output_shape": [size], "parameters": weights}
        for name, kind, part, size, weights in LAYERS
    ]
    return make_training(
        seed=42,
        strategy={"kind": "cpu", "replicas": 1, "devices": ["/device:CPU:0"]},
        precision="float32",
        hyperparameters=HYPERPARAMETERS,
        parameters={"wide": 5_276, "deep": 47_233, "total": 52_509},
        layers=layers,
        trees={"trees": 100, "leaves": 2_400, "events": TRAIN_EVENTS},
        blend={"network": 0.62, "leaves": 0.41, "bias": 0.0},
        batch_size=512,
        steps_per_epoch=351,
        epochs=epochs,
        epoch_kept=6,
        events_per_second=61_000.0,
        seconds=24.0,
    )


def _splits(features):
    rng = np.random.default_rng(1)
    shapes = {name: _feature(rng, name) for name in features}
    return tuple(
        Split(
            name=split,
            events=events,
            signal=round(0.53 * events),
            features={feature: statistics for feature, (statistics, _) in shapes.items()},
            problems=(),
            histograms={feature: histogram for feature, (_, histogram) in shapes.items()},
            fingerprint=fingerprint,
        )
        for split, events, fingerprint in (
            (names.TRAIN_SPLIT, TRAIN_EVENTS, "9d2c5f6b01e84a37"),
            (names.EVAL_SPLIT, EVAL_EVENTS, "41b7e0a6c8d95f12"),
        )
    )


def _feature(rng, name):
    """Statistics and a histogram with a peak or, for angles, a plateau."""
    if name in DISCRETE_VALUES:
        values = DISCRETE_VALUES[name]
        binning = Binning(-values[1] / 2, values[1] * 2.5, 3)
        samples = [rng.choice(values, 5_000, p=p) for p in ((0.6, 0.2, 0.2), (0.45, 0.2, 0.35))]
    elif name.endswith("_phi"):
        binning = Binning(-1.75, 1.75, 60)
        samples = [rng.uniform(-1.7435, 1.7435, 5_000) for _ in range(2)]
    elif name.endswith("_eta"):
        binning = Binning(-2.5, 2.5, 60)
        samples = [rng.normal(0, width, 5_000) for width in (1.1, 0.95)]
    else:
        binning = Binning(0.0, 3.0, 60)
        samples = [rng.gamma(shape, 0.9 / shape, 5_000) for shape in (4.0, 7.0)]
    both = np.concatenate(samples)
    counts = [
        np.concatenate(
            [
                [(sample < binning.low).sum()],
                np.histogram(sample, binning.edges)[0],
                [(sample > binning.high).sum()],
            ]
        )
        for sample in samples
    ]
    statistics = statistics_pb2.NumericStatistics(
        mean=both.mean(),
        std_dev=both.std(),
        min=both.min(),
        median=np.median(both),
        max=both.max(),
        num_zeros=(both == 0).sum(),
    )
    return statistics, ClassHistogram(binning, np.array(counts))


def _drift():
    distances = {
        name: Distance(0.0015 + 0.0001 * index, 0.0065) for index, name in enumerate(DRAWN_FEATURES)
    }
    return Drift("2026-10-29T14:20:07.518302", {**distances, "m_bb": Distance(0.031, 0.0065)})


def _outcome(pushed):
    properties = {
        names.BLESSING: {
            names.BLESSED_PROPERTY: int(pushed),
            names.BASELINE_PROPERTY: f"{ROOT}/Trainer/model/12" if pushed else "",
        },
        names.INFRA_BLESSING: {names.BLESSED_PROPERTY: 1},
        names.PUSHED_MODEL: {
            names.PUSHED_PROPERTY: int(pushed),
            names.PUSHED_VERSION_PROPERTY: VERSION,
            names.PUSHED_DESTINATION_PROPERTY: f"runs/demo/serving/{VERSION}",
        },
    }
    nodes = {}
    started = 1_795_726_560.0
    for number, (node, seconds) in enumerate(SECONDS.items(), start=21):
        outputs = {
            output.key: Output(f"{ROOT}/{node}/{output.key}/{number}", properties.get(output, {}))
            for output in OUTPUTS
            if output.node == node
        }
        nodes[node] = NodeRun(node, "done", seconds, outputs, started)
        started += seconds
    return RunOutcome("2026-11-26T20:56:00.150968", nodes, RECORD)
