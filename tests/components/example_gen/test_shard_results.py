import json
import math
import subprocess
import sys

import pytest

from components.example_gen import shard_results
from components.example_gen.shard_ingestion import ShardSummary, ShardTask, SplitSummary
from components.example_gen.shard_results import combine, ingest, read_summary
from formats.errors import DataRefusedError
from formats.features import DISCRETE_VALUES
from formats.invalid_values import InvalidValues

COLUMN = next(iter(DISCRETE_VALUES))


def tasks(count):
    return [ShardTask(i, f"shard-{i}", ["train", "eval"], [2, 1], "", 1) for i in range(count)]


def result(index, train, evaluation, invalid=()):
    splits = {"train": SplitSummary(train, dict(invalid)), "eval": SplitSummary(evaluation, {})}
    return ShardSummary(splits, f"{index:064x}")


def test_a_summary_survives_serialization(monkeypatch):
    summary = result(3, 5, 0, {COLUMN: InvalidValues(2, math.inf)})
    monkeypatch.setattr(shard_results, "ingest_shard", lambda _: summary)
    assert read_summary(json.loads(json.dumps(ingest(tasks(1)[0])))) == summary


def test_summaries_are_added_by_split():
    invalid = {COLUMN: InvalidValues(2, 7.0)}

    ingested = combine(tasks(2), [result(0, 2, 2, invalid), result(1, 3, 1, invalid)])
    assert ingested.splits == {
        "train": SplitSummary(5, {COLUMN: InvalidValues(4, 7.0)}),
        "eval": SplitSummary(3, {}),
    }
    assert [(shard.path, shard.events["train"]) for shard in ingested.shards] == [
        ("shard-0", 2),
        ("shard-1", 3),
    ]
    assert ingested.shards[1].sha256 == f"{1:064x}"


def test_shards_without_records_are_listed():
    ingested = combine(tasks(3), [result(0, 1, 1), result(1, 0, 0), result(2, 0, 1)])
    assert ingested.empty == ["shard-1"]


@pytest.mark.parametrize(("count", "shards"), [(1, "1 shard,"), (2, "2 shards,")])
def test_an_empty_split_is_rejected(count, shards):
    reason = f"no events for the split 'eval' in {shards} the first of which is shard-0"
    with pytest.raises(DataRefusedError, match=reason):
        combine(tasks(count), [result(index, 5, 0) for index in range(count)])


@pytest.mark.parametrize(("train", "remedy"), [(0, "give shards with"), (5, "hash of each event")])
def test_an_empty_split_is_explained(train, remedy):
    with pytest.raises(DataRefusedError, match=remedy):
        combine(tasks(1), [result(0, train, 0)])


@pytest.mark.slow
def test_workers_import_neither_tfx_nor_tensorflow():
    code = "import sys, components.example_gen.shard_results as results, formats.task_results\n"
    code += "sys.exit(bool({'tfx', 'tensorflow'} & set(sys.modules)) or not results.ingest)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
