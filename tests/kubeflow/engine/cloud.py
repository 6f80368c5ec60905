"""A fake of Google's services, which real clients reach over TLS.

Unmodified clients connect through a proxy and trust the fake's certificate authority, both named
in environment variables. It implements the calls that TFX and `higgs submit` make, records every
request, and runs a custom job's container on this machine.
"""

import json
import socket
import socketserver
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import grpc
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import aiplatform_v1 as v1
from google.longrunning import operations_pb2
from google.protobuf import any_pb2

PARENT = "projects/123/locations/us-central1"
SERVICES = "google.cloud.aiplatform.v1"

BUSY_FOR = 45.0
"""Seconds during which a job's state is unavailable; a client gives up after 120."""


class Cloud:
    """The services, and the environment in which clients find them.

    Attributes:
        requests: every request by the name of its call, such as ``CreateCustomJob``.
        endpoints: created endpoints by resource name.
        pipeline_states: successive responses of ``GetPipelineJob``; the last one repeats.
    """

    def __init__(self, folder: Path, start=None):
        self.requests = defaultdict(list)
        self.endpoints: dict[str, v1.Endpoint] = {}
        self.pipeline_states: list[v1.PipelineJob] = []
        self._folder, self._start = folder, start
        self._jobs: dict[str, v1.CustomJob] = {}
        self._answer_time = 0.0
        self._authority = trustme.CA()
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers([_Calls(self)])
        port = self._server.add_secure_port("127.0.0.1:0", self._credentials())
        self._server.start()
        self._proxy = _Proxy(port)

    def environment(self) -> dict[str, str]:
        """Environment variables that lead Google's clients to the services and an account."""
        authority, account = self._folder / "authority.pem", self._folder / "account.json"
        self._authority.cert_pem.write_to_path(str(authority))
        account.write_text(json.dumps(_service_account()))
        return {
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(authority),
            "https_proxy": f"http://127.0.0.1:{self._proxy.port}",
            "no_proxy": "127.0.0.1,localhost",
        }

    def close(self) -> None:
        self._proxy.close()
        self._server.stop(None)

    def _credentials(self):
        certificate = self._authority.issue_cert("*.googleapis.com")
        key = certificate.private_key_pem.bytes()
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        return grpc.ssl_server_credentials([(key, chain)])

    # Each method implements the call of its name.

    def CreateCustomJob(self, request):  # noqa: N802
        name = f"{PARENT}/customJobs/{len(self._jobs) + 1}"
        job = request.custom_job
        job.name, job.state = name, v1.JobState.JOB_STATE_RUNNING
        self._jobs[name] = job
        self._answer_time = time.monotonic()
        threading.Thread(target=self._train, args=(job,)).start()
        return job

    def _train(self, job):
        [pool] = job.job_spec.worker_pool_specs
        log = self._folder / f"{job.name.rpartition('/')[2]}.log"
        code = self._start(list(pool.container_spec.command), log)
        states = v1.JobState
        job.state = states.JOB_STATE_FAILED if code else states.JOB_STATE_SUCCEEDED

    def ListCustomJobs(self, request):  # noqa: N802
        name = request.filter.partition("=")[2].strip('"')
        jobs = [job for job in self._jobs.values() if job.display_name == name]
        return v1.ListCustomJobsResponse(custom_jobs=jobs)

    def GetCustomJob(self, request):  # noqa: N802
        job = self._jobs[request.name]
        running = job.state == v1.JobState.JOB_STATE_RUNNING
        if running and time.monotonic() - self._answer_time < BUSY_FOR:
            # The client retries a busy service within seconds; for a running job, TFX would
            # sleep for 30.
            raise UnavailableError
        self._answer_time = time.monotonic()
        return job

    def ListEndpoints(self, request):  # noqa: N802
        name = request.filter.partition("=")[2].strip('"')
        endpoints = [e for e in self.endpoints.values() if e.display_name == name]
        return v1.ListEndpointsResponse(endpoints=endpoints)

    def CreateEndpoint(self, request):  # noqa: N802
        endpoint = request.endpoint
        endpoint.name = f"{PARENT}/endpoints/{len(self.endpoints) + 1}"
        self.endpoints[endpoint.name] = endpoint
        return _finished(endpoint)

    def GetEndpoint(self, request):  # noqa: N802
        return self.endpoints[request.name]

    def UploadModel(self, _):  # noqa: N802
        name = f"{PARENT}/models/{len(self.requests['UploadModel'])}"
        return _finished(v1.UploadModelResponse(model=name))

    def GetModel(self, request):  # noqa: N802
        return v1.Model(
            name=request.name,
            supported_deployment_resources_types=[
                v1.Model.DeploymentResourcesType.DEDICATED_RESOURCES
            ],
        )

    def DeployModel(self, request):  # noqa: N802
        endpoint = self.endpoints[request.endpoint]
        request.deployed_model.id = str(len(endpoint.deployed_models) + 1)
        endpoint.deployed_models.append(request.deployed_model)
        return _finished(v1.DeployModelResponse(deployed_model=request.deployed_model))

    def CreatePipelineJob(self, request):  # noqa: N802
        job = request.pipeline_job
        job.name = f"{PARENT}/pipelineJobs/{request.pipeline_job_id}"
        job.state = v1.PipelineState.PIPELINE_STATE_PENDING
        return job

    def GetPipelineJob(self, request):  # noqa: N802
        states = self.pipeline_states
        job = states.pop(0) if len(states) > 1 else states[0]
        job.name = request.name
        return job

    def CreateSchedule(self, request):  # noqa: N802
        schedule = request.schedule
        schedule.name = f"{PARENT}/schedules/1"
        return schedule

    def GetSchedule(self, request):  # noqa: N802
        return v1.Schedule(name=request.name)


class UnavailableError(Exception):
    """The service is busy."""


_CALLS = {
    "JobService": ("CreateCustomJob", "GetCustomJob", "ListCustomJobs"),
    "EndpointService": ("ListEndpoints", "CreateEndpoint", "GetEndpoint", "DeployModel"),
    "ModelService": ("UploadModel", "GetModel"),
    "PipelineService": ("CreatePipelineJob", "GetPipelineJob"),
    "ScheduleService": ("CreateSchedule", "GetSchedule"),
}


class _Calls(grpc.GenericRpcHandler):
    """Finds the method of a call and the type of its request by name."""

    def __init__(self, cloud: Cloud):
        self._cloud = cloud

    def service(self, details):
        service, _, call = details.method.lstrip("/").partition("/")
        if call not in _CALLS.get(service.removeprefix(f"{SERVICES}."), ()):
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answer(call, request, context)
        )

    def _answer(self, call, request, context):
        parsed = getattr(v1, f"{call}Request").deserialize(request)
        self._cloud.requests[call].append(parsed)
        try:
            answer = getattr(self._cloud, call)(parsed)
        except UnavailableError:
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        if isinstance(answer, operations_pb2.Operation):
            return answer.SerializeToString()
        return type(answer).serialize(answer)


class _Proxy:
    """An HTTP proxy that connects every CONNECT request to one local port."""

    def __init__(self, port: int):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                request = self.rfile.readline().split()
                while self.rfile.readline().strip():
                    pass
                if not request or request[0] != b"CONNECT":
                    return
                if not request[1].endswith(b"aiplatform.googleapis.com:443"):
                    self.wfile.write(b"HTTP/1.1 403 no such host here\r\n\r\n")
                    return
                with closing(socket.create_connection(("127.0.0.1", port))) as upstream:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=_pump, args=(upstream, self.connection))
                    back.start()
                    _pump(self.connection, upstream)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def _pump(source, destination):
    try:
        while data := source.recv(65536):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _finished(result):
    response = any_pb2.Any()
    response.Pack(type(result).pb(result))
    return operations_pb2.Operation(name=f"{PARENT}/operations/1", done=True, response=response)


def _service_account():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "higgs@my-project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
