import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.features import FEATURES, LABEL
from models.event_table import InputDataError, as_tensor, empty, read_events


def replace(table, name, column):
    return table.set_column(table.column_names.index(name), name, column)


@pytest.fixture
def split(tmp_path, make_events, make_table):
    """Two files of Examples, in row groups that do not divide them."""
    events = make_events(50)
    table = make_table(events)
    pq.write_table(table.slice(30), tmp_path / "data-00001.parquet", row_group_size=7)
    pq.write_table(table.slice(0, 30), tmp_path / "data-00000.parquet", row_group_size=7)
    return tmp_path, events


def test_files_are_read_whole_in_the_order_of_their_names(split):
    folder, events = split
    read = read_events([f"{folder}/*"])
    np.testing.assert_array_equal(read.features, events.features)
    np.testing.assert_array_equal(read.labels, events.labels)
    assert read.features.dtype == read.labels.dtype == np.float32
    assert len(read) == 50


def test_file_that_two_patterns_match_is_read_once(split):
    folder, _ = split
    assert len(read_events([f"{folder}/*", f"{folder}/data-00000*"])) == 50


def test_columns_are_found_by_name_not_place(tmp_path, make_events, make_table):
    events = make_events(5)
    pq.write_table(make_table(events).select([*reversed(FEATURES), LABEL]), tmp_path / "a")
    np.testing.assert_array_equal(read_events([f"{tmp_path}/*"]).features, events.features)


def test_no_file_names_the_pattern(tmp_path):
    with pytest.raises(InputDataError, match=r"no events in .*Split-train/\*"):
        read_events([f"{tmp_path}/Split-train/*"])


def test_files_without_events_are_refused(tmp_path, make_events, make_table):
    pq.write_table(make_table(make_events(0)), tmp_path / "empty.parquet")
    with pytest.raises(InputDataError, match="no events"):
        read_events([f"{tmp_path}/*"])


def test_missing_column_is_named(tmp_path, make_events, make_table):
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
def test_event_without_exactly_one_value_is_refused(tmp_path, make_events, make_table, lists):
    column = pa.array(lists, pa.large_list(pa.float32()))
    pq.write_table(replace(make_table(make_events(3)), "m_jj", column), tmp_path / "a.parquet")
    with pytest.raises(InputDataError, match=r"a\.parquet: column 'm_jj' has an event without"):
        read_events([f"{tmp_path}/*"])


def test_column_of_another_type_is_refused(tmp_path, make_events, make_table):
    column = pa.array([1.0, 2.0, 3.0], pa.float32())
    pq.write_table(replace(make_table(make_events(3)), "m_jj", column), tmp_path / "a.parquet")
    with pytest.raises(InputDataError, match="column 'm_jj' is float, not large_list<float>"):
        read_events([f"{tmp_path}/*"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused(tmp_path, make_events, make_table, value):
    events = make_events(9)
    events.features[7, 3] = value
    pq.write_table(make_table(events), tmp_path / "a.parquet", row_group_size=4)
    with pytest.raises(InputDataError, match=r"a\.parquet: column .* holds NaN or infinity"):
        read_events([f"{tmp_path}/*"])


def test_events_are_handed_to_tensorflow_where_they_are(split):
    events = read_events([f"{split[0]}/*"])
    tensor = as_tensor(events.features)
    np.testing.assert_array_equal(tensor.numpy(), events.features)
    events.features[3, 5] = -77
    assert float(tensor[3, 5]) == -77


@pytest.mark.parametrize("shape", [(1, 1), (7, 28), (3,)])
def test_empty_array_is_aligned_and_of_its_shape(shape):
    array = empty(*shape)
    assert array.shape == shape
    assert array.dtype == np.float32
    assert array.ctypes.data % 64 == 0


def test_array_that_is_not_aligned_or_not_in_order_is_copied(make_events):
    features = make_events(10).features
    for array in (features[:, 3:], features[1:], features.T, features[:0]):
        np.testing.assert_array_equal(as_tensor(array).numpy(), array)
