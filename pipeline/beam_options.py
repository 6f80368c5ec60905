"""Beam options as Beam reads them, and the runners that must not be used."""

import argparse
import re
from collections.abc import Iterator, Sequence

DEFAULT_RUNNER = "DirectRunner"

REFUSED_RUNNERS = {
    "dask": "Beam's DaskRunner ignores transforms that it does not know, and loses their events",
    "pyspark": "the runners on PySpark are prototypes that do not implement all of Beam",
    "render": "RenderRunner draws a pipeline and runs nothing",
}
"""Why a runner is refused, by a part of its name."""

REMEDY = "leave it out to run in memory, or use Dataflow, or Flink or Spark through a job server"


def selected_runner(args: Sequence[str]) -> str:
    """Returns the runner that Beam options select, as it is written there; the last one wins.

    >>> selected_runner(["--runner=FlinkRunner", "--parallelism=2", "--runner", "Direct"])
    'Direct'
    """
    return _parse(args).runner or DEFAULT_RUNNER


def find_option_problems(args: Sequence[str]) -> Iterator[str]:
    """Yields why Beam options cannot be used: a refused runner or mode, or an ignored argument."""
    options = _parse(args)
    name = (options.runner or "").lower()
    for part, reason in REFUSED_RUNNERS.items():
        if part in name:
            yield f"--runner={options.runner}: {reason}; {REMEDY}"
    if options.direct_running_mode == "multi_processing":
        yield (
            "--direct_running_mode=multi_processing: the DirectRunner loses records in this mode; "
            "use multi_threading"
        )
    for argument in args:
        if re.match(r"--\w+\s", argument):
            option, value = argument.split(maxsplit=1)
            yield f"{argument!r}: Beam ignores it; write {option}={value}"


def _parse(args: Sequence[str]) -> argparse.Namespace:
    """Parses the options as Beam does, which accepts abbreviations and two forms of a value."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--runner", nargs="?")
    parser.add_argument("--direct_running_mode", nargs="?")
    return parser.parse_known_args(list(args))[0]
