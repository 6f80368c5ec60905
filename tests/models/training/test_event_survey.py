import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from formats.event_counts import EventCountError
from formats.hyperparameters import Hyperparameters
from models.event_table import EventTable, InputDataError
from models.row_groups import ParquetSource, TableSource
from models.training.event_survey import (
    SAMPLE_EVENTS,
    Splits,
    below,
    check_parts,
    divide,
    event_keys,
    survey,
    validation_limit,
)


def rows(table):
    return np.column_stack([table.features, table.labels]).tolist()


def read_train(splits):
    parts = [splits.train.read(piece)[0] for piece in splits.train.pieces]
    return [row for part in parts for row in rows(part)]


@pytest.fixture
def written_twice(tmp_path, make_events, make_table):
    """The same events in two folders, in other files, row groups and order."""
    events = make_events(4000)
    table = make_table(events)
    order = np.random.default_rng(1).permutation(4000)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    pq.write_table(table, tmp_path / "a" / "0.parquet", row_group_size=700)
    pq.write_table(table.take(order[:999]), tmp_path / "b" / "0.parquet", row_group_size=50)
    pq.write_table(table.take(order[999:]), tmp_path / "b" / "1.parquet")
    return events, [ParquetSource([f"{tmp_path}/{name}/*"]) for name in "ab"]


@pytest.mark.slow
def test_validation_events_are_set_aside_by_their_hash_alone(written_twice):
    events, sources = written_twice
    first, second = (survey(source, 0.1) for source in sources)
    assert len(first.train) + len(first.validation) == 4000
    assert 330 < len(first.validation) < 470
    assert sorted(read_train(first)) == sorted(read_train(second))
    assert sorted(read_train(first) + rows(first.validation)) == sorted(rows(events))
    assert below(event_keys(first.validation.features), 0.1).all()


@pytest.mark.slow
def test_parts_and_sample_do_not_depend_on_files_and_order(written_twice):
    first, second = (survey(source, 0.1, sample_events=500) for source in written_twice[1])
    assert rows(first.validation) == rows(second.validation)
    assert rows(first.sample) == rows(second.sample)
    assert first.fingerprint == second.fingerprint


def test_the_sample_is_drawn_from_all_training_events(make_events):
    events = make_events(20_000)
    # As if the shards were sorted by class.
    order = np.argsort(events.labels[:, 0], kind="stable")
    splits = survey(TableSource(events[order], 1000), 0.1, sample_events=2000)
    assert len(splits.sample) == pytest.approx(2000, abs=6 * 2000**0.5)
    assert splits.sample.labels.mean() == pytest.approx(events.labels.mean(), abs=0.06)
    train = {tuple(row) for row in read_train(splits)}
    assert {tuple(row) for row in rows(splits.sample)} <= train
    assert len(survey(TableSource(events), 0.1).sample) == len(splits.train)


def test_the_fingerprint_follows_from_events_and_labels(make_events):
    events = make_events(100)
    changed = events.labels.copy()
    changed[3] = 1 - changed[3]
    prints = {
        survey(TableSource(table), 0.1).fingerprint
        for table in (events, events[:99], EventTable(events.features, changed))
    }
    assert len(prints) == 3


@pytest.mark.parametrize("hosts", [1, 2, 3, 8])
def test_hosts_share_all_events_equally(hosts):
    counts = [700, 50, 1, 300, 999]
    pieces = divide(counts, hosts)
    owners = [[] for _ in counts]
    for piece in pieces:
        owners[piece.group] += [piece.host] * (piece.stop - piece.start)
    assert [len(part) for part in owners] == counts
    flat = [host for part in owners for host in part]
    assert flat == sorted(flat)
    assert np.ptp(np.bincount(flat, minlength=hosts)) <= 1


class CountingSource:
    """A source that records which row groups are read."""

    name = "here"

    def __init__(self, table, group_events):
        self._source = TableSource(table, group_events)
        self.counts = self._source.counts
        self.groups = []

    def read(self, group):
        self.groups.append(group)
        return self._source.read(group)


class Meeting:
    """Two threads that gather arrays as two hosts do."""

    def __init__(self):
        self._barrier = threading.Barrier(2, timeout=30)
        self._arrays = [None, None]

    def gather_on(self, host):
        def gather(array):
            self._arrays[host] = array
            self._barrier.wait()
            gathered = np.concatenate(self._arrays)
            self._barrier.wait()
            return gathered

        return gather


def test_no_host_reads_the_row_groups_of_another(make_events):
    events = make_events(4000)
    alone = survey(TableSource(events, 500), 0.1)
    meeting, sources = Meeting(), [CountingSource(events, 500) for _ in range(2)]

    def survey_on(host):
        options = {"hosts": 2, "own_hosts": [host], "gather": meeting.gather_on(host)}
        splits = survey(sources[host], 0.1, **options)
        return splits, read_train(splits)

    with ThreadPoolExecutor(2) as threads:
        results = [*threads.map(survey_on, range(2))]
    assert [set(source.groups) for source in sources] == [{0, 1, 2, 3}, {4, 5, 6, 7}]
    for splits, _ in results:
        assert len(splits.train) == len(alone.train)
        assert splits.train.by_host == [len(train) for _, train in results]
        assert splits.train.usable == 2 * min(splits.train.by_host)
        assert rows(splits.validation) == rows(alone.validation)
        assert rows(splits.sample) == rows(alone.sample)
        assert splits.fingerprint == alone.fingerprint
    assert sorted(results[0][1] + results[1][1]) == sorted(read_train(alone))


def test_files_that_changed_since_the_survey_are_an_error(make_events):
    events = make_events(300)
    splits = survey(TableSource(events, 100), 0.1)
    events.features[:100] = 0  # all of them are now on the same side of the limit
    with pytest.raises(EventCountError, match=r"split train: found .* events in memory"):
        splits.train.read(splits.train.pieces[0])


def test_a_larger_share_keeps_the_validation_events_of_a_smaller_one(make_events):
    keys = event_keys(make_events(5000).features)
    assert not (below(keys, 0.1) & ~below(keys, 0.2)).any()
    assert below(keys, 1.0).all()


def test_equal_events_are_in_the_same_part_whatever_the_sign_of_zero(make_events):
    features = make_events(2000).features
    features[:, 8] = 0.0
    copies = features.copy()
    copies[:, 8] = -0.0
    np.testing.assert_array_equal(event_keys(features), event_keys(copies))


@pytest.mark.parametrize(("total", "most"), [(11_000_000, 500_000), (10**9, 500_000)])
def test_at_most_half_a_million_events_are_set_aside(total, most):
    expected = validation_limit(0.1, total) * total
    assert most * 0.98 < expected < most - 5 * most**0.5


def test_the_share_of_fewer_events_is_the_given_one():
    assert validation_limit(0.1, 4_000_000) == 0.1


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_events_to_set_some_aside_are_rejected(make_events, count):
    splits = survey(TableSource(make_events(count)), 0.1)
    with pytest.raises(InputDataError, match=r"\d events in memory are too few .*validation_share"):
        check_parts(splits, 0.1)


def test_given_parts_stay_what_they_are(make_events):
    train, validation = make_events(300), make_events(100, seed=1)
    splits = Splits.of_tables(train, validation)
    assert sorted(read_train(splits)) == sorted(rows(train))
    assert splits.validation is validation


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [1, 3])
def test_united_parts_are_all_events_on_every_host(written_twice, hosts):
    events, sources = written_twice
    first, second = (
        survey(source, 0.1, hosts=hosts, own_hosts=range(hosts)).united() for source in sources
    )
    assert len(first.train) == len(first) == 4000
    assert len(first.train.by_host) == hosts
    assert sorted(read_train(first)) == sorted(rows(events))
    parts = [read_train(replace(first, train=first.train.of_host(host))) for host in range(hosts)]
    assert [len(part) for part in parts] == first.train.by_host
    assert len(first.validation) == 0
    # Whatever the files.
    assert read_train(first) == read_train(second)
    assert rows(first.sample) == rows(second.sample)


def test_united_parts_of_separate_tables(make_events):
    train, validation = make_events(300, seed=1), make_events(100, seed=2)
    united = Splits.of_tables(train, validation).united()
    assert sorted(read_train(united)) == sorted(rows(train) + rows(validation))


def test_parts_with_an_incomplete_sample_are_not_united(make_events):
    splits = survey(TableSource(make_events(1000)), 0.1, sample_events=300)
    with pytest.raises(ValueError, match=r"the sample has \d+ of \d+ events"):
        splits.united()


def test_every_split_that_may_be_refitted_is_sampled_completely():
    (limit,) = (
        rule.le
        for rule in Hyperparameters.model_fields["refit_events"].metadata
        if hasattr(rule, "le")
    )
    assert limit <= SAMPLE_EVENTS
