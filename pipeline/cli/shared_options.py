"""Options that several commands have."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value of the file by its dotted key; may be repeated.",
)


def combined(*options: Decorator) -> Decorator:
    """Combines options into one decorator; the help lists them in this order."""
    return lambda command: reduce(lambda result, add: add(result), reversed(options), command)
