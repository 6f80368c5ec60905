"""What the gate decided and by how much, read from TFMA's own results."""

from dataclasses import dataclass

import tensorflow_model_analysis as tfma

from pipeline.evaluation.config import AUC

OVERALL = ()


@dataclass(frozen=True)
class Check:
    """One threshold of the gate.

    Attributes:
      name: what was held against the limit.
      value: what was measured.
      limit: the least that passes.
    """

    name: str
    value: float
    limit: float

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


def read_verdict(evaluation: str) -> Verdict:
    """Reads the verdict from an evaluation artifact's folder."""
    result = tfma.load_eval_result(evaluation, model_name=_candidate(evaluation))
    candidate = _overall_metrics(result)
    baseline = _baseline(evaluation)
    threshold = _auc_threshold(result.config)
    checks = [Check("AUC", candidate[AUC], threshold.value_threshold.lower_bound.value)]
    if baseline is not None:
        checks.append(
            Check(
                "AUC above the baseline's",
                candidate[AUC] - baseline,
                threshold.change_threshold.absolute.value,
            )
        )
    return Verdict(
        passed=tfma.load_validation_result(evaluation).validation_ok,
        events=int(candidate["example_count"]),
        auc=candidate[AUC],
        baseline_auc=baseline,
        checks=tuple(checks),
    )


def _candidate(evaluation: str) -> str | None:
    return None if len(_model_names(evaluation)) == 1 else tfma.CANDIDATE_KEY


def _baseline(evaluation: str) -> float | None:
    if len(_model_names(evaluation)) == 1:
        return None
    result = tfma.load_eval_result(evaluation, model_name=tfma.BASELINE_KEY)
    return _overall_metrics(result)[AUC]


def _model_names(evaluation: str) -> list[str]:
    results = tfma.load_eval_results([evaluation])
    return [spec.name for spec in results.get_results()[0].config.model_specs]


def _overall_metrics(result: tfma.EvalResult) -> dict[str, float]:
    metrics = dict(result.slicing_metrics)[OVERALL]
    # Infinite and undefined values are words in TFMA's dictionaries.
    return {
        name: float(value["doubleValue"])
        for name, value in metrics[""][""].items()
        if "doubleValue" in value
    }


def _auc_threshold(config: tfma.EvalConfig) -> tfma.MetricThreshold:
    return next(
        sliced.threshold
        for spec in config.metrics_specs
        for metric in spec.metrics
        for sliced in metric.per_slice_thresholds
    )
