"""Memory of a process and its descendants over time."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import psutil

INTERVAL = 0.1
"""Minimum number of seconds between two samples of the memory."""

SAMPLING_SHARE = 0.02
"""Maximum share of a processor's time that samples take: the kernel walks through every page."""


class MemorySample(NamedTuple):
    """The memory of all processes together at a time in seconds since 1970."""

    time: float
    bytes: int


class CommandResult(NamedTuple):
    """Standard output of a command, and the samples of its memory."""

    output: str
    samples: Sequence[MemorySample]

    @property
    def peak_bytes(self) -> int:
        """The highest sample."""
        return self.peak_between(0, float("inf"))

    def peak_between(self, start: float, end: float) -> int:
        """The highest sample between two times; 0 if there is none."""
        return max(
            (sample.bytes for sample in self.samples if start <= sample.time <= end), default=0
        )


def run_module(module: str, *arguments: object) -> CommandResult:
    """Runs a module in a new interpreter and samples its memory; see ``run_command``."""
    return run_command([sys.executable, "-m", module, *map(str, arguments)])


def run_command(command: Sequence[str]) -> CommandResult:
    """Runs a command and samples its memory.

    Raises:
        RuntimeError: it did not exit with 0; its stderr was not redirected.
    """
    samples = []
    # A file, because a full pipe would stop a command whose output nobody reads.
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(command, stdout=output, text=True) as process,  # noqa: S603
    ):
        while process.poll() is None:
            start = time.process_time()
            memory = sum(map(_proportional_bytes, process_tree(process.pid)))
            samples.append(MemorySample(time.time(), memory))
            time.sleep(max(INTERVAL, (time.process_time() - start) / SAMPLING_SHARE))
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}:\n{text}")
    return CommandResult(text, samples)


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
