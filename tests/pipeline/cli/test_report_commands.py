"""The report commands on a recorded store, and their errors; complete runs are in tests/e2e."""

import pytest
from click.testing import CliRunner

from pipeline.cli.report_commands import evaluate, lineage, report, runs


def call(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("command", "arguments"), [(report, ()), (runs, ()), (lineage, ("17",))], ids=str
)
def test_root_without_a_run_is_named(tmp_path, command, arguments):
    done = call(command, *arguments, "--root", tmp_path)
    assert done.exit_code == 2
    assert "no metadata of a run at" in done.output


def test_page_of_the_newest_run_is_written_under_its_root(pushed_twice, tmp_path, capfd):
    done = call(report, "--root", tmp_path)
    assert done.exit_code == 0, done.output
    page = tmp_path / "reports" / "2026-02-03.html"
    assert capfd.readouterr().out == f"report      {page}\n"
    assert "not pushed: refused by a gate" in page.read_text()


def test_page_of_a_run_is_written_where_it_is_wanted(pushed_twice, tmp_path):
    page = tmp_path / "page.html"
    done = call(report, "--root", tmp_path, "--run", "2026-01-02", "--out", page)
    assert done.exit_code == 0, done.output
    assert "as version 17 by an earlier run; nothing has changed since" in page.read_text()


def test_ambiguous_run_lists_the_matching_ones(pushed_twice, tmp_path):
    done = call(report, "--root", tmp_path, "--run", "2026-01")
    assert done.exit_code == 1
    assert "2 runs match '2026-01'; known here: 2026-01-02, 2026-01-01" in done.output


def test_runs_are_listed(pushed_twice, tmp_path, capfd):
    assert call(runs, "--root", tmp_path).exit_code == 0
    out = capfd.readouterr().out
    assert out.index("2026-02-03") < out.index("2026-01-02") < out.index("2026-01-01")


def test_version_is_traced(pushed_twice, tmp_path, capfd):
    assert call(lineage, "17", "--root", tmp_path).exit_code == 0
    assert capfd.readouterr().out.startswith("pushed by run 2026-01-01\npushed model ")
    done = call(lineage, "18", "--root", tmp_path)
    assert done.exit_code == 1
    assert "no version '18' was pushed; known here: 17" in done.output


def test_evaluation_goes_into_a_folder_of_its_own_from_shards(tmp_path):
    options = ("--model", tmp_path / "model", "--input", tmp_path)
    done = call(evaluate, *options, "--out", tmp_path)
    assert done.exit_code == 2
    assert "already exists; give a new folder" in done.output
    done = call(evaluate, *options, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "no TFRecord shard (*.tfrecord) in" in done.output


def test_unsuitable_model_is_one_sentence(tmp_path):
    (tmp_path / "part.tfrecord").touch()
    options = ("--model", tmp_path / "model", "--input", tmp_path, "--out", tmp_path / "out")
    done = call(evaluate, *options)
    assert done.exit_code == 1
    assert "has no saved_model.pb; give an exported model" in done.output
    assert not (tmp_path / "out").exists()


def test_refused_shards_are_reported_with_the_reason(tmp_path, suitable_model):
    (tmp_path / "part.tfrecord").write_bytes(b"no record")
    out = tmp_path / "out"
    done = call(evaluate, "--model", suitable_model, "--input", tmp_path, "--out", out)
    assert done.exit_code == 4, done.output
    assert done.output.startswith("DATA REFUSED\n")
    assert "part.tfrecord" in done.output
    assert not out.exists()
