import numpy as np
import pytest

from models import event_table
from models.event_table import apply_in_chunks, as_tensor, empty


def test_arrays_become_tensors_without_a_copy(make_events):
    features = empty(20, 28)
    features[:] = make_events(20).features
    tensor = as_tensor(features)
    np.testing.assert_array_equal(tensor.numpy(), features)
    features[3, 5] = -77
    assert float(tensor[3, 5]) == -77


@pytest.mark.parametrize("shape", [(1, 1), (7, 28), (3,)])
def test_empty_arrays_are_aligned(shape):
    array = empty(*shape)
    assert array.shape == shape
    assert array.dtype == np.float32
    assert array.ctypes.data % 64 == 0


def test_arrays_that_are_not_aligned_or_contiguous_are_copied(make_events):
    features = make_events(10).features
    for array in (features[:, 3:], features[1:], features.T, features[:0]):
        np.testing.assert_array_equal(as_tensor(array).numpy(), array)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 20])
def test_a_layer_is_applied_to_all_chunks(make_events, network, monkeypatch, count):
    monkeypatch.setattr(event_table, "CHUNK_EVENTS", 8)
    features = make_events(count).features
    outputs = apply_in_chunks(network, features)
    assert outputs.shape == (count, 1)
    np.testing.assert_allclose(outputs, network(features).numpy(), atol=1e-6)
    if count:
        tensor = as_tensor(outputs)
        outputs[0, 0] = -5
        assert float(tensor[0, 0]) == -5
