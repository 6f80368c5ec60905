"""Jobs that TFX's clients create from our settings, parsed as the API's types."""

import json
import os
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dataflow.internal import apiclient
from engine.cloud import PARENT, Cloud
from engine.dag import constants
from engine.spec import command_line, parse
from forks import ADDRESS_VARIABLE, run_in_fork
from google.cloud import aiplatform_v1 as v1
from google.cloud.aiplatform.constants.base import SUPPORTED_REGIONS
from google.protobuf import json_format
from pydantic import TypeAdapter
from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient

from pipeline.cloud_config import Region

pytestmark = pytest.mark.slow

KEY = "projects/my-project/locations/us-central1/keyRings/higgs/cryptoKeys/runs"
CPU = ("vertex.training.accelerator=", "vertex.training.accelerator_count=")
POOLS = {
    "cpu": (*CPU, "vertex.training.image="),
    "gpu_spot": ("vertex.training.accelerator_count=4", "vertex.training.spot=true"),
    "gpu_hosts": ("vertex.training.replica_count=3",),
    "tpu_v3": (
        "vertex.training.machine_type=cloud-tpu",
        "vertex.training.accelerator=TPU_V3",
        "vertex.training.accelerator_count=8",
        "vertex.training.image=my-registry.example/higgs-tpu:0.1.0",
    ),
    "tpu_v5e": (
        *CPU,
        "vertex.training.machine_type=ct5lp-hightpu-4t",
        "vertex.training.tpu_topology=2x2",
        "vertex.training.image=my-registry.example/higgs-tpu:0.1.0",
        "vertex.network=projects/1/global/networks/training",
    ),
}


def custom_job(compiled, monkeypatch, *overrides):
    """Builds the CustomJob that TFX's client sends, parsed as the API does."""
    properties = constants(parse(compiled("vertex", *overrides).read_text()), "Trainer")
    job_args = json.loads(properties["custom_config"])["ai_platform_training_args"]
    assert job_args.pop("project") == "my-project"
    # Building the job needs no connection.
    monkeypatch.setattr(VertexJobClient, "create_client", lambda _: None)
    job = VertexJobClient("us-central1").create_training_job(
        {}, {}, {"seed": 0}, "tfx.components.trainer.executor.GenericExecutor", job_args, None, None
    )
    return v1.CustomJob(job)


def test_every_region_of_googles_client_is_accepted():
    regions = SUPPORTED_REGIONS - {"global"}
    TypeAdapter(set[Region]).validate_python(regions)
    assert len(regions) > 30


@pytest.mark.parametrize("pool", POOLS)
def test_golden_custom_job(pool, compiled, monkeypatch, golden):
    job = custom_job(compiled, monkeypatch, *POOLS[pool])
    text = json_format.MessageToJson(v1.CustomJob.pb(job), sort_keys=True)
    golden(f"custom_job_{pool}.json", f"{text}\n")


def test_jobs_on_spot_machines_are_restarted(compiled, monkeypatch):
    scheduling = custom_job(compiled, monkeypatch, *POOLS["gpu_spot"]).job_spec.scheduling
    assert scheduling.strategy == v1.Scheduling.Strategy.SPOT
    assert scheduling.restart_job_on_worker_restart
    assert scheduling.timeout.total_seconds() == 24 * 3600


def test_several_machines_are_a_chief_and_workers(compiled, monkeypatch):
    pools = custom_job(compiled, monkeypatch, *POOLS["gpu_hosts"]).job_spec.worker_pool_specs
    assert [pool.replica_count for pool in pools] == [1, 2]
    assert pools[0].machine_spec == pools[1].machine_spec
    assert pools[0].container_spec == pools[1].container_spec


def test_the_training_image_defaults_to_the_nodes_image(compiled, monkeypatch):
    [pool] = custom_job(compiled, monkeypatch, *POOLS["cpu"]).job_spec.worker_pool_specs
    assert pool.container_spec.image_uri.endswith("/higgs:0.1.0")
    assert pool.machine_spec.accelerator_type == v1.AcceleratorType.ACCELERATOR_TYPE_UNSPECIFIED


def test_network_and_key_apply_to_the_training_job(compiled, monkeypatch):
    attachment = "projects/1/regions/us-central1/networkAttachments/training"
    job = custom_job(
        compiled,
        monkeypatch,
        f"vertex.encryption_key={KEY}",
        f"vertex.psc_network_attachment={attachment}",
        "vertex.reserved_ip_ranges=[jobs]",
    )
    assert job.encryption_spec.kms_key_name == KEY
    assert job.job_spec.psc_interface_config.network_attachment == attachment
    assert list(job.job_spec.reserved_ip_ranges) == ["jobs"]


def trainer_with(resources):
    return (f"kubeflow.resources={{Trainer: {{{resources}}}}}",)


@pytest.mark.parametrize(
    ("target", "overrides", "accelerator"),
    [
        ("vertex", (), ("gpu", 1)),
        ("vertex", POOLS["gpu_spot"], ("gpu", 4)),
        ("vertex", POOLS["cpu"], (None, None)),
        ("vertex", POOLS["tpu_v3"], ("tpu", 8)),
        ("vertex", POOLS["tpu_v5e"], ("tpu", 4)),
        ("kubeflow", (), (None, None)),
        ("kubeflow", trainer_with("accelerator: nvidia.com/gpu"), ("gpu", 1)),
        ("kubeflow", trainer_with("accelerator: amd.com/gpu, accelerator_count: 2"), ("gpu", 2)),
        ("kubeflow", trainer_with("accelerator: google.com/tpu"), ("tpu", 1)),
        ("kubeflow", trainer_with("accelerator: nvidia.com/mig-1g"), ("gpu", 1)),
        ("kubeflow", trainer_with("cpu: 4"), (None, None)),
    ],
)
def test_the_trainer_requires_the_requested_accelerators(target, overrides, accelerator, compiled):
    properties = constants(parse(compiled(target, *overrides).read_text()), "Trainer")
    settings = json.loads(properties["custom_config"])
    assert (settings.get("accelerator"), settings.get("accelerator_count")) == accelerator


def test_dataflow_gets_the_encryption_key(compiled):
    spec = parse(compiled("vertex", f"vertex.encryption_key={KEY}").read_text())
    assert f"--dataflow_kms_key={KEY}" in spec.executor("Evaluator").container.args


def test_dataflow_gets_machine_types_image_and_account(compiled):
    spec = parse(compiled("vertex").read_text())
    arguments = list(spec.executor("Evaluator").container.args)
    options = PipelineOptions(arguments[arguments.index("--runner=DataflowRunner") :])
    environment = json.loads(
        apiclient.encoding.MessageToJson(
            apiclient.Environment(
                packages=[],
                options=options,
                environment_version=apiclient._FNAPI_ENVIRONMENT_MAJOR_VERSION,
                proto_pipeline_staged_url="gs://my-bucket/pipeline.pb",
            ).proto
        )
    )
    assert environment["tempStoragePrefix"].endswith("my-bucket/pipelines/higgs/dataflow/temp")
    assert environment["serviceAccountEmail"] == "higgs@my-project.iam.gserviceaccount.com"
    [pool] = environment["workerPools"]
    assert pool["machineType"] == "n1-highmem-4"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 8
    assert '"my-project"' in json.dumps(environment["sdkPipelineOptions"])
    assert "higgs-worker:0.1.0" in json.dumps(environment["sdkPipelineOptions"])


def test_dataflow_for_a_single_node_gets_the_same_options(compiled):
    override = "beam={args: [--runner=DirectRunner], nodes: {Evaluator: [--runner=DataflowRunner]}}"
    spec = parse(compiled("vertex", override).read_text())
    arguments = list(spec.executor("Evaluator").container.args)
    assert "--project=my-project" in arguments
    assert any(argument.endswith("/higgs-worker:0.1.0") for argument in arguments)


@pytest.mark.e2e
def test_deployment_to_an_endpoint(compiled, tmp_path):
    """Runs the compiled Pusher's command, without the copy into a bucket."""
    file = compiled("vertex", "vertex.endpoint={name: higgs, traffic_percentage: 20}")
    command = command_line(parse(file.read_text()).executor("Pusher").container)
    invocation = executor_input(parse(file.read_text()), tmp_path)
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    (tmp_path / "model" / "Format-Serving" / "saved_model.pb").write_text("graph")
    cloud = Cloud(tmp_path)
    name = f"{PARENT}/endpoints/1"
    cloud.endpoints[name] = v1.Endpoint(
        name=name,
        display_name="higgs",
        deployed_models=[v1.DeployedModel(id="7", model=f"{PARENT}/models/7")],
        traffic_split={"7": 100},
    )
    script = Path(__file__).with_name("push_without_bucket.py")
    code = run_in_fork(
        os.environ[ADDRESS_VARIABLE],
        [str(script), *(word.replace("{{$}}", invocation) for word in command[3:])],
        tmp_path / "log",
        folder=tmp_path,
        environment={**cloud.environment(), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    cloud.close()
    assert code == 0, (tmp_path / "log").read_text()[-3000:]
    [upload], [deploy] = cloud.requests["UploadModel"], cloud.requests["DeployModel"]
    assert upload.model.artifact_uri == "gs://my-bucket/pushed_model"
    assert "tf2-cpu" in upload.model.container_spec.image_uri
    assert dict(deploy.traffic_split) == {"0": 20, "7": 80}
    assert upload.model.display_name == deploy.deployed_model.display_name
    machines = deploy.deployed_model.dedicated_resources
    assert machines.machine_spec.machine_type == "n1-standard-2"
    assert deploy.deployed_model.service_account == "higgs@my-project.iam.gserviceaccount.com"
    pushed = json.loads((tmp_path / "output.json").read_text())["artifacts"]["pushed_model"]
    assert pushed["artifacts"][0]["metadata"]["pushed"] == 1


def executor_input(spec, folder):
    schemas = spec.component("Pusher").input_definitions.artifacts

    def artifact(key, uri, **metadata):
        kind = {"instanceSchema": schemas[key].artifact_type.instance_schema}
        return {"artifacts": [{"name": key, "uri": uri, "type": kind, "metadata": metadata}]}

    pushed = spec.component("Pusher").output_definitions.artifacts["pushed_model"].artifact_type
    return json.dumps(
        {
            "inputs": {
                "parameters": {
                    key: {"stringValue": value} for key, value in constants(spec, "Pusher").items()
                },
                "artifacts": {
                    "model": artifact("model", str(folder / "model")),
                    "model_blessing": artifact("model_blessing", "gs://b/m", blessed=1),
                    "infra_blessing": artifact("infra_blessing", "gs://b/i", blessed=1),
                },
            },
            "outputs": {
                "artifacts": {
                    "pushed_model": {
                        "artifacts": [
                            {
                                "name": "pushed",
                                "uri": "gs://my-bucket/pushed_model",
                                "type": {"instanceSchema": pushed.instance_schema},
                            }
                        ]
                    }
                },
                "outputFile": str(folder / "output.json"),
            },
        }
    )
