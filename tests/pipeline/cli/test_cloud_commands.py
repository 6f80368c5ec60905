"""`higgs compile`, and checks of both commands before any work; see test_submit for submission."""

import builtins
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from running import BIN, installed

from kubeflow import engine_runs
from kubeflow.engine_runs import EngineError
from pipeline.cli import cloud_commands
from pipeline.cli.main import main

ROOT = Path(__file__).parents[3]
CONFIGS = ROOT / "configs"


def higgs(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def compile_for(target, *arguments):
    config = CONFIGS / f"{target}.yaml"
    return higgs("compile", "--target", target, "--config", config, *arguments)


@pytest.mark.parametrize("target", ["vertex", "kubeflow"])
@pytest.mark.slow
def test_compile_writes_only_the_golden_file(target, tmp_path, golden):
    out = tmp_path / f"pipeline{cloud_commands.SUFFIXES[target]}"
    result = compile_for(target, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.output == f"compiled for {target}: {out}\n"
    golden(f"{target}{out.suffix}", out.read_text())
    assert list(tmp_path.iterdir()) == [out]


def test_the_file_must_have_the_targets_suffix(tmp_path):
    result = compile_for("vertex", "--out", tmp_path / "pipeline.yaml")
    assert result.exit_code == 2
    assert "--out: vertex needs a file *.json, got pipeline.yaml" in result.output


def test_an_invalid_vertex_configuration_is_bad_usage(tmp_path):
    out = tmp_path / "pipeline.json"
    result = compile_for("vertex", "--set", "root=runs/vertex", "--out", out)
    assert result.exit_code == 2
    assert "got runs/vertex; give gs://BUCKET/..." in result.output
    assert not out.exists()


@pytest.mark.slow
def test_resources_of_an_unknown_node_list_the_nodes(tmp_path):
    resources = "kubeflow.resources.Trainr={cpu: 1}"
    result = compile_for("kubeflow", "--set", resources, "--out", tmp_path / "pipeline.yaml")
    assert result.exit_code == 2
    assert "resources.Trainr: no such node; there are " in result.output
    assert "DataGate, Trainer, Baseline, " in result.output


def test_help_does_not_import_tfx(monkeypatch):
    original_import = builtins.__import__

    def checked_import(name, *arguments, **keywords):
        assert name.partition(".")[0] not in {"tfx", "kfp", "google"}
        return original_import(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", checked_import)
    for command in ("compile", "submit"):
        assert "vertex" in higgs(command, "--help").output


@pytest.mark.e2e
def test_tfxs_command_line_writes_the_same_file_for_vertex(tmp_path, golden):
    done = installed(
        "tfx",
        "pipeline",
        "compile",
        "--engine=vertex",
        f"--pipeline_path={ROOT / 'kubeflow' / 'vertex_runner.py'}",
        folder=tmp_path,
        PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}",
        VERTEX_HOME=str(tmp_path / "home"),
        HIGGS_CONFIG=str(CONFIGS / "vertex.yaml"),
    )
    assert done.code == 0, done.output[-3000:]
    [compiled_file] = [
        file for file in tmp_path.rglob("*.json") if "pipelineSpec" in file.read_text()
    ]
    golden("vertex.json", compiled_file.read_text())


@pytest.mark.parametrize("interval", ["nan", "inf", "1e300", "-1"])
def test_an_interval_that_cannot_be_slept_is_bad_usage(interval):
    config = CONFIGS / "vertex.yaml"
    result = higgs("wait", "7", "--target", "vertex", "--config", config, "--interval", interval)
    assert result.exit_code == 2
    reason = "is not a number" if interval == "nan" else "is not in the range 0<=x<=3600"
    assert f"'--interval': {float(interval)} {reason}" in " ".join(result.output.split())


@pytest.mark.parametrize("is_transient", [True, False])
def test_an_outage_that_lasts_names_the_command_that_resumes(is_transient, monkeypatch):
    class Unreachable:
        def state(self, _):
            raise EngineError("503", is_transient=is_transient)

    monkeypatch.setattr(engine_runs, "OUTAGE_SECONDS", -1.0)
    with pytest.raises(EngineError) as error:
        cloud_commands._follow(Unreachable(), "7", interval=0)
    assert ("`higgs wait 7` follows it again" in str(error.value)) == is_transient


def test_an_interrupt_names_the_command_that_follows_the_run_again(capsys):
    """Another ``higgs submit`` would start a second run."""

    class Interrupted:
        def state(self, _):
            raise KeyboardInterrupt

    assert cloud_commands._follow(Interrupted(), "7", interval=0) == 130
    message = "Interrupted; the run goes on: `higgs wait 7` follows it again\n"
    assert capsys.readouterr().err == message
