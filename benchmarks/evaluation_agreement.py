"""Compares the numbers of two evaluations of the same events."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma

from benchmarks.stock_evaluation import SLICE_PREFIX

TOLERANCE = 1e-6
AUC_TOLERANCE = 1e-6

OURS_ALONE = ("_standard_error", "signal_count")
"""Suffixes of the names of metrics that the peer does not have."""

AT_OTHER_CUTS = "confusionMatrixAtThresholds"
"""The plot whose cuts follow from the scores in ours, and are fixed in the peer's."""

BINNED_TOLERANCE = 0.05
BINNED_BY_PEER = {"auc", "background_rejection", "maximal_significance"}
"""Metrics that the peer derives from 10,000 bins of the score, and ours from the scores; in the
smallest slices the bins matter."""

Key = tuple[str, ...]


class DisagreementError(AssertionError):
    """Evaluations that should agree differ, so that comparing their speed means nothing."""


def check_agreement(ours: Path, peer: Path, auc: float) -> int:
    """Compares all metrics and plots that both have, and the AUC with scikit-learn's.

    Args:
        ours: folder with the outputs of our Evaluator.
        peer: folder with the outputs of the peer's.
        auc: the exact AUC of the same events.

    Returns:
        The number of compared values.

    Raises:
        DisagreementError: values differ; the message lists the first ones.
    """
    our_numbers, peer_numbers = (
        {
            key: number
            for key, number in read_numbers(outputs).items()
            if AT_OTHER_CUTS not in key and not key[-1].endswith(OURS_ALONE)
        }
        for outputs in (ours, peer)
    )
    if our_numbers.keys() != peer_numbers.keys():
        unmatched = sorted(our_numbers.keys() ^ peer_numbers.keys())
        raise DisagreementError(
            f"{len(unmatched)} numbers are in only one evaluation: {unmatched[:5]}"
        )
    differences = [
        f"{'/'.join(key)}: {our_numbers[key]} and {peer_numbers[key]}"
        for key in our_numbers
        if not _is_close(
            our_numbers[key],
            peer_numbers[key],
            BINNED_TOLERANCE if key[-1] in BINNED_BY_PEER else TOLERANCE,
        )
    ]
    if differences:
        first_lines = "\n  ".join(differences[:10])
        raise DisagreementError(
            f"{len(differences)} of {len(our_numbers)} numbers differ:\n  {first_lines}"
        )
    our_auc = our_numbers["metrics", "overall", "auc"]
    if not _is_close(our_auc, auc, AUC_TOLERANCE):
        raise DisagreementError(f"AUC {our_auc} differs from the exact {auc}")
    return len(our_numbers)


def read_numbers(outputs: Path) -> dict[Key, float]:
    """Every number of an evaluation by kind, slice and name."""
    result = tfma.load_eval_result(str(outputs / "evaluation"))
    kinds = {"metrics": result.slicing_metrics, "plots": result.plots}
    return {
        (kind, _slice_name(slice_key), *path): number
        for kind, slices in kinds.items()
        for slice_key, values in slices
        # The only output and sub-key have empty names.
        for path, number in _leaves(values[""][""])
    }


def _leaves(value: Any) -> Iterator[tuple[Key, float]]:
    if isinstance(value, Mapping):
        children: Any = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        yield (), float(value)
        return
    for name, child in children:
        for path, number in _leaves(child):
            # TFMA wraps a number in a mapping whose key is its type.
            yield (path if name in ("doubleValue", "value") else (str(name), *path)), number


def _slice_name(key: tuple[Any, ...]) -> str:
    pairs = (f"{column.removeprefix(SLICE_PREFIX)}={_text(value)}" for column, value in key)
    return ",".join(pairs) or "overall"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_close(left: float, right: float, tolerance: float) -> bool:
    both_undefined = math.isnan(left) and math.isnan(right)
    return both_undefined or math.isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
