"""Compiled files: golden ones, and what must hold of any."""

import json

import pytest
import yaml
from engine.spec import parse
from google.cloud.aiplatform_v1.types import AcceleratorType

from kubeflow.cloud_targets import TARGETS
from pipeline.cloud_config import Accelerator
from pipeline.graph import SCHEMA_FILE

MOUNTS = ("/mnt/data", "/mnt/models")


@pytest.fixture(scope="module")
def specs(compiled):
    return {target: parse(compiled(target).read_text()) for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_golden_file(target, compiled, golden):
    file = compiled(target)
    golden(f"{target}{file.suffix}", file.read_text())


def test_both_targets_have_the_graph_of_this_machine(specs):
    names = {target: set(spec.tasks) for target, spec in specs.items()}
    resolvers = {"Baseline-model-blessing-resolver", "Baseline-model-resolver"}
    assert names["vertex"] - resolvers == names["kubeflow"] - {"Baseline"}
    assert {"CollisionExampleGen", "Trainer", "Pusher", "PushGate"} <= names["kubeflow"]


def test_every_container_has_the_image_and_our_entry(specs):
    for spec in specs.values():
        containers = [e.container for e in spec.executors.values() if e.HasField("container")]
        assert len(containers) >= 11
        for container in containers:
            assert container.image.endswith("higgs:0.1.0")
            assert list(container.command) == ["python", "-m", "kubeflow.container"]


def test_nodes_carry_the_digest_of_their_code(specs):
    for spec in specs.values():
        for name in ("CollisionExampleGen", "DataGate", "Trainer", "Evaluator", "PushGate"):
            flags = [
                a for a in spec.executor(name).container.args if a.startswith("--code_version=")
            ]
            assert len(flags) == 1


def test_beam_options_go_to_beam_nodes_alone(specs):
    spec = specs["vertex"]
    for name in ("CollisionExampleGen", "StatisticsGen", "HistogramGen", "Evaluator"):
        assert "--runner=DataflowRunner" in spec.executor(name).container.args
    for name in ("Trainer", "DataGate", "Pusher", "Report", "ImportSchemaGen"):
        assert not [
            a for a in spec.executor(name).container.args if "worker" in a or "Dataflow" in a
        ]


def test_a_nodes_own_beam_options_come_last(specs):
    args = list(specs["vertex"].executor("Evaluator").container.args)
    machines = [arg for arg in args if arg.startswith("--worker_machine_type=")]
    assert machines == [
        "--worker_machine_type=n1-standard-4",
        "--worker_machine_type=n1-highmem-4",
    ]


def test_the_reviewed_schema_is_in_the_file(specs):
    for spec in specs.values():
        given = spec.tasks["ImportSchemaGen"].inputs.parameters["content"].runtime_value
        text = given.constant.string_value or given.constant_value.string_value
        assert text == SCHEMA_FILE.read_text()


def test_kubeflow_gets_nothing_that_its_backend_ignores(specs):
    spec = specs["kubeflow"]
    assert {executor.WhichOneof("spec") for executor in spec.executors.values()} == {"container"}
    assert not any(
        executor.container.lifecycle.pre_cache_check.command for executor in spec.executors.values()
    )
    cached = {name for name, task in spec.tasks.items() if task.caching_options.enable_cache}
    assert set(spec.tasks) - cached == {"CollisionExampleGen", "Baseline"}


def test_kubeflow_mounts_every_volume_everywhere(specs):
    spec = specs["kubeflow"]
    assert set(spec.mounts) == set(spec.executors)
    assert set(spec.mounts.values()) == {MOUNTS}


def test_vertex_caches_every_node_and_drives_ingestion(specs):
    spec = specs["vertex"]
    for name in spec.tasks:
        if spec.executor(name).HasField("container"):
            assert spec.tasks[name].caching_options.enable_cache, name
    hook = spec.executor("CollisionExampleGen").container.lifecycle.pre_cache_check
    assert hook.command[-1] == "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver"


def test_roots_and_labels(specs, compiled):
    assert specs["vertex"].root == "gs://my-bucket/pipelines/higgs/artifacts"
    assert specs["kubeflow"].root == "minio://my-bucket/higgs/artifacts"
    assert json.loads(compiled("vertex").read_text())["labels"]["team"] == "higgs"


@pytest.mark.parametrize(
    ("root", "folder"), [("gs://b/r", "/gcs"), ("s3://b/r", "/s3"), ("minio://b/r", "/minio")]
)
def test_a_container_is_told_the_launchers_folder(root, folder, compiled):
    spec = parse(compiled("kubeflow", f"root={root}").read_text())
    assert f"--artifacts_folder={folder}" in spec.executor("Trainer").container.args


def test_a_volume_for_artifacts_takes_the_launchers_place(compiled):
    spec = parse(compiled("kubeflow", "kubeflow.artifacts_volume=/mnt/data").read_text())
    assert "--artifacts_folder=/mnt/data" in spec.executor("Trainer").container.args


def test_resources_reach_ingestion_too(specs):
    given = specs["kubeflow"].executor("CollisionExampleGen").container.resources
    assert (given.cpu_limit, given.memory_limit) == (2, 8)


def test_a_gpu_for_the_trainer_on_kubeflow(compiled):
    gpu = "kubeflow.resources.Trainer={cpu: 8, accelerator: nvidia.com/gpu, accelerator_count: 2}"
    given = parse(compiled("kubeflow", gpu).read_text()).executor("Trainer").container.resources
    assert (given.accelerator.type, given.accelerator.count) == ("nvidia.com/gpu", 2)


def test_without_volumes_there_is_no_second_document(compiled):
    reachable = ("data_root=gs://d", "trainer.checkpoints=gs://c", "push.directory=gs://m")
    file = compiled("kubeflow", "kubeflow.volumes=[]", *reachable)
    assert len(list(yaml.safe_load_all(file.read_text()))) == 1


def test_accelerators_are_those_of_the_api():
    known = {kind.name for kind in AcceleratorType}
    assert set(Accelerator.__args__) <= known
