"""The simulated engines: files that they reject, queries, conditions and failures."""

import json

import pytest
import yaml
from engine import conditions, queries
from engine.dag import Artifact, RejectedError
from engine.kubeflow import KubeflowEngine
from engine.spec import parse
from engine.vertex import VertexEngine
from google.protobuf import json_format

pytestmark = pytest.mark.slow

MODEL = "title: tfx.Model\ntype: object\n"
BLESSING = "title: tfx.ModelBlessing\ntype: object\n"
BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value="1"'


def never(command, log):
    raise AssertionError(f"started: {command}")


@pytest.fixture
def kubeflow_documents(compiled):
    return list(yaml.safe_load_all(compiled("kubeflow").read_text()))


def rejection(engine, documents):
    with pytest.raises(RejectedError) as error:
        engine.run(yaml.safe_dump_all(documents), "minio://bucket/root")
    return str(error.value)


def test_kubeflow_rejects_resolvers(kubeflow_documents, tmp_path):
    executors = kubeflow_documents[0]["deploymentSpec"]["executors"]
    executors["Baseline_executor"] = {"resolver": {}}
    message = rejection(KubeflowEngine(tmp_path, never), kubeflow_documents)
    assert message == "Baseline: resolver not implemented"


@pytest.mark.parametrize("root", ["", "/local", "hdfs://b/r"])
def test_kubeflow_takes_the_root_from_the_request(root, kubeflow_documents, tmp_path):
    kubeflow_documents[0]["defaultPipelineRoot"] = "minio://in-the-file/root"
    with pytest.raises(RejectedError, match="in the request"):
        KubeflowEngine(tmp_path, never).run(yaml.safe_dump_all(kubeflow_documents), root)


def test_kubeflow_rejects_hooks_before_its_cache(kubeflow_documents, tmp_path):
    executors = kubeflow_documents[0]["deploymentSpec"]["executors"]
    container = executors["CollisionExampleGen_executor"]["container"]
    container["lifecycle"] = {"preCacheCheck": {"command": ["python", "-m", "driver"]}}
    message = rejection(KubeflowEngine(tmp_path, never), kubeflow_documents)
    assert "CollisionExampleGen: a hook before the cache would never run" in message


def test_kubeflow_rejects_conditions_on_artifacts(kubeflow_documents, tmp_path):
    task = kubeflow_documents[0]["root"]["dag"]["tasks"]["Pusher"]
    task["triggerPolicy"] = {
        "condition": "inputs.artifacts['m'].artifacts[0].metadata['blessed'] == 1"
    }
    message = rejection(KubeflowEngine(tmp_path, never), kubeflow_documents)
    assert "Pusher: a condition sees no artifacts" in message


@pytest.mark.parametrize("place", [(), ("root",), ("root", "dag", "tasks", "Trainer")])
def test_unknown_fields_are_rejected(place, kubeflow_documents):
    message = kubeflow_documents[0]
    for key in place:
        message = message[key]
    message["retries"] = 3
    with pytest.raises(json_format.ParseError, match="retries"):
        parse(yaml.safe_dump_all(kubeflow_documents))


def test_each_engine_rejects_the_others_file(compiled, tmp_path):
    with pytest.raises(RejectedError, match=r"schema version 2\.0\.0"):
        KubeflowEngine(tmp_path, never).run(compiled("vertex").read_text())
    with pytest.raises(RejectedError, match=r"schema version 2\.1\.0"):
        VertexEngine(tmp_path, never).run(compiled("kubeflow").read_text())


def test_a_failed_task_starts_no_downstream_task(compiled, tmp_path):
    job = json.loads(compiled("vertex").read_text())
    job["runtimeConfig"]["gcsOutputDirectory"] = str(tmp_path / "bucket")
    commands = []

    def fail(command, log):
        commands.append(command)
        return 4

    tasks = VertexEngine(tmp_path, fail).run(json.dumps(job))
    assert tasks["CollisionExampleGen"].code == 4
    assert tasks["StatisticsGen"].state == tasks["Pusher"].state == "not triggered"
    # Only ingestion and the import of the schema depend on no other task.
    assert {name for name, task in tasks.items() if task.state == "failed"} == {
        "CollisionExampleGen",
        "ImportSchemaGen",
    }
    assert len(commands) == 2


def artifact(name, schema, **metadata):
    return Artifact(name, f"gs://b/{name}", schema, metadata)


def test_queries_find_the_latest_blessing_and_its_model():
    store = [
        artifact("m1", MODEL),
        artifact("b1", BLESSING, blessed=1, current_model_id="m1"),
        artifact("m2", MODEL),
        artifact("b2", BLESSING, blessed=0, current_model_id="m2"),
    ]
    blessing = queries.latest(BLESSED, {}, store)
    assert blessing.name == "b1"
    name = "name=\"{{$.inputs.artifacts['blessing'].metadata['current_model_id']}}\""
    query = f'schema_title="tfx.Model" AND state=LIVE AND {name}'
    assert queries.latest(query, {"blessing": [blessing]}, store).name == "m1"
    assert queries.latest(query, {"blessing": []}, store) is None


def test_queries_in_an_unknown_form_are_rejected():
    with pytest.raises(AssertionError, match="unknown query term"):
        queries.latest("LATEST(model)", {}, [artifact("m1", MODEL)])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.artifacts['v'].artifacts[0].metadata['blessed'] == 1", True),
        ("!(inputs.artifacts['v'].artifacts[0].metadata['blessed'] == 1)", False),
        (
            "inputs.artifacts['v'].artifacts[0].metadata['blessed'] == 1 && "
            "inputs.artifacts['v'].artifacts[0].uri == 'gs://b/other'",
            False,
        ),
    ],
)
def test_conditions_that_tfx_compiles_are_evaluated(condition, expected):
    blessing = {"uri": "gs://b/v", "metadata": {"blessed": 1}}
    assert conditions.holds(condition, {"v": [blessing]}) is expected


def test_conditions_with_calls_are_rejected():
    with pytest.raises(AssertionError, match="not in TFX's CEL"):
        conditions.holds("__import__('os').getcwd() == '/'", {})
