"""Compares the scores of an export, loaded in a fresh process, with the trained model's."""

import sys

import numpy as np

from components.serving_check.probe_process import Limits, score_in_fresh_process
from formats.names import ONNX_FILE
from formats.reference_scores import ReferenceScores

TOLERANCE = 1e-5
"""Maximum difference in probability between training and serving."""


def find_fault(model: str, reference: ReferenceScores, limits: Limits) -> str | None:
    """Finds out what is wrong with an export; None if it scores as the trained model did.

    Args:
        model: folder of a SavedModel with an ONNX file. Both are checked, each in a process of its
            own.
        reference: events, which the SavedModel gets as records of the published layout, and their
            scores.
        limits: time and memory for each process.

    Raises:
        ServingCheckError: the check failed for a reason that says nothing about the export.
    """
    for name, part in (("the SavedModel", model), (ONNX_FILE, f"{model}/{ONNX_FILE}")):
        verdict = score_in_fresh_process(part, reference.features, limits)
        # Into the log, and not to the console: most of it is TensorFlow's greeting.
        sys.stderr.write(verdict.messages)
        if verdict.scores is None:
            return f"{name} could not be loaded and scored: {verdict.fault}"
        if fault := compare(verdict.scores, reference.scores):
            return f"{name}: {fault}"
    return None


def compare(scores: np.ndarray, expected: np.ndarray) -> str | None:
    """Describes the first way in which served scores differ from the expected ones, or None."""
    if scores.shape != expected.shape:
        return f"scores have the shape {scores.shape}, expected {expected.shape}"
    finite = np.isfinite(scores)
    if not finite.all():
        return f"{np.count_nonzero(~finite)} of {scores.size} scores are NaN or infinite"
    if scores.min() < 0.0 or scores.max() > 1.0:
        return f"scores range from {scores.min():g} to {scores.max():g}, not within [0, 1]"
    difference = float(np.abs(scores - expected).max())
    if difference > TOLERANCE:
        return f"scores differ from the trained model's by up to {difference:.2g} (> {TOLERANCE:g})"
    return None
