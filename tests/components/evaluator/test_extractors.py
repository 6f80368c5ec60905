import numpy as np
import tensorflow_model_analysis as tfma

from components.evaluator.extractors import slice_batch
from formats.features import DISCRETE_VALUES

LEVELS = np.array([(0, 0, 0, 0), (2, 1, 0, 0), (2, 0, 0, 1), (1, 0, 0, 0)])


def batch(**more):
    features = {
        name: np.array(codes, np.float32)[LEVELS[:, [jet]]]
        for jet, (name, codes) in enumerate(DISCRETE_VALUES.items())
    }
    numbers = np.arange(4, dtype=np.float32).reshape(-1, 1)
    return {
        tfma.FEATURES_KEY: features,
        tfma.LABELS_KEY: numbers % 2,
        tfma.PREDICTIONS_KEY: {"candidate": numbers / 10, "baseline": numbers / 20},
        tfma.ARROW_RECORD_BATCH_KEY: object(),
        **more,
    }


def by_slice(extracts, slicings):
    return {part[tfma.SLICE_KEY_TYPES_KEY][0]: part for part in slice_batch(extracts, slicings)}


def test_the_overall_slice_is_the_whole_batch():
    ((key, part),) = by_slice(batch(), [[]]).items()
    assert key == ()
    assert part[tfma.LABELS_KEY].tolist() == [[0], [1], [0], [1]]
    assert set(part) == {tfma.LABELS_KEY, tfma.PREDICTIONS_KEY, tfma.SLICE_KEY_TYPES_KEY}


def test_each_event_is_in_the_slice_of_its_value():
    parts = by_slice(batch(), [["n_b_tags"]])
    assert set(parts) == {(("n_b_tags", 0),), (("n_b_tags", 1),), (("n_b_tags", 2),)}
    two = parts[(("n_b_tags", 2),)]
    np.testing.assert_allclose(two[tfma.PREDICTIONS_KEY]["candidate"], [[0.1], [0.2]])
    np.testing.assert_allclose(two[tfma.PREDICTIONS_KEY]["baseline"], [[0.05], [0.1]])
    assert two[tfma.LABELS_KEY].tolist() == [[1], [0]]


def test_slices_of_several_columns():
    parts = by_slice(batch(), [["jet_1_b_tag", "n_b_tags"]])
    assert set(parts) == {
        (("jet_1_b_tag", "none"), ("n_b_tags", 0)),
        (("jet_1_b_tag", "tight"), ("n_b_tags", 2)),
        (("jet_1_b_tag", "loose"), ("n_b_tags", 1)),
    }


def test_weights_go_with_their_events():
    weights = np.array([[1.0], [2.0], [3.0], [4.0]])
    parts = by_slice(batch(**{tfma.EXAMPLE_WEIGHTS_KEY: weights}), [["n_b_tags"]])
    assert parts[(("n_b_tags", 2),)][tfma.EXAMPLE_WEIGHTS_KEY].tolist() == [[2.0], [3.0]]


def test_slice_keys_are_plain_values_that_tfma_can_write():
    for key in by_slice(batch(), [["n_b_tags"], ["jet_1_b_tag"]]):
        assert all(type(value) in (int, str) for _, value in key)
        tfma.slicer.serialize_slice_key(key)
