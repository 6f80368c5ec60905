"""The Evaluator's decision on a model with its thresholds, read from TFMA's output files."""

from dataclasses import dataclass

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.writers.eval_config_writer import load_eval_run

from formats.evaluation_record import (
    AUC,
    AUC_CHANGE_LOWER_BOUND,
    join_evaluation,
    read_changes,
    read_metrics,
)
from formats.threshold_checks import ThresholdCheck, configured_metrics, threshold_checks

KEEP_BASELINE = "keep-baseline"
"""The configured value of ``when_undecided`` that keeps the model in service."""


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
        """Returns whether the model is refused only because too few events were measured."""
        return not self.passed and all(check.passed or check.undecided for check in self.checks)

    @property
    def keeps_baseline(self) -> bool:
        """Returns whether keeping the model in service counts as success."""
        return self.is_undecided and self.when_undecided == KEEP_BASELINE


def read_decision(folder: str) -> GateDecision:
    """Reads the decision from an evaluation artifact's folder; without thresholds it passes.

    Raises:
        ValueError: the folder lacks the AUC, the number of events, the thresholds or the result
            of the validation.
    """
    # The score histograms, the largest files, do not affect the decision.
    evaluation = join_evaluation(read_metrics(folder), {})
    overall = evaluation.candidate.overall
    if AUC not in overall.metrics or overall.events is None:
        raise ValueError(f"no AUC, or no number of events, in {folder}")
    baseline = evaluation.baseline.overall.auc if evaluation.baseline else None
    config, *_ = load_eval_run(folder)
    if config is None:
        raise ValueError(f"no thresholds, because there is no configuration in {folder}")
    compared = threshold_checks(config, evaluation, read_changes(folder))
    # Several gates can set the same threshold; values that are not numbers are not equal.
    checks = tuple({repr(check): check for check in compared}.values())
    metrics = [*configured_metrics(config)]
    bounds = (settings for _, settings in metrics if settings.get("name") == AUC_CHANGE_LOWER_BOUND)
    is_gated = any(metric.per_slice_thresholds for metric, _ in metrics)
    return GateDecision(
        passed=not is_gated or _read_validation(folder),
        events=overall.events,
        auc=overall.auc,
        baseline_auc=baseline,
        checks=checks,
        auc_fault=overall.auc_fault,
        when_undecided=str(next(bounds, {}).get("when_undecided", "")),
    )


def _read_validation(folder: str) -> bool:
    try:
        return bool(tfma.load_validation_result(folder).validation_ok)
    except AssertionError:  # raised by TFMA without a message
        raise ValueError(f"no decision, because there is no validation in {folder}") from None
