from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that, equal_to
from event_makers import make_events
from tfx.types.standard_artifacts import Examples

from formats.event_counts import EventCountError
from formats.examples import (
    SCHEMA,
    ReadExamples,
    RecordBatchCoder,
    check_split,
    find_row_groups,
    parquet_writer,
    read_row_group,
    sample_row_groups,
    to_table,
)
from formats.features import COLUMNS, DISCRETE_VALUES, FEATURES, LABEL


def test_table_has_one_element_lists_as_tfdv_requires():
    events = make_events(5)

    table = to_table(events)

    assert table.schema == SCHEMA
    assert table.column_names == list(COLUMNS)
    assert table[LABEL].to_pylist() == [[value] for value in events.labels.tolist()]
    last = events.features[:, -1].tolist()
    assert table[FEATURES[-1]].to_pylist() == [[value] for value in last]


def test_only_discrete_columns_are_dictionary_encoded(tmp_path):
    with parquet_writer(str(tmp_path / "a.parquet")) as writer:
        writer.write_table(to_table(make_events(300)))

    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    encoded = {c.path_in_schema.split(".")[0] for c in columns if c.has_dictionary_page}
    assert encoded == {LABEL, *DISCRETE_VALUES}


def test_a_split_has_as_many_events_as_were_ingested_or_is_refused(tmp_path):
    examples = Examples()
    examples.uri = str(tmp_path)
    examples.set_int_custom_property("events_eval", 42)
    folder = tmp_path / "Split-eval"
    folder.mkdir()
    for name, events in (("a", 30), ("b", 12)):
        pq.write_table(to_table(make_events(events)), folder / f"{name}.parquet")
    check_split(examples, "eval")
    (folder / "a.parquet").unlink()
    with pytest.raises(EventCountError, match=f"split eval: found 12 events in {folder}, but"):
        check_split(examples, "eval")
    (folder / "b.parquet").unlink()
    with pytest.raises(EventCountError, match="found 0 events"):
        check_split(examples, "eval")


def write_column(path, values, row_group_size):
    column = pa.array([[value] for value in values], pa.large_list(pa.float32()))
    pq.write_table(pa.table({"x": column}), path, row_group_size=row_group_size)


def test_every_event_is_read_once_for_any_row_groups(tmp_path):
    write_column(tmp_path / "b.parquet", range(10, 17), 3)
    write_column(tmp_path / "a.parquet", range(10), 4)
    (tmp_path / "other.txt").write_text("not Examples")

    groups = list(find_row_groups(f"{tmp_path}/*.parquet"))
    tables = [read_row_group(group) for group in groups]

    assert [(path.rsplit("/", 1)[1], group) for path, group in groups] == [
        *(("a.parquet", group) for group in range(3)),
        *(("b.parquet", group) for group in range(3)),
    ]
    assert [table.num_rows for table in tables] == [4, 4, 2, 3, 3, 1]
    assert all(table.column("x").num_chunks == 1 for table in tables)
    values = np.concatenate([table.column("x").chunk(0).flatten() for table in tables])
    assert values.tolist() == list(range(17))


@pytest.mark.slow
def test_beam_reads_each_row_group_as_one_batch(tmp_path):
    write_column(tmp_path / "b.parquet", range(10, 17), 3)
    write_column(tmp_path / "a.parquet", range(10), 4)
    groups = [(0, 4), (4, 8), (8, 10), (10, 13), (13, 16), (16, 17)]

    with beam.Pipeline() as pipeline:
        batches = pipeline | ReadExamples(f"{tmp_path}/*.parquet")
        values = batches | beam.Map(lambda batch: batch.column(0).flatten().to_pylist())
        assert_that(values, equal_to([list(range(*group)) for group in groups]))

    assert batches.element_type == pa.RecordBatch


def test_batches_are_encoded_completely_and_measured_without_encoding(monkeypatch):
    [batch] = to_table(make_events(5)).to_batches()
    coder = RecordBatchCoder()

    assert coder.decode(coder.encode(batch)).equals(batch)

    monkeypatch.setattr(RecordBatchCoder, "encode", lambda *_: pytest.fail("encodes"))
    # Per column: five values of four bytes, and their offsets of eight.
    assert coder.get_impl().estimate_size(batch) == len(COLUMNS) * 5 * (4 + 8)


def test_batches_have_this_coder_although_tfdv_registers_another(tmp_path):
    import tensorflow_data_validation.types  # noqa: F401

    batches = beam.Pipeline() | ReadExamples(f"{tmp_path}/*.parquet")

    assert batches.element_type is pa.RecordBatch
    assert isinstance(beam.coders.registry.get_coder(pa.RecordBatch), RecordBatchCoder)


def test_sampled_row_groups_are_spread_over_files_and_within_them(tmp_path):
    for index in range(5):
        file = tmp_path / f"{index}.parquet"
        pq.write_table(to_table(make_events(60)), file, row_group_size=10)

    def sample(pattern, number):
        return [(Path(path).stem, group) for path, group in sample_row_groups(pattern, number)]

    every = f"{tmp_path}/*.parquet"
    assert sample(every, 3) == [("0", 0), ("1", 0), ("3", 0)]
    assert sample(every, 8) == [(str(i), group) for i in range(5) for group in (0, 3)]
    assert sample(f"{tmp_path}/0.parquet", 3) == [("0", 0), ("0", 2), ("0", 4)]
    assert len(sample(every, 100)) == 30
    assert sample(f"{tmp_path}/none", 3) == []
