import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import data_commands


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    higgs = click.Group(
        "higgs", commands=[data_commands.generate, data_commands.convert, data_commands.inspect]
    )
    return lambda line: CliRunner().invoke(higgs, line.split())


def shards(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.tfrecord"))


def test_generate_writes_both_splits_and_says_so(run, tmp_path, read_folder):
    result = run("generate --events 250 --out data --shard-size 100")

    assert result.exit_code == 0
    assert "Wrote 250 events (200 in training/, 50 in validation/) as 3 shards in" in result.output
    assert result.output.rstrip().endswith("to data")
    assert len(read_folder(tmp_path / "data/training").labels) == 200
    assert len(read_folder(tmp_path / "data/validation").labels) == 50


def test_generate_gives_the_same_events_whatever_the_shards(run, tmp_path, join, read_folder, same):
    run("generate --events 250 --seed 9 --out a --shard-size 7 --validation-events 33")
    run("generate --events 250 --seed 9 --out b")

    a, b = (
        join(read_folder(tmp_path / name / split) for split in ("training", "validation"))
        for name in "ab"
    )
    assert same(a, b)


def test_generate_refuses_to_mix_until_told_to_overwrite(run, tmp_path):
    run("generate --events 20 --out data --shard-size 5")

    refused = run("generate --events 10 --out data")
    assert refused.exit_code == 2
    assert "holds 5 shards already" in refused.output
    assert "--overwrite" in refused.output

    assert run("generate --events 10 --out data --overwrite").exit_code == 0
    assert shards(tmp_path / "data") == [
        "training/shard-00000.tfrecord",
        "validation/shard-00000.tfrecord",
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("generate --out d", "Missing option '--events'"),
        ("generate --events 0 --out d", "0 is not in the range x>=1"),
        ("generate --events 9 --out d --seed -1", "-1 is not in the range x>=0"),
        ("generate --events 9 --out d --shard-size 0", "0 is not in the range x>=1"),
        ("generate --events 9 --out d --validation-fraction 1", "1.0 is not in the range 0<=x<1"),
        (
            "generate --events 9 --out d --validation-events 9",
            "9 of 9 events leave none to train on; choose fewer than 9.",
        ),
        ("convert none.csv --out d", "'none.csv' does not exist"),
        ("inspect none.tfrecord", "'none.tfrecord' does not exist"),
    ],
)
def test_bad_usage_exits_with_2_and_a_sentence(run, tmp_path, line, sentence):
    result = run(line)

    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "d").exists()


def test_convert_writes_the_layout(run, tmp_path, read_folder):
    row = ",".join(["1", *["0.5"] * 28]) + "\n"
    (tmp_path / "x.csv").write_text(row * 50)

    result = run("convert x.csv --out data --validation-rows 5")

    assert result.exit_code == 0
    assert "Wrote 50 events (45 in training/, 5 in validation/) as 2 shards" in result.output
    assert read_folder(tmp_path / "data/validation").features.tolist() == [[0.5] * 28] * 5


def test_bad_csv_exits_with_4_and_a_sentence(run, tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3\n")

    result = run("convert x.csv --out new/data")

    assert result.exit_code == 4
    assert result.output.startswith("Error: x.csv: line 1 has 3 columns, not 29.")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_folder_that_was_there_stays_when_a_csv_is_refused(run, tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3\n")
    (tmp_path / "there").mkdir()

    run("convert x.csv --out there/data")

    assert list(tmp_path.rglob("there/**")) == [tmp_path / "there"]


def test_inspect_shows_a_shard(run):
    run("generate --events 50 --out data --validation-fraction 0")

    result = run("inspect data/training/shard-00000.tfrecord --records 2")

    assert result.exit_code == 0
    assert "record 1" in result.output
    assert "m_wwbb" in result.output


def test_inspect_takes_nothing_for_markup(run, tmp_path):
    run("generate --events 5 --out data --validation-fraction 0")
    (tmp_path / "[").mkdir()
    for name in ("[v1].tfrecord", "[/b]:smile:.tfrecord"):
        shutil.copy(tmp_path / "data/training/shard-00000.tfrecord", tmp_path / name)

        result = run(f"inspect {name}")

        assert result.exit_code == 0
        assert f"file         {name}\n" in result.output


def test_inspect_of_something_else_exits_with_4_and_a_sentence(run, tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3\n")

    result = run("inspect x.csv")

    assert result.exit_code == 4
    assert result.output.startswith("Error: x.csv: no TFRecord file: it looks like CSV.")


def test_folder_that_cannot_be_made_exits_with_1_and_a_sentence(run, tmp_path):
    (tmp_path / "file").touch()

    result = run("generate --events 5 --out file/data")

    assert result.exit_code == 1
    assert result.output.startswith("Error: Not a directory: file/data")


@pytest.mark.parametrize("command", ["generate", "convert", "inspect"])
def test_help_has_examples(run, command):
    result = run(f"{command} --help")

    assert f"Examples:\n    higgs {command} " in result.output.replace("  Examples", "Examples")


def test_importing_the_commands_loads_nothing_heavy():
    heavy = "{'numpy', 'pyarrow', 'rich', 'tensorflow', 'tfx', 'apache_beam'}"
    code = f"import sys, pipeline.cli.data_commands; print({heavy} & set(sys.modules))"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "set()\n"
