"""The Evaluator's decision on a model with its thresholds, read from TFMA's output files."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow_model_analysis as tfma
from google.protobuf.wrappers_pb2 import DoubleValue
from tensorflow_model_analysis.writers.eval_config_writer import load_eval_run

from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_ERROR,
    AUC_CHANGE_LOWER_BOUND,
    EVENT_COUNT,
    OVERALL,
    Z_95,
    Evaluation,
    join_evaluation,
    read_changes,
    read_metrics,
)

NEGLIGIBLE = 1e-6
"""A difference of AUCs that no realistic number of events resolves."""

KEEP_BASELINE = "keep-baseline"
"""The configured value of ``when_undecided`` that keeps the model in service."""


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
        undecided: if the value only misses the limit because too few events were measured, what
            would decide; otherwise empty.
        interval: the 95 % confidence interval of the value; None if there is none.
    """

    name: str
    value: float
    limit: float
    is_change: bool = False
    is_count: bool = False
    fault: str = ""
    undecided: str = ""
    interval: tuple[float, float] | None = None

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
        when_undecided: the configured ``evaluation.when_undecided``.
    """

    passed: bool
    events: int
    auc: float
    baseline_auc: float | None
    checks: tuple[ThresholdCheck, ...]
    auc_fault: str = ""
    when_undecided: str = ""

    @property
    def is_undecided(self) -> bool:
        """Tells whether the model is refused only because too few events were measured."""
        return not self.passed and all(check.passed or check.undecided for check in self.checks)

    @property
    def keeps_baseline(self) -> bool:
        """Tells whether the model in service stays, and that this is no failure."""
        return self.is_undecided and self.when_undecided == KEEP_BASELINE


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
    settings = _settings(config).get(AUC_CHANGE_LOWER_BOUND, {})
    changes = read_changes(folder).get(OVERALL, {})
    return GateDecision(
        passed=not thresholds or _read_validation(folder),
        events=overall.events,
        auc=overall.auc,
        baseline_auc=baseline,
        checks=(
            *_checks(thresholds, evaluation, changes),
            *_bound_checks(thresholds, evaluation, changes, settings),
        ),
        auc_fault=overall.auc_fault,
        when_undecided=str(settings.get("when_undecided", "")),
    )


def _read_validation(folder: str) -> bool:
    try:
        return bool(tfma.load_validation_result(folder).validation_ok)
    except AssertionError:  # raised by TFMA without a message
        raise ValueError(f"no decision, because there is no validation in {folder}") from None


def _checks(
    thresholds: Mapping[str, tfma.MetricThreshold],
    evaluation: Evaluation,
    changes: Mapping[str, float],
) -> Iterator[ThresholdCheck]:
    candidate = evaluation.candidate.overall
    if limit := _lower_bound(thresholds.get(EVENT_COUNT)):
        events = candidate.metrics.get(EVENT_COUNT, math.nan)
        yield ThresholdCheck("events", events, limit.value, is_count=True)
    threshold = thresholds.get(AUC)
    if limit := _lower_bound(threshold):
        yield ThresholdCheck(
            "AUC",
            candidate.auc,
            limit.value,
            fault=candidate.auc_fault,
            interval=_defined(candidate.auc_interval),
        )
    if evaluation.baseline and threshold and threshold.change_threshold.HasField("absolute"):
        baseline = evaluation.baseline.overall
        change, error = candidate.auc - baseline.auc, Z_95 * changes.get(AUC_CHANGE_ERROR, math.nan)
        yield ThresholdCheck(
            "AUC above the baseline's",
            change,
            threshold.change_threshold.absolute.value,
            is_change=True,
            fault=candidate.auc_fault or (baseline.auc_fault and f"baseline: {baseline.auc_fault}"),
            interval=_defined((change - error, change + error)),
        )


def _bound_checks(
    thresholds: Mapping[str, tfma.MetricThreshold],
    evaluation: Evaluation,
    changes: Mapping[str, float],
    settings: Mapping[str, Any],
) -> Iterator[ThresholdCheck]:
    threshold = thresholds.get(AUC_CHANGE_LOWER_BOUND)
    if evaluation.baseline is None or threshold is None or AUC_CHANGE_LOWER_BOUND not in changes:
        return
    change = evaluation.candidate.overall.auc - evaluation.baseline.overall.auc
    bound = changes[AUC_CHANGE_LOWER_BOUND]
    limit = threshold.change_threshold.absolute.value
    fault = "" if math.isfinite(bound) else "its error needs at least two events of each class"
    yield ThresholdCheck(
        f"AUC above the baseline's, {100 * settings['confidence']:.4g} % lower bound",
        bound,
        limit,
        is_change=True,
        fault=fault,
        undecided=(
            _what_would_decide(change, bound, limit, evaluation.candidate.overall.events or 0)
            if change >= limit > bound
            else ""
        ),
    )


def _what_would_decide(change: float, bound: float, limit: float, events: int) -> str:
    """Describes the number of events, or the limit, with which the bound would pass.

    The distance of the bound from the change is inversely proportional to the square root of the
    number of events.
    """
    drop = f"evaluation.auc_max_drop {math.ceil(-bound * 1e4) / 1e4:.4f}"
    if change - limit < NEGLIGIBLE:
        return f"{drop} would decide"
    needed = events * ((change - bound) / (change - limit)) ** 2
    rounded = math.ceil(needed / 1000) * 1000
    return f"about {rounded:,} eval events instead of {events:,}, or {drop}, would decide"


def _defined(interval: tuple[float, float]) -> tuple[float, float] | None:
    return None if math.isnan(interval[0]) else interval


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


def _settings(config: tfma.EvalConfig) -> dict[str, dict[str, Any]]:
    """The settings of the metrics by their names."""
    settings = (
        json.loads(metric.config or "{}")
        for spec in config.metrics_specs
        for metric in spec.metrics
    )
    return {values.get("name", ""): values for values in settings}
