"""Makers of a report's parts: evaluations, data, trainings, runs and the files they leave."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format, text_format
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2

from components.report.data_section import Split
from components.report.report_data import ReportData
from formats import histograms, names, training_record
from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_CLEAR_BOUND,
    AUC_CHANGE_LOWER_BOUND,
    AUC_STANDARD_ERROR,
    EVENT_COUNT,
    OVERALL,
    SIGNAL_COUNT,
    Evaluation,
    ModelEvaluation,
    ScoreCuts,
    ScoreHistogram,
    SliceEvaluation,
)
from formats.features import DISCRETE_VALUES, LABEL, LEVEL_COUNT
from formats.gate_decision import GateDecision, ThresholdCheck
from formats.histograms import Binning, ClassCounts, ClassHistogram
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from formats.training_record import TrainingRecord

SCORE_BINS = 100


def binned_scores(signal, background, score_sum):
    """Scores known only by their bins, with a cut at each edge."""
    passing = (np.append(np.cumsum(counts[::-1])[::-1], 0.0) for counts in (signal, background))
    cuts = ScoreCuts(np.linspace(0, 1, len(signal) + 1), *passing)
    return ScoreHistogram(signal, background, score_sum, cuts)


def make_scores(seed=1, events=20_000, power=2.0, bins=SCORE_BINS):
    """Scores of a classifier; a larger power separates the classes better."""
    rng = np.random.default_rng(seed)
    signal, background = rng.beta(power, 1, events // 2), rng.beta(1, power, events // 2)
    counts = [np.histogram(s, bins, (0, 1))[0].astype(float) for s in (signal, background)]
    both = np.concatenate([signal, background])
    return binned_scores(*counts, np.histogram(both, bins, (0, 1), weights=both)[0])


def make_metrics(auc=0.8, events=20_000):
    return {
        AUC: auc,
        AUC_STANDARD_ERROR: 0.4 / events**0.5,
        EVENT_COUNT: float(events),
        SIGNAL_COUNT: events / 2,
        "binary_accuracy": 0.75,
        "binary_crossentropy": 0.5,
        "background_rejection": 20.0,
        "maximal_significance": 5.0,
        "expected_calibration_error": 0.01,
    }


def make_slice(name=OVERALL, auc=0.8, events=20_000, **options):
    return SliceEvaluation(name, make_metrics(auc, events), make_scores(events=events, **options))


def make_evaluation(baseline=None, slices=(f"{LEVEL_COUNT} = 1", f"{LEVEL_COUNT} = 2")):
    rows = tuple(make_slice(name, 0.7, events=400) for name in slices)
    earlier = ModelEvaluation(make_slice(auc=baseline), rows) if baseline else None
    return Evaluation(ModelEvaluation(make_slice(), rows), earlier)


TRAINING = {
    "seed": 7,
    "strategy": {"kind": "tpu", "replicas": 8, "devices": ["TPU:0"]},
    "precision": "mixed_bfloat16",
    "hyperparameters": {"units": 64, "blocks": 2},
    "parameters": {"wide": 116, "deep": 8449, "total": 8565},
    "layers": [
        {"name": name, "kind": kind, "part": part, "output_shape": [size], "parameters": weights}
        for name, kind, part, size, weights in (
            ("columns", "InputLayer", "inputs", 28, 0),
            ("derived", "DerivedColumns", "inputs", 115, 0),
            ("normalization", "Normalization", "inputs", 115, 0),
            ("wide", "Dense", "wide", 1, 116),
            ("dense_1", "Dense", "deep", 64, 7424),
            ("batch_norm_1", "BatchNormalization", "deep", 64, 256),
            ("activation_1", "Activation", "deep", 64, 0),
            ("deep", "Dense", "deep", 1, 769),
        )
    ],
    "trees": {"trees": 100, "leaves": 2400, "events": 1000},
    "blend": {"network": 0.9, "leaves": 0.2, "bias": 0.0},
    "events": {"train": 400, "eval": 200},
    "batch_size": 256,
    "steps_per_epoch": 1,
    "peak_learning_rate": 0.002,
    "epochs": [
        {"epoch": 1, "loss": 0.6, "val_loss": 0.5, "auc": 0.7, "val_auc": 0.75},
        {"epoch": 2, "loss": 0.5, "val_loss": 0.4, "auc": 0.75, "val_auc": 0.8},
    ],
    "epoch_kept": 2,
    "resumed_at": 0,
    "resumed_step": 0,
    "events_in_memory": 400,
    "warm_start": [],
    "events_per_second": 12_345.0,
    "seconds": 12.5,
    "packages": {"python": "3.10.13", "tensorflow": "2.16.1"},
    "refit": None,
}
"""Content of ``training.json``."""


def make_training(**changes):
    return TrainingRecord.from_json(json.dumps(TRAINING | changes))


def make_split(name="train", events=1000, problems=(), feature="m_bb"):
    counts = np.tile(np.arange(12), [2, 1])
    statistics = statistics_pb2.NumericStatistics(
        mean=1.0, std_dev=0.5, min=0.1, median=0.9, max=4.0, num_zeros=3
    )
    statistics.common_stats.num_missing = 2
    return Split(
        name,
        events,
        signal=530,
        features={feature: statistics},
        problems=tuple(problems),
        histograms={feature: ClassHistogram(Binning(0.0, 2.0, 10), counts)},
        fingerprint="0123456789abcdef",
    )


def write_evaluation(
    folder,
    models=None,
    slices=("n_b_tags = 2",),
    lower_bound=0.7,
    passed=True,
    least_events=None,
    changes=None,
    when_undecided="refuse",
):
    """Writes the files of TFMA's Evaluator: metrics, plots, configuration and validation.

    Args:
        folder: the folder to make.
        models: metrics and scores by TFMA's name of the model and by slice; the overall slice
            has an empty name. By default one model without a name.
        slices: slices of the default model.
        lower_bound: of the AUC; None for a model without thresholds.
        passed: result of the validation.
        least_events: bound of the number of events; None for no such bound.
        changes: differences of the candidate from the baseline on all events, by metric; with
            them, the lower bounds of the AUC's change that are among them have thresholds.
        when_undecided: what a lower bound that misses its threshold means.
    """
    folder.mkdir(parents=True)
    default = {name: (make_metrics(), make_scores()) for name in ("", *slices)}
    models = models or {"": default}
    metrics, plots = {}, {}
    for model, evaluations in models.items():
        for name, (values, scores) in evaluations.items():
            metrics.setdefault(name, []).append((model, values))
            plots.setdefault(name, []).append((model, scores))
    protos = [_metrics_proto(name, entries) for name, entries in metrics.items()]
    for metric, value in (changes or {}).items():
        entry = protos[0].metric_keys_and_values.add()
        entry.key.name, entry.key.model_name, entry.key.is_diff = metric, "candidate", True
        entry.value.double_value.value = value
    write_records(folder / "metrics-00000-of-00001.tfrecord", protos)
    write_records(
        folder / "plots-00000-of-00001.tfrecord",
        [_plots_proto(name, entries) for name, entries in plots.items()],
    )
    validation = validation_result_pb2.ValidationResult(validation_ok=passed)
    write_records(folder / "validations.tfrecord", [validation])
    run = config_pb2.EvalRun(
        eval_config=make_eval_config(
            lower_bound,
            least_events=least_events,
            when_undecided=when_undecided if changes else None,
            has_clear_bound=AUC_CHANGE_CLEAR_BOUND in (changes or {}),
        ),
        version="0.47.0",
        file_format="tfrecord",
        model_locations=dict.fromkeys(models, "/model"),
    )
    (folder / "eval_config.json").write_text(json_format.MessageToJson(run))


def write_records(path, protos):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for proto in protos:
            writer.write(proto.SerializeToString())


def make_eval_config(
    lower_bound=0.7,
    max_drop=0.002,
    least_events=None,
    when_undecided=None,
    has_clear_bound=False,
):
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": lower_bound or 0.0}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -max_drop}
        ),
    )
    enough = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": least_events or 0})
    )
    metrics = [
        _gated("EventCount", EVENT_COUNT, enough if least_events else None),
        _gated("RocAuc", AUC, threshold if lower_bound else None),
    ]
    if when_undecided:
        bounded = tfma.MetricThreshold(change_threshold=threshold.change_threshold)
        settings = {"confidence": 0.95, "when_undecided": when_undecided}
        metrics.append(_gated("AucChangeLowerBound", AUC_CHANGE_LOWER_BOUND, bounded, **settings))
        if has_clear_bound:
            bounded.change_threshold.absolute.value *= 2
            metrics.append(
                _gated("AucChangeClearBound", AUC_CHANGE_CLEAR_BOUND, bounded, **settings)
            )
    return tfma.EvalConfig(metrics_specs=[tfma.MetricsSpec(metrics=metrics)])


def _gated(class_name, name, threshold, **settings):
    """A metric with a threshold on all events, or without one."""
    gates = [tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)]
    return tfma.MetricConfig(
        class_name=class_name,
        config=json.dumps({"name": name, **settings}),
        per_slice_thresholds=gates if threshold else [],
    )


def _slice_key(name):
    key = metrics_for_slice_pb2.SliceKey()
    if name:
        column, _, value = name.partition(" = ")
        key.single_slice_keys.add(column=column, bytes_value=value.encode())
    return key


def _metrics_proto(name, entries):
    proto = metrics_for_slice_pb2.MetricsForSlice(slice_key=_slice_key(name))
    for model, values in entries:
        for metric, value in values.items():
            entry = proto.metric_keys_and_values.add()
            entry.key.name, entry.key.model_name = metric, model
            entry.value.double_value.value = value
    return proto


def _plots_proto(name, entries):
    proto = metrics_for_slice_pb2.PlotsForSlice(slice_key=_slice_key(name))
    for model, scores in entries:
        entry = proto.plot_keys_and_values.add()
        entry.key.model_name = model
        buckets = entry.value.calibration_histogram_buckets
        counts = np.stack([scores.signal, scores.signal + scores.background, scores.score_sum])
        # TFMA has a bucket below 0 and one from 1 on.
        for signal, events, score_sum in np.pad(counts, [(0, 0), (1, 1)]).T:
            buckets.buckets.add(
                total_weighted_label={"value": signal},
                num_weighted_examples={"value": events},
                total_weighted_refined_prediction={"value": score_sum},
            )
        matrices = proto.plot_keys_and_values.add()
        matrices.key.model_name = model
        cuts = scores.cuts
        for cut in zip(cuts.thresholds, cuts.signal, cuts.background, strict=True):
            fields = ("threshold", "true_positives", "false_positives")
            matrices.value.confusion_matrix_at_thresholds.matrices.add(
                **dict(zip(fields, cut, strict=True))
            )
    return proto


BINNINGS = {"m_bb": Binning(-1.0, 3.0, 60), "jet_1_b_tag": Binning(-0.54, 2.72, 3)}


def make_columns(events, seed=1):
    """A label, a continuous and a discrete feature."""
    rng = np.random.default_rng(seed)
    label = (np.arange(events) % 2).astype(np.float32)
    mass = rng.normal(1.0, 0.3, events).astype(np.float32)
    b_tag = rng.choice(np.float32(DISCRETE_VALUES["jet_1_b_tag"]), events)
    return {LABEL: label, "m_bb": mass, "jet_1_b_tag": b_tag}


def count_events(columns):
    """The counts of HistogramGen; no values lie outside the bins."""
    counts = {
        name: np.pad(
            [
                np.histogram(columns[name][columns[LABEL] == label], binning.edges)[0]
                for label in (0, 1)
            ],
            [(0, 0), (1, 1)],
        )
        for name, binning in BINNINGS.items()
    }
    return ClassCounts(counts, fingerprint=len(columns[LABEL]))


def write_data(folder, events):
    """Writes statistics, anomalies, schema and histograms of splits with numbers of events."""
    splits = {name: make_columns(count, seed=count) for name, count in events.items()}
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name=name) for name in BINNINGS])
    for name, columns in splits.items():
        arrays = [pa.array([[v] for v in c], pa.large_list(pa.float32())) for c in columns.values()]
        batch = pa.RecordBatch.from_arrays(arrays, list(columns))
        write_split(folder, names.STATISTICS, name, generate_statistics_in_memory(batch))
        write_split(folder, names.ANOMALIES, name, anomalies_pb2.Anomalies(baseline=schema))
    schema_folder = folder / names.SCHEMA.key
    schema_folder.mkdir()
    (schema_folder / names.SCHEMA_FILE).write_text(text_format.MessageToString(schema))
    histograms_folder = folder / names.HISTOGRAMS.key
    histograms_folder.mkdir()
    counts = {name: count_events(columns) for name, columns in splits.items()}
    (histograms_folder / histograms.FILE_NAME).write_text(histograms.to_json(BINNINGS, counts))


def write_split(folder, output, split, proto):
    """Writes the statistics or anomalies of a split."""
    file = names.STATISTICS_FILE if output == names.STATISTICS else names.ANOMALIES_FILE
    path = folder / output.key / f"Split-{split}" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(proto.SerializeToString())


EVENTS = {names.TRAIN_SPLIT: 400, names.EVAL_SPLIT: 200}

OUTPUTS = (
    names.EXAMPLES,
    names.SCHEMA,
    names.STATISTICS,
    names.HISTOGRAMS,
    names.ANOMALIES,
    names.DATA_VERDICT,
    names.MODEL_RUN,
    names.EVALUATION,
    names.INFRA_BLESSING,
    names.PUSHED_MODEL,
)

PUSHED = {
    names.PUSHED_PROPERTY: 1,
    names.PUSHED_VERSION_PROPERTY: "17",
    names.PUSHED_DESTINATION_PROPERTY: "/serving/17",
}

RECORD = RunRecord(
    configuration=json.dumps({"seed": 7, "data_root": "/data"}), code_version="0.1.0, sources abc"
)


def make_run(folder, changes=None):
    """A pushed run whose artifacts are in a folder, each under its key.

    Args:
        folder: folder of the artifacts.
        changes: properties of artifacts by output, instead of the usual ones.
    """
    properties = {
        names.EXAMPLES: {names.events_property(split): count for split, count in EVENTS.items()}
        | {names.invalid_values_property(split): "{}" for split in EVENTS},
        names.INFRA_BLESSING: {names.BLESSED_PROPERTY: 1},
        names.PUSHED_MODEL: PUSHED,
    } | (changes or {})
    nodes = {
        output.node: NodeRun(
            output.node,
            "done",
            1.5,
            {output.key: Output(str(folder / output.key), properties.get(output, {}))},
            1.8e9,
        )
        for output in OUTPUTS
    }
    return RunOutcome("run-1", nodes, RECORD)


@pytest.fixture(scope="session")
def complete_run(tmp_path_factory):
    """The folder of a run that left everything; not to be changed."""
    folder = tmp_path_factory.mktemp("complete") / "run"
    folder.mkdir()
    write_data(folder, EVENTS)
    model_run = folder / names.MODEL_RUN.key
    model_run.mkdir()
    (model_run / training_record.FILE_NAME).write_text(json.dumps(TRAINING))
    write_evaluation(folder / names.EVALUATION.key)
    blessing = folder / names.INFRA_BLESSING.key
    blessing.mkdir()
    (blessing / names.INFRA_BLESSED_FILE).touch()
    return folder


@pytest.fixture
def run_folder(complete_run, tmp_path):
    """A run that left everything, for a test to spoil."""
    return shutil.copytree(complete_run, tmp_path / "run")


def make_outcome(pushed=1, record=RECORD, outputs=None):
    """A run that reached Pusher; its artifacts do not exist.

    Args:
        pushed: whether the model was pushed.
        record: the run's record.
        outputs: further artifacts by output, or others instead of the usual ones.
    """
    artifacts = {
        names.MODEL: Output("/root/Trainer/model/8"),
        names.DATA_VERDICT: Output("/root/DataGate/verdict/7"),
        names.INFRA_BLESSING: Output("/root/ServingCheck/blessing/9", {names.BLESSED_PROPERTY: 1}),
        names.PUSHED_MODEL: Output("/root/Pusher/12", PUSHED | {names.PUSHED_PROPERTY: pushed}),
    } | (outputs or {})
    nodes = {}
    for (node, key), output in artifacts.items():
        earlier = nodes[node].outputs if node in nodes else {}
        nodes[node] = NodeRun(node, "done", 1.5, {**earlier, key: output}, 1.8e9)
    return RunOutcome("run-1", nodes, record)


def make_report(value=0.8, limit=0.7, **changes):
    checks = (ThresholdCheck("AUC", value, limit),)
    parts = {
        "outcome": make_outcome(pushed=int(value >= limit)),
        "decision": GateDecision(value >= limit, 20_000, value, None, checks),
        "evaluation": make_evaluation(),
        "training": make_training(),
        "splits": (make_split(), make_split("eval", 500)),
    }
    return ReportData(**parts | changes)


@pytest.fixture(scope="session")
def make():
    """Makers of a report's parts, by name."""

    class Makers:
        run = staticmethod(make_run)
        evaluation_files = staticmethod(write_evaluation)
        eval_config = staticmethod(make_eval_config)
        metrics = staticmethod(make_metrics)
        scores = staticmethod(make_scores)
        slice = staticmethod(make_slice)
        evaluation = staticmethod(make_evaluation)
        training = staticmethod(make_training)
        split = staticmethod(make_split)
        outcome = staticmethod(make_outcome)
        report = staticmethod(make_report)

    return Makers
