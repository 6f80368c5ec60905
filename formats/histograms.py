"""``histograms.json``: histograms by split, feature and class, and each split's fingerprint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, FiniteFloat, model_validator
from pydantic.dataclasses import dataclass as validated_dataclass

FILE_NAME = "histograms.json"

MAX_BINS = 10_000
"""Maximum number of bins of a histogram, so that it can be drawn."""

CLASSES = ("background", "signal")
"""The rows of the counts, by label."""

Counts = npt.NDArray[np.int64]


@validated_dataclass(frozen=True)
class Binning:
    """Equal bins from ``low`` to ``high``; values outside are counted at either end."""

    low: FiniteFloat
    high: FiniteFloat
    bins: Annotated[int, Field(ge=1, le=MAX_BINS, strict=True)]

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """The edges of the bins, float64 [bins + 1].

        >>> Binning(0.0, 1.0, 2).edges.tolist()
        [0.0, 0.5, 1.0]
        """
        return np.linspace(self.low, self.high, self.bins + 1)

    @model_validator(mode="after")
    def _check_edges(self) -> "Binning":
        if not np.isfinite(self.high - self.low) or not (np.diff(self.edges) > 0).all():
            raise ValueError(f"the edges of {self.bins} bins do not increase")
        return self


@dataclass(frozen=True)
class ClassCounts:
    """Counts of a part of a split.

    Attributes:
        counts: int64 [2, bins + 2] by feature: background and signal, below, in each bin, and
            above. NaN is not counted.
        fingerprint: sum of one 64-bit hash per event, modulo 2**64: equal for the same events
            in any order and any files.
    """

    counts: Mapping[str, Counts]
    fingerprint: int

    def __add__(self, other: "ClassCounts") -> "ClassCounts":
        return ClassCounts(
            {name: counts + other.counts[name] for name, counts in self.counts.items()},
            (self.fingerprint + other.fingerprint) % 2**64,
        )


@dataclass(frozen=True)
class ClassHistogram:
    """One feature's histogram by class.

    Attributes:
        binning: its bins.
        counts: int64 [2, bins + 2], as in ``ClassCounts``.
    """

    binning: Binning
    counts: Counts


@dataclass(frozen=True)
class SplitHistograms:
    """The histograms of one split.

    Attributes:
        fingerprint: of its events, 16 hexadecimal digits.
        features: histograms by feature.
    """

    fingerprint: str
    features: Mapping[str, ClassHistogram]


class _FeatureCounts(BaseModel):
    background: list[Annotated[int, Field(ge=0, lt=2**62, strict=True)]]
    signal: list[Annotated[int, Field(ge=0, lt=2**62, strict=True)]]


class _Split(BaseModel):
    fingerprint: str
    counts: dict[str, _FeatureCounts]


class _HistogramsFile(BaseModel):
    bins: dict[str, Binning]
    splits: dict[str, _Split]

    @model_validator(mode="after")
    def _check_lengths(self) -> "_HistogramsFile":
        for split in self.splits.values():
            for name, counts in split.counts.items():
                if name not in self.bins:
                    raise ValueError(f"{name}: counts without bins")
                length = self.bins[name].bins + 2
                if any(len(row) != length for row in (counts.background, counts.signal)):
                    raise ValueError(f"{name}: expected {length} counts of each class")
        return self


def to_json(binnings: Mapping[str, Binning], splits: Mapping[str, ClassCounts]) -> str:
    """Returns the content of ``histograms.json``."""
    return json.dumps(
        {
            "bins": {
                name: {"low": binning.low, "high": binning.high, "bins": binning.bins}
                for name, binning in binnings.items()
            },
            "splits": {
                split: {
                    "fingerprint": f"{counted.fingerprint:016x}",
                    "counts": {
                        name: dict(zip(CLASSES, counts.tolist(), strict=True))
                        for name, counts in counted.counts.items()
                    },
                }
                for split, counted in splits.items()
            },
        }
    )


def from_json(text: str) -> dict[str, SplitHistograms]:
    """Reads the content of ``histograms.json``: every split's histograms.

    Raises:
        pydantic.ValidationError: the text does not have this form.
    """
    content = _HistogramsFile.model_validate_json(text)
    return {
        split: SplitHistograms(
            entry.fingerprint,
            {
                name: ClassHistogram(
                    content.bins[name], np.array([counts.background, counts.signal], np.int64)
                )
                for name, counts in entry.counts.items()
            },
        )
        for split, entry in content.splits.items()
    }
