"""The memory of a process and of all that it started, from Linux' /proc."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

INTERVAL = 0.1


class Finished(NamedTuple):
    """What a command printed, and the most memory that it held at any time it was looked at."""

    output: str
    peak_bytes: int


def run_module(module: str, *arguments: object) -> Finished:
    """Runs a module in a fresh interpreter, and watches its memory.

    Raises:
      RuntimeError: it did not end with 0; what it printed on stderr has gone there.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        while process.poll() is None:
            peak = max(peak, sum(map(_proportional_bytes, tree(process.pid))))
            time.sleep(INTERVAL)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    return Finished(output, peak)


def tree(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(task).split():
            yield from tree(int(child))


def _proportional_bytes(pid: int) -> int:
    """Memory, where each page that processes share is split between them."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:  # the process has ended
        return ""
