"""Runs of the pipeline in ML Metadata: read as outcomes, and their records written."""

from collections.abc import Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.errors import NotFoundError
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from formats.run_outcome import NodeRun, Output, Push, RunOutcome, RunRecord
from pipeline.user_errors import RunNotFoundError

PIPELINE_CONTEXT = "pipeline"
RUN_CONTEXT = "pipeline_run"
NODE_CONTEXT = "node"
PUSHED_MODEL_TYPE = "PushedModel"

RECORD_PROPERTY = "higgs_record"
"""Custom property of a run's context that holds its ``RunRecord`` as JSON."""

_STATES = {
    mlmd.Execution.COMPLETE: "done",
    mlmd.Execution.CACHED: "cached",
    mlmd.Execution.FAILED: "failed",
    mlmd.Execution.CANCELED: "canceled",
    mlmd.Execution.NEW: "running",
    mlmd.Execution.RUNNING: "running",
}


def all_runs(metadata_path: str) -> Iterator[RunOutcome]:
    """Yields every run in a metadata file, the newest first."""
    store = open_store(metadata_path)
    contexts = store.get_contexts_by_type(RUN_CONTEXT)
    for context in sorted(contexts, key=lambda context: context.id, reverse=True):
        yield _read_run(store, context)


def latest_run(metadata_path: str) -> RunOutcome:
    """Reads the newest run in a metadata file.

    Raises:
        RunNotFoundError: there is none.
    """
    for run in all_runs(metadata_path):
        return run
    raise RunNotFoundError("no run of the pipeline is recorded yet; see `higgs run`")


def newest_run_id(metadata_path: str) -> str | None:
    """Returns the id of the newest run; None if there is no metadata file, or no run in it."""
    if not Path(metadata_path).exists():
        return None
    contexts = open_store(metadata_path).get_contexts_by_type(RUN_CONTEXT)
    return max(contexts, key=lambda context: context.id).name if contexts else None


def find_run(metadata_path: str, run_id: str) -> RunOutcome:
    """Finds a run by its id, or the beginning of it.

    Raises:
        RunNotFoundError: there is no such run, or more than one; the message lists the runs.
    """
    runs = {run.run_id: run for run in all_runs(metadata_path)}
    matches = [run_id] if run_id in runs else [name for name in runs if name.startswith(run_id)]
    if len(matches) != 1:
        candidates = ", ".join(matches or runs) or "none"
        number = f"{len(matches)} runs match" if matches else "no run matches"
        raise RunNotFoundError(f"{number} {run_id!r}; known here: {candidates}")
    return runs[matches[0]]


def find_pushing_run(metadata_path: str, version: str) -> RunOutcome:
    """Finds the run that pushed a version; the model comes from its artifacts, cached or new.

    Raises:
        RunNotFoundError: the version was not pushed, and the message lists those that were; or its
            run is not recorded.
    """
    store = open_store(metadata_path)
    pushes = {push.version: artifact.id for artifact, push in pushed_models(store)}
    if version not in pushes:
        versions = ", ".join(sorted(pushes, reverse=True)) or "none"
        raise RunNotFoundError(f"no version {version!r} was pushed; known here: {versions}")
    events = store.get_events_by_artifact_ids([pushes[version]])
    # Later runs that take the push from the cache have it as their output too.
    executions = {event.execution_id for event in events if event.type == mlmd.Event.OUTPUT}
    run_id = context_name(store, min(executions), RUN_CONTEXT) if executions else None
    if run_id is None:
        raise RunNotFoundError(
            f"the run that pushed version {version} is not recorded; give the version's folder "
            "instead of its number to read the provenance in it"
        )
    return find_run(metadata_path, run_id)


def write_record(metadata_path: str, run_id: str, record: RunRecord) -> None:
    """Stores the record of a run with the run."""
    store = open_store(metadata_path)
    context = store.get_context_by_type_and_name(RUN_CONTEXT, run_id)
    context.custom_properties[RECORD_PROPERTY].string_value = record.model_dump_json()
    store.put_contexts([context])


def pushed_models(store: MetadataStore) -> list[tuple[mlmd.Artifact, Push]]:
    """Lists every push that is recorded, with its artifact."""
    return [
        (artifact, push)
        for artifact in store.get_artifacts_by_type(PUSHED_MODEL_TYPE)
        if (push := Push.from_output(Output.from_mlmd(artifact)))
    ]


def context_name(store: MetadataStore, execution: int, kind: str) -> str | None:
    """Returns the name of an execution's context of a type; None if a failed commit has lost it."""
    try:
        contexts = store.get_contexts_by_execution(execution)
    except NotFoundError:
        return None
    return next((context.name for context in contexts if context.type == kind), None)


def open_store(metadata_path: str) -> MetadataStore:
    """Opens the metadata store in a SQLite file."""
    return MetadataStore(sqlite_metadata_connection_config(metadata_path))


def _read_run(store: MetadataStore, context: mlmd.Context) -> RunOutcome:
    executions = store.get_executions_by_context(context.id)
    executions = sorted(executions, key=lambda execution: execution.id)
    nodes = [node for execution in executions if (node := _node_run(store, execution))]
    text = context.custom_properties[RECORD_PROPERTY].string_value
    return RunOutcome(
        context.name,
        {node.name: node for node in nodes},
        RunRecord.from_json(text) if text else RunRecord(),
    )


def _node_run(store: MetadataStore, execution: mlmd.Execution) -> NodeRun | None:
    """Reads a node's part of a run; None if a failed commit has lost its name."""
    node = context_name(store, execution.id, NODE_CONTEXT)
    if node is None:
        return None
    elapsed = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    return NodeRun(
        name=node.partition(".")[2],
        state=_STATES.get(execution.last_known_state, "unknown"),
        seconds=max(0, elapsed) / 1000,  # The clock may have been set back.
        outputs=_outputs(store, execution),
        started=execution.create_time_since_epoch / 1000,
    )


def _outputs(store: MetadataStore, execution: mlmd.Execution) -> dict[str, Output]:
    keys = {
        event.artifact_id: event.path.steps[0].key
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type in (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT) and event.path.steps
    }
    return {
        keys[artifact.id]: Output.from_mlmd(artifact)
        for artifact in store.get_artifacts_by_id(list(keys))
    }
