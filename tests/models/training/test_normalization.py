import numpy as np
import pytest

from models.training import normalization
from models.training.normalization import measure


def test_mean_and_spread_are_numpys(make_events, monkeypatch):
    monkeypatch.setattr(normalization, "CHUNK", 7)
    features = make_events(100).features
    measured = measure(features)
    np.testing.assert_allclose(measured.mean, features.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(measured.spread, features.std(axis=0, dtype=np.float64), rtol=1e-6)
    assert measured.mean.dtype == measured.spread.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 0.1, -123456.7])
def test_constant_column_has_spread_one(value):
    features = np.full([1001, 2], value, np.float32)
    features[:, 1] = np.arange(1001)
    measured = measure(features)
    assert measured.spread[0] == 1
    assert measured.mean[0] == np.float32(value)
    assert measured.spread[1] > 200


def test_features_are_left_as_they_are(make_events):
    features = make_events(10).features
    before = features.copy()
    measure(features)
    np.testing.assert_array_equal(features, before)
