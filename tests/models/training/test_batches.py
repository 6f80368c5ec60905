import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from formats.event_counts import EventCountError
from models.event_table import EventTable
from models.physics.input_columns import column_layer
from models.row_groups import TableSource
from models.training import event_survey
from models.training.batches import Blocks, training_dataset, validation_dataset


def number_events(count):
    """Events with their index in every feature, and its parity as label."""
    numbers = np.arange(count, dtype=np.float32)
    return EventTable(np.repeat(numbers[:, None], 28, axis=1), numbers[:, None] % 2)


@pytest.fixture(scope="module")
def make_blocks(make_plan):
    """Makes the blocks of numbered events, in row groups of ten."""

    def make(
        count=100, batch_size=4, window=None, seed=1, hosts=1, host=0, group_events=10, rows=None
    ):
        events = number_events(count)
        source = TableSource(events if rows is None else events[rows], group_events)
        splits = event_survey.survey(source, 0.0, hosts=hosts, own_hosts=range(hosts))
        plan = make_plan(
            splits.train.usable,
            seed,
            window=window,
            batch_size_per_replica=batch_size,
            derived_columns=False,
            steps_per_execution=1,
        )
        return Blocks(splits.train.of_host(host), plan)

    return make


WINDOWS = [None, 40, 24]
"""No limit, and windows whose blocks have 20 and 12 events: two row groups, and parts of them."""


def epochs(blocks, count, steps=25, **options):
    """Returns the indices of the events of each epoch, in order."""
    batches = training_dataset(blocks, **options).take(count * steps).as_numpy_iterator()
    return np.reshape(np.stack([features[:, 0] for features, _ in batches]), [count, -1])


@pytest.fixture(scope="module")
def whole(make_blocks):
    """Five epochs of the usual blocks, by window."""
    return {window: epochs(make_blocks(window=window), count=5) for window in WINDOWS}


@pytest.mark.parametrize("window", WINDOWS)
def test_an_epoch_is_a_permutation_of_all_events(whole, window):
    for order in whole[window]:
        assert sorted(order) == list(range(100))


@pytest.mark.parametrize("window", WINDOWS)
def test_every_epoch_is_another_permutation(whole, window):
    assert len({tuple(order) for order in whole[window]}) == 5


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
def test_batches_follow_from_the_seed(make_blocks, whole, window):
    again, other = (epochs(make_blocks(seed=seed, window=window), count=2) for seed in (1, 2))
    np.testing.assert_array_equal(whole[window][:2], again)
    assert (again != other).any()


def test_events_are_mixed_within_a_block(make_blocks):
    blocks = make_blocks(window=80)
    (order,) = epochs(blocks, count=1)
    first_block = order[: 4 * blocks.steps_per_block]
    assert len(first_block) == 36
    assert len(set(first_block // 10)) in {4, 5}
    # Batches of four events from one row group would have 39 steps of 1, or a few jumps.
    groups = [first // 10 != second // 10 for first, second in pairwise(first_block)]
    assert sum(groups) > 15


def test_two_blocks_are_in_memory_at_a_time(make_blocks):
    blocks = make_blocks(window=40)
    assert blocks.per_epoch == 5
    sizes = [len(blocks.load(0, block)[1]) for block in range(5)]
    assert sizes == [20] * 5


@pytest.mark.parametrize("rows", [slice(None, None, -1), np.random.default_rng(0).permutation(100)])
def test_in_memory_the_order_of_the_events_in_the_files_does_not_matter(make_blocks, whole, rows):
    orders = epochs(make_blocks(rows=rows, group_events=7), count=2)
    np.testing.assert_array_equal(orders, whole[None][:2])


@pytest.mark.slow
def test_in_a_window_the_order_within_a_row_group_does_not_matter(make_blocks, whole):
    within = np.concatenate([np.arange(start, start + 10)[::-1] for start in range(0, 100, 10)])
    orders = epochs(make_blocks(window=24, rows=within), count=2)
    np.testing.assert_array_equal(orders, whole[24][:2])


@pytest.mark.slow
def test_events_in_memory_are_read_once(make_blocks, monkeypatch):
    reads = []
    read = TableSource.read
    blocks = make_blocks()
    monkeypatch.setattr(
        TableSource, "read", lambda self, group: reads.append(group) or read(self, group)
    )
    epochs(blocks, count=3)
    assert sorted(reads) == list(range(10))


@dataclasses.dataclass
class UnequalGroups:
    """Numbered events in row groups of given sizes."""

    counts: list[int]
    name: str = "test"

    def read(self, group):
        start = sum(self.counts[:group])
        return number_events(100)[start : start + self.counts[group]]


@pytest.mark.parametrize("sizes", [[100], [1] * 10 + [90], [0, 60, 0, 39, 1], [33, 33, 34]])
@pytest.mark.parametrize("window", [None, 8, 40, 72])
@pytest.mark.parametrize("ranks", [1, 3])
def test_row_groups_of_any_size_are_divided_and_read_exactly(make_plan, sizes, window, ranks):
    splits = event_survey.survey(UnequalGroups(sizes), 0.0, hosts=ranks, own_hosts=range(ranks))
    assert splits.train.by_host == {1: [100], 3: [33, 33, 34]}[ranks]
    plan = make_plan(
        splits.train.usable,
        window=window,
        batch_size_per_replica=4 * ranks,
        derived_columns=False,
        steps_per_execution=1,
    )
    parts = [Blocks(splits.train.of_host(host), plan) for host in range(ranks)]
    for epoch in range(2):
        trained = []
        for part in parts:
            for block in range(part.per_epoch):
                columns, _, batches = part.load(epoch, block)
                trained += [*columns.numpy()[batches.ravel(), 0]]
        assert sum(part.seen[epoch] for part in parts) == 100
        # All but the events beyond the last whole batch of a host.
        assert len(trained) == len(set(trained)) == 100 // (4 * ranks) * 4 * ranks


@pytest.mark.parametrize("window", [40, 24, 8])
def test_a_row_group_of_several_blocks_is_read_once_per_epoch(make_blocks, monkeypatch, window):
    reads = []
    read = TableSource.read
    blocks = make_blocks(window=window)
    monkeypatch.setattr(
        TableSource, "read", lambda self, group: reads.append(group) or read(self, group)
    )
    for epoch in range(2):
        reads.clear()
        events = [blocks.load(epoch, block)[0][:, 0] for block in range(blocks.per_epoch)]
        assert sorted(np.concatenate(events)) == list(range(100))
        assert sorted(reads) == list(range(10))


def test_labels_stay_with_their_features(make_blocks):
    batches = training_dataset(make_blocks(window=40)).take(60).as_numpy_iterator()
    for features, labels in batches:
        np.testing.assert_array_equal(labels, features[:, :1] % 2)


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 6])
def test_the_remainder_is_left_out_and_differs_by_epoch(make_blocks, window):
    blocks = make_blocks(12, 5, window=window, group_events=4)
    orders = epochs(blocks, count=20, steps=2)
    assert all(len(set(order)) == 10 for order in orders)
    assert set(orders.ravel()) == set(range(12))


def test_every_epoch_reads_every_event(make_blocks):
    blocks = make_blocks(12, 5, window=6, group_events=4)
    epochs(blocks, count=3, steps=2)
    assert [blocks.seen[epoch] for epoch in range(3)] == [12, 12, 12]


def test_files_that_lose_events_during_the_training_stop_it(make_blocks):
    blocks = make_blocks(window=40)
    piece = blocks._events.pieces[3]
    blocks._events.pieces[3] = dataclasses.replace(piece, count=piece.count + 1)
    with pytest.raises((EventCountError, tf.errors.OpError), match="found 10 events"):
        epochs(blocks, count=1)


@pytest.mark.slow
def test_shapes_are_static(make_blocks, make_plan):
    features, labels = training_dataset(make_blocks(12, 5)).element_spec
    assert features.shape == [5, 28]
    assert labels.shape == [5, 1]
    plan = make_plan(12, batch_size_per_replica=5)
    features, labels, weights = validation_dataset(number_events(12), plan).element_spec
    assert features.shape == [5, 115]
    assert labels.shape == [5, 1]
    assert weights.shape == [5]


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 400])
def test_columns_are_those_of_the_serving_layer(make_events, make_plan, window):
    events = make_events(1000)
    splits = event_survey.survey(TableSource(events, 150), 0.2)
    plan = make_plan(len(splits.train), window=window, batch_size_per_replica=100)
    layer = column_layer(derived=True)
    expected = {tuple(row[:3]): row for row in layer(tf.constant(events.features)).numpy().round(4)}
    (columns, _), *_ = training_dataset(Blocks(splits.train, plan)).take(1).as_numpy_iterator()
    (validation, _, _), *_ = validation_dataset(splits.validation, plan).as_numpy_iterator()
    for row in np.concatenate([columns, validation]).round(4):
        np.testing.assert_allclose(row, expected[tuple(row[:3])], atol=2e-3, rtol=1e-3)


@pytest.fixture
def validate(make_plan):
    def validate(batch_size, context=None, events=None):
        events = events or number_events(12)
        plan = make_plan(1000, batch_size_per_replica=batch_size, derived_columns=False)
        options = [context] if context else []
        return validation_dataset(events, plan, *options).as_numpy_iterator()

    return validate


@pytest.mark.parametrize("batch_size", [3, 5, 12, 16])
def test_validation_has_every_event_once(validate, batch_size):
    features, labels, weights = (
        np.concatenate(parts) for parts in zip(*validate(batch_size), strict=True)
    )
    is_event = weights > 0
    np.testing.assert_array_equal(features[is_event, 0], np.arange(12))
    np.testing.assert_array_equal(labels[is_event, 0], np.arange(12) % 2)
    assert not weights[12:].any()


@pytest.mark.parametrize("batch_size", [3, 5, 16])
def test_the_mean_of_weighted_batch_means_is_the_mean_over_events(validate, batch_size):
    means = [(weights * features[:, 0]).mean() for features, _, weights in validate(batch_size)]
    assert np.mean(means) == pytest.approx(5.5)


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("epoch", "step"), [(3, 0), (0, 7), (2, 5), (1, 24)])
def test_a_resumed_training_has_the_batches_of_an_uninterrupted_one(
    make_blocks, whole, window, epoch, step
):
    batches = whole[window].reshape(125, 4)[epoch * 25 + step :]
    rest = training_dataset(make_blocks(window=window), first_epoch=epoch, first_step=step)
    for expected, (features, _) in zip(batches, rest.as_numpy_iterator(), strict=False):
        np.testing.assert_array_equal(features[:, 0], expected)


def test_a_resumed_training_reads_no_block_that_is_finished(make_blocks, monkeypatch):
    blocks = make_blocks(window=40)
    loaded = []
    load = Blocks.load
    monkeypatch.setattr(Blocks, "load", lambda self, *at: loaded.append(at) or load(self, *at))
    next(training_dataset(blocks, first_epoch=2, first_step=16).as_numpy_iterator())
    assert loaded[0] == (2, 3)


def hosts(count, replicas):
    return [
        tf.distribute.InputContext(
            num_input_pipelines=count, input_pipeline_id=host, num_replicas_in_sync=replicas
        )
        for host in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 40])
def test_hosts_together_train_on_every_event_once(make_blocks, window):
    parts = []
    for context in hosts(2, 4):
        blocks = make_blocks(batch_size=20, window=window, hosts=2, host=context.input_pipeline_id)
        batches = training_dataset(blocks, context=context)
        assert batches.element_spec[0].shape == [5, 28]
        # Two replicas per host, each with 5 of the 20 events of a batch.
        parts += [epochs(blocks, count=2, steps=10, context=context)]
        assert blocks.seen[0] == 50
    for one, other in zip(*parts, strict=True):
        assert set(one) == set(range(50))
        assert set(other) == set(range(50, 100))


@pytest.mark.slow
def test_hosts_together_validate_on_every_event_once(validate):
    indices = []
    for context in hosts(2, 4):
        for features, _, weights in validate(8, context):
            assert features.shape == (2, 28)
            indices += list(features[weights > 0, 0])
    assert sorted(indices) == list(range(12))
