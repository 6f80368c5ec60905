"""Whole evaluations by TFMA of given scores, and the decision that is read back from them."""

import math

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from scipy.special import expit

from components.evaluator.eval_config import AucThresholds, eval_config
from components.evaluator.extractors import slice_keys
from formats.features import LABEL
from formats.gate_decision import read_decision
from formats.gate_metrics import MetricGate

THRESHOLDS = {
    "lower_bound": 0.7,
    "max_drop": 0.002,
    "least_events": 200,
    "confidence": 0.95,
    "when_undecided": "refuse",
}


def draw(events, *, noise=0.1, own=0.1):
    """Labels, and correlated scores of a baseline and a candidate, each with its own noise."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, events)
    common = rng.normal(1.5 * labels, 1.0)
    baseline, candidate = (common + rng.normal(0, size, events) for size in (noise, own))
    return pd.DataFrame(
        {LABEL: np.float32(labels)}
        | {
            name: np.float32(expit(logits))
            for name, logits in (("candidate", candidate), ("baseline", baseline))
        }
    )


def decide(frame, folder, gates=(), **thresholds):
    """Evaluates the scores with TFMA, as TFX's Evaluator does with a model's predictions."""
    config = tfma.utils.update_eval_config_with_defaults(
        eval_config(AucThresholds(**(THRESHOLDS | thresholds)), gates),
        has_baseline="baseline" in frame,
        rubber_stamp=True,
    )
    del config.slicing_specs[2:]
    # The plots take most of the time, and do not affect the decision.
    for spec in config.metrics_specs:
        del spec.metrics[-2:]
    predictions = {spec.name: frame[spec.name or "candidate"] for spec in config.model_specs}
    predictions = {name: column.to_numpy().reshape(-1, 1) for name, column in predictions.items()}
    batches = [
        {
            tfma.LABELS_KEY: frame[LABEL].to_numpy().reshape(-1, 1)[rows],
            tfma.PREDICTIONS_KEY: (
                {name: column[rows] for name, column in predictions.items()}
                if len(predictions) > 1
                else predictions[""][rows]
            ),
            tfma.SLICE_KEY_TYPES_KEY: slice_keys(key),
        }
        for key, chosen in slices(frame)
        for rows in np.array_split(chosen, 3)
    ]
    with beam.Pipeline() as pipeline:
        evaluation = (
            pipeline
            | beam.Create(batches)
            | tfma.ExtractAndEvaluate(
                extractors=[
                    tfma.extractors.Extractor(
                        stage_name=tfma.extractors.SLICE_KEY_EXTRACTOR_STAGE_NAME,
                        ptransform=beam.Map(lambda extracts: extracts),
                    )
                ],
                evaluators=[tfma.evaluators.MetricsPlotsAndValidationsEvaluator(config)],
            )
        )
        evaluation | tfma.WriteResults(
            writers=tfma.default_writers(str(folder), eval_config=config)
        )
    return read_decision(str(folder))


def slices(frame):
    """All events, and those of each number of b-tags."""
    yield (), np.arange(len(frame))
    for level in (1, 2):
        rows = np.flatnonzero(frame.index % 10 == level)
        yield (("n_b_tags", level),), rows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
class TestDecision:
    """Each evaluation by TFMA takes seconds."""

    def test_comparison_on_too_few_events_is_undecided(self, tmp_path):
        frame = draw(400, noise=0.4, own=0.4)
        decision = decide(frame, tmp_path / "e", when_undecided="keep-baseline")
        assert (decision.passed, decision.is_undecided, decision.keeps_baseline) == (
            False,
            True,
            True,
        )
        *_, change, bound, clear = decision.checks
        assert change.passed
        assert -0.05 < clear.value < bound.value < -0.002
        assert bound.name == "difference in AUC, 95 % lower bound"
        error = (change.interval[1] - change.value) / 1.959964
        signal = frame[LABEL].sum()
        error = math.sqrt(error**2 + 3 / signal**2 + 3 / (400 - signal) ** 2)
        assert bound.value == pytest.approx(change.value - 1.644854 * error, abs=1e-6)
        assert clear.value == pytest.approx(change.value - 3.090232 * error, abs=1e-6)
        assert "eval events instead of 400, or evaluation.auc_max_drop 0.0" in bound.undecided
        assert clear.undecided == bound.undecided

    def test_one_class_is_undecidable(self, tmp_path):
        frame = draw(600)
        decision = decide(frame[frame[LABEL] == 1], tmp_path / "e")
        assert not decision.passed
        assert not decision.is_undecided
        assert math.isnan(decision.auc)
        assert decision.auc_fault.endswith("events are signal")
        assert {check.fault for check in decision.checks[1:3]} == {decision.auc_fault}

    def test_a_score_that_is_not_a_number_is_refused(self, tmp_path):
        frame = draw(600)
        frame.loc[0, "candidate"] = np.nan
        decision = decide(frame, tmp_path / "e")
        assert not decision.passed
        assert not decision.is_undecided
        assert math.isnan(decision.auc)
        assert decision.auc_fault.startswith("some scores are not numbers")

    def test_two_events_and_no_baseline_decide_nothing(self, tmp_path):
        frame = draw(50).drop(columns="baseline").sort_values(LABEL).iloc[[0, -1]]
        decision = decide(frame, tmp_path / "e", lower_bound=0.0)
        assert not decision.passed
        assert [check.name for check in decision.checks] == ["events", "AUC"]
        assert (decision.checks[0].value, decision.checks[0].passed) == (2.0, False)

    def test_any_metric_gates_any_slice(self, tmp_path):
        gates = (
            MetricGate("background_rejection", at_least=100.0, signal_efficiency=0.7),
            MetricGate("binary_crossentropy", at_most=0.69, max_drop=0.1),
            MetricGate("auc", (("n_b_tags", "2"),), at_least=0.75),
            MetricGate("auc", (("n_b_tags", "4"),), at_least=0.75),
        )
        decision = decide(draw(1000), tmp_path / "e", gates, max_drop=0.1)
        results = {check.name: check.passed for check in decision.checks}
        assert results == {
            "events": True,
            "events (n_b_tags = 2)": False,
            "events (n_b_tags = 4)": False,
            "AUC": True,
            "difference in AUC": True,
            "AUC (n_b_tags = 2)": True,
            "AUC (n_b_tags = 4)": False,
            "difference in AUC, 95 % lower bound": True,
            "difference in AUC, 99.9 % lower bound": True,
            "log loss": True,
            "difference in log loss": True,
            "background rejection at 0.7": False,
        }
        assert not decision.passed
        values = {check.name: check.value for check in decision.checks}
        assert (values["events (n_b_tags = 2)"], values["events (n_b_tags = 4)"]) == (100, 0)
        # TFMA itself finds the same.
        result = tfma.load_validation_result(str(tmp_path / "e"))
        failed = {
            failure.metric_key.name
            for measured in result.metric_validations_per_slice
            for failure in measured.failures
        }
        assert {"background_rejection_at_0.7", "example_count"} <= failed
        assert "binary_crossentropy" not in failed
        assert [dict(spec.feature_values) for spec in result.missing_slices] == [{"n_b_tags": "4"}]
