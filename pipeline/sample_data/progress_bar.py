"""Progress of a long command: a bar on a terminal, otherwise a line every ten seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from formats.throttle import Throttle

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress(activity: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows progress on standard error while the block runs.

    Args:
        activity: what is being done, such as ``converting HIGGS.csv.gz``.
        total: the amount of work; None if it is unknown.

    Yields:
        A function to call with the amount of work completed.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line_printer(console, activity, total)
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(activity, total=total)
        yield lambda completed: bars.update(bar, completed=completed)


def _line_printer(console: Console, activity: str, total: int | None) -> Callable[[int], None]:
    throttle = Throttle(_SECONDS_BETWEEN_LINES)
    throttle.restart()

    def print_line(completed: int) -> None:
        if throttle.is_due():
            done = f"{completed:,} bytes" if total is None else f"{completed / max(total, 1):.0%}"
            console.print(Text(f"{activity}: {done}"), soft_wrap=True)

    return print_line
