"""TFMA's accumulations over arrays of events instead of single events.

TFMA unbatches and calls each metric's combiner once per event. Its combiners also accept extracts
whose label and prediction are arrays, but loop over them in Python. These combiners compute the
same sums in NumPy; everything that TFMA derives from them (curves, areas, plots) is unchanged.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from tensorflow_model_analysis.metrics import calibration_histogram, metric_types, metric_util
from typing_extensions import override

from components.evaluator.paired_auc import MAX_PAIRS, PairSample, merge_pairs, sample_pairs
from components.evaluator.score_counts import MAX_CELLS, ScoreCounts, count_scores, merge_counts

Array: TypeAlias = npt.NDArray[np.float64]
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


class _SumCombiner(_Combiner):
    """Sums an array over events."""

    @override
    def merge_accumulators(self, accumulators: Iterable[Array]) -> Array:
        return np.sum(list(accumulators), axis=0)


class ScoreCountsCombiner(_Combiner):
    """Counts events by score; the accumulator is a list of counts of parts of the events."""

    @override
    def create_accumulator(self) -> list[ScoreCounts]:
        return []

    @override
    def add_input(
        self, accumulator: list[ScoreCounts], element: metric_types.StandardMetricInputs
    ) -> list[ScoreCounts]:
        accumulator.append(count_scores(*self._events(element)))
        cells = sum(len(part.lowest) for part in accumulator)
        if len(accumulator) >= MAX_PARTS or cells > 2 * MAX_CELLS:
            return self.compact(accumulator)
        return accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[list[ScoreCounts]]) -> list[ScoreCounts]:
        merged: list[ScoreCounts] = []
        for accumulator in accumulators:
            merged = self.compact([*merged, *accumulator])
        return merged

    @override
    def compact(self, accumulator: list[ScoreCounts]) -> list[ScoreCounts]:
        return [merge_counts(accumulator)]

    @override
    def extract_output(
        self, accumulator: list[ScoreCounts]
    ) -> dict[metric_types.MetricKey, ScoreCounts]:
        return {self._key: merge_counts(accumulator)}


class PairSampleCombiner(_Combiner):
    """Samples the pairs of scores of the key's model and a baseline.

    The accumulator is a list of samples of parts of the events, of signal and background each.
    """

    def __init__(self, key: metric_types.MetricKey, eval_config: Any, baseline: str):
        super().__init__(key, eval_config)
        self._baseline = baseline

    @override
    def create_accumulator(self) -> list[PairSamples]:
        return []

    @override
    def add_input(
        self, accumulator: list[PairSamples], element: metric_types.StandardMetricInputs
    ) -> list[PairSamples]:
        labels, candidate, weights = self._events(element)
        _, baseline, _ = self._events(element, self._baseline)
        is_signal = labels > 0.5
        accumulator.append(
            tuple(
                sample_pairs(candidate[rows], baseline[rows], weights[rows])
                for rows in (is_signal, ~is_signal)
            )
        )
        kept = sum(len(sample.pairs) for samples in accumulator for sample in samples)
        if len(accumulator) >= MAX_PARTS or kept > 2 * MAX_PAIRS:
            return self.compact(accumulator)
        return accumulator

    @override
    def merge_accumulators(self, accumulators: Iterable[list[PairSamples]]) -> list[PairSamples]:
        merged: list[PairSamples] = []
        for accumulator in accumulators:
            merged = self.compact([*merged, *accumulator])
        return merged

    @override
    def compact(self, accumulator: list[PairSamples]) -> list[PairSamples]:
        by_class = zip(*accumulator, strict=True) if accumulator else ((), ())
        return [tuple(merge_pairs(samples) for samples in by_class)]

    @override
    def extract_output(
        self, accumulator: list[PairSamples]
    ) -> dict[metric_types.MetricKey, PairSamples]:
        (samples,) = self.compact(accumulator)
        return {self._key: samples}


class HistogramCombiner(_SumCombiner):
    """TFMA's calibration histogram of scores in [0, 1]: label, score and weight by bucket.

    The accumulator is float64 [3, BUCKETS + 2]; the first and last buckets hold scores below 0
    and from 1 on.
    """

    @override
    def create_accumulator(self) -> Array:
        return np.zeros((3, BUCKETS + 2))

    @override
    def add_input(self, accumulator: Array, element: metric_types.StandardMetricInputs) -> Array:
        labels, predictions, weights = self._events(element)
        buckets = np.clip(predictions * BUCKETS + 1.0, 0, BUCKETS + 1).astype(np.int64)
        for row, values in enumerate((labels * weights, predictions * weights, weights)):
            accumulator[row] += np.bincount(buckets, values, minlength=BUCKETS + 2)
        return accumulator

    @override
    def extract_output(
        self, accumulator: Array
    ) -> dict[metric_types.MetricKey, calibration_histogram.Histogram]:
        filled = np.flatnonzero(accumulator[2])
        columns = (filled.tolist(), *accumulator[:, filled].tolist())
        return {
            self._key: [
                calibration_histogram.Bucket(*bucket) for bucket in zip(*columns, strict=True)
            ]
        }


class MeanCombiner(_SumCombiner):
    """The weighted mean of one value per event; the accumulator is [sum, weights]."""

    def __init__(self, key: metric_types.MetricKey, eval_config: Any, value: EventValue):
        super().__init__(key, eval_config)
        self._value = value

    @override
    def create_accumulator(self) -> Array:
        return np.zeros(2)

    @override
    def add_input(self, accumulator: Array, element: metric_types.StandardMetricInputs) -> Array:
        labels, predictions, weights = self._events(element)
        sums = np.array([weights @ self._value(labels, predictions), weights.sum()])
        return accumulator + sums

    @override
    def extract_output(self, accumulator: Array) -> dict[metric_types.MetricKey, float]:
        total, weights = accumulator
        return {self._key: total / weights if weights else float("nan")}


class MeanErrorCombiner(MeanCombiner):
    """The standard error of the mean; the accumulator is [sum, weights, sum of squares]."""

    @override
    def create_accumulator(self) -> Array:
        return np.zeros(3)

    @override
    def add_input(self, accumulator: Array, element: metric_types.StandardMetricInputs) -> Array:
        labels, predictions, weights = self._events(element)
        values = self._value(labels, predictions)
        return accumulator + np.array([weights @ values, weights.sum(), weights @ values**2])

    @override
    def extract_output(self, accumulator: Array) -> dict[metric_types.MetricKey, float]:
        total, weights, squares = accumulator
        if weights < 2:
            return {self._key: float("nan")}
        variance = max(0.0, squares / weights - (total / weights) ** 2)
        return {self._key: float(np.sqrt(variance / (weights - 1)))}


class SumOfWeightsCombiner(_SumCombiner):
    """The number of events, or the sum of their weights if they are weighted."""

    @override
    def create_accumulator(self) -> Array:
        return np.zeros(1)

    @override
    def add_input(self, accumulator: Array, element: metric_types.StandardMetricInputs) -> Array:
        _, _, weights = self._events(element)
        return accumulator + weights.sum()

    @override
    def extract_output(self, accumulator: Array) -> dict[metric_types.MetricKey, float]:
        return {self._key: float(accumulator[0])}


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
