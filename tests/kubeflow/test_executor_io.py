import json

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentInputsSpec, ExecutorInput
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as entrypoint

from kubeflow.executor_io import (
    LocalPaths,
    keep_outputs,
    localize,
    parse_message,
    restore,
)

SPEC = parse_message(
    json.dumps(
        {
            "artifacts": {
                key: {"artifactType": {"instanceSchema": f"title: tfx.{title}\ntype: object\n"}}
                for key, title in (("examples", "Examples"), ("baseline_model", "Model"))
            }
        }
    ),
    ComponentInputsSpec(),
)


def parse_input(content):
    return parse_message(json.dumps(content), ExecutorInput())


def executor_input(scheme="s3", **metadata):
    examples = {"name": "1", "uri": f"{scheme}://b/k/e", "metadata": {"split_names": "[]"}}
    model = {"name": "2", "uri": f"{scheme}://b/k/m", "metadata": metadata}
    evaluation = {"uri": f"{scheme}://b/k/evaluation", "type": {"schemaTitle": "tfx.Model"}}
    logs = {"uri": f"{scheme}://b/k/executor-logs-0", "type": {"schemaTitle": "system.Artifact"}}
    return parse_input(
        {
            "inputs": {
                "parameterValues": {"seed": 3},
                "artifacts": {
                    "examples": {"artifacts": [examples]},
                    "baseline_model": {"artifacts": [model]},
                },
            },
            "outputs": {
                "artifacts": {
                    "evaluation": {"artifacts": [evaluation]},
                    "executor-logs": {"artifacts": [logs]},
                },
                "outputFile": "/outputs/out.json",
            },
        }
    )


@pytest.mark.parametrize(("scheme", "folder"), [("s3", "/s3"), ("gs", "/gcs"), ("minio", "/minio")])
def test_inputs_get_declared_types_and_uris_become_paths(scheme, folder):
    local = executor_input(scheme)
    localize(local, SPEC, LocalPaths())
    [examples] = local.inputs.artifacts["examples"].artifacts
    assert examples.type.instance_schema == "title: tfx.Examples\ntype: object\n"
    assert examples.uri == f"{folder}/b/k/e"
    assert examples.metadata["split_names"] == "[]"
    assert local.outputs.artifacts["evaluation"].artifacts[0].uri == f"{folder}/b/k/evaluation"
    assert local.outputs.output_file == "/outputs/out.json"


def test_a_volume_replaces_the_launchers_folders():
    assert LocalPaths("", "/mnt/artifacts").path("s3://b/k/e") == "/mnt/artifacts/b/k/e"


def test_a_store_that_the_launcher_does_not_copy_is_rejected():
    with pytest.raises(ValueError, match="hdfs://b/k: Kubeflow's launcher does not copy it"):
        LocalPaths().path("hdfs://b/k")


def test_undeclared_outputs_are_left_to_the_engine():
    local = executor_input()
    keep_outputs(local, ["evaluation"])
    assert list(local.outputs.artifacts) == ["evaluation"]


def test_paths_are_restored_as_whole_names():
    paths = LocalPaths()
    localize(executor_input(), SPEC, paths)
    text = json.dumps({"a": ["/s3/b/k/e", {"b": "/s3/b/k/e/x", "c": "/s3/b/k/evaluation"}, 1.5]})
    assert json.loads(restore(text, paths)) == {
        "a": ["s3://b/k/e", {"b": "s3://b/k/e/x", "c": "s3://b/k/evaluation"}, 1.5]
    }
    unrelated = json.dumps({"a": "/s3/b/k/examples", "b": "see /s3/b/k/e"})
    assert json.loads(restore(unrelated, paths)) == json.loads(unrelated)


def test_inputs_that_are_not_declared_are_removed_and_lists_are_kept():
    models = [{"name": str(i), "uri": f"s3://b/k/{i}", "customPath": "/x"} for i in range(2)]
    other = {"uri": "oci://registry/model", "type": {"schemaTitle": "system.Model"}, "new": 1}
    artifacts = {key: {"artifacts": models} for key in ("baseline_model", "examples")}
    artifacts["sidecar"] = {"artifacts": [other]}
    parsed = parse_input({"inputs": {"artifacts": artifacts}, "newer": {}})
    localize(parsed, SPEC, LocalPaths())
    assert sorted(parsed.inputs.artifacts) == ["baseline_model", "examples"]
    channel = parsed.inputs.artifacts["baseline_model"].artifacts
    assert [artifact.uri for artifact in channel] == ["/s3/b/k/0", "/s3/b/k/1"]
    assert {artifact.type.instance_schema for artifact in channel} == {
        "title: tfx.Model\ntype: object\n"
    }


def test_null_means_that_there_is_no_value():
    content = json.loads(json_format.MessageToJson(executor_input(version="17")))
    [model] = content["inputs"]["artifacts"]["baseline_model"]["artifacts"]
    [evaluation] = content["outputs"]["artifacts"]["evaluation"]["artifacts"]
    model["metadata"] |= {"absent": None, "list": [None]}
    evaluation |= {"metadata": {"blessed": None}, "properties": {"absent": None}}
    evaluation |= {"customProperties": {"absent": None, "old": {"stringValue": "kept"}}}
    content["inputs"] |= {"parameters": {"name": None}}
    content["inputs"]["parameterValues"]["name"] = None
    parsed = parse_input(content)
    localize(parsed, SPEC, LocalPaths())
    keep_outputs(parsed, ["evaluation"])
    [model] = entrypoint.parse_raw_artifact_dict(parsed.inputs.artifacts)["baseline_model"]
    assert model.get_string_custom_property("version") == "17"
    assert not model.has_custom_property("absent")
    assert model.get_json_value_custom_property("list") == [None]
    [evaluation] = entrypoint.parse_raw_artifact_dict(parsed.outputs.artifacts)["evaluation"]
    assert not evaluation.has_custom_property("blessed")
    assert evaluation.get_string_custom_property("old") == "kept"
    parameters = parsed.inputs.parameter_values
    assert entrypoint.parse_execution_properties(parameters, {}, SPEC) == {"seed": 3}


def test_properties_keep_their_characters_and_kinds():
    values = {
        "text": '\u00e4\n"{{$}}"',
        "list": {"list": [1, "\u2713"]},
        "flag": True,
        "nested": {"none": None},
    }
    local = executor_input("gs", **values)
    paths = LocalPaths()
    localize(local, SPEC, paths)
    [model] = local.inputs.artifacts["baseline_model"].artifacts
    written = json_format.MessageToJson(model.metadata)
    assert json.loads(restore(written, paths)) == values
