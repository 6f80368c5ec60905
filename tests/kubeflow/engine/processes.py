"""Starts containers' commands in an environment that stands for the image."""

import json
import os
import subprocess
from pathlib import Path

FORK_SERVER = Path(__file__).with_name("fork_server.py")


class Commands:
    """Runs each command line in its own process, as a container does."""

    def __init__(self, bin_folder: Path, **environment: str):
        self.environment = {
            **os.environ,
            **environment,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
        }

    def __call__(self, command: list[str], log: Path) -> int:
        with log.open("wb") as stream:
            return subprocess.run(
                command, env=self.environment, cwd=log.parent, stdout=stream, stderr=stream
            ).returncode


class Forks:
    """Runs the same modules and arguments in forks of a process with everything imported."""

    def __init__(self, bin_folder: Path, **environment: str):
        self._server = subprocess.Popen(
            [str(bin_folder / "python"), str(FORK_SERVER)],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, command: list[str], log: Path) -> int:
        assert command[:2] == ["python", "-m"], command[:2]
        request = {"module": command[2], "arguments": command[3:], "log": str(log)}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()
