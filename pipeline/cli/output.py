"""Printed lines of the commands."""

import click

from formats.atomic_files import naming
from formats.errors import printable


def echo(text: str = "", *, err: bool = False) -> None:
    """Prints text of any origin, such as a file's name or an engine's message.

    Its control characters, with which it could control the terminal, are replaced.

    Raises:
        OSError: the text cannot be written; the error names the stream.
    """
    with naming("standard error" if err else "standard output"):
        click.echo(printable(text), err=err)
