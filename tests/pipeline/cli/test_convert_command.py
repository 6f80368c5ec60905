import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from event_makers import join_events, make_published_events, same_events, select
from shard_makers import read_folder
from table_makers import to_csv, to_frame, to_rows, uci_csv

from formats.features import COLUMNS
from pipeline.cli.convert_command import convert

EVENTS = make_published_events(50, seed=9)
ROWS = to_rows(EVENTS, "%.9g")
NAMED = to_csv(ROWS, COLUMNS)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text(NAMED)
    return lambda *words: CliRunner().invoke(convert, words)


def events_of(folder):
    return join_events(read_folder(folder / split) for split in ("training", "validation"))


def test_a_conversion_prints_what_it_read_and_wrote(run, tmp_path):
    frame = to_frame(EVENTS).assign(weight=1.0)
    frame.loc[3, COLUMNS[7]] = float("nan")
    frame.to_parquet(tmp_path / "x.parquet")

    result = run("x.parquet", "--missing", "drop", "--out", "data", "--validation-rows", "5")

    assert result.exit_code == 0
    assert result.output.startswith(
        "note: x.parquet: dropped the column weight\n"
        "Read 50 events from 1 input (Parquet)\n"
        "Dropped 1 event: missing or infinite values\n"
        "Wrote 49 events (44 in training/, 5 in validation/) as 2 shards in "
    )
    manifest = json.loads((tmp_path / "data/manifest.json").read_text())
    assert manifest["options"] == {
        "decimal": ".",
        "missing": "drop",
        "split": "last",
        "units": "published",
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.csv"], "'none.csv' does not exist"),
        (["s3://bucket/x.csv"], "s3://bucket/x.csv is a URI, but a local path is required"),
        ([], "Missing argument 'INPUT...', or --signal and --background files."),
        (["--signal", "x.csv"], "--signal and --background are given together."),
        (
            ["x.csv", "--signal", "1", "--background", "1.0"],
            "--signal and --background are the same value, 1.",
        ),
        (
            ["x.csv", "--signal", "a", "--signal", "b", "--background", "c"],
            "With INPUT, --signal and --background are values of the label, one each.",
        ),
        (
            ["x.csv", "--split", "hash", "--validation-rows", "5"],
            "--validation-rows needs --split last.",
        ),
        (["x.csv", "--validation-rows", "-1"], "-1 is not in the range x>=0"),
        (["x.csv", "--names", "none.yaml"], "'none.yaml' does not exist"),
    ],
)
def test_bad_usage_exits_with_2_and_a_sentence(run, tmp_path, words, sentence):
    result = run(*words, "--out", "d")

    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "d").exists()


def test_out_may_not_contain_the_input(run):
    result = run("x.csv", "--out", ".")

    assert result.exit_code == 2
    assert "contains the input x.csv; give another" in result.output


def test_a_refused_table_exits_with_4_and_leaves_nothing(run, tmp_path):
    (tmp_path / "y.csv").write_text("1,2,3\n4,5,6\n")

    result = run("y.csv", "--out", "new/data")

    assert result.exit_code == 4
    assert result.output.startswith("Error: y.csv: has 3 columns without names, not 29 (the label,")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "y.csv"]


WITH_LETTERS = [["sb"[row[0] == "0"], *row[1:]] for row in ROWS]
WITH_TWOS = [["21"[row[0] == "1"], *row[1:]] for row in ROWS]
ACCEPTED = {
    "--signal s --background b": to_csv(WITH_LETTERS, COLUMNS),
    "--signal 1 --background 2": to_csv(WITH_TWOS),
    "--label answer": to_csv(ROWS, ["answer", *COLUMNS[1:]]),
    "--header features,label": to_csv([[*row[1:], row[0]] for row in ROWS]),
    "--names names.yaml": to_csv(ROWS, ["label", "first", *COLUMNS[2:]]),
    "--decimal ,": to_csv(ROWS, separator=";").replace(".", ","),
}


@pytest.mark.parametrize("words", ACCEPTED)
def test_each_option_accepts_what_it_names(run, tmp_path, words):
    (tmp_path / "y.csv").write_text(ACCEPTED[words])
    (tmp_path / "names.yaml").write_text(f"{COLUMNS[1]}: first\n")
    assert run("y.csv", "--out", "data").exit_code == 4

    result = run("y.csv", "--out", "data", *words.split())

    assert result.exit_code == 0, result.output
    assert same_events(events_of(tmp_path / "data"), EVENTS)


def test_a_column_may_be_kept_twice(run, tmp_path):
    to_frame(EVENTS).assign(weight=1.0).to_parquet(tmp_path / "y.parquet")

    result = run("y.parquet", "--keep", "weight", "--keep", "weight", "--out", "data")

    assert result.exit_code == 0, result.output


def test_files_of_one_class_are_split_by_hash(run, tmp_path):
    for value, name in enumerate(("background", "signal")):
        part = select(EVENTS, EVENTS.labels == value)
        to_frame(part).drop(columns="label").to_parquet(tmp_path / name)

    result = run("--signal", "signal", "--background", "background", "--out", "data")

    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "data/manifest.json").read_text())["options"]["split"] == "hash"
    events = events_of(tmp_path / "data")
    assert events.labels.sum() == EVENTS.labels.sum()
    assert {row.tobytes() for row in events.features} == {r.tobytes() for r in EVENTS.features}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("mixed", ["signal", "background"])
def test_a_file_of_one_class_whose_label_has_two_is_refused(run, tmp_path, mixed, suffix):
    for value, name in enumerate(("background", "signal")):
        part = EVENTS if name == mixed else select(EVENTS, EVENTS.labels == value)
        frame = to_frame(part).rename(columns={"label": "target"})
        file = tmp_path / f"{name}.{suffix}"
        frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    files = [f"signal.{suffix}", f"background.{suffix}"]
    result = run("--signal", files[0], "--background", files[1], "--out", "data")
    assert result.exit_code == 4
    assert f"{mixed}.{suffix}: --{mixed} says that all its events are of one class" in result.output
    assert "its column 'target' has '0' and '1'" in result.output
    assert not (tmp_path / "data").exists()


def test_files_of_one_class_that_are_exchanged_are_refused(run, tmp_path):
    for value, name in enumerate(("background", "signal")):
        to_frame(select(EVENTS, EVENTS.labels == value)).to_parquet(tmp_path / name)
    result = run("--signal", "background", "--background", "signal", "--out", "data")
    assert result.exit_code == 4
    assert "its column 'label' has the label of the other one, 0. Exchange" in result.output
    result = run("--signal", "signal", "--background", "background", "--out", "data")
    assert result.exit_code == 0, result.output


def test_a_column_of_many_values_that_is_named_like_a_label_is_ignored(run, tmp_path):
    """Such as a rapidity."""
    for value, name in enumerate(("background", "signal")):
        part = select(EVENTS, EVENTS.labels == value)
        frame = to_frame(part).drop(columns="label")
        frame.assign(y=np.linspace(-2, 2, len(frame))).to_parquet(tmp_path / name)
    result = run("--signal", "signal", "--background", "background", "--out", "data")
    assert result.exit_code == 0, result.output
    assert events_of(tmp_path / "data").labels.sum() == EVENTS.labels.sum()


@pytest.mark.parametrize("words", [(), ("--features", "v")])
def test_a_split_folder_keeps_its_splits(run, tmp_path, words):
    for name, rows in (("train", slice(40)), ("test", slice(40, None))):
        (tmp_path / "set" / name).mkdir(parents=True)
        if words:
            vectors = {"label": EVENTS.labels[rows], "v": [*EVENTS.features[rows]]}
            pd.DataFrame(vectors).to_parquet(tmp_path / "set" / name / "a.parquet")
        else:
            (tmp_path / "set" / name / "a.csv").write_bytes(uci_csv(select(EVENTS, rows)))

    result = run("set", *words, "--out", "data")

    assert "note: set: is already split; train and test stay apart" in result.output
    options = json.loads((tmp_path / "data/manifest.json").read_text())["options"]
    assert options["split"] == "given"
    for option in (("--split", "hash"), ("--validation-rows", "5")):
        result = run("set", *words, *option, "--out", "again")
        assert result.exit_code == 2
        assert "Error: set is already split, so --split and --validation-rows" in result.output
    assert same_events(read_folder(tmp_path / "data/validation"), select(EVENTS, slice(40, None)))


def test_arrays_of_two_splits_stay_apart(run, tmp_path):
    parts = {"train": slice(40), "test": slice(40, None)}
    arrays = {f"X_{name}": EVENTS.features[rows] for name, rows in parts.items()}
    arrays |= {f"y_{name}": EVENTS.labels[rows] for name, rows in parts.items()}
    np.savez(tmp_path / "x.npz", **arrays)

    result = run("x.npz", "--out", "data")
    assert "x.npz: is already split; X_train and X_test stay apart" in result.output
    for folder, rows in zip(("training", "validation"), parts.values(), strict=True):
        assert same_events(read_folder(tmp_path / "data" / folder), select(EVENTS, rows))
    result = run("x.npz", "--features", "X_test", "--out", "one")
    assert "note: x.npz: has X_train and X_test; only X_test is read\nRead 10" in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("*/a.csv",),
        ("train/a.csv", "test/a.csv"),
        ("x.csv", "test/a.csv"),
        ("--signal", "train", "--background", "test"),
    ],
)
def test_splits_that_are_joined_are_noted(run, tmp_path, words):
    for name, rows in (("train", slice(40)), ("test", slice(40, None))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(to_csv([row[1:] for row in ROWS[rows]]))
        if "--signal" not in words:
            (tmp_path / name / "a.csv").write_bytes(uci_csv(select(EVENTS, rows)))

    assert "note: the inputs are joined and split again" in run(*words, "--out", "d").output


def test_a_part_without_rows_is_reported(run, tmp_path):
    (tmp_path / "y.csv").write_text(to_csv([], COLUMNS))

    assert "note: y.csv: has no rows\nRead 50 events" in run("x.csv", "y.csv", "--out", "d").output


def test_a_named_pipe_is_read_once(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(uci_csv(EVENTS),))
    writer.start()

    result = run("pipe", "--out", "data")

    writer.join()
    assert result.exit_code == 0, result.output
    assert same_events(events_of(tmp_path / "data"), EVENTS)


HIGGS = [sys.executable, "-m", "pipeline.cli.main", "convert"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_read(tmp_path, name):
    process = subprocess.run(
        [*HIGGS, name, "--out", tmp_path / "data"], input=uci_csv(EVENTS), capture_output=True
    )

    assert process.returncode == 0, process.stderr
    assert b"Read 50 events from 1 input (CSV)" in process.stdout
    assert same_events(events_of(tmp_path / "data"), EVENTS)


@pytest.mark.slow
def test_an_interrupted_conversion_leaves_nothing_and_says_how_to_go_on(tmp_path):
    process = subprocess.Popen(
        [*HIGGS, "-", "--out", "data"], cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    stop, content = time.monotonic() + 60, uci_csv(make_published_events(2000))
    while not list(tmp_path.glob("data/.incomplete/training/*")) and time.monotonic() < stop:
        process.stdin.write(content)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]

    assert process.returncode == 130
    assert b"Interrupted: nothing was written. Run the same command again." in error
    assert b"Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_help_has_examples(run):
    assert "Examples:\n    higgs convert " in run("--help").output.replace("  Examples", "Examples")
