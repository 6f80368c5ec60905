"""Repeated events over the hashes that ingestion writes."""

from pathlib import Path

import numpy as np
import pytest
from event_makers import join_events, make_events, select
from ingested_splits import ingest

from components.data_gate import event_locations
from components.data_gate.repeated_events import find_repetitions, first_shared
from formats.event_hash import event_hashes
from formats.published.record import Events

SPLITS = ["train", "eval"]


@pytest.fixture
def leak(tmp_path):
    """Three eval events that are also in train, one of them with another label."""
    train, evaluation = make_events(80, 1), make_events(50, 2)
    evaluation.features[[31, 40, 44]] = train.features[[75, 7, 7]]
    evaluation.labels[40] = 1 - train.labels[7]
    ingestion = ingest(tmp_path, train, evaluation, {"train": [50, 30], "eval": [30, 20]})
    return str(tmp_path), ingestion


@pytest.mark.parametrize("range_events", [7, 10_000])
def test_shared_events_are_counted_and_the_first_is_located(leak, range_events):
    uri, ingestion = leak
    found = find_repetitions(uri, SPLITS, range_events)
    assert found.shared == {("train", "eval"): 3}
    assert found.duplicates == {"train": 0, "eval": 1}
    second, first = first_shared(uri, SPLITS, found.hashes["train", "eval"], ingestion)
    assert str(second) == f"{uri}/eval/shard-00001.tfrecord, record 1"
    assert str(first) == f"{uri}/train/shard-00001.tfrecord, record 25"


def test_other_splits_share_nothing(tmp_path):
    ingestion = ingest(
        tmp_path, make_events(80, 1), make_events(50, 2), {"train": [80], "eval": [50]}
    )
    found = find_repetitions(str(tmp_path), SPLITS)
    assert found.shared == {("train", "eval"): 0}
    assert first_shared(str(tmp_path), SPLITS, found.hashes["train", "eval"], ingestion) is None


def test_duplicates_are_the_events_that_repeat_an_earlier_one(tmp_path):
    events = make_events(40, 1)
    train = join_events([events, select(events, slice(10)), select(events, slice(5))])
    ingest(tmp_path, train, make_events(5, 2), {"train": [20, 35], "eval": [5]})
    assert find_repetitions(str(tmp_path), SPLITS, 16).duplicates == {"train": 15, "eval": 0}


def test_equal_hashes_of_different_events_are_not_a_shared_event(leak, monkeypatch):
    uri, ingestion = leak
    hashes = find_repetitions(uri, SPLITS).hashes["train", "eval"]
    genuine = event_locations._locate

    def locate(path, sought, ignored_keys):
        location = genuine(path, sought, ignored_keys)
        if "/train/" in path:
            location.features[3] += 1
        return location

    monkeypatch.setattr(event_locations, "_locate", locate)
    assert first_shared(uri, SPLITS, hashes, ingestion) is None


def test_a_shared_event_behind_equal_hashes_of_other_events_is_found(tmp_path, monkeypatch):
    train, evaluation = make_events(80, 1), make_events(50, 2)
    evaluation.features[:6] = train.features[10:16]
    ingestion = ingest(tmp_path, train, evaluation, {"train": [80], "eval": [50]})
    hashes = find_repetitions(str(tmp_path), SPLITS).hashes["train", "eval"]
    genuine = event_locations._locate

    def locate(path, sought, ignored_keys):
        location = genuine(path, sought, ignored_keys)
        if "/train/" in path and location.record < 15:
            location.features[3] += 1
        return location

    monkeypatch.setattr(event_locations, "_locate", locate)
    second, first = first_shared(str(tmp_path), SPLITS, hashes, ingestion)
    assert (second.record, first.record) == (5, 15)


def test_a_shared_event_with_nan_is_located(tmp_path):
    train, evaluation = make_events(80, 1), make_events(50, 2)
    train.features[75, 3] = np.nan
    evaluation.features[31] = train.features[75]
    ingestion = ingest(tmp_path, train, evaluation, {"train": [80], "eval": [50]})
    hashes = find_repetitions(str(tmp_path), SPLITS).hashes["train", "eval"]
    second, first = first_shared(str(tmp_path), SPLITS, hashes, ingestion)
    assert (second.record, first.record) == (31, 75)


def test_a_shard_that_is_gone_is_named_without_a_record(leak):
    uri, ingestion = leak
    hashes = find_repetitions(uri, SPLITS).hashes["train", "eval"]
    Path(uri, "eval", "shard-00001.tfrecord").unlink()
    second, first = first_shared(uri, SPLITS, hashes, ingestion)
    assert str(second) == f"{uri}/eval/shard-00001.tfrecord"
    assert str(first).startswith(f"{uri}/train/shard-0000")


def test_a_single_split_has_duplicates_only(tmp_path):
    events = make_events(10, 1)
    features = np.concatenate([events.features, events.features])
    both = Events(features, np.zeros(20, np.float32))
    ingest(tmp_path, both, make_events(1, 3), {"train": [20], "eval": [1]})
    found = find_repetitions(str(tmp_path), ["train"])
    assert (found.duplicates, found.shared) == ({"train": 10}, {})
    assert len(np.unique(event_hashes(both.features))) == 10
