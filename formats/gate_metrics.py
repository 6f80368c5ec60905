"""The metrics that can gate a push, and the slices that they are measured on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from formats.features import DISCRETE_VALUES, LEVEL_COUNT, LEVELS

AUC = "auc"
"""The metric of the gates that always exist."""


CLEAR_DROP = 2.0
"""Multiple of the tolerated drop from which on a model counts as clearly worse."""


def clear_confidence(confidence: float) -> float:
    """Returns the confidence with which a model must not be clearly worse than the baseline.

    Its error rate is a fiftieth of the given one: with few events, a clear drop looks like the
    tolerated one.

    >>> round(clear_confidence(0.95), 4)
    0.999
    """
    return 1.0 - (1.0 - confidence) / 50.0


def error_of(metric: str) -> str:
    """Returns the name of the metric that is another metric's standard error."""
    return f"{metric}_standard_error"


@dataclass(frozen=True)
class GateMetric:
    """A metric that a gate can compare with a limit.

    Attributes:
        label: its name for readers.
        interval: how its 95 % confidence interval is computed.
        values: its minimum and maximum.
        lower_is_better: whether a smaller value is a better model.
    """

    label: str
    interval: str
    values: tuple[float, float]
    lower_is_better: bool = False


REJECTION = "background_rejection"
ACCURACY = "binary_accuracy"

_SHARE = (0.0, 1.0)

GATE_METRICS = {
    AUC: GateMetric("AUC", "DeLong 1988", _SHARE),
    ACCURACY: GateMetric("accuracy", "Wilson 1927", _SHARE),
    "binary_crossentropy": GateMetric("log loss", "normal", (0.0, math.inf), lower_is_better=True),
    REJECTION: GateMetric("background rejection", "delta method, log scale", (1.0, math.inf)),
    "maximal_significance": GateMetric("maximum AMS", "delta method", (0.0, math.inf)),
    "expected_calibration_error": GateMetric(
        "calibration error", "delta method", _SHARE, lower_is_better=True
    ),
}
"""The metrics by their names in TFMA's results."""

SLICE_VALUES: Mapping[str, tuple[str, ...]] = {
    LEVEL_COUNT: tuple(str(count) for count in range(len(DISCRETE_VALUES) + 1)),
    **dict.fromkeys(DISCRETE_VALUES, LEVELS),
}
"""The values that TFMA slices by, by column."""


@dataclass(frozen=True)
class MetricGate:
    """A gate on one metric of one slice.

    Attributes:
        metric: a key of ``GATE_METRICS``.
        slice_values: the slice's values by column; empty for all events.
        at_least: the smallest value that passes, if any.
        at_most: the largest value that passes, if any.
        max_drop: how much worse than the baseline's the value may be, if it is compared.
        signal_efficiency: of the background rejection.
    """

    metric: str
    slice_values: tuple[tuple[str, str], ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    max_drop: float | None = None
    signal_efficiency: float = 0.5

    @property
    def name(self) -> str:
        """The metric's name in TFMA's results, which includes the signal efficiency."""
        if self.metric == REJECTION and self.signal_efficiency != 0.5:
            return f"{REJECTION}_at_{self.signal_efficiency!r}"
        return self.metric


def metric_label(name: str) -> str:
    """Returns a metric's name for readers.

    >>> metric_label("background_rejection_at_0.7"), metric_label("auc")
    ('background rejection at 0.7', 'AUC')
    """
    metric, _, efficiency = name.partition("_at_")
    label = GATE_METRICS[metric].label if metric in GATE_METRICS else name
    return f"{label} at {efficiency}" if efficiency else label


def interval_method(name: str) -> str:
    """Returns how the 95 % interval of a metric is computed; empty for an unknown one."""
    metric, _, _ = name.partition("_at_")
    return GATE_METRICS[metric].interval if metric in GATE_METRICS else ""
