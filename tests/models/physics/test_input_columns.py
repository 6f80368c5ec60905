import numpy as np
import pytest
import tensorflow as tf

from formats.features import FEATURES
from models.event_table import as_tensor
from models.input_columns import column_layer, column_names, compute_columns


def test_published_columns_are_left_alone(make_events):
    events = make_events(20)
    assert compute_columns(events, derived=False) is events
    assert column_names(derived=False) == FEATURES
    layer = column_layer(derived=False)
    np.testing.assert_array_equal(layer(tf.constant(events.features)), events.features)


@pytest.mark.parametrize("count", [1, 7, 8, 20])
def test_columns_computed_in_parts_are_the_serving_layers(make_events, monkeypatch, count):
    monkeypatch.setattr("models.input_columns.EVENTS", 8)
    events = make_events(count)
    computed = compute_columns(events, derived=True)
    expected = column_layer(derived=True)(tf.constant(events.features)).numpy()
    assert computed.features.shape == (count, len(column_names(derived=True)))
    np.testing.assert_allclose(computed.features, expected, atol=1e-5, rtol=1e-5)
    assert computed.labels is events.labels


def test_computed_columns_are_handed_to_tensorflow_without_a_copy(make_events):
    columns = compute_columns(make_events(9), derived=True).features
    tensor = as_tensor(columns)
    columns[2, 4] = -5
    assert float(tensor[2, 4]) == -5
