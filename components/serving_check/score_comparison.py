"""Compares the scores of an export, loaded in a fresh process, with the trained model's."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from components.serving_check import probe
from formats.names import SERVING_SIGNATURE, SIGNAL_PROBABILITY
from formats.published.record import Events, encode_records
from formats.reference_scores import ReferenceScores

TOLERANCE = 1e-5
"""Maximum difference in probability between training and serving."""

TIMEOUT_SECONDS = 600


def find_fault(model: str, reference: ReferenceScores) -> str | None:
    """Finds out what is wrong with an export; None if it scores as the trained model did.

    Args:
        model: folder of a SavedModel.
        reference: events, which are scored as records of the published layout, and their
            scores.
    """
    labels = np.zeros(len(reference.features), np.float32)
    records = encode_records(Events(reference.features, labels))
    with tempfile.TemporaryDirectory() as folder:
        scores_file = Path(folder) / "scores.npz"
        fault = _score_in_fresh_process(model, records, scores_file)
        if fault:
            return fault
        with np.load(scores_file) as arrays:
            return compare(arrays[SIGNAL_PROBABILITY], reference.scores)


def compare(scores: np.ndarray, expected: np.ndarray) -> str | None:
    """Describes the first way in which served scores differ from the expected ones, or None."""
    if scores.shape != expected.shape:
        return f"{SERVING_SIGNATURE} returned the shape {scores.shape}, expected {expected.shape}"
    finite = np.isfinite(scores)
    if not finite.all():
        return f"{np.count_nonzero(~finite)} of {scores.size} scores are NaN or infinite"
    if scores.min() < 0.0 or scores.max() > 1.0:
        return f"scores range from {scores.min():g} to {scores.max():g}, not within [0, 1]"
    difference = float(np.abs(scores - expected).max())
    if difference > TOLERANCE:
        return f"scores differ from the trained model's by up to {difference:.2g} (> {TOLERANCE:g})"
    return None


def _score_in_fresh_process(model: str, records: list[bytes], scores_file: Path) -> str | None:
    records_file = scores_file.with_name("records.npz")
    # Records of this layout have one length; void cells keep their zero bytes.
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
