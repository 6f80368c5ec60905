"""Runs the pipeline's data nodes in their own process: from shards to DataGate.

    python -m benchmarks.run_to_data_gate SHARDS ROOT

Prints the duration in seconds, without the imports.
"""

import sys
from functools import partial
from pathlib import Path

from tfx import v1 as tfx
from tfx.orchestration.pipeline import RunOptions

from benchmarks.measurement import seconds
from formats.names import DATA_GATE
from pipeline.config import Config, IngestionConfig
from pipeline.graph import create_pipeline


def run(shards: Path, root: Path) -> None:
    """Runs the graph with drivers and metadata up to DataGate."""
    config = Config(
        data_root=str(shards), root=str(root), ingestion=IngestionConfig(layout="folders")
    )
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(config.metadata_path)
    tfx.orchestration.LocalDagRunner().run(
        create_pipeline(config, metadata=metadata), run_options=RunOptions(to_nodes=[DATA_GATE])
    )


if __name__ == "__main__":
    print(seconds(partial(run, Path(sys.argv[1]), Path(sys.argv[2]))))
