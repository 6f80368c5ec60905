"""The thresholds of an evaluation, each with the value that was compared with it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import tensorflow_model_analysis as tfma

from formats import evaluation_record as record
from formats.evaluation_record import Evaluation, ModelEvaluation, SliceEvaluation
from formats.gate_metrics import CLEAR_DROP, clear_confidence, interval_method, metric_label

Changes = Mapping[str, Mapping[str, float]]
"""Differences of the candidate from the baseline by slice and metric."""

NEGLIGIBLE = 1e-6
"""A difference of AUCs that cannot be resolved with any realistic number of events."""


@dataclass(frozen=True)
class ThresholdCheck:
    """One threshold and the value that was compared with it.

    Attributes:
        name: the compared quantity.
        value: its measured value.
        limit: the smallest value that passes, or the largest.
        is_change: whether both are differences from the baseline.
        is_count: whether both are numbers of events.
        fault: why the value is undefined, so that nothing can be decided; empty if it is defined.
        undecided: if the value only misses the limit because too few events were measured, what
            would decide; otherwise empty.
        interval: the 95 % confidence interval of the value; None if there is none.
        is_upper: whether the limit is the largest value that passes.
        method: how the interval is computed.
    """

    name: str
    value: float
    limit: float
    is_change: bool = False
    is_count: bool = False
    fault: str = ""
    undecided: str = ""
    interval: tuple[float, float] | None = None
    is_upper: bool = False
    method: str = field(default="", compare=False)

    @property
    def margin(self) -> float:
        """How far the value passes the limit; negative if it misses it, NaN if it is undefined.

        >>> ThresholdCheck("AUC", 0.75, 0.5).margin
        0.25
        """
        return self.limit - self.value if self.is_upper else self.value - self.limit

    @property
    def passed(self) -> bool:
        """Returns whether the value reaches the limit; an undefined value does not."""
        return self.margin >= 0

    @property
    def requirement(self) -> str:
        """The words before the limit."""
        return "at most" if self.is_upper else "at least"


def threshold_checks(
    config: tfma.EvalConfig, evaluation: Evaluation, changes: Changes
) -> Iterator[ThresholdCheck]:
    """Yields every applied threshold of a configuration."""
    for metric, settings in configured_metrics(config):
        for sliced in metric.per_slice_thresholds:
            name = _slice_name(sliced.slicing_specs)
            compared = _Compared(settings, name, evaluation, changes.get(name, {}))
            yield from compared.checks(sliced.threshold)


def configured_metrics(
    config: tfma.EvalConfig,
) -> Iterator[tuple[tfma.MetricConfig, dict[str, Any]]]:
    """Yields every metric of a configuration with its settings, such as its name."""
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            yield metric, json.loads(metric.config or "{}")


@dataclass(frozen=True)
class _Compared:
    """A metric of one slice, with what it is compared with."""

    settings: Mapping[str, Any]
    slice_name: str
    evaluation: Evaluation
    changes: Mapping[str, float]

    def checks(self, threshold: tfma.MetricThreshold) -> Iterator[ThresholdCheck]:
        value = threshold.value_threshold
        for bound, is_upper in (("lower_bound", False), ("upper_bound", True)):
            if value.HasField(bound):
                yield self._value_check(getattr(value, bound).value, is_upper)
        change = threshold.change_threshold
        if self.baseline and change.HasField("absolute"):
            is_bound = self.metric in (record.AUC_CHANGE_LOWER_BOUND, record.AUC_CHANGE_CLEAR_BOUND)
            check = self._bound_check if is_bound else self._change_check
            yield check(
                change.absolute.value, change.direction == tfma.MetricDirection.LOWER_IS_BETTER
            )

    @property
    def metric(self) -> str:
        return str(self.settings.get("name", ""))

    @property
    def label(self) -> str:
        label = "events" if self.metric == record.EVENT_COUNT else metric_label(self.metric)
        return f"{label}{self.slice_note}"

    @property
    def slice_note(self) -> str:
        return "" if self.slice_name == record.OVERALL else f" ({self.slice_name})"

    @property
    def candidate(self) -> SliceEvaluation:
        return _find(self.evaluation.candidate, self.slice_name)

    @property
    def baseline(self) -> SliceEvaluation | None:
        baseline = self.evaluation.baseline
        return _find(baseline, self.slice_name) if baseline else None

    def _value_check(self, limit: float, is_upper: bool) -> ThresholdCheck:
        if self.metric == record.EVENT_COUNT:
            events = float(self.candidate.events or 0)
            return ThresholdCheck(self.label, events, limit, is_count=True, is_upper=is_upper)
        return ThresholdCheck(
            self.label,
            self._value(self.candidate),
            limit,
            fault=self._fault(self.candidate),
            interval=_defined(self.candidate.interval(self.metric)),
            is_upper=is_upper,
            method=interval_method(self.metric),
        )

    def _change_check(self, limit: float, is_upper: bool) -> ThresholdCheck:
        assert self.baseline is not None
        values = self._value(self.candidate), self._value(self.baseline)
        fault = self._fault(self.baseline)
        return ThresholdCheck(
            f"difference in {self.label}",
            values[0] - values[1],
            limit,
            is_change=True,
            fault=self._fault(self.candidate)
            or (fault and f"baseline: {fault}")
            or ("both values are infinite" if math.isinf(min(values)) else ""),
            interval=_defined(self._change_interval(self.baseline)),
            is_upper=is_upper,
            method=interval_method(self.metric) if self.metric == record.AUC else "Newcombe 1998",
        )

    def _change_interval(self, baseline: SliceEvaluation) -> tuple[float, float]:
        """Computes the 95 % confidence interval of the difference; NaN if it is undefined.

        That of the AUC is DeLong's. That of another metric follows from the intervals of both
        models (Newcombe 1998, Statistics in Medicine 17, 873). It is wider than necessary, because
        it ignores that both scored the same events.
        """
        value, base = self._value(self.candidate), self._value(baseline)
        if self.metric == record.AUC:
            error = record.Z_95 * self.changes.get(record.AUC_CHANGE_ERROR, math.nan)
            return value - base - error, value - base + error
        low, high = self.candidate.interval(self.metric)
        base_low, base_high = baseline.interval(self.metric)
        return (
            value - base - math.hypot(value - low, base_high - base),
            value - base + math.hypot(high - value, base - base_low),
        )

    def _bound_check(self, limit: float, is_upper: bool) -> ThresholdCheck:
        assert self.baseline is not None
        change = self.candidate.auc - self.baseline.auc
        bound = self.changes.get(self.metric, math.nan)
        confidence, drop = float(self.settings["confidence"]), -limit
        if self.metric == record.AUC_CHANGE_CLEAR_BOUND:
            confidence, drop = clear_confidence(confidence), drop / CLEAR_DROP
        fault = self.candidate.auc_fault or "its error needs at least two events of each class"
        undecided = ""
        if bound < limit and change >= -drop:
            error = (change - bound) / NormalDist().inv_cdf(confidence)
            undecided = self._what_would_decide(change, error, drop)
        return ThresholdCheck(
            f"difference in AUC{self.slice_note}, {100 * confidence:.8g} % lower bound",
            bound,
            limit,
            is_change=True,
            fault="" if math.isfinite(bound) else fault,
            undecided=undecided,
            is_upper=is_upper,
        )

    def _what_would_decide(self, change: float, error: float, drop: float) -> str:
        """Describes the number of events, or the tolerated drop, with which both bounds pass.

        An error is inversely proportional to the square root of the number of events.
        """
        confidence = float(self.settings["confidence"])
        near, clear = (
            error * NormalDist().inv_cdf(value)
            for value in (confidence, clear_confidence(confidence))
        )
        sufficient = max(near - change, (clear - change) / CLEAR_DROP)
        key = "evaluation.auc_max_drop" if self.slice_name == record.OVERALL else "max_drop"
        setting = f"{key} {math.ceil(sufficient * 1e4) / 1e4:.4f}"
        if change + drop < NEGLIGIBLE:
            return f"{setting} would decide"
        events = self.candidate.events or 0
        excess = max(near / (change + drop), clear / (change + CLEAR_DROP * drop))
        needed = math.ceil(events * excess**2 / 1000) * 1000
        return f"about {needed:,} eval events instead of {events:,}, or {setting}, would decide"

    def _value(self, measured: SliceEvaluation) -> float:
        return measured.metrics.get(self.metric, math.nan)

    def _fault(self, measured: SliceEvaluation) -> str:
        if not math.isnan(self._value(measured)):
            return ""
        return measured.auc_fault or "it was not measured"


def _find(model: ModelEvaluation, name: str) -> SliceEvaluation:
    """A model's evaluation on a slice; an empty one if it has none."""
    slices = (model.overall, *model.slices)
    empty = SliceEvaluation(name, {record.AUC: math.nan, record.EVENT_COUNT: 0.0}, record.NO_SCORES)
    return next((measured for measured in slices if measured.name == name), empty)


def _defined(interval: tuple[float, float]) -> tuple[float, float] | None:
    return None if math.isnan(interval[0]) else interval


def _slice_name(specs: Any) -> str:
    values = {column: value for spec in specs for column, value in spec.feature_values.items()}
    return record.slice_title(sorted(values.items()))
