"""`higgs submit` against servers on this machine that speak the calls it makes."""

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
    # google-auth asks in the background for an account's regions, and leaves its socket open.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

FAILED = {"state": "FAILED"}


@dataclass(frozen=True)
class Done:
    """What a command exited with and printed."""

    returncode: int
    stdout: str
    stderr: str


def arguments(target, *more):
    return ["submit", "--target", target, "--config", str(CONFIGS / f"{target}.yaml"), *more]


def submit(target, *more, **environment):
    """In this process: imports are nearly all of the time that the command takes."""
    unset = dict.fromkeys(("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"))
    done = CliRunner().invoke(main, arguments(target, *more), env={**unset, **environment})
    return Done(done.exit_code, done.stdout, done.stderr)


def start(target, *more, **environment):
    """The installed command, as a user starts it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    done = subprocess.run(
        [HIGGS, *arguments(target, *more)],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Installation(ThreadingHTTPServer):
    """Kubeflow Pipelines' API, as far as it is asked; keeps what it is sent."""

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
    # The workflow, its root, and a driver and an executor for each node are listed, too.
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
    # One for all: gRPC reads the certificates that it trusts once in a process.
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(services):
    services.requests.clear()
    services.pipeline_states = []
    yield services
    # What the client left is not to be found by another test.
    gc.collect()


def test_kubeflow_gets_the_compiled_file_and_a_pushed_run_exits_0(installation):
    server = installation(
        {"state": "RUNNING", **tasks(Trainer="RUNNING")},
        {"state": "SUCCEEDED", **tasks(Trainer="SUCCEEDED", PushGate="SUCCEEDED")},
    )
    done = start("kubeflow", f"--set=kubeflow.host={server.host}", "--wait", "--interval=0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{server.host}/#/runs/details/7" in done.stdout
    assert done.stdout.endswith("PUSHED\n")
    told = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert told == [["Trainer", "running"], ["Trainer", "succeeded"], ["PushGate", "succeeded"]]
    sent = server.sent["/runs"]["pipeline_spec"]
    assert sent["pipeline_spec"]["pipelineInfo"]["name"] == "higgs"
    assert set(sent["platform_spec"]["platforms"]) == {"kubernetes"}


@pytest.mark.parametrize(("failed", "code"), [("PushGate", 3), ("DataGate", 4), ("Trainer", 1)])
def test_kubeflow_runs_exit_as_local_ones_do(failed, code, installation):
    server = installation({**FAILED, **tasks(**{"ImportSchemaGen": "SUCCEEDED", failed: "FAILED"})})
    done = submit("kubeflow", f"--set=kubeflow.host={server.host}", "--wait", "--interval=0")
    assert done.returncode == code, done.stdout + done.stderr


def test_kubeflow_takes_a_schedule(installation):
    server = installation({"state": "RUNNING"})
    schedule = "--set=kubeflow.schedule={cron: 0 0 3 * * 1}"
    done = submit("kubeflow", f"--set=kubeflow.host={server.host}", schedule)
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.sent["/recurringruns"]["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert "/runs" not in server.sent


def test_kubeflow_that_does_not_let_in_says_how_to_get_in(installation):
    server = installation({"state": "RUNNING"})
    server.status = 401
    done = submit("kubeflow", f"--set=kubeflow.host={server.host}")
    assert done.returncode == 1
    assert f"{server.host}: not allowed (401); log in" in done.stderr


def test_nobody_at_kubeflows_address():
    done = submit("kubeflow", "--set=kubeflow.host=http://127.0.0.1:9")
    assert done.returncode == 1
    assert "Error: http://127.0.0.1:9: " in done.stderr
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


def detail(name, state, message=""):
    return v1.PipelineTaskDetail(
        task_name=name, state=v1.PipelineTaskDetail.State[state], error={"message": message}
    )


def test_vertex_gets_one_call_and_a_pushed_run_exits_0(cloud):
    running = v1.PipelineJob(
        state=v1.PipelineState.PIPELINE_STATE_RUNNING,
        job_detail={"task_details": [detail("Trainer", "RUNNING")]},
    )
    ended = v1.PipelineJob(
        state=v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
        job_detail={"task_details": [detail("Trainer", "SUCCEEDED")]},
    )
    cloud.pipeline_states = [running, ended]
    done = start("vertex", "--wait", "--interval=0", **cloud.environment())
    assert done.returncode == 0, done.stdout + done.stderr
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
    ) in done.stdout


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("PushGate", "The replica exited with a non-zero status of 3.", 3),
        ("PushGate", "The replica exited with a non-zero status of 1.", 1),
        ("DataGate", "The replica exited with a non-zero status of 4.", 4),
        ("DataGate", "The replica exited with a non-zero status of 137.", 1),
    ],
)
def test_vertex_runs_exit_as_local_ones_do(name, message, code, cloud):
    cloud.pipeline_states = [
        v1.PipelineJob(
            state=v1.PipelineState.PIPELINE_STATE_FAILED,
            job_detail={"task_details": [detail(name, "FAILED", message)]},
        )
    ]
    done = submit("vertex", "--wait", "--interval=0", **cloud.environment())
    assert done.returncode == code, done.stdout + done.stderr
    assert message in done.stdout


def test_vertex_takes_a_schedule(cloud):
    done = submit("vertex", "--set=vertex.schedule={cron: TZ=UTC 0 3 * * 1}", **cloud.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = cloud.requests["CreateSchedule"]
    assert made.schedule.cron == "TZ=UTC 0 3 * * 1"
    assert made.schedule.create_pipeline_job_request.pipeline_job.labels["team"] == "higgs"
    assert set(cloud.requests) == {"CreateSchedule"}
    assert "/pipelines/schedules/1?project=my-project" in done.stdout


def test_vertex_without_credentials_says_how_to_get_some(tmp_path):
    done = submit("vertex", HOME=str(tmp_path), NO_GCE_CHECK="true")
    assert done.returncode == 1
    assert "no credentials for Vertex AI" in done.stderr
    assert "gcloud auth application-default login" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(cloud, tmp_path):
    done = submit("vertex", "--dry-run", **cloud.environment())
    assert done.returncode == 0
    assert "my-project, us-central1" in done.stdout
    assert "gs://my-bucket/pipelines/higgs/serving" in done.stdout
    assert done.stdout.endswith("dry run: nothing was sent\n")
    assert not cloud.requests


def test_waiting_for_a_schedule_is_bad_usage():
    done = submit("vertex", "--wait", "--set=vertex.schedule={cron: 0 3 * * 1}")
    assert done.returncode == 2
    assert "--wait follows one run, and a schedule has many" in done.stderr


def test_what_is_sent_is_the_file_that_compile_writes(tmp_path, installation):
    server = installation({"state": "RUNNING"})
    host = f"--set=kubeflow.host={server.host}"
    assert submit("kubeflow", host).returncode == 0
    out = str(tmp_path / "pipeline.yaml")
    compiled = CliRunner().invoke(main, ["compile", *arguments("kubeflow", host, "--out", out)[1:]])
    assert compiled.exit_code == 0, compiled.output
    first, _ = yaml.safe_load_all(Path(out).read_text())
    assert server.sent["/runs"]["pipeline_spec"]["pipeline_spec"] == first
