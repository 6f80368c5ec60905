import importlib

import click
import pytest
from click.testing import CliRunner

from pipeline.cli.main import COMMANDS, main
from pipeline.cli.path_type import LocalPath


def parameters():
    for name, target in COMMANDS.items():
        module, attribute = target.split(":")
        for parameter in getattr(importlib.import_module(module), attribute).params:
            yield name, parameter


def test_every_path_of_every_command_has_the_one_type():
    paths = [p for _, p in parameters() if isinstance(p.type, click.Path | click.File)]
    assert len(paths) > 10
    assert all(isinstance(p.type, LocalPath) for p in paths)


@pytest.mark.parametrize(
    "line",
    [
        "generate --events 9 --out gs://bucket/x",
        "compile --target vertex --config configs/vertex.yaml --out s3://bucket/x.json",
        "report --root gs://bucket/root",
        "evaluate --model gs://b/m --input d --out e",
    ],
)
def test_uris_are_bad_usage(line):
    result = CliRunner().invoke(main, line.split())
    assert result.exit_code == 2
    assert "is a URI, but a local path is required" in " ".join(result.output.split())


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    line = ["generate", "--events", "9", "--out", "~/data"]
    assert CliRunner().invoke(main, line).exit_code == 0
    assert (tmp_path / "data" / "training" / "shard-00000.tfrecord").exists()


def test_a_path_that_cannot_be_reached_is_not_called_missing():
    result = CliRunner().invoke(main, ["inspect", "a" * 300])
    assert result.exit_code == 2
    assert "File name too long" in result.output
    assert "does not exist" not in result.output
