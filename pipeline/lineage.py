"""Lineage: from a pushed version back to the run that made it, in ML Metadata."""

from ml_metadata.proto import metadata_store_pb2 as mlmd

from formats.run_outcome import RunOutcome
from pipeline.metadata_store import RUN_CONTEXT, context_name, find_run, open_store, pushed_models
from pipeline.user_errors import RunNotFoundError


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
