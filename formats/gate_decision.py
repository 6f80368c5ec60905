"""The Evaluator's decision on a model with its thresholds, read from TFMA's output files."""

from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.writers.eval_config_writer import load_eval_run

from formats.evaluation_record import AUC, join_evaluation, read_metrics


@dataclass(frozen=True)
class ThresholdCheck:
    """One threshold and the value that was compared with it.

    Attributes:
        name: the compared quantity.
        value: its measured value.
        limit: the smallest value that passes.
        is_change: whether both are differences from the baseline.
    """

    name: str
    value: float
    limit: float
    is_change: bool = False

    @property
    def margin(self) -> float:
        """How far the value is above the limit; negative if it is below.

        >>> ThresholdCheck("AUC", 0.75, 0.5).margin
        0.25
        """
        return self.value - self.limit


@dataclass(frozen=True)
class GateDecision:
    """The Evaluator's decision on a model.

    Attributes:
        passed: whether TFMA's validation succeeded.
        events: number of evaluated events.
        auc: the candidate's AUC on them.
        baseline_auc: the baseline's AUC on the same events; None without a baseline.
        checks: every threshold that was applied.
    """

    passed: bool
    events: int
    auc: float
    baseline_auc: float | None
    checks: tuple[ThresholdCheck, ...]


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
    threshold = _auc_threshold(config)
    return GateDecision(
        passed=threshold is None or _read_validation(folder),
        events=overall.events,
        auc=overall.auc,
        baseline_auc=baseline,
        checks=tuple(_checks(threshold, overall.auc, baseline)),
    )


def _read_validation(folder: str) -> bool:
    try:
        return bool(tfma.load_validation_result(folder).validation_ok)
    except AssertionError:  # raised by TFMA without a message
        raise ValueError(f"no decision, because there is no validation in {folder}") from None


def _checks(
    threshold: tfma.MetricThreshold | None, auc: float, baseline: float | None
) -> Iterator[ThresholdCheck]:
    if threshold is None:
        return
    if threshold.value_threshold.HasField("lower_bound"):
        yield ThresholdCheck("AUC", auc, threshold.value_threshold.lower_bound.value)
    if baseline is not None and threshold.change_threshold.HasField("absolute"):
        limit = threshold.change_threshold.absolute.value
        yield ThresholdCheck("AUC above the baseline's", auc - baseline, limit, is_change=True)


def _auc_threshold(config: tfma.EvalConfig) -> tfma.MetricThreshold | None:
    return next(
        (
            sliced.threshold
            for spec in config.metrics_specs
            for metric in spec.metrics
            for sliced in metric.per_slice_thresholds
        ),
        None,
    )
