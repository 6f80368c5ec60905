"""Runs on Vertex AI, by Google's own client.

Not by its `PipelineJob`, which on submission makes a bucket that is missing and grants rights
to it: here one call is made, the one that starts the run.
"""

import json
import time
from pathlib import Path

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.cloud import aiplatform_v1 as v1

from kubeflow.engine_runs import RunState, SubmitError
from pipeline.cloud_config import VertexConfig
from pipeline.config import Config

_ENDED = {
    v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
    v1.PipelineState.PIPELINE_STATE_FAILED,
    v1.PipelineState.PIPELINE_STATE_CANCELLED,
}


class VertexRuns:
    """Runs of one pipeline in a project and region."""

    def __init__(self, config: Config, vertex: VertexConfig):
        """Finds the caller's credentials.

        Raises:
          SubmitError: there are none.
        """
        self._config, self._vertex = config, vertex
        self._parent = f"projects/{vertex.project}/locations/{vertex.region}"
        self._options = ClientOptions(api_endpoint=f"{vertex.region}-aiplatform.googleapis.com")
        try:
            self._pipelines = v1.PipelineServiceClient(client_options=self._options)
        except GoogleAuthError as error:
            raise SubmitError(
                f"no credentials for Vertex AI ({error}); run "
                "`gcloud auth application-default login`, or name a key file in "
                "GOOGLE_APPLICATION_CREDENTIALS"
            ) from None

    def submit(self, file: Path) -> str:
        """Starts a run, or a schedule when the configuration has one.

        Raises:
          SubmitError: Vertex does not take it.
        """
        job = self._job(file)
        run_id = f"{self._config.name}-{time.strftime('%Y%m%d%H%M%S')}"
        request = v1.CreatePipelineJobRequest(parent=self._parent, pipeline_job=job)
        try:
            if self._vertex.schedule:
                return self._schedule(request)
            request.pipeline_job_id = run_id
            self._pipelines.create_pipeline_job(request)
        except (GoogleAPICallError, GoogleAuthError) as error:
            raise _refused(error) from None
        return run_id

    def link(self, run_id: str) -> str:
        """The run's page, or the schedule's, in the console."""
        page = "schedules" if self._vertex.schedule else "runs"
        return (
            f"https://console.cloud.google.com/vertex-ai/locations/{self._vertex.region}/"
            f"pipelines/{page}/{run_id}?project={self._vertex.project}"
        )

    def state(self, run_id: str) -> RunState:
        """How the run is now.

        Raises:
          SubmitError: Vertex cannot be asked.
        """
        name = f"{self._parent}/pipelineJobs/{run_id}"
        try:
            job = self._pipelines.get_pipeline_job(name=name)
        except (GoogleAPICallError, GoogleAuthError) as error:
            raise _refused(error) from None
        details = job.job_detail.task_details
        return RunState(
            ended=job.state in _ENDED,
            succeeded=job.state == v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
            tasks={detail.task_name: detail.state.name.lower() for detail in details},
            errors={
                detail.task_name: detail.error.message for detail in details if detail.error.message
            },
        )

    def _job(self, file: Path) -> v1.PipelineJob:
        job = v1.PipelineJob.from_json(json.dumps(json.loads(file.read_text("utf-8"))))
        job.service_account = self._vertex.service_account or ""
        job.network = self._vertex.network or ""
        return job

    def _schedule(self, request: v1.CreatePipelineJobRequest) -> str:
        given = self._vertex.schedule
        assert given is not None
        schedule = v1.Schedule(
            display_name=self._config.name,
            cron=given.cron,
            max_concurrent_run_count=given.max_concurrent_runs,
            create_pipeline_job_request=request,
        )
        client = v1.ScheduleServiceClient(client_options=self._options)
        made = client.create_schedule(parent=self._parent, schedule=schedule)
        return str(made.name.rpartition("/")[2])


def _refused(error: Exception) -> SubmitError:
    return SubmitError(f"Vertex AI: {error}")
