"""Runs of the project's own commands, as a user starts them."""

import subprocess
import sys
from pathlib import Path

HIGGS = Path(sys.executable).with_name("higgs")


def higgs(*arguments: object) -> str:
    """Runs the installed `higgs` command.

    Returns:
      What it printed.

    Raises:
      RuntimeError: it did not end with 0; the message has what it printed.
    """
    done = subprocess.run(  # noqa: S603 (our own command)
        [HIGGS, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"higgs {arguments[0]} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
