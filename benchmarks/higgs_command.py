"""Runs the installed `higgs` command, as a user does."""

import subprocess
import sys
from pathlib import Path

HIGGS = Path(sys.executable).with_name("higgs")


def higgs(*arguments: object) -> str:
    """Runs the installed `higgs` command.

    Returns:
        Its output.

    Raises:
        RuntimeError: it did not exit with 0; the message contains its output.
    """
    process = subprocess.run(  # noqa: S603 (our own command)
        [HIGGS, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if process.returncode:
        raise RuntimeError(
            f"higgs {arguments[0]} exited with {process.returncode}:\n{process.stdout}"
        )
    return process.stdout
