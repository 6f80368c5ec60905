"""The commands that make and show data: ``higgs generate``, ``convert`` and ``inspect``.

What is heavy is imported inside the commands, so that ``higgs --help`` is there at once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.exit_codes import ExitCode

if TYPE_CHECKING:
    from formats.published.record import Events
    from pipeline.sample_data.shard_writer import Written


class InvalidFileError(click.ClickException):
    """A file that does not hold what it should: exit code 4."""

    exit_code = ExitCode.DATA_REFUSED


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what can go wrong with data and folders into one sentence and an exit code."""
    from formats.published.tfrecord import RecordError
    from pipeline.sample_data.csv_import import CsvError
    from pipeline.sample_data.shard_writer import OutputExistsError

    try:
        yield
    except (RecordError, CsvError) as error:
        raise InvalidFileError(str(error)) from error
    except OutputExistsError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}: {error.filename or ''}") from error


def _output_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--overwrite", is_flag=True, help="Replace the shards of an earlier run."),
        click.option(
            "--shard-size",
            type=click.IntRange(min=1),
            default=50_000,
            show_default=True,
            help="Events in a shard.",
        ),
        click.option(
            "--out",
            "directory",
            type=click.Path(file_okay=False, path_type=Path),
            required=True,
            help="Where training/ and validation/ go.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--events", type=click.IntRange(min=1), required=True, help="How many to make.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--validation-fraction",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the events, the last ones, that goes to validation/.",
)
@click.option(
    "--validation-events",
    type=click.IntRange(min=0),
    help="The same as a number of events; it must be less than --events.",
)
@_output_options
def generate(
    events: int,
    seed: int,
    validation_fraction: float,
    validation_events: int | None,
    **output: Any,
) -> None:
    """Make toy Monte Carlo events in the published layout.

    A toy: it has the columns, the process and the symmetries of the HIGGS set, but scores
    reached on it say nothing about the published set. The same seed gives the same events.

    \b
    Examples:
      higgs generate --events 100000 --out data
      higgs generate --events 5000 --seed 7 --validation-events 1000 --out data --overwrite
    """
    from pipeline.sample_data import monte_carlo, shard_writer
    from pipeline.sample_data.progress_bar import progress

    held_out = (
        round(events * validation_fraction) if validation_events is None else validation_events
    )
    if held_out >= events:
        raise click.BadParameter(
            f"{held_out} of {events} events leave none to train on; choose fewer than {events}.",
            param_hint="--validation-events",
        )
    with _timed(output["directory"]) as written, progress("generating", events) as done:
        made = _told(monte_carlo.generate(events, seed), done)
        parts = shard_writer.split_at(made, events - held_out)
        written |= shard_writer.write_dataset(output.pop("directory"), *parts, **output)


def _told(chunks: "Iterator[Events]", done: Callable[[int], None]) -> "Iterator[Events]":
    count = 0
    for chunk in chunks:
        yield chunk
        count += len(chunk.labels)
        done(count)


@click.command()
@click.argument("csv", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--validation-rows",
    type=click.IntRange(min=0),
    help="How many of the last rows go to validation/.  [default: 500,000 as is the convention, "
    "but at most a fifth]",
)
@_output_options
def convert(csv: Path, validation_rows: int | None, **output: Any) -> None:
    """Convert UCI's HIGGS.csv.gz to the published layout.

    CSV is gzip or plain, without a header, the label first. Values are kept exactly.

    \b
    Examples:
      higgs convert HIGGS.csv.gz --out data
      higgs convert part.csv --validation-rows 1000 --out data --overwrite
    """
    from pipeline.sample_data import csv_import
    from pipeline.sample_data.progress_bar import progress

    size = csv.stat().st_size
    with _timed(output["directory"]) as written, progress(f"converting {csv}", size) as done:
        written |= csv_import.convert(
            csv, output.pop("directory"), validation_rows=validation_rows, on_read=done, **output
        )


@contextmanager
def _timed(directory: Path) -> "Iterator[dict[str, Written]]":
    """Ends with a line that says what was written, told in the dictionary, how fast and where."""
    start = time.monotonic()
    written: dict[str, Written] = {}
    with _explained():
        yield written
    seconds = time.monotonic() - start
    events = sum(part.events for part in written.values())
    shards = sum(part.shards for part in written.values())
    parts = ", ".join(f"{part.events:,} in {split}/" for split, part in written.items())
    click.echo(
        f"Wrote {events:,} events ({parts}) as {shards} shards in {seconds:.1f} s to {directory}"
    )


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--records",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many of the first records to show.",
)
def inspect(file: Path, records: int) -> None:
    """Show what a shard holds: layout, class balance, column ranges and first records.

    FILE is a TFRecord shard, plain or gzip. Anything else exits with 4 and a sentence that
    says what it is.

    \b
    Examples:
      higgs inspect data/training/shard-00000.tfrecord
      higgs inspect --records 5 data/validation/shard-00000.tfrecord
    """
    from rich.console import Console

    from pipeline.sample_data.inspection import inspect_file, render

    with _explained():
        console = Console()
        console.print(render(inspect_file(file, records), console.width), soft_wrap=True)
