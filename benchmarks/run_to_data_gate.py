"""The data part of a run, in a process of its own: from shards to the gate.

    python -m benchmarks.data_part SHARDS ROOT

Prints the seconds it took, imports not counted.
"""

import sys
from functools import partial
from pathlib import Path

from tfx import v1 as tfx
from tfx.orchestration.pipeline import RunOptions

from benchmarks.harness import seconds
from pipeline.config import Config, IngestionConfig
from pipeline.graph import create_pipeline

LAST_NODE = "DataGate"


def run(shards: Path, root: Path) -> None:
    """Runs the graph with driver, metadata and all up to the gate."""
    config = Config(
        data_root=str(shards), root=str(root), ingestion=IngestionConfig(layout="folders")
    )
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path)
    tfx.orchestration.LocalDagRunner().run(
        create_pipeline(config, metadata=metadata), run_options=RunOptions(to_nodes=[LAST_NODE])
    )


if __name__ == "__main__":
    print(seconds(partial(run, *map(Path, sys.argv[1:]))))
