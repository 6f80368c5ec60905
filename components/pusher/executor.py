"""Executor of SingleVersionPusher."""

import functools
import logging
from typing import Any

from tfx.components.pusher import executor
from tfx.proto.pusher_pb2 import PushDestination
from tfx.types import Artifact, artifact_utils
from tfx.utils import proto_utils

from components.pusher.publication import (
    exclusive_push,
    model_manifest,
    publish,
    remove_leftovers,
)
from components.pusher.push_facts import describe
from formats import names
from formats.artifact_manifest import Manifest, manifest_digest
from formats.push_directory import newest_version
from formats.verified_copy import check_copy, copy_files

logger = logging.getLogger("higgs.pusher")


class Executor(executor.Executor):
    """Pushes a blessed model, unless it is the newest version already."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model, or records the version that holds it.

        A run that was killed after its push has not recorded it, and an engine repeats a node
        that it lost.
        """
        pushed = artifact_utils.get_single_instance(output_dict[names.PUSHED_MODEL.key])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        directory = destination.filesystem.base_directory
        model = self.GetModelPath(input_dict)
        manifest, pipeline = model_manifest(model), exec_properties["pipeline"]
        with exclusive_push(directory):
            remove_leftovers(directory, pipeline)
            version = version_in_service(directory, manifest)
            if version is None:
                # On an engine, the folder of the output names the run.
                run = (self._context and self._context.pipeline_run_id) or pushed.uri
                facts = functools.partial(describe, input_dict, pipeline, run, manifest)
                version = publish(model, manifest, directory, pipeline, facts).version
        copy_files(model, pushed.uri, manifest)
        check_copy(pushed.uri, manifest)
        self._MarkPushed(
            pushed, pushed_destination=f"{directory}/{version}", pushed_version=version
        )


def version_in_service(push_directory: str, manifest: Manifest) -> str | None:
    """Finds the newest version, if it is this model and none of its files has changed."""
    newest = newest_version(push_directory)
    if newest is None or newest.model_sha256 != manifest_digest(manifest):
        return None
    if newest.fault:
        logger.warning(
            "version %s is damaged and is pushed again: %s", newest.version, newest.fault
        )
        return None
    logger.info("the model is in service already, as version %s", newest.version)
    return str(newest.version)
