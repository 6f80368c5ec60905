import gzip
import io
import os

import numpy as np
import pytest
import wire_records as wire
from event_makers import make_events, select
from shard_makers import frame

from formats.features import DISCRETE_VALUES, FEATURES, LABEL, UNITS
from formats.published.record import encode_events
from formats.published.tfrecord import RecordError
from pipeline.console import PlainConsole
from pipeline.sample_data.inspection import inspect_shards, render

TAG = next(iter(DISCRETE_VALUES))


def inspect_file(path, records):
    return inspect_shards(path, [path], records)


def text_of(inspection, width: int = 200) -> str:
    console = PlainConsole(io.StringIO())
    console.width = width
    console.print(render(inspection, width))
    return console.file.getvalue()


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_inspection_summarizes_the_whole_shard(tmp_path, compression):
    events = make_events(20_000)
    data = encode_events(events)
    path = tmp_path / "shard"
    path.write_bytes(gzip.compress(data, 1) if compression == "gzip" else data)

    inspection = inspect_file(path, records=3)

    assert (inspection.path, inspection.compressions) == (path, {compression})
    assert inspection.events == 20_000
    assert inspection.signal == events.labels.sum()
    assert inspection.first.features.tobytes() == events.features[:3].tobytes()
    assert inspection.first.labels.tolist() == events.labels[:3].tolist()
    assert inspection.low.tolist() == events.features.min(axis=0).tolist()
    assert inspection.high.tolist() == events.features.max(axis=0).tolist()
    assert inspection.mean == pytest.approx(events.features.astype(np.float64).mean(axis=0))


def test_all_records_are_shown_if_more_are_requested(tmp_path):
    (tmp_path / "shard").write_bytes(encode_events(make_events(4)))

    assert len(inspect_file(tmp_path / "shard", records=9).first.labels) == 4


def test_values_that_are_no_numbers_are_shown_without_warnings(tmp_path):
    events = make_events(2)
    events.features[:, 0] = np.inf, -np.inf
    events.features[0, 1] = np.array(0x7FA00001, np.uint32).view(np.float32)  # A signaling NaN.
    (tmp_path / "shard").write_bytes(encode_events(events))

    lines = text_of(inspect_file(tmp_path / "shard", records=0)).splitlines()

    shown = {cells[0]: cells[1:] for cells in map(cells_of, lines) if cells}
    assert shown[FEATURES[0]] == ["-inf", "nan", "inf"]
    assert shown[FEATURES[1]] == ["nan", "nan", "nan"]


def test_rendering_shows_balance_columns_and_records(tmp_path):
    events = make_events(200)
    (tmp_path / "shard").write_bytes(encode_events(events))
    signal = int(events.labels.sum())

    text = text_of(inspect_file(tmp_path / "shard", records=2))

    assert f"signal       {signal} ({signal / 200:.2%})" in text
    assert "records      200" in text
    assert "published HIGGS layout" in text
    lines = [cells_of(line) for line in text.splitlines() if line.startswith("│")]
    rows = {name: cells for name, *cells in lines}
    assert set(rows) == {LABEL, *FEATURES}
    for i, name in enumerate(FEATURES):
        cells = rows[name]
        column = events.features[:, i]
        numbers = column.min(), column.astype(np.float64).mean(), column.max(), *column[:2]
        assert cells == [f"{value:.4g}" for value in numbers]


def test_rendering_without_records_has_no_record_columns(tmp_path):
    (tmp_path / "shard").write_bytes(encode_events(make_events(4)))

    assert "record 0" not in text_of(inspect_file(tmp_path / "shard", records=0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("records", "width"), [(0, 45), (1, 45), (12, 45), (2, 80), (12, 80), (0, 200), (101, 200)]
)
def test_every_number_is_readable_at_any_width(tmp_path, records, width):
    events = make_events(120)
    events.features[0, :3] = -1.234e-05, -3.234e38, 3.234e38
    (tmp_path / "shard").write_bytes(encode_events(events))
    inspection = inspect_file(tmp_path / "shard", records)

    tables = [
        line for line in text_of(inspection, width).splitlines() if line.startswith(("┃", "│"))
    ]

    assert max(map(len, tables)) <= width
    shown: dict[str, list[str]] = {}
    for name, *cells in map(cells_of, tables):
        shown.setdefault(name, []).extend(cells)
    assert shown["column"] == ["min", "mean", "max", *(f"record {i}" for i in range(records))]
    assert shown[LABEL][3:] == [f"{label:g}" for label in events.labels[:records]]
    for i, name in enumerate(FEATURES):
        assert shown[name][3:] == [f"{value:.4g}" for value in events.features[:records, i]]


def test_path_is_shown_unchanged(tmp_path):
    folder = tmp_path / ("long" * 30) / "[v1] [" / "b] :smile: "
    folder.mkdir(parents=True)
    (folder / "shard").write_bytes(encode_events(make_events(4)))

    text = text_of(inspect_file(folder / "shard", records=1), width=80)

    assert f"file         {folder / 'shard'}\n" in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no records. Give a shard with events."),
        (b"1.0,2.0\n", "is not a TFRecord file: it looks like CSV. Expected a TFRecord shard"),
        (gzip.compress(b"1.0,2.0\n"), "is not a TFRecord file: it looks like CSV inside gzip."),
        (
            b"<!DOCTYPE html>\n",
            "is not a TFRecord file: it looks like an HTML or XML page. Fetch the file again: the "
            "address gave a page instead of the data. Expected a TFRecord shard",
        ),
        (b"PAR1" + bytes(50), "is not a TFRecord file: it looks like a Parquet file."),
        (
            frame([wire.example(image=b"\x0a\x03\x0a\x01x", height=b"\x1a\x02\x08\x03")]),
            "record 0 (counted from 0) has no key 'features'; its keys: 'height', 'image'.",
        ),
    ],
    ids=["nothing", "CSV", "CSV in gzip", "HTML", "Parquet", "other Example"],
)
def test_other_content_is_named_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(RecordError) as caught:
        inspect_file(tmp_path / "file", records=1)

    assert str(caught.value).startswith(f"{tmp_path / 'file'}: {sentence}")


@pytest.mark.slow
def test_the_shards_of_a_folder_are_summarized_together(tmp_path):
    events = make_events(300)
    sizes = {"a": (0, 100), "b": (100, 100), "c": (100, 300)}
    for name, (start, end) in sizes.items():
        (tmp_path / name).write_bytes(encode_events(select(events, slice(start, end))))
    paths = [tmp_path / name for name in sizes]
    read = []

    folder = inspect_shards(tmp_path, paths, 150, read.append)

    (tmp_path / "whole").write_bytes(encode_events(events))
    whole = inspect_file(tmp_path / "whole", 150)
    assert (folder.events, folder.signal) == (whole.events, whole.signal)
    assert folder.first.features.tobytes() == whole.first.features.tobytes()
    assert folder.low.tolist() == whole.low.tolist()
    assert folder.mean == pytest.approx(whole.mean, rel=1e-12)
    assert read[-1] == sum(path.stat().st_size for path in paths)
    text = text_of(folder)
    assert f"folder       {tmp_path}\nfiles        3\nempty        b\n" in text


def test_a_folder_of_empty_shards_holds_no_records(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(RecordError, match="holds no records"):
        inspect_shards(tmp_path, [tmp_path / "a"], 1)


def test_what_is_not_a_regular_file_is_named_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "dir").mkdir()
    sentences = {"pipe": "is a pipe or device", "link": "is a link to gone", "dir": "is a folder"}
    for name, sentence in sentences.items():
        with pytest.raises(RecordError, match=f"{name}: {sentence}"):
            inspect_file(tmp_path / name, 1)


def test_physical_units_can_be_shown(tmp_path):
    events = make_events(9)
    events.features[:, FEATURES.index(TAG)] = np.float32(DISCRETE_VALUES[TAG][2])
    (tmp_path / "shard").write_bytes(encode_events(events))
    console = PlainConsole(io.StringIO())
    console.width = 200

    console.print(render(inspect_file(tmp_path / "shard", records=1), 200, "gev"))

    text = console.file.getvalue()
    assert "units        GeV, radians, b-tag levels 0, 1, 2" in text
    lines = [cells_of(line) for line in text.splitlines() if line.startswith("│")]
    rows = {name: cells for name, *cells in lines}
    assert rows[TAG] == ["2", "2", "2", "2"]
    assert rows[FEATURES[0]][-1] == f"{events.features[0, 0] * UNITS[FEATURES[0]]:.4g}"
    assert rows[FEATURES[2]][-1] == f"{events.features[0, 2] * np.pi / 1.7435:.4g}"


def test_additional_keys_are_reported(tmp_path):
    features = make_events(1).features[0]
    records = [
        wire.example(
            weight=wire.field(2, wire.floats(1, [weight], packed=True)),
            features=wire.field(1, wire.field(1, wire.tensor(features))),
            label=wire.field(2, wire.floats(1, [1.0], packed=True)),
        )
        for weight in (0.5, 2.0)
    ]
    (tmp_path / "shard.tfrecord").write_bytes(frame(records))
    inspection = inspect_file(tmp_path / "shard.tfrecord", 1)
    assert (inspection.events, inspection.additional_keys) == (2, {"weight"})
    assert "'weight': refused by `higgs run` unless ingestion.ignore_keys" in text_of(inspection)
