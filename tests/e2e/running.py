"""The installed command, run as a user would."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent

# A training that learns next to nothing, for `Project.run`.
WORSE = {
    "trainer__trees": 0,
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
    """Runs the installed command as a user would."""
    command = [str(BIN / "higgs"), *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "160", **environment}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Finished(done.returncode, done.stdout)
