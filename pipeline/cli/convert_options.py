"""Options of ``higgs convert``: how columns are found and how values are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.path_type import LocalPath
from pipeline.cli.shared_options import combined

if TYPE_CHECKING:
    from pipeline.intake.table_events import IntakeOptions


intake_options = combined(
    click.option(
        "--units",
        type=click.Choice(["published", "gev"]),
        default="published",
        show_default=True,
        help="Units of the input; gev: GeV, radians and b-tag levels 0, 1, 2.",
    ),
    click.option(
        "--snap-b-tags",
        is_flag=True,
        help="Round b-tags that lost digits to the nearest code, within 1e-4.",
    ),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        default=".",
        show_default=True,
        help="Decimal separator of text files.",
    ),
    click.option("--features", help="Array, data set or key that holds the 28 features."),
    click.option(
        "--names",
        "names_file",
        metavar="FILE",
        type=LocalPath(exists=True, dir_okay=False),
        help="Mapping file: one line 'OURS: THEIRS' per column with another name.",
    ),
    click.option(
        "--header",
        metavar="NAMES",
        help="Names of all columns of a table without names, separated by commas; 'features' "
        "means the 28 in published order.",
    ),
)
"""Options of all commands that read tables."""


conversion_options = combined(
    click.option(
        "--missing",
        type=click.Choice(["refuse", "drop"]),
        default="refuse",
        show_default=True,
        help="For events with missing values: refuse the input, or drop them.",
    ),
    click.option("--label", help="Column, array or key that holds the label."),
    click.option("--keep", multiple=True, help="Additional column to keep; may be repeated."),
)
"""Options of conversions alone."""


def make_intake_options(
    *,
    names_file: Path | None,
    header: str | None,
    features: str | None,
    units: str,
    snap_b_tags: bool,
    decimal: str,
    signal: tuple[str, ...] = (),
    background: tuple[str, ...] = (),
    label: str | None = None,
    keep: tuple[str, ...] = (),
    missing: str = "refuse",
) -> "IntakeOptions":
    """Makes the options of the intake from those of a command, by their names there.

    Args:
        names_file: the mapping file.
        header: names of all columns.
        features: array or key of the features.
        units: of the values.
        snap_b_tags: whether b-tags are rounded to codes.
        decimal: the decimal separator.
        signal: the value of the label of signal, if it was given.
        background: the same for background.
        label: column, array or key of the label.
        keep: additional columns.
        missing: ``refuse`` or ``drop``.

    Raises:
        IntakeError: the mapping file cannot be read.
    """
    from pipeline.intake.array_tables import ArrayChoice
    from pipeline.intake.column_mapping import ColumnOptions, parse_header, read_names
    from pipeline.intake.label_values import LabelValues
    from pipeline.intake.table_events import IntakeOptions
    from pipeline.intake.value_faults import ValueOptions

    return IntakeOptions(
        ColumnOptions(
            parse_header(header) if header else None,
            read_names(names_file) if names_file else {},
            label,
            tuple(dict.fromkeys(keep)),
        ),
        LabelValues(signal[0], background[0], True) if signal else LabelValues(),
        ValueOptions(units, missing == "drop", snap_b_tags),
        decimal,
        ArrayChoice(features, label),
    )


def describe_options(options: dict[str, Any], *, split: str) -> dict[str, str]:
    """Returns the options that were given, and how the events are split, for the manifest."""
    values = {name: value for name, value in options.items() if value}
    texts = {
        name: ", ".join(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
    return {**texts, "split": split}
