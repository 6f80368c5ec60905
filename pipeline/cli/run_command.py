"""The `higgs` commands that work on the pipeline; each parses, checks and calls one function."""

import sys
import time
from importlib import resources
from pathlib import Path

import click


@click.command(short_help="Run the whole pipeline on this machine.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(),
    default=lambda: str(resources.files("configs") / "demo.yaml"),
    show_default="configs/demo.yaml",
    help="YAML file with the run's configuration.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Lay a value over the file, with a dotted key; may be given again.",
)
def run(config_file: str, overrides: tuple[str, ...]) -> None:
    """Run the whole pipeline on this machine; nodes whose inputs did not change are reused.

    \b
    Examples:
      higgs run --config configs/demo.yaml
      higgs run --config configs/default.yaml --set data_root=data/higgs --set root=runs/first
      higgs run --set trainer.epochs=3 --set evaluation.auc_lower_bound=0.8

    \b
    Exit codes:
      0  the model was pushed          3  not blessed: the gate names the threshold
      1  anything else went wrong      4  the data was refused, with every reason
      2  bad usage or configuration  130  interrupted: run again to go on
    """
    from pipeline.config import ConfigError, load_config
    from pipeline.console import noise_to
    from pipeline.local_root import RootBusyError, settle, sole_use

    try:
        config = settle(load_config(config_file, overrides))
        log_file = Path(config.root) / "logs" / time.strftime("run-%Y%m%d-%H%M%S.log")
        with sole_use(Path(config.root)), noise_to(log_file) as console:
            console.print(
                f"pipeline {config.name}: {config.data_root} -> {config.root}", soft_wrap=True
            )
            # Imports TFX, which takes seconds and prints a page.
            from pipeline.local_run import run as run_pipeline

            code = run_pipeline(config, console)
            console.print(f"log         {log_file}", soft_wrap=True)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    except RootBusyError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(code)
