"""Counts of events by feature, class and bin, and a fingerprint: sums over parts of a split.

Workers import this module without TFX and TensorFlow, which would take most of their time.

TFDV's histograms do not distinguish the classes, and slicing by class would double its work; this
count costs a tenth of it.
"""

import functools
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from formats import splitmix64
from formats.examples import RowGroup, find_row_groups, read_row_group
from formats.features import LABEL
from formats.histograms import Binning, ClassCounts, Counts

Columns = dict[str, npt.NDArray[np.float32]]
"""Values by column, float32 [N] each."""


def count_file(path: str, binnings: Mapping[str, Binning]) -> dict[str, Any]:
    """Counts the events of a file of Examples; returns the counts in a form that JSON can hold."""
    total = add(count_row_group(group, binnings) for group in find_row_groups(path))
    counts = {name: by_class.tolist() for name, by_class in total.counts.items()}
    return {"counts": counts, "fingerprint": total.fingerprint}


def read_counts(content: Mapping[str, Any]) -> ClassCounts:
    """Reads what ``count_file`` returned."""
    counts = {name: np.array(by_class) for name, by_class in content["counts"].items()}
    return ClassCounts(counts, content["fingerprint"])


def count_row_group(row_group: RowGroup, binnings: Mapping[str, Binning]) -> ClassCounts:
    """Counts the events of one row group."""
    columns = read_columns(row_group, (LABEL, *binnings))
    labels = columns.pop(LABEL)
    return count_events(columns, labels, binnings)


def read_columns(row_group: RowGroup, names: Iterable[str]) -> Columns:
    """Reads columns of a row group, float32 [N] by name."""
    table = read_row_group(row_group)
    return {name: table.column(name).chunk(0).flatten().to_numpy() for name in names}


def count_events(
    columns: Mapping[str, npt.NDArray[np.float32]],
    labels: npt.NDArray[np.float32],
    binnings: Mapping[str, Binning],
) -> ClassCounts:
    """Counts events.

    Args:
        columns: float32 [N] by feature.
        labels: float32 [N], 1.0 for signal and 0.0 for background.
        binnings: bins by feature.
    """
    is_signal = labels > 0.5
    return ClassCounts(
        {name: _count(columns[name], is_signal, binning) for name, binning in binnings.items()},
        fingerprint([labels, *columns.values()]),
    )


def add(parts: Iterable[ClassCounts]) -> ClassCounts:
    """Adds up the counts of at least one part."""
    return functools.reduce(operator.add, parts)


def bin_indices(values: npt.NDArray[np.float32], binning: Binning) -> npt.NDArray[np.intp]:
    """Returns the bin of each value: 0 is below, ``bins + 1`` is from ``high`` on.

    >>> bin_indices(np.array([-1, 0, 0.6, 1], np.float32), Binning(0.0, 1.0, 2)).tolist()
    [0, 1, 2, 3]
    """
    positions = (values - binning.low) * (binning.bins / (binning.high - binning.low))
    return np.clip(np.floor(positions) + 1, 0, binning.bins + 1).astype(np.intp)


def fingerprint(columns: Iterable[npt.NDArray[np.float32]]) -> int:
    """Sums a hash of each event's float32 values, modulo 2**64.

    The values of an event are hashed one after the other, so that exchanging values between
    events changes the sum.
    """
    hashes: splitmix64.Words | np.uint64 = np.uint64(0)
    for column in columns:
        words = np.ascontiguousarray(column).view(np.uint32).astype(np.uint64)
        hashes = splitmix64.mix(words + hashes * splitmix64.GOLDEN_GAMMA)
    return int(np.sum(hashes, dtype=np.uint64))


def _count(
    values: npt.NDArray[np.float32], is_signal: npt.NDArray[np.bool_], binning: Binning
) -> Counts:
    is_number = ~np.isnan(values)
    if not is_number.all():
        values, is_signal = values[is_number], is_signal[is_number]
    width = binning.bins + 2
    indices = bin_indices(values, binning) + is_signal * width
    return np.bincount(indices, minlength=2 * width).reshape(2, width)
