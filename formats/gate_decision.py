"""What the gate decided and by how much, read from TFMA's own results."""

from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.writers.eval_config_writer import load_eval_run

from formats.evaluation_record import AUC, describe_evaluation, read_metrics


@dataclass(frozen=True)
class Check:
    """One threshold of the gate.

    Attributes:
      name: what was held against the limit.
      value: what was measured.
      limit: the least that passes.
      is_change: whether both are differences from the baseline's.
    """

    name: str
    value: float
    limit: float
    is_change: bool = False

    @property
    def margin(self) -> float:
        """How far above the limit the value is; negative when it missed."""
        return self.value - self.limit


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on a model.

    Attributes:
      passed: whether TFMA's validation succeeded.
      events: events evaluated.
      auc: the candidate's AUC on them.
      baseline_auc: the baseline's on the same events; None without a baseline.
      checks: every threshold that was applied.
    """

    passed: bool
    events: int
    auc: float
    baseline_auc: float | None
    checks: tuple[Check, ...]


def read_verdict(folder: str) -> Verdict:
    """Reads the verdict from an evaluation artifact's folder; without thresholds all passes.

    Raises:
      ValueError: the folder lacks the AUC, the number of events, the thresholds or the decision.
    """
    # Of the evaluation's files, the largest is left alone: events by score decide nothing.
    evaluation = describe_evaluation(read_metrics(folder), {})
    overall = evaluation.candidate.overall
    if AUC not in overall.metrics or overall.events is None:
        raise ValueError(f"no AUC, or no number of events, in {folder}")
    baseline = evaluation.baseline.overall.auc if evaluation.baseline else None
    config, *_ = load_eval_run(folder)
    if config is None:
        raise ValueError(f"no thresholds, for there is no configuration in {folder}")
    threshold = _auc_threshold(config)
    return Verdict(
        passed=threshold is None or _read_decision(folder),
        events=overall.events,
        auc=overall.auc,
        baseline_auc=baseline,
        checks=tuple(_checks(threshold, overall.auc, baseline)),
    )


def _read_decision(folder: str) -> bool:
    try:
        return bool(tfma.load_validation_result(folder).validation_ok)
    except AssertionError:  # in which TFMA puts no words
        raise ValueError(f"no decision, for there is no validation in {folder}") from None


def _checks(
    threshold: tfma.MetricThreshold | None, auc: float, baseline: float | None
) -> Iterator[Check]:
    if threshold is None:
        return
    if threshold.value_threshold.HasField("lower_bound"):
        yield Check("AUC", auc, threshold.value_threshold.lower_bound.value)
    if baseline is not None and threshold.change_threshold.HasField("absolute"):
        limit = threshold.change_threshold.absolute.value
        yield Check("AUC above the baseline's", auc - baseline, limit, is_change=True)


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
