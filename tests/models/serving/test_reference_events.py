import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from formats.features import FEATURES
from models.event_table import EventTable
from models.serving.reference_events import stable_scores, write_reference

PT = FEATURES.index("lepton_pt")
B_TAG = FEATURES.index("jet_1_b_tag")


class Jumpy(tf_keras.layers.Layer):
    """A probability that jumps where a column exceeds a threshold."""

    def __init__(self, column, threshold):
        super().__init__()
        self._column, self._threshold = column, np.float32(threshold)

    def call(self, features):
        column = features[:, self._column : self._column + 1]
        return tf.where(column > self._threshold, 0.7, 0.3) + 1e-3 * tf.tanh(column)


def events(count):
    features = np.random.default_rng(1).uniform(0.5, 2, [count, 28]).astype(np.float32)
    return EventTable(features, np.ones([count, 1], np.float32))


@pytest.mark.parametrize("distance", [0, 1, -1, 3])
def test_an_event_close_to_a_threshold_is_not_stable(distance):
    table = events(50)
    value = np.float32(1.5)
    table.features[7, PT] = value + distance * np.spacing(value)
    is_close = np.abs(table.features[:, PT] - value) < 1e-4
    is_close[7] = False
    table.features[is_close, PT] = 1.0
    expected = np.arange(50) != 7
    scores, is_stable = stable_scores(Jumpy(PT, value), table.features)
    np.testing.assert_array_equal(is_stable, expected)
    np.testing.assert_allclose(scores, Jumpy(PT, value)(table.features), atol=1e-7)


def test_discrete_values_are_exact_and_get_no_noise():
    table = events(50)
    table.features[:, B_TAG] = 1.0865380764007568
    assert stable_scores(Jumpy(B_TAG, 1.0865380764007568), table.features)[1].all()


def test_all_events_are_used_if_none_is_stable(tmp_path, caplog):
    table = events(20)
    table.features[:, PT] = 1.5
    with caplog.at_level("INFO", "higgs.trainer"):
        write_reference(Jumpy(PT, 1.5), table, f"{tmp_path}/reference.npz")
    assert "the scores of 0 of 20 events are stable" in caplog.text
    np.testing.assert_array_equal(np.load(tmp_path / "reference.npz")["event"], np.arange(20))


def test_the_file_holds_the_first_stable_events_and_their_scores(tmp_path):
    table = events(1200)
    table.features[[3, 900], PT] = 1.5
    table.features[1100, PT] = 1.5
    write_reference(Jumpy(PT, 1.5), table, f"{tmp_path}/reference.npz")
    written = np.load(tmp_path / "reference.npz")
    positions = written["event"]
    assert {3, 900}.isdisjoint(positions)
    assert positions.max() == 999
    assert len(positions) >= 990
    np.testing.assert_array_equal(written["features"], table.features[positions])
    expected = Jumpy(PT, 1.5)(table.features[positions])
    np.testing.assert_allclose(written["signal_probability"], expected, atol=1e-7)
