"""Errors that a user can correct, as one sentence and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from formats.errors import DataRefusedError, UserError
from pipeline.cli.output import echo
from pipeline.exit_codes import ExitCode


@contextmanager
def user_errors() -> Iterator[None]:
    """Reports errors that a user can correct; as a decorator, for a whole command."""
    try:
        yield
    except UserError as error:
        if error.exit_code == ExitCode.USAGE:
            raise click.UsageError(str(error)) from error
        fault = click.ClickException(str(error))
        fault.exit_code = error.exit_code  # type: ignore[misc]
        raise fault from error


@contextmanager
def refused_data() -> Iterator[None]:
    """Prints why data is refused, line by line; as a decorator, for a command that runs nodes."""
    try:
        yield
    except DataRefusedError as error:
        echo(f"DATA REFUSED\n{error}")
        raise SystemExit(ExitCode.DATA_REFUSED) from None
