import numpy as np
import pytest
import tensorflow as tf

from models.event_table import Events
from models.layers.bucketized_columns import PRIOR_EVENTS, BucketWeights, measure_buckets


@pytest.fixture(scope="module")
def events():
    """One telling column, one of two values, one constant and one without meaning."""
    rng = np.random.default_rng(1)
    labels = (rng.random(5000) < 0.4).astype(np.float32)
    columns = [
        rng.normal(2 * labels),
        (rng.random(5000) < 0.2 + 0.5 * labels).astype(np.float64),
        np.full(5000, 3.0),
        rng.normal(size=5000),
    ]
    return Events(np.transpose(columns).astype(np.float32), labels[:, None])


def odds(events, inside):
    """The smoothed log odds of the events inside a bucket, from first principles."""
    rate = events.labels.mean()
    chance = (events.labels[inside].sum() + PRIOR_EVENTS * rate) / (inside.sum() + PRIOR_EVENTS)
    return np.log(chance / (1 - chance))


def test_edges_are_quantiles(events):
    buckets = measure_buckets(events, 10)
    deciles = np.quantile(events.features[:, 0], np.linspace(0.1, 0.9, 9))
    np.testing.assert_allclose(buckets.edges[0], deciles, rtol=1e-6)


def test_weights_are_scaled_log_odds(events):
    layer = BucketWeights(measure_buckets(events, 10))
    found = layer(tf.constant(events.features)).numpy()[:, 0]
    edges = measure_buckets(events, 10).edges[0]
    place = np.searchsorted(edges, events.features[:, 0])
    raw = np.array([odds(events, place == bucket) for bucket in range(10)])[place]
    np.testing.assert_allclose(found, (raw - raw.mean()) / raw.std(), atol=1e-4)


def test_column_of_two_values_has_two_weights(events):
    found = BucketWeights(measure_buckets(events, 10))(tf.constant(events.features)).numpy()[:, 1]
    assert len(np.unique(found[events.features[:, 1] == 0])) == 1
    assert found[events.features[:, 1] == 1].max() > found[events.features[:, 1] == 0].max()


def test_constant_column_weighs_nothing(events):
    found = BucketWeights(measure_buckets(events, 10))(tf.constant(events.features)).numpy()[:, 2]
    np.testing.assert_allclose(found, 0, atol=1e-5)


def test_values_beyond_all_edges_take_the_outer_buckets(events):
    buckets = measure_buckets(events, 10)
    far = np.tile(np.float32([[-1e30], [1e30]]), [1, 4])
    found = BucketWeights(buckets)(tf.constant(far)).numpy()[:, 0]
    np.testing.assert_allclose(found, buckets.weights[0, [0, -1]], atol=1e-5)


def test_one_class_alone_gives_finite_weights(events):
    signal = Events(events.features, np.ones_like(events.labels))
    assert np.isfinite(measure_buckets(signal, 5).weights).all()
