"""The reasons that do not follow from statistics, and the verdict."""

import json

import pytest
from event_makers import join_events, make_events, select
from ingested_splits import ingest
from tfx.types.artifact_utils import encode_split_names
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from components.data_gate import executor
from formats.errors import DataRefusedError
from formats.ingested_shards import FILE_NAME


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Checks 100 train events, one of which repeats another, and 20 eval events."""
    monkeypatch.setattr(executor, "_split_problems", lambda *_: [])
    events = make_events(99, 1)
    train = join_events([events, select(events, slice(1))])

    def run(max_duplicate_share, evaluation=None, manifest_problem=""):
        evaluation = evaluation or make_events(20, 2)
        ingestion = ingest(tmp_path, train, evaluation, {"train": [100], "eval": [20]})
        content = ingestion.model_copy(update={"manifest_problem": manifest_problem})
        (tmp_path / FILE_NAME).write_text(content.model_dump_json())
        examples, verdict = Examples(), ExampleStatistics()
        examples.uri, verdict.uri = str(tmp_path), str(tmp_path / "verdict")
        (tmp_path / "verdict").mkdir()
        examples.split_names = encode_split_names(["train", "eval"])
        examples.set_int_custom_property("events_train", 100)
        examples.set_int_custom_property("events_eval", 20)
        executor.check_data(examples, None, None, None, max_duplicate_share, verdict)
        return json.loads((tmp_path / "verdict" / "verdict.json").read_text())

    return run


def test_as_many_repetitions_as_allowed_pass(check):
    assert check(0.01) == {
        "events": {"train": 100, "eval": 20},
        "duplicates": {"train": 1, "eval": 0},
    }


def test_more_repetitions_are_refused(check):
    with pytest.raises(DataRefusedError) as caught:
        check(0.009)
    assert str(caught.value) == (
        "the data was refused, 1 reason:\n"
        "  - train: 1 of 100 events repeats an earlier one (1.00%), more than the 0.9% that are "
        "allowed: remove the repetitions; in a run, ingestion.max_duplicate_share is the limit"
    )


def test_every_reason_is_listed(check, tmp_path):
    evaluation = select(make_events(99, 1), slice(70, 90))
    with pytest.raises(DataRefusedError) as caught:
        check(0.01, evaluation, "x.tfrecord was added")
    assert str(caught.value) == (
        "the data was refused, 2 reasons:\n"
        "  - x.tfrecord was added\n"
        "  - train and eval: 20 of 20 eval events are also in train, where a model can memorize "
        f"them; the first is {tmp_path}/eval/shard-00000.tfrecord, record 0, the same as "
        f"{tmp_path}/train/shard-00000.tfrecord, record 70 (records are counted from 0): remove "
        "them from one of the splits, or put all shards into one folder, where equal events are "
        "in the same split"
    )
