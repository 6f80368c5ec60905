"""TFMA's accumulations over arrays of events instead of single events.

TFMA unbatches and calls each metric's combiner once per event. Its combiners also accept extracts
whose label and prediction are arrays, but loop over them in Python. These combiners compute the
same sums in NumPy; everything that TFMA derives from them (curves, areas, plots) is unchanged.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import calibration_histogram, metric_types, metric_util
from typing_extensions import override

from components.evaluator.paired_auc import MAX_PAIRS, PairSample, merge_pairs, sample_pairs
from components.evaluator.score_counts import (
    MAX_CELLS,
    Array,
    ScoreCounts,
    count_scores,
    merge_counts,
)

EventValue: TypeAlias = Callable[[Array, Array], Array]
"""Computes one value per event from labels [N] and predictions [N]."""

PairSamples: TypeAlias = tuple[PairSample, ...]
"""The pairs of scores of signal and of background events."""

BUCKETS = calibration_histogram.DEFAULT_NUM_BUCKETS

MAX_PARTS = 256
"""Counts of single batches that are kept before they are merged."""


class _Combiner(beam.CombineFn):
    """Combines events; a metric's key selects the labels and predictions."""

    def __init__(self, key: metric_types.MetricKey, eval_config: Any):
        self._key = key
        self._eval_config = eval_config

    def _events(
        self, element: metric_types.StandardMetricInputs, model_name: str | None = None
    ) -> tuple[Array, Array, Array]:
        """Returns labels, a model's predictions and weights, float64 [N] each."""
        ((label, prediction, weight),) = metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name if model_name is None else model_name,
            output_name=self._key.output_name,
            sub_key=self._key.sub_key,
            example_weighted=self._key.example_weighted,
            flatten=False,
            squeeze=False,
        )
        labels, predictions = (
            np.ravel(values).astype(np.float64) for values in (label, prediction)
        )
        return labels, predictions, np.broadcast_to(np.ravel(weight), labels.shape)


class _PartsCombiner(_Combiner):
    """Collects values of parts of the events, and merges them when there are many or large ones.

    The accumulator is a list of such values.
    """

    max_size: int
    """Twice this size are merged."""

    def _value(self, element: metric_types.StandardMetricInputs) -> Any:
        raise NotImplementedError

    def _size(self, value: Any) -> int:
        raise NotImplementedError

    def _merged(self, values: Iterable[Any]) -> Any:
        raise NotImplementedError

    @override
    def create_accumulator(self) -> list[Any]:
        return []

    @override
    def add_input(
        self, accumulator: list[Any], element: metric_types.StandardMetricInputs
    ) -> list[Any]:
        accumulator.append(self._value(element))
        size = sum(map(self._size, accumulator))
        if len(accumulator) >= MAX_PARTS or size > 2 * self.max_size:
            return self.compact(accumulator)
        return accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        merged: list[Any] = []
        for accumulator in accumulators:
            merged = self.compact([*merged, *accumulator])
        return merged

    @override
    def compact(self, accumulator: list[Any]) -> list[Any]:
        return [self._merged(accumulator)]

    @override
    def extract_output(self, accumulator: list[Any]) -> dict[metric_types.MetricKey, Any]:
        return {self._key: self._merged(accumulator)}


class ScoreCountsCombiner(_PartsCombiner):
    """Counts events by score: ``ScoreCounts``."""

    max_size = MAX_CELLS

    def _value(self, element: metric_types.StandardMetricInputs) -> ScoreCounts:
        return count_scores(*self._events(element))

    def _size(self, value: ScoreCounts) -> int:
        return len(value.lowest)

    def _merged(self, values: Iterable[ScoreCounts]) -> ScoreCounts:
        return merge_counts(values)


class PairSampleCombiner(_PartsCombiner):
    """Samples the pairs of scores of the key's model and a baseline: ``PairSamples``."""

    max_size = MAX_PAIRS

    def __init__(self, key: metric_types.MetricKey, eval_config: Any, baseline: str):
        super().__init__(key, eval_config)
        self._baseline = baseline

    def _value(self, element: metric_types.StandardMetricInputs) -> PairSamples:
        labels, candidate, weights = self._events(element)
        _, baseline, _ = self._events(element, self._baseline)
        is_signal = labels > 0.5
        return tuple(
            sample_pairs(candidate[rows], baseline[rows], weights[rows])
            for rows in (is_signal, ~is_signal)
        )

    def _size(self, value: PairSamples) -> int:
        return sum(len(sample.pairs) for sample in value)

    def _merged(self, values: Iterable[PairSamples]) -> PairSamples:
        by_class = [*zip(*values, strict=True)] or [(), ()]
        return tuple(merge_pairs(samples) for samples in by_class)


class _SumCombiner(_Combiner):
    """Adds up an array of sums over events, the accumulator, and computes the result from it."""

    shape: tuple[int, ...]

    def _sums(self, labels: Array, predictions: Array, weights: Array) -> Array:
        raise NotImplementedError

    def _result(self, sums: Array) -> Any:
        raise NotImplementedError

    @override
    def create_accumulator(self) -> Array:
        return np.zeros(self.shape)

    @override
    def add_input(self, accumulator: Array, element: metric_types.StandardMetricInputs) -> Array:
        return accumulator + self._sums(*self._events(element))

    @override
    def merge_accumulators(self, accumulators: Iterable[Array]) -> Array:
        return np.sum(list(accumulators), axis=0)

    @override
    def extract_output(self, accumulator: Array) -> dict[metric_types.MetricKey, Any]:
        return {self._key: self._result(accumulator)}


class HistogramCombiner(_SumCombiner):
    """TFMA's calibration histogram of scores in [0, 1]: label, score and weight by bucket.

    The first and last buckets hold scores below 0 and from 1 on. A NaN score makes the sums of a
    bucket NaN, and with them the calibration error.
    """

    shape = (3, BUCKETS + 2)

    def _sums(self, labels: Array, predictions: Array, weights: Array) -> Array:
        positions = np.nan_to_num(predictions) * BUCKETS + 1.0
        buckets = np.clip(positions, 0, BUCKETS + 1).astype(np.int64)
        values = (labels * weights, predictions * weights, weights)
        return np.stack([np.bincount(buckets, row, minlength=BUCKETS + 2) for row in values])

    def _result(self, sums: Array) -> calibration_histogram.Histogram:
        filled = np.flatnonzero(sums[2])
        columns = (filled.tolist(), *sums[:, filled].tolist())
        return [calibration_histogram.Bucket(*bucket) for bucket in zip(*columns, strict=True)]


class MeanCombiner(_SumCombiner):
    """The weighted mean of one value per event, from sum, weights and sum of squares."""

    shape = (3,)

    def __init__(self, key: metric_types.MetricKey, eval_config: Any, value: EventValue):
        super().__init__(key, eval_config)
        self._value = value

    def _sums(self, labels: Array, predictions: Array, weights: Array) -> Array:
        values = self._value(labels, predictions)
        return np.array([weights @ values, weights.sum(), weights @ values**2])

    def _result(self, sums: Array) -> float:
        total, weights, _ = sums
        return total / weights if weights else float("nan")


class MeanErrorCombiner(MeanCombiner):
    """The standard error of the mean."""

    def _result(self, sums: Array) -> float:
        total, weights, squares = sums
        if weights < 2:
            return float("nan")
        variance = max(0.0, squares / weights - (total / weights) ** 2)
        return float(np.sqrt(variance / (weights - 1)))


def with_columnar_histogram(
    computations: metric_types.MetricComputations, eval_config: Any
) -> metric_types.MetricComputations:
    """Replaces the calibration histogram in a stock metric's computations.

    Only TFMA's default histogram (10,000 buckets over [0, 1]), which curves and plots share, is
    replaced; any other one stays correct, but slow.
    """
    return [
        computation._replace(combiner=HistogramCombiner(computation.keys[0], eval_config))
        if isinstance(computation, metric_types.MetricComputation)
        and computation.keys == _default_histogram_keys(computation.keys[0])
        else computation
        for computation in computations
    ]


def _default_histogram_keys(key: metric_types.MetricKey) -> list[metric_types.MetricKey]:
    (default,) = calibration_histogram.calibration_histogram(
        model_name=key.model_name,
        output_name=key.output_name,
        sub_key=key.sub_key,
        example_weighted=key.example_weighted,
    )
    return list(default.keys)
