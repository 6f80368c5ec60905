"""The section ``evaluation`` of a configuration: the thresholds that a model must reach."""

import difflib
import reprlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from formats.features import LEVEL_COUNT
from formats.gate_metrics import AUC, GATE_METRICS, REJECTION, SLICE_VALUES, MetricGate
from formats.hyperparameters import Number
from pipeline.cloud_config import Section

MAX_EVENTS = 2**53
"""Largest number of events that is exact in TFMA's results."""


class GateConfig(Section):
    """A gate on any metric, on all events or on one slice."""

    metric: Literal[tuple(GATE_METRICS)]  # type: ignore[valid-type]
    """The metric."""
    slice: dict[str, str] = Field(default_factory=dict)
    """A column to slice by and its value, {COLUMN: VALUE}; default: all events."""
    at_least: Number | None = None
    """Minimum value that passes."""
    at_most: Number | None = None
    """Maximum value that passes."""
    max_drop: Number | None = Field(None, ge=0)
    """How much worse the value may be than that of the model in service."""
    signal_efficiency: Number | None = Field(None, gt=0, lt=1)
    """Signal efficiency of background_rejection; default: 0.5."""

    @field_validator("metric", mode="before")
    @classmethod
    def _known_metric(cls, value: Any) -> Any:
        if not isinstance(value, str) or value not in GATE_METRICS:
            raise ValueError(_not_known("metric", value, GATE_METRICS))
        return value

    @field_validator("slice", mode="before")
    @classmethod
    def _known_slice(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            raise ValueError(f"a slice is a column and its value, such as {{{LEVEL_COUNT}: 2}}")
        if len(values) > 1:
            raise ValueError("a slice has one column; write one gate per column")
        for column, value in values.items():
            if column not in SLICE_VALUES:
                raise ValueError(_not_known("column to slice by", column, SLICE_VALUES))
            if isinstance(value, bool) or str(value) not in SLICE_VALUES[column]:
                raise ValueError(_not_known(f"value of {column}", value, SLICE_VALUES[column]))
        return values

    @model_validator(mode="after")
    def _can_be_passed(self) -> "GateConfig":
        if self.at_least is self.at_most is self.max_drop is None:
            raise ValueError("a gate needs at_least, at_most or max_drop")
        if self.signal_efficiency is not None and self.metric != REJECTION:
            raise ValueError(f"signal_efficiency belongs to {REJECTION}, not to {self.metric}")
        self._check_limits(*GATE_METRICS[self.metric].values)
        return self

    def _check_limits(self, least: float, largest: float) -> None:
        if self.at_least is not None and self.at_least > largest:
            limit, values = f"at_least {self.at_least}", f"at most {largest:g}"
        elif self.at_most is not None and self.at_most < least:
            limit, values = f"at_most {self.at_most}", f"at least {least:g}"
        else:
            return
        raise ValueError(f"{limit} refuses every model: {self.metric} is {values}")

    def gate(self) -> MetricGate:
        """Returns the gate for the Evaluator."""
        return MetricGate(
            metric=self.metric,
            slice_values=tuple(self.slice.items()),
            at_least=self.at_least,
            at_most=self.at_most,
            max_drop=self.max_drop,
            signal_efficiency=self.signal_efficiency or 0.5,
        )


class EvaluationConfig(Section):
    """The thresholds that a model must reach on the eval split to be pushed."""

    auc_lower_bound: float = Field(0.7, ge=0.0, le=1.0)
    """Minimum AUC of a blessed model."""
    auc_max_drop: float = Field(0.002, ge=0.0, le=1.0)
    """How far the AUC may be below that of the model in service."""
    damaged_baseline: Literal["refuse", "ignore"] = "refuse"
    """If the model in service is damaged: refuse: the run fails; ignore: the newest undamaged
    version is the baseline."""
    least_events: int = Field(1000, ge=2, le=MAX_EVENTS)
    """Minimum number of eval events for a blessing."""
    # A probability closer to 1 has no quantile in floating point.
    confidence: float = Field(0.95, ge=0.5, le=0.999999)
    """One-sided confidence with which the AUC's difference from the model in service must be above
    -auc_max_drop."""
    when_undecided: Literal["refuse", "keep-baseline", "push"] = "refuse"
    """If the measured difference is above -auc_max_drop, but not with that confidence: refuse:
    exit 3; keep-baseline: no push, exit 0; push: the measured difference decides."""
    gates: tuple[GateConfig, ...] = ()
    """Further gates; auc_lower_bound and auc_max_drop are always gates."""

    @model_validator(mode="after")
    def _can_be_passed_together(self) -> "EvaluationConfig":
        short_form = MetricGate(AUC, at_least=self.auc_lower_bound)
        gates = [short_form, *(gate.gate() for gate in self.gates)]
        if problem := next(_contradictions(gates), None):
            raise ValueError(problem)
        return self


def _contradictions(gates: Iterable[MetricGate]) -> Iterator[str]:
    """Describes metrics whose gates no value can pass."""
    bounds: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, float]] = {}
    for gate in gates:
        key = gate.name, gate.slice_values
        least, largest = bounds.get(key, GATE_METRICS[gate.metric].values)
        if gate.at_least is not None:
            least = max(least, gate.at_least)
        if gate.at_most is not None:
            largest = min(largest, gate.at_most)
        bounds[key] = least, largest
        if least > largest:
            place = "".join(f" of {column} {value}" for column, value in gate.slice_values)
            yield f"no {gate.name}{place} is at least {least} and at most {largest}"


def _not_known(kind: str, value: Any, known: Iterable[str]) -> str:
    """Describes an unknown name, with the nearest known one."""
    known = list(known)
    nearest = difflib.get_close_matches(str(value), known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
    return f"no {kind} {reprlib.repr(value)} ({hint})"
