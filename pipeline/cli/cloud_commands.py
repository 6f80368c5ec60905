"""`higgs compile` and `higgs submit`; each checks what can be told at once, then calls."""

import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.exit_codes import ExitCode

SUFFIXES = {"vertex": ".json", "kubeflow": ".yaml"}
"""The targets, and what a compiled file is for each."""

INTERVAL_SECONDS = 30.0

_EXTRAS = {"kfp": "tfx[kfp]==1.16.0", "google": "google-cloud-aiplatform"}


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Lay a value over the file, with a dotted key; may be given again.",
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(),
            required=True,
            help="YAML file with the configuration.",
        ),
        click.option(
            "--target",
            type=click.Choice(list(SUFFIXES)),
            required=True,
            help="Vertex AI Pipelines, or Kubeflow Pipelines 2.",
        ),
    ):
        command = option(command)
    return command


@click.command("compile", short_help="Compile the pipeline for Vertex AI or Kubeflow.")
@_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
def compile_command(target: str, config_file: str, overrides: tuple[str, ...], out: Path) -> None:
    """Compile the pipeline for Vertex AI (JSON) or Kubeflow Pipelines (YAML).

    Asks no network and no credentials.

    \b
    Examples:
      higgs compile --target vertex --config configs/vertex.yaml --out pipeline.json
      higgs compile --target kubeflow --config configs/kubeflow.yaml --out pipeline.yaml
    """
    config = _checked(target, config_file, overrides)
    _compile(target, config, out)
    click.echo(f"compiled for {target}: {out}")


@click.command("submit", short_help="Run the pipeline on Vertex AI or Kubeflow.")
@_options
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--wait", is_flag=True, help="Follow the run, and exit as `higgs run` does.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0),
    default=INTERVAL_SECONDS,
    show_default=True,
    help="Seconds between two looks at the run.",
)
def submit(
    target: str,
    config_file: str,
    overrides: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    interval: float,
) -> None:
    """Compile the pipeline and start it, or a schedule of it, on Vertex AI or Kubeflow.

    What is sent is the compiled file and nothing else: no data, no code, no image.

    \b
    Examples:
      higgs submit --target vertex --config configs/vertex.yaml --dry-run
      higgs submit --target kubeflow --config configs/kubeflow.yaml --wait

    \b
    Exit codes with --wait (without it, 0 means that the run was taken):
      0  the model was pushed          3  not blessed: nothing was pushed
      1  anything else went wrong      4  the data was refused
      2  bad usage or configuration
    """
    config = _checked(target, config_file, overrides)
    section = getattr(config, target)
    if wait and section.schedule:
        raise click.UsageError("--wait follows one run, and a schedule has many; leave one out")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"pipeline{SUFFIXES[target]}"
        _compile(target, config, file)
        for line in _what_is_sent(target, config, file):
            click.echo(line)
        if dry_run:
            click.echo("dry run: nothing was sent")
            return
        sys.exit(_submit(target, config, file, wait=wait, interval=interval))


def _checked(target: str, config_file: str, overrides: tuple[str, ...]) -> Any:
    from kubeflow.target_checks import check_kubeflow, check_vertex
    from pipeline.config import ConfigError, load_config

    try:
        config = load_config(config_file, overrides)
        {"vertex": check_vertex, "kubeflow": check_kubeflow}[target](config)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return config


def _compile(target: str, config: Any, out: Path) -> None:
    if out.suffix != SUFFIXES[target]:
        raise click.UsageError(f"--out: {target} takes a file *{SUFFIXES[target]}, got {out.name}")
    from pipeline.config import ConfigError
    from pipeline.console import noise_to

    with noise_to(Path("/dev/null")):
        compiler = _import("kubeflow.compiler")
        targets = _import("kubeflow.cloud_targets")
        try:
            compiler.compile_pipeline(targets.TARGETS[target](config), out)
        except ConfigError as error:
            raise click.UsageError(str(error)) from None


def _what_is_sent(target: str, config: Any, file: Path) -> list[str]:
    section = getattr(config, target)
    where = {
        "vertex": lambda: f"{section.project}, {section.region}",
        "kubeflow": lambda: f"{section.host}, experiment {section.experiment}",
    }[target]()
    endpoint = getattr(section, "endpoint", None)
    return [
        f"to          {target}: {where}",
        f"pipeline    {config.name}, {file.stat().st_size:,} bytes of {file.suffix[1:]}",
        f"image       {section.image}",
        f"data        {config.data_root}",
        f"artifacts   {config.artifacts_root}",
        f"models      {f'endpoint {endpoint.name}' if endpoint else config.push_directory}",
        f"as          {section.service_account or 'the default account'}",
        f"when        {section.schedule.cron if section.schedule else 'now'}",
    ]


def _submit(target: str, config: Any, file: Path, *, wait: bool, interval: float) -> int:
    from kubeflow.engine_runs import SubmitError, exit_code, follow

    module = _import(f"kubeflow.{target}_runs")
    try:
        runs = getattr(module, f"{target.capitalize()}Runs")(config, getattr(config, target))
        run_id = runs.submit(file)
        click.echo(f"run         {run_id}\n{runs.link(run_id)}")
        if not wait:
            return ExitCode.PUSHED
        told: dict[str, str] = {}
        for state in follow(runs, run_id, interval):
            for task, word in state.tasks.items():
                if told.get(task) != word:
                    click.echo(f"  {task:<32}{word}")
            told = dict(state.tasks)
    except SubmitError as error:
        raise click.ClickException(str(error)) from None
    code = exit_code(state)
    click.echo(_ending(code, state.errors))
    return code


def _ending(code: ExitCode, errors: Any) -> str:
    words = {
        ExitCode.PUSHED: "PUSHED",
        ExitCode.NOT_BLESSED: "NOT PUSHED: a blessing was withheld",
        ExitCode.DATA_REFUSED: "DATA REFUSED; the log of the node that failed gives the reasons",
    }
    said = "".join(f"\n  {task}: {error}" for task, error in errors.items())
    return words.get(code, "FAILED") + said


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        package = _EXTRAS.get(missing, missing)
        raise click.ClickException(
            f"{error.name} is not installed; pip install '{package}'"
        ) from None
