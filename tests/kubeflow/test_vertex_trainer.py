import json

import pytest
from google.cloud import aiplatform_v1 as v1
from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient
from tfx.types.standard_artifacts import Examples

from kubeflow.vertex_trainer import Executor

JOB = "projects/1/locations/us-central1/customJobs/1"


class Jobs:
    """The job service, as far as TFX calls it: a job that has ended in a state."""

    def __init__(self, state):
        self.job = v1.CustomJob(name=JOB, state=state)

    def create_custom_job(self, custom_job, **_):
        (pool,) = custom_job["job_spec"]["worker_pool_specs"]
        self.command = pool["container_spec"]["command"]
        return self.job

    def get_custom_job(self, **_):
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

    def run(state):
        jobs = Jobs(state)

        def connect(client):
            client._client = jobs

        monkeypatch.setattr(VertexJobClient, "create_client", connect)
        custom_config = (
            '{"ai_platform_enable_vertex": true, "ai_platform_vertex_region": "us-central1",'
            ' "ai_platform_training_args": {"project": "p", "worker_pool_specs": [{}]}}'
        )
        examples = Examples()
        examples.split_names = '["train"]'
        examples.set_int_custom_property("events_train", 4800)
        Executor().Do({"examples": [examples]}, {}, {"custom_config": custom_config})
        return jobs.command

    return run


@pytest.mark.parametrize("state", ["EXPIRED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED"])
def test_a_job_that_ended_otherwise_fails_the_node(state, train):
    with pytest.raises(RuntimeError, match="did not succeed"):
        train(v1.JobState[f"JOB_STATE_{state}"])


@pytest.mark.parametrize("state", ["QUEUED", "PENDING", "RUNNING", "PAUSED", "UPDATING"])
def test_a_job_that_goes_on_is_waited_for(state, train):
    with pytest.raises(TimeoutError):
        train(v1.JobState[f"JOB_STATE_{state}"])


def test_a_job_that_succeeded_ends_the_node(train):
    train(v1.JobState.JOB_STATE_SUCCEEDED)


def test_the_job_is_told_how_many_events_were_ingested(train):
    command = train(v1.JobState.JOB_STATE_SUCCEEDED)
    properties = json.loads(command[command.index("--exec-properties") + 1])
    assert json.loads(properties["custom_config"])["ingested_events"] == {"train": 4800}
