"""The report commands on a recorded store, and their errors; complete runs are in tests/e2e."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.report_commands import evaluate, lineage, report, runs
from pipeline.metadata_backup import write_backup
from pipeline.metadata_check import metadata_file


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


@pytest.mark.slow
def test_page_of_a_run_is_written_where_it_is_wanted(pushed_twice, tmp_path):
    page = tmp_path / "page.html"
    done = call(report, "--root", tmp_path, "--run", "2026-01-02", "--out", page)
    assert done.exit_code == 0, done.output
    assert "as version 17 by an earlier run; nothing has changed since" in page.read_text()


def test_ambiguous_run_lists_the_matching_ones(pushed_twice, tmp_path):
    done = call(report, "--root", tmp_path, "--run", "2026-01")
    assert done.exit_code == 1
    assert "2 runs match '2026-01'; known here: 2026-01-02, 2026-01-01" in done.output


def test_unknown_run_lists_all(pushed_twice, tmp_path):
    done = call(report, "--root", tmp_path, "--run", "2025")
    assert done.exit_code == 1
    assert "no run matches '2025'; known here: 2026-02-03, 2026-01-02, 2026-01-01" in done.output


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
    (tmp_path / "x.csv").touch()
    done = call(evaluate, *options[:-1], tmp_path / "x.csv", "--out", tmp_path / "out")
    assert (done.exit_code, "x.csv --out NEW_FOLDER`" in done.output) == (2, True)
    done = call(evaluate, *options, "--out", tmp_path / "out[1]")
    assert done.exit_code == 2
    assert "--out: TFX treats [ ] in a path as a pattern: rename" in done.output


def test_a_folder_with_the_names_of_two_splits_is_not_evaluated(tmp_path):
    for name in ("higgs-train.tfrecord", "higgs-test.tfrecord"):
        (tmp_path / name).touch()
    done = call(evaluate, "--model", tmp_path, "--input", tmp_path, "--out", tmp_path / "out")
    assert done.exit_code == 4
    assert "higgs-test.tfrecord, and would be evaluated as one. Give a folder" in done.output


def test_unsuitable_model_is_reported_in_one_sentence(tmp_path):
    (tmp_path / "part.tfrecord").touch()
    options = ("--model", tmp_path / "model", "--input", tmp_path, "--out", tmp_path / "out")
    done = call(evaluate, *options)
    assert done.exit_code == 1
    assert "has no saved_model.pb; give an exported model" in done.output
    assert not (tmp_path / "out").exists()


def test_test_set_of_a_data_root_is_evaluated(tmp_path, capfd):
    for split in ("training", "validation", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}.tfrecord").touch()
    options = ("--model", tmp_path / "model", "--input", tmp_path, "--out", tmp_path / "out")
    call(evaluate, *options)
    assert capfd.readouterr().out == (
        f"test set    {tmp_path}/test: no gate depends on it\ndata        1 file, 0.0 MB\n"
    )


@pytest.mark.slow
def test_refused_shards_are_reported_with_the_reason(tmp_path, suitable_model):
    (tmp_path / "part.tfrecord").write_bytes(b"no record")
    out = tmp_path / "out"
    done = call(evaluate, "--model", suitable_model, "--input", tmp_path, "--out", out)
    assert done.exit_code == 4, done.output
    assert done.output.startswith("DATA REFUSED\n")
    assert "part.tfrecord" in done.output
    assert not out.exists()


@pytest.mark.parametrize("command", [report, runs, lineage], ids=str)
@pytest.mark.parametrize("content", [None, b"", b"garbage"], ids=["missing", "empty", "garbage"])
def test_damaged_metadata_is_reported_in_one_sentence_with_the_remedy(used_root, command, content):
    path = metadata_file(used_root)
    path.unlink() if content is None else path.write_bytes(content)
    done = call(command, *(["17"] if command is lineage else []), "--root", used_root)
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {path} is ")
    assert f"`higgs runs --root '{used_root}' --recover`" in done.output
    assert done.output.count("\n") == 1
    assert (path.read_bytes() if path.exists() else None) == content


def test_metadata_is_recovered_and_the_runs_are_listed(used_root, capfd):
    write_backup(used_root)
    metadata_file(used_root).write_bytes(b"garbage")
    done = call(runs, "--root", used_root, "--recover")
    assert done.exit_code == 0, done.output
    out = capfd.readouterr().out
    assert (
        "is damaged (file is not a database)\nkept metadata.sqlite as metadata.sqlite.damaged-20"
        in out
    )
    assert "\nrestored metadata.sqlite.backup of 20" in out
    assert "\n2026-01-01  Pushed   17 " in out


def test_nothing_can_be_recovered_where_there_is_no_root(tmp_path):
    done = call(runs, "--root", tmp_path / "none", "--recover")
    assert done.exit_code == 2
    assert "none is not a folder; see `higgs run`" in done.output


def test_a_moved_root_is_read_where_it_is(used_root, capfd):
    new = used_root.rename(used_root.with_name("new"))
    assert call(lineage, "17", "--root", new).exit_code == 0
    assert f"trained model                     {new}/artifacts/Trainer/model/8" in (
        capfd.readouterr().out
    )


def as_nobody(command, *arguments):
    """Calls a command as a user who owns nothing; returns its exit code and its output."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            done = call(command, *arguments)
            os.write(writing, done.output.encode())
            os._exit(done.exit_code)
        os._exit(99)
    os.close(writing)
    with os.fdopen(reading) as output:
        text = output.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


@pytest.fixture
def public_root(used_root):
    """A root that everybody may read, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield shutil.copytree(used_root, Path(folder) / "root")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_users_root_can_be_read_and_names_its_owner(public_root, tmp_path):
    # What the child needs is imported before it loses access to the packages.
    assert call(report, "--root", public_root, "--out", tmp_path / "page.html").exit_code == 0
    code, output = as_nobody(report, "--root", public_root)
    assert code == 1
    assert output == (
        f"Error: cannot write {public_root}/reports/2026-01-01.html (Permission denied): "
        f"{public_root} belongs to root, mode 0755; give another file with --out\n"
    )
    page = public_root.with_name("page.html")
    page.parent.chmod(0o777)
    code, output = as_nobody(report, "--root", public_root, "--out", page)
    assert code == 0, output
    assert "version 17" in page.read_text()
    metadata_file(public_root).parent.chmod(0o700)
    code, output = as_nobody(report, "--root", public_root)
    assert code == 1
    assert output == (
        f"Error: cannot read {metadata_file(public_root)}: {public_root}/metadata belongs to "
        "root, mode 0700; ask for the permission, or give another root\n"
    )
