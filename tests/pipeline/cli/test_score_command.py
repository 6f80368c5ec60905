import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from event_makers import make_published_events
from export_makers import push
from pyarrow import dataset
from pyarrow import parquet as pq
from score_models import expected_scores, write_onnx
from shard_makers import write_shards
from table_makers import to_csv, to_frame, to_rows, uci_csv

from components.scorer import score_pipeline
from formats.features import FEATURES
from formats.folder_lock import locked_folder
from pipeline import scoring
from pipeline.cli.score_command import score

EVENTS = make_published_events(60, seed=2)
SCORES = expected_scores(EVENTS.features)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_onnx(tmp_path / "m.onnx")
    write_shards(tmp_path / "shards" / "sub", EVENTS, [20, 40])
    (tmp_path / "x.csv").write_bytes(uci_csv(EVENTS))
    return lambda *words, model="m.onnx": CliRunner().invoke(
        score, ["--model", model, "--out", "out", *words]
    )


def test_a_folder_has_one_output_per_shard(run, tmp_path):
    result = run("--input", "shards", "--columns", f"label,{FEATURES[25]}")

    assert result.exit_code == 0, result.output
    assert "Model m.onnx\nRead and wrote 60 rows in 2 files\nWrote to " in result.output
    files = sorted(path.relative_to(tmp_path / "out") for path in tmp_path.glob("out/**/*.parquet"))
    assert [str(file) for file in files] == [
        "sub/shard-00000.tfrecord.parquet",
        "sub/shard-00001.tfrecord.parquet",
    ]
    table = dataset.dataset(tmp_path / "out").to_table()
    np.testing.assert_allclose(table["signal_probability"], SCORES, rtol=1e-5)
    assert table["label"].to_pylist() == EVENTS.labels.tolist()
    assert table[FEATURES[25]].to_pylist() == EVENTS.features[:, 25].tolist()
    assert table["row"].to_pylist() == [*range(1, 21), *range(1, 41)]


@pytest.mark.slow
def test_only_what_changed_is_scored_again(run, tmp_path, monkeypatch):
    run("--input", "shards", "--input", "x.csv")
    unchanged = tmp_path / "out" / "sub" / "shard-00000.tfrecord.parquet"
    before = unchanged.stat().st_mtime_ns
    (tmp_path / "x.csv").write_bytes(uci_csv(make_published_events(70)))

    result = run("--input", "shards", "--input", "x.csv")
    assert "Read and wrote 130 rows in 3 files, 2 of them unchanged" in result.output
    assert unchanged.stat().st_mtime_ns == before
    write_onnx(tmp_path / "m.onnx", factor=2)
    assert "unchanged" not in run("--input", "shards", "--input", "x.csv").output
    np.testing.assert_allclose(
        pq.read_table(unchanged)["signal_probability"],
        expected_scores(EVENTS.features[:20], factor=2),
        rtol=1e-5,
    )
    monkeypatch.setattr("pipeline.scoring.modules_version", lambda *_: "edited")
    assert "unchanged" not in run("--input", "shards", "--input", "x.csv").output
    result = run("--input", "shards", "--input", "x.csv", "--columns", FEATURES[0])
    assert "unchanged" not in result.output


def test_a_data_set_with_both_splits_is_scored_file_by_file(run, tmp_path):
    write_shards(tmp_path / "data" / "training", EVENTS, [60])
    write_shards(tmp_path / "data" / "validation", EVENTS, [60])

    result = run("--input", "data")

    assert result.exit_code == 0, result.output
    assert "Read and wrote 120 rows in 2 files" in result.output


def test_two_commands_do_not_score_into_one_folder(run, tmp_path):
    with locked_folder(tmp_path / "out"):
        result = run("--input", "x.csv")

    assert result.exit_code == 1
    assert f"Error: another command is writing to {tmp_path}/out; run this one" in result.output
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("uri", "code", "sentence"),
    [
        ("file:///x.csv", 2, "file:///x.csv is neither a local path nor one of gs://, s3://, mini"),
        (
            "https://host/x.csv",
            2,
            "is neither a local path nor one of gs://, s3://, minio://, hd",
        ),
        ("hdfs://host/x.csv", 1, "hdfs://host/x.csv cannot be listed (OSError: no library). Check"),
    ],
)
def test_addresses_that_cannot_be_read_are_named(run, monkeypatch, uri, code, sentence):
    def fail(folder):
        raise OSError("no library")

    monkeypatch.setattr(scoring, "list_data_files", fail)
    result = run("--input", uri)

    assert result.exit_code == code
    assert sentence in " ".join(result.output.split())


def test_a_name_that_is_not_utf8_is_written_with_escapes(run, tmp_path):
    (tmp_path / os.fsdecode(b"a\xff.csv")).write_bytes((tmp_path / "x.csv").read_bytes())

    assert run("--input", os.fsdecode(b"a\xff.csv")).exit_code == 0
    table = pq.read_table(tmp_path / "out" / r"a\udcff.csv.parquet")
    assert table["file"][0].as_py() == r"a\udcff.csv"
    np.testing.assert_allclose(table["signal_probability"], SCORES, rtol=1e-5)


def test_a_last_line_that_may_be_cut_is_named(run, tmp_path):
    (tmp_path / "x.csv").write_bytes(uci_csv(EVENTS)[:-1])

    result = run("--input", "x.csv")

    assert "note: x.csv: the last line, 60, has no newline; if the file was cut" in result.output


def test_only_scores_are_replaced(run, tmp_path):
    target = tmp_path / "out" / "x.csv.parquet"
    target.mkdir(parents=True)
    result = run("--input", "x.csv")
    assert (result.exit_code, "is not a file of scores" in result.output) == (1, True)
    target.rmdir()
    to_frame(EVENTS).to_parquet(target)
    before = target.read_bytes()
    result = run("--input", "x.csv")
    assert result.exit_code == 1
    assert f"{target} would be replaced, but is not a file of scores" in result.output
    assert target.read_bytes() == before


def test_files_of_other_inputs_are_named(run):
    run("--input", "x.csv")
    result = run("--input", "shards")
    assert "has files of other inputs: x.csv.parquet" in result.output


def test_an_id_replaces_file_and_row(run, tmp_path):
    frame = to_frame(EVENTS).assign(event=np.arange(60) + 100)
    frame.drop(columns="label").to_parquet(tmp_path / "x.parquet")
    assert run("--input", "x.parquet", "--id", "event").exit_code == 0
    table = pq.read_table(tmp_path / "out" / "x.parquet")
    assert table.column_names == ["event", "signal_probability"]
    assert table["event"].to_pylist() == list(range(100, 160))


def test_files_without_rows_are_counted_and_inputs_without_files_are_refused(run, tmp_path):
    to_frame(EVENTS)[:0].to_parquet(tmp_path / "x.parquet")
    words = ["--input", "x.parquet", "--input", "x.csv", "--flag-invalid", "--columns", "m_bb"]
    result = run(*words)
    assert result.exit_code == 0
    assert "60 rows in 2 files\nnote: 1 input file without rows\n" in result.output
    # A reader of the folder takes the columns of one of the files.
    empty, other = (pq.read_schema(tmp_path / "out" / f"x.{n}") for n in ("parquet", "csv.parquet"))
    assert empty.remove_metadata() == other.remove_metadata()
    (tmp_path / "header.csv").write_text(to_csv([], FEATURES))
    result = run("--input", "header.csv", "--flag-invalid", "--columns", "m_bb")
    assert "Read and wrote 0 rows in 1 file\nnote: 1 input file without rows\n" in result.output
    assert pq.read_schema(tmp_path / "out" / "header.csv.parquet").names == other.names
    assert "2 of them unchanged" in run(*words).output

    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "_SUCCESS").touch()
    result = run("--input", "none")
    assert result.exit_code == 4
    assert "none: contains no data files" in result.output


def test_a_folder_of_parquet_files_is_scored_file_by_file(run, tmp_path):
    (tmp_path / "parts").mkdir()
    for i in range(2):
        frame = to_frame(EVENTS)[i * 30 : (i + 1) * 30].drop(columns="label")
        frame.to_parquet(tmp_path / "parts" / f"part-{i}.parquet")
    assert "60 rows in 2 files" in run("--input", "parts").output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "part-0.parquet",
        "part-1.parquet",
    }


def test_invalid_rows_are_refused_or_flagged(run, tmp_path):
    rows = to_rows(EVENTS, "%.9g")
    rows[3][1] = "nan"
    rows[4][1] = "-inf"
    (tmp_path / "bad.csv").write_text(to_csv(rows))

    result = run("--input", "x.csv", "--input", "bad.csv")
    assert result.exit_code == 4
    assert "bad.csv: 2 events with missing or infinite values: 2 in lepton_pt" in result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.csv.parquet"]

    result = run("--input", "bad.csv", "--flag-invalid")
    assert result.exit_code == 0
    assert "Read and wrote 60 rows" in result.output
    assert "No score for 2 rows: see the column reason" in result.output
    table = pq.read_table(tmp_path / "out" / "bad.csv.parquet")
    reasons = ["lepton_pt is missing (nan)", "lepton_pt is infinite (-inf)"]
    assert table["reason"].to_pylist()[3:5] == reasons
    assert table["signal_probability"].null_count == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--input", "none"], "'none' does not exist"),
        (["--input", "x.csv", "--columns", "row"], "the output has a column row of its own"),
        (["--input", "x.csv", "--id", "row"], "--id: the output has a column row of its own"),
        (["--input", "x.csv", "--model", ""], "--model is empty; it may name a variable"),
        (["--input", "x.csv", "--out", " "], "--out is empty; it may name a variable"),
        (["--input", "x.csv", "--id", ""], "--id is empty; it may name a variable"),
        (["--input", "x.csv", "--serving", ""], "--serving is empty; it may name a variable"),
        (["--input", "x.csv", "--columns", "a,,b"], "there is an empty name"),
        (["--input", "x.csv", "--set", "seed=1"], "--set needs --config"),
        (["--input", "x.csv", "--config", "none.yaml"], "cannot read the configuration none.yaml"),
        (["--input", "x.csv", "--out", "x.csv"], "--out: x.csv is a file; give a folder"),
        (["--input", "x.csv", "--out", "."], "contains the input x.csv; give another"),
        (["--input", "x.csv", "--out", "~nobody-here/s"], "~nobody-here has no home folder here"),
        (["--input", "x.csv", "--out", "ftp://x"], "ftp://x is neither a local path nor one of"),
        (["--input", "x.csv", "--model", "file:///m"], "file:///m is neither a local path nor one"),
        (["--input", "x.csv", "--serving", "file:///s"], "file:///s is neither a local path nor "),
    ],
)
def test_bad_usage_exits_with_2_and_a_sentence(run, words, sentence):
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert sentence in " ".join(result.output.split())


def test_a_model_that_is_not_there_is_bad_usage(run):
    result = run("--input", "x.csv", "--serving", "nowhere", model="17")
    assert result.exit_code == 2
    assert "--model: no version 17 in nowhere; --serving names the folder" in result.output


def test_a_damaged_model_exits_with_1(run, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"x")
    result = run("--input", "x.csv", model="bad.onnx")
    assert result.exit_code == 1
    assert "cannot be loaded as an ONNX model" in result.output


def test_times_are_copied_to_the_nanosecond(run, tmp_path):
    table = pa.Table.from_pandas(to_frame(EVENTS))
    times = pa.array([1_700_000_000_123_456_789] * 60, pa.timestamp("ns", "UTC"))
    table = table.append_column("time", times)
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert run("--input", "x.arrow", "--columns", "time").exit_code == 0
    copied = pq.read_table(tmp_path / "out" / "x.arrow.parquet")["time"]
    assert copied.combine_chunks() == times


def test_a_column_that_parquet_cannot_hold_is_refused(run, tmp_path):
    table = pa.Table.from_pandas(to_frame(EVENTS))
    spans = pa.array([(1, 2, 3)] * 60, pa.month_day_nano_interval())
    table = table.append_column("span", spans)
    table = table.append_column("half", pa.array([np.float16(1.5)] * 60))
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert run("--input", "x.arrow", "--columns", "half").exit_code == 0
    (tmp_path / "out" / "x.arrow.parquet").unlink()
    result = run("--input", "x.arrow", "--columns", "span")
    assert result.exit_code == 4
    assert "Parquet has no form for the type of a copied column" in result.output
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("model", "data", "out"),
    [
        ("serving/17", "x.csv", "serving/17/scores"),
        ("serving/17/model.onnx", "x.csv", "serving/17/scores"),
        ("m.onnx", "numbered", "serving"),
    ],
)
def test_nothing_is_written_into_the_folder_of_a_model(run, tmp_path, model, data, out):
    folder = Path(push(tmp_path / "serving", "17"))
    write_onnx(folder / "model.onnx")
    write_shards(tmp_path / "numbered" / "17", EVENTS, [60])
    before = set(folder.iterdir())
    result = run("--input", data, "--out", out, model=model)
    assert result.exit_code == 2
    assert "serving/17 is a model's folder; give another" in " ".join(result.output.split())
    assert set(folder.iterdir()) == before


def test_two_inputs_with_one_output_are_bad_usage(run, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.csv").write_bytes(uci_csv(make_published_events(5)))
    result = run("--input", "x.csv", "--input", "a/x.csv")
    assert result.exit_code == 2
    assert "x.csv and a/x.csv would both be written to x.csv.parquet" in result.output


@pytest.mark.slow
def test_workers_write_what_this_process_writes(run, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("data_root: d\nroot: r\nbeam:\n  args: [--runner=DirectRunner]\n")
    assert run("--input", "shards").exit_code == 0
    files = sorted((tmp_path / "out").glob("sub/*"))
    tables = [pq.read_table(file) for file in files]
    for file in files:
        file.unlink()

    result = run("--input", "shards", "--config", "run.yaml")
    assert result.exit_code == 0, result.output
    assert "Read and wrote 60 rows in 2 files" in result.output
    assert [pq.read_table(file) for file in files] == tables
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sub"]
    assert "2 of them unchanged" in run("--input", "shards", "--config", "run.yaml").output


@pytest.mark.slow
def test_workers_report_a_refused_input_and_complete_the_others(run, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("data_root: d\nroot: r\nbeam:\n  args: [--runner=DirectRunner]\n")
    (tmp_path / "bad.csv").write_text("1,2,3\n4,5,6\n")
    result = run("--input", "bad.csv", "--input", "x.csv", "--config", "run.yaml")
    assert result.exit_code == 4
    assert "bad.csv: has 3 columns without names, not 28 (the features)" in result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.csv.parquet"]


@pytest.mark.slow
def test_workers_that_fail_give_one_sentence(run, tmp_path, monkeypatch):
    config = tmp_path / "run.yaml"
    config.write_text("data_root: d\nroot: r\nbeam:\n  args: [--runner=DirectRunner]\n")
    (tmp_path / "bad.onnx").write_bytes(b"x")
    result = run("--input", "x.csv", "--config", "run.yaml", model="bad.onnx")
    assert result.exit_code == 1
    assert "Error: " in result.output
    assert "bad.onnx cannot be loaded as an ONNX model" in result.output

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(score_pipeline, "score_file", fail)
    result = run("--input", "x.csv", "--config", "run.yaml")
    assert result.exit_code == 1
    assert "Error: the Beam pipeline failed: " in result.output
    assert "No space left on device" in result.output
    assert not list((tmp_path / "out").iterdir())

    def lose_server(*_):
        raise grpc.FutureTimeoutError

    monkeypatch.setattr(score_pipeline, "score_on_beam", lose_server)
    result = run("--input", "x.csv", "--config", "run.yaml")
    assert "Error: the Beam pipeline failed: the Beam job server no longer" in result.output


HIGGS = [sys.executable, "-m", "pipeline.cli.main", "score", "--model", "m.onnx", "--out", "out"]


@pytest.mark.slow
def test_standard_input_is_scored_and_an_interruption_keeps_complete_files(run, tmp_path):
    done = subprocess.run(
        [*HIGGS, "--input", "-"], cwd=tmp_path, input=uci_csv(EVENTS), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "out" / "stdin.parquet").num_rows == 60

    command = [*HIGGS, "--input", "x.csv", "--input", "-"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    stop = time.monotonic() + 60
    while not (tmp_path / "out" / "x.csv.parquet").exists() and time.monotonic() < stop:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert b"Interrupted: complete files are kept; run the same command again" in error
    assert b"Traceback" not in error
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "stdin.parquet",
        "x.csv.parquet",
    }


def test_help_has_examples(run):
    result = CliRunner().invoke(score, ["--help"])
    assert "higgs score --model model.onnx --input" in result.output
