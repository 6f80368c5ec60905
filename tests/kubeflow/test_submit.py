"""`higgs submit` against local servers that implement the calls it makes."""

import gc
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner
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


class Installation(ThreadingHTTPServer):
    """The part of Kubeflow Pipelines' API that the client uses; records requests."""

    def __init__(self, *states):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.states, self.sent, self.status = list(states), {}, 200
        self.host = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        path = urlsplit(self.path).path.removeprefix("/apis/v2beta1")
        if path == "/healthz":
            self._answer({"multi_user": False}, self.server.status)
        elif path == "/experiments":
            self._answer({})
        elif path == "/runs/7":
            states = self.server.states
            self._answer({"run_id": "7", **(states.pop(0) if states[1:] else states[0])})
        else:
            self._answer({"error": f"no such call: {path}"}, 404)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        path = urlsplit(self.path).path.removeprefix("/apis/v2beta1")
        self.server.sent[path] = body
        ids = {
            "/experiments": "experiment_id",
            "/runs": "run_id",
            "/recurringruns": "recurring_run_id",
        }
        self._answer({ids[path]: "7", **body}, self.server.status)

    def _answer(self, content, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


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
    assert f"{server.host}/#/runs/details/7" in result.stdout
    assert result.stdout.endswith("PUSHED\n")
    states = [line.split() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert states == [["Trainer", "running"], ["Trainer", "succeeded"], ["PushGate", "succeeded"]]
    sent = server.sent["/runs"]["pipeline_spec"]
    assert sent["pipeline_spec"]["pipelineInfo"]["name"] == "higgs"
    assert set(sent["platform_spec"]["platforms"]) == {"kubernetes"}


@pytest.mark.parametrize(("failed", "code"), [("PushGate", 3), ("DataGate", 4), ("Trainer", 1)])
def test_kubeflow_runs_have_the_exit_codes_of_local_runs(failed, code, installation):
    server = installation({**FAILED, **tasks(**{"ImportSchemaGen": "SUCCEEDED", failed: "FAILED"})})
    result = submit("kubeflow", f"--set=kubeflow.host={server.host}", "--wait", "--interval=0")
    assert result.returncode == code, result.stdout + result.stderr


def test_submit_creates_a_kubeflow_schedule(installation):
    server = installation({"state": "RUNNING"})
    schedule = "--set=kubeflow.schedule={cron: 0 0 3 * * 1}"
    result = submit("kubeflow", f"--set=kubeflow.host={server.host}", schedule)
    assert result.returncode == 0, result.stdout + result.stderr
    assert server.sent["/recurringruns"]["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert "/runs" not in server.sent


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
    result = start("vertex", "--wait", "--interval=0", **cloud.environment())
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
            job_detail={"task_details": [detail(name, "FAILED", message)]},
        )
    ]
    result = submit("vertex", "--wait", "--interval=0", **cloud.environment())
    assert result.returncode == code, result.stdout + result.stderr
    assert message in result.stdout


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
