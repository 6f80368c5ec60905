"""The Evaluator's decision on a model with its thresholds, read from TFMA's output files."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tensorflow_model_analysis as tfma
from google.protobuf.wrappers_pb2 import DoubleValue
from tensorflow_model_analysis.writers.eval_config_writer import load_eval_run

from formats.evaluation_record import AUC, EVENT_COUNT, Evaluation, join_evaluation, read_metrics


@dataclass(frozen=True)
class ThresholdCheck:
    """One threshold and the value that was compared with it.

    Attributes:
        name: the compared quantity.
        value: its measured value.
        limit: the smallest value that passes.
        is_change: whether both are differences from the baseline.
        is_count: whether both are numbers of events.
        fault: why the value is undefined, so that nothing can be decided; empty if it is defined.
    """

    name: str
    value: float
    limit: float
    is_change: bool = False
    is_count: bool = False
    fault: str = ""

    @property
    def margin(self) -> float:
        """How far the value is above the limit; negative if it is below, NaN if undefined.

        >>> ThresholdCheck("AUC", 0.75, 0.5).margin
        0.25
        """
        return self.value - self.limit

    @property
    def passed(self) -> bool:
        """Tells whether the value reaches the limit; an undefined value does not."""
        return self.margin >= 0


@dataclass(frozen=True)
class GateDecision:
    """The Evaluator's decision on a model.

    Attributes:
        passed: whether TFMA's validation succeeded.
        events: number of evaluated events.
        auc: the candidate's AUC on them; NaN if it is undefined.
        baseline_auc: the baseline's AUC on the same events; None without a baseline, NaN if it is
            undefined.
        checks: every threshold that was applied.
        auc_fault: why the AUC is undefined; empty if it is defined.
    """

    passed: bool
    events: int
    auc: float
    baseline_auc: float | None
    checks: tuple[ThresholdCheck, ...]
    auc_fault: str = ""


def read_decision(folder: str) -> GateDecision:
    """Reads the decision from an evaluation artifact's folder; without thresholds it is a pass.

    Raises:
        ValueError: the folder lacks the AUC, the number of events, the thresholds or the result
            of the validation.
    """
    # Without the score histograms, the largest of the files, which decide nothing.
    evaluation = join_evaluation(read_metrics(folder), {})
    overall = evaluation.candidate.overall
    if AUC not in overall.metrics or overall.events is None:
        raise ValueError(f"no AUC, or no number of events, in {folder}")
    baseline = evaluation.baseline.overall.auc if evaluation.baseline else None
    config, *_ = load_eval_run(folder)
    if config is None:
        raise ValueError(f"no thresholds, because there is no configuration in {folder}")
    thresholds = _thresholds(config)
    return GateDecision(
        passed=not thresholds or _read_validation(folder),
        events=overall.events,
        auc=overall.auc,
        baseline_auc=baseline,
        checks=tuple(_checks(thresholds, evaluation)),
        auc_fault=overall.auc_fault,
    )


def _read_validation(folder: str) -> bool:
    try:
        return bool(tfma.load_validation_result(folder).validation_ok)
    except AssertionError:  # raised by TFMA without a message
        raise ValueError(f"no decision, because there is no validation in {folder}") from None


def _checks(
    thresholds: Mapping[str, tfma.MetricThreshold], evaluation: Evaluation
) -> Iterator[ThresholdCheck]:
    candidate = evaluation.candidate.overall
    if limit := _lower_bound(thresholds.get(EVENT_COUNT)):
        events = candidate.metrics.get(EVENT_COUNT, math.nan)
        yield ThresholdCheck("events", events, limit.value, is_count=True)
    threshold = thresholds.get(AUC)
    if limit := _lower_bound(threshold):
        yield ThresholdCheck("AUC", candidate.auc, limit.value, fault=candidate.auc_fault)
    if evaluation.baseline and threshold and threshold.change_threshold.HasField("absolute"):
        baseline = evaluation.baseline.overall
        yield ThresholdCheck(
            "AUC above the baseline's",
            candidate.auc - baseline.auc,
            threshold.change_threshold.absolute.value,
            is_change=True,
            fault=candidate.auc_fault or (baseline.auc_fault and f"baseline: {baseline.auc_fault}"),
        )


def _lower_bound(threshold: tfma.MetricThreshold | None) -> DoubleValue | None:
    if threshold is None or not threshold.value_threshold.HasField("lower_bound"):
        return None
    return threshold.value_threshold.lower_bound


def _thresholds(config: tfma.EvalConfig) -> dict[str, tfma.MetricThreshold]:
    """The thresholds by the name of their metric."""
    return {
        json.loads(metric.config or "{}").get("name", ""): sliced.threshold
        for spec in config.metrics_specs
        for metric in spec.metrics
        for sliced in metric.per_slice_thresholds
    }
