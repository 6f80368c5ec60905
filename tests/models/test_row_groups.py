import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.features import FEATURES, LABEL
from models.event_table import EventTable, InputDataError
from models.row_groups import ParquetSource, TableSource


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


def read_all(*patterns):
    source = ParquetSource(patterns)
    parts = [source.read(group) for group in range(len(source.counts))]
    assert [len(part) for part in parts] == list(source.counts)
    return EventTable(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def test_row_groups_are_in_the_order_of_the_file_names(split):
    folder, events = split
    assert ParquetSource([f"{folder}/*"]).counts == [7, 7, 7, 7, 2, 7, 7, 6]
    table = read_all(f"{folder}/*")
    np.testing.assert_array_equal(table.features, events.features)
    np.testing.assert_array_equal(table.labels, events.labels)
    assert table.features.dtype == table.labels.dtype == np.float32


def test_one_row_group_is_read_at_a_time(split):
    folder, events = split
    part = ParquetSource([f"{folder}/*"]).read(4)
    np.testing.assert_array_equal(part.features, events.features[28:30])


def test_a_table_is_a_source(make_events):
    events = make_events(50)
    source = TableSource(events, group_events=20)
    assert source.counts == [20, 20, 10]
    np.testing.assert_array_equal(source.read(2).labels, events.labels[40:])


def test_a_file_that_matches_two_patterns_is_read_once(split):
    folder, _ = split
    assert sum(ParquetSource([f"{folder}/*", f"{folder}/data-00000*"]).counts) == 50


def test_columns_are_found_by_name_and_not_by_position(tmp_path, make_events, make_table):
    events = make_events(5)
    pq.write_table(make_table(events).select([*reversed(FEATURES), LABEL]), tmp_path / "a")
    np.testing.assert_array_equal(read_all(f"{tmp_path}/*").features, events.features)


def test_without_files_there_are_no_row_groups(tmp_path):
    assert ParquetSource([f"{tmp_path}/Split-train/*"]).counts == []


def test_missing_columns_are_named(tmp_path, make_events, make_table):
    table = make_table(make_events(3)).drop(["m_bb", LABEL])
    pq.write_table(table, tmp_path / "short.parquet")
    with pytest.raises(InputDataError, match=r"short\.parquet has no column label, m_bb"):
        read_all(f"{tmp_path}/*")


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
        read_all(f"{tmp_path}/*")


def test_a_column_of_another_type_is_rejected(tmp_path, make_events, make_table):
    column = pa.array([1.0, 2.0, 3.0], pa.float32())
    pq.write_table(replace(make_table(make_events(3)), "m_jj", column), tmp_path / "a.parquet")
    with pytest.raises(InputDataError, match="column 'm_jj' is float, not large_list<float>"):
        read_all(f"{tmp_path}/*")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_rejected(tmp_path, make_events, make_table, value):
    events = make_events(9)
    events.features[7, 3] = value
    pq.write_table(make_table(events), tmp_path / "a.parquet", row_group_size=4)
    with pytest.raises(InputDataError, match=r"a\.parquet: column .* holds NaN or infinity"):
        read_all(f"{tmp_path}/*")
