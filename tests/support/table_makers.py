"""Tables of events in common forms, and their conversion."""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from event_makers import join_events
from shard_makers import read_folder

from formats.errors import DataRefusedError
from formats.features import COLUMNS, FEATURES
from formats.published.record import Events
from pipeline.cli.score_command import score
from pipeline.intake.column_mapping import ColumnOptions
from pipeline.intake.conversion import Inputs, SplitOptions, convert
from pipeline.intake.input_sources import Source, find_sources
from pipeline.intake.intake_error import IntakeError
from pipeline.intake.scored_rows import RowOptions, TableRows
from pipeline.intake.table_events import IntakeOptions


def to_frame(events: Events) -> pd.DataFrame:
    """The label and the features, float32, by name."""
    table = np.column_stack([events.labels, events.features])
    return pd.DataFrame(table, columns=list(COLUMNS))


def to_rows(events: Events, number: str = "%.18e") -> list[list[str]]:
    """Cells as UCI prints them, or in another format that keeps every digit, such as ``%.9g``."""
    table = np.column_stack([events.labels, events.features]).astype(np.float64)
    return [[number % value for value in row] for row in table]


def to_csv(rows: Iterable[Sequence[str]], header: Sequence[str] = (), separator: str = ",") -> str:
    """Lines with a newline each; the header first, if there is one."""
    lines = [separator.join(cells) for cells in ([header] if header else []) + list(rows)]
    return "".join(f"{line}\n" for line in lines)


def uci_csv(events: Events) -> bytes:
    return to_csv(to_rows(events)).encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def to_physical(events: Events, units, codes) -> Events:
    """The same events in GeV, radians and b-tag levels."""
    columns = [
        np.searchsorted(codes[name], column) if name in codes else column * units[name]
        for name, column in zip(FEATURES, events.features.T.astype(np.float64), strict=True)
    ]
    return Events(np.stack(columns, axis=1), events.labels)


def convert_all(paths: Sequence[Path | str], out: Path, options=None, split=None, **kwargs):
    """Converts inputs; returns the events in order, training first, and the conversion."""
    sources, _ = find_sources([str(path) for path in paths])
    options, split = options or IntakeOptions(), split or SplitOptions()
    try:
        conversion = convert(Inputs(sources), out, options, split, **kwargs)
    except IntakeError:
        check_advice(sources, options)
        raise
    folders = [out / name for name in ("training", "validation") if (out / name).exists()]
    keys = options.columns.keep
    return join_events(read_folder(folder, keys) for folder in folders), conversion


def check_advice(sources: Iterable[Source], options: IntakeOptions) -> None:
    """Scores refused inputs: the messages must advise only options that `higgs score` has."""
    columns = replace(options.columns, label=None, keep=())
    options = replace(options, columns=columns, arrays=options.arrays._replace(label=None))
    known = {option for parameter in score.params for option in parameter.opts}
    for source in sources:
        rows, message = TableRows(source, RowOptions(options)), ""
        if source.is_regular:
            try:
                for _ in rows.read(rows.digest(), lambda _: None):
                    pass
            except DataRefusedError as error:
                message = str(error)
        assert {*re.findall(r"--[a-z][a-z-]+", message)} <= known, message


def with_columns(**options) -> IntakeOptions:
    return IntakeOptions(columns=ColumnOptions(**options))
