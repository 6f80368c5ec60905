"""``reference_scores.npz``: events and the trained model's scores that an export must reproduce."""

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from formats.names import SIGNAL_PROBABILITY

FILE_NAME = "reference_scores.npz"


@dataclass(frozen=True)
class ReferenceScores:
    """Reference events and scores.

    Attributes:
        positions: int64 [n], index of each event in the split it was taken from.
        features: float32 [n, 28], as published.
        scores: float32 [n, 1], the trained model's signal probabilities.
    """

    positions: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Returns the content of the file, NumPy's ``.npz`` without pickles."""
        content = io.BytesIO()
        scores = {SIGNAL_PROBABILITY: self.scores}
        np.savez(content, event=self.positions, features=self.features, **scores)
        return content.getvalue()

    @classmethod
    def read(cls, stream: BinaryIO) -> "ReferenceScores":
        """Reads the file from a seekable binary stream."""
        with np.load(stream, allow_pickle=False) as arrays:
            return cls(arrays["event"], arrays["features"], arrays[SIGNAL_PROBABILITY])
