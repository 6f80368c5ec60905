"""The commands `higgs compile`, `submit` and `wait`.

Each checks the configuration before it imports anything that takes seconds.
"""

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from pipeline.cli.error_reports import user_errors
from pipeline.cli.output import echo
from pipeline.cli.path_type import LocalPath
from pipeline.cli.shared_options import NumberRange, combined, set_option
from pipeline.exit_codes import ExitCode

SUFFIXES = {"vertex": ".json", "kubeflow": ".yaml"}
"""The targets and the suffix of each one's compiled file."""

INTERVAL_SECONDS = 30.0

_options = combined(
    click.option(
        "--target",
        type=click.Choice(list(SUFFIXES)),
        required=True,
        help="Vertex AI Pipelines, or Kubeflow Pipelines 2.",
    ),
    click.option(
        "--config",
        "config_file",
        type=LocalPath(),
        required=True,
        help="YAML file with the configuration.",
    ),
    set_option,
)

_interval_option = click.option(
    "--interval",
    type=NumberRange(0, 3600),
    default=INTERVAL_SECONDS,
    show_default=True,
    help="Seconds between two polls of the run.",
)


@click.command("compile", short_help="Compile the pipeline for Vertex AI or Kubeflow.")
@_options
@click.option("--out", type=LocalPath(), required=True, help="The file to write.")
@user_errors()
def compile_command(target: str, config_file: Path, overrides: tuple[str, ...], out: Path) -> None:
    """Compile the pipeline for Vertex AI (JSON) or Kubeflow Pipelines (YAML).

    Needs neither network nor credentials.

    \b
    Examples:
      higgs compile --target vertex --config configs/vertex.yaml --out pipeline.json
      higgs compile --target kubeflow --config configs/kubeflow.yaml --out pipeline.yaml
    """
    config = _load_checked(target, config_file, overrides)
    _compile(target, config, out)
    echo(f"compiled for {target}: {out}")


@click.command("submit", short_help="Run the pipeline on Vertex AI or Kubeflow.")
@_options
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--wait", is_flag=True, help="Follow the run, and exit as `higgs run` does.")
@_interval_option
@user_errors()
def submit(
    target: str,
    config_file: Path,
    overrides: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    interval: float,
) -> None:
    """Compile the pipeline and start a run or a schedule on Vertex AI or Kubeflow.

    Only the compiled file is sent: no data, no code, no image.

    \b
    Examples:
      higgs submit --target vertex --config configs/vertex.yaml --dry-run
      higgs submit --target kubeflow --config configs/kubeflow.yaml --wait

    \b
    Exit codes with --wait (without it, 0 means that the run was accepted):
      0  pushed, or kept as evaluation.when_undecided says
      1  any other failure             3  not blessed: nothing was pushed
      2  bad usage or configuration    4  the data was refused
    130  interrupted; the run goes on
    """
    config = _load_checked(target, config_file, overrides)
    section = getattr(config, target)
    if wait and section.schedule:
        raise click.UsageError("--wait follows a single run, not a schedule; leave one of them out")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"pipeline{SUFFIXES[target]}"
        _compile(target, config, file)
        echo(_submission_summary(target, config, file))
        if dry_run:
            echo("dry run: nothing was sent")
            return
        runs = _connect(target, config)
        run_id = runs.submit(file)
    echo(f"run         {run_id}\n{runs.link(run_id)}")
    if wait:
        sys.exit(_follow(runs, run_id, interval))


def _last_part(_context: click.Context, _parameter: click.Parameter, run: str) -> str:
    """The id at the end of a URL of the run's page, or of a resource name."""
    # Kubeflow's dashboard has a query before the fragment: /_/pipeline/?ns=NAME#/runs/details/ID.
    run_id = re.sub(r"\?[^#]*", "", run).strip(" /").rpartition("/")[2]
    if not run_id:
        raise click.BadParameter("it is empty; give the id that `higgs submit` printed")
    return run_id


@click.command("wait", short_help="Follow a submitted run to its end.")
@click.argument("run_id", metavar="RUN", callback=_last_part)
@_options
@_interval_option
@user_errors()
def wait_command(
    run_id: str, target: str, config_file: Path, overrides: tuple[str, ...], interval: float
) -> None:
    """Follow RUN, the id or link that `higgs submit` printed, and exit as `higgs run` does.

    Outages of the engine of up to ten minutes are tolerated. After a longer one, or an interrupt,
    repeat the command: the run itself continues in the cloud.

    \b
    Examples:
      higgs wait higgs-20261126030000-1f3a5c --target vertex --config configs/vertex.yaml
      higgs wait 0c5b7cf1-7a4e-4f0b-9d55-3f2c8a1e6b70 --target kubeflow --config FILE

    \b
    Exit codes:
      0  pushed, or kept as evaluation.when_undecided says
      1  any other failure             3  not blessed: nothing was pushed
      2  bad usage or configuration    4  the data was refused
    130  interrupted; the run goes on
    """
    config = _load_checked(target, config_file, overrides)
    sys.exit(_follow(_connect(target, config), run_id, interval))


def _load_checked(target: str, config_file: Path, overrides: tuple[str, ...]) -> Any:
    from kubeflow.target_checks import check_kubeflow, check_vertex
    from pipeline.config import load_config
    from pipeline.machine_checks import check_keras

    check_keras(os.environ)
    config = load_config(config_file, overrides)
    {"vertex": check_vertex, "kubeflow": check_kubeflow}[target](config)
    return config


def _compile(target: str, config: Any, out: Path) -> None:
    if out.suffix != SUFFIXES[target]:
        raise click.UsageError(f"--out: {target} needs a file *{SUFFIXES[target]}, got {out.name}")
    from pipeline.console import output_to

    with output_to(Path("/dev/null")):
        from kubeflow.cloud_targets import TARGETS
        from kubeflow.compiler import compile_pipeline

        compile_pipeline(TARGETS[target](config), out)


def _submission_summary(target: str, config: Any, file: Path) -> str:
    section = getattr(config, target)
    if target == "vertex":
        destination = f"{section.project}, {section.region}"
    else:
        destination = f"{section.host}, experiment {section.experiment}"
    endpoint = getattr(section, "endpoint", None)
    facts = {
        "to": f"{target}: {destination}",
        "pipeline": f"{config.name}, {file.stat().st_size:,} bytes of {file.suffix[1:]}",
        "image": section.image,
        "data": config.data_root,
        "root": config.artifacts_root,
        "models": f"endpoint {endpoint.name}" if endpoint else config.push_directory,
        "account": section.service_account or "the default account",
        "when": section.schedule.cron if section.schedule else "now",
    }
    if section.schedule:
        times = section.schedule.times.next_times(datetime.now(timezone.utc))
        facts["next"] = "; ".join(f"{time:%A, %d %B %Y, %H:%M %Z}" for time in times)
    return "\n".join(f"{name:<12}{fact}" for name, fact in facts.items())


def _connect(target: str, config: Any) -> Any:
    module = importlib.import_module(f"kubeflow.{target}_runs")
    return getattr(module, f"{target.capitalize()}Runs")(config, getattr(config, target))


def _follow(runs: Any, run_id: str, interval: float) -> ExitCode:
    from kubeflow.engine_runs import EngineError, exit_code, follow

    goes_on = f"the run goes on: `higgs wait {run_id}` follows it again"
    printed_tasks: dict[str, str] = {}
    try:
        for state in follow(runs, run_id, interval):
            for task, task_state in state.tasks.items():
                if printed_tasks.get(task) != task_state:
                    echo(f"  {task:<32}{task_state}")
            printed_tasks = dict(state.tasks)
    except EngineError as error:
        hint = f"; {goes_on}" if error.is_transient else ""
        raise EngineError(f"{error}{hint}") from None
    except KeyboardInterrupt:
        echo(f"Interrupted; {goes_on}", err=True)
        return ExitCode.INTERRUPTED
    code = exit_code(state)
    echo("CANCELED" if state.canceled else _outcome(code, state.errors))
    return code


def _outcome(code: ExitCode, errors: Mapping[str, str]) -> str:
    headings = {
        ExitCode.PUSHED: "PUSHED",
        ExitCode.NOT_BLESSED: "NOT PUSHED: a blessing was withheld",
        ExitCode.DATA_REFUSED: "DATA REFUSED; the log of the failed node lists the reasons",
    }
    details = "".join(f"\n  {task}: {error}" for task, error in errors.items())
    return headings.get(code, "FAILED") + details
