"""Whether two evaluations of the same events came to the same numbers."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma

from benchmarks.stock_evaluation import PREFIX

TOLERANCE = 1e-6
AUC_TOLERANCE = 1e-3

Key = tuple[str, ...]


class DisagreementError(AssertionError):
    """Evaluations that should agree do not; a benchmark of them would mean nothing."""


def check_agreement(ours: Path, peer: Path, auc: float) -> int:
    """Compares every metric and plot of every slice, and AUC with an exact one.

    Args:
      ours: folder of an Evaluator's outputs.
      peer: folder of another's.
      auc: the exact AUC of the same events.

    Returns:
      How many numbers were compared.

    Raises:
      DisagreementError: naming the first numbers that differ.
    """
    mine, theirs = _numbers(ours), _numbers(peer)
    if mine.keys() != theirs.keys():
        only = sorted(mine.keys() ^ theirs.keys())
        raise DisagreementError(f"{len(only)} numbers are in one evaluation only: {only[:5]}")
    apart = [
        f"{'/'.join(key)}: {mine[key]} and {theirs[key]}"
        for key in mine
        if not _close(mine[key], theirs[key], TOLERANCE)
    ]
    if apart:
        listed = "\n  ".join(apart[:10])
        raise DisagreementError(f"{len(apart)} of {len(mine)} numbers differ:\n  {listed}")
    overall = mine["metrics", "overall", "auc"]
    if not _close(overall, auc, AUC_TOLERANCE):
        raise DisagreementError(f"AUC {overall} is not the exact {auc}")
    return len(mine)


def _numbers(outputs: Path) -> dict[Key, float]:
    """Every number of an evaluation by kind, slice and name."""
    result = tfma.load_eval_result(str(outputs / "evaluation"))
    kinds = {"metrics": result.slicing_metrics, "plots": result.plots}
    return {
        (kind, _slice_name(slice_key), *path): number
        for kind, slices in kinds.items()
        for slice_key, values in slices
        # One output and no sub-key, both nameless.
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
            # TFMA wraps a number in a mapping whose key tells its type.
            yield (path if name in ("doubleValue", "value") else (str(name), *path)), number


def _slice_name(key: tuple[Any, ...]) -> str:
    pairs = (f"{column.removeprefix(PREFIX)}={_text(value)}" for column, value in key)
    return ",".join(pairs) or "overall"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _close(one: float, other: float, tolerance: float) -> bool:
    both_undefined = math.isnan(one) and math.isnan(other)
    return both_undefined or math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
