"""Runs on Kubeflow Pipelines, through its own client."""

import contextlib
import io
import json
import logging
import os
import re
import warnings
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kfp_server_api
from google.auth.exceptions import GoogleAuthError
from kfp.client import Client
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials
from kfp_server_api.rest import RESTClientObject
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError

from formats import names
from formats.errors import one_line
from kubeflow.engine_runs import SKIPPED, EngineError, EngineRuns, RunState
from pipeline.cloud_config import KubeflowConfig
from pipeline.config import Config

TOKEN_FILE_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 (a name)
"""Environment variable of Kubeflow's client: the path of a token file."""

CERTIFICATES_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Environment variables that name a file of certificate authorities, the first one first."""

REQUEST_SECONDS = 60
"""Time limit of a request; Kubeflow's client has none."""

_ADDRESS = (
    "kubeflow.host must be the address of Kubeflow Pipelines 2, which ends in /pipeline in a "
    "complete Kubeflow"
)

_REASON_LENGTH = 500

_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
}

_ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


class _UnexpectedAnswerError(HTTPError):
    """The address answered with something other than JSON.

    Attributes:
        is_page: whether it is a page for a browser, such as a login.
    """

    def __init__(self, message: str, *, is_page: bool = False):
        super().__init__(message)
        self.is_page = is_page


class _JsonClient(RESTClientObject):
    """The client's transport, with a time limit, that accepts JSON only.

    The client itself turns a login page, which gateways send with status 200, into a run without
    id and state.
    """

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Sends a request.

        Raises:
            HTTPError: there is no answer in time, or it is not a JSON object.
            kfp_server_api.ApiException: the status of the answer is not 2xx.
        """
        options["_request_timeout"] = REQUEST_SECONDS
        try:
            response = super().request(method, url, **options)
        except kfp_server_api.ApiException as error:
            # The client would lose the status of a page that is not UTF-8, such as a proxy's.
            error.body = (error.body or b"").decode(errors="replace").encode()
            raise
        try:
            content = json.loads(response.data)
        except ValueError:
            content = None
        if isinstance(content, dict):
            return response
        if response.data.lstrip()[:1] == b"<":
            raise _UnexpectedAnswerError("a page instead of JSON, probably a login", is_page=True)
        raise _UnexpectedAnswerError(f"{len(response.data)} bytes that are not a JSON object")


class _Client(Client):
    """Kubeflow's client with a single health check instead of 25 seconds of retries."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """The server's health.

        Raises:
            kfp_server_api.ApiException: the server rejects the request; its status says why.
        """
        del sleep_duration
        # urllib3 does not send the name and the password of a proxy's address.
        config = self._existing_config
        config.proxy_headers = HTTPAdapter().proxy_headers(config.proxy or "")
        # All services of the client share it. The constructor calls this method last.
        self._healthz_api.api_client.rest_client = _JsonClient(config)
        return self._healthz_api.get_healthz()


class KubeflowRuns(EngineRuns):
    """Runs of one pipeline in an experiment."""

    # A token file that cannot be read is an OSError; several experiments of a name a ValueError.
    client_errors = (kfp_server_api.ApiException, HTTPError, GoogleAuthError, OSError, ValueError)
    unknown_run = (
        "the run was deleted, or belongs to another installation: compare kubeflow.host and the "
        "run's id"
    )
    _section: KubeflowConfig

    def __init__(self, config: Config, section: KubeflowConfig):
        """Connects to the installation.

        Raises:
            EngineError: its address is not given, it does not answer, or the credentials or the
                certificate authorities cannot be read.
        """
        if section.host is None:
            raise EngineError(
                "kubeflow.host: missing; give the installation's address, such as "
                "http://localhost:8080 with `kubectl port-forward svc/ml-pipeline-ui 8080:80`"
            )
        self._host = section.host.rstrip("/")
        super().__init__(config, section)

    def _connect(self) -> None:
        # Read again at every request, because the token of a login expires within the hour.
        token_file = os.environ.get(TOKEN_FILE_VARIABLE)
        credentials = ServiceAccountTokenVolumeCredentials(token_file) if token_file else None
        variable = next((name for name in CERTIFICATES_VARIABLES if os.environ.get(name)), None)
        certificates = os.environ[variable] if variable else None
        if certificates and not Path(certificates).is_file():
            raise EngineError(
                f"{variable}: {certificates} is not a file; give one with certificate authorities"
            )
        # It would log every repetition of a request, and the error that is raised at the end.
        # Kubeflow's client sets the level of its parent.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        with self._described(_ADDRESS), warnings.catch_warnings():
            # The client warns about the server's version at every start.
            warnings.simplefilter("ignore", FutureWarning)
            try:
                self._client = _Client(
                    host=self._host,
                    namespace=self._section.namespace or "kubeflow",
                    credentials=credentials,
                    proxy=_proxy(self._host),
                    ssl_ca_cert=certificates,
                )
                self._client.get_kfp_healthz()
            except (KeyError, json.JSONDecodeError) as error:
                raise EngineError(
                    f"{Client._LOCAL_KFP_CONTEXT}: {error} is missing or malformed; the file is "
                    "JSON with the key namespace"
                ) from None

    def _create(self, file: Path, name: str) -> str:
        # The client prints links, at every attempt.
        with self._described(), contextlib.redirect_stdout(io.StringIO()):
            # The client's call for both would take another experiment from the environment.
            experiment = self._client.create_experiment(
                self._section.experiment, namespace=self._section.namespace
            )
            request = {
                "experiment_id": experiment.experiment_id,
                "job_name": name,
                "pipeline_package_path": str(file),
                # No release reads a root from the file.
                "pipeline_root": self._config.artifacts_root,
                "service_account": self._section.service_account,
            }
            schedule = self._section.schedule
            if schedule is None:
                return _identifier(self._client.run_pipeline(**request).run_id)
            recurring_run = self._client.create_recurring_run(
                **request,
                cron_expression=schedule.times.with_seconds,
                max_concurrency=schedule.max_concurrent_runs,
                no_catchup=True,
            )
            return _identifier(recurring_run.recurring_run_id)

    def _find(self, name: str) -> str | None:
        kind = "recurring_run" if self._section.schedule else "run"
        has_name = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        list_all = getattr(self._client, f"list_{kind}s")
        with self._described():
            answer = list_all(
                namespace=self._section.namespace, filter=json.dumps({"predicates": [has_name]})
            )
        runs = getattr(answer, f"{kind}s") or ()
        return next((str(getattr(run, f"{kind}_id")) for run in runs), None)

    def link(self, run_id: str) -> str:
        """URL of the run's page, or of the recurring run's."""
        page = "recurringrun" if self._section.schedule else "runs"
        return f"{self._host}/#/{page}/details/{run_id}"

    def _state(self, run_id: str) -> RunState:
        run = self._client.get_run(run_id)
        _identifier(run.run_id)
        all_details = (run.run_details and run.run_details.task_details) or []
        # Kubeflow also lists the workflow, its root, and each node's driver and executor.
        details = [detail for detail in all_details if detail.display_name in names.NODES]
        ended = run.state in _ENDED
        return RunState(
            ended=ended,
            succeeded=run.state == "SUCCEEDED",
            canceled=_was_canceled([status.state for status in run.state_history or ()], run.state),
            tasks={detail.display_name: _task_state(detail.state, ended) for detail in details},
            errors={
                detail.display_name: detail.error.message
                for detail in details
                if detail.error and detail.error.message
            },
        )

    def _engine_error(self, error: Exception, hint: str) -> EngineError:
        status = getattr(error, "status", None) or 0
        is_page = isinstance(error, _UnexpectedAnswerError) and error.is_page
        if is_page or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            address = f"; {hint}" if is_page and hint == _ADDRESS else ""
            return EngineError(
                f"{self._host}: not allowed ({status or 'login page'}); log in to the "
                f"installation, or name a file with its token in {TOKEN_FILE_VARIABLE}: "
                f"{_reason(error)}{address}",
                # A login that was valid has expired, and is renewed.
                is_transient=self._was_allowed,
                is_login=True,
            )
        if status == HTTPStatus.NOT_FOUND and hint:
            return EngineError(f"{self._host}: {_reason(error)}; {hint}")
        is_transient = (
            isinstance(error, (kfp_server_api.ApiException, HTTPError))
            and (status == 0 or status >= HTTPStatus.INTERNAL_SERVER_ERROR)
        ) or status in _TRANSIENT
        # Credentials that cannot be read, or renewed, although they were valid.
        is_transient |= self._was_allowed and isinstance(error, (GoogleAuthError, OSError))
        prefix = f"{int(status)}: " if status else ""
        return EngineError(f"{self._host}: {prefix}{_reason(error)}", is_transient=is_transient)


def _identifier(value: str | None) -> str:
    if not value:
        raise _UnexpectedAnswerError("JSON without the id of a run")
    return value


def _proxy(host: str) -> str | None:
    """The proxy that the environment names for an address, except on this machine."""
    name = urlsplit(host).hostname or ""
    if name == "localhost" or name.startswith("127.") or name == "::1":
        return None
    return select_proxy(host, get_environ_proxies(host))


def _reason(error: Exception) -> str:
    """The reason of an error in one line: the server's own message, if it sent one."""
    body = getattr(error, "body", None) or ""
    try:
        content = json.loads(body)
        message = content.get("message") or content.get("error")
    except (ValueError, AttributeError):
        # Gateways answer with a line of text, or with a page.
        message = None if "<" in body else body
    text = str(message or getattr(error, "reason", None) or error)
    text = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>: ", "", text)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        text += f"; set {CERTIFICATES_VARIABLES[0]} to a file with the CA that signed it"
    return one_line(text, _REASON_LENGTH)


def _was_canceled(history: list[str], state: str | None) -> bool:
    """Whether someone terminated the run since it was last started.

    A run that is terminated ends as ``FAILED``: ``ReportWorkflowResource`` in
    backend/src/apiserver/resource/resource_manager.go, 2.17.0. The history has ``CANCELING``.
    """
    for earlier in reversed([*history, state]):
        if earlier in ("CANCELING", "CANCELED"):
            return True
        if earlier in ("PENDING", "RUNNING"):
            return False
    return False


def _task_state(state: str | None, run_has_ended: bool) -> str:
    """A task's state in lower case; Argo leaves the tasks that it omits without one."""
    if state in (None, "", "RUNTIME_STATE_UNSPECIFIED"):
        return SKIPPED if run_has_ended else "pending"
    return state.lower()
