"""Options that several commands have."""

import math
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


class NumberRange(click.FloatRange):
    """A number between limits; click's own type also takes `nan`, which no limit excludes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuses what is not a number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{number} is not a number.", param, ctx)
        return number


def combined(*options: Decorator) -> Decorator:
    """Combines options into one decorator; the help lists them in this order."""
    return lambda command: reduce(lambda result, add: add(result), reversed(options), command)
