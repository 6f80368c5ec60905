"""Runs on Vertex AI, through Google's own client.

It does not use the client's `PipelineJob`, which on submission creates a missing bucket and
grants access to it. Only the call that starts the run is made here.
"""

import contextlib
import warnings
from pathlib import Path

from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    Cancelled,
    GoogleAPICallError,
    NotFound,
    RetryError,
    ServerError,
    TooManyRequests,
    Unauthenticated,
)
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import aiplatform_v1 as v1

from formats import names
from formats.errors import one_line
from kubeflow.engine_runs import CACHED, SKIPPED, EngineError, EngineRuns, RunState
from pipeline.cloud_config import Schedule, VertexConfig
from pipeline.config import Config

_ENDED = {
    v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
    v1.PipelineState.PIPELINE_STATE_FAILED,
    v1.PipelineState.PIPELINE_STATE_CANCELLED,
}

# Vertex AI calls a node whose result it reuses "skipped", Kubeflow one that did not run.
_TASK_STATES = {
    v1.PipelineTaskDetail.State.SKIPPED: CACHED,
    v1.PipelineTaskDetail.State.NOT_TRIGGERED: SKIPPED,
}

_TRANSIENT = (ServerError, TooManyRequests, Aborted, Cancelled, RetryError, TransportError)

_LOGIN = (
    "run `gcloud auth application-default login`, or name a key file in "
    "GOOGLE_APPLICATION_CREDENTIALS"
)

REQUEST_SECONDS = 60.0
"""Time limit of a request; Google's client has none for these."""


class VertexRuns(EngineRuns):
    """Runs of one pipeline in a project and region."""

    client_errors = (GoogleAPICallError, GoogleAuthError, RetryError)
    _section: VertexConfig

    def __init__(self, config: Config, section: VertexConfig):
        """Finds the caller's credentials.

        Raises:
            EngineError: there are no credentials.
        """
        self._parent = f"projects/{section.project}/locations/{section.region}"
        self._options = ClientOptions(api_endpoint=f"{section.region}-aiplatform.googleapis.com")
        self.unknown_run = (
            "the run was deleted, or belongs to another project or region: compare "
            f"{self._parent} and the run's id"
        )
        super().__init__(config, section)

    def _connect(self) -> None:
        try:
            self._pipelines = v1.PipelineServiceClient(client_options=self._options)
        except GoogleAuthError as error:
            raise EngineError(f"no credentials for Vertex AI ({error}); {_LOGIN}") from None

    def _create(self, file: Path, name: str) -> str:
        request = v1.CreatePipelineJobRequest(parent=self._parent, pipeline_job=self._job(file))
        with self._described():
            if self._section.schedule:
                return self._create_schedule(name, request, self._section.schedule)
            # A request that is repeated under the same id cannot start a second run.
            request.pipeline_job_id = name
            with contextlib.suppress(AlreadyExists):
                self._pipelines.create_pipeline_job(request, timeout=REQUEST_SECONDS)
        return name

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

    def _state(self, run_id: str) -> RunState:
        name = f"{self._parent}/pipelineJobs/{run_id}"
        with warnings.catch_warnings():
            # The client warns about states of later releases, which are not its own.
            warnings.simplefilter("ignore")
            job = self._pipelines.get_pipeline_job(name=name, timeout=REQUEST_SECONDS)
            return _run_state(job)

    def _create_schedule(
        self, name: str, request: v1.CreatePipelineJobRequest, schedule: Schedule
    ) -> str:
        created = self._schedules().create_schedule(
            parent=self._parent,
            schedule=v1.Schedule(
                display_name=name,
                cron=schedule.times.with_zone,
                max_concurrent_run_count=schedule.max_concurrent_runs,
                create_pipeline_job_request=request,
            ),
            timeout=REQUEST_SECONDS,
        )
        return str(created.name.rpartition("/")[2])

    def _find(self, name: str) -> str | None:
        if not self._section.schedule:
            return None
        request = v1.ListSchedulesRequest(parent=self._parent, filter=f'display_name="{name}"')
        with self._described():
            schedules = list(self._schedules().list_schedules(request, timeout=REQUEST_SECONDS))
        return next((str(schedule.name.rpartition("/")[2]) for schedule in schedules), None)

    def _schedules(self) -> v1.ScheduleServiceClient:
        return v1.ScheduleServiceClient(client_options=self._options)

    def _engine_error(self, error: Exception, hint: str) -> EngineError:
        if isinstance(error, NotFound) and hint:
            return EngineError(f"{one_line(error)}; {hint}")
        is_transient = isinstance(error, _TRANSIENT) or getattr(error, "retryable", False)
        is_login = isinstance(error, (GoogleAuthError, Unauthenticated))
        reason = one_line(error)
        if is_login and not is_transient:
            # A login that was valid has expired, and is renewed.
            is_transient, reason = self._was_allowed, f"not allowed; {_LOGIN}: {reason}"
        return EngineError(f"Vertex AI: {reason}", is_transient=is_transient, is_login=is_login)


def _run_state(job: v1.PipelineJob) -> RunState:
    canceling = v1.PipelineState.PIPELINE_STATE_CANCELLING
    # Vertex AI also lists the run itself, under the job's id.
    details = [d for d in job.job_detail.task_details if d.task_name in names.NODES]
    return RunState(
        ended=job.state in _ENDED,
        succeeded=job.state == v1.PipelineState.PIPELINE_STATE_SUCCEEDED,
        canceled=job.state in (canceling, v1.PipelineState.PIPELINE_STATE_CANCELLED),
        tasks={detail.task_name: _task_state(detail.state) for detail in details},
        errors={
            detail.task_name: detail.error.message for detail in details if detail.error.message
        },
    )


def _task_state(state: v1.PipelineTaskDetail.State | int) -> str:
    """A task's state in lower case; a plain number is a state of a later release."""
    if not isinstance(state, v1.PipelineTaskDetail.State):
        return f"state {state}"
    return _TASK_STATES.get(state, state.name.lower())
