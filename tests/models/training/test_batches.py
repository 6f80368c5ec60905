import logging

import numpy as np
import pytest
import tensorflow as tf

from models.event_table import Events
from models.training.batches import evaluation_dataset, global_batch_size, training_dataset


@pytest.fixture
def numbered():
    """Twelve events that carry their number in every feature, and its parity as label."""
    numbers = np.arange(12, dtype=np.float32)
    return Events(np.repeat(numbers[:, None], 28, axis=1), numbers[:, None] % 2)


def epochs(dataset, count, steps):
    """The events' numbers of each epoch, in the order they are fed."""
    batches = [features[:, 0] for features, _ in dataset.take(count * steps).as_numpy_iterator()]
    return np.reshape(np.stack(batches), [count, -1])


def test_epoch_is_a_permutation_of_all_events(numbered):
    for order in epochs(training_dataset(numbered, 4, seed=1), count=3, steps=3):
        assert sorted(order) == list(range(12))


def test_each_epoch_is_shuffled_anew(numbered):
    orders = epochs(training_dataset(numbered, 4, seed=1), count=5, steps=3)
    assert len({tuple(order) for order in orders}) == 5


def test_same_seed_repeats_and_another_does_not(numbered):
    first, again, other = (
        epochs(training_dataset(numbered, 4, seed), count=2, steps=3) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_label_stays_with_its_features(numbered):
    for features, labels in training_dataset(numbered, 4, seed=1).take(6).as_numpy_iterator():
        np.testing.assert_array_equal(labels, features[:, :1] % 2)


def test_remainder_is_left_out_and_differs_by_epoch(numbered):
    orders = epochs(training_dataset(numbered, 5, seed=1), count=20, steps=2)
    assert all(len(set(order)) == 10 for order in orders)
    assert set(orders.ravel()) == set(range(12))


def test_shapes_are_static(numbered):
    features, labels = training_dataset(numbered, 5, seed=1).element_spec
    assert features.shape == [5, 28]
    assert labels.shape == [5, 1]
    features, labels, weights = evaluation_dataset(numbered, 5).element_spec
    assert features.shape == [5, 28]
    assert labels.shape == [5, 1]
    assert weights.shape == [5]


@pytest.mark.parametrize("batch_size", [3, 5, 12, 16])
def test_evaluation_counts_every_event_once(numbered, batch_size):
    batches = list(evaluation_dataset(numbered, batch_size).as_numpy_iterator())
    features, labels, weights = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    counted = weights > 0
    np.testing.assert_array_equal(features[counted, 0], np.arange(12))
    np.testing.assert_array_equal(labels[counted, 0], np.arange(12) % 2)
    assert not weights[12:].any()


@pytest.mark.parametrize("batch_size", [3, 5, 16])
def test_mean_of_weighted_batch_means_is_the_mean_over_events(numbered, batch_size):
    batches = evaluation_dataset(numbered, batch_size).as_numpy_iterator()
    means = [(weights * features[:, 0]).mean() for features, _, weights in batches]
    assert np.mean(means) == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("events", "per_replica", "replicas", "expected"),
    [(100, 10, 1, 10), (100, 10, 8, 80), (100, 2048, 1, 100), (100, 2048, 8, 96), (8, 4, 8, 8)],
)
def test_global_batch_fits_the_events(events, per_replica, replicas, expected):
    assert global_batch_size(events, per_replica, replicas) == expected


def test_smaller_batch_is_logged(caplog):
    with caplog.at_level(logging.INFO, "higgs.trainer"):
        global_batch_size(100, 2048, 8)
    assert caplog.messages == ["only 100 training events: 12 a replica and step"]


def test_fewer_events_than_replicas_are_refused():
    with pytest.raises(ValueError, match="7 training events cannot feed 8 replicas"):
        global_batch_size(7, 2048, 8)


def test_training_that_goes_on_sees_the_epochs_it_would_have_seen(numbered):
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


def test_hosts_together_see_each_event_once_in_the_batches_of_one(numbered):
    alone = epochs(training_dataset(numbered, 12, seed=1), count=2, steps=1)
    parts = [
        # Two replicas a host, each with 3 events of the batch's 12.
        epochs(training_dataset(numbered, 12, seed=1, context=context), count=2, steps=2)
        for context in hosts(2, 4)
    ]
    np.testing.assert_array_equal(np.hstack(parts), alone)


def test_hosts_together_evaluate_each_event_once(numbered):
    counted = []
    for context in hosts(2, 4):
        for features, _, weights in evaluation_dataset(numbered, 8, context).as_numpy_iterator():
            assert features.shape == (2, 28)
            counted += list(features[weights > 0, 0])
    assert sorted(counted) == list(range(12))
