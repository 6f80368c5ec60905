"""Executor of ModelInService: finds and copies the newest pushed model."""

import logging

from tfx.types import Artifact
from tfx.utils import io_utils, path_utils

from formats.names import ABSENT_PROPERTY
from formats.push_directory import newest_version

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
