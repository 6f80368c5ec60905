import numpy as np
import pytest
import tensorflow as tf

from models.event_table import EventTable
from models.row_groups import TableSource
from models.training.batches import Blocks, training_dataset
from models.training.event_files import FileBlocks
from models.training.event_survey import survey
from models.training.hardware import TPUUnavailableError

HOSTS = 2
CONTEXTS = [
    tf.distribute.InputContext(
        num_input_pipelines=HOSTS, input_pipeline_id=host, num_replicas_in_sync=4
    )
    for host in range(HOSTS)
]
"""One process gets all of these from a strategy that drives two hosts with two replicas each."""


def number_events(count):
    """Events with their index in every feature, and its parity as label."""
    numbers = np.arange(count, dtype=np.float32)
    return EventTable(np.repeat(numbers[:, None], 28, axis=1), numbers[:, None] % 2)


@pytest.fixture
def splits():
    """95 events in row groups of ten, the fifth of which belongs to both hosts."""
    return survey(TableSource(number_events(95), 10), 0.0, hosts=HOSTS, own_hosts=range(HOSTS))


@pytest.fixture
def plan(splits, make_plan):
    def plan(window=None, **overrides):
        return make_plan(
            splits.train.usable,
            window=window,
            **{
                "batch_size_per_replica": 20,
                "derived_columns": False,
                "steps_per_execution": 1,
                "epochs": 2,
                **overrides,
            },
        )

    return plan


def batches(blocks, context, plan, **start):
    """Returns the batches of a host in all epochs: int [epochs, steps, events]."""
    epochs, steps = plan.hyperparameters.epochs, plan.steps_per_epoch
    features = [
        features[:, 0]
        for features, _ in training_dataset(blocks, **start, context=context)
        .take(epochs * steps * 2)
        .as_numpy_iterator()
    ]
    return np.reshape(features, [epochs, steps, -1])


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 80])
def test_each_pipeline_of_one_process_reads_the_events_of_its_own_host(
    splits, plan, window, tmp_path
):
    settled = plan(window)
    assert splits.train.by_host == [47, 48]
    seen = []
    for context, own in zip(CONTEXTS, [range(47), range(47, 95)], strict=True):
        part = splits.train.of_host(context.input_pipeline_id)
        blocks = FileBlocks(part, settled, f"{tmp_path}/{context.input_pipeline_id}")
        # As many steps and events per step as in a process of the host's own. The first of two
        # blocks has the same events; the last one leaves out those beyond the last whole batch.
        expected = batches(Blocks(part, settled), context, settled)
        found = batches(blocks, context, settled)
        assert found.shape == expected.shape == (2, 4, 10)
        if window:
            assert settled.steps_per_block == 2
            first, expected_first = (
                np.sort(every[:, :2].reshape(2, -1)) for every in (found, expected)
            )
            np.testing.assert_array_equal(first, expected_first)
        for epoch in found:
            assert len(set(epoch.ravel())) == 40
            assert set(epoch.ravel()) <= set(own)
        assert (found[0] != found[1]).any()
        seen.append([blocks.count_seen(epoch) for epoch in range(2)])
    assert seen == [[47, 47], [48, 48]]


def test_a_host_has_files_of_its_own_rows_alone(splits, plan, tmp_path):
    FileBlocks(splits.train.of_host(1), plan(), str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {f"1-{group}" for group in range(4, 10)}
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["1-4"] == 3 * 4 * (2 + 28 + 1)
    assert sum(sizes.values()) == 48 * 4 * (2 + 28 + 1)


@pytest.mark.slow
def test_labels_stay_with_their_features_and_shapes_are_static(splits, plan, tmp_path):
    blocks = FileBlocks(splits.train.of_host(0), plan(80), str(tmp_path))
    dataset = training_dataset(blocks, context=CONTEXTS[0])
    assert [spec.shape for spec in dataset.element_spec] == [[5, 28], [5, 1]]
    for features, labels in dataset.take(16).as_numpy_iterator():
        np.testing.assert_array_equal(labels, features[:, :1] % 2)


@pytest.mark.slow
@pytest.mark.parametrize(("epoch", "step"), [(0, 3), (1, 0), (1, 2)])
def test_a_resumed_training_has_the_batches_of_an_uninterrupted_one(
    splits, plan, tmp_path, epoch, step
):
    def features(**start):
        blocks = FileBlocks(splits.train.of_host(0), plan(80), str(tmp_path))
        batches = training_dataset(blocks, **start, context=CONTEXTS[0]).take(16)
        return [features for features, _ in batches.as_numpy_iterator()]

    rest = features(first_epoch=epoch, first_step=step)[: 16 - 2 * (4 * epoch + step)]
    np.testing.assert_array_equal(rest, features()[2 * (4 * epoch + step) :])


@pytest.mark.slow
def test_columns_are_derived_on_the_host(make_events, make_plan, tmp_path):
    splits = survey(TableSource(make_events(300), 100), 0.0)
    plan = make_plan(300, batch_size_per_replica=300, epochs=1)
    of_files, of_blocks = (
        next(iter(training_dataset(blocks)))[0].numpy()
        for blocks in (FileBlocks(splits.train, plan, str(tmp_path)), Blocks(splits.train, plan))
    )
    assert of_files.shape == (300, 115)
    order, expected_order = np.argsort(of_files[:, 0]), np.argsort(of_blocks[:, 0])
    np.testing.assert_allclose(of_files[order], of_blocks[expected_order], atol=2e-3, rtol=1e-3)


@pytest.mark.slow
def test_lost_events_are_not_counted(splits, plan, tmp_path):
    blocks = FileBlocks(splits.train.of_host(0), plan(), str(tmp_path))
    path = tmp_path / "0-2"
    path.write_bytes(path.read_bytes()[: 7 * 4 * (2 + 28 + 1)])
    batches(blocks, CONTEXTS[0], plan())
    assert blocks.count_seen(0) == 44


def test_a_host_that_cannot_read_the_folder_is_an_error(splits, plan, tmp_path, monkeypatch):
    read = tf.io.read_file
    monkeypatch.setattr(tf.io, "read_file", lambda path: read(f"/other{path}"))
    with pytest.raises(TPUUnavailableError, match=r"cannot read .*/0-0 .*trainer\.checkpoints"):
        FileBlocks(splits.train.of_host(0), plan(), str(tmp_path))
