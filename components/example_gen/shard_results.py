"""Results of the shards: one line of JSON per shard, combined to a summary per split."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from components.example_gen.shard_ingestion import ShardTask, SplitSummary
from formats import invalid_values
from formats.errors import DataRefusedError


@dataclass(frozen=True)
class ShardResult:
    """The result of ingesting one shard.

    Attributes:
        index: the shard's index.
        splits: summary by split; empty for a rejected shard.
        error: why the shard was rejected; empty if it was not.
    """

    index: int
    splits: dict[str, SplitSummary]
    error: str = ""

    def to_json(self) -> str:
        """Returns the result as one line."""
        splits = {
            split: [summary.events, invalid_values.to_json(summary.invalid_values)]
            for split, summary in self.splits.items()
        }
        return json.dumps({"index": self.index, "splits": splits, "error": self.error})

    @classmethod
    def from_json(cls, line: str) -> "ShardResult":
        """Reads a line that ``to_json`` wrote."""
        content = json.loads(line)
        splits = {
            split: SplitSummary(events, invalid_values.from_json(invalid))
            for split, (events, invalid) in content["splits"].items()
        }
        return cls(content["index"], splits, content["error"])


def combine(tasks: Sequence[ShardTask], results: Iterable[ShardResult]) -> dict[str, SplitSummary]:
    """Adds up the summaries by split, after checking that every shard was ingested once.

    Raises:
        DataRefusedError: a shard was rejected (the first one is named) or a split is empty.
        RuntimeError: the result of a shard is missing or duplicated.
    """
    results = sorted(results, key=lambda result: result.index)
    errors = [result.error for result in results if result.error]
    if errors:
        more = f"\n({len(errors)} of {len(tasks)} shards were rejected)" if errors[1:] else ""
        raise DataRefusedError(errors[0] + more)
    indices = [result.index for result in results]
    if indices != [task.index for task in tasks]:
        raise RuntimeError(
            f"the Beam runner reported {len(indices)} shards ({len(set(indices))} distinct) of "
            f"{len(tasks)}: work was lost or done twice; use another runner in beam.args"
        )
    total = {split: SplitSummary(0, {}) for task in tasks for split in task.splits}
    for result in results:
        for split, summary in result.splits.items():
            total[split] += summary
    empty = [split for split, summary in total.items() if not summary.events]
    if empty:
        shards = f"{len(tasks)} shard{'s' if tasks[1:] else ''}"
        raise DataRefusedError(
            f"no events for the split {empty[0]!r} in {shards}; every split needs events"
        )
    return total
