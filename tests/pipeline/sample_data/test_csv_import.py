import gzip

import numpy as np
import pytest
from event_makers import join_events, make_events, same_events, select
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_makers import read_folder, truncate

from formats.features import COLUMNS, FEATURES, LABEL
from formats.published.record import Events
from pipeline.sample_data import csv_import
from pipeline.sample_data.csv_import import (
    CsvError,
    conventional_validation_rows,
    convert,
    read_csv,
)
from pipeline.sample_data.shard_writer import SplitSize


def to_text(events: Events) -> str:
    """As UCI prints its rows."""
    rows = np.column_stack([events.labels, events.features]).astype(np.float64)
    return "".join(",".join(f"{value:.18e}" for value in row) + "\n" for row in rows)


@pytest.fixture
def write(tmp_path):
    def write_text(text: str, name: str = "HIGGS.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return path

    return write_text


@pytest.mark.parametrize("name", ["HIGGS.csv", "HIGGS.csv.gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_rows_read_back_exactly(write, name, line_end):
    events = make_events(3000)

    path = write(to_text(events).replace("\n", line_end), name)

    assert same_events(join_events(read_csv(path)), events)


def test_compression_is_recognized_by_content_not_by_name(tmp_path):
    events = make_events(30)
    path = tmp_path / "HIGGS.csv"
    path.write_bytes(gzip.compress(to_text(events).encode()))

    assert same_events(join_events(read_csv(path)), events)


numbers = st.one_of(
    st.floats(-3e38, 3e38).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: f"{x:.18e}"),
    st.decimals(-100, 100, places=25, allow_nan=False).map(str),
    st.integers(-(10**9), 10**9).map(str),
)


@settings(max_examples=40)
@given(st.lists(st.lists(numbers, min_size=28, max_size=28), min_size=1, max_size=5))
def test_every_number_is_float32_of_float_of_its_text(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text("".join(",".join(["1", *row]) + "\n" for row in rows))

    features = join_events(read_csv(path)).features

    expected = np.array([[np.float32(float(text)) for text in row] for row in rows], np.float32)
    assert features.tobytes() == expected.tobytes()


NOT_FINITE = "which is not a finite float32. Correct or delete the line."
LAYOUT = "Expected UCI's HIGGS.csv: no header, 29 numbers per line, the label first"


@pytest.fixture(scope="module")
def valid_lines():
    return tuple(to_text(make_events(1500)).splitlines())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda cells: cells[:-1], f"has 28 columns, not 29. {LAYOUT}."),
        (lambda cells: [*cells, "1"], f"has 30 columns, not 29. {LAYOUT}."),
        (lambda _: [""], f"has 1 column, not 29 (it looks like text). {LAYOUT}."),
        (
            lambda cells: [*cells[:3], "abc", *cells[4:]],
            f"has 'abc' as {FEATURES[2]}, which is not a number. {LAYOUT}; delete any header line.",
        ),
        (
            lambda cells: [*cells[:2], "", *cells[3:]],
            f"has '' as {FEATURES[1]}, which is not a number. {LAYOUT}; delete any header line.",
        ),
        (
            lambda cells: [*cells[:2], '"1.5"', *cells[3:]],
            f"has '\"1.5\"' as {FEATURES[1]}, which is not a number. {LAYOUT}; "
            "delete any header line.",
        ),
        (
            lambda cells: [*cells[:28], "nan"],
            f"has nan as {FEATURES[-1]}, {NOT_FINITE}",
        ),
        (
            lambda cells: [*cells[:28], "-inf"],
            f"has -inf as {FEATURES[-1]}, {NOT_FINITE}",
        ),
        (
            lambda cells: [*cells[:28], "1e39"],
            f"has 1e39 as {FEATURES[-1]}, {NOT_FINITE}",
        ),
        (
            lambda cells: ["2.0", *cells[1:]],
            "has the label 2.0, which is neither 0 nor 1. Correct or delete the line.",
        ),
        (
            lambda cells: ["nan", *cells[1:]],
            "has the label nan, which is neither 0 nor 1. Correct or delete the line.",
        ),
    ],
)
@pytest.mark.parametrize("line", [1, 1234])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_invalid_line_is_named_with_its_number(
    write, monkeypatch, valid_lines, change, reason, line, name
):
    monkeypatch.setattr(csv_import, "_BLOCK_BYTES", 1 << 16)
    lines = list(valid_lines)
    lines[line - 1] = ",".join(change(lines[line - 1].split(",")))
    lines[1400] = "a,later,problem"
    path = write("\n".join(lines) + "\n", name)

    with pytest.raises(CsvError) as caught:
        list(read_csv(path))

    assert str(caught.value) == f"{path}: line {line} {reason}"


def test_header_is_rejected_with_the_remedy(write):
    path = write(",".join(COLUMNS) + "\n" + to_text(make_events(3)))

    with pytest.raises(CsvError, match=rf"line 1 has '{LABEL}' as {LABEL}.*delete any header line"):
        list(read_csv(path))


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_empty_file_is_rejected(write, name):
    with pytest.raises(CsvError, match="holds no rows"):
        list(read_csv(write("", name)))


def test_kind_of_another_file_is_named(write):
    with pytest.raises(CsvError, match=r"line 1 has 1 column.*looks like an HTML or XML page"):
        list(read_csv(write("<!DOCTYPE html>\n<html>Not found</html>\n")))


def test_truncated_gzip_is_rejected(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(to_text(make_events(500)).encode()))
    truncate(path, 300)

    with pytest.raises(CsvError, match=r"line \d+ cannot be unpacked.*Fetch the file again"):
        list(read_csv(path))


def test_progress_ends_with_the_size_of_the_file(write):
    path = write(to_text(make_events(500)), "x.csv.gz")
    read = []

    list(read_csv(path, read.append))

    assert read == sorted(read)
    assert read[-1] == path.stat().st_size


@pytest.mark.parametrize(
    ("rows", "held_out"), [(0, 0), (9, 1), (36_233, 7246), (11_000_000, 500_000)]
)
def test_conventional_validation_rows(rows, held_out):
    assert conventional_validation_rows(rows) == held_out


def test_convert_holds_out_the_last_rows(tmp_path, write):
    events = make_events(1000)
    path = write(to_text(events))

    sizes = convert(path, tmp_path / "out", validation_rows=150, shard_size=400)

    assert sizes == {"training": SplitSize(850, 3), "validation": SplitSize(150, 1)}
    first, last = (select(events, rows) for rows in (slice(-150), slice(-150, None)))
    assert same_events(read_folder(tmp_path / "out" / "training"), first)
    assert same_events(read_folder(tmp_path / "out" / "validation"), last)


def test_convert_holds_out_a_fifth_of_a_small_file(tmp_path, write):
    sizes = convert(write(to_text(make_events(1003))), tmp_path / "out")

    assert sizes == {"training": SplitSize(803, 1), "validation": SplitSize(200, 1)}


def test_too_many_validation_rows_are_rejected_and_nothing_is_left(tmp_path, write):
    path = write(to_text(make_events(10)))

    with pytest.raises(CsvError, match=r"has 10 rows, so the last 10 leave none to train on"):
        convert(path, tmp_path / "out", validation_rows=10)

    assert not (tmp_path / "out").exists()
