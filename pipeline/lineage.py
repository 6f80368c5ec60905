"""Lineage: from a pushed version back to the run that made it, in ML Metadata."""

from ml_metadata.proto import metadata_store_pb2 as mlmd

from formats.run_outcome import Output, Push, RunOutcome
from pipeline.metadata_store import PUSHED_MODEL_TYPE, RUN_CONTEXT, find_run, open_store
from pipeline.user_errors import RunNotFoundError


def find_pushing_run(metadata_path: str, version: str) -> RunOutcome:
    """Finds the run that pushed a version; the model comes from its artifacts, cached or new.

    Raises:
        RunNotFoundError: the version was not pushed; the message lists those that were.
    """
    store = open_store(metadata_path)
    pushes = {
        push.version: artifact.id
        for artifact in store.get_artifacts_by_type(PUSHED_MODEL_TYPE)
        if (push := Push.from_output(Output.from_mlmd(artifact)))
    }
    if version not in pushes:
        versions = ", ".join(sorted(pushes, reverse=True)) or "none"
        raise RunNotFoundError(f"no version {version!r} was pushed; known here: {versions}")
    events = store.get_events_by_artifact_ids([pushes[version]])
    # Later runs that take the push from the cache have it as their output too.
    execution = min(event.execution_id for event in events if event.type == mlmd.Event.OUTPUT)
    contexts = store.get_contexts_by_execution(execution)
    (run_id,) = (context.name for context in contexts if context.type == RUN_CONTEXT)
    return find_run(metadata_path, run_id)
