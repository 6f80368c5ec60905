"""SplitMix64: the 64-bit hash behind hashed splits and fingerprints.

Steele, Lea, Flood 2014 (doi:10.1145/2660193.2660195).
"""

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""Increment of the generator's state; odd."""


def mix(words: Words) -> Words:
    """Applies the finalizer, a bijection in which every bit depends on every bit.

    >>> [hex(word) for word in mix(np.array([0, 1], np.uint64)).tolist()]
    ['0x0', '0x5692161d100b05e5']
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def sequence(count: int) -> Words:
    """Returns the generator's first numbers from seed 0.

    >>> [hex(word) for word in sequence(2).tolist()]
    ['0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4']
    """
    return mix(np.arange(1, count + 1, dtype=np.uint64) * GOLDEN_GAMMA)
