"""Runs the measurements one by one, each in a process of its own, and shows all results.

python -m benchmarks [--quick] [NAME ...]
"""

import argparse
import subprocess
import sys
import time

from benchmarks import command, results

QUICK = (
    "startup",
    "ingestion",
    "statistics",
    "training_input",
    "evaluation",
    "demo_overhead",
)
ALL = (*QUICK, "training", "full_run", "quality")


def main() -> None:
    """Exits with 1 if a measurement could not be taken; a goal that is missed is a result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes, without training, full_run and quality"
    )
    arguments = parser.parse_args()
    names = arguments.names or (QUICK if arguments.quick else ALL)
    if unknown := set(names) - set(ALL):
        parser.error(f"no measurement {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    # Not all(), which would stop at the first that fails.
    taken = [_run(name, quick=arguments.quick) for name in names]
    records, _ = results.load()
    command.show(record["name"] for record in records)
    sys.exit(not all(taken))


def _run(name: str, *, quick: bool) -> bool:
    """Runs one measurement; what it and TFX have to say goes to a log."""
    results.OUT.mkdir(parents=True, exist_ok=True)
    log = results.OUT / f"{name}.log"
    print(f"{name} ...", end=" ", flush=True)
    began = time.monotonic()
    with log.open("w") as stream:
        done = subprocess.run(  # noqa: S603 (one of our own modules)
            [sys.executable, "-m", f"benchmarks.{name}", *["--quick"] * quick],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    taken = f"{time.monotonic() - began:.0f} s"
    print(taken if done.returncode == 0 else f"FAILED after {taken}, see {log}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
