"""Runs on a Kubeflow Pipelines installation, by its own client."""

import time
import warnings
from pathlib import Path
from typing import Any

import kfp_server_api
import yaml
from kfp.client import Client
from urllib3.exceptions import HTTPError

from kubeflow.engine_runs import RunState, SubmitError
from pipeline.cloud_config import KubeflowConfig
from pipeline.config import Config

_ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


class _Client(Client):
    """Kubeflow's client; it asks once whether the server is there, and not for 25 seconds."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """The server's word on itself.

        Raises:
          kfp_server_api.ApiException: it refuses; its status says why.
        """
        del sleep_duration
        return self._healthz_api.get_healthz()


class KubeflowRuns:
    """Runs of one pipeline under an experiment."""

    def __init__(self, config: Config, kubeflow: KubeflowConfig):
        """Reaches the installation.

        Raises:
          SubmitError: its address is not given, or nobody answers there.
        """
        if kubeflow.host is None:
            raise SubmitError(
                "kubeflow.host: missing; give the installation's address, such as "
                "http://localhost:8080 with `kubectl port-forward svc/ml-pipeline-ui 8080:80`"
            )
        self._config, self._kubeflow, self._host = config, kubeflow, kubeflow.host.rstrip("/")
        self._nodes: frozenset[str] = frozenset()
        try:
            with warnings.catch_warnings():
                # Of the server's version, at every start.
                warnings.simplefilter("ignore", FutureWarning)
                self._client = _Client(host=self._host, namespace=kubeflow.namespace or "kubeflow")
        except (kfp_server_api.ApiException, HTTPError) as error:
            raise self._refused(error) from None

    def submit(self, file: Path) -> str:
        """Starts a run, or a recurring one when the configuration has a schedule.

        Raises:
          SubmitError: the installation does not take it.
        """
        spec = next(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        self._nodes = frozenset(spec["root"]["dag"]["tasks"])
        name = f"{self._config.name}-{time.strftime('%Y%m%d%H%M%S')}"
        try:
            if self._kubeflow.schedule:
                return self._schedule(file, name)
            run = self._client.create_run_from_pipeline_package(
                str(file),
                run_name=name,
                experiment_name=self._kubeflow.experiment,
                namespace=self._kubeflow.namespace,
                service_account=self._kubeflow.service_account,
            )
        except (kfp_server_api.ApiException, HTTPError) as error:
            raise self._refused(error) from None
        return str(run.run_id)

    def link(self, run_id: str) -> str:
        """The run's page, or the recurring run's."""
        page = "recurringrun" if self._kubeflow.schedule else "runs"
        return f"{self._host}/#/{page}/details/{run_id}"

    def state(self, run_id: str) -> RunState:
        """How a run that was submitted here is now.

        Raises:
          SubmitError: the installation cannot be asked.
        """
        try:
            run = self._client.get_run(run_id)
        except (kfp_server_api.ApiException, HTTPError) as error:
            raise self._refused(error) from None
        listed = (run.run_details and run.run_details.task_details) or []
        # Listed as well: the workflow, its root, and each node's driver and executor.
        details = [detail for detail in listed if detail.display_name in self._nodes]
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

    def _schedule(self, file: Path, name: str) -> str:
        given = self._kubeflow.schedule
        assert given is not None
        experiment = self._client.create_experiment(
            self._kubeflow.experiment, namespace=self._kubeflow.namespace
        )
        recurring = self._client.create_recurring_run(
            experiment_id=experiment.experiment_id,
            job_name=name,
            cron_expression=given.cron,
            max_concurrency=given.max_concurrent_runs,
            pipeline_package_path=str(file),
            service_account=self._kubeflow.service_account,
        )
        return str(recurring.recurring_run_id)

    def _refused(self, error: Exception) -> SubmitError:
        status = getattr(error, "status", None)
        if status in (401, 403):
            return SubmitError(
                f"{self._host}: not allowed ({status}); log in to the installation, or give its "
                "token as its documentation says"
            )
        return SubmitError(f"{self._host}: {error}")
