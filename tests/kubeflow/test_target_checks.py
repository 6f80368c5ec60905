"""Configurations that a target cannot run are rejected before anything is compiled."""

from pathlib import Path

import pytest

from kubeflow.dataflow_options import beam_runners
from kubeflow.target_checks import check_kubeflow, check_vertex
from pipeline.config import BeamConfig, ConfigError, load_config

CONFIGS = Path(__file__).parents[2] / "configs"
CHECKS = {"vertex": check_vertex, "kubeflow": check_kubeflow}

CPU = ("vertex.training.accelerator=", "vertex.training.accelerator_count=")
TPU = ("vertex.training.machine_type=cloud-tpu", "vertex.training.accelerator_count=8")
V5E = "vertex.training.machine_type=ct5lp-hightpu-4t"


def gpu(machine, accelerator, count):
    """Overrides for a training on GPUs."""
    settings = {"machine_type": machine, "accelerator": accelerator, "accelerator_count": count}
    return [f"vertex.training.{key}={value}" for key, value in settings.items()]


def check(target, *overrides):
    return CHECKS[target](load_config(CONFIGS / f"{target}.yaml", overrides))


@pytest.mark.parametrize("target", CHECKS)
def test_shipped_configurations_pass(target):
    assert check(target).image.endswith("higgs:0.1.0")


@pytest.mark.parametrize(
    "overrides",
    [
        CPU,
        gpu("g2-standard-48", "NVIDIA_L4", 4),
        gpu("g2-standard-12", "NVIDIA_L4", 1),
        gpu("n1-standard-96", "NVIDIA_TESLA_V100", 8),
        gpu("n1-custom-8-30720", "NVIDIA_TESLA_T4", 1),
        gpu("n1-highmem-32", "NVIDIA_TESLA_P100", 2),
        gpu("a2-megagpu-16g", "NVIDIA_TESLA_A100", 16),
        gpu("a2-ultragpu-2g", "NVIDIA_A100_80GB", 2),
        gpu("a3-highgpu-1g", "NVIDIA_H100_80GB", 1),
        gpu("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8),
        (*TPU, "vertex.training.accelerator=TPU_V2"),
        (*TPU, "vertex.training.accelerator=TPU_V3"),
        (*CPU, V5E, "vertex.training.tpu_topology=2x2"),
        (*CPU, "vertex.training.image="),
        ("vertex.worker_image=", "beam.args=[]"),
        (
            "vertex.worker_image=",
            "beam={args: [--runner=DataflowRunner, --sdk_container_image=my-worker]}",
        ),
        (
            "vertex.worker_image=",
            "beam.args=[]",
            "beam={nodes: {Evaluator: [--runner=DataflowRunner, --sdk_container_image=mine]}}",
        ),
        ("vertex.endpoint.name=higgs",),
        ("push.directory=gs://models/higgs",),
        ("vertex.project=123456789012", "beam.args=[]"),
        (
            "vertex.project=123456789012",
            "beam.args=[--runner=DataflowRunner, --project=my-project]",
        ),
        ("vertex.labels={\u00e9quipe: \u7d20\u7c92\u5b50}",),
    ],
)
def test_valid_vertex_configurations_pass(overrides):
    check("vertex", *overrides)


@pytest.mark.parametrize(
    ("overrides", "phrases"),
    [
        (["root=runs/vertex"], ["root: Vertex AI", "got runs/vertex; give gs://BUCKET/..."]),
        (["data_root=/data"], ["data_root: Vertex", "got /data"]),
        (["push.directory=/m"], ["push.directory: Vertex", "got /m"]),
        (
            ["name=1higgs"],
            ["name: '1higgs'", "starts with a lowercase letter"],
        ),
        ([f"name=h{'i' * 63}"], ["has 64 characters", "at most 63 of [a-z0-9-]"]),
        (
            ["ingestion.layout=auto"],
            ["ingestion.layout: auto cannot look at gs://", "give folders"],
        ),
        (
            ["vertex.training.accelerator="],
            ["accelerator None and accelerator_count 1 go together"],
        ),
        (
            [*TPU, "vertex.training.accelerator=TPU_V3", "vertex.training.replica_count=2"],
            ["replica_count: 2 machines with a TPU", "a TPU slice with one host has 1 replica"],
        ),
        (
            [TPU[0], "vertex.training.accelerator=TPU_V3", "vertex.training.accelerator_count=32"],
            ["accelerator_count: 32 TPU cores; a slice with one host has 8", "give 8"],
        ),
        (
            [TPU[0]],
            ["machine_type cloud-tpu with accelerator TPU_V2 or TPU_V3, got cloud-tpu with"],
        ),
        (
            [*CPU, V5E, "vertex.training.tpu_topology=4x4"],
            ["tpu_topology: 4x4 on ct5lp-hightpu-4t", "ct5lp-hightpu-4t is 2x2"],
        ),
        ([V5E, "vertex.training.tpu_topology=2x2"], ["remove accelerator and accelerator_count"]),
        (
            ["vertex.endpoint.name=higgs", "push.directory=gs://b/m"],
            ["push.directory: gs://b/m would stay empty", "remove one of the two"],
        ),
        (
            ["vertex.endpoint={name: a, min_replicas: 3, max_replicas: 2}"],
            ["min_replicas: 3 is above max_replicas 2"],
        ),
        (
            [
                "vertex.endpoint.name=higgs",
                "vertex.encryption_key=projects/p/locations/l/keyRings/r/cryptoKeys/k",
            ],
            ["vertex.encryption_key: TFX's Pusher creates", "remove vertex.endpoint"],
        ),
        (
            ["vertex.training.image="],
            ["training.image: missing", "does not use NVIDIA_TESLA_T4", "target gpu"],
        ),
        (
            [*CPU, V5E, "vertex.training.tpu_topology=2x2", "vertex.training.image="],
            ["training.image: missing", "does not use 2x2", "Dockerfile.tpu"],
        ),
        (
            ["vertex.training.accelerator=NVIDIA_L4"],
            ["machine_type: n1-standard-8 has no NVIDIA_L4; give a machine type g2-..."],
        ),
        (
            gpu("a2-ultragpu-1g", "NVIDIA_TESLA_A100", 1),
            ["give a machine type a2-highgpu-... or a2-megagpu-..."],
        ),
        (
            gpu("n1-standard-8", "NVIDIA_TESLA_T4", 3),
            ["accelerator_count: 3 NVIDIA_TESLA_T4 on n1-standard-8; give 1 or 2 or 4"],
        ),
        (gpu("n1-standard-8", "NVIDIA_TESLA_T4", 8), ["on n1-standard-8; give 1 or 2 or 4"]),
        (gpu("n1-highmem-32", "NVIDIA_TESLA_V100", 2), ["on n1-highmem-32; give 4 or 8"]),
        (gpu("a2-highgpu-2g", "NVIDIA_TESLA_A100", 4), ["4 NVIDIA_TESLA_A100 on", "give 1 or 2"]),
        (gpu("g2-standard-12", "NVIDIA_L4", 2), ["2 NVIDIA_L4 on g2-standard-12; give 1"]),
        (gpu("g2-standard-32", "NVIDIA_L4", 2), ["2 NVIDIA_L4 on g2-standard-32; give 1"]),
        (
            [*CPU, "vertex.training.machine_type=a2-highgpu-1g"],
            ["machine_type: a2-highgpu-1g is a machine with GPUs; give their accelerator"],
        ),
        (
            [*CPU, "vertex.training.machine_type=ct6e-standard-4t"],
            ["tpu_topology: None on ct6e-standard-4t; TPU v5e slices"],
        ),
        (["data_root=gs://My-Bucket/higgs"], ["Cloud Storage only, got gs://My-Bucket/higgs"]),
        (
            ["vertex.project=123456789012"],
            ["on Dataflow: Invalid Project ID (123456789012)", "not project number"],
        ),
        (
            ["beam.args=[--runner=DataflowRunner, --num_workers=4, --max_num_workers=2]"],
            ["on Dataflow: num_workers (4) cannot exceed max_num_workers (2)"],
        ),
        (
            ["beam.nodes={Evaluator: [--worker_region=us-east1, --worker_zone=us-east1-b]}"],
            ["on Dataflow: worker_region and worker_zone are mutually exclusive"],
        ),
        (
            ["beam.args=[--runner=DataflowRunner, --temp_location=/tmp/x]"],
            ["on Dataflow: Invalid GCS path (/tmp/x), given for the option: temp_location"],
        ),
        (
            ["vertex.resources={Trainer: {accelerator: NVIDIA_TESLA_T4}}"],
            ["vertex.resources.Trainer.accelerator: NVIDIA_TESLA_T4 would be idle"],
        ),
        (
            ["vertex.encryption_key=projects/p/locations/global/keyRings/r/cryptoKeys/k"],
            ["cryptoKeys/k is in global; jobs in vertex.region us-central1 can use only what"],
        ),
        (
            [
                "vertex.psc_network_attachment="
                "projects/p/regions/europe-west1/networkAttachments/higgs"
            ],
            ["networkAttachments/higgs is in europe-west1"],
        ),
        (
            ["beam.args=[--runner=DataflowRunner, --job_name=higgs]"],
            ["beam.args: --job_name is the same for all nodes", "remove it"],
        ),
        (["vertex.worker_image="], ["worker_image: missing", "higgs:0.1.0", "target worker"]),
        (
            ["vertex.worker_image=", "beam={nodes: {Evaluator: [--runner=DataflowRunner]}}"],
            ["worker_image: missing"],
        ),
    ],
)
def test_vertex_errors_name_value_rule_and_remedy(overrides, phrases):
    with pytest.raises(ConfigError) as error:
        check("vertex", *overrides)
    assert [phrase for phrase in phrases if phrase not in str(error.value)] == []


@pytest.mark.parametrize(
    ("overrides", "phrases"),
    [
        (["root=/mnt/data/root"], ["root: Kubeflow's launcher", "gs://, s3://, minio://"]),
        (["data_root=/elsewhere"], ["data_root: a node's container cannot reach /elsewhere"]),
        (["push.directory=/mnt/models/../x"], ["container cannot reach /mnt/models/../x"]),
        (["data_root=/mnt/database"], ["cannot reach /mnt/database", "/mnt/data, /mnt/models"]),
        (["push.directory=s3://models"], ["push.directory: a node's container cannot reach s3://"]),
        (
            ["trainer.checkpoints=s3://c"],
            ["trainer.checkpoints: a node's container cannot reach s3://c"],
        ),
        (["kubeflow.artifacts_volume=/mnt/x"], ["nothing is mounted at /mnt/x"]),
        (
            ["kubeflow.schedule={cron: TZ=UTC 0 3 * * 1}"],
            ["'TZ=UTC 0 3 * * 1' has a time zone, which Kubeflow does not accept"],
        ),
        (["beam.args=[--runner=FlinkRunner]"], ["the workers of FlinkRunner cannot see"]),
        (
            ["beam.nodes={Evaluator: [--runner=SparkRunner]}"],
            ["the workers of SparkRunner cannot see"],
        ),
    ],
)
def test_kubeflow_errors_name_value_rule_and_remedy(overrides, phrases):
    with pytest.raises(ConfigError) as error:
        check("kubeflow", *overrides)
    assert [phrase for phrase in phrases if phrase not in str(error.value)] == []


def test_a_mount_path_may_have_one_letter():
    check(
        "kubeflow",
        "kubeflow.volumes=[{claim: a, mount_path: /d}]",
        "data_root=/d/higgs",
        "push.directory=/d/m",
        "trainer.checkpoints=/d/c",
    )


@pytest.mark.parametrize("root", ["gs://b/r", "s3://b/r", "minio://b/r"])
def test_kubeflow_accepts_each_object_store(root):
    check("kubeflow", f"root={root}")


def test_an_artifacts_volume_allows_remote_beam_runners():
    volume = "kubeflow.artifacts_volume=/mnt/data"
    check("kubeflow", volume, "beam.args=[--runner=FlinkRunner]")


def test_dataflow_does_not_see_volumes_of_a_cluster():
    with pytest.raises(ConfigError, match="DataflowRunner: its workers cannot mount"):
        check(
            "kubeflow",
            "kubeflow.artifacts_volume=/mnt/data",
            "beam.args=[--runner=DataflowRunner]",
        )


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("data_root={}/data/[v1]", "data_root: TFX treats [ ] in a path as a pattern: rename"),
        ("push.directory={}/models/v*", "push.directory: TFX treats * in a path as a pattern"),
        ("trainer.checkpoints={}/models/v?", "trainer.checkpoints: TFX treats ? in a path as"),
        ("score={{data_root: '{}/data/{{v}}'}}", "score.data_root: TFX treats {{ }} in a path"),
        (
            "score={{data_root: {}/data/new, columns: [a, '{{{{b}}}}']}}",
            "score.columns: '{{{{b}}}}' has '{{{{', which engines would replace; choose another",
        ),
        ("ingestion.content_key=v$(ID)", "ingestion.content_key: 'v$(ID)' has '$(', which engi"),
        ("ingestion.ignore_keys=[w$$]", "ingestion.ignore_keys: 'w$$' has '$$', which engines"),
    ],
)
@pytest.mark.parametrize(("target", "store"), [("vertex", "gs:/"), ("kubeflow", "/mnt")])
def test_text_that_nodes_would_not_get_as_it_is_written_is_refused(
    target, store, override, problem
):
    with pytest.raises(ConfigError) as error:
        check(target, override.format(store))
    assert any(line.startswith(problem.format()) for line in str(error.value).splitlines())


def test_a_missing_section_names_its_example():
    for target, example in (("vertex", "kubeflow.yaml"), ("kubeflow", "vertex.yaml")):
        with pytest.raises(ConfigError, match=f"{target}: missing; see configs/{target}.yaml"):
            CHECKS[target](load_config(CONFIGS / example))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("vertex.project=", "vertex.project: must be a valid string, got None"),
        ("vertex.project=My Project", "'My Project' is not the id of a project (6 to 30 of"),
        ("vertex.project=0123", "is not the id of a project (6 to 30 of [a-z0-9-]) or its number"),
        ("vertex.region=us-centrall1", "'us-centrall1' is not a region of Google Cloud, such as"),
        ("vertex.region=us-central1-a", "'us-central1-a' is not a region of Google Cloud"),
        ("vertex.region=eu-west1", "'eu-west1' is not a region of Google Cloud"),
        ("vertex.training.accelerator=NVIDIA_T4", "'NVIDIA_TESLA_T4'"),
        # Of the API, but TensorFlow 2.16 has no code for it.
        ("vertex.training.accelerator=NVIDIA_B200", "'TPU_V3', got 'NVIDIA_B200'"),
        ("vertex.training.acelerator=x", "did you mean vertex.training.accelerator?"),
        ("vertex.training.tpu_topology=2by2", "vertex.training.tpu_topology: String should match"),
        ("vertex.labels={Team: a}", "{0,62}$', got 'Team'"),
        ("vertex.labels={1a: a}", "{0,62}$', got '1a'"),
        ("vertex.labels={'': a}", "{0,62}$', got ''"),
        ("vertex.labels={a: '\u00c4'}", "{0,63}$', got '\u00c4'"),
        ("vertex.training.machine_type=n1standard8", "'n1standard8' is not a machine type, such"),
        (
            f"vertex.labels={{{', '.join(f'l{n}: a' for n in range(59))}}}",
            "vertex.labels: Dictionary should have at most 58 items",
        ),
        ("vertex.image=Registry.example/Higgs:1", "'Registry.example/Higgs:1' is not the name of"),
        ("vertex.image=", "vertex.image: must be a valid string"),
        ("vertex.training.image=my image", "'my image' is not the name of an image, REGISTRY"),
        ("vertex.service_account=higgs", "'higgs' is not a service account, such as NAME@"),
        ("vertex.network=my-vpc", "'my-vpc' is not a network, projects/PROJECT_NUMBER/global"),
        ("vertex.network=projects/my-p/global/networks/n", "is not a network, projects/PROJECT_N"),
        ("vertex.psc_network_attachment=a/b", "'a/b' is not a network attachment, projects/"),
        ("vertex.endpoint={name: 'a\"b'}", "without quotation marks and backslashes"),
        ("vertex.resources={Trainer: {memory_gb: 0.00001}}", "greater than or equal to 0.1"),
        ("vertex.resources={Evaluator: {accelerator_count: 2}}", "2 needs an accelerator"),
        ("vertex.schedule={cron: 0 3 * * 1, max_concurrent_runs: 0}", "greater than or equal to 1"),
        ("vertex.schedule={cron: 0 3 * * 1, max_concurrent_runs: 11}", "less than or equal to 10"),
        ("vertex.schedule.cron=daily", "vertex.schedule.cron: 'daily' does not have five fields"),
        ("vertex.retries=true", "vertex.retries: must be a number, not true or false, got True"),
        ("vertex.training.accelerator_count=true", "accelerator_count: must be a number, not tru"),
        ("vertex.resources={Evaluator: {cpu: true}}", "cpu: must be a number, not true or false"),
        ("beam.nodes={Trainer: [--x]}", "'TestEvaluator' or 'Scorer', got"),
    ],
)
def test_single_keys_are_validated(override, message):
    with pytest.raises(ConfigError) as error:
        load_config(CONFIGS / "vertex.yaml", [override])
    assert message in str(error.value)


@pytest.mark.parametrize("key", ["namespace", "service_account"])
def test_kubernetes_names_are_validated(key):
    for name in ("Higgs", "a_b", "-a", "a" * 254, "higgs@my-project.iam.gserviceaccount.com"):
        with pytest.raises(ConfigError, match=f"kubeflow.{key}: '{name}' is not a name in Kub"):
            load_config(CONFIGS / "kubeflow.yaml", [f"kubeflow.{key}={name}"])


def test_kubernetes_service_accounts_may_have_dots_but_namespaces_may_not():
    assert load_config(CONFIGS / "kubeflow.yaml", ["kubeflow.service_account=higgs.runner"])
    for name in ("higgs.runner", "a" * 64):
        with pytest.raises(ConfigError, match=f"kubeflow.namespace: '{name}' is not a name in Kub"):
            load_config(CONFIGS / "kubeflow.yaml", [f"kubeflow.namespace={name}"])


@pytest.mark.parametrize("claim", ["higgs.shared", "a" * 64, "Higgs"])
def test_claims_have_names_that_volumes_of_a_pod_can_have(claim):
    volumes = f"kubeflow.volumes=[{{claim: {claim}, mount_path: /mnt/data}}]"
    with pytest.raises(ConfigError, match=rf"kubeflow\.volumes\S+claim: .*got '{claim}'"):
        load_config(CONFIGS / "kubeflow.yaml", [volumes])


def test_a_job_name_is_refused_on_dataflow_alone():
    check("vertex", "beam.args=[--job_name=higgs]")


@pytest.mark.parametrize(
    "image",
    [
        "higgs",
        "localhost:5000/higgs",
        "my-registry.example/a/b__c/higgs:0.1.0-rc.1_GPU",
        f"europe-docker.pkg.dev/p/r/higgs@sha256:{'0' * 64}",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/higgs:1",
    ],
)
def test_names_of_images_are_accepted(image):
    config = load_config(CONFIGS / "kubeflow.yaml", [f"kubeflow.image={image}"])
    assert config.kubeflow.image == image


def test_a_missing_project_is_named(tmp_path):
    file = tmp_path / "vertex.yaml"
    lines = (CONFIGS / "vertex.yaml").read_text().splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith("  project:")))
    with pytest.raises(ConfigError, match=r"vertex\.project: missing; give it in the file or with"):
        load_config(file)


def test_the_last_runner_of_a_node_wins():
    assert beam_runners(BeamConfig()) == {"DirectRunner"}
    twice = ("--runner=spark", "--parallelism=1", "--runner=dataflow")
    assert beam_runners(BeamConfig(args=twice)) == {"DataflowRunner"}
    nodes = {"Evaluator": ("--runner=flink",), "StatisticsGen": ("--parallelism=1",)}
    runners = beam_runners(BeamConfig(args=twice, nodes=nodes))
    assert runners == {"DataflowRunner", "FlinkRunner"}


@pytest.mark.parametrize(
    ("root", "artifacts"),
    [
        ("s3://b", "s3://b/artifacts"),
        ("gs://b/", "gs://b/artifacts"),
        ("minio://mlpipeline/v2/", "minio://mlpipeline/v2/artifacts"),
        (
            "s3://b/p?region=eu-west-1&endpoint=s3:9000",
            "s3://b/p/artifacts?region=eu-west-1&endpoint=s3:9000",
        ),
        ("minio://b/p/?disableSSL=true", "minio://b/p/artifacts?disableSSL=true"),
        ("minio://b/2026=11/\u00fc_(1)", "minio://b/2026=11/\u00fc_(1)/artifacts"),
    ],
)
def test_the_root_of_kubeflow_is_the_launchers(root, artifacts):
    config = load_config(CONFIGS / "kubeflow.yaml", (f"root={root}",))
    check_kubeflow(config)
    assert config.artifacts_root == artifacts


UNREADABLE = [
    "/b/p",
    "b/a+b",
    "b/a%20b",
    "b/a#b",
    "b/a&b",
    "b/{{x}}",
    "b_/p",
]


@pytest.mark.parametrize("location", ["", "my bucket/p", "b/a b", "b/p/ ", *UNREADABLE])
def test_a_root_that_the_launcher_reads_differently_is_rejected(location):
    with pytest.raises(ConfigError, match="is not SCHEME://BUCKET/FOLDER"):
        check("kubeflow", f"root=s3://{location}")


@pytest.mark.parametrize(
    ("target", "root"),
    [
        ("kubeflow", "gs://b/p?region=x"),
        ("kubeflow", "s3://b/p?"),
        ("kubeflow", "s3://b/p?a=b c"),
        ("vertex", "gs://b/p?x=1"),
    ],
)
def test_a_query_that_no_engine_reads_is_rejected(target, root):
    with pytest.raises(ConfigError, match=r"root: .* has the query .* remove it"):
        check(target, f"root={root}")


def test_a_bucket_without_a_name_is_rejected():
    with pytest.raises(
        ConfigError, match="data_root: Vertex AI uses Cloud Storage only, got gs://"
    ):
        check("vertex", "data_root=gs://")


def test_two_kinds_of_private_network_are_rejected():
    attachment = "projects/p/regions/us-central1/networkAttachments/a"
    network = "vertex.network=projects/1/global/networks/n"
    with pytest.raises(ConfigError, match="a job has one of the two"):
        check("vertex", network, f"vertex.psc_network_attachment={attachment}")


@pytest.mark.parametrize(
    ("volumes", "message"),
    [
        (
            "[{claim: a, mount_path: /mnt/x}, {claim: b, mount_path: /mnt/x}]",
            "two claims are mounted at /mnt/x",
        ),
        ("[{claim: a, mount_path: /minio}]", "/minio is a folder of Kubeflow's own"),
        ("[{claim: a, mount_path: '/mnt/a:b'}]", "has a colon"),
    ],
)
def test_mounts_that_no_pod_can_have_are_rejected(volumes, message):
    with pytest.raises(ConfigError, match=message):
        check("kubeflow", f"kubeflow.volumes={volumes}")


@pytest.mark.parametrize(
    ("target", "device", "message"),
    [
        ("kubeflow", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_T4 is not a resource of Kubernetes"),
        ("kubeflow", "Nvidia.com/gpu", "Nvidia.com/gpu is not a resource of Kubernetes"),
        ("vertex", "nvidia.com/gpu", "nvidia.com/gpu is not a type of Vertex AI"),
    ],
)
def test_each_target_names_devices_in_its_own_way(target, device, message):
    with pytest.raises(ConfigError, match=message):
        check(target, f"{target}.resources={{Evaluator: {{accelerator: {device}}}}}")
