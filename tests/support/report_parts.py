import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format, text_format
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2

from components.histogram_gen.class_counts import Binning, choose_binning, count
from components.report.data_section import FeatureStatistics, Split
from components.report.report_data import ReportData
from formats.evaluation_record import Evaluation, Measured, ModelEvaluation, Scores
from formats.gate_decision import Check, Verdict
from formats.histograms import ClassHistogram, to_json
from formats.run_outcome import NodeRun, Output, RunOutcome, RunRecord
from formats.training_record import parse_training

BINS = 100


def make_scores(seed=1, events=20_000, power=2.0):
    """Scores of events that a classifier of some power can tell apart."""
    rng = np.random.default_rng(seed)
    signal, background = rng.beta(power, 1, events // 2), rng.beta(1, power, events // 2)
    counts = [np.histogram(s, BINS, (0, 1))[0].astype(float) for s in (signal, background)]
    both = np.concatenate([signal, background])
    return Scores(*counts, np.histogram(both, BINS, (0, 1), weights=both)[0])


def make_metrics(auc=0.8, events=20_000):
    return {
        "auc": auc,
        "example_count": float(events),
        "binary_accuracy": 0.75,
        "binary_crossentropy": 0.5,
        "background_rejection": 20.0,
        "maximal_significance": 5.0,
        "expected_calibration_error": 0.01,
    }


def make_measured(name="all events", auc=0.8, events=20_000, **options):
    return Measured(name, make_metrics(auc, events), make_scores(events=events, **options))


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


def write_evaluation(folder, models=None, slices=("n_b_tags = 2",), lower_bound=0.7, passed=True):
    """The files that TFMA's Evaluator leaves: metrics, plots, configuration and validation.

    Args:
      folder: where to; it is made.
      models: by TFMA's name of the model, its slices: metrics and scores by the slice's name, the
        overall one's is nothing. Without any, one model alone, with the slices named.
      slices: of that model.
      lower_bound: of the AUC; None for a model that nothing is asked of.
      passed: what the validation came to.
    """
    folder.mkdir(parents=True)
    alone = {name: (make_metrics(), make_scores()) for name in ("", *slices)}
    models = models or {"": alone}
    metrics, plots = {}, {}
    for model, measured in models.items():
        for name, (values, scores) in measured.items():
            metrics.setdefault(name, []).append((model, values))
            plots.setdefault(name, []).append((model, scores))
    write_records(
        folder / "metrics-00000-of-00001.tfrecord",
        [_metrics_proto(name, entries) for name, entries in metrics.items()],
    )
    write_records(
        folder / "plots-00000-of-00001.tfrecord",
        [_plots_proto(name, entries) for name, entries in plots.items()],
    )
    validation = validation_result_pb2.ValidationResult(validation_ok=passed)
    write_records(folder / "validations.tfrecord", [validation])
    run = config_pb2.EvalRun(
        eval_config=make_eval_config(lower_bound),
        version="0.47.0",
        file_format="tfrecord",
        model_locations=dict.fromkeys(models, "/model"),
    )
    (folder / "eval_config.json").write_text(json_format.MessageToJson(run))


def write_records(path, protos):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for proto in protos:
            writer.write(proto.SerializeToString())


def make_eval_config(lower_bound=0.7, max_drop=0.002):
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": lower_bound or 0.0}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -max_drop}
        ),
    )
    gate = tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)
    metric = tfma.MetricConfig(class_name="AUC", per_slice_thresholds=[gate] if lower_bound else [])
    return tfma.EvalConfig(metrics_specs=[tfma.MetricsSpec(metrics=[metric])])


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
    return proto


COLUMNS = ("m_bb", "jet_1_b_tag")


def make_columns(events, seed=1):
    """A label and two features, one of them a code."""
    rng = np.random.default_rng(seed)
    label = (np.arange(events) % 2).astype(np.float32)
    mass = rng.normal(1.0, 0.3, events).astype(np.float32)
    code = np.float32(1.0865380764007568) * rng.integers(0, 3, events).astype(np.float32)
    return {"label": label, "m_bb": mass, "jet_1_b_tag": code}


def write_data(folder, events):
    """Statistics, anomalies, schema and histograms of splits, by their numbers of events."""
    splits = {name: make_columns(number, seed=number) for name, number in events.items()}
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name=name) for name in COLUMNS])
    for name, columns in splits.items():
        arrays = [pa.array([[v] for v in c], pa.large_list(pa.float32())) for c in columns.values()]
        batch = pa.RecordBatch.from_arrays(arrays, list(columns))
        place = folder / "statistics" / f"Split-{name}" / "FeatureStats.pb"
        place.parent.mkdir(parents=True)
        place.write_bytes(generate_statistics_in_memory(batch).SerializeToString())
        place = folder / "anomalies" / f"Split-{name}" / "SchemaDiff.pb"
        place.parent.mkdir(parents=True)
        place.write_bytes(anomalies_pb2.Anomalies(baseline=schema).SerializeToString())
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(schema))
    (folder / "histograms").mkdir()
    first = generate_statistics_in_memory(batch).datasets[0]
    numbers = {feature.path.step[0]: feature.num_stats for feature in first.features}
    binnings = {name: choose_binning(name, numbers[name]) for name in COLUMNS}
    censuses = {
        name: count({c: columns[c] for c in COLUMNS}, columns["label"], binnings)
        for name, columns in splits.items()
    }
    (folder / "histograms" / "histograms.json").write_text(to_json(binnings, censuses))


EVENTS = {"train": 400, "eval": 200}

ARTIFACTS = {
    "CollisionExampleGen": "examples",
    "ImportSchemaGen": "schema",
    "StatisticsGen": "statistics",
    "HistogramGen": "histograms",
    "ExampleValidator": "anomalies",
    "DataGate": "verdict",
    "Trainer": "model_run",
    "Evaluator": "evaluation",
    "ServingCheck": "blessing",
    "Pusher": "pushed_model",
}


def make_run(folder):
    """A pushed run whose artifacts lie in a folder, each under its key."""
    properties = {
        "examples": {f"events_{name}": number for name, number in EVENTS.items()}
        | {f"unknown_codes_{name}": "{}" for name in EVENTS},
        "blessing": {"blessed": 1},
        "pushed_model": {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/17"},
    }
    nodes = {
        node: NodeRun(
            node, "done", 1.5, {key: Output(str(folder / key), properties.get(key, {}))}, 1.8e9
        )
        for node, key in ARTIFACTS.items()
    }
    record = RunRecord(json.dumps({"seed": 7, "data_root": "/data"}), "0.1.0, sources abc")
    return RunOutcome("run-1", nodes, record)


@pytest.fixture(scope="session")
def complete_run(tmp_path_factory):
    """The folder of a run that left everything; not to be changed."""
    folder = tmp_path_factory.mktemp("complete") / "run"
    folder.mkdir()
    write_data(folder, EVENTS)
    (folder / "model_run").mkdir()
    (folder / "model_run" / "training.json").write_text(json.dumps(TRAINING))
    write_evaluation(folder / "evaluation")
    (folder / "blessing").mkdir()
    (folder / "blessing" / "INFRA_BLESSED").touch()
    return folder


@pytest.fixture
def run_folder(complete_run, tmp_path):
    """A run that left everything, for a test to spoil."""
    return shutil.copytree(complete_run, tmp_path / "run")


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
        run = staticmethod(make_run)
        evaluation_files = staticmethod(write_evaluation)
        eval_config = staticmethod(make_eval_config)
        metrics = staticmethod(make_metrics)
        scores = staticmethod(make_scores)
        measured = staticmethod(make_measured)
        evaluation = staticmethod(make_evaluation)
        split = staticmethod(make_split)
        outcome = staticmethod(make_outcome)
        report = staticmethod(make_report)
        training = TRAINING

    return Makers
