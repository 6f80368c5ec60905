"""A process that has imported TFX, and commands that run in forks of it.

This saves seconds per command in tests that do not check how a command starts.
"""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

ADDRESS_VARIABLE = "HIGGS_TEST_SERVER"
"""Environment variable with the address of the session's server, for commands of the tests'
interpreter."""

SERVER = Path(__file__).with_name("fork_server.py")


class ForkServer:
    """Starts a server with an interpreter; it imports when the first command comes.

    Attributes:
        address: of its socket, for `run_in_fork` in any process.
    """

    def __init__(self, python: Path):
        self.address = f"higgs-tests-{os.getpid()}-{id(self):x}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(_without_file(self.address))
            listener.listen()
            self._process = subprocess.Popen(
                [str(python), str(SERVER), str(listener.fileno())],
                pass_fds=[listener.fileno()],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def run_in_fork(
    address: str, command: list[str], output: Path, *, folder: Path, environment: Mapping[str, str]
) -> int:
    """Runs a command in a fork of a server, and returns its exit code.

    Args:
        address: of the server.
        command: ``python -m MODULE ARGUMENT...``, or the path of a Python script with arguments.
        output: file that gets what the command prints.
        folder: working directory.
        environment: all environment variables of the command.
    """
    request = {
        "command": command,
        "folder": str(folder),
        "environment": dict(environment),
        "output": str(output),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(_without_file(address))
        with connection.makefile("rw") as stream:
            print(json.dumps(request), file=stream, flush=True)
            return int(stream.readline())


def run_script(*command: object, **variables: str) -> tuple[int, str]:
    """Runs a Python script in a fork of the session's server.

    Args:
        command: path of the script, and its arguments.
        variables: environment variables, besides those of this process.

    Returns:
        Its exit code, negative for a signal, and what it printed.
    """
    with tempfile.NamedTemporaryFile() as file:
        output = Path(file.name)
        server, arguments = os.environ[ADDRESS_VARIABLE], [str(part) for part in command]
        environment = {**os.environ, **variables}
        code = run_in_fork(server, arguments, output, folder=Path.cwd(), environment=environment)
        return code, output.read_text()


def _without_file(address: str) -> str:
    """The kernel removes such a socket with the server."""
    return f"\0{address}"
