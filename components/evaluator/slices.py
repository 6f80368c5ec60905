"""The slices of an evaluation: the level of each discrete column, and the number above level 0.

TFMA slices by exact values, so only columns with few values can be sliced.
"""

from collections.abc import Mapping

import numpy as np

from formats.features import DISCRETE_VALUES, LEVEL_COUNT, LEVELS

SLICE_COLUMNS = (LEVEL_COUNT, *DISCRETE_VALUES)


def slice_columns(features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Computes the columns to slice by from a batch of features.

    Args:
        features: float32 [N, 1] or [N] by feature name; only the discrete columns are read.

    Returns:
        The number of discrete columns above level 0, int64 [N, 1], and each discrete column's
        level by name, strings [N, 1].
    """
    levels = {
        name: np.abs(np.asarray(features[name]).reshape(-1, 1) - np.array(values)).argmin(axis=1)
        for name, values in DISCRETE_VALUES.items()
    }
    above = np.sum([level > 0 for level in levels.values()], axis=0, dtype=np.int64)
    level_names = np.array(LEVELS)
    return {
        LEVEL_COUNT: above.reshape(-1, 1),
        **{name: level_names[level].reshape(-1, 1) for name, level in levels.items()},
    }
