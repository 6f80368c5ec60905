"""The command ``higgs convert``: any table of events to the published layout."""

import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.data_commands import (
    InvalidFileError,
    describe_sizes,
    output_options,
    user_errors,
)
from pipeline.cli.path_type import LocalPath
from pipeline.exit_codes import ExitCode

if TYPE_CHECKING:
    from pipeline.intake.conversion import Conversion, Inputs
    from pipeline.intake.table_events import IntakeOptions

_MAX_NOTES = 20


def _column_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--keep", multiple=True, help="Additional column to keep; may be repeated."),
        click.option(
            "--header",
            metavar="NAMES",
            help="Names of all columns of a table without names, with commas; 'features' stands "
            "for the 28 in published order.",
        ),
        click.option(
            "--names",
            "names_file",
            metavar="FILE",
            type=LocalPath(exists=True, dir_okay=False),
            help="Mapping file: one line 'OURS: THEIRS' per column with another name.",
        ),
        click.option("--features", help="Array, data set or key that holds the 28 features."),
        click.option("--label", help="Column, array or key that holds the label."),
    ):
        command = option(command)
    return command


def _value_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--decimal",
            type=click.Choice([".", ","]),
            default=".",
            show_default=True,
            help="Decimal separator of text files.",
        ),
        click.option(
            "--snap-b-tags",
            is_flag=True,
            help="Take b-tags that lost digits for the nearest code, within 1e-4.",
        ),
        click.option(
            "--missing",
            type=click.Choice(["refuse", "drop"]),
            default="refuse",
            show_default=True,
            help="Refuse the input at missing values, or drop the events.",
        ),
        click.option(
            "--units",
            type=click.Choice(["published", "gev"]),
            default="published",
            show_default=True,
            help="gev: GeV, radians and b-tag levels 0, 1, 2.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1)
@click.option(
    "--signal",
    multiple=True,
    metavar="VALUE|FILE",
    help="Value of the label of signal; without INPUT, a file or FILE:TREE of signal events.",
)
@click.option("--background", multiple=True, metavar="VALUE|FILE", help="The same for background.")
@_column_options
@_value_options
@click.option(
    "--split",
    type=click.Choice(["last", "hash"]),
    help="Validation set: the last events, or a fifth by a hash of each event.  [default: last; "
    "hash for files of one class]",
)
@click.option(
    "--validation-rows",
    type=click.IntRange(min=0),
    help="Number of the last events that go to validation/.  [default: the conventional 500,000, "
    "but at most a fifth]",
)
@output_options
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
    warnings.simplefilter("ignore", FutureWarning)
    output = {name: options.pop(name) for name in ("overwrite", "shard_size")}
    by_hash = split == "hash" or (split is None and not inputs)
    if by_hash and validation_rows is not None:
        raise click.UsageError("--validation-rows needs --split last.")
    _check_classes(inputs, options["signal"], options["background"])
    with _intake_errors(), user_errors():
        from pipeline.intake import conversion
        from pipeline.sample_data.progress_bar import progress

        start = time.monotonic()
        found, notes = _find_inputs(inputs, options["signal"], options["background"])
        _check_place(found, directory)
        with progress(f"converting {found.training[0].name}", found.size()) as on_read:
            result = conversion.convert(
                found,
                directory,
                _intake_options(bool(inputs), **options),
                conversion.SplitOptions(by_hash, validation_rows),
                described=_described(options, by_hash=by_hash),
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


def _find_inputs(
    inputs: tuple[str, ...], signal: tuple[str, ...], background: tuple[str, ...]
) -> "tuple[Inputs, list[str]]":
    from pipeline.intake.conversion import Inputs
    from pipeline.intake.input_sources import find_sources, find_splits, with_label

    if not inputs:
        sources, notes = find_sources([*signal, *background])
        count = len(find_sources(signal)[0])
        labelled = [*with_label(sources[:count], 1), *with_label(sources[count:], 0)]
        return Inputs(labelled), notes
    if len(inputs) == 1 and (splits := find_splits(inputs[0])):
        (training, first), (validation, second) = (find_sources([path]) for path in splits)
        kept = f"{inputs[0]}: is split already; {splits[0]} and {splits[1]} stay apart"
        return Inputs(training, validation), [kept, *first, *second]
    sources, notes = find_sources(inputs)
    return Inputs(sources), notes


def _check_place(inputs: "Inputs", directory: Path) -> None:
    for source in (*inputs.training, *inputs.validation):
        folders = source.path.resolve().parents if source.path else ()
        if directory.exists() and directory.resolve() in folders:
            raise click.UsageError(
                f"{directory} contains the input {source.name}. Choose another --out."
            )


def _intake_options(
    has_inputs: bool,
    *,
    signal: tuple[str, ...],
    background: tuple[str, ...],
    label: str | None,
    features: str | None,
    names_file: Path | None,
    header: str | None,
    keep: tuple[str, ...],
    units: str,
    missing: str,
    snap_b_tags: bool,
    decimal: str,
) -> "IntakeOptions":
    from pipeline.intake.array_readers import ArrayChoice
    from pipeline.intake.column_mapping import ColumnOptions, parse_header, read_names
    from pipeline.intake.csv_reader import TextOptions
    from pipeline.intake.label_values import LabelValues
    from pipeline.intake.table_events import IntakeOptions
    from pipeline.intake.value_rules import ValueOptions

    values = has_inputs and signal
    return IntakeOptions(
        ColumnOptions(
            parse_header(header) if header else None,
            read_names(names_file) if names_file else {},
            label,
            keep,
        ),
        LabelValues(signal[0], background[0], True) if values else LabelValues(),
        ValueOptions(units, missing == "drop", snap_b_tags),
        TextOptions(decimal),
        ArrayChoice(features, label),
    )


def _described(options: dict[str, Any], *, by_hash: bool) -> dict[str, str]:
    """Returns the options that were given, as text for the manifest."""
    given = {name: value for name, value in options.items() if value}
    texts = {
        name: ", ".join(value) if isinstance(value, tuple) else str(value)
        for name, value in given.items()
    }
    return {**texts, "split": "hash" if by_hash else "last"}


@contextmanager
def _intake_errors() -> Iterator[None]:
    """Reports inputs that cannot be converted, and what an interruption leaves."""
    from pipeline.intake.intake_error import InputNotFoundError, IntakeError

    try:
        yield
    except InputNotFoundError as error:
        raise click.UsageError(str(error)) from error
    except IntakeError as error:
        raise InvalidFileError(str(error)) from error
    except KeyboardInterrupt:
        click.echo("Interrupted: nothing was written. Run the same command again.", err=True)
        raise SystemExit(ExitCode.INTERRUPTED) from None


def _print_summary(result: "Conversion", notes: list[str], directory: Path, seconds: float) -> None:
    from components.report.number_format import plural

    counts, sizes = result.counts, result.sizes
    notes = list(dict.fromkeys([*notes, *counts.notes]))
    for note in notes[:_MAX_NOTES]:
        click.echo(f"note: {note}")
    if notes[_MAX_NOTES:]:
        click.echo(f"note: {len(notes) - _MAX_NOTES} more of this kind")
    kinds = ", ".join(dict.fromkeys(source.kind for source in counts.sources))
    inputs = plural(len(counts.sources), "input")
    click.echo(f"Read {plural(counts.read, 'event')} from {inputs} ({kinds})")
    for reason, count in counts.dropped.items():
        click.echo(f"Dropped {plural(count, 'event')}: {reason}")
    for reason, count in counts.changed.items():
        click.echo(f"Changed {plural(count, 'event')}: {reason}")
    click.echo(describe_sizes(sizes, seconds, directory))
