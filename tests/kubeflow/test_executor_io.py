from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import ComponentInputsSpec, ExecutorInput

from kubeflow.executor_io import localize, restore

SPEC = json_format.ParseDict(
    {
        "artifacts": {
            key: {"artifactType": {"instanceSchema": f"title: tfx.{title}\ntype: object\n"}}
            for key, title in (("examples", "Examples"), ("baseline_model", "Model"))
        }
    },
    ComponentInputsSpec(),
)


def executor_input(**metadata):
    return json_format.ParseDict(
        {
            "inputs": {
                "parameterValues": {"seed": 3},
                "artifacts": {
                    "examples": {
                        "artifacts": [
                            {"name": "1", "uri": "s3://b/k/e", "metadata": {"split_names": "[]"}}
                        ]
                    },
                    "baseline_model": {
                        "artifacts": [{"name": "2", "uri": "s3://b/k/m", "metadata": metadata}]
                    },
                },
            },
            "outputs": {
                "artifacts": {"evaluation": {"artifacts": [{"uri": "s3://b/k/evaluation"}]}},
                "outputFile": "/outputs/out.json",
            },
        },
        ExecutorInput(),
    )


def test_inputs_get_declared_types_and_uris_become_paths():
    local, uris = localize(executor_input(), SPEC, "/s3")
    [examples] = local.inputs.artifacts["examples"].artifacts
    assert examples.type.instance_schema == "title: tfx.Examples\ntype: object\n"
    assert examples.uri == "/s3/b/k/e"
    assert examples.metadata["split_names"] == "[]"
    assert local.outputs.artifacts["evaluation"].artifacts[0].uri == "/s3/b/k/evaluation"
    assert local.outputs.output_file == "/outputs/out.json"
    assert uris["/s3/b/k/evaluation"] == "s3://b/k/evaluation"


def test_absent_artifacts_are_removed():
    local, _ = localize(executor_input(absent=1), SPEC, "/s3")
    assert list(local.inputs.artifacts["baseline_model"].artifacts) == []
    local, _ = localize(executor_input(absent=0), SPEC, "/s3")
    assert len(local.inputs.artifacts["baseline_model"].artifacts) == 1


def test_the_argument_is_not_modified():
    argument = executor_input(absent=1)
    before = argument.SerializeToString(deterministic=True)
    localize(argument, SPEC, "/s3")
    assert argument.SerializeToString(deterministic=True) == before


def test_longer_paths_are_restored_first():
    _, uris = localize(executor_input(), SPEC, "/s3")
    assert restore('{"a": "/s3/b/k/evaluation", "b": "/s3/b/k/e/x"}', uris) == (
        '{"a": "s3://b/k/evaluation", "b": "s3://b/k/e/x"}'
    )
