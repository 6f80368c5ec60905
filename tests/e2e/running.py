"""The installed command, in a process of its own or in a fork of one that has imported TFX."""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from forks import ADDRESS_VARIABLE, run_in_fork

BIN = Path(sys.executable).parent

# A short training that learns next to nothing, for `Project.run`.
WORSE = {
    "trainer__derived_columns": "false",
    "trainer__trees": 0,
    "trainer__refit_events": 0,
    "trainer__epochs": 1,
    "trainer__learning_rate": 1e-5,
    "trainer__min_learning_rate": 1e-6,
}


@dataclass(frozen=True)
class Finished:
    """What a command printed and returned."""

    code: int
    output: str

    @property
    def states(self):
        """Each node's state by name, from the summary table."""
        rows = re.findall(r"^│ (\w+) +│ (\w+) +│", self.output, re.MULTILINE)
        return dict(rows)

    @property
    def version(self):
        return re.search(r"PUSHED version (\d+)", self.output)[1]


def higgs(*arguments, **environment):
    """Runs the installed command in a fork, with environment variables added."""
    return installed("higgs", *arguments, **environment)


def installed(script, *arguments, folder=None, **environment):
    """Runs an installed script in a fork, in a folder, with environment variables added."""
    with tempfile.NamedTemporaryFile() as output:
        code = run_in_fork(
            os.environ[ADDRESS_VARIABLE],
            [str(BIN / script), *map(str, arguments)],
            Path(output.name),
            folder=folder or Path.cwd(),
            environment=_environment(environment),
        )
        return Finished(code, output.read().decode())


def higgs_process(*arguments, **environment):
    """Runs the installed command as a user would: with the imports of a new process."""
    done = subprocess.run(
        [str(BIN / "higgs"), *map(str, arguments)],
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Finished(done.returncode, done.stdout)


def _environment(added):
    return {**os.environ, "COLUMNS": "160", **added}
