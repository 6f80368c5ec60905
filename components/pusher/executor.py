"""Executor of SingleVersionPusher."""

import functools
import logging
from typing import Any

from tfx.components.pusher import executor
from tfx.proto.pusher_pb2 import PushDestination
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.pusher.publication import exclusive_push, model_manifest, publish, remove_leftovers
from components.pusher.push_facts import describe
from components.pusher.triton import write_triton_config
from formats import names
from formats.artifact_manifest import MODEL_DIGEST_PROPERTY, Manifest, manifest_digest
from formats.artifact_types import Artifacts
from formats.provenance import model_digest
from formats.push_directory import (
    MARK_FILE,
    folder_numbers,
    last_used_version,
    newest_version,
    read_version,
)
from formats.run_outcome import Output
from formats.verified_copy import check_copy, copy_files

logger = logging.getLogger("higgs.pusher")


class ModelChangedError(RuntimeError):
    """A model's files are not those that were blessed."""


class NotComparedError(RuntimeError):
    """The blessed model was not compared with the model now in service."""


class Executor(executor.Executor):
    """Pushes a blessed model, unless it is the newest version already."""

    def Do(  # noqa: N802 (TFX's name)
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Pushes the model, or records the version that holds it.

        A run that was killed after its push has not recorded it, and an engine repeats a node
        that it lost.

        Raises:
            ModelChangedError: the model's files are not those that ServingCheck has blessed.
            NotComparedError: another model was pushed since the Evaluator chose its baseline.
        """
        pushed = artifact_utils.get_single_instance(output_dict[names.PUSHED_MODEL.key])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        directory = destination.filesystem.base_directory
        model = self.GetModelPath(input_dict)
        with_onnx, pipeline = exec_properties["with_onnx"], exec_properties["pipeline"]
        manifest = model_manifest(model, *([names.ONNX_FILE] if with_onnx else []))
        check_blessed_files(input_dict, model, manifest)
        if not with_onnx:
            manifest.pop(names.ONNX_FILE, None)
        with exclusive_push(directory):
            remove_leftovers(directory, pipeline)
            version = version_in_service(directory, manifest)
            if version is None:
                check_comparison(input_dict, directory, manifest)
                # On an engine, the folder of the output names the run.
                run = (self._context and self._context.pipeline_run_id) or pushed.uri
                facts = functools.partial(describe, input_dict, pipeline, run, manifest)
                version = publish(model, manifest, directory, pipeline, facts).version
            if exec_properties["for_triton"]:
                write_triton_config(directory)
        copy_files(model, pushed.uri, manifest)
        check_copy(pushed.uri, manifest)
        self._MarkPushed(
            pushed, pushed_destination=f"{directory}/{version}", pushed_version=version
        )


def check_blessed_files(input_dict: Artifacts, model: str, manifest: Manifest) -> None:
    """Compares a model with the one that ServingCheck has blessed.

    Raises:
        ModelChangedError: they differ.
    """
    for blessing in input_dict.get(standard_component_specs.INFRA_BLESSING_KEY, ()):
        properties = Output.from_mlmd(blessing.mlmd_artifact).properties
        # A blessing by TFX's InfraValidator does not name the files.
        blessed = properties.get(MODEL_DIGEST_PROPERTY)
        if blessed and blessed != manifest_digest(manifest):
            raise ModelChangedError(
                f"{model} was changed after ServingCheck had blessed it (SHA-256 of all files: "
                f"{manifest_digest(manifest)[:12]}, blessed: {str(blessed)[:12]}), so it is not "
                "pushed; run again to check or rebuild it"
            )


def check_comparison(input_dict: Artifacts, push_directory: str, manifest: Manifest) -> None:
    """Checks that no other model was pushed since the blessed one was compared with a baseline.

    Raises:
        NotComparedError: there is one, or the directory is not the one that had the baseline.
    """
    for blessing in input_dict[standard_component_specs.MODEL_BLESSING_KEY]:
        properties = Output.from_mlmd(blessing.mlmd_artifact).properties
        # A blessing by TFX's Evaluator does not name it.
        newest = properties.get(names.NEWEST_VERSION_PROPERTY)
        later = list(folder_numbers(push_directory)) if newest is not None else []
        if int(newest or 0) > max([*later, last_used_version(push_directory)], default=0):
            raise NotComparedError(
                f"{push_directory} had version {newest} when the baseline was chosen, and has "
                f"neither it nor {MARK_FILE} now, so the model is not pushed; check that its file "
                "system is mounted, then run again"
            )
        for number in sorted(number for number in later if number > int(newest or 0)):
            version = read_version(f"{push_directory}/{number}", number)
            if version and version.model_sha256 != model_digest(manifest):
                baseline = properties.get(names.BASELINE_VERSION_PROPERTY) or "none"
                raise NotComparedError(
                    f"version {number} was pushed to {push_directory} while this run compared its "
                    f"model with version {baseline}, so the model is not pushed; run again to "
                    "compare it with that version"
                )


def version_in_service(push_directory: str, manifest: Manifest) -> str | None:
    """Finds the newest version, if it is this model in the same formats with unchanged files."""
    newest = newest_version(push_directory)
    if newest is None or newest.model_sha256 != model_digest(manifest):
        return None
    if newest.provenance and set(newest.provenance.manifest) != set(manifest):
        return None
    if newest.fault:
        logger.warning(
            "version %s is damaged and is pushed again: %s", newest.version, newest.fault
        )
        return None
    logger.info("the model is in service already, as version %s", newest.version)
    return str(newest.version)
