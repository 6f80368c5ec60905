"""Runs on Vertex AI, through Google's own client.

It does not use the client's `PipelineJob`, which on submission creates a missing bucket and
grants access to it. Only the call that starts the run is made here.
"""

import time
from pathlib import Path

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import (
    AlreadyExists,
    GoogleAPICallError,
    RetryError,
    ServerError,
    TooManyRequests,
)
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import aiplatform_v1 as v1

from formats import names
from kubeflow.engine_runs import SKIPPED, EngineError, RunState, create
from pipeline.cloud_config import Schedule, VertexConfig
from pipeline.config import Config

_ENDED = {
    v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
    v1.PipelineState.PIPELINE_STATE_FAILED,
    v1.PipelineState.PIPELINE_STATE_CANCELLED,
}

_TRANSIENT = (ServerError, TooManyRequests, RetryError, TransportError)


class VertexRuns:
    """Runs of one pipeline in a project and region."""

    def __init__(self, config: Config, section: VertexConfig):
        """Finds the caller's credentials.

        Raises:
            EngineError: there are no credentials.
        """
        self._config, self._section = config, section
        self._parent = f"projects/{section.project}/locations/{section.region}"
        self._options = ClientOptions(api_endpoint=f"{section.region}-aiplatform.googleapis.com")
        try:
            self._pipelines = v1.PipelineServiceClient(client_options=self._options)
        except GoogleAuthError as error:
            raise EngineError(
                f"no credentials for Vertex AI ({error}); run "
                "`gcloud auth application-default login`, or name a key file in "
                "GOOGLE_APPLICATION_CREDENTIALS"
            ) from None

    def submit(self, file: Path) -> str:
        """Starts a run, or a schedule if the configuration has one.

        Raises:
            EngineError: Vertex AI rejects it.
        """
        request = v1.CreatePipelineJobRequest(parent=self._parent, pipeline_job=self._job(file))
        if self._section.schedule:
            return self._schedule(request, self._section.schedule)
        # A request that is repeated under the same id cannot start a second run.
        request.pipeline_job_id = f"{self._config.name}-{time.strftime('%Y%m%d%H%M%S')}"

        def create_job() -> str:
            try:
                self._pipelines.create_pipeline_job(request)
            except AlreadyExists:
                pass
            except (GoogleAPICallError, GoogleAuthError) as error:
                raise _engine_error(error) from None
            return request.pipeline_job_id

        return create(create_job, find=lambda: None)

    def _job(self, file: Path) -> v1.PipelineJob:
        section = self._section
        job = v1.PipelineJob.from_json(file.read_text(encoding="utf-8"))
        job.service_account = section.service_account or ""
        job.network = section.network or ""
        job.reserved_ip_ranges = list(section.reserved_ip_ranges)
        if section.psc_network_attachment:
            job.psc_interface_config.network_attachment = section.psc_network_attachment
        if section.encryption_key:
            job.encryption_spec.kms_key_name = section.encryption_key
        return job

    def link(self, run_id: str) -> str:
        """URL of the run's page in the console, or of the schedule's."""
        page = "schedules" if self._section.schedule else "runs"
        return (
            f"https://console.cloud.google.com/vertex-ai/locations/{self._section.region}/"
            f"pipelines/{page}/{run_id}?project={self._section.project}"
        )

    def state(self, run_id: str) -> RunState:
        """Current state of the run.

        Raises:
            EngineError: Vertex AI rejects the request or cannot be reached.
        """
        name = f"{self._parent}/pipelineJobs/{run_id}"
        try:
            job = self._pipelines.get_pipeline_job(name=name)
        except (GoogleAPICallError, GoogleAuthError) as error:
            raise _engine_error(error) from None
        # Vertex AI also lists the run itself, under the job's id.
        details = [d for d in job.job_detail.task_details if d.task_name in names.NODES]
        return RunState(
            ended=job.state in _ENDED,
            succeeded=job.state == v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
            canceled=job.state == v1.PipelineState.PIPELINE_STATE_CANCELLED,
            tasks={detail.task_name: _task_state(detail.state) for detail in details},
            errors={
                detail.task_name: detail.error.message for detail in details if detail.error.message
            },
        )

    def _schedule(self, request: v1.CreatePipelineJobRequest, schedule: Schedule) -> str:
        client = v1.ScheduleServiceClient(client_options=self._options)
        try:
            created = client.create_schedule(
                parent=self._parent,
                schedule=v1.Schedule(
                    display_name=self._config.name,
                    cron=schedule.times.with_zone,
                    max_concurrent_run_count=schedule.max_concurrent_runs,
                    create_pipeline_job_request=request,
                ),
            )
        except (GoogleAPICallError, GoogleAuthError) as error:
            raise _engine_error(error) from None
        return str(created.name.rpartition("/")[2])


def _task_state(state: v1.PipelineTaskDetail.State) -> str:
    is_skipped = state is v1.PipelineTaskDetail.State.NOT_TRIGGERED
    return SKIPPED if is_skipped else state.name.lower()


def _engine_error(error: Exception) -> EngineError:
    return EngineError(f"Vertex AI: {error}", is_transient=isinstance(error, _TRANSIENT))
