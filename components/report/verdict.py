"""What the gate decided and by how much, read from TFMA's own results."""

from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow_model_analysis as tfma

from components.report.evaluation import AUC, read_evaluation


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
    """Reads the verdict from an evaluation artifact's folder; without thresholds all passes."""
    evaluation = read_evaluation(folder)
    auc = evaluation.candidate.overall.metrics[AUC]
    baseline = evaluation.baseline.overall.metrics[AUC] if evaluation.baseline else None
    threshold = _auc_threshold(tfma.load_eval_results([folder]).get_results()[0].config)
    return Verdict(
        passed=threshold is None or tfma.load_validation_result(folder).validation_ok,
        events=evaluation.candidate.overall.events,
        auc=auc,
        baseline_auc=baseline,
        checks=tuple(_checks(threshold, auc, baseline)),
    )


def _checks(
    threshold: tfma.MetricThreshold | None, auc: float, baseline: float | None
) -> Iterator[Check]:
    if threshold is None:
        return
    yield Check("AUC", auc, threshold.value_threshold.lower_bound.value)
    if baseline is not None:
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
