"""Runs on Kubeflow Pipelines, through its own client."""

import json
import os
import time
import warnings
from http import HTTPStatus
from pathlib import Path
from typing import Any

import kfp_server_api
from kfp.client import Client
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials
from urllib3.exceptions import HTTPError

from formats import names
from kubeflow.engine_runs import SKIPPED, EngineError, RunState, create
from pipeline.cloud_config import KubeflowConfig, Schedule
from pipeline.config import Config

_CLIENT_ERRORS = (kfp_server_api.ApiException, HTTPError)

TOKEN_FILE_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 (a name)
"""Environment variable of Kubeflow's client: the path of a token file."""

_ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


class _Client(Client):
    """Kubeflow's client with a single health check instead of 25 seconds of retries."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """The server's health.

        Raises:
            kfp_server_api.ApiException: the server rejects the request; its status says why.
        """
        del sleep_duration
        return self._healthz_api.get_healthz()


class KubeflowRuns:
    """Runs of one pipeline in an experiment."""

    def __init__(self, config: Config, section: KubeflowConfig):
        """Connects to the installation.

        Raises:
            EngineError: its address is not given, or it does not answer.
        """
        if section.host is None:
            raise EngineError(
                "kubeflow.host: missing; give the installation's address, such as "
                "http://localhost:8080 with `kubectl port-forward svc/ml-pipeline-ui 8080:80`"
            )
        self._config, self._section, self._host = config, section, section.host.rstrip("/")
        self._is_connected = False
        self._connect()
        self._is_connected = True

    def _connect(self) -> None:
        """Makes a client with the credentials that are valid now."""
        # Read again at every request, because the token of a login expires within the hour.
        token_file = os.environ.get(TOKEN_FILE_VARIABLE)
        credentials = ServiceAccountTokenVolumeCredentials(token_file) if token_file else None
        try:
            with warnings.catch_warnings():
                # The client warns about the server's version at every start.
                warnings.simplefilter("ignore", FutureWarning)
                self._client = _Client(
                    host=self._host,
                    namespace=self._section.namespace or "kubeflow",
                    credentials=credentials,
                )
        except _CLIENT_ERRORS as error:
            raise self._engine_error(error) from None

    def submit(self, file: Path) -> str:
        """Starts a run, or a recurring run if the configuration has a schedule.

        Raises:
            EngineError: Kubeflow rejects it.
        """
        name = f"{self._config.name}-{time.strftime('%Y%m%d%H%M%S')}"
        if self._section.schedule:
            return self._schedule(file, name, self._section.schedule)

        def create_run() -> str:
            try:
                run = self._client.create_run_from_pipeline_package(
                    str(file),
                    run_name=name,
                    experiment_name=self._section.experiment,
                    namespace=self._section.namespace,
                    # No release reads a root from the file.
                    pipeline_root=self._config.artifacts_root,
                    service_account=self._section.service_account,
                )
            except _CLIENT_ERRORS as error:
                raise self._engine_error(error) from None
            return str(run.run_id)

        return create(create_run, find=lambda: self._find_run(name))

    def _find_run(self, name: str) -> str | None:
        """Finds a run by its name, in case the answer to its creation was lost."""
        has_name = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        try:
            runs = self._client.list_runs(
                namespace=self._section.namespace, filter=json.dumps({"predicates": [has_name]})
            )
        except _CLIENT_ERRORS:
            return None
        return next((str(run.run_id) for run in runs.runs or ()), None)

    def link(self, run_id: str) -> str:
        """URL of the run's page, or of the recurring run's."""
        page = "recurringrun" if self._section.schedule else "runs"
        return f"{self._host}/#/{page}/details/{run_id}"

    def state(self, run_id: str) -> RunState:
        """Current state of a run.

        Raises:
            EngineError: Kubeflow rejects the request or cannot be reached.
        """
        try:
            run = self._client.get_run(run_id)
        except _CLIENT_ERRORS as error:
            if getattr(error, "status", None) == HTTPStatus.UNAUTHORIZED:
                self._connect()
            raise self._engine_error(error) from None
        all_details = (run.run_details and run.run_details.task_details) or []
        # Kubeflow also lists the workflow, its root, and each node's driver and executor.
        details = [detail for detail in all_details if detail.display_name in names.NODES]
        ended = run.state in _ENDED
        return RunState(
            ended=ended,
            succeeded=run.state == "SUCCEEDED",
            canceled=run.state == "CANCELED",
            tasks={detail.display_name: _task_state(detail.state, ended) for detail in details},
            errors={
                detail.display_name: detail.error.message or ""
                for detail in details
                if detail.error
            },
        )

    def _schedule(self, file: Path, name: str, schedule: Schedule) -> str:
        try:
            experiment = self._client.create_experiment(
                self._section.experiment, namespace=self._section.namespace
            )
            recurring_run = self._client.create_recurring_run(
                experiment_id=experiment.experiment_id,
                job_name=name,
                cron_expression=schedule.times.with_seconds,
                max_concurrency=schedule.max_concurrent_runs,
                no_catchup=True,
                pipeline_package_path=str(file),
                pipeline_root=self._config.artifacts_root,
                service_account=self._section.service_account,
            )
        except _CLIENT_ERRORS as error:
            raise self._engine_error(error) from None
        return str(recurring_run.recurring_run_id)

    def _engine_error(self, error: Exception) -> EngineError:
        status = getattr(error, "status", None) or 0
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return EngineError(
                f"{self._host}: not allowed ({int(status)}); log in to the installation, or name a "
                f"file with its token in {TOKEN_FILE_VARIABLE}",
                # A token that has expired is renewed.
                is_transient=status == HTTPStatus.UNAUTHORIZED and self._is_connected,
            )
        is_transient = status == 0 or status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500
        return EngineError(f"{self._host}: {error}", is_transient=is_transient)


def _task_state(state: str | None, run_has_ended: bool) -> str:
    """A task's state in lower case; Argo leaves the tasks that it omits without one."""
    if state in (None, "", "RUNTIME_STATE_UNSPECIFIED"):
        return SKIPPED if run_has_ended else "pending"
    return state.lower()
