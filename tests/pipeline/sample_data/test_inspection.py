import gzip
import io

import numpy as np
import pytest
import wire_records as wire
from event_makers import make_events
from rich.console import Console
from shard_makers import frame

from formats.features import FEATURES, LABEL
from formats.published.record import encode_events
from formats.published.tfrecord import RecordError
from pipeline.sample_data.inspection import inspect_file, render


def text_of(inspection, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(render(inspection, width), soft_wrap=True)
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

    assert (inspection.path, inspection.compression, inspection.events) == (
        path,
        compression,
        20_000,
    )
    assert inspection.signal == events.labels.sum()
    assert inspection.first.features.tobytes() == events.features[:3].tobytes()
    assert inspection.first.labels.tolist() == events.labels[:3].tolist()
    assert inspection.low.tolist() == events.features.min(axis=0).tolist()
    assert inspection.high.tolist() == events.features.max(axis=0).tolist()
    assert inspection.mean == pytest.approx(events.features.astype(np.float64).mean(axis=0))


def test_all_records_are_shown_if_more_are_requested(tmp_path):
    (tmp_path / "shard").write_bytes(encode_events(make_events(4)))

    assert len(inspect_file(tmp_path / "shard", records=9).first.labels) == 4


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
        (b"", "holds no records. Name a shard with events."),
        (b"1.0,2.0\n", "is not a TFRecord file: it looks like CSV. Expected a TFRecord shard"),
        (gzip.compress(b"1.0,2.0\n"), "is not a TFRecord file: it looks like CSV inside gzip."),
        (b"PAR1" + bytes(50), "is not a TFRecord file: it looks like a Parquet file."),
        (
            frame([wire.example(image=b"\x0a\x03\x0a\x01x", height=b"\x1a\x02\x08\x03")]),
            "record 0 (counted from 0) has no key 'features'; its keys: 'height', 'image'.",
        ),
    ],
    ids=["nothing", "CSV", "CSV in gzip", "Parquet", "other Example"],
)
def test_other_content_is_named_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(RecordError) as caught:
        inspect_file(tmp_path / "file", records=1)

    assert str(caught.value).startswith(f"{tmp_path / 'file'}: {sentence}")


def test_folder_is_rejected(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "a.tfrecord").touch()

    with pytest.raises(RecordError, match=r"is a folder; 1 file in it ends in \.tfrecord"):
        inspect_file(tmp_path, records=1)
