"""Does the export, alone in a fresh process, score as the trained model did?"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from components.serving_check import probe
from formats.published.record import Events, encode_records

TOLERANCE = 1e-5
"""Largest allowed difference in probability between training and serving."""

TIMEOUT_SECONDS = 600


def find_fault(model: str, features: np.ndarray, expected: np.ndarray) -> str | None:
    """What is wrong with an export, or None when it serves as it was trained.

    Args:
      model: a SavedModel's folder.
      features: float32 [N, 28], events to score as published-layout records.
      expected: float32 [N, 1], the trained model's probabilities of them.
    """
    records = encode_records(Events(features, np.zeros(len(features), np.float32)))
    with tempfile.TemporaryDirectory() as folder:
        scores_file = Path(folder) / "scores.npz"
        fault = _score_apart(model, records, scores_file)
        if fault:
            return fault
        with np.load(scores_file) as data:
            return compare(data["signal_probability"], expected)


def compare(scores: np.ndarray, expected: np.ndarray) -> str | None:
    """The first way in which served scores differ from the trained model's, or None."""
    if scores.shape != expected.shape:
        return f"serving_default returned the shape {scores.shape}, expected {expected.shape}"
    finite = np.isfinite(scores)
    if not finite.all():
        return f"{np.count_nonzero(~finite)} of {scores.size} scores are NaN or infinite"
    if scores.min() < 0.0 or scores.max() > 1.0:
        return f"scores run from {scores.min():g} to {scores.max():g}, not within [0, 1]"
    difference = float(np.abs(scores - expected).max())
    if difference > TOLERANCE:
        return f"scores differ from the trained model's by up to {difference:.2g} (> {TOLERANCE:g})"
    return None


def _score_apart(model: str, records: list[bytes], scores_file: Path) -> str | None:
    records_file = scores_file.with_name("records.npz")
    # Records of this layout are all of one length; void cells keep their zero bytes.
    np.savez(records_file, records=np.frombuffer(b"".join(records), f"V{len(records[0])}"))
    command = [sys.executable, "-I", probe.__file__, model, str(records_file), str(scores_file)]
    try:
        subprocess.run(  # noqa: S603 (our own script, paths of this run)
            command, check=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"the export did not answer within {TIMEOUT_SECONDS} s"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        return f"the export could not be loaded and scored: {lines[-1]}"
    return None
