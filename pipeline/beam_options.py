"""Beam options: parsed as Beam does; unusable runners, modes and misspelled options are refused."""

import contextlib
import difflib
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from formats.errors import UserError, one_line
from formats.locations import is_remote

DEFAULT_RUNNER = "DirectRunner"

PORTABLE_RUNNER = "PortableRunner"
JOB_SERVER_JARS = {"FlinkRunner": "flink_job_server_jar", "SparkRunner": "spark_job_server_jar"}
"""The option that names the jar of the job server that a runner starts, if it is given none."""

RUNNERS = (DEFAULT_RUNNER, "DataflowRunner", PORTABLE_RUNNER, *JOB_SERVER_JARS)

REFUSED_RUNNERS = {
    "dask": "Beam's DaskRunner ignores transforms that it does not know, and loses their events",
    "pyspark": "the runners on PySpark are prototypes that do not implement all of Beam",
    "interactive": "InteractiveRunner runs in notebooks only",
    "render": "RenderRunner draws a pipeline and runs nothing",
}
"""Why a runner is refused, by a part of its name."""

REMEDY = "leave it out to run in memory, or use Dataflow, or Flink or Spark through a job server"

ENVIRONMENTS = ("DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK")

JOB_SERVER_SECONDS = 10.0
"""Time in which a job server must answer."""


class JobServerError(UserError, RuntimeError):
    """A job server does not answer, or cannot be started; the message has the remedy."""


def selected_runner(args: Sequence[str]) -> str:
    """Returns the runner that Beam options select, by Beam's name for it; the last one wins.

    >>> selected_runner(["--runner=FlinkRunner", "--parallelism=2", "--runner", "direct"])
    'DirectRunner'
    """
    written = (_read(args)["runner"] if args else None) or DEFAULT_RUNNER
    name = written.rpartition(".")[2].lower()
    return next((known for known in RUNNERS if known.lower() in (name, f"{name}runner")), written)


def find_option_problems(args: Sequence[str]) -> Iterator[str]:
    """Yields why Beam options cannot be used: refused, unknown, misspelled or ignored ones."""
    if not args:
        return
    try:
        options = _read(args)
    except ValueError as error:
        yield str(error)
        return
    for part, reason in REFUSED_RUNNERS.items():
        if part in (options["runner"] or "").lower():
            yield f"--runner={options['runner']}: {reason}; {REMEDY}"
            return
    if options["direct_running_mode"] == "multi_processing":
        yield (
            "--direct_running_mode=multi_processing: the DirectRunner loses records in this mode; "
            "use multi_threading"
        )
    for before, argument in zip(["", *args], args, strict=False):
        if re.match(r"--\w+\s", argument):
            option, value = argument.split(maxsplit=1)
            yield f"{argument!r}: Beam ignores it; write {option}={value}"
        elif not argument.startswith("--") and ("=" in before or not before.startswith("-")):
            yield f"{argument!r}: Beam ignores it; an option begins with --"
    yield from _problems_of_beam(selected_runner(args), options)


def stage_no_tfx() -> None:
    """Keeps TFX from building a package of its own source for Beam's workers, in every node.

    It takes more than a second and 15 MB of the temporary folder. Workers import this project's
    code, so they have TFX.
    """
    from tfx.utils import dependency_utils

    dependency_utils.make_beam_dependency_flags = list


def check_job_servers(option_lists: Iterable[Sequence[str]]) -> None:
    """Checks that the job servers that Beam options name answer, or can be started.

    Beam would wait for a minute, and then give no reason.

    Raises:
        JobServerError: one does not answer, or a program or file that it needs is missing.
    """
    for args in dict.fromkeys(map(tuple, option_lists)):
        _check_job_server(args)


def describe_job_server_error(error: BaseException) -> str | None:
    """Describes an error of gRPC, through which only job servers are called; None for others."""
    if type(error).__module__.partition(".")[0] != "grpc":
        return None
    code = error.code().name if hasattr(error, "code") else ""
    reason = getattr(error, "details", str)() or "no answer in time"
    if code in ("", "UNAVAILABLE", "DEADLINE_EXCEEDED"):
        return (
            f"the Beam job server no longer answers ({reason}); look at its log, restart it"
            f"{_proxy_hint()}"
        )
    return f"the Beam job server answered {code} ({reason}); look at its log"


def _proxy_hint() -> str:
    """Returns how gRPC connects if the environment names a proxy; empty if it does not."""
    # In lower case only, no_proxy too: http_proxy_mapper.cc of gRPC.
    variables = ("grpc_proxy", "https_proxy", "http_proxy")
    name = next((name for name in variables if os.environ.get(name)), None)
    return f" (through the proxy in {name}, unless no_proxy has its host)" if name else ""


def _check_job_server(args: Sequence[str]) -> None:
    runner = selected_runner(args)
    if runner not in (PORTABLE_RUNNER, *JOB_SERVER_JARS):
        return
    options = _read(args)
    endpoint = options.get("job_endpoint")
    if not endpoint:
        _check_own_job_server(runner, options)
    elif endpoint != "embed":
        import grpc

        with grpc.insecure_channel(endpoint) as channel:
            try:
                grpc.channel_ready_future(channel).result(JOB_SERVER_SECONDS)
            except grpc.FutureTimeoutError:
                raise JobServerError(
                    f"no Beam job server answers at {endpoint} within {JOB_SERVER_SECONDS:g} s: "
                    f"start it, or correct --job_endpoint in beam.args{_proxy_hint()}"
                ) from None


def _check_own_job_server(runner: str, options: dict[str, Any]) -> None:
    if shutil.which("java") is None:
        raise JobServerError(
            f"--runner={runner} without --job_endpoint starts a job server, which needs Java: "
            "install it, or give the address of a running one"
        )
    option = JOB_SERVER_JARS[runner]
    jar = options.get(option)
    if jar and not is_remote(jar) and not Path(jar).is_file():
        raise JobServerError(f"--{option}={jar}: there is no such file; give the job server's jar")


def _problems_of_beam(runner: str, options: dict[str, Any]) -> Iterator[str]:
    """Yields options that Beam itself would refuse later, or ignore."""
    from apache_beam.runners.runner import create_runner

    names = set(_read(()))
    portable = runner in (PORTABLE_RUNNER, *JOB_SERVER_JARS)
    for option in sorted(set(options) - names):
        # A job server has options of its own, which only it knows.
        nearest = difflib.get_close_matches(option, names, n=1, cutoff=0.9 if portable else 0.6)
        if nearest or not portable:
            suggestion = f"; did you mean --{nearest[0]}?" if nearest else ""
            yield f"--{option}: Beam has no such option and would ignore it{suggestion}"
    if runner not in RUNNERS:
        try:
            create_runner(runner)
        except Exception as error:  # importing a foreign module may raise anything
            yield f"--runner={runner}: {one_line(error)}; {REMEDY}"
    if portable:
        yield from _portable_problems(runner, options)
    elif options["runner"] is None and options.get("job_endpoint"):
        yield (
            f"--job_endpoint={options['job_endpoint']}: without --runner Beam runs in memory and "
            f"ignores it; add --runner={PORTABLE_RUNNER}"
        )


def _portable_problems(runner: str, options: dict[str, Any]) -> Iterator[str]:
    endpoint = options.get("job_endpoint")
    if runner == PORTABLE_RUNNER and not endpoint:
        yield f"--runner={runner} needs --job_endpoint=HOST:PORT, the address of a job server"
    if endpoint and endpoint != "embed" and not re.fullmatch(r"\S+:\d{1,5}", endpoint):
        yield f"--job_endpoint={endpoint}: not HOST:PORT"
    kind, value = options.get("environment_type"), options.get("environment_config")
    if kind and kind not in ENVIRONMENTS and not kind.startswith("beam:env:"):
        yield f"--environment_type={kind}: unknown; known are {', '.join(ENVIRONMENTS)}"
    elif kind == "EXTERNAL" and not value:
        yield "--environment_type=EXTERNAL needs --environment_config=HOST:PORT, a pool of workers"
    elif kind == "PROCESS" and not _is_json_object(value):
        yield (
            '--environment_type=PROCESS needs --environment_config={"command": BOOT_SCRIPT}, '
            f"not {value}"
        )


def _is_json_object(text: str | None) -> bool:
    try:
        return isinstance(json.loads(text or ""), dict)
    except ValueError:
        return False


def _read(args: Sequence[str]) -> dict[str, Any]:
    """Reads options as Beam does; unknown ones are part of the result.

    Raises:
        ValueError: a value is not valid, and Beam would end the process.
    """
    from apache_beam.options import pipeline_options

    messages = io.StringIO()
    # It logs unknown options, which are reported in another way.
    log, level = pipeline_options._LOGGER, pipeline_options._LOGGER.level
    log.setLevel("ERROR")
    try:
        with contextlib.redirect_stderr(messages):
            options = pipeline_options.PipelineOptions([*args])
            return dict(options.get_all_options(retain_unknown_options=True))
    except SystemExit:
        reason = messages.getvalue().strip().rpartition("error: ")[2]
        raise ValueError(reason.removeprefix("argument ")) from None
    finally:
        log.setLevel(level)
