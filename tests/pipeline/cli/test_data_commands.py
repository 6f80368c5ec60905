import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner
from event_makers import join_events, same_events
from shard_makers import frame, read_folder

from formats.features import FEATURES
from formats.published.manifest import Manifest, ShardEntry, SourceEntry, write_manifest
from pipeline.cli.main import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda line: CliRunner().invoke(main, line.split())


def shards(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.tfrecord"))


@pytest.mark.slow
def test_generate_writes_both_splits(run, tmp_path):
    result = run("generate --events 250 --out data --shard-size 100")

    assert result.exit_code == 0
    assert "Wrote 250 events (200 in training/, 50 in validation/) as 3 shards in" in result.output
    assert result.output.rstrip().endswith("to data")
    assert len(read_folder(tmp_path / "data/training").labels) == 200
    assert len(read_folder(tmp_path / "data/validation").labels) == 50


@pytest.mark.slow
def test_generate_gives_the_same_events_for_any_shards(run, tmp_path):
    run("generate --events 250 --seed 9 --out a --shard-size 7 --validation-events 33")
    run("generate --events 250 --seed 9 --out b")

    first, second = (
        join_events(read_folder(tmp_path / name / split) for split in ("training", "validation"))
        for name in "ab"
    )
    assert same_events(first, second)


@pytest.mark.slow
def test_generate_replaces_shards_only_with_overwrite(run, tmp_path):
    run("generate --events 20 --out data --shard-size 5")

    rejected = run("generate --events 10 --out data")
    assert rejected.exit_code == 2
    assert "already contains 5 shards" in rejected.output
    assert "--overwrite" in rejected.output

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
        ("generate --events 9 --out d --validation-fraction nan", "nan is not a number"),
        (
            "generate --events 9 --out d --validation-events 9",
            "9 of 9 events leave none to train on; choose fewer than 9.",
        ),
        ("inspect none.tfrecord", "'none.tfrecord' does not exist"),
    ],
)
def test_bad_usage_exits_with_2_and_a_sentence(run, tmp_path, line, sentence):
    result = run(line)

    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
def test_inspect_shows_a_shard(run):
    run("generate --events 50 --out data --validation-fraction 0")

    result = run("inspect data/training/shard-00000.tfrecord --records 2")

    assert result.exit_code == 0
    assert "record 1" in result.output
    assert FEATURES[-1] in result.output


@pytest.mark.slow
def test_inspect_shows_every_split_of_a_data_set(run, tmp_path):
    run("generate --events 50 --out data")
    (tmp_path / "data" / "training" / "a.tfrecord.bak").touch()

    result = run("inspect data")

    assert result.exit_code == 0
    assert "not read     training/a.tfrecord.bak in data\n" in result.output
    assert "folder       data/training\nfiles        1\n" in result.output
    assert "records      40\n" in result.output
    assert "records      10\n" in result.output


def test_inspect_of_a_folder_without_shards_says_what_is_there(run, tmp_path):
    (tmp_path / "train").mkdir()
    result = run("inspect .")
    assert result.exit_code == 4
    assert "only train/. Rename train/ to training/" in result.output


@pytest.mark.slow
def test_inspect_names_shards_that_differ_from_the_manifest(run, tmp_path):
    run("generate --events 50 --out data")
    shard = tmp_path / "data" / "training" / "shard-00000.tfrecord"
    entry = ShardEntry(path="training/shard-00000.tfrecord", bytes=9, events=40, sha256="0")
    source = SourceEntry(name="HIGGS.csv", kind="CSV", events=50)
    write_manifest(
        tmp_path / "data",
        Manifest(created="", sources=(source,), read=50, written=50, shards=(entry,)),
    )

    result = run("inspect data")

    assert "manifest     50 events in 1 file from HIGGS.csv\n" in result.output
    size = shard.stat().st_size
    assert f"DIFFERENT: training/shard-00000.tfrecord has {size} bytes, not 9\n" in result.output


@pytest.mark.slow
def test_inspect_parses_no_markup(run, tmp_path):
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
    assert result.output.startswith("Error: x.csv: is not a TFRecord file: it looks like CSV.")


def test_folder_that_cannot_be_created_exits_with_1_and_a_sentence(run, tmp_path):
    (tmp_path / "file").touch()

    result = run("generate --events 5 --out file/data")

    assert result.exit_code == 1
    assert result.output.startswith("Error: file/data: Not a directory; check the file")


@pytest.mark.parametrize("command", ["generate", "inspect"])
def test_help_has_examples(run, command):
    result = run(f"{command} --help")

    assert f"Examples:\n    higgs {command} " in result.output.replace("  Examples", "Examples")


@pytest.mark.slow
def test_importing_the_commands_loads_nothing_heavy():
    heavy = "{'numpy', 'pyarrow', 'rich', 'tensorflow', 'tfx', 'apache_beam'}"
    code = f"import sys, pipeline.cli.data_commands; print({heavy} & set(sys.modules))"

    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert process.stdout == "set()\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["generate --events 10 --out data", "inspect shard.tfrecord"])
def test_published_records_need_no_tensorflow(run, tmp_path, command):
    run("generate --events 5 --out other")
    shutil.copy(tmp_path / "other/training/shard-00000.tfrecord", tmp_path / "shard.tfrecord")
    code = (
        "import sys\nfrom pipeline.cli.main import main\n"
        f"main({command.split()}, standalone_mode=False)\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_other_records_are_explained_without_the_log_of_tensorflow(tmp_path):
    (tmp_path / "shard.tfrecord").write_bytes(frame([b"\xff" * 9]))

    process = subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", "inspect", "shard.tfrecord"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert process.returncode == 4
    assert process.stderr.startswith("Error: shard.tfrecord: record 0 (counted from 0) is not a ")
