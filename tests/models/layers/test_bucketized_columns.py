import numpy as np
import pytest
import tensorflow as tf

from models.event_table import EventTable
from models.layers.bucketized_columns import PRIOR_EVENTS, BucketWeights, fit_buckets


@pytest.fixture(scope="module")
def events():
    """One informative column, one with two values, one constant and one random column."""
    rng = np.random.default_rng(1)
    labels = (rng.random(5000) < 0.4).astype(np.float32)
    columns = [
        rng.normal(2 * labels),
        (rng.random(5000) < 0.2 + 0.5 * labels).astype(np.float64),
        np.full(5000, 3.0),
        rng.normal(size=5000),
    ]
    return EventTable(np.transpose(columns).astype(np.float32), labels[:, None])


def log_odds(events, inside):
    """Computes the smoothed log odds of the events inside a bucket."""
    rate = events.labels.mean()
    signal, total = events.labels[inside].sum(), inside.sum()
    probability = (signal + PRIOR_EVENTS * rate) / (total + PRIOR_EVENTS)
    return np.log(probability / (1 - probability))


def test_edges_are_quantiles(events):
    buckets = fit_buckets(events, 10)
    deciles = np.quantile(events.features[:, 0], np.linspace(0.1, 0.9, 9))
    np.testing.assert_allclose(buckets.edges[0], deciles, rtol=1e-6)


def test_outputs_are_standardized_log_odds(events):
    layer = BucketWeights(fit_buckets(events, 10))
    outputs = layer(tf.constant(events.features)).numpy()[:, 0]
    edges = fit_buckets(events, 10).edges[0]
    index = np.searchsorted(edges, events.features[:, 0])
    raw = np.array([log_odds(events, index == bucket) for bucket in range(10)])[index]
    np.testing.assert_allclose(outputs, (raw - raw.mean()) / raw.std(), atol=1e-4)


def test_a_column_with_two_values_has_two_outputs(events):
    outputs = BucketWeights(fit_buckets(events, 10))(tf.constant(events.features)).numpy()[:, 1]
    assert len(np.unique(outputs[events.features[:, 1] == 0])) == 1
    assert outputs[events.features[:, 1] == 1].max() > outputs[events.features[:, 1] == 0].max()


def test_the_outputs_of_a_constant_column_are_zero(events):
    outputs = BucketWeights(fit_buckets(events, 10))(tf.constant(events.features)).numpy()[:, 2]
    np.testing.assert_allclose(outputs, 0, atol=1e-5)


def test_values_beyond_all_edges_belong_to_the_outer_buckets(events):
    buckets = fit_buckets(events, 10)
    far = np.tile(np.float32([[-1e30], [1e30]]), [1, 4])
    outputs = BucketWeights(buckets)(tf.constant(far)).numpy()[:, 0]
    np.testing.assert_allclose(outputs, buckets.log_odds[0, [0, -1]], atol=1e-5)


def test_a_single_class_gives_finite_log_odds(events):
    signal = EventTable(events.features, np.ones_like(events.labels))
    assert np.isfinite(fit_buckets(signal, 5).log_odds).all()
