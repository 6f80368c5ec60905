"""One node of a graph at a time: its executor on artifacts at hand, without driver or metadata.

Ours are taken from ``create_pipeline``, so that what is measured is what runs.
"""

from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import Artifact, standard_artifacts

from benchmarks.harness import Side, rate
from pipeline.config import Config, IngestionConfig
from pipeline.graph import SCHEMA_FILE, create_pipeline

Artifacts = dict[str, Artifact]


def our_nodes(data_root: Path, root: Path) -> dict[str, BaseNode]:
    """The nodes of the project's graph by id, over the data's ``training/`` and ``validation/``."""
    config = Config(
        data_root=str(data_root), root=str(root), ingestion=IngestionConfig(layout="folders")
    )
    return {node.id: node for node in create_pipeline(config).components}


def execute(node: BaseNode, inputs: Mapping[str, Artifact], folder: Path) -> Artifacts:
    """Runs a node's executor.

    Args:
      node: the node; what it is wired to in its graph does not matter.
      inputs: an artifact an input key; optional inputs may be left out.
      folder: where its outputs go, a folder each.

    Returns:
      The output artifacts by key.
    """
    outputs = {key: _artifact(channel.type, folder / key) for key, channel in node.outputs.items()}
    node.executor_spec.executor_class().Do(
        {key: [artifact] for key, artifact in inputs.items()},
        {key: [artifact] for key, artifact in outputs.items()},
        dict(node.exec_properties),
    )
    return outputs


def side(node: BaseNode, inputs: Mapping[str, Artifact], events: int, folder: Path) -> Side:
    """A side of a comparison: the node's rate, each run into a folder of its own."""
    runs = count()

    def run() -> float:
        return rate(events, partial(execute, node, inputs, folder / str(next(runs))))

    return run


def ingest(data_root: Path, folder: Path) -> Artifact:
    """Our ingestion of the shards, for what is measured after it."""
    node = our_nodes(data_root, folder)["CollisionExampleGen"]
    return execute(node, {}, folder)["examples"]


def reviewed_schema() -> Artifact:
    """The schema of the repository as an artifact."""
    schema = standard_artifacts.Schema()
    schema.uri = str(SCHEMA_FILE.parent)
    return schema


def _artifact(kind: type[Artifact], folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    artifact = kind()
    artifact.uri = str(folder)
    return artifact
