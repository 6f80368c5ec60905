"""The client of Vertex AI against the errors and states of the service's protos."""

import warnings
from pathlib import Path

import pytest
from engine.clock import Clock
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from google.cloud import aiplatform_v1 as v1

from kubeflow import engine_runs, vertex_runs
from kubeflow.engine_runs import EngineError, exit_code, follow
from kubeflow.vertex_runs import VertexRuns
from pipeline.config import load_config
from pipeline.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]


class Service:
    """Both services: raises or returns the given answers in turn, and records requests."""

    def __init__(self, *answers):
        self.answers, self.created, self.connections = list(answers), [], 0

    def connect(self, **_):
        self.connections += 1
        return self

    def _answer(self, accepted=None):
        answer = self.answers.pop(0) if self.answers else None
        is_late = isinstance(answer, tuple)
        answer = answer[0] if is_late else answer
        if accepted and (is_late or not isinstance(answer, Exception)):
            self.created.append(accepted)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_pipeline_job(self, name, timeout):
        assert timeout == vertex_runs.REQUEST_SECONDS
        assert name == "projects/my-project/locations/us-central1/pipelineJobs/7"
        return self._answer()

    def create_pipeline_job(self, request, timeout):
        assert timeout
        self.job = request.pipeline_job
        if request.pipeline_job_id in self.created:
            raise exceptions.AlreadyExists(request.pipeline_job_id)
        self._answer(request.pipeline_job_id)

    def create_schedule(self, parent, schedule, timeout):
        assert (parent, bool(timeout)) == ("projects/my-project/locations/us-central1", True)
        self.schedule = schedule
        self._answer(schedule.display_name)
        return v1.Schedule(name=f"{parent}/schedules/1")

    def list_schedules(self, request, timeout):
        assert timeout
        self._answer()
        found = [name for name in self.created if request.filter == f'display_name="{name}"']
        return [v1.Schedule(name=f"{request.parent}/schedules/1") for _ in found]


@pytest.fixture
def connect(monkeypatch):
    monkeypatch.setattr(engine_runs, "time", Clock())

    def to(service, *overrides):
        for name in ("PipelineServiceClient", "ScheduleServiceClient"):
            monkeypatch.setattr(vertex_runs.v1, name, service.connect)
        config = load_config(ROOT / "configs" / "vertex.yaml", overrides)
        return VertexRuns(config, config.vertex)

    return to


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pipeline.json"
    path.write_text('{"displayName": "higgs"}')
    return path


def job(state, **tasks):
    details = [
        {"task_name": name, "state": v1.PipelineTaskDetail.State[task]}
        for name, task in tasks.items()
    ]
    # Tasks of the run itself and without names are in the list as well.
    failed = v1.PipelineTaskDetail.State.FAILED
    details += [{"state": failed}, {"task_name": "higgs-20261126030000", "state": failed}]
    return v1.PipelineJob(
        state=v1.PipelineState[f"PIPELINE_STATE_{state}"], job_detail={"task_details": details}
    )


def test_states_of_later_releases_are_shown_and_awaited(connect):
    later = job("RUNNING")
    # Numbers that this client's protos do not have.
    v1.PipelineJob.pb(later).state = 77
    task = v1.PipelineJob.pb(later).job_detail.task_details.add()
    task.task_name, task.state = "Trainer", 42
    service = Service(later, job("PAUSED"), job("QUEUED"), job("SUCCEEDED", PushGate="SUCCEEDED"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        states = list(follow(connect(service), "7", interval=0))
    assert [state.ended for state in states] == [False, False, True]
    assert states[0].tasks == {"Trainer": "state 42"}
    assert exit_code(states[-1]) == ExitCode.PUSHED


def test_a_reused_node_is_not_shown_as_one_that_did_not_run(connect):
    ended = job("FAILED", StatisticsGen="SKIPPED", DataGate="FAILED", Trainer="NOT_TRIGGERED")
    tasks = {"StatisticsGen": "cached", "DataGate": "failed", "Trainer": "skipped"}
    assert connect(Service(ended)).state("7").tasks == tasks


@pytest.mark.parametrize(
    "answers",
    [
        [job("CANCELLING", DataGate="CANCELLING"), job("FAILED", DataGate="FAILED")],
        [job("CANCELLED", DataGate="FAILED")],
    ],
)
def test_a_run_that_someone_terminated_is_not_a_decision(answers, connect):
    states = list(follow(connect(Service(*answers)), "7", interval=0))
    assert exit_code(states[-1]) == ExitCode.FAILED


TRANSIENT = [
    exceptions.InternalServerError("internal"),
    exceptions.ServiceUnavailable("connection reset"),
    exceptions.DeadlineExceeded("no answer in 60 s"),
    exceptions.ResourceExhausted("quota of requests per minute"),
    exceptions.Aborted("concurrent"),
    exceptions.Cancelled("RST_STREAM"),
    exceptions.Unknown("stream removed"),
    RefreshError("token endpoint: 503", retryable=True),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
def test_polls_tolerate_transient_errors(error, connect):
    service = Service(error, error, job("SUCCEEDED"))
    [state] = follow(connect(service), "7", interval=0)
    assert state.succeeded


@pytest.mark.parametrize(
    "error", [exceptions.Unauthenticated("expired"), RefreshError("reauthentication is needed")]
)
def test_a_login_that_expires_is_renewed_and_one_that_never_was_valid_is_reported(error, connect):
    with pytest.raises(EngineError, match="not allowed; run `gcloud auth application-default"):
        next(follow(connect(Service(error)), "7", interval=0))
    service = Service(job("RUNNING"), error, error, job("SUCCEEDED"))
    *_, state = follow(connect(service), "7", interval=0)
    assert state.succeeded
    # Each client reads the credentials again.
    assert service.connections == 3


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (exceptions.NotFound("no job 7"), "404 no job 7; the run was deleted, or belongs to"),
        (exceptions.PermissionDenied("aiplatform.get\non job"), "403 aiplatform.get on job"),
        (exceptions.InvalidArgument("bad"), "Vertex AI: 400 bad"),
    ],
)
def test_other_errors_are_reported_at_once(error, message, connect):
    service = Service(error, job("SUCCEEDED"))
    with pytest.raises(EngineError) as raised:
        next(follow(connect(service), "7", interval=0))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("override", [None, "vertex.schedule={cron: TZ=UTC 0 3 * * 1}"])
def test_an_answer_that_is_lost_starts_no_second_run(override, connect, file):
    # The first request is accepted, although its answer is an error.
    service = Service((exceptions.ServiceUnavailable("reset"),), exceptions.Unknown("again"))
    runs = connect(service, *([override] if override else []))
    run_id = runs.submit(file)
    assert len(service.created) == 1
    assert run_id == ("1" if override else service.created[0])


KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
NETWORK = "projects/1/global/networks/n"
ATTACHMENT = "projects/p/regions/us-central1/networkAttachments/a"


def test_a_run_has_the_account_the_key_and_the_private_network(connect, file):
    service = Service()
    key, ranges = f"vertex.encryption_key={KEY}", "vertex.reserved_ip_ranges=[range-1]"
    connect(service, key, ranges, f"vertex.network={NETWORK}").submit(file)
    assert service.job.service_account == "higgs@my-project.iam.gserviceaccount.com"
    assert service.job.encryption_spec.kms_key_name == KEY
    assert (service.job.network, list(service.job.reserved_ip_ranges)) == (NETWORK, ["range-1"])
    connect(service, f"vertex.psc_network_attachment={ATTACHMENT}").submit(file)
    assert service.job.psc_interface_config.network_attachment == ATTACHMENT


def test_a_schedule_has_its_zone_and_limit(connect, file):
    service = Service()
    schedule = "vertex.schedule={cron: TZ=Europe/Zurich 30 3 * * 1, max_concurrent_runs: 2}"
    connect(service, schedule).submit(file)
    assert service.schedule.cron == "TZ=Europe/Zurich 30 3 * * 1"
    assert service.schedule.max_concurrent_run_count == 2


def test_runs_that_are_submitted_in_the_same_second_are_different_runs(connect, file):
    service = Service()
    runs = connect(service)
    assert runs.submit(file) != runs.submit(file)
    assert len(set(service.created)) == 2
