"""Executor of ModelInService: finds and copies the newest pushed model."""

import logging

from tfx.dsl.io import fileio
from tfx.types import Artifact
from tfx.utils import io_utils, path_utils

from formats.names import ABSENT_PROPERTY, SAVED_MODEL_FILE

logger = logging.getLogger("higgs.baseline")


def copy_newest(push_directory: str, model: Artifact) -> None:
    """Copies the newest model into the artifact, or marks the artifact as absent."""
    newest = newest_version(push_directory)
    model.set_int_custom_property(ABSENT_PROPERTY, 0 if newest else 1)
    if newest is None:
        logger.info("no baseline: no model in %s", push_directory)
        return
    io_utils.copy_dir(newest, path_utils.serving_model_path(model.uri))
    logger.info("baseline %s", newest)


def newest_version(push_directory: str) -> str | None:
    """Finds the folder of the newest complete export; None if there is none."""
    if not fileio.exists(push_directory):
        return None
    # Object stores list folders with a trailing slash.
    entries = (entry.strip("/") for entry in fileio.listdir(push_directory))
    versions = sorted((int(entry) for entry in entries if entry.isdecimal()), reverse=True)
    folders = (f"{push_directory}/{version}" for version in versions)
    # Pusher copies the SavedModel's file last: a folder without it is incomplete.
    return next((path for path in folders if fileio.exists(f"{path}/{SAVED_MODEL_FILE}")), None)
