"""Runs the benchmarks one by one, each in its own process, and shows all results.

python -m benchmarks [--quick] [NAME ...]
"""

import argparse
import subprocess
import sys
import time

from benchmarks import command_line, saved_results

QUICK_MODULES = {
    "startup": "startup_time",
    "convert": "conversion_speed",
    "ingestion": "ingestion_speed",
    "statistics": "statistics_speed",
    "training_input": "training_input_speed",
    "evaluation": "evaluation_speed",
    "demo_overhead": "demo_overhead",
}
MODULES = {
    **QUICK_MODULES,
    "serving": "serving_speed",
    "scoring": "scoring_speed",
    "training": "training_speed",
    "streamed_auc": "streamed_auc",
    "data_nodes": "data_nodes",
    "full_run": "full_run",
    "memory": "memory_curve",
    "engines": "engines",
    "auc": "auc_accuracy",
    "gates": "gate_error_rates",
    "quality": "quality",
}
"""The benchmarks by name."""


def main() -> None:
    """Exits with 1 if a benchmark failed; a goal that is not met is a result, not a failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODULES)}")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="smaller sizes, without training, complete runs and quality",
    )
    arguments = parser.parse_args()
    names = arguments.names or list(QUICK_MODULES if arguments.quick else MODULES)
    if unknown := set(names) - set(MODULES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    # A list, because all() with a generator would stop at the first failure.
    successes = [_run(name, quick=arguments.quick) for name in names]
    records, _ = saved_results.load()
    command_line.show(record["name"] for record in records)
    sys.exit(not all(successes))


def _run(name: str, *, quick: bool) -> bool:
    """Runs one benchmark; its output and TFX's go to a log file."""
    saved_results.OUT.mkdir(parents=True, exist_ok=True)
    log = saved_results.OUT / f"{name}.log"
    print(f"{name} ...", end=" ", flush=True)
    start = time.monotonic()
    with log.open("w") as stream:
        process = subprocess.run(  # noqa: S603 (one of our own modules)
            [sys.executable, "-m", f"benchmarks.{MODULES[name]}", *(["--quick"] if quick else [])],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    duration = f"{time.monotonic() - start:.0f} s"
    succeeded = process.returncode == 0
    table = saved_results.OUT / f"{name}.md"
    print(duration if succeeded else f"FAILED after {duration}, see {log}", flush=True)
    if succeeded and table.exists():
        print(table.read_text(encoding="utf-8"), flush=True)
    return succeeded


if __name__ == "__main__":
    main()
