"""Names shared by the nodes that write artifacts and the code that reads them.

Node ids and output keys are what ML Metadata and compiled pipelines call them.
"""

from typing import NamedTuple

EXAMPLE_GEN = "CollisionExampleGen"
SCHEMA_IMPORT = "ImportSchemaGen"
STATISTICS_GEN = "StatisticsGen"
HISTOGRAM_GEN = "HistogramGen"
SCHEMA_GEN = "SchemaGen"
EXAMPLE_VALIDATOR = "ExampleValidator"
DATA_GATE = "DataGate"
WARM_START = "WarmStart"
TRAINER = "Trainer"
BASELINE = "Baseline"
EVALUATOR = "Evaluator"
TEST_EVALUATOR = "TestEvaluator"
SERVING_CHECK = "ServingCheck"
PUSHER = "Pusher"
PUSH_GATE = "PushGate"
REPORT = "Report"
SERVED_MODEL = "ServedModel"
SCORER = "Scorer"


NODES = frozenset(
    {
        EXAMPLE_GEN,
        SCHEMA_IMPORT,
        STATISTICS_GEN,
        HISTOGRAM_GEN,
        SCHEMA_GEN,
        EXAMPLE_VALIDATOR,
        DATA_GATE,
        WARM_START,
        TRAINER,
        BASELINE,
        EVALUATOR,
        TEST_EVALUATOR,
        SERVING_CHECK,
        PUSHER,
        PUSH_GATE,
        REPORT,
        SERVED_MODEL,
        SCORER,
    }
)
"""Every node that a graph can have."""


class NodeOutput(NamedTuple):
    """One output of a node: the node's id and the output's key."""

    node: str
    key: str


EXAMPLES = NodeOutput(EXAMPLE_GEN, "examples")
SCHEMA = NodeOutput(SCHEMA_IMPORT, "schema")
STATISTICS = NodeOutput(STATISTICS_GEN, "statistics")
HISTOGRAMS = NodeOutput(HISTOGRAM_GEN, "histograms")
ANOMALIES = NodeOutput(EXAMPLE_VALIDATOR, "anomalies")
DATA_VERDICT = NodeOutput(DATA_GATE, "verdict")
MODEL = NodeOutput(TRAINER, "model")
MODEL_RUN = NodeOutput(TRAINER, "model_run")
MODEL_IN_SERVICE = NodeOutput(BASELINE, "model")
EVALUATION = NodeOutput(EVALUATOR, "evaluation")
BLESSING = NodeOutput(EVALUATOR, "blessing")
TEST_EVALUATION = NodeOutput(TEST_EVALUATOR, "evaluation")
INFRA_BLESSING = NodeOutput(SERVING_CHECK, "blessing")
PUSHED_MODEL = NodeOutput(PUSHER, "pushed_model")
SCORES = NodeOutput(SCORER, "scores")

TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"
TEST_SPLIT = "test"
"""The split for the AUC to publish; no gate depends on it."""

SPLITS = (TRAIN_SPLIT, EVAL_SPLIT, TEST_SPLIT)

SAVED_MODEL_FILE = "saved_model.pb"
"""File that makes a folder a SavedModel; Pusher copies it last."""

ONNX_FILE = "model.onnx"
"""The model for runtimes without TensorFlow, in the SavedModel's folder.

Its input and output are those of ``FEATURES_SIGNATURE``.
"""

SERVING_SIGNATURE = "serving_default"
"""Signature on serialized records, string [N]."""

FEATURES_SIGNATURE = "score_features"
"""Signature on feature vectors, float32 [N, 28]."""

COLUMNS_SIGNATURE = "score_columns"
"""Signature on one float32 [N, 1] per feature; the one that is evaluated."""

SIGNAL_PROBABILITY = "signal_probability"
"""Output of every signature, float32 [N, 1], and of the network's last layer."""

STATISTICS_FILE = "FeatureStats.pb"
ANOMALIES_FILE = "SchemaDiff.pb"
"""Files of StatisticsGen and ExampleValidator in the folder of each split."""

SCHEMA_FILE = "schema.pbtxt"

# Custom properties of artifacts. TFX's Pusher, Evaluator and InfraValidator define all but ABSENT.
PUSHED_PROPERTY = "pushed"
PUSHED_VERSION_PROPERTY = "pushed_version"
PUSHED_DESTINATION_PROPERTY = "pushed_destination"
BLESSED_PROPERTY = "blessed"
BASELINE_PROPERTY = "baseline_model"
BASELINE_VERSION_PROPERTY = "baseline_version"
"""On a model from the push directory its version; on a blessing the version compared with."""
NEWEST_VERSION_PROPERTY = "newest_version"
"""On a model from the push directory, or its absence, and on a blessing: the largest version that
was there when the model was selected; "0" if there was none."""
BASELINE_REMARK_PROPERTY = "baseline_remark"
"""On a model from the push directory, or its absence: why it was chosen, for the console."""
ABSENT_PROPERTY = "absent"
"""1 on a placeholder for a missing artifact, which its consumer treats as none."""

ROWS_PROPERTY = "rows"
FLAGGED_PROPERTY = "flagged"
MODEL_VERSION_PROPERTY = "model_version"
"""On Scores: number of rows, of rows without a score, and the version of the model."""

INFRA_BLESSED_FILE = "INFRA_BLESSED"
INFRA_NOT_BLESSED_FILE = "INFRA_NOT_BLESSED"
"""Files of an InfraBlessing, as InfraValidator names them; the second holds the reason."""


INGESTED_EVENTS = "ingested_events"
"""Key of the Trainer's ``custom_config`` with the number of ingested events by split."""


def events_property(split: str) -> str:
    """Custom property of Examples that holds the number of events of a split.

    >>> events_property("train")
    'events_train'
    """
    return f"events_{split}"


def invalid_values_property(split: str) -> str:
    """Custom property of Examples that holds the invalid values of a split, as JSON."""
    return f"unknown_codes_{split}"
