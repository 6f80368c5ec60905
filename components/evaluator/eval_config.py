"""TFMA's configuration: metrics, slices and the thresholds that gate the push."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow_model_analysis as tfma

from components.evaluator.slices import SLICE_COLUMNS
from formats.evaluation_record import AUC, AUC_CHANGE_LOWER_BOUND, EVENT_COUNT
from formats.features import LABEL
from formats.names import COLUMNS_SIGNATURE, SIGNAL_PROBABILITY

METRICS_MODULE = "components.evaluator.metrics"


@dataclass(frozen=True)
class AucThresholds:
    """The thresholds on the overall AUC.

    Attributes:
        lower_bound: the smallest AUC that is blessed.
        max_drop: how far the AUC may be below the baseline's.
        least_events: the number of events that it must be measured on.
        confidence: of the lower bound of the AUC's difference from the baseline's, which must not
            be below ``-max_drop`` either.
        when_undecided: what happens if the difference passes and its lower bound does not:
            refuse, keep-baseline or push; only push blesses the model.
    """

    lower_bound: float
    max_drop: float
    least_events: int
    confidence: float
    when_undecided: str


def eval_config(thresholds: AucThresholds | None) -> tfma.EvalConfig:
    """Builds the configuration of an evaluation; without thresholds nothing is gated.

    The thresholds are bound to the overall slice: otherwise TFMA would apply them to every slice.
    A model can only be blessed if there is a value threshold; the change threshold is skipped
    while there is no baseline.
    """
    overall = tfma.SlicingSpec()
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name=COLUMNS_SIGNATURE,
                prediction_key=SIGNAL_PROBABILITY,
                label_key=LABEL,
            )
        ],
        slicing_specs=[overall, *(tfma.SlicingSpec(feature_keys=[c]) for c in SLICE_COLUMNS)],
        metrics_specs=[tfma.MetricsSpec(metrics=_metrics(thresholds, overall))],
        # TFMA's own counts extracts, of which there is one per batch here.
        options=tfma.Options(include_default_metrics={"value": False}),
    )


def _metrics(
    thresholds: AucThresholds | None, overall: tfma.SlicingSpec
) -> list[tfma.MetricConfig]:
    gates = _thresholds(thresholds) if thresholds else {}
    undecided: dict[str, str | float] = (
        {"confidence": thresholds.confidence, "when_undecided": thresholds.when_undecided}
        if thresholds
        else {}
    )
    per_slice = {
        name: [tfma.PerSliceMetricThreshold(slicing_specs=[overall], threshold=threshold)]
        for name, threshold in gates.items()
    }
    return [
        _metric("EventCount", per_slice.get(EVENT_COUNT, ()), name=EVENT_COUNT),
        _metric("SignalCount"),
        _metric("RocAuc", per_slice.get(AUC, ()), name=AUC),
        _metric("AucStandardError"),
        _metric("AucChangeError"),
        _metric(
            "AucChangeLowerBound",
            per_slice.get(AUC_CHANGE_LOWER_BOUND, ()),
            name=AUC_CHANGE_LOWER_BOUND,
            **undecided,
        ),
        _metric("Accuracy"),
        _metric("LogLoss"),
        _metric("BackgroundRejection", signal_efficiency=0.5),
        _metric("MaximalSignificance"),
        _metric("ExpectedCalibrationError"),
        _metric("ScoreCalibration"),
        _metric("ScoreConfusion"),
    ]


def _metric(
    class_name: str,
    per_slice_thresholds: Sequence[tfma.PerSliceMetricThreshold] = (),
    **settings: str | float,
) -> tfma.MetricConfig:
    return tfma.MetricConfig(
        class_name=class_name,
        module=METRICS_MODULE,
        config=json.dumps(settings),
        per_slice_thresholds=per_slice_thresholds,
    )


def _thresholds(thresholds: AucThresholds) -> dict[str, tfma.MetricThreshold]:
    """The thresholds by metric. A value that is not a number is below every bound."""
    no_worse = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER,
        absolute={"value": -thresholds.max_drop},
    )
    gates = {
        EVENT_COUNT: tfma.MetricThreshold(value_threshold=_at_least(thresholds.least_events)),
        AUC: tfma.MetricThreshold(
            value_threshold=_at_least(thresholds.lower_bound), change_threshold=no_worse
        ),
    }
    if thresholds.when_undecided != "push":
        gates[AUC_CHANGE_LOWER_BOUND] = tfma.MetricThreshold(change_threshold=no_worse)
    return gates


def _at_least(bound: float) -> tfma.GenericValueThreshold:
    return tfma.GenericValueThreshold(lower_bound={"value": bound})
