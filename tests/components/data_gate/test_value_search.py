from threading import Barrier

import numpy as np
import pytest
from event_makers import make_events
from ingested_splits import ingest

from components.data_gate.event_locations import Location
from components.data_gate.value_search import Matches, find_values
from formats.features import FEATURES

COLUMN = FEATURES.index("m_bb")


@pytest.fixture
def split(tmp_path):
    """Events 60, 61 and 76 of train have invalid values: the second shard begins at 50, and its
    second row group at 75.
    """
    train = make_events(80, 1)
    train.features[[60, 61, 76], COLUMN] = [np.nan, 99.0, 98.0]
    ingest(tmp_path, train, make_events(20, 2), {"train": [50, 30], "eval": [20]})
    return str(tmp_path), "train"


def place(split):
    return f"{split[0]}/train/shard-00001.tfrecord"


def test_values_are_counted_and_the_first_is_located(split):
    found = find_values(*split, "m_bb", lambda values: values > 50)
    assert found.count == 2
    assert str(found.first) == f"{place(split)}, record 11"


def test_nan_is_located(split):
    found = find_values(*split, "m_bb", np.isnan)
    assert (found.count, str(found.first)) == (1, f"{place(split)}, record 10")


def test_what_is_not_there_has_no_location(split):
    assert find_values(*split, "m_jj", np.isnan) == Matches(0, None)


def test_a_shard_that_is_gone_is_named_without_the_record(split, tmp_path):
    (tmp_path / "train" / "shard-00001.tfrecord").unlink()
    found = find_values(*split, "m_bb", np.isnan)
    assert found == Matches(1, Location(place(split)))


def test_files_are_searched_at_the_same_time(split):
    both = Barrier(2, timeout=5)
    assert (
        find_values(*split, "m_bb", lambda values: np.full(len(values), both.wait() < 0)).count == 0
    )
