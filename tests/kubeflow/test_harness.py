"""The engines that the compiled files run in: what they refuse, find, remember and pass over."""

import json

import pytest
import yaml
from engine import conditions, queries
from engine.dag import Artifact, RefusedError
from engine.kubeflow import KubeflowEngine
from engine.spec import parse
from engine.vertex import VertexEngine
from google.protobuf import json_format

MODEL = "title: tfx.Model\ntype: object\n"
BLESSING = "title: tfx.ModelBlessing\ntype: object\n"
BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value="1"'


def never(command, log):
    raise AssertionError(f"started: {command}")


@pytest.fixture
def kubeflow_documents(compiled):
    return list(yaml.safe_load_all(compiled("kubeflow").read_text()))


def refusal(engine, documents):
    with pytest.raises(RefusedError) as error:
        engine.run(yaml.safe_dump_all(documents))
    return str(error.value)


def test_kubeflow_has_no_resolver(kubeflow_documents, tmp_path):
    executors = kubeflow_documents[0]["deploymentSpec"]["executors"]
    executors["Baseline_executor"] = {"resolver": {}}
    words = refusal(KubeflowEngine(tmp_path, never), kubeflow_documents)
    assert words == "Baseline: resolver not implemented"


def test_kubeflow_starts_no_hook_before_its_cache(kubeflow_documents, tmp_path):
    executors = kubeflow_documents[0]["deploymentSpec"]["executors"]
    container = executors["CollisionExampleGen_executor"]["container"]
    container["lifecycle"] = {"preCacheCheck": {"command": ["python", "-m", "driver"]}}
    words = refusal(KubeflowEngine(tmp_path, never), kubeflow_documents)
    assert "CollisionExampleGen: a hook before the cache would never run" in words


def test_kubeflow_conditions_see_no_artifacts(kubeflow_documents, tmp_path):
    task = kubeflow_documents[0]["root"]["dag"]["tasks"]["Pusher"]
    task["triggerPolicy"] = {
        "condition": "inputs.artifacts['m'].artifacts[0].metadata['blessed'] == 1"
    }
    words = refusal(KubeflowEngine(tmp_path, never), kubeflow_documents)
    assert "Pusher: a condition sees no artifacts" in words


@pytest.mark.parametrize("place", [(), ("root",), ("root", "dag", "tasks", "Trainer")])
def test_a_field_that_the_published_protos_have_not_is_found(place, kubeflow_documents):
    found = kubeflow_documents[0]
    for key in place:
        found = found[key]
    found["retries"] = 3
    with pytest.raises(json_format.ParseError, match="retries"):
        parse(yaml.safe_dump_all(kubeflow_documents))


def test_each_engine_refuses_the_others_file(compiled, tmp_path):
    with pytest.raises(RefusedError, match=r"schema version 2\.0\.0"):
        KubeflowEngine(tmp_path, never).run(compiled("vertex").read_text())
    with pytest.raises(RefusedError, match=r"schema version 2\.1\.0"):
        VertexEngine(tmp_path, never).run(compiled("kubeflow").read_text())


def test_what_failed_starts_nothing_behind_it(compiled, tmp_path):
    job = json.loads(compiled("vertex").read_text())
    job["runtimeConfig"]["gcsOutputDirectory"] = str(tmp_path / "bucket")
    started = []

    def fail(command, log):
        started.append(command)
        return 4

    done = VertexEngine(tmp_path, fail).run(json.dumps(job))
    assert done["CollisionExampleGen"].code == 4
    assert done["StatisticsGen"].state == done["Pusher"].state == "not triggered"
    # The schema is imported beside ingestion; nothing else has all it needs.
    assert {name for name, task in done.items() if task.state == "failed"} == {
        "CollisionExampleGen",
        "ImportSchemaGen",
    }
    assert len(started) == 2


def artifact(name, schema, **metadata):
    return Artifact(name, f"gs://b/{name}", schema, metadata)


def test_the_latest_blessing_is_found_and_then_its_model():
    store = [
        artifact("m1", MODEL),
        artifact("b1", BLESSING, blessed=1, current_model_id="m1"),
        artifact("m2", MODEL),
        artifact("b2", BLESSING, blessed=0, current_model_id="m2"),
    ]
    blessing = queries.latest(BLESSED, {}, store)
    assert blessing.name == "b1"
    of_it = "name=\"{{$.inputs.artifacts['blessing'].metadata['current_model_id']}}\""
    query = f'schema_title="tfx.Model" AND state=LIVE AND {of_it}'
    assert queries.latest(query, {"blessing": [blessing]}, store).name == "m1"
    assert queries.latest(query, {"blessing": []}, store) is None


def test_a_query_that_vertex_is_not_known_to_take_is_no_match():
    with pytest.raises(AssertionError, match="not a term that Vertex is known to take"):
        queries.latest("LATEST(model)", {}, [artifact("m1", MODEL)])


@pytest.mark.parametrize(
    ("condition", "held"),
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
def test_conditions_are_those_that_tfx_compiles(condition, held):
    blessing = {"uri": "gs://b/v", "metadata": {"blessed": 1}}
    assert conditions.holds(condition, {"v": [blessing]}) is held


def test_a_condition_that_calls_something_is_refused():
    with pytest.raises(AssertionError, match="not in TFX's CEL"):
        conditions.holds("__import__('os').getcwd() == '/'", {})
