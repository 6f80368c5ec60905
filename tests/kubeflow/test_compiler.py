"""Compiled files: golden files, and rules for all of them."""

import json

import pytest
import yaml
from engine.spec import parse
from google.cloud.aiplatform_v1.types import AcceleratorType

from kubeflow.cloud_targets import TARGETS
from pipeline.cloud_config import Accelerator
from pipeline.graph import SCHEMA_FILE

pytestmark = pytest.mark.slow

MOUNTS = {"higgs-data": "/mnt/data", "higgs-models": "/mnt/models"}


@pytest.fixture(scope="module")
def specs(compiled):
    return {target: parse(compiled(target).read_text()) for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_golden_file(target, compiled, golden):
    file = compiled(target)
    golden(f"{target}{file.suffix}", file.read_text())


def test_no_secret_of_the_environment_is_in_a_compiled_file(compiled, monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://ann:planted@localhost:9")
    for target in TARGETS:
        assert "planted" not in compiled(target).read_text()


def test_both_targets_have_the_same_graph(specs):
    names = {target: set(spec.tasks) for target, spec in specs.items()}
    assert names["vertex"] == names["kubeflow"]
    nodes = {"CollisionExampleGen", "Trainer", "Baseline", "Pusher", "PushGate"}
    assert nodes <= names["kubeflow"]


def test_the_baseline_of_an_endpoint_is_the_latest_blessed_model(compiled):
    spec = parse(compiled("vertex", "vertex.endpoint.name=higgs").read_text())
    resolvers = {"Baseline-model-blessing-resolver", "Baseline-model-resolver"}
    assert {name for name in spec.tasks if name.startswith("Baseline")} == resolvers
    assert set(spec.tasks["Pusher"].inputs.artifacts) == {
        "model",
        "model_blessing",
        "infra_blessing",
    }


def test_every_container_has_the_image_and_our_entry_point(specs):
    for spec in specs.values():
        containers = [e.container for e in spec.executors.values() if e.HasField("container")]
        assert len(containers) >= 11
        for container in containers:
            assert container.image.endswith("higgs:0.1.0")
            assert list(container.command) == ["python", "-m", "kubeflow.container"]


def test_nodes_carry_the_digest_of_their_code(specs):
    for spec in specs.values():
        for name in ("CollisionExampleGen", "DataGate", "Trainer", "Evaluator", "PushGate"):
            args = spec.executor(name).container.args
            assert len([arg for arg in args if arg.startswith("--code_version=")]) == 1


def test_only_beam_nodes_get_beam_options(specs):
    spec = specs["vertex"]
    for name in ("CollisionExampleGen", "StatisticsGen", "HistogramGen", "Evaluator"):
        assert "--runner=DataflowRunner" in spec.executor(name).container.args
    for name in ("Trainer", "DataGate", "Pusher", "Report", "ImportSchemaGen"):
        args = spec.executor(name).container.args
        assert not [arg for arg in args if "worker" in arg or "Dataflow" in arg]


def test_a_nodes_own_beam_options_come_last(specs):
    args = list(specs["vertex"].executor("Evaluator").container.args)
    machines = [arg for arg in args if arg.startswith("--worker_machine_type=")]
    assert machines == [
        "--worker_machine_type=n1-standard-4",
        "--worker_machine_type=n1-highmem-4",
    ]


def test_the_reviewed_schema_is_in_the_file(specs):
    for spec in specs.values():
        value = spec.tasks["ImportSchemaGen"].inputs.parameters["content"].runtime_value
        text = value.constant.string_value or value.constant_value.string_value
        assert text == SCHEMA_FILE.read_text()


def test_kubeflow_files_have_no_field_that_the_backend_ignores(specs):
    spec = specs["kubeflow"]
    assert {executor.WhichOneof("spec") for executor in spec.executors.values()} == {"container"}
    assert not any(
        executor.container.lifecycle.pre_cache_check.command for executor in spec.executors.values()
    )
    cacheable = {name for name, task in spec.tasks.items() if task.caching_options.enable_cache}
    assert set(spec.tasks) - cacheable == {"CollisionExampleGen", "ImportSchemaGen", "Baseline"}


def test_every_kubeflow_container_mounts_every_volume(specs):
    spec = specs["kubeflow"]
    assert set(spec.mounts) == set(spec.executors)
    assert all(mounts == MOUNTS for mounts in spec.mounts.values())


def test_vertex_never_caches_ingestion_the_schema_or_the_baseline(specs):
    spec = specs["vertex"]
    cacheable = {name for name, task in spec.tasks.items() if task.caching_options.enable_cache}
    assert set(spec.tasks) - cacheable == {"CollisionExampleGen", "ImportSchemaGen", "Baseline"}
    container = spec.executor("CollisionExampleGen").container
    assert not container.lifecycle.pre_cache_check.command


@pytest.mark.parametrize("target", TARGETS)
def test_a_test_set_adds_a_node_on_which_only_the_report_depends(target, compiled, specs):
    spec = parse(compiled(target, "ingestion.layout=folders-with-test").read_text())
    assert set(spec.tasks) - set(specs[target].tasks) == {"TestEvaluator"}
    dependent = {n for n, task in spec.tasks.items() if "TestEvaluator" in task.dependent_tasks}
    assert dependent == {"Report"}
    source = spec.tasks["Report"].inputs.artifacts["test_evaluation"].task_output_artifact
    assert (source.producer_task, source.output_artifact_key) == ("TestEvaluator", "evaluation")
    assert "test_evaluation" not in specs[target].tasks["Report"].inputs.artifacts
    runner = [arg for arg in spec.executor("TestEvaluator").container.args if "--runner=" in arg]
    assert bool(runner) == (target == "vertex")


@pytest.mark.parametrize("target", TARGETS)
def test_a_set_to_score_adds_two_nodes_after_the_push(target, compiled, specs):
    file = compiled(target, "score.data_root=gs://bucket/new", "score.columns=[weight]")
    spec = parse(file.read_text())
    assert set(spec.tasks) - set(specs[target].tasks) == {"ServedModel", "Scorer"}
    assert "Pusher" in spec.tasks["ServedModel"].dependent_tasks
    assert set(spec.tasks["Scorer"].inputs.artifacts) == {"model"}
    for name in ("ServedModel", "Scorer"):
        assert not spec.tasks[name].caching_options.enable_cache
    runner = [arg for arg in spec.executor("Scorer").container.args if "--runner=" in arg]
    assert bool(runner) == (target == "vertex")
    [output] = spec.component("Scorer").output_definitions.artifacts.values()
    assert output.artifact_type.instance_schema.splitlines()[0] == "title: higgs.Scores"


def test_vertex_caches_ingestion_with_a_content_key(compiled):
    spec = parse(compiled("vertex", "ingestion.content_key=events-1").read_text())
    task = spec.tasks["CollisionExampleGen"]
    assert task.caching_options.enable_cache
    assert spec.tasks["ImportSchemaGen"].caching_options.enable_cache
    value = task.inputs.parameters["content_key"].runtime_value.constant_value
    assert value.string_value == "events-1"
    hook = spec.executor("CollisionExampleGen").container.lifecycle.pre_cache_check
    assert hook.command[-1] == "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver"


def test_pipeline_roots_and_labels(specs, compiled):
    assert specs["vertex"].root == "gs://my-bucket/pipelines/higgs/artifacts"
    # Kubeflow reads the root of the request.
    assert "defaultPipelineRoot" not in compiled("kubeflow").read_text()
    assert json.loads(compiled("vertex").read_text())["labels"]["team"] == "higgs"


def test_the_folder_of_artifacts_is_not_fixed_when_the_file_is_compiled(compiled):
    for scheme in ("gs", "s3", "minio"):
        spec = parse(compiled("kubeflow", f"root={scheme}://b/r").read_text())
        arguments = spec.executor("Trainer").container.args
        assert not [text for text in arguments if text.startswith("--artifacts_folder")]


def test_an_artifacts_volume_replaces_the_launchers_folder(compiled):
    spec = parse(compiled("kubeflow", "kubeflow.artifacts_volume=/mnt/data").read_text())
    assert "--artifacts_folder=/mnt/data" in spec.executor("Trainer").container.args


def test_ingestion_gets_resources(specs):
    resources = specs["kubeflow"].executor("CollisionExampleGen").container.resources
    assert (resources.cpu_limit, resources.memory_limit) == (2, 8)


def test_a_gpu_for_the_trainer_on_kubeflow(compiled):
    gpu = "kubeflow.resources.Trainer={cpu: 8, accelerator: nvidia.com/gpu, accelerator_count: 2}"
    spec = parse(compiled("kubeflow", gpu).read_text())
    accelerator = spec.executor("Trainer").container.resources.accelerator
    assert (accelerator.type, accelerator.count) == ("nvidia.com/gpu", 2)


def test_without_volumes_there_is_no_second_document(compiled):
    folders = ("data_root=gs://d", "trainer.checkpoints=gs://c", "push.directory=gs://m")
    file = compiled("kubeflow", "kubeflow.volumes=[]", *folders)
    assert len(list(yaml.safe_load_all(file.read_text()))) == 1


def test_accelerators_exist_in_the_api():
    api_names = {accelerator.name for accelerator in AcceleratorType}
    assert set(Accelerator.__args__) <= api_names


@pytest.mark.parametrize("target", TARGETS)
def test_every_node_except_the_gates_is_retried(target, compiled):
    file = compiled(target, f"{target}.retries=2", "score.data_root=gs://bucket/new")
    spec = parse(file.read_text(), "gs://b/r")
    repeated = {name for name, task in spec.tasks.items() if task.retry_policy.max_retry_count == 2}
    assert {"StatisticsGen", "Trainer", "Evaluator", "Pusher", "Report"} <= repeated
    assert repeated.isdisjoint({"CollisionExampleGen", "DataGate", "PushGate", "Scorer"})
    policy = spec.tasks["Trainer"].retry_policy
    assert policy.backoff_duration.seconds == 60
    # On Kubeflow, Argo kills the later attempts when this time has passed since the first began.
    longest_training = {"vertex": 3600, "kubeflow": 7 * 24 * 3600}
    assert policy.backoff_max_duration.seconds == longest_training[target]


def test_nothing_is_retried_by_default(specs):
    for spec in specs.values():
        assert not any(task.HasField("retry_policy") for task in spec.tasks.values())
