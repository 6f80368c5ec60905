"""The entry of every container: what it passes on, and what it exits with."""

import json

import pytest

from components.push_gate.component import NotPushedError
from formats.errors import DataRefusedError
from kubeflow import container

ARGUMENTS = ["container", "--executor_class_path", "a.B", "--json_serialized_invocation_args", "{}"]


@pytest.fixture
def called(monkeypatch):
    """What TFX's own entry was called with."""
    calls = []
    monkeypatch.setattr(container.kubeflow_v2_run_executor, "main", calls.append)
    return calls


def test_what_it_does_not_know_goes_to_the_executor(called):
    rest = ["--runner=DirectRunner", "--code_version=abc", "--artifacts", "x"]
    assert container.run(container.parse([*ARGUMENTS, *rest])) == 0
    [(own, passed)] = called
    assert own.executor_class_path == "a.B"
    assert passed == rest


@pytest.mark.parametrize(
    ("error", "code"),
    [(DataRefusedError("m_bb [NaN]"), 4), (NotPushedError("withheld"), 3), (ValueError("no"), 1)],
)
def test_exit_codes_are_those_of_higgs_run(error, code, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(container.kubeflow_v2_run_executor, "main", fail)
    assert container.run(container.parse(ARGUMENTS)) == code
    assert str(error) in capsys.readouterr().err


def test_the_output_file_speaks_of_the_store(tmp_path, monkeypatch):
    output_file = tmp_path / "output.json"
    folder = tmp_path / "minio"
    given = {
        "outputs": {
            "artifacts": {"model": {"artifacts": [{"uri": "minio://b/run/model"}]}},
            "outputFile": str(output_file),
        }
    }

    def execute(arguments):
        told = json.loads(arguments[0].json_serialized_invocation_args)
        path = told["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"]
        assert (tmp_path / path).is_dir()
        output_file.write_text(json.dumps({"artifacts": {"model": {"artifacts": [{"uri": path}]}}}))

    monkeypatch.setattr(container.kubeflow_v2_run_executor, "main", execute)
    arguments = ["c", "--executor_class_path", "a.B", f"--artifacts_folder={folder}"]
    arguments += ["--json_serialized_invocation_args", json.dumps(given)]
    arguments += ["--json_serialized_inputs_spec_args", "{}"]
    assert container.run(container.parse(arguments)) == 0
    assert (folder / "b/run/model").is_dir()
    assert "minio://b/run/model" in output_file.read_text()
