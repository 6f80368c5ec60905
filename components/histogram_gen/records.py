"""``histograms.json``: what HistogramGen leaves behind, and how it is read again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from components.histogram_gen.counting import CLASSES, Binning, Census, Counts

FILE_NAME = "histograms.json"


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
    """Every split's histograms, from the text of ``histograms.json``."""
    content = json.loads(text)
    binnings = {name: Binning(**binning) for name, binning in content["bins"].items()}
    return {
        split: SplitHistograms(
            census["fingerprint"],
            {
                name: ClassHistogram(
                    binnings[name], np.array([counts[kind] for kind in CLASSES], np.int64)
                )
                for name, counts in census["counts"].items()
            },
        )
        for split, census in content["splits"].items()
    }
