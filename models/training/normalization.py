"""Mean and spread of the training columns, which the network normalises its inputs by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.event_table import Array

CHUNK = 65_536
"""Events a chunk: double precision without a double-precision copy of everything."""


@dataclass(frozen=True)
class Normalization:
    """How each column is centred and scaled: (x - mean) / spread.

    Attributes:
      mean: float32 [28].
      spread: float32 [28], the standard deviation, or 1 for a constant column.
    """

    mean: Array
    spread: Array


def measure(features: Array) -> Normalization:
    """Measures float32 [N, 28] features, N at least 1, in double precision."""
    mean = _chunked_mean(features, np.zeros(features.shape[1]), power=1)
    spread = np.sqrt(_chunked_mean(features, mean, power=2))
    # What rounding leaves of a constant column is not a spread.
    constant = spread <= 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return Normalization(mean.astype(np.float32), np.where(constant, 1, spread).astype(np.float32))


def _chunked_mean(
    features: Array, centre: npt.NDArray[np.float64], *, power: int
) -> npt.NDArray[np.float64]:
    """The mean of (x - centre) ** power by column."""
    starts = range(0, len(features), CHUNK)
    sums = (((features[i : i + CHUNK] - centre) ** power).sum(axis=0) for i in starts)
    return sum(sums, np.zeros_like(centre)) / len(features)
