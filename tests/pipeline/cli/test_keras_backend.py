import os

import pytest
from click.testing import CliRunner

from pipeline.cli.main import main


@pytest.fixture(autouse=True)
def _foreign_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")


@pytest.mark.parametrize(
    "arguments",
    [
        [
            "run",
            "--config",
            "configs/demo.yaml",
            "--set",
            "data_root={data}",
            "--set",
            "root={root}",
        ],
        ["evaluate", "--model", "{root}", "--input", "{data}", "--out", "{root}/out"],
        [
            "compile",
            "--target",
            "vertex",
            "--config",
            "configs/vertex.yaml",
            "--out",
            "{root}/p.json",
        ],
    ],
)
def test_a_command_that_runs_models_refuses_another_framework(arguments, tmp_path):
    data, root = tmp_path / "data", tmp_path / "root"
    for folder in (data / "training", data / "validation", root):
        folder.mkdir(parents=True)
    for split in ("training", "validation"):
        (data / split / "shard-0.tfrecord").write_bytes(split.encode())
    done = CliRunner().invoke(main, [text.format(data=data, root=root) for text in arguments])
    assert done.exit_code == 2
    assert "KERAS_BACKEND is 'jax', but this pipeline needs TensorFlow: unset" in done.output


def test_a_command_that_only_reads_runs_overrides_it(tmp_path):
    done = CliRunner().invoke(main, ["runs", "--root", str(tmp_path)])
    assert "KERAS_BACKEND" not in done.output
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
