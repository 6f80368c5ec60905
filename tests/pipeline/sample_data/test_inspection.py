import gzip
import io

import numpy as np
import pytest
from rich.console import Console

from formats.features import FEATURES
from formats.published import protos
from formats.published.record import RecordError, encode_events
from formats.published.tfrecord import frame
from pipeline.sample_data.inspection import inspect_file, render


def text_of(inspection, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(render(inspection, width), soft_wrap=True)
    return console.file.getvalue()


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_inspection_sums_up_the_whole_shard(tmp_path, make_events, compression):
    events = make_events(60_000)
    data = encode_events(events)
    path = tmp_path / "shard"
    path.write_bytes(gzip.compress(data, 1) if compression == "gzip" else data)

    found = inspect_file(path, records=3)

    assert (found.path, found.compression, found.events) == (path, compression, 60_000)
    assert found.signal == events.labels.sum()
    assert found.first.features.tobytes() == events.features[:3].tobytes()
    assert found.first.labels.tolist() == events.labels[:3].tolist()
    assert found.low.tolist() == events.features.min(axis=0).tolist()
    assert found.high.tolist() == events.features.max(axis=0).tolist()
    assert found.mean == pytest.approx(events.features.astype(np.float64).mean(axis=0))


def test_more_records_than_there_are_shows_all(tmp_path, make_events):
    (tmp_path / "shard").write_bytes(encode_events(make_events(4)))

    assert len(inspect_file(tmp_path / "shard", records=9).first.labels) == 4


def test_rendering_shows_balance_columns_and_records(tmp_path, make_events):
    events = make_events(200)
    (tmp_path / "shard").write_bytes(encode_events(events))
    signal = int(events.labels.sum())

    text = text_of(inspect_file(tmp_path / "shard", records=2))

    assert f"signal       {signal} ({signal / 200:.2%})" in text
    assert "records      200" in text
    assert "published HIGGS layout" in text
    lines = [cells_of(line) for line in text.splitlines() if line.startswith("│")]
    rows = {name: cells for name, *cells in lines}
    assert set(rows) == {"label", *FEATURES}
    for i, name in enumerate(FEATURES):
        cells = rows[name]
        column = events.features[:, i]
        numbers = column.min(), column.astype(np.float64).mean(), column.max(), *column[:2]
        assert cells == [f"{value:.4g}" for value in numbers]


def test_rendering_without_records_has_no_record_columns(tmp_path, make_events):
    (tmp_path / "shard").write_bytes(encode_events(make_events(4)))

    assert "record 0" not in text_of(inspect_file(tmp_path / "shard", records=0))


@pytest.mark.parametrize("records", [0, 1, 2, 12, 101])
@pytest.mark.parametrize("width", [45, 80, 200])
def test_every_number_is_readable_at_any_width(tmp_path, make_events, records, width):
    events = make_events(120)
    events.features[0, :3] = -1.234e-05, -3.234e38, 3.234e38
    (tmp_path / "shard").write_bytes(encode_events(events))
    found = inspect_file(tmp_path / "shard", records)

    tables = [line for line in text_of(found, width).splitlines() if line.startswith(("┃", "│"))]

    assert max(map(len, tables)) <= width
    shown: dict[str, list[str]] = {}
    for name, *cells in map(cells_of, tables):
        shown.setdefault(name, []).extend(cells)
    assert shown["column"] == ["min", "mean", "max", *(f"record {i}" for i in range(records))]
    assert shown["label"][3:] == [f"{label:g}" for label in events.labels[:records]]
    for i, name in enumerate(FEATURES):
        assert shown[name][3:] == [f"{value:.4g}" for value in events.features[:records, i]]


def test_path_is_shown_as_it_is_and_whole(tmp_path, make_events):
    folder = tmp_path / ("long" * 30) / "[v1] [" / "b] :smile: "
    folder.mkdir(parents=True)
    (folder / "shard").write_bytes(encode_events(make_events(4)))

    text = text_of(inspect_file(folder / "shard", records=1), width=80)

    assert f"file         {folder / 'shard'}\n" in text


def other_example() -> bytes:
    example = protos.Example()
    example.features.feature["image"].bytes_list.value.append(b"x")
    example.features.feature["height"].int64_list.value.append(3)
    return example.SerializeToString()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no records. Name a shard with events."),
        (b"1.0,2.0\n", "no TFRecord file: it looks like CSV. Expected a TFRecord shard"),
        (gzip.compress(b"1.0,2.0\n"), "no TFRecord file: it looks like CSV inside gzip."),
        (b"PAR1" + bytes(50), "no TFRecord file: it looks like a Parquet file."),
        (
            frame([other_example()]),
            "record 0 (counted from 0) has no key 'features'; its keys: 'height', 'image'.",
        ),
    ],
    ids=["nothing", "CSV", "CSV in gzip", "Parquet", "other Example"],
)
def test_anything_else_gets_a_sentence_that_says_what_was_found(tmp_path, content, sentence):
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(RecordError) as caught:
        inspect_file(tmp_path / "file", records=1)

    assert str(caught.value).startswith(f"{tmp_path / 'file'}: {sentence}")


def test_folder_is_told_to_name_a_file(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "a.tfrecord").touch()

    with pytest.raises(RecordError, match=r"is a folder; 1 files in it end in \.tfrecord"):
        inspect_file(tmp_path, records=1)
