import json
import subprocess
import sys

import pytest

CODE = """
import json, os, socket
from pipeline.cli.report_commands import confine
confine()
server = socket.create_server(("localhost", 0))
def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"
print(json.dumps({
    "connect": attempt(lambda: socket.create_connection(server.getsockname())),
    "send": attempt(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))),
    "names": sorted(os.environ),
}))
"""


@pytest.mark.slow
def test_evaluate_loads_a_model_without_connections_and_credentials(tmp_path):
    environment = {
        "PATH": "/bin",
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "GITHUB_TOKEN": "s3cret",
        "PYTHONPATH": ":".join(entry for entry in sys.path if entry),
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    results = json.loads(done.stdout)
    assert results["connect"] == results["send"] == "PermissionError"
    assert set(results["names"]) <= {"PATH", "HOME", "OMP_NUM_THREADS", "LC_CTYPE"}
