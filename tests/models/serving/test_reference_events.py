import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from formats.features import FEATURES
from models.event_table import Events
from models.serving.reference_events import steady_scores, write_reference

PT = FEATURES.index("lepton_pt")
B_TAG = FEATURES.index("jet_1_b_tag")


class Jumpy(tf_keras.layers.Layer):
    """A probability that jumps where a column passes a threshold."""

    def __init__(self, column, threshold):
        super().__init__()
        self._column, self._threshold = column, np.float32(threshold)

    def call(self, features):
        column = features[:, self._column : self._column + 1]
        return tf.where(column > self._threshold, 0.7, 0.3) + 1e-3 * tf.tanh(column)


def events(count):
    features = np.random.default_rng(1).uniform(0.5, 2, [count, 28]).astype(np.float32)
    return Events(features, np.ones([count, 1], np.float32))


@pytest.mark.parametrize("away", [0, 1, -1, 3])
def test_event_within_a_few_roundings_of_a_threshold_is_not_steady(away):
    found = events(50)
    value = np.float32(1.5)
    found.features[7, PT] = value + away * np.spacing(value)
    # Those that happened to be near are moved away.
    near = np.abs(found.features[:, PT] - value) < 1e-4
    near[7] = False
    found.features[near, PT] = 1.0
    expected = np.arange(50) != 7
    scores, are_steady = steady_scores(Jumpy(PT, value), found.features)
    np.testing.assert_array_equal(are_steady, expected)
    np.testing.assert_allclose(scores, Jumpy(PT, value)(found.features), atol=1e-7)


def test_codes_of_b_tags_are_exact_and_not_moved():
    found = events(50)
    found.features[:, B_TAG] = 1.0865380764007568
    assert steady_scores(Jumpy(B_TAG, 1.0865380764007568), found.features)[1].all()


def test_all_events_are_taken_where_none_is_steady(tmp_path, caplog):
    found = events(20)
    found.features[:, PT] = 1.5
    with caplog.at_level("INFO", "higgs.trainer"):
        write_reference(Jumpy(PT, 1.5), found, f"{tmp_path}/reference.npz")
    assert "the scores of 0 of 20 events are steady" in caplog.text
    np.testing.assert_array_equal(np.load(tmp_path / "reference.npz")["event"], np.arange(20))


def test_file_holds_the_first_steady_events_and_their_scores(tmp_path):
    found = events(1200)
    found.features[[3, 900], PT] = 1.5
    found.features[1100, PT] = 1.5
    write_reference(Jumpy(PT, 1.5), found, f"{tmp_path}/reference.npz")
    written = np.load(tmp_path / "reference.npz")
    places = written["event"]
    assert {3, 900}.isdisjoint(places)
    assert places.max() == 999
    assert len(places) >= 990
    np.testing.assert_array_equal(written["features"], found.features[places])
    expected = Jumpy(PT, 1.5)(found.features[places])
    np.testing.assert_allclose(written["signal_probability"], expected, atol=1e-7)
