"""`higgs run`: parses, validates and calls one function."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.error_reports import refused_data, user_errors
from pipeline.cli.imports import without_collection
from pipeline.cli.path_type import LocalPath
from pipeline.cli.shared_options import set_option

if TYPE_CHECKING:
    from pipeline.config import Config


@click.command(short_help="Run the whole pipeline on this machine.")
@click.option(
    "--config",
    "config_file",
    type=LocalPath(),
    default=lambda: str(resources.files("configs") / "demo.yaml"),
    show_default="configs/demo.yaml",
    help="YAML file with the run's configuration.",
)
@set_option
@user_errors()
@refused_data()
def run(config_file: Path, overrides: tuple[str, ...]) -> None:
    """Run the whole pipeline on this machine; the results of unchanged nodes are reused.

    \b
    Examples:
      higgs run --config configs/demo.yaml
      higgs run --config configs/default.yaml --set data_root=data/higgs --set root=runs/first
      higgs run --set trainer.epochs=3 --set evaluation.auc_lower_bound=0.8

    \b
    Exit codes:
        0  pushed, or kept as evaluation.when_undecided says
        3  not blessed: a threshold was missed
        4  the data was refused, with every reason
        2  bad usage or configuration
      130  interrupted: run again to resume
        1  any other failure
    """
    from pipeline.console import output_to
    from pipeline.root_use import load_for_run, used_by_run

    config = load_for_run(config_file, overrides)
    # Precedes the framework that ~/.keras/keras.json may name.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    log_file = Path(config.root) / "logs" / time.strftime("run-%Y%m%d-%H%M%S.log")
    with used_by_run(Path(config.root)) as remarks, output_to(log_file) as console:
        console.print(*_heading(config, remarks), sep="\n")
        # Imports TFX, which takes seconds and prints many lines.
        with without_collection():
            from pipeline.local_run import run as run_pipeline

        code = run_pipeline(config, console)
        console.print(f"log         {log_file}")
    sys.exit(code)


def _heading(config: "Config", remarks: Iterable[str]) -> Iterator[str]:
    """Yields what a run reads and writes, and notes on its root."""
    from formats.locations import is_remote
    from pipeline.local_data import find_data
    from pipeline.local_root import is_writable_by_everyone

    yield f"pipeline {config.name}: {config.data_root} -> {config.root}"
    yield from (f"root        {remark}" for remark in remarks)
    if not is_remote(config.data_root):
        data = find_data(Path(config.data_root), config.ingestion.layout)
        yield from (f"{heading:<12}{text}" for heading, text in data.lines())
    if is_writable_by_everyone(Path(config.root)):
        yield (
            f"warning     every user can replace files in {config.root}: chmod o-w {config.root}"
        )
