"""Peak memory of a process and its descendants."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import psutil

INTERVAL = 0.1
"""Seconds between two samples of the memory."""


class ModuleResult(NamedTuple):
    """Output of a module, and the highest sample of its memory."""

    output: str
    peak_bytes: int


def run_module(module: str, *arguments: object) -> ModuleResult:
    """Runs a module in a new interpreter and samples its memory.

    Raises:
        RuntimeError: it did not exit with 0; its stderr was not redirected.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    peak_bytes = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        while process.poll() is None:
            peak_bytes = max(peak_bytes, sum(map(_proportional_bytes, process_tree(process.pid))))
            time.sleep(INTERVAL)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise RuntimeError(f"{module} exited with {process.returncode}")
    return ModuleResult(output, peak_bytes)


def process_tree(pid: int) -> Iterator[psutil.Process]:
    """A process and its descendants."""
    with suppress(psutil.Error):  # the process has ended
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def _proportional_bytes(process: psutil.Process) -> int:
    """Memory of a process, with each shared page divided between the processes that share it."""
    with suppress(psutil.Error):  # the process has ended
        return int(process.memory_full_info().pss)
    return 0
