"""The `higgs` command; each subcommand is imported only when it is called."""

import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from formats.errors import printable
from pipeline.cli.error_reports import user_errors
from pipeline.cli.output import echo
from pipeline.exit_codes import ExitCode
from pipeline.process_setup import prepare_process

COMMANDS: Mapping[str, str] = {
    "generate": "pipeline.cli.data_commands:generate",
    "convert": "pipeline.cli.convert_command:convert",
    "inspect": "pipeline.cli.data_commands:inspect",
    "run": "pipeline.cli.run_command:run",
    "report": "pipeline.cli.report_commands:report",
    "runs": "pipeline.cli.report_commands:runs",
    "lineage": "pipeline.cli.report_commands:lineage",
    "evaluate": "pipeline.cli.report_commands:evaluate",
    "score": "pipeline.cli.score_command:score",
    "compile": "pipeline.cli.cloud_commands:compile_command",
    "submit": "pipeline.cli.cloud_commands:submit",
    "wait": "pipeline.cli.cloud_commands:wait_command",
}


class LazyGroup(click.Group):
    """Command group that imports a command when it is needed, so that `higgs` starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Lists the commands in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the arguments; prints the help or the version."""
        with _described_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        with _described_errors():
            with user_errors():
                prepare_process()
            for stream in (sys.stdout, sys.stderr):
                # The terminal's encoding may lack characters of file names.
                if isinstance(stream, io.TextIOWrapper):
                    stream.reconfigure(errors="backslashreplace")
            return super().invoke(ctx)


@contextmanager
def _described_errors() -> Iterator[None]:
    """Reports an error of the system, such as a full disk, in one sentence."""
    try:
        yield
    except KeyboardInterrupt:  # not handled by the command itself
        echo("Interrupted", err=True)
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        raise
    # click ends silently when the reader of the output has gone.
    except (BrokenPipeError, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        from pipeline.system_errors import OUT_OF_MEMORY, describe_system_error, explain

        explained = explain(error)
        if not isinstance(error, OSError) and not explained:
            raise
        if _discard_unwritten() and isinstance(error, OSError):
            error.filename = error.filename or "standard output"
        fault = click.ClickException(printable(describe_system_error(error)))
        if explained != OUT_OF_MEMORY:
            raise fault from error
        fault.show()
        # Python lacks memory to end as well, and would print thousands of lines about it.
        os._exit(ExitCode.FAILED)


def _discard_unwritten() -> bool:
    """Discards buffered output that cannot be written; Python would try again when it exits.

    Returns:
        Whether there was any.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="higgs-pipeline")
def main() -> None:
    """Train a Higgs boson classifier, and export it only if it passes the data and AUC gates.

    \b
    A first run, on events of the toy Monte Carlo:
      higgs generate --events 200000 --out data/demo
      higgs run --config configs/demo.yaml
    """


if __name__ == "__main__":
    sys.exit(main())
