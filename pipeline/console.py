"""Console output while a local run is in progress: one line per node.

TFX, Beam and TensorFlow print thousands of lines, from Python and from C++. These go to a file;
only the console writes to the real standard output.
"""

import io
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from rich.console import Console
from rich.text import Text

from formats.atomic_files import naming
from formats.errors import printable

# Messages of LocalDagRunner and its launcher, verbatim from the pinned TFX.
_NODE_STARTS = "Component %s is running."
_NODE_CACHED = "A cached execution %d is used."
_NODE_ENDS = "Component %s is finished."


class PlainConsole(Console):
    """A console that prints paths and messages verbatim, except for control characters.

    Nothing in them is markup or the name of an emoji, and no line is broken. If printing fails,
    the error names standard output.
    """

    def __init__(self, file: IO[str] | None = None):
        super().__init__(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Renders text of any origin, in cells of tables too."""
        return super().render_str(printable(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints objects."""
        with naming("standard output"):
            super().print(*objects, **options)


class Screen(io.TextIOWrapper):
    """The real standard output; an error while it is closed names it."""

    def close(self) -> None:
        """Writes what was printed, again if that has failed."""
        with naming("standard output"):
            super().close()


@contextmanager
def output_to(log_file: Path) -> Iterator[Console]:
    """Redirects everything that is printed or logged to a file; yields a console.

    It redirects the file descriptors, so C++ code and child processes are included.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    originals = {fd: os.dup(fd) for fd in (1, 2)}
    # File names may have bytes that are not UTF-8.
    screen = Screen(os.fdopen(os.dup(1), "wb"), encoding="utf-8", errors="backslashreplace")
    with log_file.open("ab") as log, screen:
        for fd in originals:
            os.dup2(log.fileno(), fd)
        try:
            yield PlainConsole(screen)
        finally:
            with suppress(OSError):  # the disk of the log is full
                sys.stdout.flush()
                sys.stderr.flush()
            for fd, original in originals.items():
                os.dup2(original, fd)
                os.close(original)


class NodeProgress(logging.Handler):
    """Prints one line per node, from the messages of the local runner."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self._console = console
        self._started = 0.0
        self._cached = False
        self.running: str | None = None
        """The node that is running, or in which the run ended."""

    def emit(self, record: logging.LogRecord) -> None:
        """Handles one message of the runner."""
        if record.msg == _NODE_CACHED:
            self._cached = True
        elif record.msg in (_NODE_STARTS, _NODE_ENDS):
            (node,) = cast("tuple[str]", record.args)
            if record.msg == _NODE_STARTS:
                self._start(node)
            else:
                self._end(node)

    def _start(self, node: str) -> None:
        self.running = node
        self._started, self._cached = time.monotonic(), False
        if self._console.is_terminal:
            self._console.print(f"  {node} ...", end="\r")

    def _end(self, node: str) -> None:
        seconds = time.monotonic() - self._started
        duration = "cached" if self._cached else f"{seconds:.1f} s"
        self._console.print(f"  {node:<22}{duration:>10}")


class Relay(logging.Handler):
    """Prints the log messages of our own nodes, indented under the node."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message; warnings stand out."""
        style = "bold" if record.levelno >= logging.WARNING else "dim"
        self._console.print(f"    {record.getMessage()}", style=style)


@contextmanager
def following(console: Console) -> Iterator[NodeProgress]:
    """Prints the progress of nodes and their log messages during a run."""
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.INFO)
    runner, own = absl_logging.get_absl_logger(), logging.getLogger("higgs")
    progress = NodeProgress(console)
    handlers = ((runner, progress), (own, Relay(console)))
    own.setLevel(logging.INFO)
    for logger, handler in handlers:
        logger.addHandler(handler)
    try:
        yield progress
    finally:
        for logger, handler in handlers:
            logger.removeHandler(handler)
