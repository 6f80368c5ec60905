"""The executor on Beam; the component in a graph is tested end to end."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from event_makers import make_events, select
from shard_makers import truncate, write_shards
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.example_gen.component import hashed_splits, single_folder, split_folders
from components.example_gen.executor import Executor, check_files
from components.example_gen.shard_ingestion import SplitSummary
from formats.content_key import content_key
from formats.errors import DataRefusedError
from formats.features import COLUMNS
from formats.ingested_shards import IngestionFile
from formats.names import events_property
from formats.published.manifest import Manifest, ShardEntry, SourceEntry, write_manifest
from formats.published.record import encode_events


def ingest(data, out, input_config, output_config=None, content_key="", ignored_keys=()):
    examples = standard_artifacts.Examples()
    examples.uri = str(out)
    Executor().Do(
        {},
        {"examples": [examples]},
        {
            "input_base": str(data),
            "input_config": proto_utils.proto_to_json(input_config),
            "output_config": proto_utils.proto_to_json(output_config or example_gen_pb2.Output()),
            "content_key": content_key,
            "ignored_keys": json.dumps(ignored_keys),
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


@pytest.mark.slow
def test_folders_become_splits_with_counts_on_the_artifact(tmp_path):
    training, validation = make_events(700, 1), make_events(300, 2)
    write_shards(tmp_path / "data" / "training", training, [400, 300])
    write_shards(tmp_path / "data" / "validation", validation, [300])
    examples = ingest(tmp_path / "data", tmp_path / "out", split_folders())
    assert examples.split_names == '["train", "eval"]'
    assert examples.get_int_custom_property(events_property("train")) == 700
    assert examples.get_int_custom_property(events_property("eval")) == 300
    assert examples.get_string_custom_property("payload_format") == "FORMAT_PARQUET"
    np.testing.assert_array_equal(
        sorted_rows(tmp_path / "out/Split-train"), sorted_events(training)
    )
    np.testing.assert_array_equal(
        sorted_rows(tmp_path / "out/Split-eval"), sorted_events(validation)
    )
    assert len(list((tmp_path / "out/Split-train").iterdir())) == 2
    assert not (tmp_path / "out/.staging").exists()


@pytest.mark.slow
def test_hashed_split_is_two_to_one_and_independent_of_the_shards(tmp_path):
    events = make_events(3000, 3)
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


@pytest.mark.slow
def test_a_truncated_record_is_named_with_its_file(tmp_path):
    write_shards(tmp_path / "data", make_events(200, 4), [100, 100])
    truncate(tmp_path / "data" / "shard-00001.tfrecord", 7)
    with pytest.raises(DataRefusedError, match=r"shard-00001\.tfrecord.*record 99"):
        ingest(tmp_path / "data", tmp_path / "out", single_folder(), hashed_splits(2, 1))


def test_a_folder_without_shards_is_rejected(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataRefusedError, match="no TFRecord shard matches"):
        ingest(tmp_path / "data", tmp_path / "out", single_folder(), hashed_splits(2, 1))


@pytest.mark.slow
def test_a_file_that_the_storage_lost_or_duplicated_is_detected(tmp_path):
    write_shards(tmp_path / "data" / "training", make_events(50, 5), [50])
    write_shards(tmp_path / "data" / "validation", make_events(50, 6), [50])
    ingest(tmp_path / "data", tmp_path / "out", split_folders())
    summaries = {"train": SplitSummary(50, {}), "eval": SplitSummary(50, {})}
    check_files(str(tmp_path / "out"), summaries)
    [file] = (tmp_path / "out" / "Split-eval").iterdir()
    copy = file.with_name(f"copy-{file.name}")
    copy.write_bytes(file.read_bytes())
    with pytest.raises(RuntimeError, match="Split-eval contains 100 events, but 50 were decoded"):
        check_files(str(tmp_path / "out"), summaries)
    copy.unlink()
    file.unlink()
    with pytest.raises(RuntimeError, match="Split-eval contains 0 events, but 50 were decoded"):
        check_files(str(tmp_path / "out"), summaries)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_two_shards(folder):
    write_shards(folder, make_events(90, 7), [60, 30])
    return {path.name: digest(path) for path in folder.iterdir()}


@pytest.mark.slow
def test_the_shards_are_recorded_beside_the_examples(tmp_path):
    digests = write_two_shards(tmp_path / "data")
    examples = ingest(tmp_path / "data", tmp_path / "out", single_folder("eval"))
    recorded = IngestionFile.model_validate_json((tmp_path / "out/ingestion.json").read_text())
    assert [(shard.path, shard.sha256, shard.events) for shard in recorded.shards] == [
        (str(tmp_path / "data" / name), digests[name], {"eval": events})
        for name, events in (("shard-00000.tfrecord", 60), ("shard-00001.tfrecord", 30))
    ]
    assert examples.get_int_custom_property(events_property("eval")) == 90


@pytest.mark.slow
def test_shards_that_changed_since_they_were_hashed_are_refused(tmp_path):
    key = content_key(write_two_shards(tmp_path / "data"))
    ingest(tmp_path / "data", tmp_path / "out", single_folder("eval"), content_key=key)
    shard = tmp_path / "data" / "shard-00001.tfrecord"
    shard.write_bytes(encode_events(select(make_events(30, 8), slice(None))))
    with pytest.raises(DataRefusedError, match="were changed while the run read them; run again"):
        ingest(tmp_path / "data", tmp_path / "new", single_folder("eval"), content_key=key)
    # A key that a user chose says nothing about hashes.
    ingest(tmp_path / "data", tmp_path / "own", single_folder("eval"), content_key="release-3")


@pytest.mark.slow
def test_empty_shards_are_skipped_and_reported(tmp_path, caplog):
    write_two_shards(tmp_path / "data")
    (tmp_path / "data" / "shard-00002.tfrecord").touch()
    with caplog.at_level("INFO", "higgs.example_gen"):
        examples = ingest(tmp_path / "data", tmp_path / "out", single_folder("eval"))
    assert examples.get_int_custom_property(events_property("eval")) == 90
    assert caplog.messages == [
        f"skipped without records: {tmp_path / 'data' / 'shard-00002.tfrecord'}"
    ]


@pytest.mark.slow
def test_a_split_of_empty_shards_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    for index in range(2):
        (tmp_path / "data" / f"shard-{index}.tfrecord").touch()
    with pytest.raises(DataRefusedError, match="no events for the split 'eval' in 2 shards"):
        ingest(tmp_path / "data", tmp_path / "out", single_folder("eval"))


@pytest.mark.slow
def test_what_cannot_be_opened_is_refused_with_its_reason(tmp_path):
    write_two_shards(tmp_path / "data")
    (tmp_path / "data" / "x.tfrecord").mkdir()
    with pytest.raises(DataRefusedError, match=r"x\.tfrecord cannot be read \(Is a directory\)"):
        ingest(tmp_path / "data", tmp_path / "out", single_folder("eval"))


def manifest_problem(out):
    return IngestionFile.model_validate_json((out / "ingestion.json").read_text()).manifest_problem


@pytest.mark.slow
def test_differences_from_the_manifest_are_recorded_for_the_data_gate(tmp_path):
    data = tmp_path / "data"
    write_dataset_with_manifest(data, kind="CSV")
    ingest(data, tmp_path / "out", split_folders())
    ingest(data / "training", tmp_path / "part", single_folder("eval"))
    assert (manifest_problem(tmp_path / "out"), manifest_problem(tmp_path / "part")) == ("", "")
    (data / "training/shard-00001.tfrecord").rename(data / "training/other.tfrecord")
    (data / "validation/shard-00000.tfrecord").write_bytes(encode_events(make_events(40, 9)))
    ingest(data, tmp_path / "new", split_folders())
    assert (
        "manifest.json describes: training/other.tfrecord was added, "
        "validation/shard-00000.tfrecord was changed, training/shard-00001.tfrecord is missing; "
    ) in manifest_problem(tmp_path / "new")
    ingest(data / "training", tmp_path / "new-part", single_folder("eval"))
    assert "training/other.tfrecord was added" in manifest_problem(tmp_path / "new-part")
    (data / "manifest.json").write_text("[]")
    ingest(data, tmp_path / "damaged", split_folders())
    assert "is not a manifest of `higgs convert`" in manifest_problem(tmp_path / "damaged")


@pytest.mark.slow
def test_shards_of_toy_events_may_be_changed(tmp_path):
    data = tmp_path / "data"
    write_dataset_with_manifest(data, kind="generated")
    (data / "training/shard-00001.tfrecord").unlink()
    ingest(data, tmp_path / "out", split_folders())
    assert manifest_problem(tmp_path / "out") == ""


@pytest.mark.slow
def test_the_manifest_is_part_of_the_content(tmp_path):
    data = tmp_path / "data"
    write_dataset_with_manifest(data, kind="CSV")
    files = {str(path.relative_to(data)): digest(path) for path in data.rglob("*.*")}
    ingest(data, tmp_path / "out", split_folders(), content_key=content_key(files))
    (data / "manifest.json").unlink()
    with pytest.raises(DataRefusedError, match="were changed while the run read them"):
        ingest(data, tmp_path / "new", split_folders(), content_key=content_key(files))


def write_dataset_with_manifest(data, kind):
    write_shards(data / "training", make_events(60, 1), [40, 20])
    write_shards(data / "validation", make_events(30, 2), [30])
    shards = [
        ShardEntry(
            path=path.relative_to(data).as_posix(),
            bytes=path.stat().st_size,
            events=1,
            sha256=digest(path),
        )
        for path in sorted(data.glob("*/*"))
    ]
    source = SourceEntry(name="x.csv", kind=kind, events=90)
    manifest = Manifest(created="now", sources=(source,), read=90, written=90, shards=tuple(shards))
    write_manifest(data, manifest)
