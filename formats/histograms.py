"""``histograms.json``: what HistogramGen leaves behind, and how it is read again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.histogram_gen.class_counts import CLASSES, Binning, Census, Counts

FILE_NAME = "histograms.json"

MOST_BINS = 10_000
"""Bins of a histogram that can still be drawn."""


@dataclass(frozen=True)
class ClassHistogram:
    """One feature of a split, counted by class.

    Attributes:
      binning: where its bins are.
      counts: int64 [2, bins + 2], as ``Census`` has them.
    """

    binning: Binning
    counts: Counts


@dataclass(frozen=True)
class SplitHistograms:
    """One split, counted.

    Attributes:
      fingerprint: of its events, 16 hexadecimal digits.
      features: by name.
    """

    fingerprint: str
    features: Mapping[str, ClassHistogram]


def to_json(binnings: Mapping[str, Binning], splits: Mapping[str, Census]) -> str:
    """The text of ``histograms.json``."""
    return json.dumps(
        {
            "bins": {name: vars(binning) for name, binning in binnings.items()},
            "splits": {
                split: {
                    "fingerprint": f"{census.fingerprint:016x}",
                    "counts": {
                        name: dict(zip(CLASSES, counts.tolist(), strict=True))
                        for name, counts in census.counts.items()
                    },
                }
                for split, census in splits.items()
            },
        }
    )


def from_json(text: str) -> dict[str, SplitHistograms]:
    """Every split's histograms, from the text of ``histograms.json``.

    Raises:
      ValueError: the text is no such content; the message names the feature, if it is of one.
    """
    content = json.loads(text)
    bins, splits = _mapping(content, "bins"), _mapping(content, "splits")
    binnings = {name: _binning(name, binning) for name, binning in bins.items()}
    return {
        split: SplitHistograms(
            str(_mapping(splits, split).get("fingerprint", "")),
            {
                name: _histogram(name, binnings, counts)
                for name, counts in _mapping(splits[split], "counts").items()
            },
        )
        for split in splits
    }


def _mapping(content: Any, key: str) -> dict[str, Any]:
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"{key}: expected names and values, got {str(found)[:80]}")
    return found


def _binning(name: str, found: Any) -> Binning:
    low, high, bins = (
        (found.get(key) for key in ("low", "high", "bins"))
        if isinstance(found, dict)
        else (None, None, None)
    )
    if (
        isinstance(low, int | float)
        and isinstance(high, int | float)
        and isinstance(bins, int)
        and 1 <= bins <= MOST_BINS
        and np.isfinite(high - low)
        and (np.diff(np.linspace(low, high, bins + 1)) > 0).all()
    ):
        return Binning(low, high, bins)
    raise ValueError(f"{name}: {found} are no bins that rise")


def _histogram(name: str, binnings: Mapping[str, Binning], counts: Any) -> ClassHistogram:
    if name not in binnings:
        raise ValueError(f"{name}: counted in bins that are not given")
    rows = [counts.get(kind) for kind in CLASSES] if isinstance(counts, dict) else []
    places = binnings[name].bins + 2
    if not all(isinstance(row, list) and len(row) == places and _are_counts(row) for row in rows):
        rows = []
    if not rows:
        raise ValueError(f"{name}: expected {places} counts of each class")
    return ClassHistogram(binnings[name], np.array(rows, np.int64))


def _are_counts(row: list[Any]) -> bool:
    return all(isinstance(count, int) and 0 <= count < 2**62 for count in row)
