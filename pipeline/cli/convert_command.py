"""The command ``higgs convert``: any table of events to the published layout."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.convert_options import (
    conversion_options,
    describe_options,
    intake_options,
    make_intake_options,
)
from pipeline.cli.data_commands import describe_sizes, output_options
from pipeline.cli.error_reports import user_errors
from pipeline.cli.output import echo
from pipeline.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipeline.intake.conversion import Conversion, Inputs
    from pipeline.intake.input_sources import Source

_MAX_NOTES = 20


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option(
    "--signal",
    multiple=True,
    metavar="VALUE|FILE",
    help="Label value of signal; without INPUT, a file or FILE:TREE of signal events.",
)
@click.option(
    "--background",
    multiple=True,
    metavar="VALUE|FILE",
    help="Label value of background, or a file of background events.",
)
@conversion_options
@intake_options
@click.option(
    "--split",
    type=click.Choice(["last", "hash"]),
    help="Validation set: the last events, or a fifth by a hash of each event.  [default: last; "
    "hash if --signal and --background name files]",
)
@click.option(
    "--validation-rows",
    type=click.IntRange(min=0),
    help="Number of the last events that go to validation/.  [default: a fifth, at most 500,000]",
)
@output_options
@user_errors()
def convert(
    inputs: tuple[str, ...],
    split: str | None,
    validation_rows: int | None,
    directory: Path,
    **options: Any,
) -> None:
    """Convert tables of events to the published layout.

    INPUT is a file, a folder, a pattern or - for standard input: CSV, Parquet, Arrow, NumPy, HDF5,
    ROOT (FILE:TREE), libsvm, ARFF or TFRecord, also in gzip, bzip2, xz, zstd, zip or tar. Columns
    are found by their names; without names they must be the label, then the 28 features in their
    published order. Nothing is written unless every event is accepted.

    \b
    Examples:
      higgs convert higgs.zip --out data
      higgs convert events.parquet --units gev --missing drop --out data
      higgs convert run*.csv --label type --signal s --background b --out data
      higgs convert --signal x.root:sig_tree --background x.root:bkg_tree --out data
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    output = {name: options.pop(name) for name in ("overwrite", "shard_size")}
    by_hash = split == "hash" or (split is None and not inputs)
    if by_hash and validation_rows is not None:
        raise click.UsageError("--validation-rows needs --split last.")
    _check_classes(inputs, options["signal"], options["background"])
    with interruption("nothing was written. Run the same command again."):
        from pipeline.intake import conversion
        from pipeline.sample_data.progress_bar import progress

        start = time.monotonic()
        found, notes = _find_inputs(inputs, options)
        if found.validation and (split or validation_rows is not None):
            raise click.UsageError(
                f"{inputs[0]} is already split, so --split and --validation-rows have no meaning. "
                "Leave them out, or name its folders or files one by one to have their events "
                "joined and split again."
            )
        check_place(found, directory)
        described = describe_options(
            options, split="given" if found.validation else "hash" if by_hash else "last"
        )
        if not inputs:  # They name files, and not values of the label.
            options |= {"signal": (), "background": ()}
        with progress(f"converting {found.training[0].name}", found.size()) as on_read:
            result = conversion.convert(
                found,
                directory,
                make_intake_options(**options),
                conversion.SplitOptions(by_hash, validation_rows),
                described=described,
                on_read=on_read,
                **output,
            )
    _print_summary(result, notes, directory, time.monotonic() - start)


def _check_classes(
    inputs: tuple[str, ...], signal: tuple[str, ...], background: tuple[str, ...]
) -> None:
    if bool(signal) != bool(background):
        raise click.UsageError("--signal and --background are given together.")
    if not inputs and not signal:
        raise click.UsageError("Missing argument 'INPUT...', or --signal and --background files.")
    if inputs and max(len(signal), len(background)) > 1:
        raise click.UsageError(
            "With INPUT, --signal and --background are values of the label, one each."
        )
    if inputs and signal:
        from pipeline.intake.label_values import same_value

        if same_value(signal[0], background[0]):
            raise click.UsageError(f"--signal and --background are the same value, {signal[0]}.")


def _find_inputs(inputs: tuple[str, ...], options: dict[str, Any]) -> "tuple[Inputs, list[str]]":
    from pipeline.intake.conversion import Inputs
    from pipeline.intake.input_sources import find_sources, find_splits, with_label
    from pipeline.intake.intake_error import enumerate_names

    if not inputs:
        signal, background = options["signal"], options["background"]
        sources, notes = find_sources([*signal, *background])
        count = len(find_sources(signal)[0])
        labelled = [*with_label(sources[:count], 1), *with_label(sources[count:], 0)]
        return Inputs(labelled), [*notes, *_note_joined(sources)]
    splits = find_splits(inputs[0]) if len(inputs) == 1 else None
    if splits:
        # Files and folders by their names, arrays by theirs in the file.
        are_arrays = splits[0][0].startswith(f"{inputs[0]}:")
        shown = ([p.rpartition(":")[2] if are_arrays else Path(p).name for p in s] for s in splits)
        names = " and ".join(enumerate_names(part, 1) for part in shown)
        if not are_arrays or not options["features"]:
            parts = [*map(find_sources, splits)]
            kept = f"{inputs[0]}: is already split; {names} stay apart"
            notes = [kept, *chain(*(n for _, n in parts))]
            return Inputs(*(sources for sources, _ in parts)), notes
    sources, notes = find_sources(inputs)
    if splits:
        notes.append(f"{inputs[0]}: has {names}; only {options['features']} is read")
    return Inputs(sources), [*notes, *_note_joined(sources)]


def _note_joined(sources: "Iterable[Source]") -> Iterator[str]:
    """Yields a note if some names below the folder of all files mean a validation or test set."""
    from pipeline.local_data import names_of_splits

    files = chain(*(source.files or (source.path,) for source in sources))
    paths = [path.absolute() for path in files if path]
    parent = os.path.commonpath([path.parent for path in paths]) if paths else ""
    _, held_out = names_of_splits(os.path.relpath(path, parent) for path in paths)
    if 0 < len(held_out) < len(paths):
        yield (
            f"the inputs are joined and split again, although the name of {held_out[0]} means a "
            "validation or test set; to keep a training and a validation set apart, name the "
            "folder that holds both as train/ and test/, or convert each by itself"
        )


def check_place(inputs: "Iterable[Source]", out: Path) -> None:
    """Refuses a folder for the output that contains an input."""
    for source in inputs:
        if source.path and out.resolve() in source.path.resolve().parents:
            raise click.UsageError(f"--out: {out} contains the input {source.name}; give another")


@contextmanager
def interruption(remains: str) -> Iterator[None]:
    """Reports the state of the output after an interruption."""
    try:
        yield
    except KeyboardInterrupt:
        echo(f"Interrupted: {remains}", err=True)
        raise SystemExit(ExitCode.INTERRUPTED) from None


def print_notes(notes: Iterable[str]) -> None:
    """Prints notes on the inputs, each once, up to a number of them."""
    different = list(dict.fromkeys(notes))
    for note in different[:_MAX_NOTES]:
        echo(f"note: {note}")
    if different[_MAX_NOTES:]:
        echo(f"note: {len(different) - _MAX_NOTES} more of this kind")


def _print_summary(result: "Conversion", notes: list[str], directory: Path, seconds: float) -> None:
    from components.report.number_format import plural

    counts, sizes = result.counts, result.sizes
    print_notes([*notes, *counts.notes])
    kinds = ", ".join(dict.fromkeys(source.kind for source in counts.sources))
    inputs = plural(len(counts.sources), "input")
    echo(f"Read {plural(counts.read, 'event')} from {inputs} ({kinds})")
    for reason, count in counts.dropped.items():
        echo(f"Dropped {plural(count, 'event')}: {reason}")
    for reason, count in counts.changed.items():
        echo(f"Changed {plural(count, 'event')}: {reason}")
    echo(describe_sizes(sizes, seconds, directory))
