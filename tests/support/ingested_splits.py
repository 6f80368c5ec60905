"""Splits as ingestion leaves them, without a pipeline."""

from pathlib import Path

from shard_makers import write_shards

from components.example_gen.shard_ingestion import ShardTask, ingest_shard
from formats.hash_runs import folder_of
from formats.ingested_shards import FILE_NAME, IngestedShard, IngestionFile


def ingest(folder, train, evaluation, sizes):
    """Ingests shards of both splits; returns the record of the shards."""
    shards = []
    for split, events in (("train", train), ("eval", evaluation)):
        (folder / f"Split-{split}").mkdir(parents=True)
        Path(folder_of(str(folder), split)).mkdir(parents=True)
        write_shards(folder / split, events, sizes[split])
        for path in sorted((folder / split).iterdir()):
            ingest_shard(ShardTask(len(shards), str(path), [split], [1], str(folder), 25))
            shards.append(IngestedShard(path=str(path), sha256="", events={}))
    ingestion = IngestionFile(shards=tuple(shards))
    (folder / FILE_NAME).write_text(ingestion.model_dump_json())
    return ingestion
