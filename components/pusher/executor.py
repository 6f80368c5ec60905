"""Executor of SingleVersionPusher."""

import hashlib
import logging
from typing import Any

from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, proto_utils

from formats import names
from formats.push_directory import newest_version

logger = logging.getLogger("higgs.pusher")

CHUNK_BYTES = 1 << 20


class Executor(executor.Executor):
    """Pushes a blessed model, unless it is the newest version already."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model, or records the version that holds it.

        An engine repeats a node that it lost, possibly after the model was copied.
        """
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        newest = newest_version(destination.filesystem.base_directory)
        blessed = self.CheckBlessing(input_dict)
        model = self.GetModelPath(input_dict)
        if not (blessed and newest and file_digests(newest) == file_digests(model)):
            super().Do(input_dict, output_dict, exec_properties)
            return
        pushed = artifact_utils.get_single_instance(output_dict[names.PUSHED_MODEL.key])
        io_utils.copy_dir(model, pushed.uri)
        version = newest.rpartition("/")[2]
        self._MarkPushed(pushed, pushed_destination=newest, pushed_version=version)
        logger.info("the model is in service already, as version %s", version)


def file_digests(folder: str) -> dict[str, str]:
    """Computes the SHA-256 digest of each file below a folder, by relative path."""
    return {
        f"{path}/{file}".removeprefix(folder): _digest(f"{path}/{file}")
        for path, _, files in fileio.walk(folder)
        for file in files
    }


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with fileio.open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
