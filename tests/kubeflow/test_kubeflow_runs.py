"""The client of Kubeflow Pipelines against a server whose answers are those of real gateways."""

import json
import socket
import ssl
import threading
from pathlib import Path
from unittest.mock import Mock

import pytest
import trustme
from engine.api_server import Fault, Installation
from engine.clock import Clock
from google.auth.exceptions import RefreshError

from kubeflow import engine_runs, kubeflow_runs
from kubeflow.engine_runs import EngineError, exit_code, follow
from kubeflow.kubeflow_runs import KubeflowRuns
from pipeline.config import load_config
from pipeline.exit_codes import ExitCode

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = "<!DOCTYPE html><html><body>Log in to your account</body></html>"
SCHEDULE = "kubeflow.schedule={cron: 0 3 * * 1}"


@pytest.fixture(autouse=True)
def _own_home(monkeypatch, tmp_path):
    """No credentials of the developer, and no delays."""
    context = tmp_path / "context.json"
    monkeypatch.setattr(kubeflow_runs.Client, "_LOCAL_KFP_CONTEXT", str(context))
    for name in ("KF_PIPELINES_SA_TOKEN_PATH", *kubeflow_runs.CERTIFICATES_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(engine_runs, "time", Clock())


@pytest.fixture
def server():
    with Installation({"state": "RUNNING"}).running() as server:
        yield server


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text("pipelineInfo: {name: higgs}\nschemaVersion: 2.1.0\nsdkVersion: tfx-1.16\n")
    return path


def connect(server, *overrides):
    host = server if isinstance(server, str) else server.host
    config = load_config(ROOT / "configs" / "kubeflow.yaml", (f"kubeflow.host={host}", *overrides))
    return KubeflowRuns(config, config.kubeflow)


def tasks(**states):
    details = [{"display_name": name, "state": state} for name, state in states.items()]
    # Kubeflow also lists the workflow, its root, and each node's driver and executor.
    names = ("higgs-x7k2p", "root", "root-driver", "executor", "Trainer-driver")
    details += [{"display_name": name, "state": "FAILED"} for name in names]
    return {"run_details": {"task_details": [*details, {"state": "FAILED"}, {"task_id": "1"}]}}


def history(*states):
    return {"state_history": [{"state": state} for state in states]}


def last_state(runs):
    return list(follow(runs, "7", interval=30))[-1]


TRANSIENT = {
    "a server error": Fault(500, '{"code": 13, "message": "database is locked"}'),
    "a gateway without a server": Fault(503, "<html>no healthy upstream</html>"),
    "a page in another encoding": Fault(502, "<html>Gateway \udcfcberlastet</html>"),
    "a gateway that waited too long for the request": Fault(408, "timeout"),
    "a conflict with another request": Fault(409, '{"code": 10, "message": "try again"}'),
    "too many requests": Fault(429, "slow down"),
    "a closed connection": Fault(0),
    "a truncated answer": Fault(200, '{"run_id": "7", "sta', length=400),
    "malformed JSON": Fault(200, '{"run_id": "7", "sta'),
    "no content": Fault(200, ""),
    "a list": Fault(200, "[]"),
    "a run without id": Fault(200, "{}"),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_polls_tolerate_transient_errors(fault, server):
    server.states[:] = [{"state": "SUCCEEDED", **tasks(PushGate="SUCCEEDED")}]
    # urllib3 itself repeats a GET whose connection was closed.
    server.faults = [fault] * 5
    assert last_state(connect(server)).succeeded
    assert not server.faults


LOGINS = {
    "a login page": (Fault(200, PAGE), "not allowed (login page); log in to the installation"),
    "401": (Fault(401, '{"error": "token expired"}'), "not allowed (401); log in"),
    "403": (Fault(403, '{"message": "user x may not get runs"}'), "user x may not get runs"),
    "a gateway": (Fault(403, "RBAC: access denied\n"), "_SA_TOKEN_PATH: RBAC: access denied"),
}


@pytest.mark.parametrize(("fault", "message"), LOGINS.values(), ids=LOGINS)
def test_a_login_that_expires_is_renewed_and_one_that_never_was_valid_is_reported(
    fault, message, server
):
    server.faults = [fault]
    with pytest.raises(EngineError) as error:
        next(follow(connect(server), "7", interval=0))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    runs = connect(server)
    server.states[:] = [{"state": "RUNNING"}, {"state": "SUCCEEDED"}]
    states = follow(runs, "7", interval=0)
    next(states)
    server.faults = [fault, fault]
    assert next(states).succeeded


@pytest.mark.parametrize("place", ["token file", "context"])
def test_a_renewed_login_is_read_again(place, server, monkeypatch, tmp_path):
    def log_in(token):
        if place == "token file":
            monkeypatch.setenv(kubeflow_runs.TOKEN_FILE_VARIABLE, str(tmp_path / "token"))
            (tmp_path / "token").write_text(token)
        else:
            name, value = "Authorization", f"Bearer {token}"
            keys = ("client_authentication_header_name", "client_authentication_header_value")
            context = {"namespace": "mine", **dict(zip(keys, (name, value), strict=True))}
            Path(kubeflow_runs.Client._LOCAL_KFP_CONTEXT).write_text(json.dumps(context))

    log_in("first")
    server.tokens = ["first", "second"]
    # The login's helper renews the token when the first answer has been given.
    server.on_answer = lambda: log_in("second")
    server.states[:] = [{"state": "RUNNING"}, {"state": "SUCCEEDED"}]
    assert last_state(connect(server)).succeeded


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, "404 page not found"), (200, "<!doctype html><html>dashboard</html>")],
)
def test_an_address_without_the_api_is_explained(status, body, server):
    server.status, server.body = status, body
    with pytest.raises(EngineError, match="must be the address of Kubeflow Pipelines 2, which end"):
        connect(server)


def test_only_polls_say_that_a_run_was_deleted(server, file):
    server.faults = [Fault(404, '{"message": "experiment e not found"}')]
    with pytest.raises(EngineError, match=r"404: experiment e not found$"):
        connect(server).submit(file)


@pytest.mark.parametrize("override", [None, SCHEDULE], ids=["run", "schedule"])
def test_the_client_prints_nothing(override, server, file, capfd, caplog):
    connect(server, *([override] if override else [])).submit(file)
    with pytest.raises(EngineError) as error:
        connect("http://127.0.0.1:9")
    assert str(error.value).startswith("http://127.0.0.1:9: Failed to establish a new connection")
    assert capfd.readouterr() == ("", "")
    # TFX, which compiles the file, has the root logger print to standard error.
    assert caplog.records == []


def test_a_deleted_run_is_reported_at_once(server):
    with pytest.raises(EngineError, match="the run was deleted, or belongs to another") as error:
        next(follow(connect(server), "8", interval=0))
    assert "/runs/8: not found" in str(error.value)


def test_polling_an_unresponsive_server_times_out(server, monkeypatch):
    # Limits of the connection and of the answer; urllib3 repeats the request three times.
    monkeypatch.setattr(kubeflow_runs, "REQUEST_SECONDS", (0.1, 0.1))
    server.faults = [Fault(200, seconds=0.3)] * 4
    runs = connect(server)
    with pytest.raises(EngineError, match=r"[Tt]imed out") as error:
        runs.state("7")
    assert error.value.is_transient


LOST_ANSWERS = {
    "an accepted request without an answer": Fault(0, is_late=True),
    "an accepted request with a gateway's answer": Fault(504, PAGE, is_late=True),
    "an accepted request with a truncated answer": Fault(200, '{"run', length=9, is_late=True),
}


@pytest.mark.parametrize("override", [None, SCHEDULE], ids=["run", "schedule"])
@pytest.mark.parametrize("fault", LOST_ANSWERS.values(), ids=LOST_ANSWERS)
def test_an_answer_that_is_lost_starts_no_second_run(fault, override, server, file):
    # The outage goes on while the run is looked for.
    server.faults = [fault, Fault(503)]
    runs = connect(server, *([override] if override else []))
    assert runs.submit(file) == "7"
    assert len(server.created) == 1


@pytest.mark.parametrize("root", ["s3://b/r", "minio://b/r?disableSSL=true"])
@pytest.mark.parametrize("override", [None, SCHEDULE], ids=["run", "schedule"])
def test_the_root_of_the_artifacts_is_in_the_request(override, root, server, file):
    connect(server, f"root={root}", *([override] if override else [])).submit(file)
    [path] = server.sent.keys() & {"/runs", "/recurringruns"}
    folder, mark, query = root.partition("?")
    sent = server.sent[path]["runtime_config"]["pipeline_root"]
    assert sent == f"{folder}/artifacts{mark}{query}"


@pytest.mark.parametrize("override", [None, SCHEDULE], ids=["run", "schedule"])
def test_the_experiment_is_the_configured_one(override, server, file, monkeypatch):
    for name in ("DEFAULT", "OVERRIDE"):
        monkeypatch.setenv(f"KF_PIPELINES_{name}_EXPERIMENT_NAME", "another")
    connect(server, *([override] if override else [])).submit(file)
    assert server.sent["/experiments"]["display_name"] == "higgs"


@pytest.mark.parametrize("override", [None, SCHEDULE], ids=["run", "schedule"])
def test_runs_have_the_configured_namespace_and_service_account(override, server, file):
    # The client takes the name kubeflow for its default, and leaves it out.
    section = ("kubeflow.namespace=kubeflow", "kubeflow.service_account=higgs-runner")
    connect(server, *section, *([override] if override else [])).submit(file)
    [path] = server.sent.keys() & {"/runs", "/recurringruns"}
    assert server.sent["/experiments"]["namespace"] == "kubeflow"
    assert server.sent[path]["service_account"] == "higgs-runner"


def test_a_schedule_has_seconds_a_limit_and_no_catchup(server, file):
    schedule = "kubeflow.schedule={cron: 30 3 * * 1, max_concurrent_runs: 2}"
    connect(server, schedule).submit(file)
    body = server.sent["/recurringruns"]
    assert body["trigger"]["cron_schedule"]["cron"] == "0 30 3 * * 1"
    assert (body["max_concurrency"], body["no_catchup"]) == (2, True)
    assert "/runs" not in server.sent


def test_a_request_that_was_not_accepted_is_repeated(server, file):
    server.faults = [Fault(503), Fault(503)]
    assert connect(server).submit(file) == "7"
    assert len(server.created) == 1


def test_runs_that_are_submitted_in_the_same_second_have_different_names(server, file):
    runs = connect(server)
    runs.submit(file)
    runs.submit(file)
    assert len(set(server.created)) == 2


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, '{"error": "x", "message": "namespace is empty in multi-user mode"}', "namespace is"),
        (200, PAGE, "login page"),
        (413, "<html>too large</html>", "413: Request Entity Too Large"),
        (400, "no \udcfc here", "400: no \ufffd here"),
    ],
)
def test_a_rejected_creation_is_reported_at_once(status, body, message, server, file):
    server.faults = [Fault(status, body)] * 2
    with pytest.raises(EngineError) as error:
        connect(server).submit(file)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.faults) == 1


@pytest.mark.parametrize(
    ("states", "code"),
    [
        # Kubeflow has no state for a run that was terminated: it ends as failed.
        (history("PENDING", "RUNNING", "CANCELING", "FAILED"), ExitCode.FAILED),
        (history("PENDING", "RUNNING", "FAILED"), ExitCode.DATA_REFUSED),
        # Terminated, then retried by a person, and decided.
        (history("RUNNING", "CANCELING", "FAILED", "RUNNING", "FAILED"), ExitCode.DATA_REFUSED),
        ({}, ExitCode.DATA_REFUSED),
    ],
)
def test_a_terminated_run_is_not_a_decision_of_the_running_gate(states, code, server):
    server.states[:] = [{"state": "FAILED", **tasks(DataGate="FAILED"), **states}]
    assert exit_code(last_state(connect(server))) == code


def test_a_termination_that_only_a_poll_saw_counts(server):
    failed = tasks(PushGate="FAILED")
    server.states[:] = [{"state": "CANCELING", **failed}, {"state": "FAILED", **failed}]
    assert exit_code(last_state(connect(server))) == ExitCode.FAILED


@pytest.mark.parametrize("omitted", ["RUNTIME_STATE_UNSPECIFIED", "", None])
def test_nodes_that_argo_omits_are_skipped(omitted, server):
    states = tasks(DataGate="FAILED", Trainer=omitted)
    server.states[:] = [{"state": "RUNNING", **states}, {"state": "FAILED", **states}]
    running, ended = follow(connect(server), "7", interval=0)
    assert running.tasks == {"DataGate": "failed", "Trainer": "pending"}
    assert ended.tasks == {"DataGate": "failed", "Trainer": "skipped"}


def test_states_of_later_releases_are_shown_and_awaited(server):
    server.states[:] = [
        {"state": "HIBERNATING", "unknown": 1, **tasks(Trainer="MIGRATING")},
        {"state": "PAUSED"},
        {"state": "SUCCEEDED", "storage_state": "ARCHIVED"},
    ]
    states = list(follow(connect(server), "7", interval=0))
    assert [state.ended for state in states] == [False, False, True]
    assert states[0].tasks == {"Trainer": "migrating"}


def test_a_token_file_that_cannot_be_read_is_named(server, monkeypatch, tmp_path):
    monkeypatch.setenv(kubeflow_runs.TOKEN_FILE_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(EngineError, match=r"No such file or directory: '.*none'") as error:
        connect(server)
    assert not error.value.is_transient


def test_a_token_file_that_is_missing_for_a_while_is_an_outage(server, monkeypatch, tmp_path):
    token = tmp_path / "token"
    token.write_text("first")
    monkeypatch.setenv(kubeflow_runs.TOKEN_FILE_VARIABLE, str(token))
    runs = connect(server)
    states = follow(runs, "7", interval=30)
    next(states)
    token.unlink()
    with pytest.raises(EngineError) as error:
        runs.state("7")
    assert error.value.is_transient
    token.write_text("second")
    server.states[:] = [{"state": "SUCCEEDED"}]
    assert next(states).succeeded


def test_a_token_of_google_is_renewed_if_it_was_valid(server, monkeypatch):
    expired = Mock(side_effect=RefreshError("503"))
    for was_valid in (False, True):
        runs = connect(server)
        if was_valid:
            runs.state("7")
        with monkeypatch.context() as patch:
            patch.setattr(kubeflow_runs.Client, "get_run", expired)
            with pytest.raises(EngineError, match=r": 503$") as error:
                runs.state("7")
        assert error.value.is_transient is was_valid


@pytest.mark.parametrize("text", ["{", "{}"])
def test_a_malformed_context_is_named(text, server):
    Path(kubeflow_runs.Client._LOCAL_KFP_CONTEXT).write_text(text)
    with pytest.raises(EngineError, match=r"context\.json: .* missing or malformed"):
        connect(server)


def test_the_environments_certificates_are_trusted(server, monkeypatch, tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    host = server.host.replace("http:", "https:")
    monkeypatch.setenv("SSL_CERT_FILE", "")
    with pytest.raises(EngineError, match=r"CERTIFICATE_VERIFY_FAILED.*; set SSL_CERT_FILE to"):
        connect(host)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with pytest.raises(EngineError, match=r"^REQUESTS_CA_BUNDLE: .*/ca\.pem is not a file; give"):
        connect(host)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert not connect(host).state("7").ended


def test_the_environments_proxy_is_used(monkeypatch):
    proxy = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("http_proxy", f"http://ann:s3cret@127.0.0.1:{proxy.getsockname()[1]}")
    requests = []

    def answer():
        connection, _ = proxy.accept()
        requests.append(connection.recv(4096).split(b"\r\n"))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        connection.close()

    with proxy:
        threading.Thread(target=lambda: [answer() for _ in range(2)], daemon=True).start()
        connect("http://kubeflow.example")
    assert requests[0][0].startswith(b"GET http://kubeflow.example/apis/v2beta1/healthz ")
    assert b"Proxy-Authorization: Basic YW5uOnMzY3JldA==" in requests[0]


@pytest.mark.parametrize(
    ("host", "is_used"),
    [
        ("http://kubeflow.example", True),
        ("http://kubeflow.example:8080", False),
        ("http://ml-pipeline.kubeflow.svc:8888", False),
        ("http://10.1.2.3", False),
        ("http://11.1.2.3", True),
        ("http://localhost:8080", False),
        ("http://127.0.0.1:8080", False),
        ("http://127.0.1.1", False),
        ("http://127-0-1-1.example", True),
        ("http://[::1]:8080", False),
        ("http://[fd00::1]:8080", True),
    ],
)
def test_the_environments_exceptions_from_the_proxy_apply(host, is_used, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "kubeflow.example:8080,10.0.0.0/8,.svc")
    assert kubeflow_runs._proxy(host) == ("http://proxy:3128" if is_used else None)
