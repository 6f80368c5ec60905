"""The part of Kubeflow Pipelines' HTTP API that the client uses; records the requests."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Installation(ThreadingHTTPServer):
    """The part of Kubeflow Pipelines' API that the client uses; records requests."""

    def __init__(self, *states):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.states, self.sent, self.status = list(states), {}, 200
        # The tokens that are valid in turn: each for one answer, the last one for good.
        self.tokens, self.on_answer = [], lambda: None
        self.host = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

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
        path = urlsplit(self.path).path.removeprefix("/apis/v2beta1")
        if path == "/healthz":
            self._answer({"multi_user": False}, self.server.status)
        elif path == "/experiments":
            self._answer({})
        elif path == "/runs/7":
            states = self.server.states
            self._answer({"run_id": "7", **(states.pop(0) if states[1:] else states[0])})
        else:
            self._answer({"error": f"no such call: {path}"}, 404)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        path = urlsplit(self.path).path.removeprefix("/apis/v2beta1")
        self.server.sent[path] = body
        ids = {
            "/experiments": "experiment_id",
            "/runs": "run_id",
            "/recurringruns": "recurring_run_id",
        }
        self._answer({ids[path]: "7", **body}, self.server.status)

    def _answer(self, content, status=200):
        tokens = self.server.tokens
        if tokens and self.headers["authorization"] != f"Bearer {tokens[0]}":
            content, status = {"error": "the token has expired"}, 401
        elif tokens[1:] and self.path.partition("?")[0].endswith("/runs/7"):
            tokens.pop(0)
            self.server.on_answer()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass
