"""The executor on real Beam; the component's place in a graph is tested end to end."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.example_gen.component import hashed_splits, single_folder, split_folders
from components.example_gen.executor import Executor, _check_written, tally
from components.example_gen.shard_ingestion import COLUMNS, Ingested, ShardTask
from formats.errors import DataRefusedError
from formats.invalid_values import Unknown
from formats.published.record import Events, encode_events


def some_events(count, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 28)).astype(np.float32)
    return Events(features, rng.integers(0, 2, count).astype(np.float32))


def write_shards(folder, events, sizes):
    folder.mkdir(parents=True, exist_ok=True)
    ends = np.cumsum(sizes)
    for index, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        part = Events(events.features[end - size : end], events.labels[end - size : end])
        (folder / f"shard-{index:05d}.tfrecord").write_bytes(encode_events(part))


def ingest(data, out, input_config, output_config=None):
    examples = standard_artifacts.Examples()
    examples.uri = str(out)
    Executor().Do(
        {},
        {"examples": [examples]},
        {
            "input_base": str(data),
            "input_config": proto_utils.proto_to_json(input_config),
            "output_config": proto_utils.proto_to_json(output_config or example_gen_pb2.Output()),
        },
    )
    return examples


def sorted_rows(folder):
    tables = [pq.read_table(file) for file in sorted(folder.glob("*.parquet"))]
    arrays = [
        np.column_stack([t[name].combine_chunks().flatten() for name in COLUMNS]) for t in tables
    ]
    table = np.concatenate(arrays)
    return table[np.lexsort(table.T[::-1])]


def sorted_events(events):
    table = np.column_stack([events.labels, events.features])
    return table[np.lexsort(table.T[::-1])]


def test_folders_become_splits_with_counts_on_the_artifact(tmp_path):
    training, validation = some_events(700, 1), some_events(300, 2)
    write_shards(tmp_path / "data" / "training", training, [400, 300])
    write_shards(tmp_path / "data" / "validation", validation, [300])
    examples = ingest(tmp_path / "data", tmp_path / "out", split_folders())
    assert examples.split_names == '["train", "eval"]'
    assert examples.get_int_custom_property("events_train") == 700
    assert examples.get_int_custom_property("events_eval") == 300
    assert examples.get_string_custom_property("payload_format") == "FORMAT_PARQUET"
    np.testing.assert_array_equal(
        sorted_rows(tmp_path / "out/Split-train"), sorted_events(training)
    )
    np.testing.assert_array_equal(
        sorted_rows(tmp_path / "out/Split-eval"), sorted_events(validation)
    )
    assert len(list((tmp_path / "out/Split-train").iterdir())) == 2
    assert not (tmp_path / "out/.staging").exists()


def test_hash_split_is_two_to_one_and_the_same_for_every_shard_layout(tmp_path):
    events = some_events(3000, 3)
    for name, sizes in (("few", [3000]), ("many", [100, 900, 1500, 500])):
        write_shards(tmp_path / name, events, sizes)
        ingest(tmp_path / name, tmp_path / f"{name}-out", single_folder(), hashed_splits(2, 1))
    few, many = tmp_path / "few-out", tmp_path / "many-out"
    for split in ("Split-train", "Split-eval"):
        np.testing.assert_array_equal(sorted_rows(few / split), sorted_rows(many / split))
    train, evaluation = sorted_rows(few / "Split-train"), sorted_rows(few / "Split-eval")
    assert len(train) + len(evaluation) == 3000
    assert len(train) == pytest.approx(2000, abs=100)
    together = np.concatenate([train, evaluation])
    np.testing.assert_array_equal(together[np.lexsort(together.T[::-1])], sorted_events(events))


def test_a_bad_record_refuses_the_data_with_file_and_record(tmp_path):
    write_shards(tmp_path / "data", some_events(200, 4), [100, 100])
    shard = tmp_path / "data" / "shard-00001.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(DataRefusedError, match=r"shard-00001\.tfrecord.*record 99"):
        ingest(tmp_path / "data", tmp_path / "out", single_folder(), hashed_splits(2, 1))


def test_no_shard_is_a_clear_error(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataRefusedError, match="no TFRecord shard matches"):
        ingest(tmp_path / "data", tmp_path / "out", single_folder(), hashed_splits(2, 1))


def tasks(count):
    return [
        ShardTask(i, f"shard-{i}", {"train": "", "eval": ""}, [2, 1], "", 1) for i in range(count)
    ]


def outcome(index, train, evaluation, unknown_codes="{}"):
    return {
        "index": index,
        "splits": {
            "train": {"events": train, "unknown_codes": unknown_codes},
            "eval": {"events": evaluation, "unknown_codes": "{}"},
        },
    }


def test_tally_sums_by_split():
    unknown = '{"jet_2_b_tag": {"events": 2, "such_as": 7.0}}'
    outcomes = [outcome(1, 3, 1, unknown), outcome(0, 2, 2, unknown)]
    assert tally(tasks(2), outcomes) == {
        "train": Ingested(5, {"jet_2_b_tag": Unknown(4, 7.0)}),
        "eval": Ingested(3, {}),
    }


@pytest.mark.parametrize("indices", [[0], [0, 0, 1], []])
def test_tally_notices_lost_and_doubled_shards(indices):
    outcomes = [outcome(index, 1, 1) for index in indices]
    with pytest.raises(RuntimeError, match="work was lost or done twice"):
        tally(tasks(2), outcomes)


def test_tally_names_the_first_refused_shard_and_their_number():
    outcomes = [{"index": 1, "error": "second"}, {"index": 0, "error": "first"}]
    with pytest.raises(DataRefusedError, match=r"^first\n\(2 of 2 shards were refused\)$"):
        tally(tasks(2), outcomes)


def test_tally_refuses_an_empty_split():
    with pytest.raises(DataRefusedError, match="no event for the split 'eval' in 1 shards"):
        tally(tasks(1), [outcome(0, 5, 0)])


def test_a_file_that_storage_lost_is_noticed(tmp_path):
    write_shards(tmp_path / "data" / "training", some_events(50, 5), [50])
    write_shards(tmp_path / "data" / "validation", some_events(50, 6), [50])
    ingest(tmp_path / "data", tmp_path / "out", split_folders())
    ingested = {"train": Ingested(50, {}), "eval": Ingested(50, {})}
    _check_written(str(tmp_path / "out"), ingested)
    next((tmp_path / "out" / "Split-eval").iterdir()).unlink()
    with pytest.raises(RuntimeError, match="Split-eval holds 0 events, 50 were decoded"):
        _check_written(str(tmp_path / "out"), ingested)
