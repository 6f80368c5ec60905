"""From a pushed version back to the run that made it, in ML Metadata."""

from ml_metadata.proto import metadata_store_pb2 as mlmd

from formats.run_outcome import RunOutcome
from pipeline.metadata_store import RUN_CONTEXT, find_run, open_store
from pipeline.user_errors import RunNotFoundError


def find_pushing_run(metadata_path: str, version: str) -> RunOutcome:
    """The run that pushed a version: its artifacts, cached or made, are what the model is from.

    Raises:
      RunNotFoundError: no such version was pushed; the message names those that were.
    """
    store = open_store(metadata_path)
    pushed = {
        artifact.custom_properties["pushed_version"].string_value: artifact.id
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed"].int_value
    }
    if version not in pushed:
        known = ", ".join(sorted(pushed, reverse=True)) or "none"
        raise RunNotFoundError(f"no version {version!r} was pushed; known here: {known}")
    events = store.get_events_by_artifact_ids([pushed[version]])
    # Later runs that take the push from the cache have it as their output too.
    maker = min(event.execution_id for event in events if event.type == mlmd.Event.OUTPUT)
    contexts = store.get_contexts_by_execution(maker)
    (run_id,) = (context.name for context in contexts if context.type == RUN_CONTEXT)
    return find_run(metadata_path, run_id)
