import numpy as np
import pytest
import tensorflow as tf

from models.event_table import EventTable
from models.training.batches import training_dataset, validation_dataset


@pytest.fixture
def numbered():
    """Twelve events with their index in every feature, and its parity as label."""
    numbers = np.arange(12, dtype=np.float32)
    return EventTable(np.repeat(numbers[:, None], 28, axis=1), numbers[:, None] % 2)


def epochs(dataset, count, steps):
    """Returns the indices of the events of each epoch, in order."""
    batches = [features[:, 0] for features, _ in dataset.take(count * steps).as_numpy_iterator()]
    return np.reshape(np.stack(batches), [count, -1])


def test_an_epoch_is_a_permutation_of_all_events(numbered):
    for order in epochs(training_dataset(numbered, 4, seed=1), count=3, steps=3):
        assert sorted(order) == list(range(12))


def test_every_epoch_is_another_permutation(numbered):
    orders = epochs(training_dataset(numbered, 4, seed=1), count=5, steps=3)
    assert len({tuple(order) for order in orders}) == 5


def test_batches_follow_from_the_seed(numbered):
    first, again, other = (
        epochs(training_dataset(numbered, 4, seed), count=2, steps=3) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_labels_stay_with_their_features(numbered):
    for features, labels in training_dataset(numbered, 4, seed=1).take(6).as_numpy_iterator():
        np.testing.assert_array_equal(labels, features[:, :1] % 2)


def test_the_remainder_is_left_out_and_differs_by_epoch(numbered):
    orders = epochs(training_dataset(numbered, 5, seed=1), count=20, steps=2)
    assert all(len(set(order)) == 10 for order in orders)
    assert set(orders.ravel()) == set(range(12))


def test_shapes_are_static(numbered):
    features, labels = training_dataset(numbered, 5, seed=1).element_spec
    assert features.shape == [5, 28]
    assert labels.shape == [5, 1]
    features, labels, weights = validation_dataset(numbered, 5).element_spec
    assert features.shape == [5, 28]
    assert labels.shape == [5, 1]
    assert weights.shape == [5]


@pytest.mark.parametrize("batch_size", [3, 5, 12, 16])
def test_validation_has_every_event_once(numbered, batch_size):
    batches = list(validation_dataset(numbered, batch_size).as_numpy_iterator())
    features, labels, weights = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    is_event = weights > 0
    np.testing.assert_array_equal(features[is_event, 0], np.arange(12))
    np.testing.assert_array_equal(labels[is_event, 0], np.arange(12) % 2)
    assert not weights[12:].any()


@pytest.mark.parametrize("batch_size", [3, 5, 16])
def test_the_mean_of_weighted_batch_means_is_the_mean_over_events(numbered, batch_size):
    batches = validation_dataset(numbered, batch_size).as_numpy_iterator()
    means = [(weights * features[:, 0]).mean() for features, _, weights in batches]
    assert np.mean(means) == pytest.approx(5.5)


def test_a_resumed_training_has_the_batches_of_an_uninterrupted_one(numbered):
    whole = epochs(training_dataset(numbered, 4, seed=1), count=5, steps=3)
    rest = epochs(training_dataset(numbered, 4, seed=1, first_epoch=3), count=2, steps=3)
    np.testing.assert_array_equal(rest, whole[3:])


def hosts(count, replicas):
    return [
        tf.distribute.InputContext(
            num_input_pipelines=count, input_pipeline_id=host, num_replicas_in_sync=replicas
        )
        for host in range(count)
    ]


def test_hosts_share_the_batches_of_a_single_host(numbered):
    single = epochs(training_dataset(numbered, 12, seed=1), count=2, steps=1)
    parts = [
        # Two replicas per host, each with 3 of the 12 events of a batch.
        epochs(training_dataset(numbered, 12, seed=1, context=context), count=2, steps=2)
        for context in hosts(2, 4)
    ]
    np.testing.assert_array_equal(np.hstack(parts), single)


def test_hosts_together_validate_on_every_event_once(numbered):
    indices = []
    for context in hosts(2, 4):
        for features, _, weights in validation_dataset(numbered, 8, context).as_numpy_iterator():
            assert features.shape == (2, 28)
            indices += list(features[weights > 0, 0])
    assert sorted(indices) == list(range(12))
