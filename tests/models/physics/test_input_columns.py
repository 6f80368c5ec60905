import numpy as np
import pytest
import tensorflow as tf
from catboost import Pool

from formats.features import FEATURES
from models import event_table
from models.physics.input_columns import column_layer, column_names, compute_columns


def test_published_columns_are_the_features(make_events):
    events = make_events(20)
    assert compute_columns(events, derived=False) is events
    assert column_names(derived=False) == FEATURES
    layer = column_layer(derived=False)
    np.testing.assert_array_equal(layer(tf.constant(events.features)), events.features)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 20])
def test_derived_columns_are_those_of_the_serving_layer(make_events, monkeypatch, count):
    monkeypatch.setattr(event_table, "CHUNK_EVENTS", 8)
    events = make_events(count)
    table = compute_columns(events, derived=True)
    expected = column_layer(derived=True)(tf.constant(events.features)).numpy()
    assert table.features.shape == (count, len(column_names(derived=True)))
    np.testing.assert_allclose(table.features, expected, atol=1e-5, rtol=1e-5)
    assert table.labels is events.labels


@pytest.mark.slow
def test_catboost_reads_derived_columns_without_a_copy(make_events):
    columns = compute_columns(make_events(20), derived=True).features
    pool = Pool(columns)
    np.testing.assert_array_equal(pool.get_features(), columns)
    # CatBoost makes an array that it uses read-only, but not one that it has copied.
    assert not columns.flags.writeable
    Pool(copy := np.ascontiguousarray(columns))
    assert copy.flags.writeable
