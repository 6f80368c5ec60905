import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from event_makers import make_published_events
from rich.console import Console
from rich.table import Table
from shard_makers import write_shards

from formats.errors import UserError
from pipeline.cli.error_reports import user_errors
from pipeline.cli.main import COMMANDS, LazyGroup, main
from pipeline.cli.output import echo
from pipeline.console import PlainConsole

HIGGS = str(Path(sys.executable).with_name("higgs"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"  higgs {command} " in result.output


def test_help_lists_the_commands():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {command} " in result.output for command in COMMANDS)


def test_unknown_command_is_bad_usage():
    result = CliRunner().invoke(main, ["generat"])
    assert result.exit_code == 2
    assert "No such command 'generat'" in result.output


def test_names_that_the_encoding_of_the_terminal_lacks_are_escaped(monkeypatch):
    @click.command()
    def show():
        Console(file=sys.stdout).print("\u00fc")

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: show)
    result = CliRunner(charset="ascii").invoke(main, ["show"])
    assert (result.exit_code, result.output) == (0, "\\xfc\n")


@pytest.mark.parametrize(
    "error", [UserError("a\x1b[2Jb"), click.UsageError("a\x1b[2Jb"), OSError(2, "a\x1b[2Jb")]
)
def test_control_characters_do_not_reach_the_terminal(monkeypatch, error):
    @click.command()
    @user_errors()
    def show():
        echo("c\x1b[2Jd")
        PlainConsole(sys.stdout).print("e\x1b[2Jf", table("g\x1b[2Jh"), ":smile: [b]")
        raise error

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: show)
    output = CliRunner().invoke(main, ["show"]).output
    assert "\x1b" not in output
    assert all(
        text in output for text in ("a\ufffd[2Jb", "c\ufffd[2Jd", "e\ufffd[2Jf", "g\ufffd[2Jh")
    )
    assert ":smile: [b]" in output


def test_every_command_prints_through_one_function():
    files = Path("pipeline/cli").glob("*.py")
    assert [path.name for path in files if "click.echo(" in path.read_text()] == ["output.py"]


def table(cell):
    table = Table("heading")
    table.add_row(cell)
    return table


@pytest.mark.parametrize(
    "arguments", [["--version"], ["run", "--help"], ["inspect", "data"], ["generate", "--events=9"]]
)
def test_a_full_disk_under_the_output_is_named_by_any_command(tmp_path, arguments):
    write_shards(tmp_path / "data", make_published_events(9), [9])
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"}
    out = ["--out", "new"] if arguments[0] == "generate" else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [HIGGS, *arguments, *out],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: standard output: no space is left; free some, or use another folder\n"
    )


@pytest.mark.parametrize("arguments", [["--version"], ["inspect", "data"]])
def test_a_reader_that_has_gone_ends_a_command_without_a_message(tmp_path, arguments):
    write_shards(tmp_path / "data", make_published_events(9), [9])
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [HIGGS, *arguments], stdout=closed, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
    assert (done.returncode, done.stderr) == (1, "")


CLOSED_STREAMS = """
import os, subprocess, sys
import click
from pathlib import Path
from pipeline.cli.main import LazyGroup, main
from pipeline.console import output_to

@click.command()
@click.argument("folder")
def run(folder):
    with open(f"{folder}/data", "w") as data, output_to(Path(folder, "log")) as console:
        console.print("for nobody")
        print("python noise")
        os.write(2, b"native noise\\n")
        subprocess.run(["echo", "child noise"])
        data.write("data")
    subprocess.run(["echo", "more noise"], check=True)

LazyGroup.get_command = lambda *_: run
main(["run", sys.argv[1]])
"""


def test_nothing_is_printed_into_a_file_if_the_standard_streams_are_closed(tmp_path):
    command = '"$0" -c "$1" "$2" <&- >&- 2>&-'
    subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, CLOSED_STREAMS, str(tmp_path)], check=True
    )
    assert (tmp_path / "data").read_text() == "data"
    noise = ["child noise", "native noise", "python noise"]
    assert sorted((tmp_path / "log").read_text().splitlines()) == noise


def test_an_interrupt_has_its_exit_code_in_any_command(monkeypatch):
    @click.command()
    def run():
        raise KeyboardInterrupt

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: run)
    assert CliRunner().invoke(main, ["run"]).exit_code == 130


def test_bad_config_is_bad_usage_with_the_reason(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("data_root: d\nroot: r\nseeed: 1\n")
    result = CliRunner().invoke(main, ["run", "--config", str(file)])
    assert result.exit_code == 2
    assert "seeed: unknown key; did you mean seed?" in result.output


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["generate", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from pipeline.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit:\n"
        "    heavy = {'tensorflow', 'tfx', 'apache_beam', 'numpy', 'pyarrow', 'pydantic'}\n"
        "    print(heavy & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


def test_the_installed_command_answers():
    done = subprocess.run([HIGGS, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("higgs, version ")


@pytest.mark.slow
def test_python_without_docstrings_is_refused():
    done = subprocess.run(
        [sys.executable, "-OO", HIGGS, "generate"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "unset PYTHONOPTIMIZE or set it to 1" in done.stderr


def test_too_many_open_files_end_any_command_with_one_sentence(monkeypatch):
    def open_file(*_):
        raise OSError(errno.EMFILE, "Too many open files", "/dev/null")

    monkeypatch.setattr("pipeline.process_setup.os.open", open_file)
    result = CliRunner().invoke(main, ["generate"])
    assert result.exit_code == 1
    assert "this process has too many files open; allow more" in result.output


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/root/logs/run.log"),
            "/root/logs/run.log: no space is left; free some, or use another folder",
        ),
        (click.ClickException("cannot load x: std::bad_alloc"), "cannot load x: std::bad_alloc"),
    ],
)
def test_an_error_of_the_system_ends_any_command_with_one_sentence(monkeypatch, error, sentence):
    @click.command()
    def run():
        raise error

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: run)
    result = CliRunner().invoke(main, ["run"])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {sentence}")
    assert result.output.count("\n") == 1


LACK_OF_MEMORY = """
import click
from pipeline.cli.main import LazyGroup, main

class Held:
    def __del__(self):
        raise MemoryError

@click.command()
def run():
    main.held = Held()
    raise RuntimeError("can't start new thread")

LazyGroup.get_command = lambda *_: run
main(["run"])
"""


def test_lack_of_memory_at_the_end_of_a_command_does_not_hide_the_sentence():
    command = [sys.executable, "-c", LACK_OF_MEMORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is not enough memory; end other programs")
    assert done.stderr.count("\n") == 1


def test_other_errors_keep_their_traceback(monkeypatch):
    @click.command()
    def run():
        raise RuntimeError("a defect")

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: run)
    assert isinstance(CliRunner().invoke(main, ["run"]).exception, RuntimeError)
