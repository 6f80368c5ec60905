"""Command line of one benchmark: `python -m benchmarks.MODULE [--quick]` measures, saves, shows."""

import argparse
import sys
from collections.abc import Callable, Iterable

from rich.console import Console

from benchmarks import machine_description, saved_results
from benchmarks.measurement import Measurement

Benchmark = Callable[[bool], Iterable[Measurement]]


def main(measure: Benchmark) -> None:
    """Runs one benchmark from its command line.

    Args:
        measure: yields measurements, with smaller sizes if its argument is true; each is saved
            at once.
    """
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    quick = parser.parse_args().quick
    names = []
    for measurement in measure(quick):
        saved_results.save([measurement], machine_description.describe())
        names.append(measurement.measure.name)
    show(names)


def show(names: Iterable[str]) -> None:
    """Prints the results with these names, if there are any; some benchmarks save none."""
    records, details = saved_results.load()
    selected_names = set(names)
    selection = [record for record in records if record["name"] in selected_names]
    if not selection:
        return
    # Without a terminal there is no width to fit.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(saved_results.table(selection, details))
