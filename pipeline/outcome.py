"""What became of a run, read back from ML Metadata."""

from collections.abc import Mapping
from dataclasses import dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

RUN_CONTEXT = "pipeline_run"
NODE_CONTEXT = "node"

_STATES = {
    mlmd.Execution.COMPLETE: "done",
    mlmd.Execution.CACHED: "cached",
    mlmd.Execution.FAILED: "failed",
}


@dataclass(frozen=True)
class Output:
    """An artifact that a node made or took from the cache."""

    uri: str
    properties: Mapping[str, str | int | float]


@dataclass(frozen=True)
class NodeRun:
    """One node of a run.

    Attributes:
      name: the node's id in the graph.
      state: ``done``, ``cached``, ``failed`` or ``running``.
      seconds: from its start to its last word.
      outputs: its artifacts by output key.
    """

    name: str
    state: str
    seconds: float
    outputs: Mapping[str, Output]


@dataclass(frozen=True)
class RunOutcome:
    """One run of the pipeline: its id and its nodes by name, in the order they ran."""

    run_id: str
    nodes: Mapping[str, NodeRun]

    def output(self, node: str, key: str) -> Output | None:
        """An output of a node, or None if the run did not get that far."""
        run = self.nodes.get(node)
        return run.outputs.get(key) if run else None

    def is_cached(self, node: str) -> bool:
        """Whether a node's outputs came from an earlier run."""
        return node in self.nodes and self.nodes[node].state == "cached"


def latest_run(metadata_path: str) -> RunOutcome:
    """The newest run in a metadata file.

    Raises:
      LookupError: there is none.
    """
    store = MetadataStore(sqlite_metadata_connection_config(metadata_path))
    runs = store.get_contexts_by_type(RUN_CONTEXT)
    if not runs:
        raise LookupError(f"no run of the pipeline in {metadata_path}")
    newest = max(runs, key=lambda context: context.id)
    executions = sorted(
        store.get_executions_by_context(newest.id), key=lambda execution: execution.id
    )
    nodes = [_node_run(store, execution) for execution in executions]
    return RunOutcome(newest.name, {node.name: node for node in nodes})


def pushed_models(metadata_path: str) -> list[Output]:
    """Every model that was ever pushed."""
    store = MetadataStore(sqlite_metadata_connection_config(metadata_path))
    outputs = [
        Output(artifact.uri, _plain(artifact.custom_properties))
        for artifact in store.get_artifacts_by_type("PushedModel")
    ]
    return [output for output in outputs if output.properties.get("pushed")]


def _node_run(store: MetadataStore, execution: mlmd.Execution) -> NodeRun:
    contexts = store.get_contexts_by_execution(execution.id)
    node = next(context.name for context in contexts if context.type == NODE_CONTEXT)
    elapsed = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return NodeRun(
        name=node.partition(".")[2],
        state=_STATES.get(execution.last_known_state, "running"),
        seconds=elapsed / 1000,
        outputs=_outputs(store, execution),
    )


def _outputs(store: MetadataStore, execution: mlmd.Execution) -> dict[str, Output]:
    keys = {
        event.artifact_id: event.path.steps[0].key
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type in (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)
    }
    return {
        keys[artifact.id]: Output(artifact.uri, _plain(artifact.custom_properties))
        for artifact in store.get_artifacts_by_id(list(keys))
    }


def _plain(properties: Mapping[str, mlmd.Value]) -> dict[str, str | int | float]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in properties.items()
        if value.WhichOneof("value") in ("int_value", "double_value", "string_value")
    }
