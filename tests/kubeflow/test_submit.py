"""`higgs submit` against local servers that implement the calls it makes."""

import gc
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from engine.api_server import Installation
from engine.cloud import Cloud
from google.cloud import aiplatform_v1 as v1

from pipeline.cli.main import main

HIGGS = Path(sys.executable).with_name("higgs")
CONFIGS = Path(__file__).parents[2] / "configs"
pytestmark = [
    pytest.mark.e2e,
    # google-auth requests an account's regions in the background and leaves its socket open.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

FAILED = {"state": "FAILED"}


@dataclass(frozen=True)
class Result:
    """Exit code and output of a command."""

    returncode: int
    stdout: str
    stderr: str


def arguments(target, *more):
    return ["submit", "--target", target, "--config", str(CONFIGS / f"{target}.yaml"), *more]


def submit(target, *more, **environment):
    """Runs the command in this process, because imports take nearly all of its time."""
    unset = dict.fromkeys(("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"))
    result = CliRunner().invoke(main, arguments(target, *more), env={**unset, **environment})
    return Result(result.exit_code, result.stdout, result.stderr)


def start(target, *more, **environment):
    """Starts the installed command, as a user does."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME")}
    process = subprocess.run(
        [HIGGS, *arguments(target, *more)],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )
    return Result(process.returncode, process.stdout, process.stderr)


def tasks(**states):
    details = [{"display_name": name, "state": state} for name, state in states.items()]
    # Kubeflow also lists the workflow, its root, and each node's driver and executor.
    for state in set(states.values()):
        names = ("higgs-x7k2p", "root", "root-driver", "executor", "Trainer-driver")
        details += [{"display_name": name, "state": state} for name in names]
    return {"run_details": {"task_details": details}}


@pytest.fixture
def installation():
    servers = []

    def listen(*states):
        servers.append(Installation(*states))
        return servers[-1]

    yield listen
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    # Shared by all tests: gRPC reads the certificates that it trusts once per process.
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(services):
    services.requests.clear()
    services.pipeline_states = []
    yield services
    # Objects that the client left must not cause warnings in another test.
    gc.collect()


def test_submit_sends_the_compiled_file_to_kubeflow_and_exits_0_if_pushed(installation):
    server = installation(
        {"state": "RUNNING", **tasks(Trainer="RUNNING")},
        {"state": "SUCCEEDED", **tasks(Trainer="SUCCEEDED", PushGate="SUCCEEDED")},
    )
    result = start("kubeflow", f"--set=kubeflow.host={server.host}", "--wait", "--interval=0")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Warning" not in result.stderr
    assert f"{server.host}/#/runs/details/7" in result.stdout
    assert result.stdout.endswith("PUSHED\n")
    states = [line.split() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert states == [["Trainer", "running"], ["Trainer", "succeeded"], ["PushGate", "succeeded"]]
    # No release of Kubeflow reads a root from the file.
    root = server.sent["/runs"]["runtime_config"]["pipeline_root"]
    assert root == "minio://my-bucket/higgs/artifacts"
    sent = server.sent["/runs"]["pipeline_spec"]
    assert "defaultPipelineRoot" not in sent["pipeline_spec"]
    assert sent["pipeline_spec"]["pipelineInfo"]["name"] == "higgs"
    assert set(sent["platform_spec"]["platforms"]) == {"kubernetes"}


@pytest.mark.parametrize(("failed", "code"), [("PushGate", 3), ("DataGate", 4), ("Trainer", 1)])
def test_kubeflow_runs_have_the_exit_codes_of_local_runs(failed, code, installation):
    server = installation({**FAILED, **tasks(**{"ImportSchemaGen": "SUCCEEDED", failed: "FAILED"})})
    result = submit("kubeflow", f"--set=kubeflow.host={server.host}", "--wait", "--interval=0")
    assert result.returncode == code, result.stdout + result.stderr


def test_submit_creates_a_kubeflow_schedule(installation):
    server = installation({"state": "RUNNING"})
    schedule = "--set=kubeflow.schedule={cron: 0 3 * * 1, max_concurrent_runs: 2}"
    result = submit("kubeflow", f"--set=kubeflow.host={server.host}", schedule)
    assert result.returncode == 0, result.stdout + result.stderr
    body = server.sent["/recurringruns"]
    assert body["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert (body["max_concurrency"], body["no_catchup"]) == (2, True)
    assert body["runtime_config"]["pipeline_root"] == "minio://my-bucket/higgs/artifacts"
    assert "/runs" not in server.sent


def test_a_schedule_with_a_zone_or_too_many_runs_is_rejected_for_kubeflow():
    for schedule, message in (
        ("{cron: TZ=UTC 0 3 * * 1}", "has a time zone, which Kubeflow does not accept"),
        ("{cron: 0 0 3 * * 1}", "has six fields; remove the first one, the seconds"),
        ("{cron: 0 3 * * 1, max_concurrent_runs: 11}", "less than or equal to 10"),
    ):
        result = submit("kubeflow", "--dry-run", f"--set=kubeflow.schedule={schedule}")
        assert result.returncode == 2
        assert message in result.stderr


def test_a_dry_run_prints_the_next_three_times_and_the_root():
    schedule = "--set=kubeflow.schedule={cron: 0 3 * * 1}"
    result = submit("kubeflow", "--dry-run", schedule)
    assert result.returncode == 0, result.stderr
    [times] = [line for line in result.stdout.splitlines() if line.startswith("next")]
    assert times.count("Monday, ") == 3
    assert times.count(", 03:00 UTC") == 3
    assert re.search(r"^root +minio://my-bucket/higgs/artifacts$", result.stdout, re.MULTILINE)


def test_a_run_that_someone_terminated_is_not_a_decision(installation):
    server = installation({"state": "CANCELED", **tasks(DataGate="FAILED")})
    result = submit("kubeflow", f"--set=kubeflow.host={server.host}", "--wait", "--interval=0")
    assert result.returncode == 1
    assert result.stdout.endswith("CANCELED\n")


@pytest.mark.parametrize(
    "run",
    [
        "7",
        "http://h/pipeline/#/runs/details/7",
        "https://h/_/pipeline/?ns=ann#/runs/details/7",
        "https://h/locations/us-central1/pipelines/runs/7?project=p",
        "projects/123/locations/us-central1/pipelineJobs/7",
    ],
)
def test_a_run_is_followed_by_its_id(run, installation):
    server = installation({**FAILED, **tasks(PushGate="FAILED")})
    command = ["wait", run, "--target", "kubeflow", "--config", str(CONFIGS / "kubeflow.yaml")]
    command += [f"--set=kubeflow.host={server.host}", "--interval=0"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 3, result.output
    assert not server.sent


def test_an_empty_id_is_bad_usage():
    result = CliRunner().invoke(main, ["wait", ""])
    assert result.exit_code == 2
    assert "it is empty; give the id that `higgs submit` printed" in result.output


def test_unauthorized_kubeflow_requests_explain_how_to_log_in(installation):
    server = installation({"state": "RUNNING"})
    server.status = 401
    result = submit("kubeflow", f"--set=kubeflow.host={server.host}")
    assert result.returncode == 1
    assert f"{server.host}: not allowed (401); log in" in result.stderr


def test_a_refused_connection_to_kubeflow_is_reported():
    result = submit("kubeflow", "--set=kubeflow.host=http://127.0.0.1:9")
    assert result.returncode == 1
    assert "Error: http://127.0.0.1:9: " in result.stderr
    assert "Connection refused" in result.stderr
    assert "Traceback" not in result.stderr


def detail(name, state, message=""):
    return v1.PipelineTaskDetail(
        task_name=name, state=v1.PipelineTaskDetail.State[state], error={"message": message}
    )


def test_submit_makes_one_call_to_vertex_and_exits_0_if_pushed(cloud):
    running = v1.PipelineJob(
        state=v1.PipelineState.PIPELINE_STATE_RUNNING,
        job_detail={"task_details": [detail("Trainer", "RUNNING")]},
    )
    ended = v1.PipelineJob(
        state=v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
        job_detail={"task_details": [detail("Trainer", "SUCCEEDED")]},
    )
    cloud.pipeline_states = [running, ended]
    result = submit("vertex", "--wait", "--interval=0", **cloud.environment())
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(cloud.requests) == {"CreatePipelineJob", "GetPipelineJob"}
    [created] = cloud.requests["CreatePipelineJob"]
    assert created.parent == "projects/my-project/locations/us-central1"
    job = created.pipeline_job
    assert job.service_account == "higgs@my-project.iam.gserviceaccount.com"
    assert job.labels["team"] == "higgs"
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/pipelines/higgs/artifacts"
    assert "Trainer" in job.pipeline_spec["components"]
    assert (
        f"https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/runs/"
        f"{created.pipeline_job_id}?project=my-project"
    ) in result.stdout


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("PushGate", "The replica exited with a non-zero status of 3.", 3),
        ("PushGate", "The replica exited with a non-zero status of 1.", 1),
        ("DataGate", "The replica exited with a non-zero status of 4.", 4),
        ("DataGate", "The replica exited with a non-zero status of 137.", 1),
    ],
)
def test_vertex_runs_have_the_exit_codes_of_local_runs(name, message, code, cloud):
    cloud.pipeline_states = [
        v1.PipelineJob(
            state=v1.PipelineState.PIPELINE_STATE_FAILED,
            # Vertex AI lists the run itself as well, under the job's id.
            job_detail={
                "task_details": [
                    detail(name, "FAILED", message),
                    detail("higgs-20261126030000", "FAILED", "the run failed"),
                    detail("Trainer", "NOT_TRIGGERED"),
                ]
            },
        )
    ]
    result = submit("vertex", "--wait", "--interval=0", **cloud.environment())
    assert result.returncode == code, result.stdout + result.stderr
    assert message in result.stdout
    printed = [line.split() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert ["Trainer", "skipped"] in printed
    assert not [line for line in printed if line[0].startswith("higgs-")]


def test_a_vertex_run_that_someone_terminated_is_not_a_decision(cloud):
    cloud.pipeline_states = [
        v1.PipelineJob(
            state=v1.PipelineState.PIPELINE_STATE_CANCELLED,
            job_detail={"task_details": [detail("DataGate", "FAILED")]},
        )
    ]
    result = submit("vertex", "--wait", "--interval=0", **cloud.environment())
    assert result.returncode == 1


def test_vertex_gets_the_key_and_the_private_network(cloud):
    key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
    attachment = "projects/p/regions/us-central1/networkAttachments/a"
    result = submit(
        "vertex",
        f"--set=vertex.encryption_key={key}",
        f"--set=vertex.psc_network_attachment={attachment}",
        "--set=vertex.reserved_ip_ranges=[range-1]",
        **cloud.environment(),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    [created] = cloud.requests["CreatePipelineJob"]
    job = created.pipeline_job
    assert job.encryption_spec.kms_key_name == key
    assert job.psc_interface_config.network_attachment == attachment
    assert list(job.reserved_ip_ranges) == ["range-1"]


def test_submit_creates_a_vertex_schedule(cloud):
    result = submit(
        "vertex", "--set=vertex.schedule={cron: TZ=UTC 0 3 * * 1}", **cloud.environment()
    )
    assert result.returncode == 0, result.stdout + result.stderr
    [request] = cloud.requests["CreateSchedule"]
    assert request.schedule.cron == "TZ=UTC 0 3 * * 1"
    assert request.schedule.create_pipeline_job_request.pipeline_job.labels["team"] == "higgs"
    assert set(cloud.requests) == {"CreateSchedule"}
    assert "/pipelines/schedules/1?project=my-project" in result.stdout


def test_missing_vertex_credentials_explain_how_to_get_them(tmp_path):
    result = submit("vertex", HOME=str(tmp_path), NO_GCE_CHECK="true")
    assert result.returncode == 1
    assert "no credentials for Vertex AI" in result.stderr
    assert "gcloud auth application-default login" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dry_run_prints_the_submission_and_sends_nothing(cloud, tmp_path):
    result = submit("vertex", "--dry-run", **cloud.environment())
    assert result.returncode == 0
    assert "my-project, us-central1" in result.stdout
    assert "gs://my-bucket/pipelines/higgs/serving" in result.stdout
    assert result.stdout.endswith("dry run: nothing was sent\n")
    assert not cloud.requests


def test_waiting_for_a_schedule_is_bad_usage():
    result = submit("vertex", "--wait", "--set=vertex.schedule={cron: 0 3 * * 1}")
    assert result.returncode == 2
    assert "--wait follows a single run, not a schedule" in result.stderr


def test_submit_sends_the_file_that_compile_writes(tmp_path, installation):
    server = installation({"state": "RUNNING"})
    host = f"--set=kubeflow.host={server.host}"
    assert submit("kubeflow", host).returncode == 0
    out = str(tmp_path / "pipeline.yaml")
    compiled = CliRunner().invoke(main, ["compile", *arguments("kubeflow", host, "--out", out)[1:]])
    assert compiled.exit_code == 0, compiled.output
    first, _ = yaml.safe_load_all(Path(out).read_text())
    assert server.sent["/runs"]["pipeline_spec"]["pipeline_spec"] == first
