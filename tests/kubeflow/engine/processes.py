"""Starts containers' commands in an environment in place of the image."""

import os
import subprocess
from pathlib import Path

from forks import run_in_fork


class Commands:
    """Runs each command line in its own process, as a container does."""

    def __init__(self, bin_folder: Path, **environment: str):
        self.environment = {
            **os.environ,
            **environment,
            # A pod may have no home folder that its user can write to.
            "HOME": "/proc/none",
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
        }

    def __call__(self, command: list[str], log: Path) -> int:
        with log.open("wb") as stream:
            return subprocess.run(
                command, env=self.environment, cwd=log.parent, stdout=stream, stderr=stream
            ).returncode


class Forks(Commands):
    """Runs the same command lines in forks of a server in that environment."""

    def __init__(self, bin_folder: Path, server: str, **environment: str):
        super().__init__(bin_folder, **environment)
        self._server = server

    def __call__(self, command: list[str], log: Path) -> int:
        assert command[:2] == ["python", "-m"], command[:2]
        return run_in_fork(
            self._server, command, log, folder=log.parent, environment=self.environment
        )
