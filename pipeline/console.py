"""What a person sees while the pipeline runs: a line a node, then the outcome.

TFX, Beam and TensorFlow write thousands of lines, from Python and from C++.
They go to a file; the console keeps the real standard output for itself.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # These import TFX, and this module must speak before that is done.
    from formats.gate_decision import Verdict
    from pipeline.metadata_store import NodeRun, RunOutcome

# What LocalDagRunner and its launcher log, word for word in the pinned TFX.
_NODE_STARTS = "Component %s is running."
_NODE_CACHED = "A cached execution %d is used."
_NODE_ENDS = "Component %s is finished."


@contextmanager
def noise_to(log_file: Path) -> Iterator[Console]:
    """Sends everything that is printed or logged to a file, and gives a console to speak on.

    Works on the file descriptors, so that C++ code and child processes are covered.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {fd: os.dup(fd) for fd in (1, 2)}
    with log_file.open("ab") as log, os.fdopen(os.dup(1), "w", encoding="utf-8") as screen:
        for fd in kept:
            os.dup2(log.fileno(), fd)
        try:
            # No markup: paths and messages are printed as they are.
            yield Console(file=screen, highlight=False, markup=False)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for fd, original in kept.items():
                os.dup2(original, fd)
                os.close(original)


class NodeProgress(logging.Handler):
    """Prints a line a node, from what the local runner logs."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self._console = console
        self._started = 0.0
        self._cached = False
        self.running: str | None = None
        """The node that runs now, or that a run ended in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Follows the runner's log."""
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
        what = "cached" if self._cached else f"{seconds:.1f} s"
        self._console.print(f"  {node:<22}{what:>10}")


class Relay(logging.Handler):
    """Prints what our own nodes log, indented under the node."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one message."""
        self._console.print(Text(f"    {record.getMessage()}", style="dim"), soft_wrap=True)


@contextmanager
def following(console: Console) -> Iterator[NodeProgress]:
    """Shows the progress of nodes, and what they log, while a run goes on."""
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


def summary_table(outcome: "RunOutcome") -> Table:
    """Every node with its state and time, and the events that ExampleGen counted."""
    table = Table(title=f"run {outcome.run_id}", title_justify="left")
    table.add_column("node")
    table.add_column("state")
    table.add_column("time", justify="right")
    table.add_column("result", overflow="fold")
    for node in outcome.nodes.values():
        table.add_row(node.name, node.state, f"{node.seconds:.1f} s", _result(node))
    return table


def verdict_lines(verdict: "Verdict") -> Iterator[str]:
    """The AUC, and each threshold with its margin."""
    against = "" if verdict.baseline_auc is None else f", baseline {verdict.baseline_auc:.4f}"
    yield f"AUC {verdict.auc:.4f} on {verdict.events:,} events{against}"
    for check in verdict.checks:
        word = "passed" if check.margin >= 0 else "MISSED"
        yield (
            f"gate: {check.name} {check.value:+.4f}, at least {check.limit:+.4f} needed: "
            f"{word} by {abs(check.margin):.4f}"
        )


def _result(node: "NodeRun") -> str:
    facts = []
    for key, output in node.outputs.items():
        for name, value in output.properties.items():
            if name.startswith("events_"):
                facts.append(f"{value:,} {name.removeprefix('events_')} events")
        if "blessed" in output.properties and key == "blessing":
            facts.append("blessed" if output.properties["blessed"] else "not blessed")
        if output.properties.get("pushed"):
            facts.append(f"version {output.properties['pushed_version']}")
    return ", ".join(sorted(facts))
