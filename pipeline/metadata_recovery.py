"""`higgs runs --recover`: restores a root's metadata from its backup and from pushed models."""

from collections.abc import Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import Metadata, sqlite_metadata_connection_config
from tfx.orchestration.portable.mlmd.execution_lib import prepare_execution, put_execution
from tfx.types.standard_artifacts import PushedModel

from components.pusher.component import SingleVersionPusher
from formats import names
from formats.provenance import FILE_NAME, Provenance
from formats.push_directory import pushed_versions
from formats.run_outcome import RunRecord
from pipeline.local_root import exclusive_use
from pipeline.metadata_backup import find_damage, reserve_executions, restore_backup
from pipeline.metadata_check import check_metadata, metadata_file
from pipeline.metadata_store import (
    NODE_CONTEXT,
    PIPELINE_CONTEXT,
    RECORD_PROPERTY,
    RUN_CONTEXT,
    open_store,
    pushed_models,
)
from pipeline.root_relocation import relocate


def recover(root: Path) -> list[str]:
    """Restores damaged or missing metadata, and records pushed models that it does not know.

    Args:
        root: an absolute path.

    Returns:
        What was found and done, one line each.

    Raises:
        ConfigError: the root is not writable.
        RootBusyError: a run uses it.
        MetadataError: the metadata cannot be read or written.
    """
    path = metadata_file(root)
    with exclusive_use(root):
        problem = find_damage(root)
        lines = [problem] if problem else [f"{path} is intact"]
        if problem:
            lines += restore_backup(root)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            open_store(str(path))
            lines.append("no usable backup: created new metadata")
        check_metadata(root)
        reserve_executions(root)
        relocate(root)
        return lines + list(_record_pushes(root, str(path)))


def _record_pushes(root: Path, metadata_path: str) -> Iterator[str]:
    """Records the versions in the root's push directories that the metadata does not know."""
    store = open_store(metadata_path)
    known = {Path(push.destination) for _, push in pushed_models(store)}
    pipelines = {context.name for context in store.get_contexts_by_type(PIPELINE_CONTEXT)}
    for directory in sorted({root / "serving", *(folder.parent for folder in known)}):
        # The oldest first, as the pushes were.
        for version in reversed(list(pushed_versions(str(directory)))):
            if Path(version.folder) in known:
                continue
            if version.fault or version.provenance is None:
                reason = version.fault or f"{FILE_NAME} is missing"
                yield f"{version.folder} is not recorded: {reason}"
            elif pipelines and version.pipeline not in pipelines:
                yield f"{version.folder} is not recorded: pipeline {version.pipeline} pushed it"
            else:
                _record_push(store, root, Path(version.folder), version.provenance)
                yield f"recorded {version.folder}, pushed by run {_run_id(version.provenance)}"


def _run_id(provenance: Provenance) -> str:
    return provenance.run or f"recovered-{provenance.version}"


def _record_push(store: MetadataStore, root: Path, folder: Path, provenance: Provenance) -> None:
    """Records a push as TFX would have: an artifact, its execution, and their contexts."""
    artifact = PushedModel()
    artifact.uri = f"{root}/artifacts/{names.PUSHER}/{names.PUSHED_MODEL.key}/{folder.name}"
    artifact.set_int_custom_property(names.PUSHED_PROPERTY, 1)
    artifact.set_string_custom_property(names.PUSHED_VERSION_PROPERTY, folder.name)
    artifact.set_string_custom_property(names.PUSHED_DESTINATION_PROPERTY, str(folder))
    kind = mlmd.ExecutionType(
        name=f"{SingleVersionPusher.__module__}.{SingleVersionPusher.__name__}"
    )
    outputs = {names.PUSHED_MODEL.key: [artifact]}
    with Metadata(sqlite_metadata_connection_config(str(metadata_file(root)))) as handle:
        execution = prepare_execution(handle, kind, mlmd.Execution.COMPLETE)
        contexts = list(_contexts(store, provenance))
        put_execution(handle, execution, contexts, output_artifacts=outputs)


def _contexts(store: MetadataStore, provenance: Provenance) -> Iterator[mlmd.Context]:
    """Yields the contexts of a push; a run that is known already keeps its record."""
    contexts = {
        PIPELINE_CONTEXT: provenance.pipeline,
        RUN_CONTEXT: _run_id(provenance),
        NODE_CONTEXT: f"{provenance.pipeline}.{names.PUSHER}",
    }
    for kind, name in contexts.items():
        context = mlmd.Context(
            type_id=store.put_context_type(mlmd.ContextType(name=kind), can_add_fields=True),
            name=name,
        )
        if kind == RUN_CONTEXT:
            record = RunRecord(
                code_version=provenance.code_version, packages=dict(provenance.packages)
            )
            context.custom_properties[RECORD_PROPERTY].string_value = record.model_dump_json()
        yield context
