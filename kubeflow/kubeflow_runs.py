"""Runs on Kubeflow Pipelines, through its own client."""

import time
import warnings
from pathlib import Path
from typing import Any

import kfp_server_api
import yaml
from kfp.client import Client
from urllib3.exceptions import HTTPError

from kubeflow.engine_runs import EngineError, RunState
from pipeline.cloud_config import KubeflowConfig, Schedule
from pipeline.config import Config

_CLIENT_ERRORS = (kfp_server_api.ApiException, HTTPError)

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
        self._nodes: frozenset[str] = frozenset()
        try:
            with warnings.catch_warnings():
                # The client warns about the server's version at every start.
                warnings.simplefilter("ignore", FutureWarning)
                self._client = _Client(host=self._host, namespace=section.namespace or "kubeflow")
        except _CLIENT_ERRORS as error:
            raise self._engine_error(error) from None

    def submit(self, file: Path) -> str:
        """Starts a run, or a recurring run if the configuration has a schedule.

        Raises:
            EngineError: Kubeflow rejects it.
        """
        spec = next(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        self._nodes = frozenset(spec["root"]["dag"]["tasks"])
        name = f"{self._config.name}-{time.strftime('%Y%m%d%H%M%S')}"
        try:
            if self._section.schedule:
                return self._schedule(file, name, self._section.schedule)
            run = self._client.create_run_from_pipeline_package(
                str(file),
                run_name=name,
                experiment_name=self._section.experiment,
                namespace=self._section.namespace,
                service_account=self._section.service_account,
            )
        except _CLIENT_ERRORS as error:
            raise self._engine_error(error) from None
        return str(run.run_id)

    def link(self, run_id: str) -> str:
        """URL of the run's page, or of the recurring run's."""
        page = "recurringrun" if self._section.schedule else "runs"
        return f"{self._host}/#/{page}/details/{run_id}"

    def state(self, run_id: str) -> RunState:
        """Current state of a run that this object submitted.

        Raises:
            EngineError: Kubeflow rejects the request or cannot be reached.
        """
        try:
            run = self._client.get_run(run_id)
        except _CLIENT_ERRORS as error:
            raise self._engine_error(error) from None
        all_details = (run.run_details and run.run_details.task_details) or []
        # Kubeflow also lists the workflow, its root, and each node's driver and executor.
        details = [detail for detail in all_details if detail.display_name in self._nodes]
        return RunState(
            ended=run.state in _ENDED,
            succeeded=run.state == "SUCCEEDED",
            tasks={detail.display_name: (detail.state or "").lower() for detail in details},
            errors={
                detail.display_name: detail.error.message or ""
                for detail in details
                if detail.error
            },
        )

    def _schedule(self, file: Path, name: str, schedule: Schedule) -> str:
        experiment = self._client.create_experiment(
            self._section.experiment, namespace=self._section.namespace
        )
        recurring_run = self._client.create_recurring_run(
            experiment_id=experiment.experiment_id,
            job_name=name,
            cron_expression=schedule.cron,
            max_concurrency=schedule.max_concurrent_runs,
            pipeline_package_path=str(file),
            service_account=self._section.service_account,
        )
        return str(recurring_run.recurring_run_id)

    def _engine_error(self, error: Exception) -> EngineError:
        status = getattr(error, "status", None)
        if status in (401, 403):
            return EngineError(
                f"{self._host}: not allowed ({status}); log in to the installation, or provide its "
                "token as its documentation says"
            )
        return EngineError(f"{self._host}: {error}")
