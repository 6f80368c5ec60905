"""The type of every path that a command takes."""

import os
from pathlib import Path
from typing import Any

import click

from pipeline.paths import PathError, check_location, local_path
from pipeline.system_errors import describe_system_error


class LocalPath(click.Path):
    """A path on the local disk, given to the command as a `pathlib.Path` with ``~`` expanded.

    URIs are usage errors: click's own type would take ``gs://bucket`` for the folder ``gs:``.
    """

    def __init__(self, **checks: Any):
        """Takes the checks of `click.Path`, such as ``exists`` and ``dir_okay``."""
        super().__init__(path_type=Path, **checks)

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Expands and checks a path."""
        try:
            path = local_path(os.fspath(value))
        except PathError as error:
            self.fail(str(error), param, ctx)
        try:
            Path(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            pass  # may be required below
        except OSError as error:  # which click would call missing
            self.fail(describe_system_error(error), param, ctx)
        return super().convert(path, param, ctx)


class Location(click.ParamType):
    """A local path, or a URI of a store that the nodes can read and write, as text."""

    name = "location"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuses URIs of other stores."""
        try:
            return check_location(value)
        except PathError as error:
            self.fail(str(error), param, ctx)
