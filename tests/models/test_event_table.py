import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.features import FEATURES, LABEL
from models import event_table
from models.event_table import (
    InputDataError,
    apply_in_chunks,
    as_tensor,
    empty,
    in_validation,
    read_events,
    read_splits,
    validation_limit,
)


def replace(table, name, column):
    return table.set_column(table.column_names.index(name), name, column)


@pytest.fixture
def split(tmp_path, make_events, make_table):
    """Two files of Examples, whose row groups do not divide them."""
    events = make_events(50)
    table = make_table(events)
    pq.write_table(table.slice(30), tmp_path / "data-00001.parquet", row_group_size=7)
    pq.write_table(table.slice(0, 30), tmp_path / "data-00000.parquet", row_group_size=7)
    return tmp_path, events


def test_files_are_read_completely_in_the_order_of_their_names(split):
    folder, events = split
    table = read_events([f"{folder}/*"])
    np.testing.assert_array_equal(table.features, events.features)
    np.testing.assert_array_equal(table.labels, events.labels)
    assert table.features.dtype == table.labels.dtype == np.float32
    assert len(table) == 50


def test_a_file_that_matches_two_patterns_is_read_once(split):
    folder, _ = split
    assert len(read_events([f"{folder}/*", f"{folder}/data-00000*"])) == 50


def test_columns_are_found_by_name_and_not_by_position(tmp_path, make_events, make_table):
    events = make_events(5)
    pq.write_table(make_table(events).select([*reversed(FEATURES), LABEL]), tmp_path / "a")
    np.testing.assert_array_equal(read_events([f"{tmp_path}/*"]).features, events.features)


def test_without_files_the_error_names_the_pattern(tmp_path):
    with pytest.raises(InputDataError, match=r"no events in .*Split-train/\*"):
        read_events([f"{tmp_path}/Split-train/*"])


def test_files_without_events_are_rejected(tmp_path, make_events, make_table):
    pq.write_table(make_table(make_events(0)), tmp_path / "empty.parquet")
    with pytest.raises(InputDataError, match="no events"):
        read_events([f"{tmp_path}/*"])


def test_missing_columns_are_named(tmp_path, make_events, make_table):
    table = make_table(make_events(3)).drop(["m_bb", LABEL])
    pq.write_table(table, tmp_path / "short.parquet")
    with pytest.raises(InputDataError, match=r"short\.parquet has no column label, m_bb"):
        read_events([f"{tmp_path}/*"])


@pytest.mark.parametrize(
    "lists",
    [
        [[1.0], [], [2.0, 3.0]],
        [[1.0], [2.0, 3.0], [4.0]],
        [[1.0], None, [2.0]],
        [[1.0], [None], [2.0]],
    ],
)
def test_an_event_without_exactly_one_value_is_rejected(tmp_path, make_events, make_table, lists):
    column = pa.array(lists, pa.large_list(pa.float32()))
    pq.write_table(replace(make_table(make_events(3)), "m_jj", column), tmp_path / "a.parquet")
    with pytest.raises(InputDataError, match=r"a\.parquet: column 'm_jj' has an event without"):
        read_events([f"{tmp_path}/*"])


def test_a_column_of_another_type_is_rejected(tmp_path, make_events, make_table):
    column = pa.array([1.0, 2.0, 3.0], pa.float32())
    pq.write_table(replace(make_table(make_events(3)), "m_jj", column), tmp_path / "a.parquet")
    with pytest.raises(InputDataError, match="column 'm_jj' is float, not large_list<float>"):
        read_events([f"{tmp_path}/*"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_rejected(tmp_path, make_events, make_table, value):
    events = make_events(9)
    events.features[7, 3] = value
    pq.write_table(make_table(events), tmp_path / "a.parquet", row_group_size=4)
    with pytest.raises(InputDataError, match=r"a\.parquet: column .* holds NaN or infinity"):
        read_events([f"{tmp_path}/*"])


def test_events_become_tensors_without_a_copy(split):
    events = read_events([f"{split[0]}/*"])
    tensor = as_tensor(events.features)
    np.testing.assert_array_equal(tensor.numpy(), events.features)
    events.features[3, 5] = -77
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


def rows(table):
    return np.column_stack([table.features, table.labels]).tolist()


def test_validation_events_are_set_aside_by_their_hash_alone(tmp_path, make_events, make_table):
    events = make_events(4000)
    table = make_table(events)
    order = np.random.default_rng(1).permutation(4000)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    pq.write_table(table, tmp_path / "a" / "0.parquet", row_group_size=700)
    pq.write_table(table.take(order[:999]), tmp_path / "b" / "0.parquet", row_group_size=50)
    pq.write_table(table.take(order[999:]), tmp_path / "b" / "1.parquet")

    first, second = (read_splits([f"{tmp_path}/{name}/*"], 0.1, ingested=4000) for name in "ab")

    assert len(first.train) + len(first.validation) == 4000
    assert 330 < len(first.validation) < 470
    assert sorted(rows(first.train)) == sorted(rows(second.train))
    assert sorted(rows(first.validation)) == sorted(rows(second.validation))
    assert sorted(rows(first.train) + rows(first.validation)) == sorted(rows(events))
    assert in_validation(first.validation.features, 0.1).all()
    assert not in_validation(first.train.features, 0.1).any()


def test_the_parts_keep_the_order_of_the_events(split):
    folder, events = split
    is_validation = in_validation(events.features, 0.3)
    splits = read_splits([f"{folder}/*"], 0.3, ingested=len(events))
    np.testing.assert_array_equal(splits.train.features, events.features[~is_validation])
    np.testing.assert_array_equal(splits.validation.labels, events.labels[is_validation])


def test_a_larger_share_keeps_the_validation_events_of_a_smaller_one(make_events):
    features = make_events(5000).features
    assert not (in_validation(features, 0.1) & ~in_validation(features, 0.2)).any()


def test_equal_events_are_in_the_same_part_whatever_the_sign_of_zero(make_events):
    features = make_events(2000).features
    features[:, 8] = 0.0
    copies = features.copy()
    copies[:, 8] = -0.0
    assert (in_validation(features, 0.3) == in_validation(copies, 0.3)).all()


@pytest.mark.parametrize(("total", "most"), [(11_000_000, 500_000), (10**9, 500_000)])
def test_at_most_half_a_million_events_are_set_aside(total, most):
    expected = validation_limit(0.1, total) * total
    assert most * 0.98 < expected < most - 5 * most**0.5


def test_the_share_of_fewer_events_is_the_given_one():
    assert validation_limit(0.1, 4_000_000) == 0.1


def test_too_few_events_to_set_some_aside_are_rejected(tmp_path, make_events, make_table):
    pq.write_table(make_table(make_events(1)), tmp_path / "a.parquet")
    with pytest.raises(InputDataError, match=r"1 events in .* are too few .*validation_share"):
        read_splits([f"{tmp_path}/*"], 0.1, ingested=1)
