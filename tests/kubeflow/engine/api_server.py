"""The part of Kubeflow Pipelines' HTTP API that the client uses; records the requests."""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Fault:
    """An answer to a call about runs that replaces the regular one.

    Attributes:
        status: the status, or 0 for a connection that is closed without an answer.
        body: the content.
        length: the announced length; None for the true one.
        is_late: whether the call takes effect although it is not answered properly.
        seconds: delay of the answer.
    """

    status: int
    body: str = "{}"
    length: int | None = None
    is_late: bool = False
    seconds: float = 0.0


class Installation(ThreadingHTTPServer):
    """The part of Kubeflow Pipelines' API that the client uses; records requests."""

    def __init__(self, *states):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.states, self.sent, self.status = list(states), {}, 200
        # The content of the answer about the server's health, instead of the regular one.
        self.body = None
        # Answers to the next calls about runs, and the runs that were created.
        self.faults, self.created, self.calls = [], [], []
        # The tokens that are valid in turn: each for one answer, the last one for good.
        self.tokens, self.on_answer = [], lambda: None
        self.host = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @contextmanager
    def running(self):
        """Shuts the server down at the end of the block."""
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        path = url.path.removeprefix("/apis/v2beta1")
        self.server.calls.append(f"GET {path}")
        if path == "/healthz":
            self._answer({"multi_user": False}, self.server.status, self.server.body)
        elif path == "/experiments":
            self._answer({})
        elif self._fails():
            return
        elif path in ("/runs", "/recurringruns"):
            [predicate] = json.loads(parse_qs(url.query)["filter"][0])["predicates"]
            assert (predicate["operation"], predicate["key"]) == ("EQUALS", "display_name")
            key = {"/runs": "runs", "/recurringruns": "recurringRuns"}[path]
            found = [run for run in self.server.created if run[0] == predicate["stringValue"]]
            identifier = "run_id" if path == "/runs" else "recurring_run_id"
            self._answer({key: [{identifier: "7", "display_name": name} for (name,) in found]})
        elif path == "/runs/7":
            states = self.server.states
            self._answer({"run_id": "7", **(states.pop(0) if states[1:] else states[0])})
        else:
            self._answer({"code": 5, "message": f"{path}: not found"}, 404)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        path = urlsplit(self.path).path.removeprefix("/apis/v2beta1")
        self.server.calls.append(f"POST {path}")
        faults = self.server.faults if path != "/experiments" else []
        if not faults or faults[0].is_late:
            self.server.sent[path] = body
            if path != "/experiments":
                self.server.created.append((body["display_name"],))
        if faults and self._fails():
            return
        ids = {
            "/experiments": "experiment_id",
            "/runs": "run_id",
            "/recurringruns": "recurring_run_id",
        }
        self._answer({ids[path]: "7", **body}, self.server.status)

    def _fails(self):
        if not self.server.faults:
            return False
        fault = self.server.faults.pop(0)
        time.sleep(fault.seconds)
        if fault.status:
            content = fault.body.encode(errors="surrogateescape")
            self.send_response(fault.status)
            self.send_header("Content-Length", str(fault.length or len(content)))
            self.end_headers()
            self.wfile.write(content)
        self.close_connection = True
        return True

    def _answer(self, content, status=200, body=None):
        tokens = self.server.tokens
        if tokens and self.headers["authorization"] != f"Bearer {tokens[0]}":
            content, status = {"error": "the token has expired"}, 401
        elif tokens[1:] and self.path.partition("?")[0].endswith("/runs/7"):
            tokens.pop(0)
            self.server.on_answer()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write((body or json.dumps(content)).encode())

    def log_message(self, *_):
        pass
