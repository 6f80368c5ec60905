"""TFMA's configuration: metrics, slices and the thresholds that gate the push."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow_model_analysis as tfma

from components.evaluator.slices import SLICE_COLUMNS
from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_CLEAR_BOUND,
    AUC_CHANGE_LOWER_BOUND,
    EVENT_COUNT,
)
from formats.features import LABEL
from formats.gate_metrics import CLEAR_DROP, GATE_METRICS, REJECTION, MetricGate, error_of
from formats.names import COLUMNS_SIGNATURE, SIGNAL_PROBABILITY

METRICS_MODULE = "components.evaluator.metrics"

Thresholds: TypeAlias = dict[str, list[tfma.PerSliceMetricThreshold]]
"""The thresholds by metric."""


@dataclass(frozen=True)
class AucThresholds:
    """The thresholds on the overall AUC.

    Attributes:
        lower_bound: the smallest AUC that is blessed.
        max_drop: how far the AUC may be below the baseline's.
        least_events: the number of events that it must be measured on.
        confidence: of the lower bound of the AUC's difference from the baseline's, which must not
            be below ``-max_drop`` either. The lower bound at ``clear_confidence`` must not be
            below ``-CLEAR_DROP * max_drop``.
        when_undecided: what happens if the difference passes and a lower bound does not:
            refuse, keep-baseline or push; only push blesses the model.
    """

    lower_bound: float
    max_drop: float
    least_events: int
    confidence: float
    when_undecided: str


def eval_config(
    thresholds: AucThresholds | None, gates: Sequence[MetricGate] = ()
) -> tfma.EvalConfig:
    """Builds the configuration of an evaluation; without thresholds nothing is gated.

    Each threshold is bound to a slice: otherwise TFMA would apply it to every slice.
    A model can only be blessed if there is a value threshold; the change threshold is skipped
    while there is no baseline.
    """
    overall = tfma.SlicingSpec()
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name=COLUMNS_SIGNATURE, prediction_key=SIGNAL_PROBABILITY, label_key=LABEL
            )
        ],
        slicing_specs=[overall, *(tfma.SlicingSpec(feature_keys=[c]) for c in SLICE_COLUMNS)],
        metrics_specs=[tfma.MetricsSpec(metrics=_metrics(thresholds, gates))],
        # TFMA's own metric would count extracts, and here an extract is a whole batch.
        options=tfma.Options(include_default_metrics={"value": False}),
    )


def _metrics(
    thresholds: AucThresholds | None, gates: Sequence[MetricGate]
) -> list[tfma.MetricConfig]:
    per_slice: Thresholds = defaultdict(list)
    if thresholds:
        short_form = MetricGate(AUC, at_least=thresholds.lower_bound, max_drop=thresholds.max_drop)
        for gate in (short_form, *gates):
            _add_gate(per_slice, gate, thresholds)
    efficiencies = {gate.name: gate.signal_efficiency for gate in gates if gate.metric == REJECTION}
    undecided: dict[str, str | float] = (
        {"confidence": thresholds.confidence, "when_undecided": thresholds.when_undecided}
        if thresholds
        else {}
    )
    return [
        _metric("EventCount", per_slice, name=EVENT_COUNT),
        _metric("SignalCount", per_slice),
        _metric("RocAuc", per_slice, name=AUC),
        _metric("AucStandardError", per_slice),
        _metric("AucChangeError", per_slice),
        _metric("AucChangeLowerBound", per_slice, name=AUC_CHANGE_LOWER_BOUND, **undecided),
        _metric("AucChangeClearBound", per_slice, name=AUC_CHANGE_CLEAR_BOUND, **undecided),
        _metric("Accuracy", per_slice, name="binary_accuracy"),
        _metric("LogLoss", per_slice, name="binary_crossentropy"),
        _metric("LogLossError", per_slice),
        *(
            _metric(class_name, per_slice, name=rename(name), signal_efficiency=efficiency)
            for name, efficiency in ({REJECTION: 0.5} | efficiencies).items()
            for class_name, rename in (("BackgroundRejection", str), ("RejectionError", error_of))
        ),
        _metric("MaximalSignificance", per_slice, name="maximal_significance"),
        _metric("SignificanceError", per_slice),
        _metric("ExpectedCalibrationError", per_slice, name="expected_calibration_error"),
        _metric("ScoreCalibration", per_slice),
        _metric("ScoreConfusion", per_slice),
    ]


def _metric(class_name: str, thresholds: Thresholds, **settings: str | float) -> tfma.MetricConfig:
    return tfma.MetricConfig(
        class_name=class_name,
        module=METRICS_MODULE,
        config=json.dumps(settings),
        per_slice_thresholds=thresholds.get(str(settings.get("name", "")), ()),
    )


def _add_gate(per_slice: Thresholds, gate: MetricGate, thresholds: AucThresholds) -> None:
    """Adds a gate's thresholds by metric. NaN fails every bound."""
    spec = tfma.SlicingSpec(feature_values=dict(gate.slice_values))

    def add(metric: str, **threshold: Any) -> None:
        entry = tfma.PerSliceMetricThreshold(
            slicing_specs=[spec], threshold=tfma.MetricThreshold(**threshold)
        )
        if entry not in per_slice[metric]:
            per_slice[metric].append(entry)

    add(EVENT_COUNT, value_threshold=_bounds(at_least=thresholds.least_events))
    options = {}
    if gate.at_least is not None or gate.at_most is not None:
        options["value_threshold"] = _bounds(gate.at_least, gate.at_most)
    if gate.max_drop is not None:
        options["change_threshold"] = _no_worse(gate)
    add(gate.name, **options)
    if gate.metric == AUC and gate.max_drop is not None and thresholds.when_undecided != "push":
        add(AUC_CHANGE_LOWER_BOUND, change_threshold=_no_worse(gate))
        add(AUC_CHANGE_CLEAR_BOUND, change_threshold=_no_worse(gate, CLEAR_DROP))


def _no_worse(gate: MetricGate, times: float = 1.0) -> tfma.GenericChangeThreshold:
    assert gate.max_drop is not None
    if GATE_METRICS[gate.metric].lower_is_better:
        direction, limit = tfma.MetricDirection.LOWER_IS_BETTER, times * gate.max_drop
    else:
        direction, limit = tfma.MetricDirection.HIGHER_IS_BETTER, -times * gate.max_drop
    return tfma.GenericChangeThreshold(direction=direction, absolute={"value": limit})


def _bounds(at_least: float | None = None, at_most: float | None = None) -> Any:
    bounds = {"lower_bound": at_least, "upper_bound": at_most}
    return tfma.GenericValueThreshold(
        **{name: {"value": value} for name, value in bounds.items() if value is not None}
    )
