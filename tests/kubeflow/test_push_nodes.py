"""Baseline and Pusher as Kubeflow runs them: our entry point, and inputs without drivers."""

import json
from pathlib import Path

import pytest
import yaml
from pushes import Pushes
from report_parts import complete_run, make, run_folder  # noqa: F401 (fixtures)

from formats import names
from formats.provenance import FILE_NAME, Provenance
from kubeflow import container

SPEC = next(
    yaml.safe_load_all(Path(__file__).with_name("golden").joinpath("kubeflow.yaml").read_text())
)
BLESSED = {"blessed": 1}


@pytest.fixture
def store(tmp_path, complete_run):  # noqa: F811
    """The launcher's local copy of the artifacts, with an export that weighs little."""
    folder = tmp_path / "minio" / "bucket" / "run-1"
    pushes = Pushes(folder, tmp_path / "models", complete_run)
    pushes.write_model("a")
    return pushes


@pytest.fixture
def run(store, tmp_path):
    """Runs a node; returns its outputs as the engine reads them."""

    def run_node(node, inputs, parameters):
        definitions = SPEC["components"][node]
        output_file = tmp_path / f"{node}.json"
        (output,) = definitions["outputDefinitions"]["artifacts"]
        executor_input = {
            "inputs": {
                "artifacts": {
                    key: {"artifacts": [artifact(key, metadata)]}
                    for key, metadata in inputs.items()
                },
                "parameterValues": parameters,
            },
            "outputs": {
                "artifacts": {
                    output: {
                        "artifacts": [
                            artifact(f"{node}/{output}", {})
                            | {"type": {"instanceSchema": f"title: {TYPES[output]}\ntype: object"}}
                        ]
                    }
                },
                "outputFile": str(output_file),
            },
        }
        arguments = SPEC["deploymentSpec"]["executors"][f"{node}_executor"]["container"]["args"]
        given = {"{{$}}": json.dumps(executor_input)}
        arguments = [given.get(argument, argument) for argument in arguments]
        code = container.run(
            container.parse(["container", *arguments, f"--launcher_root={tmp_path}"])
        )
        assert code == 0
        (made,) = json.loads(output_file.read_text())["artifacts"][output]["artifacts"]
        return made

    return run_node


TYPES = {"model": "tfx.Model", "pushed_model": "tfx.PushedModel"}


def artifact(key, metadata):
    return {"name": key, "uri": f"minio://bucket/run-1/{key}", "metadata": metadata}


def push(run, store):
    destination = {"filesystem": {"base_directory": str(store.serving)}}
    inputs = {
        "model": {},
        "model_blessing": BLESSED,
        "infra_blessing": BLESSED,
        names.MODEL_RUN.key: {},
        names.EVALUATION.key: {},
        "data_verdict": {},
        names.HISTOGRAMS.key: {},
        names.SCHEMA.key: {},
    }
    (store.folder / "data_verdict").mkdir(exist_ok=True)
    verdict = (store.folder / names.DATA_VERDICT.key / "verdict.json").read_text()
    (store.folder / "data_verdict" / "verdict.json").write_text(verdict)
    parameters = {
        "push_destination": json.dumps(destination),
        "pipeline": "higgs",
        "with_onnx": 0,
        "for_triton": 0,
    }
    return run("Pusher", inputs, parameters)


def baseline(run, store):
    parameters = {"push_directory": str(store.serving), "when_damaged": "refuse"}
    return run("Baseline", {"candidate": {}}, parameters)["metadata"]


@pytest.mark.slow
def test_a_model_is_pushed_and_becomes_the_baseline_of_another(run, store):
    (store.folder / "candidate").symlink_to(store.folder / "model")
    assert baseline(run, store)["absent"] == 1
    pushed = push(run, store)["metadata"]
    (version,) = store.versions()
    assert (pushed["pushed"], pushed["pushed_version"]) == (1, version)
    record = Provenance.from_json((store.serving / version / FILE_NAME).read_text())
    assert (record.pipeline, record.evaluation.auc) == ("higgs", 0.8)
    assert "/bucket/run-1/Pusher/pushed_model" in record.run
    assert baseline(run, store)["absent"] == 1
    assert push(run, store)["metadata"]["pushed_version"] == version
    store.write_model("b")
    found = baseline(run, store)
    assert (found["absent"], found["baseline_version"]) == (0, version)
