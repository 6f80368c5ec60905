import json

import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud import aiplatform_v1 as v1
from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient
from tfx.types.standard_artifacts import Examples, Model

from kubeflow.vertex_trainer import Executor

JOB = "projects/1/locations/us-central1/customJobs/1"


EARLIER_JOB = "projects/1/locations/us-central1/customJobs/0"


class Jobs:
    """The job service, as far as it is called: jobs of an earlier attempt, and one that ends."""

    def __init__(self, state, earlier=(), model=None, refusal=None):
        self.job = v1.CustomJob(name=JOB, state=state)
        self.earlier, self.model, self.refusal = earlier, model, refusal
        self.calls = []

    def list_custom_jobs(self, request, **_):
        assert request["parent"] == "projects/p/locations/us-central1"
        self.filter = request["filter"]
        return [v1.CustomJob(name=EARLIER_JOB, state=state) for state in self.earlier]

    def cancel_custom_job(self, name, **_):
        self.calls.append("cancel")
        assert name == EARLIER_JOB
        (self.model / "left_by_the_earlier_job").touch()
        if self.refusal:
            raise self.refusal

    def create_custom_job(self, custom_job, **_):
        self.calls.append("create")
        assert self.filter == f'display_name="{custom_job["display_name"]}"'
        assert self.model is None or not self.model.exists()
        (pool,) = custom_job["job_spec"]["worker_pool_specs"]
        self.command = pool["container_spec"]["command"]
        return self.job

    def get_custom_job(self, name, **_):
        if name == EARLIER_JOB:
            self.calls.append("poll")
            return v1.CustomJob(name=name, state=v1.JobState.JOB_STATE_CANCELLED)
        return self.job


@pytest.fixture
def train(monkeypatch):
    # TFX sleeps between two polls, so an endless wait becomes a failure here.
    def still_waiting(_):
        raise TimeoutError

    monkeypatch.setattr("tfx.extensions.google_cloud_ai_platform.runner.time.sleep", still_waiting)
    for states in ("JOB_STATES_COMPLETED", "JOB_STATES_FAILED"):
        # Restored after the test.
        monkeypatch.setattr(VertexJobClient, states, getattr(VertexJobClient, states))

    def run(state, outputs=None, **options):
        jobs = Jobs(state, **options)
        monkeypatch.setattr("kubeflow.vertex_trainer.gapic.JobServiceClient", lambda **_: jobs)
        monkeypatch.setattr("kubeflow.vertex_trainer.POLL_SECONDS", 0)

        def connect(client):
            client._client = jobs

        monkeypatch.setattr(VertexJobClient, "create_client", connect)
        custom_config = (
            '{"ai_platform_enable_vertex": true, "ai_platform_vertex_region": "us-central1",'
            ' "ai_platform_training_args": {"project": "p", "display_name": "higgs-trainer",'
            ' "job_spec": {"worker_pool_specs": [{}]}}}'
        )
        examples = Examples()
        examples.split_names = '["train"]'
        examples.set_int_custom_property("events_train", 4800)
        inputs = {"examples": [examples]}
        Executor().Do(inputs, outputs or {}, {"custom_config": custom_config})
        return jobs

    return run


@pytest.mark.parametrize("state", ["EXPIRED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED"])
def test_a_job_that_did_not_succeed_fails_the_node(state, train):
    with pytest.raises(RuntimeError, match="did not succeed"):
        train(v1.JobState[f"JOB_STATE_{state}"])


@pytest.mark.parametrize("state", ["QUEUED", "PENDING", "RUNNING", "PAUSED", "UPDATING"])
def test_a_running_job_is_waited_for(state, train):
    with pytest.raises(TimeoutError):
        train(v1.JobState[f"JOB_STATE_{state}"])


def test_a_job_that_succeeded_ends_the_node(train):
    train(v1.JobState.JOB_STATE_SUCCEEDED)


def test_the_job_is_told_how_many_events_were_ingested(train):
    command = train(v1.JobState.JOB_STATE_SUCCEEDED).command
    properties = json.loads(command[command.index("--exec-properties") + 1])
    assert json.loads(properties["custom_config"])["ingested_events"] == {"train": 4800}


@pytest.mark.parametrize("refusal", [None, FailedPrecondition("cannot be canceled")])
def test_a_repeated_node_ends_the_job_of_its_earlier_attempt_first(
    train, tmp_path, monkeypatch, refusal
):
    monkeypatch.setattr("kubeflow.vertex_trainer.time.sleep", lambda _: None)
    model = Model()
    model.uri = str(tmp_path / "model")
    (tmp_path / "model").mkdir()
    states = v1.JobState
    jobs = train(
        states.JOB_STATE_SUCCEEDED,
        outputs={"model": [model]},
        earlier=[states.JOB_STATE_FAILED, states.JOB_STATE_RUNNING],
        model=tmp_path / "model",
        refusal=refusal,
    )
    assert jobs.calls == ["cancel", "poll", "create"]


def test_jobs_of_other_runs_have_other_names(train, tmp_path):
    names = set()
    for run in "ab":
        model = Model()
        model.uri = str(tmp_path / run / "model")
        names.add(train(v1.JobState.JOB_STATE_SUCCEEDED, outputs={"model": [model]}).filter)
    assert len(names) == 2
