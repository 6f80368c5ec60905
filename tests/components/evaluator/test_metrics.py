"""Our metrics over arrays of events, compared with TFMA's per event, and with scikit-learn."""

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, roc_curve
from tensorflow_model_analysis.metrics import confusion_matrix_metrics, metric_types
from tensorflow_model_analysis.metrics.cross_entropy_metrics import BinaryCrossEntropy

from components.evaluator import metrics


@pytest.fixture(scope="module")
def events():
    """Labels, scores and weights of 2,000 events, some on the edges of the histogram."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 2000).astype(np.float64)
    scores = (1.0 / (1.0 + np.exp(-rng.normal(labels * 1.5, 1.0)))).astype(np.float32)
    scores[:5] = [0.0, 0.5, 1.0, 0.99995, 0.0001]
    return labels, scores, rng.uniform(0.1, 3.0, 2000)


def measure(metric, events, size, weighted=False):
    """The result of a metric's computations for the events, given ``size`` at a time.

    TFMA's evaluator does this with Beam: combine, extract, then derive.
    """
    computations = metric.computations(
        eval_config=tfma.EvalConfig(),
        model_names=[""],
        output_names=[""],
        example_weighted=weighted,
    )
    inputs = [
        metric_types.StandardMetricInputs(
            label=labels, prediction=scores, example_weight=weights if weighted else None
        )
        for labels, scores, weights in (
            [column[start : start + size].reshape(-1, 1) for column in events]
            for start in range(0, len(events[0]), size)
        )
    ]
    found = {}
    for computation in computations:
        if isinstance(computation, metric_types.MetricComputation):
            found.update(combine(computation.combiner, inputs))
        else:
            found.update(computation.result(found))
    return next(value for key, value in found.items() if not key.name.startswith("_"))


def combine(combiner, inputs):
    halves = []
    for part in (inputs[: len(inputs) // 2], inputs[len(inputs) // 2 :]):
        accumulator = combiner.create_accumulator()
        for element in part:
            accumulator = combiner.add_input(accumulator, element)
        halves.append(accumulator)
    # Some of TFMA's would merge the first of a list twice; Beam gives an iterator.
    return combiner.extract_output(combiner.merge_accumulators(iter(halves)))


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("ours", "stock"),
    [
        (metrics.Accuracy(), confusion_matrix_metrics.BinaryAccuracy(name="binary_accuracy")),
        (metrics.EventCount(), tfma.metrics.ExampleCount()),
    ],
    ids=lambda metric: type(metric).__name__,
)
def test_values_equal_tfmas(events, ours, stock, weighted):
    expected = measure(stock, events, size=1, weighted=weighted)
    for size in (1, 300, 2000):
        assert measure(ours, events, size, weighted) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_equals_tfmas_where_it_is_finite(events, weighted):
    # TFMA's is computed in float32, and infinite at scores of 0 and 1.
    inner = [column[5:] for column in events]
    expected = measure(BinaryCrossEntropy(), inner, size=1, weighted=weighted)
    assert measure(metrics.LogLoss(), inner, 700, weighted) == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(measure(metrics.LogLoss(), events, 700, weighted))


# TFMA divides by the number of events under a threshold, which may be 0.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_calibration_equals_tfmas(events):
    expected, found = (
        [
            tuple(value.value if field.message_type else value for field, value in b.ListFields())
            for b in measure(metric, events, size=size).buckets
        ]
        for metric, size in ((tfma.metrics.CalibrationPlot(), 1), (metrics.ScoreCalibration(), 700))
    )
    for theirs, mine in zip(expected, found, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-9, nan_ok=True)


def test_confusion_matrices_count_the_events_on_either_side(events):
    labels, scores, _ = events
    matrices = measure(metrics.ScoreConfusion(), events, size=700).matrices
    assert len(matrices) > 500
    for matrix in (matrices[0], *matrices[1:-1:50], matrices[-1]):
        passes = np.float64(scores) >= matrix.threshold
        assert matrix.true_positives == np.sum(passes & (labels == 1))
        assert matrix.false_positives == np.sum(passes & (labels == 0))
        assert matrix.false_negatives == np.sum(~passes & (labels == 1))
        assert matrix.true_negatives == np.sum(~passes & (labels == 0))


def test_values_equal_scikit_learns(events):
    labels, scores, _ = events
    assert measure(metrics.Accuracy(), events, 700) == accuracy_score(labels, scores > 0.5)
    inner = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    assert measure(metrics.LogLoss(), events, 700) == pytest.approx(log_loss(labels, inner))
    assert measure(metrics.EventCount(), events, 700) == 2000


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_auc_equals_scikit_learns(events, weighted):
    labels, scores, weights = events
    expected = roc_auc_score(labels, scores, sample_weight=weights if weighted else None)
    for size in (1, 300, 2000):
        assert measure(metrics.RocAuc(), events, size, weighted) == pytest.approx(expected, 1e-12)


def test_signal_is_counted(events):
    labels, _, weights = events
    assert measure(metrics.SignalCount(), events, 700) == labels.sum()
    assert measure(metrics.SignalCount(), events, 700, True) == pytest.approx(labels @ weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("efficiency", [0.3, 0.5, 0.9])
def test_background_rejection_is_the_inverse_mistag_rate(events, efficiency, weighted):
    labels, scores, weights = events
    mistags, efficiencies, _ = roc_curve(
        labels, scores, sample_weight=weights if weighted else None
    )
    # The first of the points where the curve is vertical is the one that fewest events pass.
    efficiencies, first = np.unique(efficiencies, return_index=True)
    last = np.append(first[1:], len(mistags)) - 1
    after = np.searchsorted(efficiencies, efficiency - 1e-12)
    ends = efficiencies[[after - 1, after]]
    expected = 1.0 / np.interp(efficiency, ends, [mistags[last[after - 1]], mistags[first[after]]])
    metric = metrics.BackgroundRejection(signal_efficiency=efficiency)
    assert measure(metric, events, 700, weighted) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_maximal_significance_is_that_of_the_best_cut(events, weighted):
    labels, scores, weights = events
    weights = weights if weighted else np.ones_like(weights)
    passed = [
        [weights[(labels == kind) & (scores >= cut)].sum() for cut in scores] for kind in (1, 0)
    ]
    s = 100 * np.array(passed[0]) / weights[labels == 1].sum()
    b = 1000 * np.array(passed[1]) / weights[labels == 0].sum() + 10
    expected = np.sqrt(2 * ((s + b) * np.log(1 + s / b) - s)).max()
    assert measure(metrics.MaximalSignificance(), events, 700, weighted) == pytest.approx(
        expected, rel=1e-9
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_calibration_error_is_the_mean_distance_of_score_and_share(events, weighted):
    labels, scores, weights = events
    weights = weights if weighted else np.ones_like(weights)
    places = np.minimum((scores.astype(np.float64) * 10).astype(int), 9)
    distances = [
        abs(weights[places == place] @ (labels - scores)[places == place]) for place in range(10)
    ]
    expected = sum(distances) / weights.sum()
    assert measure(metrics.ExpectedCalibrationError(), events, 700, weighted) == pytest.approx(
        expected, rel=1e-6
    )


def few(labels, scores):
    return [np.array(column, np.float64) for column in (labels, scores, [1.0] * len(labels))]


def test_perfect_separation_rejects_without_limit():
    perfect = few([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert measure(metrics.BackgroundRejection(), perfect, 4) == float("inf")


@pytest.mark.parametrize(
    "metric",
    [
        metrics.RocAuc(),
        metrics.AucStandardError(),
        metrics.BackgroundRejection(),
        metrics.MaximalSignificance(),
    ],
    ids=lambda metric: metric.name,
)
@pytest.mark.parametrize(
    ("labels", "scores"),
    [([], []), ([1], [0.5]), ([0], [0.5]), ([1, 1], [0.1, 0.9]), ([0, 1], [0.5, np.nan])],
    ids=["no event", "one signal event", "one background event", "one class", "no number"],
)
def test_what_compares_the_classes_is_undefined_without_both(metric, labels, scores):
    assert np.isnan(measure(metric, few(labels, scores), 2))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.Accuracy(), 0.5),
        (metrics.LogLoss(), -np.log(0.09) / 2),
        (metrics.ExpectedCalibrationError(), 0.5),
        (metrics.EventCount(), 2),
        (metrics.SignalCount(), 2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_compares_labels_and_scores_is_defined_for_one_class(metric, expected):
    assert measure(metric, few([1, 1], [0.1, 0.9]), 2) == pytest.approx(expected)


@pytest.mark.parametrize(
    "metric",
    [metrics.Accuracy(), metrics.LogLoss(), metrics.ExpectedCalibrationError()],
    ids=lambda metric: metric.name,
)
def test_means_of_no_events_are_undefined(metric):
    assert np.isnan(measure(metric, few([], []), 2))


@pytest.mark.parametrize(
    "metric",
    [metrics.LogLoss(), metrics.ExpectedCalibrationError()],
    ids=lambda metric: metric.name,
)
def test_a_score_that_is_not_a_number_makes_a_mean_undefined(metric):
    assert np.isnan(measure(metric, few([1, 0, 1], [0.1, np.nan, 0.9]), 2))


def test_scores_that_are_the_share_of_signal_are_calibrated():
    balanced = few([1, 0, 0, 0, 1, 1, 1, 0], [0.25] * 4 + [0.75] * 4)
    assert measure(metrics.ExpectedCalibrationError(), balanced, 4) == pytest.approx(0.0)
