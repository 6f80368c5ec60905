"""Metrics that physicists judge a classifier by, as TFMA metrics."""

import numpy as np
from tensorflow_model_analysis.metrics import binary_confusion_matrices, metric_types
from tensorflow_model_analysis.metrics.confusion_matrix_metrics import ConfusionMatrixMetricBase


class BackgroundRejection(ConfusionMatrixMetricBase):
    """Background rejection at a signal efficiency: 1 / (false positive rate).

    The inverse of the share of background events that pass the cut which keeps
    the given share of the signal; infinite when none does. The ROC curve is
    interpolated linearly between thresholds.
    """

    def __init__(
        self,
        signal_efficiency: float = 0.5,
        num_thresholds: int | None = None,
        name: str | None = None,
    ):
        """Construct the metric.

        Args:
          signal_efficiency: the share of signal events kept, in (0, 1).
          num_thresholds: cuts on the score that are tried; 10,000 when not given,
            as for AUC, with which the histogram is then shared.
          name: the metric's name.
        """
        super().__init__(
            signal_efficiency=signal_efficiency, num_thresholds=num_thresholds, name=name
        )

    def _default_name(self) -> str:
        return "background_rejection"

    def _metric_value(
        self,
        signal_efficiency: float,
        key: metric_types.MetricKey,
        matrices: binary_confusion_matrices.Matrices,
    ) -> float:
        del key
        signal = matrices.tp[0] + matrices.fn[0]
        background = matrices.fp[0] + matrices.tn[0]
        if not signal or not background:
            return float("nan")
        # Thresholds rise, so rates fall; interp wants them rising.
        efficiencies = np.array(matrices.tp)[::-1] / signal
        mistag_rates = np.array(matrices.fp)[::-1] / background
        passed = float(np.interp(signal_efficiency, efficiencies, mistag_rates))
        return 1.0 / passed if passed else float("inf")


metric_types.register_metric(BackgroundRejection)
