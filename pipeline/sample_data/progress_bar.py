"""Progress of a long command: a bar on a terminal, otherwise a line every ten seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from formats.errors import printable
from formats.throttle import Throttle

_SECONDS_BETWEEN_LINES = 10.0


class OnProgress(Protocol):
    """Takes the amount of work completed, and a remark such as a rate."""

    def __call__(self, completed: int, remark: str = "") -> None:
        """Shows both."""


@contextmanager
def progress(activity: str, total: int | None) -> Iterator[OnProgress]:
    """Shows progress on standard error while the block runs.

    Args:
        activity: what is being done, such as ``converting HIGGS.csv.gz``.
        total: the amount of work; None if it is unknown.

    Yields:
        A function to call with the amount of work completed.
    """
    console, activity = Console(stderr=True), printable(activity)
    if not console.is_terminal:
        yield _line_printer(console, activity, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(activity, total=total, remark="")

        def update(completed: int, remark: str = "") -> None:
            bars.update(bar, completed=completed, remark=remark)

        yield update


def _line_printer(console: Console, activity: str, total: int | None) -> OnProgress:
    throttle, start = Throttle(_SECONDS_BETWEEN_LINES), time.monotonic()
    throttle.restart()

    def print_line(completed: int, remark: str = "") -> None:
        if throttle.is_due():
            share = f"{completed:,} bytes" if total is None else f"{completed / max(total, 1):.0%}"
            parts = [share, remark]
            if remark and total and completed:
                seconds_left = (time.monotonic() - start) * (total - completed) / completed
                parts.append(f"{max(seconds_left, 0):,.0f} s left")
            text = ", ".join(part for part in parts if part)
            console.print(Text(f"{activity}: {text}"), soft_wrap=True)

    return print_line
