"""Commands that generate and show data: ``higgs generate`` and ``inspect``.

Heavy modules are imported inside the commands, so that ``higgs --help`` starts quickly.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.report.number_format import plural
from pipeline.cli.error_reports import user_errors
from pipeline.cli.output import echo
from pipeline.cli.path_type import LocalPath
from pipeline.cli.shared_options import NumberRange, combined

if TYPE_CHECKING:
    from formats.published.manifest import Manifest, ShardEntry
    from formats.published.record import Events
    from pipeline.sample_data.shard_writer import SplitSize


output_options = combined(
    click.option(
        "--out",
        "directory",
        type=LocalPath(file_okay=False),
        required=True,
        help="Folder for training/ and validation/.",
    ),
    click.option(
        "--shard-size",
        type=click.IntRange(min=1),
        default=50_000,
        show_default=True,
        help="Events per shard.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the shards of an earlier run."),
)
"""Options of commands that write a data set."""


@click.command()
@click.option("--events", type=click.IntRange(min=1), required=True, help="Number of events.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--validation-fraction",
    type=NumberRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the events that goes to validation/, taken from the end.",
)
@click.option(
    "--validation-events",
    type=click.IntRange(min=0),
    help="Number of events instead of a share, less than --events.",
)
@output_options
@user_errors()
def generate(
    events: int,
    seed: int,
    validation_fraction: float,
    validation_events: int | None,
    directory: Path,
    **output: Any,
) -> None:
    """Generate toy Monte Carlo events in the published layout.

    The toy has the columns, processes and symmetries of the HIGGS set, but an AUC on it says
    nothing about the published events. The same seed gives the same events.

    \b
    Examples:
      higgs generate --events 100000 --out data
      higgs generate --events 5000 --seed 7 --validation-events 1000 --out data --overwrite
    """
    from pipeline.sample_data import monte_carlo, shard_writer
    from pipeline.sample_data.progress_bar import progress

    if validation_events is None:
        validation_events = round(events * validation_fraction)
    if validation_events >= events:
        raise click.BadParameter(
            f"{validation_events} of {events} events leave none to train on; "
            f"choose fewer than {events}.",
            param_hint="--validation-events",
        )
    start = time.monotonic()
    with progress("generating", events) as on_progress:
        first = events - validation_events
        training = _with_progress(monte_carlo.generate(first, seed), on_progress)
        validation = _with_progress(monte_carlo.generate(events, seed, first), on_progress, first)
        sizes = shard_writer.write_dataset(
            directory,
            training,
            validation,
            make_manifest=partial(_generated_manifest, seed),
            **output,
        )
    echo(describe_sizes(sizes, time.monotonic() - start, directory))


def _generated_manifest(seed: int, shards: "tuple[ShardEntry, ...]") -> "Manifest":
    from formats.published.manifest import GENERATED, Manifest, SourceEntry, now

    events = sum(shard.events for shard in shards)
    return Manifest(
        created=now(),
        sources=(SourceEntry(name="toy Monte Carlo", kind=GENERATED, events=events),),
        options={"seed": str(seed)},
        read=events,
        written=events,
        shards=shards,
    )


def _with_progress(
    chunks: "Iterator[Events]", on_progress: Callable[[int], None], count: int = 0
) -> "Iterator[Events]":
    for chunk in chunks:
        yield chunk
        count += len(chunk.labels)
        on_progress(count)


def describe_sizes(sizes: "Mapping[str, SplitSize]", seconds: float, directory: Path) -> str:
    """Returns the line on what was written."""
    events = sum(size.events for size in sizes.values())
    count = sum(size.shards for size in sizes.values())
    splits = ", ".join(f"{size.events:,} in {split}/" for split, size in sizes.items())
    written = f"{plural(events, 'event')} ({splits}) as {plural(count, 'shard')}"
    return f"Wrote {written} in {seconds:.1f} s to {directory}"


@click.command()
@click.argument("path", metavar="FILE|DIR", type=LocalPath(exists=True))
@click.option(
    "--records",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Number of first records to show.",
)
@click.option(
    "--units",
    type=click.Choice(["published", "gev"]),
    default="published",
    show_default=True,
    help="gev: show GeV, radians and b-tag levels.",
)
@user_errors()
def inspect(path: Path, records: int, units: str) -> None:
    """Show the content of shards: layout, class balance, column ranges and first records.

    FILE is a TFRecord shard, plain or gzip; DIR contains shards, or training/ and validation/
    with shards. For anything else, the command says what it is and exits with 4.

    \b
    Examples:
      higgs inspect data
      higgs inspect --units gev data
      higgs inspect --records 5 data/validation/shard-00000.tfrecord
    """
    # Other encodings than the published one are parsed with TensorFlow, whose import is noisy.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from pipeline.console import PlainConsole
    from pipeline.sample_data.inspection import inspect_shards, render
    from pipeline.sample_data.progress_bar import progress

    console = PlainConsole()
    for place, shards in _shards_of(path).items():
        size = sum(shard.stat().st_size for shard in shards if shard.is_file())
        with progress(f"reading {place}", size) as on_read:
            inspection = inspect_shards(place, shards, records, on_read)
        console.print(render(inspection, console.width, units))


def _shards_of(path: Path) -> "dict[Path, list[Path]]":
    """Returns the shards to inspect, by file or folder, and prints other data beside them."""
    from pipeline.local_data import data_layout, find_data

    if not path.is_dir():
        return {path: [path]}
    data = find_data(path, data_layout(path))
    for heading, text in data.lines():
        echo(f"{heading:<13}{text}")
    for text in _manifest_lines(path):
        echo(f"{'manifest':<13}{text}")
    echo()
    return {path / folder: shards for folder, shards in data.shards.items()}


def _manifest_lines(folder: Path) -> "Iterator[str]":
    """Yields what the manifest of a data set says, and every shard that differs from it."""
    from formats.published import manifest

    file = manifest.find_manifest(folder)
    if file is None:
        return
    content = manifest.read_manifest(file)
    sources = ", ".join(source.name for source in content.sources)
    yield f"{content.written:,} events in {plural(len(content.shards), 'file')} from {sources}"
    for reason, count in content.dropped.items():
        yield f"{count:,} events were dropped: {reason}"
    for difference in manifest.find_differences(file, content, with_hashes=True):
        yield f"DIFFERENT: {difference}"
