"""Entry point of the containers: arguments that it passes on, and exit codes."""

import json

import pytest

from formats.errors import DataRefusedError, NotPushedError
from kubeflow import container

ARGUMENTS = ["container", "--executor_class_path", "a.B", "--json_serialized_invocation_args", "{}"]


@pytest.fixture
def calls(monkeypatch):
    """Arguments of the calls of TFX's own entry point."""
    calls = []
    monkeypatch.setattr(container.kubeflow_v2_run_executor, "main", calls.append)
    return calls


def test_unknown_arguments_go_to_the_executor(calls):
    flags = ["--runner=DirectRunner", "--code_version=abc", "--artifacts", "x"]
    assert container.run(container.parse([*ARGUMENTS, *flags])) == 0
    [(options, executor_flags)] = calls
    assert options.executor_class_path == "a.B"
    assert executor_flags == flags


@pytest.mark.parametrize(
    ("error", "code"),
    [(DataRefusedError("m_bb [NaN]"), 4), (NotPushedError("withheld"), 3), (ValueError("no"), 1)],
)
def test_exit_codes_equal_those_of_higgs_run(error, code, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(container.kubeflow_v2_run_executor, "main", fail)
    assert container.run(container.parse(ARGUMENTS)) == code
    assert str(error) in capsys.readouterr().err


def test_the_output_file_has_uris_of_the_store(tmp_path, monkeypatch):
    output_file = tmp_path / "output.json"
    folder = tmp_path / "minio"
    executor_input = {
        "outputs": {
            "artifacts": {"model": {"artifacts": [{"uri": "minio://b/run/model"}]}},
            "outputFile": str(output_file),
        }
    }

    def execute(arguments):
        local = json.loads(arguments[0].json_serialized_invocation_args)
        path = local["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"]
        assert (tmp_path / path).is_dir()
        output_file.write_text(json.dumps({"artifacts": {"model": {"artifacts": [{"uri": path}]}}}))

    monkeypatch.setattr(container.kubeflow_v2_run_executor, "main", execute)
    arguments = ["c", "--executor_class_path", "a.B", f"--artifacts_folder={folder}"]
    arguments += ["--json_serialized_invocation_args", json.dumps(executor_input)]
    arguments += ["--json_serialized_inputs_spec_args", "{}"]
    assert container.run(container.parse(arguments)) == 0
    assert (folder / "b/run/model").is_dir()
    assert "minio://b/run/model" in output_file.read_text()
