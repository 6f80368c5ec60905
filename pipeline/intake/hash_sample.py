"""Repeated events of a conversion, which a run may refuse, and events with both labels."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from components.report.number_format import plural
from formats.event_hash import event_hashes, is_in
from formats.splitmix64 import Words

MAX_HASHES = 1 << 22
"""Number of hashes in memory, 32 MB."""

_LABEL, _HASH_BITS = np.uint64(1), 63
"""The lowest bit of a word is the label, the others are of the hash."""

_BLOCK = 8192  # Fits into a processor's cache.


class HashSample:
    """Hashes of the events of each split with their labels; of many events, those below a limit.

    Equal events have equal hashes, so that the events below the limit are a sample in which each
    event has all its repetitions.
    """

    def __init__(self, max_hashes: int = MAX_HASHES) -> None:
        """Takes the number of hashes to hold."""
        self._hashes: dict[str, list[Words]] = {}
        self._count, self._max, self._bits = 0, max_hashes, _HASH_BITS

    def add(self, split: str, features: NDArray[np.float32], labels: NDArray[np.float32]) -> None:
        """Adds events to a split: features, float32 [N, 28], and labels, float32 [N]."""
        parts = self._hashes.setdefault(split, [np.empty(0, np.uint64)])
        for start in range(0, len(features), _BLOCK):
            block = slice(start, start + _BLOCK)
            hashes = event_hashes(features[block]) >> _LABEL << _LABEL
            parts.append(self._select(hashes | labels[block].astype(np.uint64)))
            self._count += len(parts[-1])
        # An event of zeros only has the hash 0, which no limit excludes.
        while self._count > self._max and self._bits:
            self._bits -= 1
            for split_, kept in self._hashes.items():
                self._hashes[split_] = [self._select(np.concatenate(kept))]
            self._count = sum(len(kept[0]) for kept in self._hashes.values())

    def _select(self, hashes: Words) -> Words:
        return hashes[hashes >> _LABEL <= np.uint64(2**self._bits - 1)]

    def notes(self, remedy: str) -> Iterator[str]:
        """Yields a sentence for each split, and each pair of them, with repeated events.

        Another one counts events that are there as signal and as background.

        Args:
            remedy: for events that are in two splits.
        """
        words = {split: np.sort(np.concatenate(parts)) for split, parts in self._hashes.items()}
        hashes = {split: part >> _LABEL for split, part in words.items()}
        least = "at least " * (self._bits < _HASH_BITS)
        for split, part in hashes.items():
            if count := int((part[1:] == part[:-1]).sum()):
                yield (
                    f"{split}/ has {least}{plural(count, 'repetition')} of earlier events "
                    f"({count / len(part):.2%}); `higgs run` refuses more than "
                    "ingestion.max_duplicate_share"
                )
        for first, second in combinations(hashes, 2):
            if count := int(is_in(hashes[second], hashes[first]).sum()):
                yield (
                    f"{second}/ has {least}{plural(count, 'event')} that {first}/ has, too, which "
                    f"`higgs run` refuses: {remedy}"
                )
        different = np.unique(np.concatenate([*words.values(), np.empty(0, np.uint64)])) >> _LABEL
        if count := int((different[1:] == different[:-1]).sum()):
            yield (
                f"{least}{plural(count, 'event')} with both labels, as signal and as background: "
                "correct or remove them"
            )
