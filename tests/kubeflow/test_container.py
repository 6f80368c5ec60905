"""Entry point of the containers: arguments that it passes on, and exit codes."""

import errno
import json
import socket
import subprocess
import sys

import grpc
import pytest
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
from tfx.utils import dependency_utils

from formats.errors import DataRefusedError, NotPushedError
from kubeflow import container
from pipeline import beam_options

# PushGate has no outputs.
ARGUMENTS = ["container", "--executor_class_path", "pathlib.Path", "--outputs="]
ARGUMENTS += ["--json_serialized_invocation_args", '{"outputs": {"outputFile": "output.json"}}']
TYPE = {"instanceSchema": "title: tfx.Model"}


@pytest.fixture
def calls(monkeypatch):
    """Arguments of the calls of TFX's own entry point."""
    calls = []
    monkeypatch.setattr(kubeflow_v2_run_executor, "main", calls.append)
    return calls


def test_unknown_arguments_go_to_the_executor(calls):
    flags = ["--runner=DirectRunner", "--code_version=abc", "--artifacts", "x"]
    assert container.run(container.parse([*ARGUMENTS, *flags])) == 0
    [(options, executor_flags)] = calls
    assert options.executor_class_path == "pathlib.Path"
    assert executor_flags == flags


def test_a_node_does_not_package_tfx_for_workers(monkeypatch):
    packaged = []

    def execute(arguments):
        packaged.append(dependency_utils.make_beam_dependency_flags(arguments[1]))

    monkeypatch.setattr(dependency_utils, "make_beam_dependency_flags", lambda _: ["sdist"])
    monkeypatch.setattr(kubeflow_v2_run_executor, "main", execute)
    assert container.run(container.parse([*ARGUMENTS, "--code_version=abc"])) == 0
    assert packaged == [["--code_version=abc"]]


WITHOUT_HOME = """
import os, pwd, sys
del os.environ["HOME"]
pwd.getpwuid = {}.__getitem__
from kubeflow import container
container.run = lambda _: print(os.environ["HOME"], "matplotlib" in sys.modules) or 3
container.main(None)
"""


@pytest.mark.slow
def test_a_user_without_a_home_folder_gets_one_before_matplotlib_is_imported():
    command = [sys.executable, "-c", WITHOUT_HOME]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "/ False\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(DataRefusedError("m_bb [NaN]"), 4), (NotPushedError("withheld"), 3), (ValueError("no"), 1)],
)
def test_exit_codes_equal_those_of_higgs_run(error, code, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(kubeflow_v2_run_executor, "main", fail)
    assert container.run(container.parse(ARGUMENTS)) == code
    assert str(error) in capsys.readouterr().err


def test_a_job_server_that_is_lost_ends_the_log_with_a_sentence(monkeypatch, capsys, calls):
    monkeypatch.setattr(beam_options, "JOB_SERVER_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        flags = ["--runner=PortableRunner", f"--job_endpoint={address}", "--code_version=abc"]
        assert container.run(container.parse([*ARGUMENTS, *flags])) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"FAILED: no Beam job server answers at {address} within 0.01 s: start")
    assert not calls

    def fail(_):
        raise grpc.FutureTimeoutError

    monkeypatch.setattr(kubeflow_v2_run_executor, "main", fail)
    assert container.run(container.parse(ARGUMENTS)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("FAILED: the Beam job server no longer answers (no answer in time); ")


def test_an_error_of_the_system_ends_the_log_with_a_sentence(monkeypatch, capsys):
    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device", "/data/x")

    monkeypatch.setattr(kubeflow_v2_run_executor, "main", fail)
    assert container.run(container.parse(ARGUMENTS)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "FAILED: /data/x: no space is left; free some, or use another folder"


MODEL = {"uri": "gs://b/model", "type": TYPE}
OUTPUT_FILE = {"outputFile": "output.json"}


@pytest.mark.parametrize(
    ("executor_input", "problem"),
    [
        ("{{$}}", "the engine's ExecutorInput cannot be parsed (Expecting property name"),
        ("null", "the engine's ExecutorInput cannot be parsed ("),
        ('{"inputs": {"artifacts": {"a": {"artifacts": [null]}}}}', "cannot be parsed (Failed"),
        ({"outputs": {"artifacts": {"model": {"artifacts": [MODEL]}}}}, "no outputs.outputFile"),
        ({"outputs": OUTPUT_FILE}, "gave 0 artifacts as outputs.artifacts.model"),
        *(
            (
                {"outputs": {"artifacts": {"model": {"artifacts": models}}, **OUTPUT_FILE}},
                f"gave {len(models)} artifacts as outputs.artifacts.model, {complete} of them",
            )
            for models, complete in [
                ([{"uri": "gs://b/model"}], 0),
                ([{"type": TYPE}], 0),
                ([MODEL, MODEL], 2),
            ]
        ),
        (
            {
                "inputs": {"artifacts": {}},
                "outputs": {"artifacts": {"model": {"artifacts": [MODEL]}}, **OUTPUT_FILE},
            },
            "the engine gave no inputs.artifacts.examples, parameterValues.",
        ),
    ],
)
def test_an_unusable_input_ends_the_node_with_a_sentence(executor_input, problem, calls, capsys):
    text = executor_input if isinstance(executor_input, str) else json.dumps(executor_input)
    arguments = ["c", "--executor_class_path", "pathlib.Path", "--outputs=model"]
    arguments += ["--json_serialized_invocation_args", text]
    spec = '{"artifacts": {"examples": {}}, "parameters": {'
    spec += '"seed": {"parameterType": "NUMBER_INTEGER"}'
    spec += ', "name": {"parameterType": "STRING"}}}'
    arguments += ["--json_serialized_inputs_spec_args", spec]
    assert container.run(container.parse(arguments)) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("FAILED: the engine")
    assert problem in line
    assert line.endswith("compare the engine's release with those in docs/cloud.md")
    assert not calls


PARAMETERS = {
    "name": {"stringValue": ""},
    "limit": {"doubleValue": 0},
    "size": {"intValue": "15"},
}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size": {"doubleValue": 15}}, "15.0 as inputs.parameters.size, not a value of type INT"),
        (
            {"limit": {"stringValue": "0.1"}},
            "'0.1' as inputs.parameters.limit, not a value of type",
        ),
        ({"name": {"intValue": "3"}}, "3 as inputs.parameters.name, not a value of type STRING;"),
        ({"name": {}}, "None as inputs.parameters.name, not a value of type STRING;"),
        ({"name": None}, "None as inputs.parameters.name, not a value of type STRING;"),
        ({}, None),
        ({"limit": {"intValue": "1"}, "new": {"intValue": "1"}}, None),
    ],
)
def test_parameters_on_vertex_have_their_types(changes, problem, calls, capsys):
    content = {"inputs": {"parameters": PARAMETERS | changes}, "outputs": OUTPUT_FILE}
    arguments = ["c", "--executor_class_path", "pathlib.Path", "--outputs="]
    arguments += ["--parameters=limit:DOUBLE,name:STRING,size:INT"]
    arguments += ["--json_serialized_invocation_args", json.dumps(content)]
    assert container.run(container.parse(arguments)) == (1 if problem else 0)
    lines = capsys.readouterr().err.splitlines()
    if problem:
        [line] = lines
        assert line.startswith(f"FAILED: the engine gave {problem}")
        assert not calls
    else:
        assert not lines


@pytest.mark.parametrize("path", ["components.removed.Executor", "pathlib.Removed"])
def test_a_file_that_was_compiled_for_another_image_ends_the_node_with_a_sentence(
    path, calls, capsys
):
    assert container.run(container.parse([*ARGUMENTS, "--executor_class_path", path])) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"FAILED: this image has no {path} (")
    assert not calls


@pytest.mark.parametrize("on_kubeflow", [True, False])
def test_a_repeated_node_starts_with_empty_outputs(tmp_path, monkeypatch, on_kubeflow):
    """What an attempt that was killed has left, on the volume or in the bucket of the engine."""
    scheme, folder = ("minio://b", tmp_path / "minio/b") if on_kubeflow else (tmp_path, tmp_path)
    (folder / "run/statistics/Split-train").mkdir(parents=True)
    (folder / "run/statistics/Split-train/beam-temp-1").write_text("half")
    (folder / "run/schema").write_text("a file instead of a folder")
    (folder / "run/executor-logs").write_text("of the engine")
    keys = ("statistics", "schema", "anomalies", "executor-logs")
    outputs = {key: {"artifacts": [{"uri": f"{scheme}/run/{key}", "type": TYPE}]} for key in keys}
    executor_input = {"outputs": {"artifacts": outputs, "outputFile": str(tmp_path / "o.json")}}
    left = []

    def execute(_):
        assert all((folder / "run" / key).is_dir() for key in keys[:3])
        left.extend(path.name for path in (folder / "run").rglob("*") if not path.is_dir())
        (tmp_path / "o.json").write_text("{}")

    monkeypatch.setattr(kubeflow_v2_run_executor, "main", execute)
    arguments = [
        "c",
        "--executor_class_path",
        "pathlib.Path",
        "--outputs=statistics,schema,anomalies",
    ]
    arguments += ["--json_serialized_invocation_args", json.dumps(executor_input)]
    if on_kubeflow:
        arguments += [f"--launcher_root={tmp_path}", "--json_serialized_inputs_spec_args", "{}"]
    assert container.run(container.parse(arguments)) == 0
    assert left == ["executor-logs"]


def test_the_output_file_has_uris_of_the_store(tmp_path, monkeypatch):
    output_file = tmp_path / "output.json"
    logs = {"uri": "minio://b/run/executor-logs-0", "type": {"schemaTitle": "system.Artifact"}}
    executor_input = {
        "outputs": {
            "artifacts": {
                "model": {"artifacts": [{"uri": "minio://b/run/model", "type": TYPE}]},
                "executor-logs": {"artifacts": [logs]},
            },
            "outputFile": str(output_file),
        }
    }
    # The launcher creates the file of the logs before it starts the command.
    (tmp_path / "minio/b/run").mkdir(parents=True)
    (tmp_path / "minio/b/run/executor-logs-0").touch()

    def execute(arguments):
        local = json.loads(arguments[0].json_serialized_invocation_args)
        path = local["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"]
        assert (tmp_path / path).is_dir()
        assert list(local["outputs"]["artifacts"]) == ["model"]
        output_file.write_text(json.dumps({"artifacts": {"model": {"artifacts": [{"uri": path}]}}}))

    monkeypatch.setattr(kubeflow_v2_run_executor, "main", execute)
    arguments = ["c", "--executor_class_path", "pathlib.Path", "--outputs=model"]
    arguments += [f"--launcher_root={tmp_path}"]
    arguments += ["--json_serialized_invocation_args", json.dumps(executor_input)]
    arguments += ["--json_serialized_inputs_spec_args", "{}"]
    assert container.run(container.parse(arguments)) == 0
    assert (tmp_path / "minio/b/run/model").is_dir()
    assert (tmp_path / "minio/b/run/executor-logs-0").is_file()
    assert "minio://b/run/model" in output_file.read_text()
