"""What `python -m benchmarks.NAME [--quick]` does: measure, save, show."""

import argparse
import sys
from collections.abc import Callable, Iterable

from rich.console import Console

from benchmarks import machine, results
from benchmarks.harness import Measurement

Benchmark = Callable[[bool], Iterable[Measurement]]


def main(measure: Benchmark) -> None:
    """Runs one benchmark from its command line.

    Args:
      measure: from whether to be quick to measurements; they are saved as they come.
    """
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    quick = parser.parse_args().quick
    names = []
    for measured in measure(quick):
        results.save([measured], machine.describe())
        names.append(measured.measure.name)
    show(names)


def show(names: Iterable[str]) -> None:
    """Prints the named results."""
    records, details = results.load()
    wanted = set(names)
    shown = [record for record in records if record["name"] in wanted]
    # Where there is no terminal there is no width to keep to.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(results.table(shown, details))
