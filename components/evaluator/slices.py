"""The slices an evaluation is broken down by: the b-tags of an event's jets.

TFMA slices by exact values, so only few-valued columns can be sliced by.
"""

from collections.abc import Mapping

import numpy as np

from formats.features import B_TAG_VALUES

N_B_TAGS = "n_b_tags"
"""Number of jets with a b-tag, loose or tight: 0 to 4."""

SLICE_COLUMNS = (N_B_TAGS, *B_TAG_VALUES)

TAG_NAMES = np.array(["none", "loose", "tight"])


def slice_columns(features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns to slice by, from a batch of the 28 features.

    Args:
      features: float32 [N, 1] or [N] by feature name; only the b-tags are read.

    Returns:
      ``n_b_tags`` as int64 [N, 1], and each jet's b-tag as its name, [N, 1] strings.
    """
    levels = {
        name: np.abs(np.asarray(features[name]).reshape(-1, 1) - np.array(codes)).argmin(axis=1)
        for name, codes in B_TAG_VALUES.items()
    }
    tagged = np.sum([level > 0 for level in levels.values()], axis=0, dtype=np.int64)
    return {
        N_B_TAGS: tagged.reshape(-1, 1),
        **{name: TAG_NAMES[level].reshape(-1, 1) for name, level in levels.items()},
    }
