"""Runs the executor of one node on given artifacts, without driver or metadata.

Our nodes come from ``create_pipeline``, so that the benchmarks measure what a run executes.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import Artifact, standard_artifacts

from benchmarks.measurement import Side, rate
from formats.names import EXAMPLE_GEN
from pipeline.config import Config, IngestionConfig
from pipeline.graph import SCHEMA_FILE, create_pipeline

Artifacts = dict[str, Artifact]


def our_nodes(data_root: Path, root: Path) -> dict[str, BaseNode]:
    """The nodes of our graph by id, for data in ``training/`` and ``validation/``."""
    config = Config(
        data_root=str(data_root), root=str(root), ingestion=IngestionConfig(layout="folders")
    )
    return {node.id: node for node in create_pipeline(config).components}


def execute(
    node: BaseNode, inputs: Mapping[str, Artifact], folder: Path, beam_args: Sequence[str] = ()
) -> Artifacts:
    """Runs a node's executor.

    Args:
        node: the node; its connections in a graph do not matter.
        inputs: one artifact per input key; optional inputs may be missing.
        folder: where the outputs go, in one folder per key.
        beam_args: Beam options of a node that runs on Beam; the in-memory runner by default.

    Returns:
        The output artifacts by key.
    """
    outputs = {key: _artifact(channel.type, folder / key) for key, channel in node.outputs.items()}
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(beam_args)) if beam_args else None
    node.executor_spec.executor_class(context).Do(
        {key: [artifact] for key, artifact in inputs.items()},
        {key: [artifact] for key, artifact in outputs.items()},
        dict(node.exec_properties),
    )
    return outputs


def node_side(node: BaseNode, inputs: Mapping[str, Artifact], events: int, folder: Path) -> Side:
    """A side that measures the node's rate, each run in its own folder."""
    runs = count()

    def run() -> float:
        return rate(events, partial(execute, node, inputs, folder / str(next(runs))))

    return run


def ingest(data_root: Path, folder: Path) -> Artifact:
    """Ingests shards with our node, as input of other nodes."""
    return execute(our_nodes(data_root, folder)[EXAMPLE_GEN], {}, folder)["examples"]


def reviewed_schema() -> Artifact:
    """The repository's schema as an artifact."""
    schema = standard_artifacts.Schema()
    schema.uri = str(SCHEMA_FILE.parent)
    return schema


def _artifact(artifact_type: type[Artifact], folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    artifact = artifact_type()
    artifact.uri = str(folder)
    return artifact
