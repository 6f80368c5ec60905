"""Conversion speed and memory: ``higgs convert`` of CSV in gzip, and of Parquet.

The peer of CSV is pandas, with one ``tf.train.Example`` per row; its constant cost is not counted.
Beside it, both formats are compared with Arrow, which only reads the same file. The CSV is written
as UCI writes it, 19 digits per number.
"""

import gzip
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from pyarrow import csv as arrow_csv
from pyarrow import parquet as pq

from benchmarks import command_line, generated_events
from benchmarks.measurement import (
    FIRST_EVENTS,
    Measure,
    Measurement,
    Sense,
    Side,
    compare,
    compare_with_slow_peer,
    rate,
)
from benchmarks.process_memory import run_module
from formats.features import COLUMNS, FEATURES, LABEL
from pipeline.intake.conversion import Inputs, SplitOptions, convert
from pipeline.intake.input_sources import find_sources
from pipeline.intake.table_events import IntakeOptions

CSV = Measure("convert_csv_vs_pandas", "rows/s", 5, Sense.AT_LEAST)
CSV_RATE = Measure("convert_csv", "rows/s", 100_000, Sense.AT_LEAST)
PARQUET_RATE = Measure("convert_parquet", "rows/s", 1_000_000, Sense.AT_LEAST)
CSV_READ = Measure("convert_csv_vs_arrow_read", "rows/s", 0.3, Sense.AT_LEAST)
PARQUET_READ = Measure("convert_parquet_vs_arrow_read", "rows/s", 0.03, Sense.AT_LEAST)
MEMORY = Measure("convert_memory", "GB", 1, Sense.AT_MOST)

_WITHOUT_NAMES = arrow_csv.ReadOptions(autogenerate_column_names=True)
_CHUNK_ROWS = 10_000


def measure(quick: bool) -> Iterator[Measurement]:
    """Measures the conversion of generated events."""
    rows, peer_rows, parquet_rows = (200_000, 10_000, 2_000_000)
    if not quick:
        rows, peer_rows, parquet_rows = (2 * rows, 2 * peer_rows, 2 * parquet_rows)
    with generated_events.scratch_folder() as folder:
        frame = _frame(rows)
        csv = {
            n: _write_csv(frame[:n], folder / f"{n}.csv.gz")
            for n in (rows, peer_rows, FIRST_EVENTS)
        }
        parquet = folder / "events.parquet"
        repeated = pd.concat([frame] * (parquet_rows // rows), ignore_index=True)
        repeated.to_parquet(parquet, index=False)
        yield compare_with_slow_peer(
            CSV,
            _our_side(csv[rows], rows, folder),
            lambda count: _pandas_side(csv[count], count, folder),
            events=rows,
            sample=peer_rows,
        )
        read = partial(arrow_csv.read_csv, read_options=_WITHOUT_NAMES)
        beside_read = compare(
            CSV_READ,
            ours=_our_side(csv[rows], rows, folder),
            peer=lambda: rate(rows, partial(read, csv[rows])),
            sizes=f"{rows:,} rows",
        )
        yield beside_read
        yield Measurement(CSV_RATE, beside_read.ours_runs, sizes=f"{rows:,} rows")
        beside_read = compare(
            PARQUET_READ,
            ours=_our_side(parquet, parquet_rows, folder),
            peer=lambda: rate(parquet_rows, partial(pq.read_table, parquet)),
            sizes=f"{parquet_rows:,} rows",
        )
        yield beside_read
        yield Measurement(PARQUET_RATE, beside_read.ours_runs, sizes=f"{parquet_rows:,} rows")
        peaks = [
            run_module(
                "pipeline.cli.main", "convert", path, "--out", folder / "memory", "--overwrite"
            )
            for path in (csv[rows], parquet)
        ]
        highest = max(peak.peak_bytes for peak in peaks) / 1e9
        yield Measurement(MEMORY, (highest,), sizes="the same rows, the higher of both")


def _frame(rows: int) -> pd.DataFrame:
    events = generated_events.training_events(rows)
    return pd.DataFrame(np.column_stack([events.labels, events.features]), columns=list(COLUMNS))


def _write_csv(frame: pd.DataFrame, path: Path) -> Path:
    with gzip.open(path, "wb", compresslevel=6) as file:
        np.savetxt(file, frame.to_numpy(np.float64), fmt="%.18e", delimiter=",")
    return path


def _our_side(path: Path, rows: int, folder: Path) -> Side:
    inputs = Inputs(find_sources([str(path)])[0])
    work = partial(convert, inputs, folder / "out", IntakeOptions(), SplitOptions(), overwrite=True)
    return lambda: rate(rows, work)


def _pandas_side(path: Path, rows: int, folder: Path) -> Side:
    return lambda: rate(rows, partial(_convert_with_pandas, path, folder / "peer.tfrecord"))


def _convert_with_pandas(path: Path, out: Path) -> None:
    """Reads a CSV in chunks and serializes a ``tf.train.Example`` per row."""
    with tf.io.TFRecordWriter(str(out)) as writer:
        for chunk in pd.read_csv(path, names=COLUMNS, header=None, chunksize=_CHUNK_ROWS):
            features = chunk[list(FEATURES)].to_numpy(np.float32)
            for row, label in zip(features, chunk[LABEL].to_numpy(np.float32), strict=True):
                writer.write(_example(row, label).SerializeToString())


def _example(row: np.ndarray, label: float) -> tf.train.Example:
    tensor = tf.io.serialize_tensor(tf.constant(row)).numpy()
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "features": tf.train.Feature(bytes_list=tf.train.BytesList(value=[tensor])),
                LABEL: tf.train.Feature(float_list=tf.train.FloatList(value=[label])),
            }
        )
    )


if __name__ == "__main__":
    command_line.main(measure)
