import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest
from event_makers import make_published_events, same_events, select
from pyarrow import feather, ipc
from pyarrow import parquet as pq
from table_makers import convert_all, to_frame, with_columns

from formats.features import COLUMNS, FEATURES, LABEL
from pipeline.intake import arrow_readers
from pipeline.intake.array_tables import ArrayChoice
from pipeline.intake.byte_streams import damage_named
from pipeline.intake.column_mapping import ColumnOptions
from pipeline.intake.conversion import SplitOptions
from pipeline.intake.input_sources import find_sources
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.scored_rows import RowOptions, TableRows
from pipeline.intake.table_events import IntakeOptions

EVENTS = make_published_events(60, seed=4)
FRAME = to_frame(EVENTS)
TABLE = pa.Table.from_pandas(FRAME, preserve_index=False)
DOUBLES = FRAME.astype("f8").set_index(FRAME.index + 5)
LABELS = pa.array(EVENTS.labels)
LISTS = pa.array(EVENTS.features.tolist(), pa.list_(pa.float32()))


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as file, ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def renamed(names):
    return TABLE.rename_columns(names)


WRITERS = {
    "Parquet": lambda path: pq.write_table(TABLE, path),
    "small row groups": lambda path: pq.write_table(TABLE, path, row_group_size=7),
    "doubles with an index": lambda path: (
        FRAME.astype("f8").set_index(FRAME.index + 5).to_parquet(path)
    ),
    "numbers as names": lambda path: pq.write_table(renamed([str(i) for i in range(29)]), path),
    "other order": lambda path: pq.write_table(TABLE.select(COLUMNS[::-1]), path),
    "boolean label": lambda path: FRAME.assign(label=FRAME[LABEL] == 1).to_parquet(path),
    "lists": lambda path: pq.write_table(pa.table({"features": LISTS, "label": LABELS}), path),
    "fixed lists": lambda path: pq.write_table(
        pa.table({"label": LABELS, "x": pa.FixedSizeListArray.from_arrays(LISTS.flatten(), 28)}),
        path,
    ),
    "Feather": lambda path: feather.write_feather(TABLE, path),
    "Feather 1": lambda path: feather.write_feather(TABLE, path, version=1),
    "Arrow stream": lambda path: write_stream(TABLE, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_read_back_exactly(tmp_path, name):
    WRITERS[name](tmp_path / "x")

    events, conversion = convert_all([tmp_path / "x"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert conversion.counts.read == 60


def test_a_stream_without_its_end_is_noted(tmp_path):
    write_stream(TABLE, tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "cut").write_bytes(content[:-8])

    events, conversion = convert_all([tmp_path / "cut"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert conversion.counts.notes == [
        f"{tmp_path / 'cut'}: its stream has no end mark; if it was cut there, the events after it "
        "are missing"
    ]
    assert convert_all([tmp_path / "x"], tmp_path / "whole")[1].counts.notes == []


def joined_streams(path):
    write_stream(TABLE.slice(0, 30), path)
    first = path.read_bytes()
    write_stream(TABLE.slice(30), path)
    path.write_bytes(first + path.read_bytes())


def joined(name):
    def write(path):
        WRITERS[name](path)
        path.write_bytes(path.read_bytes() * 2)

    return write


@pytest.mark.parametrize(
    "write", [joined_streams, *map(joined, ("Arrow stream", "Feather", "Feather 1", "Parquet"))]
)
def test_joined_files_are_refused(tmp_path, write):
    """The readers would return the rows of one file only, without an error."""
    write(tmp_path / "x")

    with pytest.raises(IntakeError, match=r"x: has data after the end of the .* were joined"):
        convert_all([tmp_path / "x"], tmp_path / "out")


def test_a_file_with_one_large_batch_is_read_in_parts(tmp_path, monkeypatch):
    """Polars writes one batch; memory must not grow with it."""
    sizes, make_batch = [], arrow_readers.make_batch
    monkeypatch.setattr(arrow_readers, "_BATCH_ROWS", 25)
    monkeypatch.setattr(
        arrow_readers, "make_batch", lambda *a: sizes.append(len(a[0][0])) or make_batch(*a)
    )
    WRITERS["Feather"](tmp_path / "x")

    events, _ = convert_all([tmp_path / "x"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert sizes == [25, 25, 10]


def test_encrypted_columns_are_named(tmp_path):
    """Arrow would end the process."""
    WRITERS["Parquet"](tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    length = int.from_bytes(content[-8:-4], "little") + 28  # With the signature.
    (tmp_path / "x").write_bytes(content[:-8] + bytes(28) + length.to_bytes(4, "little") + b"PAR1")

    with pytest.raises(IntakeError, match=r"x: has a signed footer, .* Write it without encryptio"):
        convert_all([tmp_path / "x"], tmp_path / "out")


def test_types_of_later_versions_are_not_called_damage():
    expected = pytest.raises(IntakeError, match=r"x: has a type of a later version .*CompatLevel")
    with expected, damage_named("x", "Arrow", pa.ArrowInvalid):
        raise pa.ArrowInvalid("Unrecognized type:24")


def test_types_are_shortened(tmp_path):
    structs = pa.array(FRAME.to_dict("records"))
    pq.write_table(pa.table({"event": structs}), tmp_path / "x")

    with pytest.raises(IntakeError, match=r"event holds struct<.{30}\.\.\. instead of one number"):
        convert_all([tmp_path / "x"], tmp_path / "out")


def test_a_folder_of_parts_is_one_table(tmp_path):
    (tmp_path / "parts").mkdir()
    pq.write_table(TABLE.slice(0, 40), tmp_path / "parts/part-0.parquet")
    pq.write_table(TABLE.slice(40), tmp_path / "parts/part-1.parquet")
    (tmp_path / "parts/_SUCCESS").touch()

    events, conversion = convert_all([tmp_path / "parts"], tmp_path / "out")

    assert same_events(events, EVENTS)
    [source] = conversion.counts.sources
    assert (source.kind, source.events) == ("Parquet (2 files)", 60)


HALVES = TABLE.slice(0, 40), TABLE.slice(40)


def make_folder(folder, first=HALVES[0], second=HALVES[1]):
    folder.mkdir()
    pq.write_table(first, folder / "a.parquet")
    pq.write_table(second, folder / "b.parquet", compression="gzip")
    return folder


def test_a_column_of_floats_is_as_wide_as_its_widest_part(tmp_path):
    halves = [
        half.append_column("narrow", pa.array([0.1] * len(half), pa.float32()))
        .append_column("mixed", pa.array([0.1] * len(half), mixed))
        .append_column("run", pa.array([2**53 + 1] * len(half), pa.int64()))
        for half, mixed in zip(HALVES, (pa.float32(), pa.float64()), strict=True)
    ]
    folder = make_folder(tmp_path / "d", *halves)

    [source], _ = find_sources([str(folder)])
    rows = TableRows(source, RowOptions(columns=("narrow", "mixed", "run")))
    parts = [part.columns for part in rows.read(rows.digest(), lambda _: None)]
    read = {name: pa.chunked_array([part[name] for part in parts]) for name in parts[0]}
    types = {"narrow": pa.float32(), "mixed": pa.float64(), "run": pa.int64()}
    assert {name: values.type for name, values in read.items()} == types
    assert read["mixed"].to_pylist() == [float(np.float32(0.1))] * 40 + [0.1] * 20
    assert read["run"].to_pylist() == [2**53 + 1] * 60


def test_a_fraction_among_integers_of_an_earlier_part_is_refused(tmp_path):
    halves = [
        half.append_column("run", pa.array([run] * len(half)))
        for half, run in zip(HALVES, (7, 7.5), strict=True)
    ]
    folder = make_folder(tmp_path / "d", *halves)
    keep = IntakeOptions(columns=ColumnOptions(keep=("run",)))

    with pytest.raises(IntakeError, match=r"read after row 40 \(b\.parquet: Float value 7"):
        convert_all([folder], tmp_path / "out", keep)


def test_documents_and_empty_files_beside_parquet_files_are_left_out(tmp_path):
    folder = make_folder(tmp_path / "d")
    (folder / "README.md").write_text("About these files")
    (folder / "c.parquet").touch()

    events, conversion = convert_all([folder], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert conversion.counts.sources[0].kind == "Parquet (2 files)"


def test_a_copy_among_parquet_files_is_refused(tmp_path):
    folder = make_folder(tmp_path / "d", TABLE, TABLE)

    with pytest.raises(IntakeError, match=r"d/b\.parquet and .*d/a\.parquet have the same events"):
        convert_all([folder], tmp_path / "out")


def test_a_row_of_a_folder_is_named_with_its_file(tmp_path):
    frame = FRAME.copy()
    frame.loc[47, FEATURES[3]] = np.nan
    table = pa.Table.from_pandas(frame, preserve_index=False)
    folder = make_folder(tmp_path / "d", table.slice(0, 40), table.slice(40))

    with pytest.raises(IntakeError, match=r"the first in row 8 of b\.parquet with 'nan'"):
        convert_all([folder], tmp_path / "out")


def test_a_partition_that_is_a_column_too_is_refused(tmp_path):
    folder = make_folder(tmp_path / "label=1")

    with pytest.raises(IntakeError, match=r"a\.parquet: label is a column of the file and also"):
        convert_all([tmp_path], tmp_path.parent / "out")
    assert folder.exists()


@pytest.mark.slow
def test_hive_partitions_are_columns(tmp_path):
    expected = make_published_events(300)
    partitioning = pyarrow.dataset.partitioning(pa.schema([(LABEL, pa.float32())]), flavor="hive")
    pyarrow.dataset.write_dataset(
        pa.Table.from_pandas(to_frame(expected), preserve_index=False),
        tmp_path / "hive",
        format="parquet",
        partitioning=partitioning,
    )

    with pytest.raises(IntakeError, match="The input is not shuffled"):
        convert_all([tmp_path / "hive"], tmp_path / "out")
    events, _ = convert_all([tmp_path / "hive"], tmp_path / "out", split=SplitOptions(by_hash=True))
    assert same_events(in_order(events), in_order(expected))


def in_order(events):
    return select(events, np.lexsort(events.features.T))


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (FRAME.astype(str), f"the column {FEATURES[0]} holds string, not numbers"),
        (
            pd.DataFrame([FRAME.iloc[0].tolist()], columns=[f"{v:.8f}" for v in FRAME.iloc[1]]),
            "its column names are the numbers of an event",
        ),
        (
            FRAME.assign(label=pd.Categorical(np.where(FRAME[LABEL] == 1, "sig", "bkg"))),
            "--signal sig --background bkg",
        ),
        (FRAME.assign(label=FRAME[LABEL] * 2 - 1), "--signal 1 --background -1"),
        (FRAME.assign(label=[[v] for v in FRAME[LABEL]]), "the labels are list<.*>, not one value"),
        (FRAME.drop(columns=FEATURES[2]), rf"1 of the 28 features is missing \({FEATURES[2]}\)"),
        (FRAME.assign(jet1pt=1.0), f"{FEATURES[5]} and jet1pt are both names of {FEATURES[5]}"),
    ],
)
def test_other_tables_are_refused_with_the_option(tmp_path, frame, sentence):
    frame.to_parquet(tmp_path / "x.parquet")

    with pytest.raises(IntakeError, match=f"x.parquet: .*{sentence}"):
        convert_all([tmp_path / "x.parquet"], tmp_path / "out")


def test_additional_columns_may_be_nested(tmp_path):
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    table = table.append_column("hits", pa.array([[1.0]] * len(FRAME)))
    table = table.append_column("meta", pa.array([{"run": 1}] * len(FRAME)))
    pq.write_table(table, tmp_path / "x")

    events, conversion = convert_all([tmp_path / "x"], tmp_path / "out")

    assert same_events(events, EVENTS)
    assert conversion.counts.notes == [f"{tmp_path / 'x'}: dropped the columns hits, meta"]


def test_files_of_a_data_set_need_the_same_columns(tmp_path):
    (tmp_path / "d").mkdir()
    FRAME.to_parquet(tmp_path / "d/a.parquet", index=False)
    FRAME.assign(weight=2.0).to_parquet(tmp_path / "d/b.parquet", index=False)

    with pytest.raises(IntakeError, match=r"b.parquet: has other columns than a.parquet: weight"):
        convert_all([tmp_path / "d"], tmp_path / "out")


@pytest.mark.parametrize("lists", [["hits"], ["hits", "tracks"]])
def test_named_columns_are_read_beside_lists(tmp_path, lists):
    frame = FRAME.rename(columns={name: f"c_{name}" for name in FEATURES})
    frame.assign(**{name: [[1.0]] * len(FRAME) for name in lists}).to_parquet(tmp_path / "x")

    options = with_columns(names={name: f"c_{name}" for name in FEATURES})
    events, _ = convert_all([tmp_path / "x"], tmp_path / "out", options)

    assert same_events(events, EVENTS)


def test_one_of_several_lists_can_be_chosen(tmp_path):
    other = pa.array((EVENTS.features + 1).tolist(), pa.list_(pa.float32()))
    pq.write_table(pa.table({"raw": LISTS, "scaled": other, "label": LABELS}), tmp_path / "x")

    with pytest.raises(
        IntakeError, match=r"several columns of 28 numbers: raw, scaled.*--features"
    ):
        convert_all([tmp_path / "x"], tmp_path / "out")
    options = IntakeOptions(arrays=ArrayChoice("raw"))
    events, _ = convert_all([tmp_path / "x"], tmp_path / "out", options)
    assert same_events(events, EVENTS)


def test_lists_of_another_fixed_length_do_not_hold_the_features(tmp_path):
    momenta = pa.FixedSizeListArray.from_arrays(pa.array(EVENTS.features[:, :4].ravel()), 4)
    pq.write_table(pa.table({"p4": momenta, "x": LISTS, "label": LABELS}), tmp_path / "x")

    events, _ = convert_all([tmp_path / "x"], tmp_path / "out")

    assert same_events(events, EVENTS)


def test_lists_of_other_lengths_are_named(tmp_path):
    lists = EVENTS.features.tolist()
    lists[11] = lists[11][:-1]
    pq.write_table(pa.table({"features": lists, "label": LABELS}), tmp_path / "x")

    with pytest.raises(IntakeError, match="row 12 does not have 28 features in its list"):
        convert_all([tmp_path / "x"], tmp_path / "out")


def test_a_missing_list_is_named(tmp_path):
    lists = EVENTS.features.tolist()
    lists[11] = None
    features = pa.array(lists, pa.list_(pa.float32(), 28))
    feather.write_feather(pa.table({"features": features, "label": LABELS}), tmp_path / "x")

    with pytest.raises(IntakeError, match="row 12 does not have 28 features in its list"):
        convert_all([tmp_path / "x"], tmp_path / "out")


@pytest.mark.parametrize("wrap", [lambda row: [row], lambda row: [[value] for value in row]])
def test_lists_of_lists_are_not_features(tmp_path, wrap):
    lists = [wrap(row) for row in EVENTS.features.tolist()]
    pq.write_table(pa.table({"features": lists, "label": LABELS}), tmp_path / "x")

    with pytest.raises(IntakeError, match=r"features holds list<.* one list of 28 numbers"):
        convert_all([tmp_path / "x"], tmp_path / "out")


def test_lists_of_text_are_not_numbers(tmp_path):
    lists = [[f"{value:.9g}" for value in row] for row in EVENTS.features]
    pq.write_table(pa.table({"features": lists, "label": LABELS}), tmp_path / "x")

    with pytest.raises(IntakeError, match="the column features holds string, not numbers"):
        convert_all([tmp_path / "x"], tmp_path / "out")


@pytest.mark.parametrize("name", ["Parquet", "Feather"])
def test_truncated_files_are_refused(tmp_path, name):
    WRITERS[name](tmp_path / "x")
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content[: len(content) // 2])

    with pytest.raises(IntakeError, match=r"x: is a truncated or corrupt .* Fetch it again"):
        convert_all([tmp_path / "x"], tmp_path / "out")


@pytest.mark.parametrize("name", [b"\xff.parquet", b"\xff/x.parquet", b"\xff.feather"])
def test_a_path_that_is_not_utf8_is_named(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    write = pq.write_table if path.suffix == ".parquet" else feather.write_feather
    with path.open("wb") as file:
        write(TABLE, file)

    with pytest.raises(IntakeError, match=r"udcff.*: its path is not UTF-8, as this format req"):
        convert_all([path.parent if b"/" in name else path], tmp_path / "out")
